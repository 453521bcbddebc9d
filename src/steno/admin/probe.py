"""Asking a running daemon whether it is ready: for the health checks of containers, so it must be quick."""

from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from steno.errors import UsageError

TIMEOUT_SECONDS: Final = 3.0
OK: Final = 200
LONGEST_ANSWER: Final = 4096
ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # where it listens, not we
"""An address that means all interfaces: where to reach it on this machine."""


class Answer(Struct, frozen=True):
    """What the daemon said, or that it said nothing."""

    ready: bool
    text: str


def readiness_url(address: tuple[str, int]) -> str:
    """Return where a daemon that listens on `address` answers."""
    host, port = address
    host = ANY.get(host, host)
    return f"http://[{host}]:{port}/readyz" if ":" in host else f"http://{host}:{port}/readyz"


def probe(url: str) -> Answer:
    """Ask at `url`. Raises UsageError where it is no http URL."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError("the URL must begin with http:// and name a host")
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path or "/readyz")
        response = connection.getresponse()
        text = response.read(LONGEST_ANSWER).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return Answer(ready=False, text=f"no answer from {parts.hostname}: {type(error).__name__}")
    finally:
        connection.close()
    return Answer(ready=response.status == OK, text=text)
