"""How old segments are, by a clock that may be wrong. Pure.

To delete is irreversible, and the clock of a host can be wrong by years: an empty battery, a snapshot, a typing error.
So the age of a segment is not the difference of two times. It is the sum of the pauses that the log itself shows: from
one segment to the next, and from the newest one to now.

    pause                               counts
    backwards                           nothing
    up to the ordinary one              in full: as long as a segment may be written, and a day
    longer, up to `LONGEST_PAUSE_NS`    nothing; in full once the log has gone on for `TRUST_NS` behind it
    longer still                        nothing: no host that is in use is off for so long
    longer, and set back since          nothing: the clock was ahead

So a clock that leaps by 14 years makes no segment older. A host that was off for two months is believed after a week.
What was written meanwhile says how long that week is, so that starting anew does not begin it anew, and nothing has to
be kept elsewhere. In every case segments grow older while the daemon runs, and go in the end.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from msgspec import Struct

SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * SECOND_NS
TRUST_NS: Final = 7 * DAY_NS
"""How long a log goes on behind a long pause before that counts in full: long enough for an operator to come back from
a weekend and a holiday, and to read a warning."""
LONGEST_PAUSE_NS: Final = 366 * DAY_NS
"""Longest pause that is ever believed."""
SLACK_NS: Final = 600 * SECOND_NS
"""How far the clock may be behind the last closed segment: corrections of a clock that is right are far smaller."""


class Ages(Struct, frozen=True):
    """The ages of segments in nanoseconds, the oldest segment first."""

    counted_ns: tuple[int, ...]
    """As far as the clock is trusted."""
    stated_ns: tuple[int, ...]
    """By the clock."""
    doubted_ns: int = 0
    """The longest pause that does not count in full; 0 without one."""
    behind_ns: int = 0
    """How far the clock is behind the last closed segment, where that is more than `SLACK_NS`; else 0."""

    def older_than(self, limit_ns: float) -> int:
        """Return how many of the oldest segments are older: none while the clock is behind the log."""
        return 0 if self.behind_ns else _leading(self.counted_ns, limit_ns)

    def held(self, limit_ns: float) -> int:
        """Return how many of the oldest segments are older by one way to count, and stay since the clock is doubted."""
        older = max(_leading(self.stated_ns, limit_ns), _leading(self.counted_ns, limit_ns))
        return older - self.older_than(limit_ns)


def _leading(ages_ns: Sequence[int], limit_ns: float) -> int:
    return sum(1 for _ in takewhile(lambda age_ns: age_ns > limit_ns, ages_ns))


def ages(written_ns: Sequence[int], now_ns: int, ordinary_ns: int, closed_ns: int | None = None) -> Ages:
    """Return how old segments are.

    Args:
        written_ns: when each was last written, in nanoseconds since 1970, in the order of the log; the last one is
            being written.
        now_ns: the present time, by the same clock.
        ordinary_ns: the longest pause that is nothing unusual.
        closed_ns: the time of the last closed segment's file; None where none is closed.
    """
    counted: list[int] = []
    age_ns = doubted_ns = steady_ns = 0
    later_ns = lowest_ns = now_ns
    for each_ns in reversed(written_ns):
        pause_ns = later_ns - each_ns
        # Once the clock was set back, it is known to have been ahead before.
        since_ns = steady_ns if later_ns <= lowest_ns + SLACK_NS else 0
        believed_ns = _believed(pause_ns, since_ns, ordinary_ns)
        if believed_ns < pause_ns:
            doubted_ns = max(doubted_ns, pause_ns)
        if 0 < pause_ns <= ordinary_ns:
            steady_ns += pause_ns
        age_ns += believed_ns
        later_ns, lowest_ns = each_ns, min(lowest_ns, each_ns)
        # A segment in between that seems older than this one makes this one no older than it says itself.
        counted.append(min(age_ns, now_ns - each_ns) if now_ns >= each_ns else age_ns)
    behind_ns = 0 if closed_ns is None else closed_ns - now_ns
    return Ages(
        tuple(reversed(counted)),
        tuple(now_ns - each_ns for each_ns in written_ns),
        doubted_ns,
        behind_ns if behind_ns > SLACK_NS else 0,
    )


def _believed(pause_ns: int, since_ns: int, ordinary_ns: int) -> int:
    """Return how much of a pause counts; `since_ns` is for how long its end is confirmed by ordinary pauses."""
    if pause_ns <= ordinary_ns:
        return max(0, pause_ns)
    return pause_ns if pause_ns <= LONGEST_PAUSE_NS and since_ns >= TRUST_NS else 0
