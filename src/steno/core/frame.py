"""A frame, and the arithmetic of time."""

from msgspec import Struct

Micros = int
"""A point in time: microseconds since 1970 UTC."""


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
    return (until - since) / 1_000_000
