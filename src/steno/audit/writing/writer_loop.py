"""What the thread of the audit log does: takes what waits, writes it until it is on the disk, keeps house between. I/O.

Keeping house: segments turned by their age, the head told, old segments let go, what was found told to others.
"""

import errno
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import monotonic, time_ns
from typing import Final

from msgspec import Struct

from steno.audit import log_records
from steno.audit.writing.log import AuditLog
from steno.audit.writing.queue import Call, Fact, Pending, Queue, QueueEntry, Rotation, Shed, moment_of, size_of
from steno.audit.writing.retention import Retention, RetentionPolicy
from steno.timestamps import Micros, timestamp

REASONS: Final = {
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EFBIG: "no_space",
    errno.EROFS: "read_only",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
}
"""Why a write failed, in the words that are counted; every other error is `io`."""


class Schedule(Struct, frozen=True, kw_only=True):
    """When what is done. None: never for this reason."""

    flush_bytes: int
    """The length of the records that are written together."""
    retry_seconds: float
    """How long after a failed write the next one is tried."""
    segment_seconds: float | None
    """The age at which a segment is closed."""
    checkpoint_records: int | None
    checkpoint_seconds: float | None
    """After how many records, and after how long, the head is told."""


class Hooks(Struct, frozen=True, kw_only=True):
    """Who is told, by the writing thread."""

    before_flush: Callable[[], None]
    on_room: Callable[[], None]
    on_checkpoint: Callable[[int, str, str | None], None]
    on_damage: Callable[[str, str], None]
    on_retired: Callable[[int], None]
    on_undeleted: Callable[[str, str], None]
    on_mistake: Callable[[Exception], None]


