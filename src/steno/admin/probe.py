"""Asks a running daemon whether it is ready. Health checks of containers run this often, so it must be quick."""

from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from steno.errors import UsageError

TIMEOUT_SECONDS: Final = 3.0
OK: Final = 200
RESPONSE_BYTES: Final = 64 * 1024
"""How much of a response is read."""
WILDCARD_HOSTS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # nothing listens here
"""An address that means all interfaces to the address that reaches it on this machine."""


class ProbeResult(Struct, frozen=True):
    """What the daemon responded, or why there was no response."""

    ready: bool
    text: str
    """The body of the response, or a sentence for the operator."""


def readiness_url(address: tuple[str, int]) -> str:
    """Return the URL of `/readyz` of a daemon that listens on `address`, a host and a port."""
    host, port = address
    host = WILDCARD_HOSTS.get(host, host)
    return f"http://[{host}]:{port}/readyz" if ":" in host else f"http://{host}:{port}/readyz"


def probe(url: str, token: str | None = None) -> ProbeResult:
    """Request `url` (`/readyz` where it has no path), with the `token` of `http.token` for details.

    Raises UsageError where it is not an http URL.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError("the URL must begin with http:// and name a host")
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=TIMEOUT_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", parts.path or "/readyz", headers=headers)
        response = connection.getresponse()
        text = response.read(RESPONSE_BYTES).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return ProbeResult(ready=False, text=unanswered(parts, error))
    finally:
        connection.close()
    return ProbeResult(ready=response.status == OK, text=text)


def unanswered(url: SplitResult, error: OSError | HTTPException) -> str:
    """Return what to say where nothing came back from the daemon at `url`."""
    why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
    hint = "; is it http.listen of a daemon that runs?" if isinstance(error, ConnectionRefusedError) else ""
    return f"no answer from {url.hostname}:{url.port or url.scheme}: {why.lower()}{hint}"
