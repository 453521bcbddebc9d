"""Points in time: microseconds since 1970, and their form in RFC 3339. Pure.

Every time that steno reads or writes passes through here, so that recordings, envelopes and audit records agree.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

Micros = int
"""A point in time: microseconds since 1970 UTC."""

SECOND: Final = 1_000_000
"""In microseconds."""
LATEST_SECOND: Final = 253_000_000_000
"""Unix seconds late in the year 9987. A later time could not be written with an offset."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]((?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60))"
    r"(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)


def timestamp(at: Micros) -> str:
    """Return `at` as RFC 3339 in UTC, always with six fractional digits. Year 1 to year 9999."""
    second, micros = divmod(at, SECOND)
    return f"{written_second(second).decode()}.{micros:06}Z"


@lru_cache(maxsize=256)  # records of one second share it
def written_second(second: int) -> bytes:
    """Return a Unix second as RFC 3339 in UTC, without the fraction and the `Z` behind it."""
    return (_EPOCH + timedelta(seconds=second)).isoformat()[:19].encode()


def parse_timestamp(text: str) -> Micros:
    """Return the time that RFC 3339 `text` tells, with any offset and up to nine fractional digits.

    What is finer than a microsecond is cut off. Raises ValueError where the text is no such time, or where
    that time lies in UTC outside the years 1 to 9999.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not a time in the form of RFC 3339")
    day, clock, fraction, sign, hours, minutes = match.groups()
    second = _read(day, clock)
    if sign:
        ahead = int(hours) * 3600 + int(minutes) * 60
        second += ahead if sign == "-" else -ahead
    if not _EARLIEST <= second <= _LATEST:
        raise ValueError("not a time within the years 1 to 9999")
    return second * SECOND + (int(fraction[:6].ljust(6, "0")) if fraction else 0)


@lru_cache(maxsize=256)
def _read(day: str, clock: str) -> int:
    """Return the seconds since 1970. A leap second is, as POSIX has it, the second after it."""
    leap = clock[3:] == "59:60"
    try:
        read = datetime.fromisoformat(f"{day}T{clock[:6] + '59' if leap else clock}+00:00")
    except ValueError:  # which repeats what it was given
        raise ValueError("not a time that exists") from None
    return (read - _EPOCH) // timedelta(seconds=1) + leap


_EARLIEST: Final = _read("0001-01-01", "00:00:00")
_LATEST: Final = _read("9999-12-31", "23:59:59")


def seconds(since: Micros | None, until: Micros | None) -> float | None:
    """Return the seconds from `since` to `until`; None where either is unknown."""
    if since is None or until is None:
        return None
    return (until - since) / SECOND


def whole_second(at: Micros) -> Micros:
    """Return the first whole second that is not before `at`."""
    return -(-at // SECOND) * SECOND
