"""An audit log that is open for writing: its lock, its numbers and its chain, its segments. I/O.

Records are linked at once and kept in memory until `flush` has put them on the disk. Only `open`, `flush`,
`submit` and `close` do I/O, so that whoever writes decides when, and may try again: what failed to be written
is still there.
"""

import os
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
from msgspec import Struct

from steno.audit.format import CLOSED, OPENED, Opened, algorithm, entry, key_id, link, moment
from steno.audit.segments import Recovered, Segment, prepare, recover, take
from steno.core.frame import Micros

SUBMIT_BYTES: Final = 1024 * 1024
"""What `submit` keeps in memory before it flushes: enough that waiting for the disk costs little a record."""


class Writing(Struct, frozen=True, kw_only=True):
    """What each `log.opened` tells of the one who writes."""

    version: str
    config_digest: str
    content_policy: str
    key: bytes | None = None


class _Part:
    """Records of one segment that are not on the disk yet."""

    __slots__ = ("lines", "segment")

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.lines: list[bytes] = []


class AuditLog:
    """One writer of one folder. Not for use by several threads at once.

    As a context manager it writes what was added and lets go of the folder at the end. It ends the log in
    order only where `close` was called: one that was left otherwise says so by what is missing, `log.closed`.
    """

    def __init__(
        self,
        directory: Path,
        lock: int,
        writing: Writing,
        segment_bytes: int,
        end: Recovered,
    ) -> None:
        """Continue after `end`; use `open`."""
        self.directory = directory
        self.seq = end.seq
        """The number of the last record, on the disk or not."""
        self.head = end.hash
        """The hash of that record, as 32 raw bytes."""
        self.flushed_seq = end.seq
        """The number of the last record that is on the disk."""
        self.flushed_records = 0
        """Records put on the disk since this log was opened."""
        self.unflushed_bytes = 0
        """The length of the records that are not on the disk yet."""
        self._lock = lock
        self._writing = writing
        self._segment_bytes = segment_bytes
        self._size = 0
        """The length of the segment that records are added to, when all is written."""
        self._parts: deque[_Part] = deque()
        """The last one is added to; those before it are written first."""
        self.ended = False
        """Whether `log.closed` is on the disk."""
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
        writing = Writing(
            version=version,
            config_digest=config_digest,
            content_policy=content_policy,
            key=key,
        )
        prepare(directory)
        lock = take(directory)
        try:
            end = recover(directory)
        except BaseException:
            os.close(lock)
            raise
        log = cls(directory, lock, writing, segment_bytes, end)
        try:
            log._begin(at, end.recovered_bytes)
            log.flush()
        except BaseException:
            log.release()
            raise
        return log

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
        if self._ending:
            raise ValueError("the audit log has ended")
        if self._size >= self._segment_bytes:
            self.rotate(moment(entry))
        self._link(entry)

    def submit(self, entry: bytes) -> None:
        """Add one record, and write when there is enough to write. The same name as the writer's thread has.

        When this raises OSError the record was added all the same.
        """
        self.append(entry)
        if self.unflushed_bytes >= SUBMIT_BYTES:
            self.flush()

    def rotate(self, at: Micros | None, config_digest: str | None = None) -> None:
        """End the segment in order and begin the next one. Both are written by the next `flush`.

        From here on the log is written under the configuration that `config_digest` names, where it is given.
        """
        if config_digest is not None:
            self._writing = msgspec.structs.replace(self._writing, config_digest=config_digest)
        self._end(at, "rotated")
        self._begin(at, 0)

    def _begin(self, at: Micros | None, recovered_bytes: int) -> None:
        self._parts.append(_Part(Segment(self.directory, self.seq + 1)))
        self._size = 0
        writing = self._writing
        opened = Opened(
            version=writing.version,
            algorithm=algorithm(writing.key),
            key_id=key_id(writing.key),
            config_digest=writing.config_digest,
            content_policy=writing.content_policy,
            previous=self.head.hex(),
            recovered_bytes=recovered_bytes,
        )
        self._link(entry(at, OPENED, None, None, None, msgspec.json.encode(opened)))

    def _end(self, at: Micros | None, reason: str) -> None:
        self._link(entry(at, CLOSED, None, None, None, msgspec.json.encode({"reason": reason})))

    def _link(self, entry: bytes) -> None:
        line, self.head = link(self.seq + 1, entry, self.head, self._writing.key)
        self.seq += 1
        self._size += len(line)
        self.unflushed_bytes += len(line)
        self._parts[-1].lines.append(line)

    # Written --------------------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The segment that the next flush writes to first."""
        return self._parts[0].segment.path

    def flush(self) -> None:
        """Write what was added, and return when it is on the disk.

        When this raises OSError, what was not written is kept, and the next flush tries again from there.
        """
        while not self.released:
            part = self._parts[0]
            if part.lines:
                self._write(part)
            if len(self._parts) == 1:
                return
            part.segment.close()
            self._parts.popleft()

    def _write(self, part: _Part) -> None:
        data = b"".join(part.lines)
        part.segment.write(data)
        self.flushed_seq += len(part.lines)
        self.flushed_records += len(part.lines)
        self.unflushed_bytes -= len(data)
        part.lines.clear()

    # Closed ---------------------------------------------------------------------------------------------

    def close(self, at: Micros | None) -> None:
        """End the log in order: its last record is `log.closed`, and all is on the disk. Then let go of it.

        When this raises OSError it may be called again. A second call after it went well does nothing.
        """
        if self.released:
            return
        if not self._ending:
            self._end(at, "closed")
            self._ending = True
        self.flush()
        self.ended = True
        self.release()

    def release(self) -> None:
        """Let go of the folder as it is, for another to write in. What was not flushed is lost."""
        if self.released:
            return
        self._ending = True
        for part in self._parts:
            part.segment.close()
        os.close(self._lock)
        self._lock = -1

    @property
    def released(self) -> bool:
        """Whether the folder was let go of."""
        return self._lock < 0
