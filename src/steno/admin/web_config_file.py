"""Reads the file of `http.web_config`: YAML of plain values, from a regular file that is not too long.

A module of its own, since PyYAML takes long to import and few daemons have such a file.
"""

from pathlib import Path
from typing import Any, Final

import yaml

from steno.errors import ConfigError, ConfigFault
from steno.regular_files import read_named

FILE_BYTES: Final = 256 * 1024
"""Longest file that is read."""


class _Loader(yaml.SafeLoader):
    """Loads plain values alone. No key stands twice, and nothing refers to what stands elsewhere."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse an alias: a few lines of these can stand for gigabytes."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not supported")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # as it is there
        """Refuse a key that stands twice: of two certificates it would be the second, without a word."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) < len(keys):
            raise yaml.MarkedYAMLError(problem="a key stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def parsed(path: Path) -> object:
    """Return what the file at `path` holds. Raises ConfigError, which names the file, where it cannot be read."""
    try:
        content = read_named(path, FILE_BYTES + 1)
    except OSError as error:
        raise _failure(path, f"cannot be read: {(error.strerror or 'input error').lower()}") from None
    if len(content) > FILE_BYTES:
        raise _failure(path, f"is longer than {FILE_BYTES} bytes")
    try:
        return yaml.load(content.decode(), _Loader)  # noqa: S506  # a SafeLoader
    except UnicodeDecodeError:
        raise _failure(path, "is not UTF-8") from None
    except yaml.YAMLError as error:
        raise _failure(path, _syntax(error)) from None
    except (RecursionError, ValueError):  # ValueError: a number or date that is none
        raise _failure(path, "is no YAML that steno can read") from None


def _syntax(error: yaml.YAMLError) -> str:
    """Return where the mistake is, and what where it is one of ours. The parser's own words may repeat a secret."""
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    own = ("aliases are not supported", "a key stands twice")
    problem = getattr(error, "problem", None)
    return place + (problem if problem in own else "is no YAML")


def _failure(path: Path, message: str) -> ConfigError:
    return ConfigError([ConfigFault(str(path), "", message)])
