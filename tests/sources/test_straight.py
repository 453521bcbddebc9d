"""Messages that go straight to who takes them: the same ones, in the same order, as the library has them."""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from itertools import chain, cycle, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from steno.sources.small_frames import LONGEST_BYTES, small_messages
from steno.sources.straight import Straight

LONGEST = 70_000
"""The longest message that is accepted."""
HEAD = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)

lengths = st.one_of(st.integers(0, 130), st.sampled_from([65_535, LONGEST_BYTES, LONGEST_BYTES + 1, LONGEST + 1]))
data_frames = st.builds(
    lambda opcode, length, fin: Frame(opcode, b"%d" % length + bytes(length) if length > 9 else b"x" * length, fin),
    st.sampled_from(DATA),
    lengths,
    st.booleans(),
)
texts = st.builds(Frame, st.just(Opcode.TEXT), st.binary(max_size=200))
controls = st.builds(Frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))
closes = st.sampled_from([Frame(Opcode.CLOSE, b"\x03\xe8"), Frame(Opcode.CLOSE, b""), Frame(Opcode.CLOSE, b"\x00")])
wrong = st.sampled_from(
    [b"\xc1\x01x", b"\x83\x00", b"\x81\x81abcdx", b"\x81\x01x", b"\x89\x7e\x00\xff", b"\x81\x7f" + b"\xff" * 8]
)
said = st.lists(st.one_of(texts, texts, texts, texts, data_frames, controls, controls, closes, wrong), max_size=8)


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.paused = False

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.written += b"(end)"

    def is_closing(self) -> bool:
        return False


class Straightened(Straight):
    """A connection that is past the head of its handshake once that has come."""

    def __init__(self, side: Side) -> None:
        super().__init__(Protocol(side, max_size=LONGEST), ping_interval=None)
        self._head, self._left = None, 0


class Taker:
    """What reads a connection: it takes so many messages at a time as `willing` says, and is busy in between."""

    def __init__(self, connection: Connection, willing: Iterator[int]) -> None:
        self.messages: list[bytes] = []
        self.straight = 0
        self.end: tuple[object, ...] = ()
        self._willing = willing
        self._connection = connection
        if isinstance(connection, Straight):
            connection.take = self.take

    def take(self, messages: Sequence[bytes]) -> int:
        taken = messages[: next(self._willing)]
        self.messages += taken
        self.straight += len(taken)
        return len(taken)

    async def run(self) -> None:
        try:
            while True:
                self.messages.append(await self._connection.recv(decode=False))
                for _ in range(next(self._willing) % 3):
                    await asyncio.sleep(0)
        except ConnectionClosed as closed:
            self.end = (type(closed), closed.rcvd, closed.sent, closed.rcvd_then_sent)


async def read(connection: Connection, parts: Sequence[bytes], willing: Sequence[int]) -> tuple[Taker, bytes]:
    """Let `parts` come, and return what was read, and what was written."""
    transport = Transport()
    connection.connection_made(transport)
    turns = cycle(willing)
    taker = Taker(connection, cycle(willing))
    reading = asyncio.ensure_future(taker.run())
    for part in parts:
        for _ in range(next(turns)):
            await asyncio.sleep(0)
        while transport.paused:  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0)
        connection.data_received(part)
    connection.eof_received()
    connection.connection_lost(None)
    await reading
    return taker, bytes(transport.written)


def on_wire(frame: Frame | bytes, side: Side) -> bytes:
    return frame if isinstance(frame, bytes) else frame.serialize(mask=side is Side.SERVER)


@given(said, st.sampled_from(Side), st.lists(st.integers(0, 2000)), st.lists(st.integers(0, 5), min_size=1))
def test_any_frames_in_any_parts_are_what_the_library_has(
    sent: list[Frame | bytes], side: Side, cuts: list[int], willing: list[int]
) -> None:
    """Whatever comes, in whatever parts, and however busy the reader is: messages, answers and end are the same."""

    async def both() -> list[tuple[Taker, bytes]]:
        plain = Connection(Protocol(side, max_size=LONGEST), ping_interval=None)
        return [await read(each, parts, willing) for each in (plain, Straightened(side))]

    wire = b"".join(on_wire(frame, side) for frame in sent)
    edges = sorted({0, len(wire), *(min(cut, len(wire)) for cut in cuts)})
    parts = [wire[start:end] for start, end in pairwise(edges)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_bytes", bytes)  # masks of what is written
        (library, answered), (straight, answers) = asyncio.run(both())

    assert straight.messages == library.messages
    assert (straight.end, answers) == (library.end, answered)


def test_what_waits_in_recv_has_small_messages_at_once() -> None:
    """Also one that came in two parts. A long one and fragments do not, and what comes behind while they wait."""
    small, long = (Frame(Opcode.TEXT, b"x" * length).serialize(mask=False) for length in (200, LONGEST_BYTES + 1))
    fragments = Frame(Opcode.TEXT, b"x", fin=False).serialize(mask=False) + b"\x80\x01x"

    async def straight(*parts: bytes) -> int:
        return (await read(Straightened(Side.CLIENT), parts, [5]))[0].straight

    async def counts() -> list[int]:
        return [
            await straight(small * 3),
            await straight(small + small[:100], small[100:] + small[:1], small[1:]),
            await straight(small + long + small),
            await straight(fragments + small),
            await straight(long, small),
        ]

    assert asyncio.run(counts()) == [3, 3, 1, 0, 1]


def test_frames_behind_a_handshake_go_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the head is cut: the library gets the head, and who waits gets the messages."""
    message = Frame(Opcode.TEXT, b"hello").serialize(mask=False)
    wire = HEAD + message * 3
    heads: list[bytes] = []
    monkeypatch.setattr(Connection, "data_received", lambda _, data: heads.append(data))

    async def shaken(cut: int) -> tuple[bytes, int]:
        heads.clear()
        connection = Straight(Protocol(Side.CLIENT), ping_interval=None)
        connection.connection_made(Transport())
        taker = Taker(connection, cycle([3]))
        connection.recv_messages.get_in_progress = True
        for part in (wire[:cut], wire[cut:]):
            connection.data_received(part)
        return b"".join(heads), taker.straight

    found = {asyncio.run(shaken(cut)) for cut in chain(range(len(HEAD) + 1), [len(HEAD) + len(message)])}
    assert found == {(HEAD, 3)}


def test_messages_over_the_limit_are_the_librarys() -> None:
    """It says why the connection ends."""
    found: list[bytes] = []
    assert small_messages(b"\x81\x03abc\x81\x04abcd", 0, 3, found, masked=False) == 5
    assert found == [b"abc"]
