"""The server of the simulated provider.

    async with provider(seed=7) as simulated:
        source = simulated.url("/v1/realtime?model=gpt-realtime")

A target of an API opens a session that answers its client (`voice_line`, `responses/line`). Others have stories:
what is played to a client whatever it sends, for those who only listen. `find` maps targets to stories. Any other
target is an HTTP 404. On the same port is the HTTP side (`http_api`, `assistants_api`, `responses/http_api`).
"""

import math
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from random import Random
from typing import Final, cast
from urllib.parse import urlsplit

import anyio
from msgspec import Struct
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from steno.simulate import assistants, voice, voice_push
from steno.simulate.access import Access, error_body
from steno.simulate.assistants_api import AssistantsApi
from steno.simulate.calls import Calls
from steno.simulate.http_api import RealtimeApi
from steno.simulate.lines import Line, query_of, response
from steno.simulate.live import story as live_story
from steno.simulate.live.http_api import LiveApi
from steno.simulate.live.line import LiveLine, LiveSessions
from steno.simulate.port import Port
from steno.simulate.responses import story as responses_story
from steno.simulate.responses.http_api import ResponsesApi
from steno.simulate.responses.line import ResponsesLine
from steno.simulate.responses.store import Store
from steno.simulate.steps import Cut, RawStep, Step
from steno.simulate.voice_line import VoiceLine, opens_session

Close = tuple[int | None, str]
"""The close code of the websocket, None where the connection breaks off, and the reason."""


class Story(Struct, frozen=True):
    """What is played to a client. A `Cut` ends its connection; the rest is played on the next one."""

    make: Callable[[Random, int], Iterator[Step]]
    """Yields the steps of a story that begins at a Unix second."""
    close: Close | None = None
    """How the connection ends, where that is not with code 1000."""


Find = Callable[[str], Story | None]
"""Returns the story of a request target (path and query), or None."""

FROM_PAGES: Final = Middleware(
    CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], expose_headers=["Location"]
)
"""Pages of any origin may ask, as they may ask the real service: a browser begins a call by HTTP."""

STORIES: Final = {
    "/v1/realtime": Story(voice.session),
    "/v1/assistants": Story(assistants.stream),
    "/v1/responses": Story(responses_story.session),
    "/v1/live/sessions": Story(live_story.webrtc),
}
"""The default stories by path."""
LINES: Final = {
    ("/v1/realtime", "push"): Story(voice_push.session),
    ("/v1/live/sessions", "sip"): Story(live_story.sip),
}
"""Lines that have a story of their own, by path and name: `/v1/realtime?line=push`."""


ANSWERED: Final = frozenset({"/v1/responses", "/v1/live/sessions"})
"""Paths that have a story for those who name a line, and open a session for all others."""


def plain_story(target: str) -> Story | None:
    """Return the story of the path of `target`, or None where there is none, or where the target opens a session."""
    path, line = urlsplit(target).path, query_of(target).get("line")
    if opens_session(target) or (line is None and path in ANSWERED):
        return None
    return LINES.get((path, line or "")) or STORIES.get(path)


