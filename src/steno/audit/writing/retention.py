"""Old segments deleted: which, recorded in `log.retired`, and deleted once that record is on the disk. I/O.

Whole closed segments go, the oldest first, never the newest. A writer that dies in between has recorded more than it
deleted. The next one records and deletes the rest again.

Size needs no clock: what is over it goes at once. Age does, and the clock may be wrong. So age is counted as
`segment_age` says, and besides, what is too old goes in steps:

- The first step comes `SETTLE_SECONDS` after the start, and as long after each time that the clock was set: a clock
  that is wrong at boot is mostly corrected by then.
- One step deletes a quarter of the segments at most, and the next comes `STEP_SECONDS` later. So an operator who reads
  of the first in the operational log can still stop the rest.

Where segments are kept for less than a few days, both are shorter in proportion.
"""

import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

from msgspec import Struct

from steno.audit import log_records
from steno.audit.directory import opened_at, read_opening, read_tail, segments, sync_folder
from steno.audit.record import segment_seq
from steno.audit.writing.log import AuditLog
from steno.audit.writing.segment_age import DAY_NS, SECOND_NS, TRUST_NS, Ages, ages
from steno.errors import DataError
from steno.timestamps import Micros

SETTLE_SECONDS: Final = 600.0
"""Time from the start, or from a step of the clock, to the first deletion because of age."""
STEP_SECONDS: Final = 3_600.0
"""Time from one deletion because of age to the next."""
PROPORTION: Final = 100
"""Both are at most this part of the time for which segments are kept."""
SHARE: Final = 4
"""One step deletes at most this part of the segments, and one at least."""
STEPPED_NS: Final = 60 * SECOND_NS
"""How far wall time and monotonic time may differ from one look to the next; a clock that is slewed stays below."""


class SegmentFile(Struct, frozen=True):
    """A segment, and what decides whether it is deleted."""

    path: Path
    size: int
    mtime_ns: int
    """When its last record was written, by its file."""
    written_ns: int
    """The same by its file or by its first record, whichever is later."""


class RetentionPolicy(Struct, frozen=True):
    """How much of a log is kept: all of it where `seconds` and `size_bytes` are None."""

    seconds: float | None = None
    """Age past which a segment is deleted: the time since its last record."""
    size_bytes: int | None = None
    """Size of the whole log past which the oldest segments are deleted."""
    segment_seconds: float = 86_400.0
    """Age at which a segment is closed: so long may pass between the last records of two of them."""

    @property
    def ordinary_ns(self) -> int:
        """The longest pause between the last records of two segments that is nothing unusual."""
        return min(int(self.segment_seconds * SECOND_NS), TRUST_NS) + DAY_NS

    def shortened(self, seconds: float) -> float:
        """Return `seconds`, or less where segments are kept for a short time."""
        return seconds if self.seconds is None else min(seconds, self.seconds / PROPORTION)


class Clocks(Struct, frozen=True):
    """The clocks of the host."""

    wall_ns: Callable[[], int] = time.time_ns
    """Nanoseconds since 1970, as files have them."""
    steady_ns: Callable[[], int] = lambda: time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    """Nanoseconds since any point, never set. It goes on while the host sleeps, where the system has such a clock."""


HOST: Final = Clocks()


def over_size(kept: Sequence[SegmentFile], size_bytes: int | None) -> int:
    """Return how many of the oldest segments are to go for the log to be no larger; never the newest."""
    excess = sum(each.size for each in kept) - (size_bytes or 0)
    count = 0
    while size_bytes is not None and excess > 0 and count < len(kept) - 1:
        excess -= kept[count].size
        count += 1
    return count


