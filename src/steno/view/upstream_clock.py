"""Where a moment on upstream's clock lies in the time of receipt. Pure.

Some sessions say when something was said in milliseconds since they began, and say it seconds later. No record is
received before what it reports. So a session began no later than at the time of a record less the moment that it
reports, and the earliest of these bounds is taken for its beginning: that is late by the shortest delay there was.
What lies on upstream's clock is placed once all records are in, since each of them may bring a better bound.
"""

from collections.abc import Callable
from typing import Final

MOST_MS: Final = 2**53
"""More is no moment, and has no room in a float. Whoever can write a log can write any number."""

Place = Callable[[float | None, float | None], None]
"""Takes when something began and ended, in Unix seconds."""


class UpstreamClock:
    """The clock of one conversation, and what waits for its place."""

    def __init__(self) -> None:
        """Begin without a bound."""
        self._began_at: float | None = None
        self._waiting: list[tuple[object, object, Place]] = []

    def bound(self, at: float | None, moment_ms: object) -> None:
        """Take in that a record of the time `at` reports the moment `moment_ms`."""
        if at is not None and _is_moment(moment_ms):
            bound = at - moment_ms / 1000  # type: ignore[operator]  # a number
            self._began_at = bound if self._began_at is None else min(self._began_at, bound)

    def wait(self, start_ms: object, end_ms: object, place: Place) -> None:
        """Let `place` have the times of `start_ms` and `end_ms` once all records are in."""
        self._waiting.append((start_ms, end_ms, place))

    def settle(self) -> None:
        """Place all that waits."""
        for start_ms, end_ms, place in self._waiting:
            place(self._time(start_ms), self._time(end_ms))
        self._waiting.clear()

    def _time(self, moment_ms: object) -> float | None:
        if self._began_at is None or not _is_moment(moment_ms):
            return None
        return round(self._began_at + moment_ms / 1000, 6)  # type: ignore[operator]  # a number


def _is_moment(moment_ms: object) -> bool:
    return isinstance(moment_ms, int | float) and not isinstance(moment_ms, bool) and 0 <= moment_ms <= MOST_MS
