"""What is read ahead: long messages wait for room that all connections share, small ones do not."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.lowlevel
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from steno.sources import read_ahead
from steno.sources.read_ahead import MEDIUM_BYTES, MESSAGES, SMALL_BYTES, Measured, MeasuredConnection, ReadAhead, Room
from steno.sources.stream_session import StreamCounters, StreamSession
from steno.sources.websocket import Pings, _heard, read_websocket
from tests.sources.helpers import PING, Stage, until

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
LONGEST = 4 * MIB
"""The longest message that is accepted here."""
LONG = b'{"type":"ping","padding":"%b"}' % (b"x" * (2 * MIB))
MEDIUM = b'{"type":"ping","padding":"%b"}' % (b"x" * 500_000)
"""Frames of a type that is not known."""
BEGUN = b"\x81\x7f" + (3_900_000).to_bytes(8, "big") + b"x" * 2_000_000
"""About half of a long frame."""
REST = b"x" * 1_900_000
LIMIT = 8 * MIB
"""Room for one long message, and for two medium ones."""
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
        for room in (self.read_ahead.medium, self.read_ahead.long):
            self._watch(room)

    def _watch(self, room: Room) -> None:
        grant = room._grant

        def granted(connection: Measured) -> None:
            grant(connection)
            self.most = max(self.most, self.read_ahead.reserved)

        room._grant = granted  # type: ignore[method-assign]  # watched, not changed

    @property
    def waiting(self) -> int:
        """How many connections wait for room."""
        return len(self.read_ahead.medium.waiting) + len(self.read_ahead.long.waiting)

    def has(self, connections: int) -> bool:
        """Whether so many connections are open at both ends."""
        return len(self.served) == len(self.connections) == connections

    async def read(self, url: str) -> None:
        """Read one connection to its end."""
        connection = await connect(
            url,
            max_size=LONGEST,
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
async def desk(connections: int) -> AsyncIterator[Desk]:
    """Let so many connections be read, which share `LIMIT`."""
    play = Desk(LIMIT)

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
    """One of five is read to the end of its message, one in part. When they go on, all of them are, in turn."""
    async with desk(5) as play, anyio.create_task_group() as tasks:
        play.stage.pipeline.hold()
        for number in range(5):
            tasks.start_soon(say, play, number, LONG, LONG, PING)
        await until(lambda: play.waiting == 4)
        held = in_memory(play)
        play.stage.pipeline.release()
        await until(lambda: play.stage.fed == 15)
        await until(lambda: play.read_ahead.reserved == 0)

    assert held < len(LONG) + MEDIUM_BYTES + 5 * (SMALL_BYTES + 256 * 1024)
    assert play.most == LONGEST + 2 * MEDIUM_BYTES
    assert play.read_ahead.connections == 0


async def test_no_connection_holds_the_long_message_that_it_had_last() -> None:
    """The library's parser has a frame until the next one is there, which may be never."""
    async with desk(3) as play:
        for number in range(3):
            await say(play, number, LONG)
        await until(lambda: play.stage.fed == 3)
        held = [len(each.data) for each in gc.get_objects() if type(each) is Frame and bytes(each.data) == LONG]

    assert held == []


async def test_no_connection_holds_a_long_message_behind_which_small_ones_come() -> None:
    """They are not parsed by the library, so that its parser goes on to have what it parsed last."""
    async with desk(1) as play:
        play.served[0].transport.write(Frame(Opcode.TEXT, LONG).serialize(mask=False) + b"\x81\x02{}" * 3)
        await until(lambda: play.stage.pipeline.source("relay").frames_rejected)
        held = [len(each.data) for each in gc.get_objects() if type(each) is Frame and bytes(each.data) == LONG]

    assert held == []


async def test_message_that_waits_for_the_pipeline_keeps_its_room() -> None:
    """It was taken before reading stopped, and is fed only when it goes on: until then nobody else has its room."""
    async with desk(2) as play, anyio.create_task_group() as tasks:
        await say(play, 0, PING)
        await until(lambda: play.stage.fed == 1)  # the session waits for its next message
        play.stage.pipeline.hold()
        tasks.start_soon(say, play, 0, LONG)
        await until(lambda: play.sessions[0].waiting)
        tasks.start_soon(say, play, 1, LONG)
        await until(lambda: play.connections[1].waits is not None)
        reserved, fed = play.read_ahead.reserved, play.stage.fed
        play.stage.pipeline.release()
        await until(lambda: play.stage.fed == 3)

    assert (reserved, fed, play.most) == (LONGEST + 2 * MEDIUM_BYTES, 1, LONGEST + 2 * MEDIUM_BYTES)


