"""What the proxy answers by itself, where nothing can be passed on."""

from typing import Final

import msgspec

PHRASES: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
REASONS: Final = (
    "head",
    "target",
    "handshake",
    "timeout",
    "connections",
    "stopping",
    "upstream",
    "tls",
    "internal_error",
)
"""Why clients were refused: a closed list."""


class Refused(Exception):  # noqa: N818  # it is no mistake
    """A request that is not passed on."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        """Answer with `status` and `message`; `reason` is of `REASONS`."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


def refusal(refused: Refused, *, body: bool = True) -> bytes:
    """Return the whole answer. The error has the form of the provider's own, so that an SDK shows its message."""
    error = {"message": f"steno: {refused.message}", "type": "steno_proxy_error", "code": refused.reason}
    content = msgspec.json.encode({"error": error})
    retry = "Retry-After: 1\r\n" if refused.status == 503 else ""  # noqa: PLR2004
    version = "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n" if refused.status == 426 else ""  # noqa: PLR2004
    head = (
        f"HTTP/1.1 {refused.status} {PHRASES.get(refused.status, 'Error')}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n{retry}{version}Connection: close\r\n\r\n"
    )
    return head.encode() + (content if body else b"")
