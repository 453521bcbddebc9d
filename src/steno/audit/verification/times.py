"""Where the times of a log run backwards, or leap. Pure.

A time is what the clock of a host said, so this is no fault of the log: a clock is set, and a sender's time is taken
where it is plausible. It tells a reader how far times can be relied on, and where to look. Records of the log itself
have the time at which the writer added them, and what follows may have waited in the queue: so a short step back beside
one of them is not counted.
"""

from typing import Final

from steno.audit.verification.report import DAY, TimeDisorder
from steno.timestamps import SECOND, parse_timestamp

WAITED: Final = 60 * SECOND
"""How long a record may wait for others, in microseconds: the longest `audit.flush_seconds`."""

_DATE: Final = len('"2026-01-01')


class Times:
    """Takes the time of each record that has one, as it stands there with its quotes."""

    def __init__(self) -> None:
        self._first = self._last = b""
        self._last_own = False
        self._backwards = self._furthest_back = self._leaps = self._longest_leap = 0
        self._first_backwards: int | None = None
        self._longest_leap_seq: int | None = None

    @property
    def first_text(self) -> str | None:
        """The first time, without its quotes; None where there was none."""
        return self._first[1:-1].decode() or None

    @property
    def last_text(self) -> str | None:
        """The last time."""
        return self._last[1:-1].decode() or None

    def add(self, seq: int, at: bytes, *, own: bool) -> None:
        """Add the time of record `seq`; `own`: it is one of the log itself.

        All times have one form, so that their order is that of their bytes.
        """
        last, self._last = self._last, at
        beside_own, self._last_own = own or self._last_own, own
        if at < last:
            self._back(seq, _between(at, last), WAITED if beside_own else -1)
        elif at[:_DATE] != last[:_DATE]:
            self._next_day(seq, last, at)

    def _back(self, seq: int, step: int, allowed: int) -> None:
        if step > allowed:
            self._backwards += 1
            self._first_backwards = self._first_backwards or seq
            self._furthest_back = max(self._furthest_back, step)

    def _next_day(self, seq: int, last: bytes, at: bytes) -> None:
        if not last:
            self._first = at
            return
        passed = _between(last, at)
        self._leaps += passed > DAY
        if passed > max(DAY, self._longest_leap):
            self._longest_leap, self._longest_leap_seq = passed, seq

    def disorder(self) -> TimeDisorder:
        """Return what was found."""
        return TimeDisorder(
            self._backwards,
            self._first_backwards,
            self._furthest_back,
            self._leaps,
            self._longest_leap,
            self._longest_leap_seq,
        )


def _between(since: bytes, until: bytes) -> int:
    """Return the microseconds between two times; 0 where one is no time that exists."""
    try:
        return parse_timestamp(until[1:-1].decode()) - parse_timestamp(since[1:-1].decode())
    except ValueError:
        return 0
