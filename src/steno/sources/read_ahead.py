"""What connections read ahead of the pipeline, bounded over all of them together.

Theory of operation
-------------------

The websocket library reads on while a message waits to be taken: some 16 messages a connection, each as long as
`frame_bytes` allows. While the audit log cannot be written all of them stay in memory.

Small messages are let through as they come. Only their number is bounded, the lower the more connections there are.

A message of which more than `SMALL_BYTES` have come needs *room*, and more room once it has more than `MEDIUM_BYTES`.
There are two rooms, so that those who send at length do not hold up those who send a whole answer now and then. Each
has its own limit, and is granted in the order of asking. Who waits is not read meanwhile: TCP holds the sender. Room is
given back when the message was fed. So all messages together stay within the budget, and nobody waits for ever: who has
room, lets others wait, and brings less than `LEAST_RATE` after `OVERDUE_SECONDS`, is broken off.

On the path of a small message nothing is awaited and nothing is counted: some lengths are looked at for each read of a
socket, whatever it brought.
"""

import asyncio
from collections import deque
from dataclasses import replace
from typing import Any, Final, Protocol

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame
from websockets.protocol import Event

from steno.sources import small_frames
from steno.sources.straight import Straight
from steno.sources.work import Work

SMALL_BYTES: Final = small_frames.LONGEST_BYTES
"""Length up to which a message needs no room. Most events are shorter."""
MEDIUM_BYTES: Final = 1024 * 1024
"""Length up to which a message is medium: a whole answer with its audio, or long instructions."""
MESSAGES: Final = 16
"""Messages that a connection reads ahead where there are few connections."""
SHARE: Final = 4
"""Small messages have a fourth of the budget, medium ones another, and long ones the rest."""
OVERDUE_SECONDS: Final = 30.0
"""How long a message may be slow while others wait for its room."""
LEAST_RATE: Final = 128 * 1024
"""Bytes a second that a message brings at least, from then on: one of 16 MiB takes 158 s at most."""


class Gate(Protocol):
    """Says whether frames may be fed: the pipeline."""

    @property
    def open(self) -> bool:
        """Whether frames may be fed."""


class Room:
    """What messages of one size may take together, whichever connections they come on."""

    def __init__(self, limit: int, longest: int | None, gate: Gate) -> None:
        """Grant `limit` bytes.

        Args:
            limit: how much may be granted at once. One message is granted room in any case, where nobody else has any.
            longest: what a message may take; None for as much as its connection accepts.
            gate: while it is closed nobody is broken off, since nothing is fed.
        """
        self.reserved = 0
        """Bytes that are granted."""
        self.waiting: deque[Measured] = deque()
        self._limit = limit
        self._longest = longest
        self._gate = gate
        self._holders: dict[Measured, float] = {}
        """Connection to when it was granted room, by the clock of its loop."""
        self._timer: asyncio.TimerHandle | None = None

    def _size(self, connection: "Measured") -> int:
        return connection.longest if self._longest is None else min(self._longest, connection.longest)

    def _fits(self, connection: "Measured") -> bool:
        return not self._holders or self.reserved + self._size(connection) <= self._limit

    def ask(self, connection: "Measured") -> bool:
        """Grant room for one message of `connection`, or note that it waits for that; return whether it is granted."""
        if self.waiting or not self._fits(connection):
            self.waiting.append(connection)
            if self._timer is None:
                self._timer = connection.loop.call_later(OVERDUE_SECONDS, self._break_off)
            return False
        self._grant(connection)
        return True

    def _grant(self, connection: "Measured") -> None:
        self.reserved += self._size(connection)
        self._holders[connection] = connection.loop.time()

    def give_back(self, connection: "Measured") -> None:
        """Take back the room of `connection`, or its place among those that wait; give it to the next ones."""
        if self._holders.pop(connection, None) is not None:
            self.reserved -= self._size(connection)
        elif connection in self.waiting:
            self.waiting.remove(connection)
        while self.waiting and self._fits(self.waiting[0]):
            following = self.waiting.popleft()
            self._grant(following)
            following.go_on(self)

    def _break_off(self) -> None:
        """Break off the connections that keep others waiting for too long, by no fault of ours."""
        self._timer = None
        if not self.waiting:
            return
        loop = self.waiting[0].loop
        for connection, granted in list(self._holders.items()):
            enough = granted + OVERDUE_SECONDS + connection.begun_bytes / LEAST_RATE
            if enough <= loop.time() and connection.unfinished and not connection.waits and self._gate.open:
                connection.overdue = True
                connection.transport.abort()
                self.give_back(connection)
        if self.waiting:
            self._timer = loop.call_later(OVERDUE_SECONDS / 2, self._break_off)


