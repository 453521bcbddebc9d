"""A frame, and the arithmetic of time."""

from typing import Final

from msgspec import Struct

Micros = int
"""A point in time: microseconds since 1970 UTC."""

SECOND: Final = 1_000_000
"""In microseconds."""
LATEST_SECOND: Final = 253_000_000_000
"""Unix seconds late in the year 9987: a time after that is none that could be written."""


class Frame(Struct, frozen=True, gc=False):
    """One websocket message."""

    payload: bytes
    at: Micros | None
    """When it was received; None where a recording does not say."""
    sent: bool = False
    """Whether the client said it. What upstream says is received."""


def seconds(since: Micros | None, until: Micros | None) -> float | None:
    """Return the seconds from `since` to `until`; None where either is unknown."""
    if since is None or until is None:
        return None
    return (until - since) / SECOND


def whole_second(at: Micros) -> Micros:
    """Return the first whole second that is not before `at`."""
    return -(-at // SECOND) * SECOND
