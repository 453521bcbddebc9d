"""What waits for the thread that writes the audit log: records and commands in order, bounded in bytes.

`put` never waits. Where the queue is full, either whoever fills it is told to stop, and what comes all the same is
taken; or facts are shed: counted, and stood for by one item when there is room again.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import ClassVar, Protocol

from msgspec import Struct

from steno.audit.log_records import Writing
from steno.audit.record import moment
from steno.timestamps import Micros


class Pending(Protocol):
    """A record that is still to be encoded, by the thread that writes it: for what takes long."""

    at: Micros | None
    """Its time."""
    size: int
    """About its length, in bytes."""

    def entry(self) -> bytes:
        """Return what `format.entry` returns.

        After an OSError it is asked again, until it goes well. It must raise nothing else: what does is recorded as a
        gap.
        """


Fact = bytes | Pending


class Rotation(Struct, frozen=True):
    """Those after it belong in a new segment."""

    size: ClassVar[int] = 0
    at: Micros
    writing: Writing | str


class Call(Struct, frozen=True):
    """Something to be done when all before it is on the disk."""

    size: ClassVar[int] = 0
    function: Callable[[], None]
    future: "Future[None]"


class Shed(Struct, frozen=True):
    """Facts that were dropped between the one before it and the one after it."""

    size: ClassVar[int] = 0
    facts: int
    first: Fact
    last: Fact


class Closing(Struct, frozen=True):
    """Nothing comes after this."""

    at: Micros | None
    in_order: bool
    """Whether the log is to be ended, or only left."""


Command = Rotation | Call | Shed
QueueEntry = Fact | Command


def size_of(item: QueueEntry) -> int:
    """Return how much of the queue's bytes an item takes."""
    return len(item) if isinstance(item, bytes) else item.size


def moment_of(fact: Fact) -> Micros | None:
    """Return the time of a fact."""
    return moment(fact) if isinstance(fact, bytes) else fact.at


class Queue:
    """Filled by any thread, emptied by one."""

    def __init__(self, *, queue_bytes: int, flush_bytes: int, flush_seconds: float, sheds: bool) -> None:
        """Hold nothing.

        Args:
            queue_bytes: the length of the records not yet on the disk at which the queue is full.
            flush_bytes: the length of the records that do not wait for others.
            flush_seconds: the longest time a record waits for others.
            sheds: whether facts are dropped while it is full.
        """
        self._queue_bytes = queue_bytes
        self._flush_bytes = min(flush_bytes, queue_bytes)
        self._flush_seconds = flush_seconds
        self._sheds = sheds
        self._changed = threading.Condition(threading.Lock())
        """Held for moments only. The emptying thread alone waits for it."""
        # What follows changes under `_changed`.
        self._items: list[QueueEntry] = []
        self._waiting_bytes = 0
        self._shed: Shed | None = None
        self._given_up = False
        self._over = False
        self.closing: Closing | None = None
        """Set once nothing more comes."""
        self.since: float | None = None
        """When the first item that waits came, of `time.monotonic`."""
        self.taken_since: float | None = None
        """When the first of those came that were taken and are not on the disk yet."""
        self.bytes = 0
        """The length of the records that are not on the disk yet."""
        self.full = False
        """Whether it became full and has not become half empty since."""
        self.shed_facts = 0
        """Facts dropped so far."""

    # Filled ---------------------------------------------------------------------------------------------

    def put(self, fact: Fact) -> bool:
        """Take one record, or shed it. Return whether the queue became full by it."""
        size = len(fact) if isinstance(fact, bytes) else fact.size
        with self._changed:
            if self.full and self._sheds:
                self._drop(fact)
                return False
            self._push(fact)
            before = self._waiting_bytes
            self.bytes += size
            self._waiting_bytes = before + size
            if before < self._flush_bytes <= self._waiting_bytes:
                self._changed.notify()
            if self.bytes < self._queue_bytes or self.full:
                return False
            self.full = True
            return True

    def _push(self, item: QueueEntry) -> None:
        self._items.append(item)
        if self.since is None:
            self.since = monotonic()
            self._changed.notify()

    def _drop(self, fact: Fact) -> None:
        self.shed_facts += 1
        before = self._shed
        self._shed = Shed(before.facts + 1, before.first, fact) if before else Shed(1, fact, fact)

    def command(self, item: Rotation | Call) -> bool:
        """Take a command, full or not. Return False where nobody will ever see to it."""
        with self._changed:
            if self._over:
                return False
            self._push(item)
            return True

    def close(self, closing: Closing) -> None:
        """Let nothing more come. What is there is given out at once."""
        with self._changed:
            self._settle()
            self.closing = closing
            self._changed.notify()

    def _settle(self) -> None:
        """Let an item stand for what was shed."""
        if self._shed:
            self._push(self._shed)
            self._shed = None

    def give_up(self) -> None:
        """Tell the thread to stop where writing fails."""
        with self._changed:
            self._given_up = True
            self._changed.notify()

    # Emptied --------------------------------------------------------------------------------------------

    def take(self, until: float | None) -> list[QueueEntry] | None:
        """Wait for something to write, and for company for it, and return all there is.

        Args:
            until: when to return with nothing, of `time.monotonic`; None: never.

        Returns:
            None when nothing more will come.
        """
        with self._changed:
            while not self._is_due():
                if self.closing:
                    return None
                left = self._patience(until)
                if left is not None and left <= 0:
                    return []
                self._changed.wait(left)
            items, self._items = self._items, []
            self._waiting_bytes = 0
            self.taken_since, self.since = self.since, None
            return items

    def _is_due(self) -> bool:
        if self.since is None:
            return False
        waited = monotonic() - self.since >= self._flush_seconds
        return waited or self._waiting_bytes >= self._flush_bytes or self.closing is not None

    def _patience(self, until: float | None) -> float | None:
        """Return the seconds until there may be something to do; None where only something new would change that."""
        ends = [] if until is None else [until]
        if self.since is not None:
            ends.append(self.since + self._flush_seconds)
        return min(ends) - monotonic() if ends else None

    def written(self, size: int) -> bool:
        """Note that records of this length are on the disk. Return whether there is room again by that."""
        with self._changed:
            self.bytes -= size
            if not self.full or self.bytes > self._queue_bytes // 2:
                return False
            self.full = False
            self._settle()
            return True

    def gives_up(self, timeout: float) -> bool:
        """Wait for that many seconds, or until told to give up; return whether told so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._given_up, timeout)

    def end(self) -> list[QueueEntry]:
        """Take no more commands; return what nobody will see to."""
        with self._changed:
            self._over = True
            items, self._items = self._items, []
            return items
