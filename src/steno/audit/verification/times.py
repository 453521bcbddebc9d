"""Where the times of a log run backwards, or leap. Pure.

A time is what the clock of a host said, so this is no fault of the log: a clock is set, a sender's time is taken where
it is plausible, and a record that the writer adds can stand before one that waited for the disk. It tells a reader how
far times can be relied on, and where to look.
"""

from typing import Final

from steno.audit.verification.report import DAY, TimeDisorder
from steno.timestamps import parse_timestamp

_DATE: Final = len('"2026-01-01')


class Times:
    """Takes the time of each record that has one, as it stands there with its quotes."""

    def __init__(self) -> None:
        self._first = self._last = b""
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

    def add(self, seq: int, at: bytes) -> None:
        """Add the time of record `seq`. All have one form, so that their order is that of their bytes."""
        last, self._last = self._last, at
        if at < last:
            self._backwards += 1
            self._first_backwards = self._first_backwards or seq
            self._furthest_back = max(self._furthest_back, _between(at, last))
        elif at[:_DATE] != last[:_DATE]:
            self._next_day(seq, last, at)

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
