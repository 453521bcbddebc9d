"""The simulated provider: a real websocket server on loopback that plays a conversation to each connection.

    async with provider(seed=7) as simulated:
        source = simulated.url("/v1/realtime")

Two paths play two kinds of conversation; whoever starts a provider may let it play other stories. Anything else is an
HTTP 404. What clients send is read and ignored: the conversations need nobody to take part.
"""

import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from random import Random
from typing import Final
from urllib.parse import urlsplit

import anyio
from msgspec import Struct
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from steno.simulate import assistants, voice
from steno.simulate.steps import Cut, RawStep, Step

Close = tuple[int | None, str]
"""The websocket close code, None where the connection breaks off, and the reason."""


class Story(Struct, frozen=True):
    """What is played to a connection. A `Cut` in it ends the connection; the rest is played on the next one."""

    make: Callable[[Random, int], Iterator[Step]]
    """Return the steps of a story that begins at a Unix second."""
    close: Close | None = None
    """How the connection ends, where that is not in order."""


Find = Callable[[str], Story | None]
"""Return the story of a request target (path and query); None where nothing is played there."""

STORIES: Final = {"/v1/realtime": Story(voice.session), "/v1/assistants": Story(assistants.stream)}
"""What is played on which path."""


def plain_story(target: str) -> Story | None:
    """Return what is played at `target`, whatever its query says."""
    return STORIES.get(urlsplit(target).path)


_FRAME_BYTES_MAX: Final = 16 * 1024 * 1024  # a client of the real service may send 15 MiB of audio at once
_CLOSE_SECONDS: Final = 0.4  # to say goodbye to a client that does not answer
_EXIT_SECONDS: Final = 0.8  # after which what is still open is dropped


class Provider:
    """A running provider, as `provider` gives it."""

    def __init__(self, host: str, seed: int, speed: float, now: Callable[[], int], find: Find) -> None:
        self.port = 0
        """The TCP port it listens on."""
        self._host = host
        self._seed = seed
        self._speed = speed
        self._now = now
        self._find = find
        self._connections: Counter[str] = Counter()
        self._left: dict[str, list[list[Step]]] = {}
        """Target to the rest of a story that takes more than one connection."""

    def url(self, path: str) -> str:
        """Give the address of `path`, which may have a query."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self.port}{path}"

    def check_path(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse a path on which nothing is played."""
        if self._find(request.path):
            return None
        return connection.respond(HTTPStatus.NOT_FOUND, "nothing is simulated here\n")

    async def serve_client(self, connection: ServerConnection) -> None:
        """Play one conversation to a client, or as much of it as the client stays for."""
        async with anyio.create_task_group() as group:
            group.start_soon(_drain, connection, group.cancel_scope)
            with suppress(ConnectionClosed):  # who hangs up early is a client like another
                await self._play(connection)
            group.cancel_scope.cancel()

    async def _play(self, connection: ServerConnection) -> None:
        target = connection.request.path if connection.request else ""
        story = self._find(target)
        if story is None:
            return
        due = anyio.current_time()
        for step in self._next_part(target, story):
            if 0 < self._speed < math.inf:
                due += step.after_seconds / self._speed
            # Without a pause this still lets others run: a fast conversation must not starve its reader.
            await anyio.sleep_until(due)
            # What need not be text goes as binary, which no client's library refuses.
            await connection.send(step.payload(), text=not isinstance(step, RawStep))
        if story.close and target not in self._left:
            await _end(connection, *story.close)

    def _next_part(self, target: str, story: Story) -> list[Step]:
        """Return what this connection gets: the n-th story that begins at a target is the n-th of that target."""
        if target not in self._left:
            self._connections[target] += 1
            rng = Random(f"{self._seed}/{target}/{self._connections[target]}")
            self._left[target] = parts(story.make(rng, self._now()))
        part = self._left[target].pop(0)
        if not self._left[target]:
            del self._left[target]
        return part


def parts(steps: Iterable[Step]) -> list[list[Step]]:
    """Cut a story into what is played on each of its connections."""
    played: list[list[Step]] = [[]]
    for step in steps:
        if isinstance(step, Cut):
            played.append([])
        else:
            played[-1].append(step)
    return played


async def _end(connection: ServerConnection, code: int | None, reason: str) -> None:
    """End a connection: with a code, or without one by breaking it off."""
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
) -> AsyncIterator[Provider]:
    """Run a provider on the IP address `host`, on `port`, or on a free one where it is 0.

    `speed` divides every pause; 0 and infinity leave none. `now` gives the unix second at which a
    conversation begins: with `seed` it decides every frame. `find` says what is played where. A connection is closed
    with 1000 once its story is over, unless the story ends it otherwise.

    Raises OSError where the port is taken. On leaving, every connection is closed with 1001, within a second.
    """
    simulated = Provider(host, seed, speed, now, find)
    server = await serve(
        simulated.serve_client,
        host,
        port,
        process_request=simulated.check_path,
        compression=None,  # loopback has room
        max_size=_FRAME_BYTES_MAX,
        close_timeout=_CLOSE_SECONDS,
    )
    simulated.port = server.sockets[0].getsockname()[1]
    try:
        yield simulated
    finally:
        await _close(server)


async def _drain(connection: ServerConnection, playing: anyio.CancelScope) -> None:
    """Read what the client sends, to nowhere, and stop playing when it has gone."""
    with suppress(ConnectionClosed):
        async for _ in connection:
            pass
    playing.cancel()


async def _close(server: Server) -> None:
    server.close()
    with anyio.move_on_after(_EXIT_SECONDS, shield=True) as patience:
        await server.wait_closed()
    if patience.cancelled_caught:
        for task in list(server.handler_tasks):
            task.cancel()