class ReadAhead:
    """What all connections together may read ahead: how many small messages, and room for the others."""

    def __init__(self, limit: int, gate: Gate, work: Work | None = None) -> None:
        """Share `limit` bytes between the connections that are made by `connection`, and the turns of `work`."""
        self.gate = gate
        self.work = work or Work()
        self.limit = limit
        self.connections = 0
        """Connections that are open."""
        self.medium = Room(limit // SHARE, MEDIUM_BYTES, gate)
        self.long = Room(limit - 2 * (limit // SHARE), None, gate)
        self._small = limit // SHARE

    @property
    def reserved(self) -> int:
        """Bytes that are granted."""
        return self.medium.reserved + self.long.reserved

    def connection(self, *args: Any, **kwargs: Any) -> "MeasuredConnection":
        """Make a connection that keeps to the budget, as `connect` of `websockets` asks for it."""
        return MeasuredConnection(self, *args, **kwargs)

    def messages(self) -> int:
        """Return how many messages one more connection may read ahead."""
        return max(1, min(MESSAGES, self._small // (SMALL_BYTES * (self.connections + 1))))

    def room_for(self, size: int) -> Room | None:
        """Return where a message asks for room of which so many bytes have come; None where it needs none."""
        if size <= SMALL_BYTES:
            return None
        return self.medium if size <= MEDIUM_BYTES else self.long


class Measured(Straight):
    """Makes a connection of the library ask for room before it reads a long message to its end.

    It stands before the library's class in the bases of `MeasuredConnection`, and of what a source accepts.
    """

    __slots__ = (
        "_in_hand",
        "_messages",
        "_read_ahead",
        "_rooms",
        "overdue",
        "reads",
        "slowed",
        "waits",
    )

    def __init__(self, read_ahead: ReadAhead, *args: Any, **kwargs: Any) -> None:
        """Begin as the library says, with `read_ahead` for what is long."""
        super().__init__(read_ahead.work, *args, **kwargs)
        self.overdue = False
        """Whether it was broken off because it kept others waiting."""
        self.waits: Room | None = None
        """What it waits for, unread. Silence of the other end means nothing then."""
        self.reads = 0
        """Reads that brought a part of something long: a sign of life while no message comes to its end."""
        self.slowed = False
        """Whether it is not read for a moment, since its other end sends more than it may."""
        self._read_ahead = read_ahead
        self._rooms: tuple[Room, ...] = ()
        """Where it was granted room."""
        self._in_hand = False
        """Whether the message that it was granted for was taken, and is not fed yet."""
        self._messages = 1

    @property
    def longest(self) -> int:
        """Length of the longest message that is accepted."""
        return self.protocol.max_message_size or 0

    @property
    def begun_bytes(self) -> int:
        """Length of what came of a message that has not ended."""
        return len(self.protocol.reader.buffer) + (self.protocol.current_size or 0)

    @property
    def unfinished(self) -> bool:
        """Whether a long message has begun and not ended."""
        return len(self.protocol.reader.buffer) > SMALL_BYTES or self.protocol.current_size is not None

    # What the library calls -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read, as many messages ahead as there is room for."""
        super().connection_made(transport)
        self._messages = self._read_ahead.messages()
        self._read_ahead.connections += 1
        self.recv_messages.resume = self._resume
        self._set_messages(self._messages)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more. What was received can still be taken."""
        super().connection_lost(exc)
        self._read_ahead.connections -= 1
        self._break_circles()
        if self.waits:
            self.leave()

    def _break_circles(self) -> None:
        """Let the connection be freed with its last reference, and not by the collector."""
        if not self._rooms:
            self.recv_messages.resume = _nothing  # there is nothing to read on
        self.recv_messages.pause = _nothing
        failed = self.protocol.parser_exc
        if failed:
            failed.__traceback__ = None  # whose frames know the protocol, which keeps it

    def is_awaited(self) -> bool:
        """Return whether what comes may go straight to who takes it: not while there is room for a long message."""
        return not self._rooms and super().is_awaited()

    def pause_writing(self) -> None:
        """Break off: the other end sends pings and takes none of the pongs, `UNSENT_BYTES` of which wait."""
        super().pause_writing()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in what one read brought. Called for each read, so that only what is long is looked at further."""
        super().data_received(data)
        protocol = self.protocol
        if (
            len(protocol.reader.buffer) > SMALL_BYTES
            or protocol.current_size is not None
            or len(data) > SMALL_BYTES
            or self._rooms
        ):
            self._look()

    def process_event(self, event: Event) -> None:
        """Let the library's parser keep nothing of a long message: it has the frame before until it parses another."""
        if isinstance(event, Frame) and len(event.data) > SMALL_BYTES:
            parsed, event = event, replace(event)
            parsed.data = b""
        super().process_event(event)

    def _look(self) -> None:
        """Ask for room where a message turns out to be long."""
        self.reads += 1
        room = self._read_ahead.room_for(self._held_bytes())
        if room is None or self.waits or room in self._rooms or self._read_ahead.long in self._rooms:
            return
        if room.ask(self):
            self._hold(room)
        else:
            self.waits = room
            self.pause_reading()

    def _held_bytes(self) -> int:
        """Return how much of long messages there is: what came of one, or what waits in few."""
        queue = self.recv_messages.frames.queue
        # A read that brings many messages brings small ones, which are let through.
        return max(self.begun_bytes, sum(len(frame.data) for frame in queue) if len(queue) <= MESSAGES else 0)

    # Room -----------------------------------------------------------------------------------------------

    def _hold(self, room: Room) -> None:
        """Read one message to its end, and no further."""
        self._rooms = (*self._rooms, room)
        self._set_messages(0)
        self.recv_messages.maybe_pause()

    def go_on(self, room: Room) -> None:
        """Read on: there is room."""
        self.waits = None
        self._hold(room)
        if not self.unfinished and not len(self.recv_messages.frames):  # what asked for it was taken meanwhile
            self._let_go()
        if not self.recv_messages.paused and not self.slowed:
            self.resume_reading()

    def _resume(self) -> None:
        """Read on where nothing keeps from it: a message was taken. Called by the library, where reading was paused."""
        if self._rooms and not self.unfinished:
            if not self._read_ahead.gate.open:  # what was taken waits for the pipeline, in the hands of its session
                self._in_hand = True
                return
            self._let_go()
        self._read_on()

    def _read_on(self) -> None:
        if not self.waits and not self.slowed:
            self.resume_reading()

    def settle(self) -> None:
        """Give back the room of a message that had to wait, and is fed now."""
        if self._in_hand:
            self._in_hand = False
            self._let_go()
            self._read_on()

    def slow_down(self, seconds: float) -> None:
        """Read nothing for so long."""
        if not self.slowed:
            self.slowed = True
            self.pause_reading()
            self.loop.call_later(seconds, self._speed_up)

    def _speed_up(self) -> None:
        self.slowed = False
        if not self.waits and not self._in_hand and not self.recv_messages.paused and not self.transport.is_closing():
            self.resume_reading()

    def leave(self) -> None:
        """Give back all room: nothing more is taken from this connection."""
        self.take = None
        waited, self.waits = self.waits, None
        self._in_hand = False
        self._let_go()
        if waited:
            waited.give_back(self)
            self.resume_reading()  # for the other end's answer to a close

    def _let_go(self) -> None:
        self._set_messages(self._messages)
        rooms, self._rooms = self._rooms, ()
        for room in rooms:
            room.give_back(self)

    def _set_messages(self, most: int) -> None:
        self.recv_messages.high, self.recv_messages.low = most, most // 4


def _nothing() -> None:
    """Do nothing."""


class MeasuredConnection(Measured, ClientConnection):
    """A connection that steno has opened."""

    __slots__ = ()

    def forget_handshake(self) -> None:
        """Let go of what only the handshake needed, 2 KiB: nobody asks for it any more, and the library keeps it."""
        if self.response:  # which the library's parser keeps, too
            self.response.headers.clear()
        self.request = None
        del self.response_rcvd
