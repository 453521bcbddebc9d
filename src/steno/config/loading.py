"""From a path to a `Config`: `find` finds the file, `load` reads it, `parse` is pure.

Everything that is wrong with a file is raised as one `ConfigError`.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from steno.config.process import Process
from steno.config.schema import Config
from steno.config.sources import SOURCES
from steno.config.validation import flaws
from steno.errors import ConfigError, ConfigFault
from steno.regular_files import read_named

STANDARD_PLACES: Final = (Path("steno.toml"), Path("/etc/steno/steno.toml"))
"""The paths that are tried in this order where none is named."""

FILE_BYTES: Final = 1024 * 1024
"""Longest file that is read. A thousand sources fit."""


def find(explicit: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read: the explicit path, else `$STENO_CONFIG`, else the first standard place that exists.

    A path that was named is returned even where nothing exists: `load` reports that. None where no path was named and
    no standard place exists.
    """
    if explicit is not None:
        return explicit
    if named := environ.get("STENO_CONFIG"):
        return Path(named)
    return next((place for place in STANDARD_PLACES if _exists(place)), None)


def _exists(place: Path) -> bool:
    """Whether a file exists. One that may not be looked at counts, and `load` reports why it cannot be read."""
    try:
        return place.exists()
    except OSError:
        return True


Defaults = Mapping[str, Mapping[str, Any]]
"""Values by table and key for what the file does not set."""


def load(path: Path, defaults: Defaults = MappingProxyType({}), process: Process = Process()) -> Config:  # noqa: B008  # it is frozen
    """Read a file. `defaults` replace those of the schema; `process` has its own part.

    Raises ConfigError, with every fault, where the file cannot be read or is wrong.
    """
    content = _read(path)
    if len(content) > FILE_BYTES:
        raise _failure(str(path), f"is longer than {FILE_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")  # some editors write a byte order mark
    except UnicodeDecodeError as error:
        raise _failure(str(path), f"is not UTF-8 (byte {error.start + 1})") from None
    return parse(text, str(path), defaults, process)


def parse(
    text: str,
    file: str,
    defaults: Defaults = MappingProxyType({}),
    process: Process = Process(),  # noqa: B008  # it is frozen
) -> Config:
    """Read TOML text. `file` is its name in the faults; `defaults` replace those of the schema.

    `process` says what of it this process has: sources that run elsewhere are checked, and left out.

    Raises ConfigError where the text is wrong: with every fault, or with the first one where it is not TOML.
    """
    data = process.tables(_decode(text, file))
    faults = [ConfigFault(file, flaw.key, flaw.message) for flaw in flaws(data, Config, "")]
    if faults:
        raise ConfigError(faults)
    tables = {**data, **{table: {**keys, **data.get(table, {})} for table, keys in defaults.items()}}
    sources = tuple(msgspec.convert(source, SOURCES[source["kind"]]) for source in tables.pop("sources", ()))
    return process.part(msgspec.structs.replace(msgspec.convert(tables, Config), sources=sources))


def _read(path: Path) -> bytes:
    try:
        return read_named(path, FILE_BYTES + 1)
    except OSError as error:
        raise _failure(str(path), f"cannot be read: {(error.strerror or 'input error').lower()}") from None
    except ValueError:
        raise _failure(ascii(str(path)), "cannot be read: not a path") from None


def _failure(file: str, message: str) -> ConfigError:
    return ConfigError([ConfigFault(file, "", message)])


def _decode(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _failure(file, _syntax_message(str(error), text)) from None
    except ValueError:  # the interpreter limits the digits of a number
        raise _failure(file, "holds a number with too many digits") from None
    except RecursionError:
        raise _failure(file, "nests brackets too deep") from None


def _syntax_message(message: str, text: str) -> str:
    """Turn a message of `tomllib`, `<what> (at line 3, column 5)`, into `line 3, column 5: <what>`.

    The parser repeats keys of the file, one by one or as a tuple. They are masked: a key may be a secret in the wrong
    place. It quotes marks such as `]]` as well; a quotation of up to three characters stays.
    """
    what, _, place = message.removesuffix(")").rpartition(" (at ")
    where = place if place.startswith("line ") else _end_of(text)
    return f"{where}: {_REPEATED_KEYS.sub('***', what)}"


_REPEATED_KEYS: Final = re.compile(r"""\(.*\)|'(?:[^'\\]|\\.){4,}'|"(?:[^"\\]|\\.){4,}\"""")


def _end_of(text: str) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"
