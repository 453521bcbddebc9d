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

from steno.sources import work
from steno.sources.small_frames import LONGEST_BYTES, small_messages
from steno.sources.straight import LAST_FRAMES, Straight
from steno.sources.work import Work

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
        self.aborted = 0

    def abort(self) -> None:
        self.aborted += 1

    def is_closing(self) -> bool:
        return self.aborted > 0

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


class Straightened(Straight):
    """A connection that is past the head of its handshake once that has come."""

    def __init__(self, side: Side, shared: Work | None = None) -> None:
        super().__init__(shared or Work(), Protocol(side, max_size=LONGEST), ping_interval=None)
        self._head = None


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
        assert isinstance(self._connection, Straight)
        taken = messages[: self._connection._work.grant(min(next(self._willing), len(messages)))]
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


@given(
    said,
    st.sampled_from(Side),
    st.lists(st.integers(0, 2000)),
    st.lists(st.integers(0, 5), min_size=1),
    st.sampled_from([work.FRAMES, 3, 1]),
)
def test_any_frames_in_any_parts_are_what_the_library_has(
    sent: list[Frame | bytes], side: Side, cuts: list[int], willing: list[int], turn: int
) -> None:
    """Whatever comes, in whatever parts, however busy the reader is, and however much a turn allows.

    Messages, answers and end are the same.
    """

    async def both() -> list[tuple[Taker, bytes]]:
        plain = Connection(Protocol(side, max_size=LONGEST), ping_interval=None)
        return [await read(each, parts, willing) for each in (plain, Straightened(side))]

    wire = b"".join(on_wire(frame, side) for frame in sent)
    edges = sorted({0, len(wire), *(min(cut, len(wire)) for cut in cuts)})
    parts = [wire[start:end] for start, end in pairwise(edges)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_bytes", bytes)  # masks of what is written
        patch.setattr(work, "FRAMES", turn)
        patch.setattr(work, "SHARE", min(turn, work.SHARE))
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
        connection = Straight(Work(), Protocol(Side.CLIENT), ping_interval=None)
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
    assert small_messages(b"\x81\x03abc\x81\x04abcd", 0, 3, 9, found, masked=False) == 5
    assert found == [b"abc"]


# Much at once ---------------------------------------------------------------------------------------------------------

MANY = 2000
TINY = {"pings": b"\x89\x00", "messages": b"\x81\x01x", "fragments": b"\x01\x00\x80\x00"}
"""Frames of a server, or pairs of them."""


class Frames:
    """Counts the frames that connections handle, in each turn of the event loop."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.total = 0
        self.turns: list[int] = []
        honest = Straight._take_frames

        def counted(connection: Straight, data: bytes, pos: int, most: int) -> tuple[int, int]:
            pos, frames = honest(connection, data, pos, most)
            self.total += frames
            return pos, frames

        patch.setattr(Straight, "_take_frames", counted)

    async def watch(self) -> None:
        """Watch turns until the task is cancelled."""
        before = 0
        while True:
            self.turns.append(self.total - before)
            before = self.total
            await asyncio.sleep(0)


@pytest.mark.parametrize("kind", TINY)
def test_reads_full_of_tiny_frames_are_handled_in_turns(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all connections together, whatever the frames are; nothing is read meanwhile, and nothing is lost."""

    async def come() -> tuple[Frames, list[Taker]]:
        frames, shared = Frames(monkeypatch), Work()
        connections = [Straightened(Side.CLIENT, shared) for _ in range(5)]
        watching = asyncio.ensure_future(frames.watch())
        for connection in connections:
            connection.connection_made(Transport())
        takers = [Taker(connection, cycle([MANY])) for connection in connections]
        readings = [asyncio.ensure_future(taker.run()) for taker in takers]
        await asyncio.sleep(0)
        for connection in connections:
            connection.data_received(TINY[kind] * MANY)
        while any(connection._held for connection in connections):
            assert all(each.transport.paused == each._held for each in connections)  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        for connection in connections:
            connection.connection_lost(None)
        await asyncio.gather(*readings)
        watching.cancel()
        return frames, takers

    frames, takers = asyncio.run(come())

    assert max(frames.turns) <= 2 * work.FRAMES
    assert frames.total == 5 * MANY * (2 if kind == "fragments" else 1)
    assert [len(taker.messages) for taker in takers] == [0 if kind == "pings" else MANY] * 5


def test_what_nobody_takes_is_kept_as_it_came() -> None:
    """64 KiB of messages of a byte would be 3 MB of frames in the queue. All of them are there for who comes late."""

    async def come() -> tuple[int, list[bytes]]:
        connection = Straightened(Side.CLIENT)
        connection.connection_made(Transport())
        connection.data_received(TINY["messages"] * MANY)
        for _ in range(100):
            await asyncio.sleep(0)
        queued = len(connection.recv_messages.frames)
        return queued, [await connection.recv(decode=False) for _ in range(MANY)]

    queued, messages = asyncio.run(come())

    assert queued <= work.FRAMES
    assert messages == [b"x"] * MANY


def test_what_was_kept_can_be_taken_after_the_connection_is_lost() -> None:
    """Up to so many frames: who is lost does not wait for a turn, and what it sent must not hold up the others."""

    async def come() -> list[bytes]:
        connection = Straightened(Side.CLIENT)
        connection.connection_made(Transport())
        connection.data_received(TINY["messages"] * 2 * LAST_FRAMES)
        connection.connection_lost(None)
        taker = Taker(connection, cycle([0]))
        await taker.run()
        return taker.messages

    found = len(asyncio.run(come()))
    assert LAST_FRAMES <= found <= LAST_FRAMES + work.FRAMES


def test_nothing_is_written_to_what_is_broken_off() -> None:
    """For each pong a line would be logged."""

    async def come() -> bytes:
        connection = Straightened(Side.CLIENT)
        transport = Transport()
        connection.connection_made(transport)
        transport.abort()
        connection.data_received(TINY["pings"] * 9)
        return bytes(transport.written)

    assert asyncio.run(come()) == b""


def test_a_mistake_in_a_later_turn_breaks_the_connection_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one at once does, by asyncio: nobody would read it any more. The others have their turns."""
    raised: list[object] = []

    async def come() -> tuple[int, int]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context["exception"]))
        shared = Work()
        broken, other = (Straightened(Side.CLIENT, shared) for _ in range(2))
        for connection in (broken, other):
            connection.connection_made(Transport())
            connection.data_received(TINY["pings"] * MANY)
        broken.data_received = lambda _: 1 // 0  # type: ignore[assignment, method-assign]
        while other._held:  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0)
        return broken.transport.aborted, other.transport.aborted  # type: ignore[attr-defined]

    assert asyncio.run(come()) == (1, 0)
    assert [type(error) for error in raised] == [ZeroDivisionError]
