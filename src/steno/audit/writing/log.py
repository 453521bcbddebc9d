"""An audit log that is open for writing: its lock, its numbers and its chain, its segments. I/O.

Entries wait in memory without numbers. `flush` links them, puts them on the disk, and only then counts them: what
failed to be written is still there, and gets its numbers anew, in another segment if need be. So only `open`,
`flush` and `close` do I/O, and whoever writes decides when, and may try again.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from steno.audit import log_records
from steno.audit.directory import prepare, take
from steno.audit.log_records import Damage, Damaged, Writing
from steno.audit.writing.batch import Batch, BatchEntry, ChainHead, Checkpoint, Rollover, SegmentStart, moment_of
from steno.audit.writing.recovery import Recovered, cut, recover
from steno.audit.writing.segment import Segment
from steno.audit.writing.tamper_watch import TamperWatch
from steno.timestamps import Micros

__all__ = ["AuditLog", "Writing"]


class AuditLog:
    """One writer of one folder. Not for use by several threads at once.

    As a context manager it writes what was added and lets go of the folder at the end. It ends the log in
    order only where `close` was called: one that was left otherwise says so by what is missing, `log.closed`.
    """

    def __init__(self, directory: Path, lock: int, writing: Writing, segment_bytes: int, end: Recovered) -> None:
        """Continue after `end`; use `open`."""
        self.directory = directory
        self.flushed_seq = end.seq
        """The number of the last record, on the disk."""
        self.head = end.hash
        """The hash of that record, as 32 raw bytes."""
        self.flushed_records = 0
        """Records put on the disk since this log was opened."""
        self.unflushed_bytes = 0
        """The length of the entries that are not on the disk yet."""
        self.checkpoint: ChainHead | None = None
        """What the last `log.checkpoint` tells that is on the disk."""
        self.ended = False
        """Whether `log.closed` is on the disk."""
        self.writing = writing
        """How the segment is written that the next entry belongs to."""
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._pending: list[BatchEntry] = []
        self._segment = Segment(directory, end.seq + 1)
        self._segment_writing = writing
        self._beginning: SegmentStart | None = None
        """Set while the segment holds nothing yet."""
        self._watch = TamperWatch(directory)
        self._closely = False
        self._found: list[Damaged] = []
        self._ending = False
        self._detached = False

    # Opened ---------------------------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        version: str,
        config_digest: str,
        content_policy: str,
        at: Micros | None,
        segment_bytes: int,
        key: bytes | None = None,
    ) -> Self:
        """Take the folder, mend what the last writer left unfinished, and begin a new segment.

        Args:
            directory: the folder; made if it is not there.
            version: of steno.
            config_digest: names the configuration, without telling it.
            content_policy: what is kept of words.
            at: the time of the record that says so; None in the replay of a recording without times.
            segment_bytes: the size past which a segment is closed and the next one begun.
            key: the secret under which the log is hashed, if it is.

        Raises:
            UnavailableError: another steno writes there.
            DataError: the folder holds a log that cannot be continued.
            OSError: the folder or a file cannot be made, read or written.
        """
        writing = Writing(version=version, config_digest=config_digest, content_policy=content_policy, key=key)
        prepare(directory)
        lock = take(directory)
        try:
            end = recover(directory)
        except BaseException:
            os.close(lock)
            raise
        log = cls(directory, lock, writing, segment_bytes, end)
        try:
            log._begin(at, end)
        except BaseException:
            log.release()
            raise
        return log

    def _begin(self, at: Micros | None, end: Recovered) -> None:
        self._beginning = SegmentStart(at, end.recovered_bytes)
        self._write_group()
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
        """Add one record, from what `format.entry` returned. Nothing is written before `flush`."""
        self._add(entry)
        self.unflushed_bytes += len(entry)

    def check(self, at: Micros | None) -> None:
        """Add a `log.checkpoint`. The flush that writes it looks closely for damage of closed segments too."""
        self._add(Checkpoint(at))
        self._closely = True

    def rotate(self, at: Micros | None, writing: Writing | str | None = None) -> None:
        """End the segment in order and begin the next one. Both are written by the next `flush`.

        Args:
            at: the time of the records that say so.
            writing: how the log is written from here on, its key included; or only the digest of the
                configuration, where nothing else changed. None: as before.
        """
        if isinstance(writing, str):
            writing = replace(self.writing, config_digest=writing)
        self.writing = writing or self.writing
        self._add(Rollover(at, "rotated", self.writing))

    def _add(self, item: BatchEntry) -> None:
        if self._ending:
            raise ValueError("the audit log has ended")
        self._pending.append(item)

    # Written --------------------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The segment that the next flush writes to first."""
        return self._segment.path

    def flush(self) -> None:
        """Write what was added, and return when it is on the disk.

        When this raises OSError, what was not written is kept, and the next flush tries again from there.
        """
        while (self._pending or self._beginning) and not self.released:
            self._look()
            self._write_group()

    def _write_group(self) -> None:
        group = self._gathered()
        self._segment.write(b"".join(group.lines))
        self._count(group)

    def _gathered(self) -> Batch:
        """Link what waits, as far as it belongs into this segment."""
        group = Batch(self.flushed_seq, self.head, self._segment_writing.key)
        if begun := self._beginning:
            group.add(log_records.opened(begun.at, self._segment_writing, self.head, begun.recovered_bytes))
        room = self._segment_bytes - self._segment.size
        for item in self._pending:
            if isinstance(item, Rollover):
                group.taken += 1
                group.end(item)
                break
            # However small it is to be, a segment holds more than its beginning.
            if group.size >= room and group.seq > self._segment.first_seq:
                group.end(Rollover(moment_of(item), "rotated", self._segment_writing))
                break
            group.taken += 1
            if isinstance(item, bytes):
                group.add(item)
            else:
                group.check(item.at)
        return group

    def _count(self, group: Batch) -> None:
        """Count what is on the disk now."""
        self.flushed_seq, self.head = group.seq, group.head
        self.flushed_records += len(group.lines)
        del self._pending[: group.taken]
        self.unflushed_bytes = sum(len(each) for each in self._pending if isinstance(each, bytes))
        self._beginning = None
        self.checkpoint = group.told or self.checkpoint
        if group.turn:
            self._turned(group.turn)

    def _turned(self, turn: Rollover) -> None:
        self._segment.close()
        if turn.reason == "closed":
            self.ended = True
            return
        if self._segment.stamp:
            self._watch.add(self._segment.path.name, self._segment.stamp, self.flushed_seq)
        self._segment_writing = turn.writing
        self._go_on(turn.at)

    def _go_on(self, at: Micros | None) -> None:
        """Go on in a new segment."""
        self._segment = Segment(self.directory, self.flushed_seq + 1)
        self._beginning = SegmentStart(at)

    # Damaged --------------------------------------------------------------------------------------------

    def damages(self) -> list[Damaged]:
        """Return what was found to be damaged since this was last asked."""
        found, self._found = self._found, []
        return found

    def _look(self) -> None:
        """See to it that the segment can be written to, and tell what somebody else did to this or another one."""
        segment = self._segment
        if self._beginning is None:
            segment.mend()
            if damage := segment.damage():
                self._leave_damaged(damage)
            elif segment.abandoned and segment.stamp:
                segment.leave()
                self._watch.add(segment.path.name, segment.stamp, self.flushed_seq)
                self._go_on(moment_of(self._pending[0]))
        self._tell(self._watch.look(closely=self._closely))
        self._closely = False

    def _leave_damaged(self, damage: Damage) -> None:
        """Write no more where what is written is not kept as it was."""
        left = self._segment
        left.close()
        self._go_on(moment_of(self._pending[0]))
        self._tell([Damaged(left.path.name, damage, self.flushed_seq)])

    def _tell(self, found: list[Damaged]) -> None:
        """Put what was found before all that waits."""
        if found:
            at = self._beginning.at if self._beginning else moment_of(self._pending[0])
            entries = [log_records.damaged(at, each) for each in found]
            self._pending[:0] = entries
            self.unflushed_bytes += sum(map(len, entries))
            self._found += found

    def forget(self, name: str) -> None:
        """Take the segment `name` for one that may go."""
        self._watch.forget(name)

    # Closed ---------------------------------------------------------------------------------------------

    def close(self, at: Micros | None) -> None:
        """End the log in order: its last record is `log.closed`, and all is on the disk. Then let go of it.

        When this raises OSError it may be called again. A second call after it went well does nothing.
        """
        if self.released:
            return
        if not self._ending:
            self._add(Rollover(at, "closed", self.writing))
            self._ending = True
        self.flush()
        self.release()

    def release(self) -> None:
        """Let go of the folder as it is, for another to write in. What was not flushed is lost."""
        if self.released:
            return
        self._ending = True
        self._segment.close()
        os.close(self._lock)
        self._lock = -1

    @property
    def released(self) -> bool:
        """Whether the folder was let go of."""
        return self._lock < 0
