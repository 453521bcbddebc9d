"""How long to wait before the next attempt. Pure but for randomness."""

import random
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 30.0
SLOW_SECONDS: Final = 60.0
"""The bound where only somebody can mend the cause: a token, an address, a certificate."""
RETRY_AFTER_SECONDS: Final = 300.0
"""The longest wait that a server may ask for."""


def delays() -> Iterator[float]:
    """Yield waits in seconds, with full jitter: a thousand conversations that lose steno at once come back apart."""
    bound = FIRST_SECONDS
    while True:
        yield random.uniform(0, bound)
        bound = min(2 * bound, LONGEST_SECONDS)


def slow_delay() -> float:
    """Return a wait before trying again what will most likely fail again."""
    return random.uniform(SLOW_SECONDS / 2, SLOW_SECONDS)


def retry_after(value: str | None, now: datetime | None = None) -> float:
    """Return the seconds that the header `Retry-After` asks for, 0 where it asks for nothing that can be read."""
    if value is None:
        return 0.0
    if value.isascii() and value.isdigit() and len(value) <= len("9999999999"):
        return min(float(value), RETRY_AFTER_SECONDS)
    try:
        at = parsedate_to_datetime(value)
        wait = (at - (now or datetime.now(timezone.utc))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(wait, 0.0), RETRY_AFTER_SECONDS)