class WriterLoop:
    """Empties `queue` into `log`. All it holds changes in the writing thread only; counters are read by others."""

    def __init__(
        self,
        log: AuditLog,
        queue: Queue,
        policy: RetentionPolicy,
        schedule: Schedule,
        hooks: Hooks,
        now: Callable[[], Micros | None],
    ) -> None:
        """Do nothing before `run`."""
        self._log = log
        self._queue = queue
        self._schedule = schedule
        self._hooks = hooks
        self._now = now
        self._items: list[QueueEntry] = []
        """What was taken from the queue and is not on the disk yet."""
        self._segment = log.path
        self._segment_since = self._checkpoint_since = monotonic()
        self._unchecked = 0
        """Records since the last checkpoint."""
        self._told = log.checkpoint
        self._retires = True
        """Whether it is time to look for segments that are to go."""
        self.retention = Retention(log, policy)
        self.writing_since: float | None = None
        """When the attempt to write began that is under way, of `time.monotonic`."""
        self.write_errors = dict.fromkeys(("no_space", "read_only", "io", "permission"), 0)
        self.failing: str | None = None
        self.checkpoints = 0
        self.damaged_segments = 0
        self.internal_errors = 0

    def run(self) -> None:
        """Write what comes until nothing more will, and end or leave the log. What the thread runs."""
        try:
            if not self._work() or not self._end():
                self._log.release()
        finally:
            _cancel([*self._items, *self._queue.end()])

    def _work(self) -> bool:
        """Write what comes until nothing more will; return False when told to give up before."""
        while (items := self._queue.take(self._next_chore())) is not None:
            self._items = items
            if not all(map(self._write, _pieces(items, self._schedule.flush_bytes))):
                return False
            self._items = []
            self._queue.taken_since = None
            if not self._chores():
                return False
        return True

    def _end(self) -> bool:
        closing = self._queue.closing
        return closing is not None and closing.in_order and self._persist(lambda: self._log.close(closing.at))

    # Records --------------------------------------------------------------------------------------------

    def _write(self, items: Iterable[QueueEntry]) -> bool:
        """Put a piece of the queue on the disk; return False when told to give up before."""
        size = 0
        for item in items:
            size += size_of(item)
            if isinstance(item, Call):
                if not self._persist(self._log.flush):
                    return False
                _run_call(item)
            else:
                self._add(item)
        if not self._persist(self._log.flush):
            return False
        if self._queue.written(size):
            self._hooks.on_room()
        return True

    def _add(self, item: Fact | Rotation | Shed) -> None:
        """Add to the log what is not on the disk yet."""
        if isinstance(item, Rotation):
            self._log.rotate(item.at, item.writing)
            return
        if isinstance(item, Shed):
            first_at, last_at = moment_of(item.first), moment_of(item.last)
            self._log.append(log_records.gap(self._now(), "shed", item.facts, first_at, last_at))
        else:
            self._log.append(item if isinstance(item, bytes) else self._encoded(item))
        self._unchecked += 1
        if self._unchecked == self._schedule.checkpoint_records:
            self._check()

    def _encoded(self, pending: Pending) -> bytes:
        try:
            while True:
                try:
                    return pending.entry()
                except OSError as error:  # its words go to a file, which cannot be read now
                    self.failing = self._failed(error)
                    if self._queue.gives_up(self._schedule.retry_seconds):
                        raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not end the log
            self.internal_errors += 1
            self._hooks.on_mistake(error)
            return log_records.gap(pending.at, "internal_error", 1, pending.at, pending.at)

    # Written --------------------------------------------------------------------------------------------

    def _persist(self, write: Callable[[], None]) -> bool:
        """Write until it goes well; return False when told to give up before."""
        while not self._tried(write):
            if self._queue.gives_up(self._schedule.retry_seconds):
                return False
        return True

    def _tried(self, write: Callable[[], None]) -> bool:
        self.writing_since = monotonic()
        try:
            self._hooks.before_flush()
            write()
        except OSError as error:
            self.failing = self._failed(error)
        else:
            self.failing = None
        finally:
            self.writing_since = None
        self._notice()
        return self.failing is None

    def _failed(self, error: OSError) -> str:
        """Count what failed, and return the reason."""
        reason = REASONS.get(error.errno or 0, "io")
        self.write_errors[reason] += 1
        return reason

    def _notice(self) -> None:
        """Tell what has happened to the log since the last attempt to write."""
        for each in self._log.damages():
            self.damaged_segments += 1
            self._hooks.on_damage(each.segment, each.damage)
        if self._segment != self._log.path:
            self._segment, self._segment_since = self._log.path, monotonic()
            self._retires = True
        told = self._log.checkpoint
        if told and told is not self._told:
            self._told = told
            self.checkpoints += 1
            self._retires = True
            self._hooks.on_checkpoint(told.seq, told.hash.hex(), None if told.at is None else timestamp(told.at))

    # Chores ---------------------------------------------------------------------------------------------

    def _next_chore(self) -> float | None:
        """Return when something is to be done although nothing comes, of `time.monotonic`."""
        if self._retires:
            return 0.0
        segment, checkpoint = self._schedule.segment_seconds, self._schedule.checkpoint_seconds
        times = [
            *([] if segment is None else [self._segment_since + segment]),
            *([] if checkpoint is None else [self._checkpoint_since + checkpoint]),
        ]
        return min(times, default=None)

    def _chores(self) -> bool:
        """Do what is due; return False when told to give up before."""
        now = monotonic()
        segment, checkpoint = self._schedule.segment_seconds, self._schedule.checkpoint_seconds
        is_old = segment is not None and now >= self._segment_since + segment
        is_unchecked = checkpoint is not None and now >= self._checkpoint_since + checkpoint
        if is_old:
            self._log.rotate(self._now())
        if is_unchecked:
            self._check()
        if (is_old or is_unchecked) and not self._persist(self._log.flush):
            return False
        return self._retire() if self._retires else True

    def _check(self) -> None:
        self._log.check(self._now())
        self._unchecked = 0
        self._checkpoint_since = monotonic()

    def _retire(self) -> bool:
        """Let old segments go; return False when told to give up before."""
        self._retires = False
        try:
            told = self.retention.tell(self._now(), time_ns())
            if told and not self._persist(self._log.flush):
                return False
            newest = self.retention.delete()
            if newest is not None:
                self._hooks.on_retired(newest)
        except OSError as error:
            self._hooks.on_undeleted(Path(str(error.filename)).name, self._failed(error))
        return True


def _pieces(items: Iterable[QueueEntry], size: int) -> Iterator[list[QueueEntry]]:
    """Yield what is written together: records of about that length."""
    piece: list[QueueEntry] = []
    length = 0
    for item in items:
        piece.append(item)
        length += size_of(item)
        if length >= size:
            yield piece
            piece, length = [], 0
    if piece:
        yield piece


def _run_call(call: Call) -> None:
    if not call.future.set_running_or_notify_cancel():
        return
    try:
        call.function()
    except BaseException as error:  # noqa: BLE001  # the future hands it to whoever asked
        call.future.set_exception(error)
    else:
        call.future.set_result(None)


def _cancel(items: Iterable[QueueEntry]) -> None:
    """Tell those who wait for what will not be."""
    for item in items:
        if isinstance(item, Call):
            item.future.cancel()
