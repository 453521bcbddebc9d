"""What the plays of sources share: a pipeline that keeps its facts, and real websocket servers on loopback."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from steno.core.facts import Fact, Origin, StreamClosed
from steno.limits import Limits
from steno.pipeline import Pipeline
from steno.sources.clock import Clock
from steno.sources.recorder import Recorder
from steno.sources.stream_session import StreamSessions

PATIENCE_SECONDS = 20.0
"""How long a play waits for what must happen before it fails."""

PING = b'{"type":"ping","event_id":"event_1"}'
"""A frame of a type that is not known: it is counted and moves no state."""

Key = TypeVar("Key")
Handler = Callable[[ServerConnection], Awaitable[None]]
Admit = Callable[[ServerConnection, Request], Response | Awaitable[Response | None] | None]


class Stage:
    """A pipeline whose facts are kept, and what begins streams in it."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.facts: list[Fact] = []
        self.pipeline = Pipeline(Limits(), [self])
        self.clock = Clock()
        self.sessions = StreamSessions(self.pipeline, self.clock, recorder)

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Be the sink."""
        self.facts.append(fact)

    @property
    def closed(self) -> list[StreamClosed]:
        """The streams that have ended."""
        return [fact for fact in self.facts if isinstance(fact, StreamClosed)]

    @property
    def fed(self) -> int:
        """How many of the frames `PING` were fed."""
        return self.pipeline.others.get("realtime", 0)


def counted(counts: Mapping[Key, float]) -> dict[Key, float]:
    """Return the counts that are not zero; every other one of a closed list stands at zero from the start."""
    return {key: count for key, count in counts.items() if count}


async def until(holds: Callable[[], object]) -> None:
    """Let the event loop run until something holds."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110  # what is waited for sets no event
            await anyio.sleep(0.005)


@asynccontextmanager
async def server(handle: Handler, admit: Admit | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve on loopback, and yield the URL."""
    async with serve(
        handle, "127.0.0.1", 0, process_request=admit, ssl=tls, compression=None, close_timeout=1
    ) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        yield f"{'wss' if tls else 'ws'}://127.0.0.1:{port}"


async def send_one(connection: ServerConnection) -> None:
    """Send one frame, and stay."""
    await connection.send(PING)
    await connection.wait_closed()
