"""The queue of the writing thread: records and commands in order, bounded in bytes.

`put` never waits for the disk. Once the queue is full, it either takes what comes all the same, and its caller stops
the sender; or it drops records, counts them, and puts one `Shed` in their place when there is room again.

A source whose sender is never stopped has half of the queue: `put_or_shed` drops a record that would not leave the
other half to those who wait. Whatever it sends, the queue never becomes full because of it. Its records are missing
between the last one that was taken before the `Shed` and the first one that is taken after it.
"""

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from time import monotonic
from typing import ClassVar, Protocol

from msgspec import Struct

from steno.audit.log_records import SegmentSettings
from steno.audit.record import time_of
from steno.audit.writing.progress import Marks, Progress
from steno.timestamps import Micros


class Pending(Protocol):
    """A record whose encoding takes long and is therefore left to the writing thread."""

    at: Micros | None
    """Its time."""
    size: int
    """About its length in bytes, and more where its encoding is much work."""

    def entry(self, *, brief: bool = False) -> bytes:
        """Return what `record.entry` returns; a `brief` one leaves out what takes long.

        An OSError may be raised, and leads to another attempt. Anything else that is raised is a bug, and a gap is
        recorded in place of the record.
        """


Submission = bytes | Pending
"""A record without its number: what `record.entry` returned, or still to be encoded."""


class Rotation(Struct, frozen=True):
    """A command: what comes after it belongs in a new segment."""

    size: ClassVar[int] = 0
    at: Micros
    settings: SegmentSettings


class Call(Struct, frozen=True):
    """A command: call a function when all before it is on the disk."""

    size: ClassVar[int] = 0
    function: Callable[[], None]
    future: "Future[None]"


class Shed(Struct, frozen=True):
    """Stands for the records that were dropped between the one before it and the one after it."""

    size: ClassVar[int] = 0
    count: int
    first_at: Micros | None
    """The times of the first and the last of them. The records are not kept: they may be long."""
    last_at: Micros | None
    sources: Mapping[str, int]
    """How many are of each source that sheds."""


class Closing(Struct, frozen=True):
    """How a queue ends."""

    at: Micros | None
    in_order: bool
    """Whether the log ends with `log.closed`, or is only written as far as it came."""


QueueEntry = Submission | Rotation | Call | Shed | Marks


