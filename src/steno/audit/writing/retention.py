"""Old segments deleted: which, recorded in `log.retired`, and deleted once that record is on the disk. I/O.

Whole closed segments go, the oldest first, never the newest. A writer that dies in between has recorded more than it
deleted. The next one records and deletes the rest again.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from msgspec import Struct

from steno.audit import log_records
from steno.audit.directory import read_opening, read_tail, segments, sync_folder
from steno.audit.record import segment_seq
from steno.audit.writing.log import AuditLog
from steno.errors import DataError
from steno.timestamps import Micros

NANOS: Final = 1_000_000_000


class SegmentFile(Struct, frozen=True):
    """A segment, and what decides whether it is deleted."""

    path: Path
    size: int
    mtime_ns: int
    """When its last record was written."""


class RetentionPolicy(Struct, frozen=True):
    """How much of a log is kept: all of it where both are None."""

    seconds: float | None = None
    """Age past which a segment is deleted: the time since its last record."""
    size_bytes: int | None = None
    """Size of the whole log past which the oldest segments are deleted."""


def due(kept: Sequence[SegmentFile], policy: RetentionPolicy, now_ns: int) -> int:
    """Return how many of the oldest segments are to be deleted.

    Args:
        kept: all segments of the log in order; the last one is being written and stays.
        policy: what is kept.
        now_ns: nanoseconds since 1970, by the clock that gives files their times.
    """
    total = sum(each.size for each in kept)
    for count, each in enumerate(kept[:-1]):
        too_old = policy.seconds is not None and now_ns - each.mtime_ns > policy.seconds * NANOS
        too_much = policy.size_bytes is not None and total > policy.size_bytes
        if not too_old and not too_much:
            return count
        total -= each.size
    return max(0, len(kept) - 1)


class Retention:
    """Deletes segments of one log. Used by the thread that writes the log."""

    def __init__(self, log: AuditLog, policy: RetentionPolicy) -> None:
        """Delete nothing yet."""
        self.deleted = 0
        """How many segments were deleted."""
        self._log = log
        self._policy = policy
        self._announced: set[str] = set()
        """Segments that `log.retired` names and that are still there: always the oldest."""

    def announce(self, at: Micros | None, now_ns: int) -> bool:
        """Add a `log.retired` where segments are to be deleted that none has named yet; return whether one was added.

        Raises OSError where the folder or a segment cannot be read.
        """
        if self._policy == RetentionPolicy():
            return False
        going = self._going(now_ns)
        # The record names the hash before what stays. Where neither the end of the last one nor the beginning of the
        # next can be read, that one stays until the next one goes too.
        while going and (boundary := _boundary(*going[-1])) is None:
            going.pop()
        if not going or boundary is None:
            return False
        names = [path.name for path, _ in going]
        self._log.append(log_records.retired(at, *boundary, names))
        self._announced.update(names)
        return True

    def _going(self, now_ns: int) -> list[tuple[Path, Path]]:
        """Return the segments that are to be deleted, each with the one after it."""
        newest = self._log.path.name
        kept = [_kept(path) for path in segments(self._log.directory) if path.name <= newest]
        count = due(kept, self._policy, now_ns)
        pairs = [(each.path, after.path) for each, after in pairwise(kept)]
        return [pair for pair in pairs[:count] if pair[0].name not in self._announced][: log_records.RETIRED_NAMES]

    def delete(self) -> int | None:
        """Delete what was announced, once that is on the disk; the oldest first, so that what is left has no hole.

        Returns when the last record in it was written, in nanoseconds since 1970; None where no file was there. Raises
        OSError, with the name of the file, where one cannot be deleted. It is tried again the next time.
        """
        newest: int | None = None
        for name in sorted(self._announced):
            self._log.forget(name)
            path = self._log.directory / name
            if path.exists():
                newest = path.stat().st_mtime_ns
                path.unlink()
            self._announced.discard(name)
            self.deleted += 1
            if not self._announced:
                sync_folder(self._log.directory)
        return newest


def _kept(path: Path) -> SegmentFile:
    status = path.stat()
    return SegmentFile(path, status.st_size, status.st_mtime_ns)


def _boundary(last: Path, after: Path) -> tuple[int, bytes] | None:
    """Return the number and the hash of the record before segment `after`; None where they cannot be read."""
    last_seq = (segment_seq(after.name) or 0) - 1
    try:
        return last_seq, bytes.fromhex(read_opening(after).previous)
    except (DataError, ValueError):
        pass
    try:
        end = read_tail(last)
    except DataError:
        return None
    return (last_seq, end.hash) if end.seq == last_seq else None
