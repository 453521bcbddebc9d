"""The time of receipt: wall time at the start plus the monotonic clock, so that it never runs backwards."""

import time

from steno.timestamps import Micros


class Clock:
    """Tells the time in microseconds since 1970 UTC; a wall clock that is set later does not move it."""

    def __init__(self) -> None:
        """Read the wall clock, once."""
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self.start: Micros = self.now()

    def now(self) -> Micros:
        """Return the time."""
        return (self._offset_ns + time.monotonic_ns()) // 1000