class Queue:
    """Filled by any thread, emptied by one."""

    def __init__(self, *, queue_bytes: int, flush_bytes: int, flush_seconds: float, sheds: bool) -> None:
        """Begin empty. The arguments are those of `WriterOptions`."""
        self._queue_bytes = queue_bytes
        self._half = queue_bytes // 2
        self._flush_bytes = min(flush_bytes, queue_bytes)
        self._flush_seconds = flush_seconds
        self._sheds = sheds
        self._lock = threading.Lock()
        """Held for moments only."""
        self._changed = threading.Condition(self._lock)
        """The emptying thread alone waits for it."""
        # What follows changes under `_lock`. Single attributes are read without it.
        self._entries: list[QueueEntry] = []
        self._waiting_bytes = 0
        """Length of the records that wait."""
        self._taken_bytes = 0
        """Length of those that were taken and are not on the disk yet."""
        self._looked_at = 0.0
        """With how many bytes that wait `_look` is called. Where it is too low, that does no harm."""
        self._shed: Shed | None = None
        self._shed_sources: dict[str, int] = {}
        self._noted: list[Progress] = []
        self._given_up = False
        self._ended = False
        self.closing: Closing | None = None
        """Set once nothing more comes."""
        self.since: float | None = None
        """When the first entry that waits came, of `time.monotonic`."""
        self.taken_since: float | None = None
        """When the first of those came that were taken and are not on the disk yet."""
        self.full = False
        """Whether it became full and has not become half empty since."""
        self.whole = False
        """Whether no record is dropped for a moment, full or not: those of one message are taken or none."""
        self.shed_records = 0
        """Records dropped so far."""
        self.position = 0
        """Records taken so far."""
        self.senders: Callable[[], Iterable[Progress]] = tuple
        """Returns all senders that have a name."""

    @property
    def bytes(self) -> int:
        """Length of the records that are not on the disk yet. Never too low, whoever reads it."""
        return self._taken_bytes + self._waiting_bytes

    # Filled ---------------------------------------------------------------------------------------------

    @property
    def drops(self) -> bool:
        """Whether a record that comes now is dropped."""
        return self.full and self._sheds

    def put(self, record: Submission) -> bool:
        """Take one record, or drop it. Return whether the queue became full by it."""
        size = len(record) if isinstance(record, bytes) else record.size
        with self._lock:
            if self.full and self._sheds and not self.whole:
                self._drop(record)
                return False
            return self._take_in(record, size) and self._becomes_full()

    def put_or_shed(self, record: Submission, source: str) -> bool:
        """Take one record of a `source` that sheds, or drop it. Return whether it is the first that is dropped."""
        if isinstance(record, bytes):
            size = len(record)
        else:  # its work may be more than its half holds, and yet it is not to be dropped for ever
            size = record.size = min(record.size, self._half)
        with self._lock:
            if self.full or (self.bytes and self.bytes + size > self._half):
                began = self._shed is None
                self._drop(record, source)
                return began
            self._push_shed()  # so that it stands between what was taken before and this
            self._take_in(record, size)
            return False

    def _take_in(self, record: Submission, size: int) -> bool:
        """Take one record. Return whether it is one of the few that may have made the queue full."""
        self._entries.append(record)
        self.position += 1
        self._waiting_bytes = waiting = self._waiting_bytes + size
        if waiting < self._looked_at:  # nearly all
            return False
        self._look(waiting)
        return True

    def _look(self, waiting: int) -> None:
        """Wake the thread where there is a reason, and see with which record there may be the next one.

        It is woken twice a batch, not once a record: by the first one that waits, so that it waits for its time from
        then on, and by the one with which there is enough.
        """
        enough = waiting >= self._flush_bytes
        if self.since is None:
            self._begin_waiting()
        elif enough:
            self._changed.notify()
        full = math.inf if self.full else self._queue_bytes - self._taken_bytes
        self._looked_at = full if enough else min(self._flush_bytes, full)

    def _becomes_full(self) -> bool:
        if self.full or self.bytes < self._queue_bytes:
            return False
        self.full = True
        return True

    def _push(self, entry: QueueEntry) -> None:
        self._entries.append(entry)
        if self.since is None:
            self._begin_waiting()

    def _begin_waiting(self) -> None:
        self.since = monotonic()
        self._changed.notify()

    def _drop(self, record: Submission, source: str | None = None) -> None:
        self.shed_records += 1
        at, before = time_of(record), self._shed
        if source is not None:
            self._shed_sources[source] = self._shed_sources.get(source, 0) + 1
        count, first_at = (before.count + 1, before.first_at) if before else (1, at)
        self._shed = Shed(count, first_at, at, self._shed_sources)

    def note(self, progress: Progress) -> None:
        """Put a mark of `progress` behind what is taken next, even where that is nothing."""
        with self._lock:
            self._noted.append(progress)
            if self.since is None:
                self._begin_waiting()

    def command(self, command: Rotation | Call | Marks) -> bool:
        """Take a command, full or not. Return False after `end`, when nobody would carry it out."""
        with self._lock:
            if self._ended:
                return False
            self._push(command)
            return True

    def close(self, closing: Closing) -> None:
        """Let nothing more come. What waits is given out at once."""
        with self._lock:
            self._push_shed()
            self.closing = closing
            self._changed.notify()

    def _push_shed(self) -> None:
        if self._shed:
            self._push(self._shed)
            self._shed, self._shed_sources = None, {}

    def give_up(self) -> None:
        """Ask the emptying thread to stop where a write fails."""
        with self._lock:
            self._given_up = True
            self._changed.notify()

    # Emptied --------------------------------------------------------------------------------------------

    def take(self, until: float, *, restate: bool = False) -> list[QueueEntry] | None:
        """Wait until what waits is due, and return all of it. At its end are marks of the senders that were noted.

        Args:
            until: when to return with nothing, of `time.monotonic`.
            restate: whether to mark all senders that have a name as well.

        Returns:
            None when nothing more will come.
        """
        with self._lock:
            while not self._is_due():
                if self.closing:
                    return None
                left = self._next_due(until) - monotonic()
                if left <= 0:
                    return []
                self._changed.wait(left)
            entries, self._entries = self._entries, []
            entries += self._marks(restate=restate)
            # What was taken still counts in `bytes` and has its age until it is written: the disk may fail for hours.
            self._taken_bytes += self._waiting_bytes
            self._waiting_bytes = 0
            self._looked_at = 0.0
            self.taken_since, self.since = self.since, None
            return entries

    def _marks(self, *, restate: bool) -> Iterator[Marks]:
        noted, self._noted = self._noted, []
        if noted:
            yield Marks(tuple(progress.mark(self.position) for progress in noted))
        if restate and (senders := list(self.senders())):
            yield Marks(tuple(progress.mark(self.position) for progress in senders), restated=True)

    def _is_due(self) -> bool:
        if self.since is None:
            return False
        waited = monotonic() - self.since >= self._flush_seconds
        return waited or self._waiting_bytes >= self._flush_bytes or self.closing is not None

    def _next_due(self, until: float) -> float:
        return until if self.since is None else min(until, self.since + self._flush_seconds)

    def written(self, size: int) -> bool:
        """Note that records of this length are on the disk. Return whether there is room again because of that."""
        with self._lock:
            self._taken_bytes -= size
            if self.bytes > self._half:
                return False
            was_full, self.full = self.full, False
            self._looked_at = 0.0
            self._push_shed()  # here, before the next record is taken: it stands where the others are missing
            return was_full

    def wait_given_up(self, timeout: float) -> bool:
        """Wait for `timeout` seconds or until `give_up`; return whether that was called."""
        with self._lock:
            return self._changed.wait_for(lambda: self._given_up, timeout)

    def end(self) -> list[QueueEntry]:
        """Take no more commands. Return what nobody will carry out or write."""
        with self._lock:
            self._ended = True
            entries, self._entries = self._entries, []
            return entries
