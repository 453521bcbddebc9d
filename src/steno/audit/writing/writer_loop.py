"""The loop of the writing thread: take what waits, write it until it is on the disk, do maintenance in between. I/O.

Maintenance is what a log needs although no record comes: segments closed by their age, checkpoints, retention.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Final

from msgspec import UNSET

from steno.audit import log_records
from steno.audit.log_records import Cursor
from steno.audit.writing.batch import records_from
from steno.audit.writing.interface import CompanionFiles, WriterObserver, WriterOptions
from steno.audit.writing.log import AuditLog
from steno.audit.writing.maintenance import Maintenance
from steno.audit.writing.progress import Mark, Marks
from steno.audit.writing.queue import Call, Pending, Queue, QueueEntry, Rotation, Shed
from steno.audit.writing.retention import Retention
from steno.output_errors import DISK_REASONS
from steno.timestamps import Micros

CLOSING_BYTES: Final = 4 * 1024 * 1024
"""How much of the queue is still encoded in full once the log is to end: a second of work at the worst."""


class WriterLoop:
    """Empties `queue` into `log`. Only the writing thread changes it; other threads read its counters.

    Methods that write return whether to go on: False where the writer was asked to give up while a write failed.
    """

    def __init__(
        self,
        log: AuditLog,
        queue: Queue,
        options: WriterOptions,
        observer: WriterObserver,
        files: CompanionFiles,
        now: Callable[[], Micros],
    ) -> None:
        """Do nothing before `run`. `now` is the time of the records that the thread itself adds."""
        self._log = log
        self._queue = queue
        self._options = options
        self._observer = observer
        self._files = files
        self._now = now
        self._maintenance = Maintenance(
            segment_seconds=options.segment_seconds,
            checkpoint_seconds=options.checkpoint_seconds,
            checkpoint_records=options.checkpoint_records,
            now=monotonic(),
        )
        self._taken: list[QueueEntry] = []
        """What was taken from the queue and is not on the disk yet."""
        self._segment = log.path
        self._checkpoint = log.checkpoint
        """The segment and the checkpoint that were reported last."""
        self._restating = True
        """Whether the segment is to have all cursors again, so that nobody looks for them far behind."""
        self.retention = Retention(log, options.retention)
        self.writing_since: float | None = None
        """When the attempt to encode or to write began that is under way, of `time.monotonic`."""
        self._closing_bytes = CLOSING_BYTES
        self.write_errors = dict.fromkeys(("no_space", "read_only", "io", "permission"), 0)
        self.failing: str | None = None
        self.checkpoints = 0
        self.damaged_segments = 0
        self.internal_errors = 0

    def run(self) -> None:
        """Write what comes until nothing more will, then end the log or leave it. This is what the thread runs."""
        try:
            if not self._write_all() or not self._end():
                self._log.release()
        finally:
            # Whoever waits for a call must not wait for ever, whatever has ended the thread.
            _cancel_calls([*self._taken, *self._queue.end()])

    def _write_all(self) -> bool:
        while (taken := self._queue.take(self._maintenance.next_at(), restate=self._restating)) is not None:
            self._taken = taken
            self._restating = self._restating and not taken
            if not all(map(self._write, _pieces(taken, self._options.flush_bytes))):
                return False
            self._taken = []
            self._queue.taken_since = None
            if not self._maintain():
                return False
        return True

    def _end(self) -> bool:
        closing = self._queue.closing
        return closing is not None and closing.in_order and self._persist(lambda: self._log.close(closing.at))

    # Records --------------------------------------------------------------------------------------------

    def _write(self, entries: Sequence[QueueEntry]) -> bool:
        """Put a piece of the queue on the disk."""
        size = 0
        marks: list[Mark] = []
        place = 0
        while place < len(entries):
            entry = entries[place]
            if isinstance(entry, bytes):  # nearly all
                records = records_from(entries, place)
                place += len(records)
                size += sum(map(len, records))
                self._add_records(records)
                continue
            place += 1
            size += entry.size
            if isinstance(entry, Call):
                # A call may read the log, and may add to it: all before it is on the disk, nothing after it is added.
                if not self._persist(self._log.flush):
                    return False
                _run_call(entry)
            elif isinstance(entry, Marks):
                marks += entry.marks
                self._add_cursors(entry)
            else:
                self._add(entry)
        if not self._persist(self._log.flush):
            return False
        if self._queue.written(size):
            self._observer.room()
        if marks:
            self._observer.flushed(marks)
        return True

    def _add(self, entry: Pending | Rotation | Shed) -> None:
        """Add to the log what is not on the disk yet."""
        if isinstance(entry, Rotation):
            self._log.rotate(entry.at, entry.settings)
            return
        if isinstance(entry, Shed):
            body = (entry.count, entry.first_at, entry.last_at, entry.sources)
            self._add_records([log_records.gap(self._now(), "shed", *body)])
        else:
            self._add_records([self._encoded(entry)])

    def _add_records(self, records: Sequence[bytes]) -> None:
        """Add records to the log, and a checkpoint wherever they are enough for one."""
        while records:
            count = self._maintenance.records_left
            self._log.extend(records[:count])
            if self._maintenance.records_added(min(count, len(records))):
                self._add_checkpoint()
            records = records[count:]

    def _add_cursors(self, entry: Marks) -> None:
        """Add a cursor for each sender that has a name and news; for all of them where they are stated again."""
        named = [mark for mark in entry.marks if mark.progress.name is not None]
        for mark in named:
            if entry.restated or mark != mark.progress.written:
                mark.progress.written = mark
                of = len(named) if entry.restated else UNSET
                parts = mark.former if len(mark.former) > 1 else UNSET
                former = sum(mark.former)
                body = Cursor(mark.progress.name or "", mark.stream, mark.frame, mark.records, former, of, parts)
                self._add_records([log_records.cursor(self._now(), body)])

    def _encoded(self, pending: Pending) -> bytes:
        brief = self._is_late(pending)
        try:
            while True:
                self.writing_since = monotonic()
                try:
                    return pending.entry(brief=brief)
                except OSError as error:  # its content goes to a file, which cannot be read now
                    self.failing = self._count_error(error)
                    self.writing_since = None
                    if self._queue.wait_given_up(self._options.retry_seconds):
                        raise
        except Exception as error:  # noqa: BLE001  # whatever the bug is, it must not end the log
            self.internal_errors += 1
            self._observer.mistake(error)
            return log_records.gap(pending.at, "internal_error", 1, pending.at, pending.at)
        finally:
            self.writing_since = None

    def _is_late(self, pending: Pending) -> bool:
        """Return whether a record is one of too many that wait although the log is to end: then it is encoded briefly.

        A process that stops has seconds. It is counted in bytes of the queue, and no record is lost by it.
        """
        if self._queue.closing is None:
            return False
        self._closing_bytes -= pending.size
        return self._closing_bytes < 0

    # Written --------------------------------------------------------------------------------------------

    def _persist(self, write: Callable[[], None]) -> bool:
        """Write until it succeeds."""
        while not self._attempt(write):
            if self._queue.wait_given_up(self._options.retry_seconds):
                return False
        return True

    def _attempt(self, write: Callable[[], None]) -> bool:
        """Write once; return whether it succeeded."""
        self.writing_since = monotonic()
        try:
            self._files.flush()  # first: no record on the disk refers to what is not
            write()
        except OSError as error:
            self.failing = self._count_error(error)
        else:
            self.failing = None
        finally:
            self.writing_since = None
        self._report()
        return self.failing is None

    def _count_error(self, error: OSError) -> str:
        reason = DISK_REASONS.get(error.errno, "io")
        self.write_errors[reason] += 1
        return reason

    def _report(self) -> None:
        """Report what happened to the log in the last attempt. One that failed may have begun a segment too."""
        for damaged in self._log.damages():
            self.damaged_segments += 1
            self._observer.damaged(damaged)
        if self._segment != self._log.path:
            self._segment = self._log.path
            self._maintenance.segment_begun(monotonic())
        checkpoint = self._log.checkpoint
        if checkpoint and checkpoint is not self._checkpoint:
            self._checkpoint = checkpoint
            self.checkpoints += 1
            self._maintenance.checkpoint_flushed()
            self._observer.checkpoint(checkpoint)

    # Maintenance ----------------------------------------------------------------------------------------

    def _maintain(self) -> bool:
        """Do what is due."""
        now = monotonic()
        rollover, checkpoint = self._maintenance.rollover_due(now), self._maintenance.checkpoint_due(now)
        if rollover:
            self._log.rotate(self._now())
        if checkpoint:
            self._add_checkpoint()
        if (rollover or checkpoint) and not self._persist(self._log.flush):
            return False
        return self._retire() if self._maintenance.retention_due else True

    def _add_checkpoint(self) -> None:
        self._log.add_checkpoint(self._now())
        self._maintenance.checkpoint_added(monotonic())

    def _retire(self) -> bool:
        """Delete old segments, once the log records on the disk that they go."""
        self._maintenance.retention_due = False
        waited = self.retention.waits
        try:
            if self.retention.announce(self._now()) and not self._persist(self._log.flush):
                return False
            newest_ns = self.retention.delete(self._observer.retired)
            if newest_ns is not None:
                self._files.retire(newest_ns)
        except OSError as error:
            # No reason to stop writing: what is left is tried again when retention is due the next time.
            self._observer.undeleted(Path(str(error.filename)).name, self._count_error(error))
        if waited != self.retention.waits:
            self._observer.held(self.retention.held, self.retention.ages)
        return True


def _pieces(entries: Sequence[QueueEntry], size: int) -> Iterator[Sequence[QueueEntry]]:
    """Yield what is written together: entries of about `size` bytes."""
    first = length = 0
    for place, entry in enumerate(entries):
        if length >= size and not isinstance(entry, Marks):  # they go with what stands before them
            yield entries[first:place]
            first, length = place, 0
        length += len(entry) if isinstance(entry, bytes) else entry.size
    if entries:
        yield entries[first:]


def _run_call(call: Call) -> None:
    if not call.future.set_running_or_notify_cancel():
        return
    try:
        call.function()
    except BaseException as error:  # noqa: BLE001  # the future hands it to whoever asked
        call.future.set_exception(error)
    else:
        call.future.set_result(None)


def _cancel_calls(entries: Iterable[QueueEntry]) -> None:
    for entry in entries:
        if isinstance(entry, Call):
            entry.future.cancel()
