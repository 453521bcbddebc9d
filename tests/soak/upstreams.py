"""The other ends of all sources: real servers on loopback, honest and hostile paths side by side."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import anyio
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.utils import accept_key

from tests.soak.honest import Source
from tests.soak.hostile import ENDS, HANDSHAKES, PLAYS, Play

PAUSE_SECONDS: Final = {"digits": 0.4, "names": 0.004}
"""The pause between two frames of a play, where it is not the usual one."""
USUAL_PAUSE_SECONDS: Final = 0.01
BYTES_PER_SECOND: Final = 2 * 1024 * 1024
"""How much a hostile source sends: together they keep the daemon busy for a good part of its time."""
CLOSE_SECONDS: Final = 120.0
"""An honest server waits for the close of a client that does not read for a while, as on a full disk."""
CODES: Final = (1000, 1001, 1008, 1011, 1012, 1013, 3000, 4000, 4999)

STORMS: Final = tuple(f"storm-{number}" for number in range(1, 11))
"""The sources whose connections end as soon as they begin."""
HANDSHAKE: Final = "handshake"
"""The source that is answered anything but an upgrade."""
BYTES: Final = "bytes"
"""The source that is sent bytes that are no frames."""
HOSTILE: Final = (*PLAYS, *STORMS, HANDSHAKE, BYTES)


class Traffic:
    """What hostile sources have sent."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        """Source to frames; for the last two: connections."""
        self.bytes = 0
        self.over = anyio.Event()
        """Set when nothing hostile is sent any more."""

    async def pause(self, seconds: float) -> None:
        """Wait; a little less long where nothing hostile is sent any more."""
        with anyio.move_on_after(seconds):
            await self.over.wait()


class Servers:
    """All that answers the daemon."""

    def __init__(self, honest: Sequence[Source], seed: int, scale: float) -> None:
        self.honest = {source.name: source for source in honest}
        self.traffic = Traffic()
        self._scale = scale
        self._seed = seed
        self._chance = {name: Random(f"{seed}/{name}") for name in HOSTILE}

    async def speak(self, connection: ServerConnection) -> None:
        """Play what the path names."""
        assert connection.request
        name = connection.request.path.removeprefix("/")
        if source := self.honest.get(name):
            await source.speak(connection)
            return
        with contextlib.suppress(ConnectionClosed):
            if name in STORMS:
                await self._storm(connection, name)
            else:
                await self._play(connection, name, PLAYS[name])

    async def _play(self, connection: ServerConnection, name: str, play: Play) -> None:
        """Send a play, and break off now and then in the middle of it."""
        rng = self._chance[name]
        pause = PAUSE_SECONDS.get(name, USUAL_PAUSE_SECONDS)
        for frame in play(rng, self._scale):
            if self.traffic.over.is_set() or rng.random() < 0.0005:
                break
            await connection.send(frame, text=rng.random() < 0.5 if isinstance(frame, bytes) else None)
            self.traffic.frames[name] += 1
            self.traffic.bytes += len(frame)
            await self.traffic.pause(pause + len(frame) / BYTES_PER_SECOND)
        await self._end(connection, rng)

    async def _storm(self, connection: ServerConnection, name: str) -> None:
        rng = self._chance[name]
        for _ in range(rng.randrange(3)):
            await connection.send('{"type":"session.created","session":{"id":"sess_storm"}}')
            self.traffic.frames[name] += 1
        await self._end(connection, rng)

    async def _end(self, connection: ServerConnection, rng: Random) -> None:
        if self.traffic.over.is_set():
            await connection.wait_closed()
        elif rng.random() < 0.5:
            connection.transport.abort()
        else:
            await connection.close(rng.choice(CODES), "x" * rng.randrange(120))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a handshake by hand."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            upgraded = head.startswith(f"GET /{BYTES} ".encode())
            name = BYTES if upgraded else HANDSHAKE
            self.traffic.frames[name] += 1
            rng = self._chance[name]
            writer.write(_upgrade(head) + rng.choice(ENDS) if upgraded else rng.choice(HANDSHAKES))
            await writer.drain()
            with anyio.move_on_after(0.2):  # a client that waits for more is hung up on
                await reader.read()
        writer.close()


def _upgrade(head: bytes) -> bytes:
    key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
    accept = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_key(key)}"
    return f"HTTP/1.1 101 Switching Protocols\r\n{accept}\r\n\r\n".encode()


@asynccontextmanager
async def serving(servers: Servers) -> AsyncIterator[Mapping[str, str]]:
    """Serve on loopback; yield the URL of each source, honest and hostile, by name."""
    by_hand = await asyncio.start_server(servers.answer, "127.0.0.1", 0, limit=1 << 16)
    async with (
        by_hand,
        serve(
            servers.speak,
            "127.0.0.1",
            0,
            compression=None,
            ping_interval=None,
            close_timeout=CLOSE_SECONDS,
        ) as server,
    ):
        port, other = (each.getsockname()[1] for each in (next(iter(server.sockets)), by_hand.sockets[0]))
        ports = {HANDSHAKE: other, BYTES: other}
        yield {name: f"ws://127.0.0.1:{ports.get(name, port)}/{name}" for name in (*servers.honest, *HOSTILE)}
