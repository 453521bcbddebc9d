"""From a `Config` to TOML, for people to read and for the audit log to refer to. No secret is shown.

A header shows the place of its value. A URL shows the names in its query and `***` for each value. Where no URL has a
query, the text reads back as the same configuration.
"""

import hashlib
from typing import Any

import msgspec
import tomli_w

from steno.config.fields import mask_url
from steno.config.schema import Config
from steno.config.sources import Source


def render(config: Config) -> str:
    """Return every key with its value, defaults included. A key without a default is shown where it is set.

    The same configuration gives the same text, in whatever order its tables were written.
    """
    tables: dict[str, Any] = msgspec.to_builtins(config)
    if config.audit.anchor and config.audit.anchor.webhook:
        tables["audit"]["anchor"]["webhook"] = mask_url(config.audit.anchor.webhook)
    tables["otel"] = {key: _sorted(value) for key, value in tables["otel"].items()}
    if config.otel.endpoint:
        tables["otel"]["endpoint"] = mask_url(config.otel.endpoint)
    tables["sources"] = [_source(source) for source in config.sources]
    return tomli_w.dumps(_without_none(tables))


def digest(config: Config) -> str:
    """Return the SHA-256 of what `render` returns, in UTF-8, as lowercase hex.

    It is taken of the masked text: nobody can find a short secret by trying, and anyone can compute the digest from the
    output of `steno check`.
    """
    return hashlib.sha256(render(config).encode()).hexdigest()


def _source(source: Source) -> dict[str, Any]:
    table: dict[str, Any] = msgspec.to_builtins(source)
    return {key: _sorted(value) for key, value in (table | source.shown()).items()}


def _sorted(value: Any) -> Any:
    """Return an inner table in one order, however it was written."""
    return dict(sorted(value.items())) if isinstance(value, dict) else value


def _without_none(value: Any) -> Any:
    """Return `value` without what is None, at any depth: TOML cannot write it."""
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_without_none(inner) for inner in value]
    return value
