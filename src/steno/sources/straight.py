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

Of the library this overrides `data_received` and `process_event`, as its own connections do, and reads what is not in
its documentation: `recv_messages` (whether `get` is in progress, its queue, `put`) and `protocol.current_size`. The
tests hold it against the library's own connection, so that another version of it is noticed.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from websockets.asyncio.connection import Connection
from websockets.frames import BINARY, TEXT, Frame
from websockets.protocol import OPEN, SERVER, Event

from steno.sources.small_frames import LONGEST_BYTES, others_end, small_messages

Take = Callable[[Sequence[bytes]], int]
"""Takes messages, and returns how many it took. The others come by `recv`, before what comes later."""

_HEAD_END: Final = b"\r\n\r\n"
"""What ends a request, and an answer that opens a websocket."""


class Straight(Connection):
    """Hands small messages to `take` as they come, while it waits in `recv` for the next one."""

    __slots__ = ("_cut", "_head", "_left", "_masked", "_small", "recv_messages", "take", "transport")
    # The library has 26 members, whose names the instances share. Python shares 30 names, fewer for each instance that
    # is made before they are known, and else gives each a dictionary of 1.5 KiB. The library sets the last two late.

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin as the library says."""
        super().__init__(*args, **kwargs)
        self.take: Take | None = None
        """Who takes messages; None where all of them go by `recv`."""
        self._masked = self.protocol.side is SERVER
        self._small = min(LONGEST_BYTES, self.protocol.max_message_size or LONGEST_BYTES)
        self._head: bytes | None = b""
        """What the head of the handshake ended with so far; None once it is over."""
        self._left: int | None = None
        """How much is to come of the frame that the library is within; None where it is given all that comes."""
        self._cut = b""
        """What came of the head of a frame."""
        self.drain_waiters = []  # type: ignore[assignment]  # hardly ever used; an empty deque takes 760 bytes

    def is_awaited(self) -> bool:
        """Return whether who takes messages waits in `recv`, and has all that came before."""
        messages = self.recv_messages
        return messages.get_in_progress and not messages.frames.queue

    # What the library, and asyncio, call ----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Hand over the small messages in what one read brought, and let the library parse the rest."""
        protocol = self.protocol
        if self._left is None or protocol.state is not OPEN:
            self._parse_all(data)
            return
        if self._cut:
            data, self._cut = self._cut + data, b""
        pos, end = self._left, len(data)
        if pos:
            self._parse(data[:pos], pos)
        while pos < end:
            if protocol.state is not OPEN:
                self._parse_all(data[pos:])
                return
            unfinished = protocol.current_size is not None
            if not unfinished:
                messages: list[bytes] = []
                pos = small_messages(data, pos, self._small, messages, masked=self._masked)
                if messages:
                    self._hand_over(messages)
                if pos == end:
                    return
            stop = others_end(data, pos, unfinished=unfinished)
            if stop is None:
                self._cut = data[pos:]
                return
            self._parse(data[pos:stop], stop - pos)
            pos = stop

    def _parse(self, data: bytes, size: int) -> None:
        """Let the library parse what came of so many bytes, at whose end a frame ends."""
        self._left = size - len(data)
        super().data_received(data)

    def _parse_all(self, data: bytes) -> None:
        """Let the library parse `data`, and all that comes after it unless the handshake ends in it."""
        if self._head is None:
            cut, self._cut, self._left = self._cut, b"", None
            super().data_received(cut + data)
            return
        head = self._head + data
        end = head.find(_HEAD_END)
        if end < 0:
            self._head = head[-len(_HEAD_END) + 1 :]
            super().data_received(data)
            return
        stop = end + len(_HEAD_END) - len(self._head)
        self._head, self._left = None, 0
        super().data_received(data[:stop])
        if stop < len(data):
            Straight.data_received(self, data[stop:])

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
