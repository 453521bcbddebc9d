"""A connection of the library whose messages go straight to who takes them: no queue, no task that wakes up for each.

Theory of operation
-------------------

The library parses each frame, puts it into a queue, and wakes the task that waits in `recv`. For a small message that
costs more than all that is done with it. So where that task waits and the queue is empty, a message is handed over as
soon as it was read. Otherwise it goes by the queue, as the library has it: while another one is in hand, while there is
no room, and where it is long or came in fragments. No message overtakes another.

Small messages that one read brought whole are not even parsed by the library (`small_frames`). It is given what is in
between, up to where a frame ends, also where that has not come yet. So it never stands within what is cut out.
Handshake, fragments, pings, close frames and all that is against the protocol are the library's alone; once a
connection is closing all the rest is.

A read of 64 KiB may hold 32,000 frames: pings, fragments, messages of a byte. So much is handled in a turn of the event
loop as `work` grants, whatever the frames are. The rest is kept as it came, its connection is not read meanwhile, and
goes on in its turn. It is kept, too, while the queue is full or the connection waits for room: as bytes it takes 64
KiB at most, as messages fifty times as much. So `pause_reading` and `resume_reading` are those of the connection here,
and not those of its transport.

Of the library this overrides `data_received`, `process_event`, `connection_made`, `connection_lost`, `eof_received`
and `send_data`, and reads what is not in its documentation: `recv_messages` (whether `get` is in progress, its queue,
`put`, `pause`, `resume`), `protocol.current_size` and `protocol.writes`. The tests hold it against the library's own
connection, so that another version of it is noticed.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from websockets.asyncio.connection import Connection
from websockets.frames import BINARY, TEXT, Frame
from websockets.protocol import CLOSED, CONNECTING, OPEN, SEND_EOF, SERVER, Event

from steno.sources.small_frames import LONGEST_BYTES, others_end, small_messages
from steno.sources.work import Work

Take = Callable[[Sequence[bytes]], int]
"""Takes messages, and returns how many it took. The others come by `recv`, before what comes later."""

_HEAD_END: Final = b"\r\n\r\n"
"""What ends a request, and an answer that opens a websocket."""

LAST_FRAMES: Final = 1024
"""Frames that are handled of a connection that was lost, since it does not wait for its turn: a read of 64 bytes each.
What is behind them is lost as what was not read."""


class Straight(Connection):
    """Hands small messages to `take` as they come, while it waits in `recv` for the next one."""

    __slots__ = (
        "_asked",
        "_head",
        "_held",
        "_kept",
        "_left",
        "_masked",
        "_paused",
        "_small",
        "_work",
        "recv_messages",
        "take",
        "transport",
    )
    # The library has 26 members, whose names the instances share. Python shares 30 names, fewer for each instance that
    # is made before they are known, and else gives each a dictionary of 1.5 KiB. The library sets the last two late.

    def __init__(self, work: Work, *args: Any, **kwargs: Any) -> None:
        """Begin as the library says. What is handled in a turn of the event loop is bounded by `work`."""
        super().__init__(*args, **kwargs)
        self.take: Take | None = None
        """Who takes messages; None where all of them go by `recv`."""
        self._work = work
        self._masked = self.protocol.side is SERVER
        self._small = min(LONGEST_BYTES, self.protocol.max_message_size or LONGEST_BYTES)
        self._head: bytes | None = b""
        """What the head of the handshake ended with so far; None once it is over."""
        self._left = 0
        """How much is to come of the frame that the library is within."""
        self._kept = b""
        """What came and is not handled yet: part of the head of a frame, or what waits."""
        self._held = False
        """Whether what is kept waits for its turn, or for reading to go on. Nothing is read meanwhile."""
        self._asked = False
        """Whether a turn was asked for."""
        self._paused = False
        """Whether reading is paused by who takes messages."""
        self.drain_waiters = []  # type: ignore[assignment]  # hardly ever used; an empty deque takes 760 bytes

    def is_awaited(self) -> bool:
        """Return whether who takes messages waits in `recv`, and has all that came before."""
        messages = self.recv_messages
        return messages.get_in_progress and not messages.frames.queue

    # When it is read --------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Read nothing, and handle nothing of what was read."""
        self._paused = True
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on with what was read and not handled, then read on."""
        self._paused = False
        if self._held:
            self._ask()
        else:
            self.transport.resume_reading()

    def _put_off(self, data: bytes) -> None:
        """Keep `data` until its turn."""
        self._kept, self._held = data, True
        self.transport.pause_reading()
        if not self._paused:
            self._ask()

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self._work.later(self._go_on)

    def _go_on(self) -> None:
        """Handle what was kept: it is its turn."""
        self._asked = False
        if self._paused or not self._held:
            return
        self._held = False
        try:
            self.data_received(b"")
        except Exception:
            self.transport.abort()  # as asyncio does where `data_received` raises
            raise
        if not self._held and not self._paused:
            self.transport.resume_reading()

    # What the library, and asyncio, call ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        super().connection_made(transport)
        self.recv_messages.pause, self.recv_messages.resume = self.pause_reading, self.resume_reading

    def data_received(self, data: bytes) -> None:
        """Handle what one read brought, behind what was kept, as far as this turn allows."""
        if self._kept:
            data, self._kept = self._kept + data, b""
        if self._head is not None:
            data = self._shake_hands(data, self._head)
        pos, end = self._left, len(data)
        if pos:
            self._parse(data[:pos], pos)
        while pos < end:
            room = 0 if self._paused else self._work.room()
            if not room:
                self._put_off(data[pos:])
                return
            pos, _ = self._take_frames(data, pos, room)

    def send_data(self) -> None:
        """Send what the library has to say, all at once; nothing to what is broken off: asyncio logs each attempt."""
        protocol = self.protocol
        if self.transport.is_closing():
            protocol.writes.clear()
        elif len(protocol.writes) > 1:
            end = [SEND_EOF] if protocol.writes[-1] == SEND_EOF else []
            protocol.writes = [b"".join(protocol.writes), *end]
        super().send_data()

    def eof_received(self) -> None:
        """Handle what was kept: nothing else comes."""
        self._take_last()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle what was kept, so that it can still be taken."""
        self._take_last()
        super().connection_lost(exc)

    def _take_last(self) -> None:
        if not self._held:
            return
        data, self._kept, self._held = self._kept, b"", False
        pos, left = 0, LAST_FRAMES
        while pos < len(data) and left > 0:
            pos, frames = self._take_frames(data, pos, left)
            left -= frames

    # What came --------------------------------------------------------------------------------------------

    def _shake_hands(self, data: bytes, before: bytes) -> bytes:
        """Let the library parse what came of the head of the handshake, and return what is behind it."""
        head = before + data
        end = head.find(_HEAD_END)
        if end < 0:
            self._head = head[-len(_HEAD_END) + 1 :]
            super().data_received(data)
            return b""
        stop = end + len(_HEAD_END) - len(before)
        self._head = None
        super().data_received(data[:stop])
        return data[stop:]

    def _take_frames(self, data: bytes, pos: int, most: int) -> tuple[int, int]:
        """Hand over the small messages that begin at `pos`, or let the library parse what is none.

        Returns:
            Where what comes next begins, and how many frames were handled: `most` at most.
        """
        state = self.protocol.state
        between = state is OPEN and self.protocol.current_size is None
        if between:
            messages: list[bytes] = []
            pos = small_messages(data, pos, self._small, most, messages, masked=self._masked)
            if messages:
                self._hand_over(messages)
                return pos, len(messages)
        elif state is CLOSED or (state is CONNECTING and not self._masked):  # the body of an answer
            super().data_received(data[pos:])
            return len(data), 1
        stop, frames = others_end(data, pos, most, unfinished=not between)
        if stop is None:
            self._kept = data[pos:]
            return len(data), 0
        self._work.fed(frames)
        self._parse(data[pos:stop], stop - pos)
        return stop, frames

    def _parse(self, data: bytes, size: int) -> None:
        """Let the library parse what came of so many bytes, at whose end a frame ends."""
        self._left = size - len(data)
        super().data_received(data)

    def process_event(self, event: Event) -> None:
        """Hand over a small message that the library has parsed, since it did not come whole with one read."""
        if (
            isinstance(event, Frame)
            and (event.opcode is TEXT or event.opcode is BINARY)
            and event.fin
            and len(event.data) <= self._small
            and self.take is not None
            and self.is_awaited()
            and self.take((bytes(event.data),))
        ):
            return
        super().process_event(event)

    def _hand_over(self, messages: Sequence[bytes]) -> None:
        taken = self.take(messages) if self.take is not None and self.is_awaited() else 0
        for message in messages[taken:]:
            self.recv_messages.put(Frame(TEXT, message))