class Retention:
    """Deletes segments of one log. Used by the thread that writes the log."""

    def __init__(self, log: AuditLog, policy: RetentionPolicy, clocks: Clocks = HOST) -> None:
        """Delete nothing yet."""
        self.deleted = 0
        """How many segments were deleted."""
        self.held = 0
        """How many are too old by the clock, and stay since that is doubted."""
        self.ages = Ages((), ())
        """How old the segments are, as of the last look."""
        self._log = log
        self._policy = policy
        self._clocks = clocks
        self._announced: set[str] = set()
        """Segments that `log.retired` names and that are still there: always the oldest."""
        self._opened_ns: dict[str, int] = {}
        """The time in the first record of each segment."""
        self._offset_ns = clocks.wall_ns() - clocks.steady_ns()
        self._next_step_ns = 0
        self._wait(SETTLE_SECONDS)

    @property
    def waits(self) -> bool:
        """Whether segments are held, or would be, since the clock is doubted."""
        return bool(self.held or self.ages.behind_ns)

    # Decided --------------------------------------------------------------------------------------------

    def announce(self, at: Micros | None) -> bool:
        """Add a `log.retired` where segments are to be deleted that none has named yet; return whether one was added.

        Raises OSError where the folder or a segment cannot be read.
        """
        if self._policy.seconds is None and self._policy.size_bytes is None:
            return False
        going = self._going()
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

    def _going(self) -> list[tuple[Path, Path]]:
        """Return the segments that are to be deleted, each with the one after it."""
        kept = list(self._kept())
        count = max(over_size(kept, self._policy.size_bytes), self._too_old(kept))
        pairs = [(each.path, after.path) for each, after in pairwise(kept)]
        return [pair for pair in pairs[:count] if pair[0].name not in self._announced][: log_records.RETIRED_NAMES]

    def _kept(self) -> Iterator[SegmentFile]:
        newest = self._log.path.name
        for path in segments(self._log.directory):
            if path.name > newest:
                return
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):  # somebody else's: it must not keep the rest from going
                continue
            if path.name not in self._opened_ns:
                opened = opened_at(path) if self._policy.seconds is not None else None
                self._opened_ns[path.name] = (opened or 0) * 1000
            written_ns = max(status.st_mtime_ns, self._opened_ns[path.name])
            yield SegmentFile(path, status.st_size, status.st_mtime_ns, written_ns)

    def _too_old(self, kept: Sequence[SegmentFile]) -> int:
        """Return how many of the oldest segments go because of their age now."""
        limit = self._policy.seconds
        if limit is None or not kept:
            return 0
        now_ns = self._clocks.wall_ns()
        closed_ns = kept[-2].mtime_ns if kept[1:] else None
        self.ages = ages([each.written_ns for each in kept], now_ns, self._policy.ordinary_ns, closed_ns)
        self.held = min(self.ages.held(limit * SECOND_NS), len(kept) - 1)
        count = min(self.ages.older_than(limit * SECOND_NS), len(kept) - 1, max(1, len(kept) // SHARE))
        self._notice_step(now_ns)
        if not count or self._clocks.steady_ns() < self._next_step_ns:
            return 0
        self._wait(STEP_SECONDS)
        return count

    def _notice_step(self, now_ns: int) -> None:
        """Wait where the clock was set since the last look."""
        offset_ns = now_ns - self._clocks.steady_ns()
        if abs(offset_ns - self._offset_ns) > STEPPED_NS:
            self._wait(SETTLE_SECONDS)
        self._offset_ns = offset_ns

    def _wait(self, seconds: float) -> None:
        wait_ns = int(self._policy.shortened(seconds) * SECOND_NS)
        self._next_step_ns = max(self._next_step_ns, self._clocks.steady_ns() + wait_ns)

    # Done -----------------------------------------------------------------------------------------------

    def delete(self, deleted: Callable[[str], None]) -> int | None:
        """Delete what was announced, once that is on the disk; the oldest first, so that what is left has no hole.

        Args:
            deleted: is called with the name of each segment that is gone.

        Returns when the last record in it was written, in nanoseconds since 1970. None where no file was there, and
        where the time of a segment that stays shows that the clock was set back since.

        Raises OSError, with the name of the file, where one cannot be deleted. It is tried again the next time.
        """
        written_ns: list[int] = []
        for name in sorted(self._announced):
            self._log.forget(name)
            path = self._log.directory / name
            with suppress(FileNotFoundError):
                written_ns.append(path.lstat().st_mtime_ns)
                path.unlink()
            self._announced.discard(name)
            self._opened_ns.pop(name, None)
            self.deleted += 1
            deleted(name)
            if not self._announced:
                sync_folder(self._log.directory)
        return self._newest(written_ns)

    def _newest(self, written_ns: Sequence[int]) -> int | None:
        if not written_ns:
            return None
        newest_ns = max(written_ns)
        return newest_ns if all(each.mtime_ns >= newest_ns for each in self._kept()) else None


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
