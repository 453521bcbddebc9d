"""Finds keys and tokens by their shapes, which `steno.key_shapes` has for all outputs."""

from collections.abc import Iterator

from steno.key_shapes import find_keys
from steno.redaction.spans import Span


def keys(text: str) -> Iterator[Span]:
    """Yield keys and tokens."""
    return (Span(start, end, "key") for start, end in find_keys(text))
