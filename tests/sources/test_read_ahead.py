"""What is read ahead: long messages wait for room that all connections share, small ones do not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.lowlevel
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from steno.sources import read_ahead
from steno.sources.read_ahead import LARGE_BYTES, MESSAGES, MeasuredConnection, ReadAhead
from steno.sources.stream_session import StreamCounters, StreamSession
from steno.sources.websocket import Pings, read_websocket
from tests.sources.helpers import PING, Stage, until

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
LONG = b'{"type":"ping","padding":"%b"}' % (b"x" * (MIB - 100))
"""A frame of a type that is not known, of nearly 1 MiB, the longest that is accepted here."""
SELDOM = Pings(3600, 3600)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Desk:
    """A pipeline, the room that all connections to it share, and servers that say what a play wants."""

    def __init__(self, limit: int) -> None:
        self.stage = Stage()
        self.read_ahead = ReadAhead(limit, self.stage.pipeline)
        self.served: list[ServerConnection] = []
        self.connections: list[MeasuredConnection] = []
        self.sessions: list[StreamSession] = []
        self.most = 0
        """The most bytes that were ever granted at once."""
        grant = self.read_ahead._grant

        def granted(connection: MeasuredConnection) -> None:
            grant(connection)
            self.most = max(self.most, self.read_ahead.reserved)

        self.read_ahead._grant = granted  # type: ignore[method-assign]  # watched, not changed

    def has(self, connections: int) -> bool:
        """Whether so many connections are open at both ends."""
        return len(self.served) == len(self.connections) == connections

    async def read(self, url: str) -> None:
        """Read one connection to its end."""
        connection = await connect(
            url,
            max_size=MIB,
            ping_interval=None,
            compression=None,
            create_connection=self.read_ahead.connection,  # type: ignore[arg-type]  # any callable does
        )
        assert isinstance(connection, MeasuredConnection)
        self.connections.append(connection)
        session = self.stage.sessions.begin("relay", StreamCounters())
        self.sessions.append(session)
        await read_websocket(connection, session, SELDOM)
        connection.leave()


@asynccontextmanager
async def desk(connections: int, limit: int = 2 * MIB) -> AsyncIterator[Desk]:
    """Let so many connections be read, whose long messages share three quarters of `limit`."""
    play = Desk(limit)

    async def serve_one(connection: ServerConnection) -> None:
        play.served.append(connection)
        await connection.wait_closed()

    async with serve(serve_one, "127.0.0.1", 0, compression=None, close_timeout=1, ping_interval=None) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with anyio.create_task_group() as tasks:
            while len(play.connections) < connections:
                ready = len(play.connections) + 1
                tasks.start_soon(play.read, url)
                await until(partial(play.has, ready))
            yield play
            for connection in play.connections:
                connection.transport.abort()


def in_memory(play: Desk) -> int:
    """Bytes that all connections hold of what was received and not taken."""
    queued = sum(len(frame.data) for each in play.connections for frame in each.recv_messages.frames.queue)
    return queued + sum(len(each.protocol.reader.buffer) for each in play.connections)


async def say(play: Desk, number: int, *messages: bytes) -> None:
    for message in messages:
        await play.served[number].send(message, text=True)


async def test_long_messages_share_their_room_while_nothing_is_fed() -> None:
    """Of five connections one is read to the end of its message. When there is room again all of them are, in turn."""
    async with desk(5) as play, anyio.create_task_group() as tasks:
        play.stage.pipeline.hold()
        for number in range(5):
            tasks.start_soon(say, play, number, LONG, LONG, PING)
        await until(lambda: len(play.read_ahead._waiting) == 4)
        held = in_memory(play)
        play.stage.pipeline.release()
        await until(lambda: play.stage.fed == 15)
        await until(lambda: play.read_ahead.reserved == 0)

    assert held < 1 * MIB + 5 * (LARGE_BYTES + 256 * 1024)
    assert play.most == MIB
    assert play.read_ahead.connections == 0


async def test_message_that_waits_for_the_pipeline_keeps_its_room() -> None:
    """It was taken before reading stopped, and is fed only when it goes on: until then nobody else has its room."""
    async with desk(2) as play, anyio.create_task_group() as tasks:
        await say(play, 0, PING)
        await until(lambda: play.stage.fed == 1)  # the session waits for its next message
        play.stage.pipeline.hold()
        tasks.start_soon(say, play, 0, LONG)
        await until(lambda: play.sessions[0].waiting)
        tasks.start_soon(say, play, 1, LONG)
        await until(lambda: play.connections[1].waits)
        reserved, fed = play.read_ahead.reserved, play.stage.fed
        play.stage.pipeline.release()
        await until(lambda: play.stage.fed == 3)

    assert (reserved, fed, play.most) == (MIB, 1, MIB)


async def test_small_messages_pass_while_long_ones_wait() -> None:
    """Also those of a connection that has had its room."""
    async with desk(3) as play:
        play.served[0].transport.write(b"\x81\x7f" + (900_000).to_bytes(8, "big") + b"x" * 200_000)  # it begins
        await until(lambda: play.read_ahead.reserved == MIB)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(say, play, 1, LONG)
            await until(lambda: play.connections[1].waits)
            await say(play, 2, *[PING] * 50)
            await until(lambda: play.stage.fed == 50)
            waits = play.connections[1].waits
            play.served[0].transport.write(b"x" * 700_000)  # it ends: no JSON, which counts as well
            await until(lambda: play.stage.fed == 51)

    assert waits
    assert play.stage.pipeline.source("relay").frames_rejected == {"not_json": 1}


async def test_fragments_of_a_long_message_need_room_as_well() -> None:
    """None of them is long by itself."""
    piece = b"x" * 16_000

    async def fragments() -> AsyncIterator[bytes]:
        yield b'{"type":"ping","padding":"'
        for _ in range(40):
            yield piece
            await anyio.lowlevel.checkpoint()
        yield b'"}'

    async with desk(2) as play:
        await play.served[0].send(fragments())
        await until(lambda: play.stage.fed == 1)
        await until(lambda: play.read_ahead.reserved == 0)

    assert play.most == MIB


async def test_who_keeps_others_waiting_for_too_long_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds room for a message that it does not end. The next one gets it."""
    monkeypatch.setattr(read_ahead, "OVERDUE_SECONDS", 0.05)
    async with desk(2) as play, anyio.create_task_group() as tasks:
        play.served[0].transport.write(b"\x81\x7f" + (900_000).to_bytes(8, "big") + b"x" * 200_000)
        await until(lambda: play.read_ahead.reserved == MIB)
        tasks.start_soon(say, play, 1, LONG)
        await until(lambda: play.stage.fed == 1)

    assert [each.overdue for each in play.connections] == [True, False]


async def test_connection_that_ends_gives_its_room_back() -> None:
    """Whether it holds room or waits for it."""
    async with desk(3) as play, anyio.create_task_group() as tasks:
        for number in (0, 1):
            play.served[number].transport.write(b"\x81\x7f" + (900_000).to_bytes(8, "big") + b"x" * 200_000)
            await until(lambda: play.read_ahead.reserved == MIB)
        await until(lambda: play.connections[1].waits)
        tasks.start_soon(say, play, 2, LONG)
        await until(lambda: play.connections[2].waits)
        for number in (1, 0):
            play.served[number].transport.abort()
        await until(lambda: play.stage.fed == 1)

    assert play.most == MIB


async def test_more_connections_read_fewer_messages_ahead() -> None:
    """The first ones as many as the library does, and each at least one."""
    stage = Stage()
    shared = ReadAhead(64 * LARGE_BYTES * 4, stage.pipeline)
    ahead = []
    for connections in (0, 3, 7, 31, 500):
        shared.connections = connections
        ahead.append(shared.messages())

    assert ahead == [MESSAGES, 16, 8, 2, 1]
