"""An audit log that is open for writing: its lock, its numbers and its chain, its segments. I/O.

Entries wait in memory without numbers. `flush` numbers and chains them, puts them on the disk, and only then counts
them. What could not be written still waits, and the next flush numbers it anew, in another segment if need be. So
`append`, `add_checkpoint` and `rotate` do no I/O, and whoever calls `flush` decides when, and may try again.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from steno.audit import log_records
from steno.audit.directory import lock_folder, prepare
from steno.audit.log_records import Damaged, SegmentSettings
from steno.audit.record import time_of
from steno.audit.writing.batch import (
    Batch,
    BatchEntry,
    ChainHead,
    CheckpointMark,
    Rollover,
    SegmentStart,
    records_from,
)
from steno.audit.writing.recovery import Recovered, cut, recover
from steno.audit.writing.segment import Segment
from steno.audit.writing.tamper_watch import TamperWatch
from steno.timestamps import Micros


class AuditLog:
    """The one writer of one folder. Not for use by several threads at once.

    As a context manager it writes what was added and releases the folder at the end. It ends the log in order only
    where `close` was called. A log that was left otherwise shows it: its last segment has no `log.closed`.
    """

    def __init__(
        self, directory: Path, lock: int, settings: SegmentSettings, segment_bytes: int, end: Recovered
    ) -> None:
        """Continue after `end`. Use `open`."""
        self.directory = directory
        self.flushed_seq = end.seq
        """Number of the last record that is on the disk."""
        self.head = end.hash
        """Hash of that record, as 32 raw bytes."""
        self.log_id = end.log_id
        """Which log it is: the hash of its first record, in hex. None where an older edition began it, and did not say.
        """
        self.flushed_records = 0
        """Records put on the disk since this log was opened."""
        self.unflushed_bytes = 0
        """Length of the entries that are not on the disk yet."""
        self.checkpoint: ChainHead | None = None
        """What the last `log.checkpoint` names that is on the disk."""
        self.ended = False
        """Whether `log.closed` is on the disk."""
        self.settings = settings
        """How the segment is written that the next entry belongs to."""
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._waiting: list[BatchEntry] = []
        self._segment = Segment(directory, end.seq + 1)
        self._segment_settings = settings
        self._start: SegmentStart | None = None
        """Set while the segment holds nothing yet."""
        self._watch = TamperWatch(directory)
        self._closely = False
        """Whether the next look at closed segments is a close one."""
        self._unreported: list[Damaged] = []
        self._ending = False
        self._detached = False

    # Opened ---------------------------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        directory: Path,
        settings: SegmentSettings,
        *,
        at: Micros | None,
        segment_bytes: int,
        nonce: str | None = None,
    ) -> Self:
        """Lock the folder, repair what the last writer left unfinished, and begin a new segment.

        Args:
            directory: the folder; made if it is not there.
            settings: how the log is written from here on.
            at: the time of the record that begins the segment; None in the replay of a recording without times.
            segment_bytes: the size past which a segment is closed and the next one begun.
            nonce: stands in the first record of a log that is new, so that no other log has the same.

        Raises:
            UnavailableError: another steno writes there.
            DataError: the folder holds a log that cannot be continued.
            OSError: the folder or a file cannot be made, read or written.
        """
        prepare(directory)
        lock = lock_folder(directory)
        try:
            end = recover(directory)
        except BaseException:
            os.close(lock)
            raise
        log = cls(directory, lock, settings, segment_bytes, end)
        try:
            log._begin(at, end, nonce)
        except BaseException:
            log.release()
            raise
        return log

    def _begin(self, at: Micros | None, end: Recovered, nonce: str | None) -> None:
        self._start = SegmentStart(at, end.recovered_bytes, None if end.seq else nonce)
        self._write_batch()
        if end.seq == 0:
            self.log_id = self.head.hex()
        # Only now that the new segment records how much was torn: see `recovery`.
        if end.torn:
            cut(end.torn)
        self._watch.add_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._detached:
            return
        try:
            self.flush()
        except OSError:
            if kind is None:
                raise
        finally:
            self.release()

    def detach(self) -> None:
        """Leave the end of this log to a thread: leaving the `with` block does nothing from now on."""
        self._detached = True

    # Added to -------------------------------------------------------------------------------------------

    def append(self, entry: bytes) -> None:
        """Add one record, from what `record.entry` returned. Nothing is written before `flush`."""
        self._add(entry)
        self.unflushed_bytes += len(entry)

    def extend(self, entries: Sequence[bytes]) -> None:
        """Add many, as `append` adds one."""
        self._add(*entries)
        self.unflushed_bytes += sum(map(len, entries))

    def add_checkpoint(self, at: Micros | None) -> None:
        """Add a `log.checkpoint`. The flush that writes it also looks closely for damage of closed segments."""
        self._add(CheckpointMark(at))
        self._closely = True

    def rotate(self, at: Micros | None, settings: SegmentSettings | None = None) -> None:
        """End the segment in order and begin the next one. Both are written by the next `flush`.

        Args:
            at: the time of the records of both.
            settings: how the log is written from here on, its key included. None: as before.
        """
        self.settings = settings or self.settings
        self._add(Rollover(at, "rotated", self.settings))

    def _add(self, *entries: BatchEntry) -> None:
        if self._ending:
            raise ValueError("the audit log has ended")
        self._waiting += entries

    # Written --------------------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The segment that the next flush writes to first."""
        return self._segment.path

    def flush(self) -> None:
        """Write what was added, and return when it is on the disk.

        When this raises OSError, what was not written is kept, and the next flush tries again from there.
        """
        while (self._waiting or self._start) and not self.released:
            self._look_for_damage()
            self._write_batch()

    def _write_batch(self) -> None:
        batch = self._next_batch()
        self._segment.write(batch.lines)
        self._commit(batch)

    def _next_batch(self) -> Batch:
        """Link what waits, as far as it belongs into this segment. Changes nothing: the write may fail."""
        batch = Batch(self.flushed_seq, self.head, self._segment_settings.key)
        if start := self._start:
            batch.add(self._opened(start))
        room = self._segment_bytes - self._segment.size
        if batch.seq == self._segment.first_seq:  # however small it is to be, a segment holds more than its beginning
            room = max(room, len(batch.lines) + 1)
        while batch.taken < len(self._waiting) and batch.rollover is None:
            entry = self._waiting[batch.taken]
            if isinstance(entry, Rollover):
                batch.taken += 1
                batch.end_segment(entry)
            elif len(batch.lines) >= room:
                batch.end_segment(Rollover(time_of(entry), "rotated", self._segment_settings))
            elif isinstance(entry, CheckpointMark):
                batch.taken += 1
                batch.add_checkpoint(entry.at)
            else:
                batch.taken += batch.add_all(records_from(self._waiting, batch.taken), room)
        return batch

    def _opened(self, start: SegmentStart) -> bytes:
        return log_records.opened(
            start.at,
            self._segment_settings,
            self.head,
            start.recovered_bytes,
            log_id=self.log_id,
            nonce=start.nonce,
        )

    def _commit(self, batch: Batch) -> None:
        """Count what is on the disk now."""
        self.flushed_records += batch.seq - self.flushed_seq
        self.flushed_seq, self.head = batch.seq, batch.head
        del self._waiting[: batch.taken]
        self.unflushed_bytes = sum(len(each) for each in self._waiting if isinstance(each, bytes))
        self._start = None
        self.checkpoint = batch.checkpoint or self.checkpoint
        if batch.rollover:
            self._roll_over(batch.rollover)

    def _roll_over(self, rollover: Rollover) -> None:
        if rollover.reason == "closed":
            self._segment.close()
            self.ended = True
            return
        self._watch_segment()
        self._segment_settings = rollover.settings
        self._next_segment(rollover.at)

    def _next_segment(self, at: Micros | None) -> None:
        """Go on in a new segment, whose file the next write makes."""
        self._segment.close()
        self._segment = Segment(self.directory, self.flushed_seq + 1)
        self._start = SegmentStart(at)

    # Damaged --------------------------------------------------------------------------------------------

    def damages(self) -> list[Damaged]:
        """Return the damage that was found since this was last called."""
        unreported, self._unreported = self._unreported, []
        return unreported

    def _look_for_damage(self) -> None:
        """Leave a segment that cannot be written any more, and record what somebody else did to this or another one."""
        segment = self._segment
        if self._start is None:
            segment.cut_dirty_tail()  # first: the tail of a failed write is no damage
            if damage := segment.damage():
                self._next_segment(time_of(self._waiting[0]))
                self._record_damage([Damaged(segment.path.name, damage, self.flushed_seq)])
            elif segment.abandoned:
                segment.leave()
                self._watch_segment()
                self._next_segment(time_of(self._waiting[0]))
        self._record_damage(self._watch.look(closely=self._closely))
        self._closely = False

    def _watch_segment(self) -> None:
        if self._segment.stamp:
            self._watch.add(self._segment.path.name, self._segment.stamp, self.flushed_seq)

    def _record_damage(self, found: list[Damaged]) -> None:
        """Put what was found before all that waits."""
        # The record is about what is on the disk already, so it precedes what is not.
        if found:
            at = self._start.at if self._start else time_of(self._waiting[0])
            entries = [log_records.damaged(at, each) for each in found]
            self._waiting[:0] = entries
            self.unflushed_bytes += sum(map(len, entries))
            self._unreported += found

    def forget(self, name: str) -> None:
        """Do not report it as damage that the segment `name` goes."""
        self._watch.forget(name)

    # Closed ---------------------------------------------------------------------------------------------

    def close(self, at: Micros | None) -> None:
        """End the log in order: its last record is `log.closed`, and all is on the disk. Then release the folder.

        When this raises OSError it may be called again. A second call after one that succeeded does nothing.
        """
        if self.released:
            return
        if not self._ending:
            self._add(Rollover(at, "closed", self.settings))
            self._ending = True
        self.flush()
        self.release()

    def release(self) -> None:
        """Let another writer have the folder as it is. What was not flushed is lost."""
        if self.released:
            return
        self._ending = True
        self._segment.close()
        os.close(self._lock)
        self._lock = -1

    @property
    def released(self) -> bool:
        """Whether the folder was released."""
        return self._lock < 0
