"""What connections read ahead of the pipeline, bounded over all of them together.

Theory of operation
-------------------

The websocket library reads on while a message waits to be taken: some 16 messages a connection, each as long as
`frame_bytes` allows. While the audit log cannot be written all of them stay in memory.

Small messages are let through as they come. Only their number is bounded, the lower the more connections there are.

A *long* message, one of which more than `LARGE_BYTES` have come, needs room: as much as the longest message of its
connection may take. What is not granted waits in the order of asking, and its connection is not read meanwhile: TCP
holds the sender. The room is given back when the message was fed. So all long messages together stay within the budget,
and nobody waits for ever: who holds room, lets others wait, and brings less than `LEAST_RATE` after `OVERDUE_SECONDS`, is broken off.

On the path of a small message nothing is awaited and nothing is counted: two lengths are looked at for each read of a
socket, whatever it brought.
"""

import asyncio
from collections import deque
from typing import Any, Final, Protocol

from websockets.asyncio.client import ClientConnection

LARGE_BYTES: Final = 64 * 1024
"""Length up to which a message needs no room. Most events are shorter."""
MESSAGES: Final = 16
"""Messages that a connection reads ahead where there are few connections."""
SMALL_SHARE: Final = 4
"""The part of the budget that small messages have for themselves: a fourth."""
OVERDUE_SECONDS: Final = 30.0
"""How long a message may be slow while others wait for its room."""
LEAST_RATE: Final = 128 * 1024
"""Bytes a second that a message brings at least, from then on: one of 16 MiB takes 158 s at most."""


class Gate(Protocol):
    """Says whether frames may be fed: the pipeline."""

    @property
    def open(self) -> bool:
        """Whether frames may be fed."""


