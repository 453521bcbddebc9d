"""Headers that every response has: what a browser may do with it, which is nothing unless its route says otherwise.

The page says otherwise (`page`). Data is nowhere kept.
"""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
"""What stands on every response, whatever a route says."""


class SecurityHeaders:
    """An application whose responses have these headers."""

    def __init__(self, app: ASGIApp) -> None:
        """Pass on to `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                _secure(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, secured)


def _secure(headers: MutableHeaders) -> None:
    """Add what is missing. A policy, and how long a response may be kept, is for its route to say."""
    for name, value in HEADERS.items():
        headers[name] = value
    headers.setdefault("content-security-policy", POLICY)
    headers.setdefault("cache-control", "no-store")
