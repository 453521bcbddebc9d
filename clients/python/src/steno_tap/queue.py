"""What waits to be pushed, within a bound in bytes. Pure: no lock, no clock, no socket.

    put() ─> waiting ─take()─> unconfirmed ─confirm()─> gone
                ^                   │
                └────rewind()───────┘   the connection broke

What does not fit is counted in a `Gap`, which stands where the frames are missing. With `keep`, an item stays until
steno has acknowledged it, and `rewind` puts it back. Without it only counts stay, and `rewind` puts a gap in their
place: nobody knows whether the frames arrived.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from steno_tap.lines import Direction, close_line, frame_line, gap_line

ITEM_BYTES: Final = 256
"""What an item counts besides its payload, so that empty frames are bounded as well."""

GapReason = Literal["queue_full", "disconnected", "frame_too_big", "unreadable"]
"""Why frames are missing: no room while connected, none while not, longer than allowed, of a type that has no copy."""


@dataclass(slots=True)
class Frame:
    """A message of the application's connection."""

    at_ns: int
    direction: Direction
    payload: str | bytes
    payload_bytes: int

    def line(self) -> bytes:
        """Return the line that is pushed."""
        return frame_line(self.at_ns, self.direction, self.payload)


@dataclass(slots=True)
class Gap:
    """Frames that are missing here."""

    at_ns: int
    frames: int
    payload_bytes: int
    reason: GapReason
    sent: bool = False
    """Whether steno may have it. Then it no longer grows: a later count would pass for the same item."""

    def line(self) -> bytes:
        """Return the line that is pushed."""
        return gap_line(self.at_ns, self.frames, self.payload_bytes, self.reason)


@dataclass(slots=True)
class Close:
    """How the application's connection ended."""

    at_ns: int
    code: int | None
    reason: str

    def line(self) -> bytes:
        """Return the line that is pushed."""
        return close_line(self.at_ns, self.code, self.reason)


Item = Frame | Gap | Close


def _held(item: Item) -> int:
    return ITEM_BYTES + (item.payload_bytes if isinstance(item, Frame) else 0)


class Flight(NamedTuple):
    """What is between here and steno: items, the frames among or behind them, and their bytes."""

    items: int = 0
    frames: int = 0
    payload_bytes: int = 0

    def with_item(self, item: Item) -> "Flight":
        """Return this and `item`."""
        if isinstance(item, Close):
            return self._replace(items=self.items + 1)
        frames = item.frames if isinstance(item, Gap) else 1
        return Flight(self.items + 1, self.frames + frames, self.payload_bytes + item.payload_bytes)

    def without(self, other: "Flight") -> "Flight":
        """Return what is left of this when `other` has arrived."""
        return Flight(self.items - other.items, self.frames - other.frames, self.payload_bytes - other.payload_bytes)


