"""What the websocket sides of the simulated APIs have in common: targets, seeds, and responses to what is refused."""

from collections import Counter
from http import HTTPStatus
from random import Random
from typing import Final, Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

TARGETS_MAX: Final = 10_000
"""Targets whose sessions are counted apart."""


class Line(Protocol):
    """The websockets of one API."""

    def opens(self, target: str) -> bool:
        """Return whether a target is one of this API."""

    def check(self, request: Request) -> Response | None:
        """Return the response to a request that opens nothing, or None."""

    async def serve(self, connection: ServerConnection, request: Request) -> None:
        """Serve a connection that `check` has let pass, until it closes."""


class Seeds:
    """The randomness of sessions: the n-th of a target has its own, whatever else is opened."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._opened: Counter[str] = Counter()

    def of(self, target: str) -> Random:
        """Return the randomness of the next session of a target."""
        if len(self._opened) > TARGETS_MAX:
            self._opened.clear()
        self._opened[target] += 1
        return Random(f"{self._seed}/{target}/{self._opened[target]}")


def query_of(target: str) -> dict[str, str]:
    """Return the last value of each member of a target's query."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(target).query).items()}


def response(status: HTTPStatus, body: object) -> Response:
    """Return an HTTP response with a JSON body to a request for a websocket."""
    encoded = msgspec.json.encode(body)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(encoded)), "Connection": "close"}
    return Response(status.value, status.phrase, Headers(headers), encoded)
