"""The time of receipt: wall time at the start plus the monotonic clock, so that it never runs backwards."""

import time

from steno.timestamps import Micros


class Clock:
    """The time in microseconds since 1970 UTC. A wall clock that is set later does not move it."""

    def __init__(self) -> None:
        """Read the wall clock, once."""
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self.start: Micros = self.now()
        """When the daemon started. It stands in the names of streams."""

    def now(self) -> Micros:
        """Return the present time."""
        return (self._offset_ns + time.monotonic_ns()) // 1000
