"""Paths as they were sent: a key with `/` or `#` in it is one segment of a path, percent-encoded.

uvicorn decodes a path before it is routed, so that `%2F` would divide a segment in two. Here the path is routed as it
was sent, and a parameter `{key:segment}` of a route is decoded afterwards, once.
"""

from typing import Final
from urllib.parse import quote, unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

ESCAPED: Final = r"(?:[^/%]|%[0-9A-Fa-f]{2})+"
"""One segment with escapes that are whole. Any other path is not found."""


class Segment(Convertor[str]):
    """A parameter that is one segment: `{key:segment}`."""

    regex = ESCAPED

    def convert(self, value: str) -> str:
        """Return the text that was encoded. What is no UTF-8 becomes U+FFFD, and is the key of nothing."""
        return unquote(value, errors="replace")

    def to_string(self, value: str) -> str:
        """Return `value` as a segment."""
        return segment(value)


register_url_convertor("segment", Segment())


def segment(text: str) -> str:
    """Return `text` as one segment of a path: all but letters, digits, `-`, `.`, `_` and `~` is escaped."""
    return quote(text, safe="")


class SentPaths:
    """An application whose routes see the path of a request as it was sent."""

    def __init__(self, app: ASGIApp) -> None:
        """Pass on to `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        raw = scope.get("raw_path")
        await self._app(scope if raw is None else {**scope, "path": raw.decode("latin-1")}, receive, send)