async def test_shorter_messages_pass_while_long_ones_wait() -> None:
    """Small ones need no room, medium ones have their own."""
    async with desk(4) as play:
        play.served[0].transport.write(BEGUN)
        await until(lambda: play.read_ahead.long.reserved == LONGEST)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(say, play, 1, LONG)
            await until(lambda: play.connections[1].waits is not None)
            await until(lambda: play.read_ahead.medium.reserved == 2 * MEDIUM_BYTES)
            await say(play, 2, *[PING] * 50)
            await until(lambda: play.stage.fed == 50)
            tasks.start_soon(say, play, 3, MEDIUM)
            await until(lambda: play.connections[3].waits is play.read_ahead.medium)
            play.served[0].transport.write(REST)  # it ends: no JSON, which counts as well
            await until(lambda: play.stage.fed == 52)

    assert play.stage.pipeline.source("relay").frames_rejected == {"not_json": 1}


async def test_medium_messages_pass_beside_a_long_one() -> None:
    """They do not wait for one that takes its time."""
    async with desk(2) as play:
        play.served[0].transport.write(BEGUN)
        await until(lambda: play.read_ahead.long.reserved == LONGEST)
        await say(play, 1, MEDIUM, MEDIUM, MEDIUM)
        await until(lambda: play.stage.fed == 3)

    assert play.waiting == 0


async def test_fragments_of_a_long_message_need_room_as_well() -> None:
    """None of them is long by itself."""
    piece = b"x" * 16_000

    async def fragments() -> AsyncIterator[bytes]:
        yield b'{"type":"ping","padding":"'
        for _ in range(130):
            yield piece
            await anyio.lowlevel.checkpoint()
        yield b'"}'

    async with desk(2) as play:
        await play.served[0].send(fragments())
        await until(lambda: play.stage.fed == 1)
        await until(lambda: play.read_ahead.reserved == 0)

    assert play.most == LONGEST + MEDIUM_BYTES


async def test_who_keeps_others_waiting_for_too_long_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has room for a message that it does not end. The next one gets it."""
    monkeypatch.setattr(read_ahead, "OVERDUE_SECONDS", 0.05)
    monkeypatch.setattr(read_ahead, "LEAST_RATE", 100 * MIB)
    async with desk(2) as play, anyio.create_task_group() as tasks:
        play.served[0].transport.write(BEGUN)
        await until(lambda: play.read_ahead.long.reserved == LONGEST)
        tasks.start_soon(say, play, 1, LONG)
        await until(lambda: play.stage.fed == 1)

    assert [each.overdue for each in play.connections] == [True, False]


async def test_parts_of_a_long_message_are_a_sign_of_life() -> None:
    """A peer is not given up for its silence while one message of it takes its time: no pong can come between."""
    async with desk(1) as play:
        connection, session = play.connections[0], play.sessions[0]
        before = _heard(connection, session)
        play.served[0].transport.write(BEGUN)
        await until(lambda: connection.begun_bytes > MIB)
        between = _heard(connection, session)
        play.served[0].transport.write(REST)
        await until(lambda: session.stream.frames == 1)

    assert before == (0, 0)
    assert between > before
    assert _heard(connection, session) > between


async def test_connection_that_ends_gives_its_room_back() -> None:
    """Whether it has room or waits for it."""
    async with desk(3) as play, anyio.create_task_group() as tasks:
        play.served[0].transport.write(BEGUN)
        await until(lambda: play.read_ahead.long.reserved == LONGEST)
        play.served[1].transport.write(BEGUN)
        await until(lambda: play.connections[1].waits is play.read_ahead.long)
        tasks.start_soon(say, play, 2, LONG)
        await until(lambda: play.connections[2].waits is play.read_ahead.medium)
        for number in (1, 0):
            play.served[number].transport.abort()
        await until(lambda: play.stage.fed == 1)
        await until(lambda: play.read_ahead.reserved == 0)

    assert play.waiting == 0


async def test_more_connections_read_fewer_messages_ahead() -> None:
    """The first ones as many as the library does, and each at least one."""
    stage = Stage()
    shared = ReadAhead(64 * SMALL_BYTES * 4, stage.pipeline)
    ahead = []
    for connections in (0, 3, 7, 31, 500):
        shared.connections = connections
        ahead.append(shared.messages())

    assert ahead == [MESSAGES, 16, 8, 2, 1]
