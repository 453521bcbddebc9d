"""Whatever keeps a connection from being read, it is read on: room, turns, back-pressure and rates, all at once."""

import asyncio
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from steno.core.frame import Frame as Received
from steno.core.stream import Stream
from steno.sources import work
from steno.sources.read_ahead import SMALL_BYTES, Measured, ReadAhead
from steno.sources.stream_session import StreamCounters
from tests.sources.helpers import Stage
from tests.sources.test_straight import Transport

LONGEST = 3 * SMALL_BYTES
ROOM = 2 * LONGEST
"""Messages of two connections wait for each other."""
TURNS = 20_000
"""Of the event loop: a play takes some hundred."""


class Reader(Measured, Connection):
    """A connection as sources have it, past its handshake."""

    def __init__(self, read_ahead: ReadAhead) -> None:
        super().__init__(read_ahead, Protocol(Side.CLIENT, max_size=LONGEST), ping_interval=None)
        self._head = None


class Line:
    """A connection, what is sent to it, and what was fed of that."""

    def __init__(self, stage: Stage, read_ahead: ReadAhead, random: Random) -> None:
        self.random = random
        self.messages = [self._message() for _ in range(random.randint(1, 20))]
        self._wire = b"".join(self._frames())
        self.connection, self.transport = Reader(read_ahead), Transport()
        self.connection.connection_made(self.transport)
        self.session = stage.sessions.begin("relay", StreamCounters())
        self.reading = asyncio.ensure_future(self.session.feed_from(self.connection))

    def _message(self) -> bytes:
        length = self.random.choice([0, 1, 125, 126, 300, 300, SMALL_BYTES, SMALL_BYTES + 1, LONGEST])
        return self.random.randbytes(min(length, 8)) * (length // 8 or 1)

    def _frames(self) -> Iterator[bytes]:
        for message in self.messages:
            cut = self.random.choice([len(message), len(message) // 2])
            parts = (message[:cut], message[cut:]) if cut < len(message) else (message,)
            for number, part in enumerate(parts):
                opcode, last = Opcode.CONT if number else Opcode.BINARY, number == len(parts) - 1
                yield Frame(opcode, part, fin=last).serialize(mask=False)
                yield Frame(Opcode.PING, b"").serialize(mask=False) * self.random.choice([0, 0, 3])

    @property
    def is_sent(self) -> bool:
        return not self._wire

    def say(self) -> None:
        """Let a part come, where it is read."""
        if self._wire and not self.transport.paused:
            size = self.random.choice([1, 7, 300, SMALL_BYTES, SMALL_BYTES])
            part, self._wire = self._wire[:size], self._wire[size:]
            self.connection.data_received(part)
        if self.random.random() < 0.01:
            self.connection.slow_down(0)

    async def end(self) -> None:
        self.connection.eof_received()
        self.connection.connection_lost(None)
        with pytest.raises(ConnectionClosed):
            await self.reading
        self.connection.leave()


async def play(random: Random) -> None:
    """Let some connections be read while the pipeline closes and opens."""
    stage = Stage()
    fed: dict[str, list[bytes]] = {}

    def feed(stream: Stream, frame: Received, *_: object) -> None:
        fed.setdefault(stream.name, []).append(frame.payload)

    stage.pipeline.feed = feed  # type: ignore[method-assign]  # what a message is does not matter
    read_ahead = ReadAhead(ROOM, stage.pipeline, stage.sessions.work)
    lines = [Line(stage, read_ahead, random) for _ in range(random.randint(1, 4))]
    for _ in range(TURNS):
        if all(line.is_sent for line in lines):
            stage.pipeline.release()
        elif random.random() < 0.1:
            stage.pipeline.hold() if stage.pipeline.open else stage.pipeline.release()
        for line in lines:
            line.say()
        await asyncio.sleep(0)
        if all(len(fed.get(line.session.stream.name, ())) == len(line.messages) for line in lines):
            break
    else:
        pytest.fail("not all is read")
    for line in lines:
        await line.end()

    assert [fed[line.session.stream.name] for line in lines] == [line.messages for line in lines]
    assert (read_ahead.reserved, read_ahead.connections) == (0, 0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([work.FRAMES, 5, 1]))
def test_all_that_is_sent_is_fed_whatever_it_waits_for(seed: int, turn: int) -> None:
    """In order, and with no room left over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "FRAMES", turn)
        patch.setattr(work, "SHARE", min(turn, work.SHARE))
        asyncio.run(play(Random(seed)))