class Provider:
    """A running provider."""

    def __init__(
        self,
        host: str,
        seed: int,
        speed: float,
        now: Callable[[], int],
        find: Find,
        lines: Sequence[Line],
        scheme: str = "ws",
    ) -> None:
        """Play the stories that `find` finds, and serve the sessions of `lines`."""
        self.port = 0
        """The TCP port it listens on."""
        self._host = host
        self._seed = seed
        self._speed = speed
        self._now = now
        self._find = find
        self._lines = lines
        self._scheme = scheme
        self._connections: Counter[str] = Counter()
        self._left: dict[str, list[list[Step]]] = {}
        """The parts of a story that are left for the next connections, by target."""

    def url(self, path: str) -> str:
        """Return the URL of `path`, which may have a query."""
        return url_of(self._scheme, self._host, self.port, path)

    def check(self, _connection: ServerConnection, request: Request) -> Response | None:
        """Return the response to a request for a websocket that is not to be served, or None."""
        if self._find(request.path):
            return None
        line = self._line(request.path)
        if line:
            return line.check(request)
        return response(HTTPStatus.NOT_FOUND, error_body("Nothing is simulated here.", None))

    def _line(self, target: str) -> Line | None:
        """Return the API whose sessions a target opens, or None."""
        return next((line for line in self._lines if line.opens(target)), None)

    async def serve_client(self, connection: ServerConnection) -> None:
        """Serve a client until its story ends or it leaves."""
        request = cast("Request", connection.request)  # there is one after the handshake
        story = self._find(request.path)
        if story is None:
            line = self._line(request.path)
            if line:
                await line.serve(connection, request)
            return
        async with anyio.create_task_group() as group:
            group.start_soon(_drain, connection, group.cancel_scope)
            with suppress(ConnectionClosed):  # clients may leave early
                await self._play(connection, request.path, story)
            group.cancel_scope.cancel()

    async def _play(self, connection: ServerConnection, target: str, story: Story) -> None:
        due = anyio.current_time()
        for step in self._next_part(target, story):
            if 0 < self._speed < math.inf:
                due += step.after_seconds / self._speed
            # Without a pause this still yields to other tasks: a fast conversation must not starve its reader.
            await anyio.sleep_until(due)
            # Raw frames may not be UTF-8, which the client's library would refuse in a text message.
            await connection.send(step.payload(), text=not isinstance(step, RawStep))
        if story.close and target not in self._left:
            await _end(connection, *story.close)

    def _next_part(self, target: str, story: Story) -> list[Step]:
        """Return the steps for this connection: the next part of the target's story, or the first of a new one.

        The n-th story of a target has its own seed, so it does not depend on the order in which targets connect.
        """
        if target not in self._left:
            self._connections[target] += 1
            rng = Random(f"{self._seed}/{target}/{self._connections[target]}")
            self._left[target] = parts(story.make(rng, self._now()))
        part = self._left[target].pop(0)
        if not self._left[target]:
            del self._left[target]
        return part


def url_of(scheme: str, host: str, port: int, path: str) -> str:
    """Return a URL. `host` may be an IPv6 address."""
    return f"{scheme}://[{host}]:{port}{path}" if ":" in host else f"{scheme}://{host}:{port}{path}"


def parts(steps: Iterable[Step]) -> list[list[Step]]:
    """Split a story at its cuts into the steps of each connection."""
    played: list[list[Step]] = [[]]
    for step in steps:
        if isinstance(step, Cut):
            played.append([])
        else:
            played[-1].append(step)
    return played


async def _end(connection: ServerConnection, code: int | None, reason: str) -> None:
    """Close a connection with a code, or break it off where there is none."""
    if code is None:
        connection.transport.abort()
    else:
        await connection.close(code, reason)


@asynccontextmanager
async def provider(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 1,
    speed: float = 1.0,
    now: Callable[[], int] = lambda: int(time.time()),
    find: Find = plain_story,
    key: str | None = None,
    beta: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Provider]:
    """Run a provider on the IP address `host` and on `port`, or on a free port where it is 0.

    `speed` divides every pause; 0 and infinity leave no pauses. `now` returns the Unix second at which a conversation
    begins; it, `seed` and what clients send determine every frame. `find` returns the story of a target. A connection
    is closed with 1000 at the end of its story, unless the story says otherwise. All but stories need `key`, where it
    is given. The beta protocol is served to those who ask for it, if `beta`.

    Raises OSError where the port is taken. On exit, every connection is closed with 1001, within a second.
    """
    access = Access(key, Random(f"{seed}/keys"), now)
    calls = Calls(Random(f"{seed}/calls"), now, speed)
    store = Store()
    live = LiveSessions(Random(f"{seed}/live"), now, speed)
    lines = (
        VoiceLine(access, calls, seed, speed, now, beta=beta),
        ResponsesLine(access, store, seed, speed, now),
        LiveLine(access, live, seed),
    )
    simulated = Provider(host, seed, speed, now, find, lines, "wss" if tls else "ws")
    realtime = RealtimeApi(access, calls, Random(f"{seed}/http"), now)
    threads = AssistantsApi(access, Random(f"{seed}/threads"), now, speed)
    responses = ResponsesApi(access, store, Random(f"{seed}/responses"), now, speed)
    app = Starlette(
        routes=[*realtime.routes(), *threads.routes(), *responses.routes(), *LiveApi(access, live).routes()],
        middleware=[FROM_PAGES],
    )
    listening = Port(simulated.serve_client, simulated.check, app)
    await listening.open(host, port, tls)
    simulated.port = listening.number
    try:
        yield simulated
    finally:
        await listening.close()
        await calls.close()
        await live.close()


async def _drain(connection: ServerConnection, playing: anyio.CancelScope) -> None:
    """Read and discard what the client sends, and stop playing when it has left."""
    with suppress(ConnectionClosed):
        async for _ in connection:
            pass
    playing.cancel()
