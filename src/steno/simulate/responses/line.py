"""The websockets of the Responses API: `/v1/responses`."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import anyio
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from steno.simulate.access import Access, refusal, shown_key
from steno.simulate.lines import Seeds, query_of, response
from steno.simulate.responses.session import ResponsesSession
from steno.simulate.responses.store import Store
from steno.simulate.rooms import Guest, Room

PATH: Final = "/v1/responses"


class ResponsesLine:
    """The websockets of one provider."""

    def __init__(self, access: Access, store: Store, seed: int, speed: float, now: Callable[[], int]) -> None:
        """`store` has the responses of all connections, `speed` divides every pause, `now` returns the Unix second."""
        self._access = access
        self._store = store
        self._seeds = Seeds(seed)
        self._speed = speed
        self._now = now

    def opens(self, target: str) -> bool:
        """Return whether a target is that of a websocket, and not of a story."""
        return urlsplit(target).path == PATH and "line" not in query_of(target)

    def check(self, request: Request) -> Response | None:
        """Return the response to a request that is not admitted, or None."""
        shown = shown_key(request.headers.raw_items())
        return None if self._access.admits(shown) else response(HTTPStatus.UNAUTHORIZED, refusal(shown))

    async def serve(self, connection: ServerConnection, request: Request) -> None:
        """Answer what comes on a connection, until it closes."""
        room = Room(ResponsesSession(self._seeds.of(request.path), self._now(), self._store), self._speed)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(room.run)
            await room.attend(Guest(connection))
            tasks.cancel_scope.cancel()
