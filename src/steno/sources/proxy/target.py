"""Where a request goes, and what a reply says of places. Pure."""

import re
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from steno.sources.proxy.refusal import Refused

_DOTS: Final = re.compile(r"(?:\.|%2e){1,2}(?:(?:;|%3b|%00).*)?", re.IGNORECASE)
"""Some servers take the parameters off a segment before they look whether it is dots."""
_SEPARATOR: Final = re.compile(r"/|\\|%2f|%5c", re.IGNORECASE)
_TARGET: Final = re.compile(r"/[!-~]*")
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_SECURE: Final = frozenset({"https", "wss"})


class Upstream(Struct, frozen=True):
    """The provider, and the path that a client's path is appended to."""

    secure: bool
    host: str
    port: int
    authority: str
    """What `Host` says."""
    path: str
    """Without a slash at the end."""

    @classmethod
    def of(cls, url: str) -> "Upstream":
        """Return what `url` names, an `http://` or `https://` URL that was validated."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        default = _PORTS[parts.scheme]
        port = parts.port or default
        shown = f"[{host}]" if ":" in host else host
        return cls(
            secure=parts.scheme in _SECURE,
            host=host,
            port=port,
            authority=shown if port == default else f"{shown}:{port}",
            path=parts.path.rstrip("/"),
        )

    def target(self, target: bytes) -> bytes:
        """Return what is asked of the provider where a client asks for `target`; raises Refused."""
        text = target.decode("ascii", "replace")
        if not _TARGET.fullmatch(text) or text.startswith("//") or "#" in text:
            raise Refused(400, "target", "the target of a request must be a path, with or without a query")
        path, mark, query = text.partition("?")
        if any(_DOTS.fullmatch(segment) for segment in _SEPARATOR.split(path)):
            raise Refused(400, "target", "the path of a request must not have dot segments")
        return f"{self.path}{path}{mark}{query}".encode()

    def location(self, value: bytes) -> bytes:
        """Return a `Location` of the provider as a client may follow it, relative to where it asked.

        What points to the provider loses its origin and the configured path. What points elsewhere stays.
        """
        try:
            parts = urlsplit(value.decode("latin-1"))
            port = parts.port
        except ValueError:
            return value
        if parts.netloc:
            scheme = parts.scheme or ("https" if self.secure else "http")
            if scheme not in _PORTS or "@" in parts.netloc:
                return value
            origin = (scheme in _SECURE, (parts.hostname or "").lower(), port or _PORTS[scheme])
            if origin != (self.secure, self.host.lower(), self.port):
                return value
        elif parts.scheme or not parts.path.startswith("/"):
            return value
        path = parts.path or "/"
        if self.path:
            if path != self.path and not path.startswith(f"{self.path}/"):
                return value
            path = path[len(self.path) :] or "/"
        if path.startswith("//"):  # would be read as another host
            return value
        rest = (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")
        return (path + rest).encode("latin-1")
