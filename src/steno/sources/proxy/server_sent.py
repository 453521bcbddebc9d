"""Server-sent events, taken out of the bytes of a reply as they come. Pure.

A part of a reply may end anywhere: within a character, between CR and LF, within the byte order mark. An event is kept
until it is complete, and no longer than it may be.
"""

import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

LINES_MAX: Final = 10_000
"""Lines of an event. Real ones have a line or two; each costs some work."""
DONE: Final = b"[DONE]"
"""The data by which a stream of events says that it is over."""
_END_OF_LINE: Final = re.compile(rb"\r\n|\r|\n")
_NOT_EMPTY: Final = b":"
"""Stands for a line of an event that is too long."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_ANY: Final = msgspec.json.Decoder(Raw)


class Event(Struct, frozen=True):
    """One event, as far as it is read: `id` and `retry` are for clients that connect again."""

    name: bytes
    """Empty where it has none."""
    data: bytes
    """Its lines, joined by LF."""


class EventStream:
    """The events of one reply. `feed` and `end` never raise."""

    def __init__(self, event_bytes: int) -> None:
        """Keep no more than `event_bytes` of an event. One that is longer is passed over and counted."""
        self.too_long = 0
        """Events that were passed over."""
        self._most = event_bytes
        self._line = bytearray()
        """What has come of a line that is not complete."""
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0
        """Bytes of the event so far, with those that were not kept."""
        self._after_cr = False
        """Whether the last byte was a CR, so that a LF belongs to it."""
        self._first = True
        """Whether no line was complete yet."""

    def feed(self, part: bytes) -> list[Event]:
        """Return the events that are complete with `part`."""
        if self._after_cr and part.startswith(b"\n"):
            part, self._after_cr = part[1:], False
        if not part:
            return []
        self._after_cr = part.endswith(b"\r")
        *ended, rest = _END_OF_LINE.split(part)
        found: list[Event] = []
        for line in ended:
            self._keep(line)
            event = self._end_line()
            if event:
                found.append(event)
        self._keep(rest)
        return found

    def end(self) -> list[Event]:
        """Return the last event, where the reply ended without the empty line after it."""
        return [event for event in (self._end_line(), self._end_event()) if event]

    @property
    def held(self) -> int:
        """Bytes that wait for the end of their event."""
        return self._size if self._size <= self._most else 0

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._most:
            self._line += part
        elif part and self._line != _NOT_EMPTY:
            self._line = bytearray(_NOT_EMPTY)
            self._data.clear()

    def _end_line(self) -> Event | None:
        line = bytes(self._line)
        self._line.clear()
        if self._first:
            self._first = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            return self._end_event()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value
        elif field == b"data" and len(self._data) <= LINES_MAX:
            self._data.append(value)
        else:  # a comment, or a field that is not read: it is not held
            self._size -= len(line) if self._size <= self._most else 0
        return None

    def _end_event(self) -> Event | None:
        name, data = self._name, self._data
        too_long = self._size > self._most or len(data) > LINES_MAX
        self._name, self._data, self._size = b"", [], 0
        if too_long:
            self.too_long += 1
            return None
        return Event(name, b"\n".join(data)) if data else None


def frame_of(event: Event) -> bytes | None:
    """Return the frame that an event is fed as: `{"event": ..., "data": ...}`.

    Its data alone where it has no name, and where the data begin with the same name as their `type`: that is what a
    websocket carries. Data that is no object in JSON is a string in it. None for the end of a stream without a name.
    """
    if not event.name:
        return None if event.data.strip() == DONE else event.data
    if event.data.startswith(b'{"type":"%b"' % event.name):
        return event.data
    name = msgspec.json.encode(event.name.decode(errors="replace"))
    return b'{"event":%b,"data":%b}' % (name, _json(event.data))


def _json(data: bytes) -> bytes:
    """Return `data` as one JSON value, or as it is where it is no UTF-8: then no frame of it is read."""
    if data.lstrip().startswith(b"{"):
        try:
            _ANY.decode(data)
            return data
        except (ValueError, RecursionError):
            pass  # it may be half a character: as a text it gets a second look
    try:
        return msgspec.json.encode(data.decode())
    except UnicodeDecodeError:
        return data