class ReadAhead:
    """The room that long messages of all connections have together."""

    def __init__(self, limit: int, gate: Gate) -> None:
        """Share `limit` bytes between the connections that are made by `connection`."""
        self.gate = gate
        self.reserved = 0
        """Bytes that are granted."""
        self.connections = 0
        """Connections that are open."""
        self._limit = limit - limit // SMALL_SHARE
        self._small = limit // SMALL_SHARE
        self._holders: dict[MeasuredConnection, float] = {}
        """Connection to when it was granted room, by the clock of its loop."""
        self._waiting: deque[MeasuredConnection] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def connection(self, *args: Any, **kwargs: Any) -> "MeasuredConnection":
        """Make a connection that keeps to the budget, as `connect` of `websockets` asks for it."""
        return MeasuredConnection(self, *args, **kwargs)

    def messages(self) -> int:
        """Return how many messages one more connection may read ahead."""
        return max(1, min(MESSAGES, self._small // (LARGE_BYTES * (self.connections + 1))))

    def reserve(self, connection: "MeasuredConnection") -> bool:
        """Grant room for one message of `connection`, or note that it waits for that; return whether it is granted.

        A message that is longer than the whole budget is granted room where nobody else has any.
        """
        if self._waiting or (self._holders and self.reserved + connection.longest > self._limit):
            self._waiting.append(connection)
            if self._timer is None:
                self._timer = connection.loop.call_later(OVERDUE_SECONDS, self._break_off)
            return False
        self._grant(connection)
        return True

    def _grant(self, connection: "MeasuredConnection") -> None:
        self.reserved += connection.longest
        self._holders[connection] = connection.loop.time()

    def release(self, connection: "MeasuredConnection") -> None:
        """Take back the room of `connection`, or its place among those that wait; give it to the next ones."""
        if self._holders.pop(connection, None) is not None:
            self.reserved -= connection.longest
        elif connection in self._waiting:
            self._waiting.remove(connection)
        while self._waiting and (not self._holders or self.reserved + self._waiting[0].longest <= self._limit):
            following = self._waiting.popleft()
            self._grant(following)
            following.go_on()

    def _break_off(self) -> None:
        """Break off the connections that keep others waiting for too long, by no fault of ours."""
        self._timer = None
        if not self._waiting:
            return
        loop = self._waiting[0].loop
        for connection, granted in list(self._holders.items()):
            enough = granted + OVERDUE_SECONDS + connection.begun_bytes / LEAST_RATE
            if enough <= loop.time() and connection.unfinished and self.gate.open:
                connection.overdue = True
                connection.transport.abort()
                self.release(connection)
        if self._waiting:
            self._timer = loop.call_later(OVERDUE_SECONDS / 2, self._break_off)


class MeasuredConnection(ClientConnection):
    """A connection that asks for room before it reads a long message to its end."""

    def __init__(self, read_ahead: ReadAhead, *args: Any, **kwargs: Any) -> None:
        """Begin as the library says, with `read_ahead` for what is long."""
        super().__init__(*args, **kwargs)
        self.overdue = False
        """Whether it was broken off because it kept others waiting."""
        self.waits = False
        """Whether it is not read until there is room. Silence of the other end means nothing then."""
        self.reads = 0
        """Reads that brought a part of something long: a sign of life while no message comes to its end."""
        self._read_ahead = read_ahead
        self._holds = False
        """Whether it was granted room."""
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
        return len(self.protocol.reader.buffer) > LARGE_BYTES or self.protocol.current_size is not None

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
        if self.waits:
            self.leave()

    def data_received(self, data: bytes) -> None:
        """Take in what one read brought. Called for each read, so that only what is long is looked at further."""
        super().data_received(data)
        protocol = self.protocol
        if len(protocol.reader.buffer) > LARGE_BYTES or protocol.current_size is not None or len(data) > LARGE_BYTES:
            self._look()

    def _look(self) -> None:
        """Ask for room where a message turns out to be long."""
        self.reads += 1
        if self._holds or self.waits or self._held_bytes() <= LARGE_BYTES:
            return
        if self._read_ahead.reserve(self):
            self._hold()
        else:
            self.waits = True
            self.transport.pause_reading()

    def _held_bytes(self) -> int:
        """Return how much of long messages there is: what came of one, or what waits in few."""
        queue = self.recv_messages.frames.queue
        # A read that brings many messages brings small ones, which are let through.
        return max(self.begun_bytes, sum(len(frame.data) for frame in queue) if len(queue) <= MESSAGES else 0)

    # Room -----------------------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Read one message to its end, and no further."""
        self._holds = True
        self._set_messages(0)
        self.recv_messages.maybe_pause()

    def go_on(self) -> None:
        """Read on: there is room."""
        self.waits = False
        if self.unfinished or len(self.recv_messages.frames):
            self._hold()
        else:  # what asked for it was taken meanwhile
            self._let_go()
        if not self.recv_messages.paused:
            self.transport.resume_reading()

    def _resume(self) -> None:
        """Read on where nothing keeps from it: a message was taken. Called by the library, where reading was paused."""
        if self._holds and not self.unfinished:
            if not self._read_ahead.gate.open:  # what was taken waits for the pipeline, in the hands of its session
                self._in_hand = True
                return
            self._let_go()
        if not self.waits:
            self.transport.resume_reading()

    def settle(self) -> None:
        """Give back the room of a message that had to wait, and is fed now."""
        if self._in_hand:
            self._in_hand = False
            self._let_go()
            if not self.waits:
                self.transport.resume_reading()

    def leave(self) -> None:
        """Give back all room: nothing more is taken from this connection."""
        waited, self.waits = self.waits, False
        self._in_hand = False
        self._let_go()
        if waited:
            self.transport.resume_reading()  # for the other end's answer to a close

    def _let_go(self) -> None:
        self._holds = False
        self._set_messages(self._messages)
        self._read_ahead.release(self)

    def _set_messages(self, most: int) -> None:
        self.recv_messages.high, self.recv_messages.low = most, most // 4
