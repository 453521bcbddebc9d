"""`GET /v1/stream`: what has changed, once a second, as server-sent events.

    event: rows       {"at", "conversations": [ROW...], "closed": [keys that have no row any more]}
    event: timeline   {"key"}: the conversation of `?key=` has changed, so ask again for its timeline
    event: sources    what `GET /v1/sources` answers, where a source or the number of its streams has changed

All clients share one comparison, made in a thread, and the same bytes. While nobody listens nothing is compared.

A client that does not take what it is sent is not waited for: a few events wait for it, then its stream ends, and the
connection with it when it goes on to take nothing. It is no connection that is silent (`connections.py`), since its
request is under way; so there is a most, far below that of connections. A stream ends when the daemon stops, and when
who listens may no longer read: their session is over, or the token is another one.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import anyio
import msgspec
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from steno.admin.answers import error
from steno.admin.authorization import Authorization
from steno.admin.operations import DescribedRoute, Operation, Parameter
from steno.admin.views import Library, Workers
from steno.attachments import ErrorAnswer
from steno.limits import STREAM_CLIENTS
from steno.timestamps import SECOND
from steno.view.changes import Watch
from steno.view.query import TEXT_CHARACTERS
from steno.view.sources import essence

STREAM: Final = "/v1/stream"
TURN_SECONDS: Final = 1.0
ALIVE_TURNS: Final = 15
"""Turns without an event after which a comment is sent, so that proxies and clients see that the stream lives."""
WAITING_EVENTS: Final = 4
"""Events that wait for a client. One that is seconds behind is better off when it asks anew."""
MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
LISTEN: Final = Operation(
    summary="What changes, as server-sent events: rows, sources and, with a key, timeline.",
    parameters=(Parameter("key", "The key of a conversation that is followed."),),
    answers={200: MEDIA_TYPE, 400: ErrorAnswer, 503: ErrorAnswer},
)
RETRY: Final = b"retry: 2000\n\n"
ALIVE: Final = b":\n\n"
TOO_MANY: Final = f"{STREAM_CLIENTS} clients follow this stream already: close one, or ask for /v1/conversations"


class _Client:
    """One who listens."""

    def __init__(self, key: str | None, admitted: Callable[[], bool]) -> None:
        self.key = key
        self.admitted = admitted
        self._sender: MemoryObjectSendStream[bytes]
        self.events: MemoryObjectReceiveStream[bytes]
        self._sender, self.events = anyio.create_memory_object_stream[bytes](WAITING_EVENTS)

    def tell(self, events: bytes) -> bool:
        """Let events wait for it; return False where it does not keep up, and its stream ends."""
        try:
            self._sender.send_nowait(events)
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.end()
            return False
        return True

    def end(self) -> None:
        """End its stream once it has taken what waits for it."""
        self._sender.close()


class ChangeStream:
    """Tells all who listen what has changed. `run` runs beside the server."""

    def __init__(self, library: Library, workers: Workers) -> None:
        """Tell of what is in `library`, and compare in a thread of `workers`."""
        self._library = library
        self._workers = workers
        self._watch = Watch(library, lambda: library.now() / SECOND)
        self._clients: set[_Client] = set()
        self._listened = anyio.Event()
        """Whether anybody listens."""
        self._sources: list[tuple[object, ...]] = []
        self._quiet = 0
        self._stopped = False

    def route(self, authorization: Authorization) -> DescribedRoute:
        """Return where it is listened to, for as long as `authorization` lets who listens read."""

        async def listen(request: Request) -> Response:
            return await self._listen(request, lambda: authorization.still_reads(request))

        return DescribedRoute(STREAM, listen, LISTEN)

    async def _listen(self, request: Request, admitted: Callable[[], bool]) -> Response:
        given = request.query_params.multi_items()
        if any(name != "key" or len(value) > TEXT_CHARACTERS for name, value in given) or len(given) > 1:
            return error(HTTPStatus.BAD_REQUEST, "bad_request", "the only parameter is key, the key of a conversation")
        if request.method == "HEAD":  # its response ends with its head
            return Response(headers=HEADERS, media_type=MEDIA_TYPE)
        if self._stopped or len(self._clients) >= STREAM_CLIENTS:
            return error(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_streams", TOO_MANY, {"retry-after": "5"})
        client = _Client(given[0][1] if given else None, admitted)
        self._clients.add(client)
        try:
            if len(self._clients) == 1:
                await self._workers.run(self._watch.begin)
                self._listened.set()
        except BaseException:
            self._left(client)
            raise
        return _EventResponse(client.events, lambda: self._left(client))

    def _left(self, client: _Client) -> None:
        client.end()
        self._clients.discard(client)

    async def run(self) -> None:
        """Tell, once a second, while anybody listens."""
        while not self._stopped:
            await self._listened.wait()
            if not self._clients:
                self._listened = anyio.Event()
                continue
            try:
                await self._turn()
            except Exception:  # noqa: BLE001  # a mistake of ours: who listens finds out by a new request
                structlog.get_logger().exception("internal error: changes could not be told")
                self._end_all()
            await anyio.sleep(TURN_SECONDS)

    def stop(self) -> None:
        """End all streams, at once."""
        self._stopped = True
        self._listened.set()
        self._end_all()

    def _end_all(self) -> None:
        for client in list(self._clients):
            self._left(client)

    async def _turn(self) -> None:
        rows, keys, sources = await self._workers.run(self._compared)
        common = rows + sources
        self._quiet = 0 if common else self._quiet + 1
        if self._quiet >= ALIVE_TURNS:
            common, self._quiet = ALIVE, 0
        for client in list(self._clients):
            if not client.admitted():
                self._left(client)
                continue
            followed = client.key is not None and client.key in keys
            events = common + (_event("timeline", {"key": client.key}) if followed else b"")
            if events and not client.tell(events):
                self._clients.discard(client)

    def _compared(self) -> tuple[bytes, set[str], bytes]:
        """Return the event of the rows, the keys of those that have changed, and the event of the sources."""
        changes, keys = self._watch.changes()
        rows = _event("rows", changes) if changes.conversations or changes.closed else b""
        listed = self._library.sources()
        present = essence(listed.sources)
        told = _event("sources", listed) if present != self._sources else b""
        self._sources = present
        return rows, keys, told


def _event(name: str, data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


class _EventResponse(Response):
    """The response to one who listens. It ends with its events, or when the client leaves."""

    def __init__(self, events: MemoryObjectReceiveStream[bytes], left: Callable[[], None]) -> None:
        """Send `events`; `left` is called at the end, whichever it is."""
        super().__init__(headers=HEADERS, media_type=MEDIA_TYPE)
        del self.headers["content-length"]
        self._events = events
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # as ASGI has it
        """Send what comes."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": RETRY, "more_body": True})
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._until_it_leaves, receive)
                async for events in self._events:
                    await send({"type": "http.response.body", "body": events, "more_body": True})
                tasks.cancel_scope.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._events.close()
            self._left()

    async def _until_it_leaves(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._left()