class Budget:
    """Bytes that all queues of a tap share."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self.used_bytes = 0


class Queue:
    """The items of one conversation. `queue_bytes` bounds what waits and what is kept, together."""

    def __init__(self, queue_bytes: int, budget: Budget, *, keep: bool = False) -> None:
        self.waiting: deque[Item] = deque()
        self.unconfirmed: deque[Item] = deque()
        self.first = 1
        """The number of the oldest item that is held. Items are numbered from 1 over the whole conversation."""
        self.held_bytes = 0
        self.in_flight = Flight()
        """Without `keep`: what was taken and of which nobody knows whether it arrived."""
        self._close: Close | None = None
        self._queue_bytes = queue_bytes
        self._budget = budget
        self._keep = keep

    def put(self, frame: Frame, reason: GapReason) -> bool:
        """Take in `frame`, or count it in a gap. `reason` says why there would be no room."""
        if self._fits(_held(frame)):
            self._append(frame)
            return True
        if _held(frame) > self._queue_bytes:
            reason = "frame_too_big"
        self.miss(frame.at_ns, 1, frame.payload_bytes, reason)
        return False

    def miss(self, at_ns: int, frames: int, payload_bytes: int, reason: GapReason) -> None:
        """Count frames that are missing after the last item. A gap fits always: one for each item at most."""
        last = self.waiting[-1] if self.waiting else None
        if isinstance(last, Gap) and not last.sent:
            last.frames += frames
            last.payload_bytes += payload_bytes
        else:
            self._append(Gap(at_ns, frames, payload_bytes, reason))

    def close(self, close: Close) -> None:
        """Add the end of the conversation. It fits always."""
        self._append(close)

    def take(self, most_bytes: int) -> list[Item]:
        """Return the oldest items that wait, about `most_bytes` bytes of them, and at least one if there is one."""
        taken: list[Item] = []
        while self.waiting and most_bytes > 0:
            item = self.waiting.popleft()
            most_bytes -= _held(item)
            taken.append(item)
            self._hand_over(item)
        return taken

    def confirm(self, number: int) -> None:
        """Forget what steno has on its disk: all items up to `number` that this connection has carried."""
        while self.unconfirmed and self.first <= number:
            self._release(self.unconfirmed.popleft())
            self.first += 1

    def arrived(self, part: Flight) -> None:
        """Without `keep`: steno's host has read so much of what was taken."""
        self.in_flight = self.in_flight.without(part)
        if not self.in_flight.items:
            self._close = None

    @property
    def empty(self) -> bool:
        """Whether everything was taken and has arrived."""
        return not (self.waiting or self.unconfirmed or self.in_flight.items)

    def rewind(self, at_ns: int) -> None:
        """Make what is unconfirmed the oldest that waits: themselves, or without `keep` a gap."""
        self.waiting.extendleft(reversed(self.unconfirmed))
        self.unconfirmed.clear()
        lost, self.in_flight = self.in_flight, Flight()
        if self._close is not None:
            self._prepend(self._close)
            self._close = None
        if lost.frames:
            self._prepend(Gap(at_ns, lost.frames, lost.payload_bytes, "disconnected"))

    def give_up_longest(self, carried: int) -> None:
        """Replace the longest of the `carried` oldest items by a gap: steno closed over it and would do so again."""
        frames = [(len(item.payload), index) for index, item in enumerate(self.waiting) if isinstance(item, Frame)]
        longest = max((one for one in frames if one[1] < carried), default=None)
        if longest is None:
            return
        frame = self.waiting[longest[1]]
        self._release(frame)
        gap = Gap(frame.at_ns, 1, _held(frame) - ITEM_BYTES, "frame_too_big", sent=True)
        self.waiting[longest[1]] = gap
        self._charge(gap)

    def clear(self) -> Flight:
        """Forget everything. Return what is lost with it."""
        lost = self.in_flight
        for item in (*self.unconfirmed, *self.waiting):
            self._release(item)
            lost = lost.with_item(item)
        self.unconfirmed.clear()
        self.waiting.clear()
        self.in_flight = Flight()
        return lost

    def _fits(self, more: int) -> bool:
        budget = self._budget
        return self.held_bytes + more <= self._queue_bytes and budget.used_bytes + more <= budget.total_bytes

    def _hand_over(self, item: Item) -> None:
        if self._keep:
            self.unconfirmed.append(item)
            if isinstance(item, Gap):
                item.sent = True
            return
        self._release(item)
        self.first += 1
        self.in_flight = self.in_flight.with_item(item)
        if isinstance(item, Close):
            self._close = item

    def _append(self, item: Item) -> None:
        self.waiting.append(item)
        self._charge(item)

    def _prepend(self, item: Item) -> None:
        self.waiting.appendleft(item)
        self._charge(item)

    def _charge(self, item: Item) -> None:
        self.held_bytes += _held(item)
        self._budget.used_bytes += _held(item)

    def _release(self, item: Item) -> None:
        self.held_bytes -= _held(item)
        self._budget.used_bytes -= _held(item)
