"""How long a server asks to be left alone: the header `Retry-After`, as RFC 9110 section 10.2.3 has it. Pure.

The value is a stranger's. It is matched against what is allowed before anything converts it, so that no number, year or
letter of it can raise. What does not match asks for nothing: the source then waits as after any failure.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

RETRY_AFTER_SECONDS: Final = 300.0
"""Longest wait that a server may ask for. A longer one counts as this, or a stranger could switch a source off."""

_SECONDS: Final = re.compile(r"([0-9]+)(?:\.[0-9]*)?")  # [0-9], since \d and isdecimal take digits of every script
_NUMBERED: Final = 9
"""Digits of a number that is read; a longer one is past `RETRY_AFTER_SECONDS` in any case."""

_DAY: Final = r"(?P<day>[0-9]{2})"
_MONTH: Final = r"(?P<month>[A-Za-z]{3})"
_YEAR: Final = r"(?P<year>[0-9]{4})"
_CLOCK: Final = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES: Final = (
    re.compile(rf"[A-Za-z]{{3}}, {_DAY} {_MONTH} {_YEAR} {_CLOCK} (?:GMT|UTC|[+-]0000)"),
    re.compile(rf"[A-Za-z]{{6,9}}, {_DAY}-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT"),
    re.compile(rf"[A-Za-z]{{3}} {_MONTH} (?P<day>[0-9 ][0-9]) {_CLOCK} {_YEAR}"),
)
"""The three forms of RFC 9110 section 5.6.7: of today, of RFC 850, and of C's asctime."""
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CENTURY_AHEAD: Final = 50
"""Years that a year of two digits may lie ahead; what seems further ahead is of the century before."""


def wait_of(values: Iterable[str], now: float) -> float | None:
    """Return the seconds that the lines of `Retry-After` ask for, 0 to `RETRY_AFTER_SECONDS`; None where nothing.

    Args:
        values: each line of the header. There should be one; of several the longest wait counts.
        now: the wall clock as Unix time, in seconds.
    """
    return max((wait for value in values if (wait := _wait(value.strip(), now)) is not None), default=None)


def _wait(value: str, now: float) -> float | None:
    number = _SECONDS.fullmatch(value)
    if number:
        digits = number[1].lstrip("0")
        return RETRY_AFTER_SECONDS if len(digits) > _NUMBERED else min(float(digits or 0), RETRY_AFTER_SECONDS)
    until = _unix_time(value, now)
    return None if until is None else min(max(until - now, 0.0), RETRY_AFTER_SECONDS)


def _unix_time(value: str, now: float) -> float | None:
    """Return the point in time that an HTTP date names; None where it is no such date, or does not exist."""
    match = next((found for form in _DATES if (found := form.fullmatch(value))), None)
    if match is None or match["month"].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(match["month"].lower()) + 1
    clock = (int(match["hour"]), int(match["minute"]), int(match["second"]))
    try:
        return datetime(_year(match["year"], now), month, int(match["day"]), *clock, tzinfo=UTC).timestamp()
    except ValueError:  # no such day or hour
        return None


def _year(digits: str, now: float) -> int:
    if len(digits) > 2:  # noqa: PLR2004  # a year of two digits is one of RFC 850
        return int(digits)
    present = datetime.fromtimestamp(now, UTC).year
    year = present - present % 100 + int(digits)
    return year - 100 if year > present + _CENTURY_AHEAD else year
