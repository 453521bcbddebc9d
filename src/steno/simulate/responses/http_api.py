"""The HTTP side of the Responses API: a response at once, or as a stream of server-sent events.

POST   /v1/responses           creates a response
GET    /v1/responses/{id}      shows one that has ended and was stored
DELETE /v1/responses/{id}      forgets it
"""

import math
from collections.abc import AsyncIterator, Callable
from random import Random

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from steno.simulate.access import Access
from steno.simulate.bodies import Endpoint, RequestRefusedError, guarded, json_of
from steno.simulate.responses.objects import Object
from steno.simulate.responses.session import ResponsesSession
from steno.simulate.responses.store import Kept, Store


class ResponsesApi:
    """The endpoints of one provider."""

    def __init__(self, access: Access, store: Store, rng: Random, now: Callable[[], int], speed: float) -> None:
        """`now` returns the Unix second, `speed` divides every pause."""
        self._access = access
        self._store = store
        self._rng = rng
        self._now = now
        self._speed = speed

    def routes(self) -> list[Route]:
        """Return the routes of the endpoints."""
        endpoints: list[tuple[str, str, Endpoint]] = [
            ("POST", "/v1/responses", self.create),
            ("GET", "/v1/responses/{response_id}", self.show),
            ("DELETE", "/v1/responses/{response_id}", self.delete),
        ]
        return [Route(path, guarded(self._access, each), methods=[method]) for method, path, each in endpoints]

    async def create(self, request: Request) -> Response:
        """Answer a request."""
        asked = await json_of(request)
        session = ResponsesSession(Random(self._rng.getrandbits(64)), self._now(), self._store)
        session.receive({**asked, "type": "response.create", "stream_id": None})
        begun = session.take()
        if begun[0]["type"] == "error":
            return JSONResponse({"error": begun[0]["error"]}, begun[0]["status"])
        if asked.get("stream") is True:
            return StreamingResponse(self._stream(session, begun), media_type="text/event-stream")
        while session.due() is not None:
            session.advance()
            begun = session.take() or begun
        return JSONResponse(begun[-1]["response"])

    async def _stream(self, session: ResponsesSession, begun: list[Object]) -> AsyncIterator[bytes]:
        """Yield the events of a response as time passes. Where the client leaves, it goes on without it."""
        at = anyio.current_time()
        try:
            while begun or session.due() is not None:
                for event in begun:
                    yield _server_sent(event)
                pause = session.due()
                if pause is not None and 0 < self._speed < math.inf:
                    at += pause / self._speed
                await anyio.sleep_until(at)
                session.advance()
                begun = session.take()
        finally:
            while session.due() is not None:
                session.advance()

    def _found(self, request: Request) -> Kept:
        response_id = request.path_params["response_id"]
        found = self._store.find(response_id)
        if found is None:
            raise RequestRefusedError(404, f"There is no response '{response_id[:80]}'.", None, "response_id")
        return found

    async def show(self, request: Request) -> Response:
        """Show a response."""
        return JSONResponse(self._found(request).object)

    async def delete(self, request: Request) -> Response:
        """Forget a response."""
        response_id = self._found(request).object["id"]
        self._store.forget(response_id)
        return JSONResponse({"id": response_id, "object": "response", "deleted": True})


def _server_sent(event: Object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))
