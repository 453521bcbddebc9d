"""The simulated provider: a real websocket server on loopback that plays a conversation to each connection.

    async with provider(seed=7) as simulated:
        source = simulated.url("/v1/realtime")

Two paths, two kinds of conversation, and a third for one quirk of the zoo: `/v1/zoo?quirk=session_cap`. Anything
else is an HTTP 404. What clients send is read and ignored: the conversations need nobody to take part.
"""

import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from random import Random
from typing import Final
from urllib.parse import parse_qs, urlsplit

import anyio
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from steno.simulate import assistants, voice, zoo
from steno.simulate.steps import RawStep, Step

CONVERSATIONS: Final[dict[str, Callable[[Random, int], Iterator[Step]]]] = {
    "/v1/realtime": voice.session,
    "/v1/assistants": assistants.stream,
}
"""What is played on which path."""

ZOO_PATH: Final = "/v1/zoo"
"""Where the quirk that the query names is played."""

_FRAME_BYTES_MAX: Final = 16 * 1024 * 1024  # a client of the real service may send 15 MiB of audio at once
_CLOSE_SECONDS: Final = 0.4  # to say goodbye to a client that does not answer
_EXIT_SECONDS: Final = 0.8  # after which what is still open is dropped


class Provider:
    """A running provider, as `provider` gives it."""

    def __init__(self, host: str, seed: int, speed: float, now: Callable[[], int]) -> None:
        self.port = 0
        """The TCP port it listens on."""
        self._host = host
        self._seed = seed
        self._speed = speed
        self._now = now
        self._connections: Counter[str] = Counter()
        self._left: dict[str, list[list[Step]]] = {}
        """Target to what is still to be said there of a story that takes more than one connection."""

    def url(self, path: str) -> str:
        """Give the address of `path`, which may have a query."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self.port}{path}"

    def check_path(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse a path on which nothing is played."""
        if urlsplit(request.path).path in CONVERSATIONS or _quirk(request.path):
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
        due = anyio.current_time()
        for step in self._conversation(target):
            if 0 < self._speed < math.inf:
                due += step.after_seconds / self._speed
            # Without a pause this still lets others run: a fast conversation must not starve its reader.
            await anyio.sleep_until(due)
            # What need not be text goes as binary, which no client's library refuses.
            await connection.send(step.payload(), text=not isinstance(step, RawStep))
        quirk = _quirk(target)
        if quirk and quirk.close and target not in self._left:
            await _end(connection, *quirk.close)

    def _conversation(self, target: str) -> Iterator[Step]:
        """Choose what to play: the n-th connection to a target gets the n-th conversation of that target.

        A quirk that goes on in another stream takes one connection for each of its parts.
        """
        if target in self._left:
            return self._next_part(target)
        self._connections[target] += 1
        rng = Random(f"{self._seed}/{target}/{self._connections[target]}")
        if quirk := _quirk(target):
            self._left[target] = zoo.parts(quirk.make(rng, self._now()))
            return self._next_part(target)
        return CONVERSATIONS[urlsplit(target).path](rng, self._now())

    def _next_part(self, target: str) -> Iterator[Step]:
        part = self._left[target].pop(0)
        if not self._left[target]:
            del self._left[target]
        return iter(part)


def _quirk(target: str) -> zoo.Quirk | None:
    """Return the quirk that `target` names, if it is a path of the zoo and there is one of that name."""
    url = urlsplit(target)
    names = parse_qs(url.query).get("quirk", [])
    return zoo.QUIRKS.get(names[0]) if url.path == ZOO_PATH and len(names) == 1 else None


async def _end(connection: ServerConnection, code: int | None, reason: str) -> None:
    """End a connection as a quirk has it: with a code, or without a word."""
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
) -> AsyncIterator[Provider]:
    """Run a provider on the IP address `host`, on `port`, or on a free one where it is 0.

    `speed` divides every pause; 0 and infinity leave none. `now` gives the unix second at which a
    conversation begins: with `seed` it decides every frame. A connection is closed with 1000 once its
    conversation is over, if a quirk does not end it otherwise.

    Raises OSError where the port is taken. On leaving, every connection is closed with 1001, within a second.
    """
    simulated = Provider(host, seed, speed, now)
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
