"""From a `Config` back to TOML, for people to read and for the audit log to point at; secrets never show.

A header shows where its value is found. A URL shows the names in its query and `***` for each value. A
configuration that has no query in its URLs reads back as itself.
"""

import hashlib
from typing import Any

import msgspec
import tomli_w

from steno.config.schema import Config, Connect


def render(config: Config) -> str:
    """Render every key with its value, defaults too, but those that are absent by default and were not set.

    The same configuration gives the same text, in whatever order its tables were written.
    """
    tables: dict[str, Any] = msgspec.to_builtins(config)
    tables["sources"] = [_source(source) for source in config.sources]
    return tomli_w.dumps(_without_none(tables))


def digest(config: Config) -> str:
    """Hash the rendering: lowercase hex of the SHA-256 of what `render` gives, in UTF-8.

    Over the masked text, so that nobody can find a short secret by trying, and anyone can make the digest
    again from what `steno check` prints.
    """
    return hashlib.sha256(render(config).encode()).hexdigest()


def _source(source: Connect) -> dict[str, Any]:
    table: dict[str, Any] = msgspec.to_builtins(source)
    return table | {"url": source.masked_url, "headers": dict(sorted(table["headers"].items()))}


def _without_none(value: Any) -> Any:
    """Leave out what is None, at any depth: TOML has no word for it."""
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_without_none(inner) for inner in value]
    return value
