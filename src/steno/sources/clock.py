"""The time of receipt: wall time at the start plus the monotonic clock, so that it never runs backwards.

All that the daemon dates has its time from one `Clock`. A wall clock that is set later does not move it: durations are
differences of these times, and must not be falsified. `ClockWatch` compares the two once a second:

    the wall clock was set   noticed, and counted. Forward, the times follow once the new time has lasted and nothing is
                             open whose duration they would falsify. Backward they never follow: they would run
                             backwards. The next start of the daemon takes any new time over.
    the machine was asleep   the times follow at once: so long it was, for the other ends too. The monotonic clock
                             stands still meanwhile.
"""

import time
from collections.abc import Callable
from typing import Final, Literal, get_args

from msgspec import Struct

from steno.timestamps import Micros

Direction = Literal["forward", "backward", "suspend"]
Nanoseconds = int
Read = Callable[[], Nanoseconds]

SECOND_NS: Final = 1_000_000_000
STEP_NS: Final = SECOND_NS // 2
"""A difference that counts as a step. Adjustments are slower, and move both clocks; a leap second is twice as much."""
SETTLED_NS: Final = 60 * SECOND_NS
"""How long a new wall time must have lasted before the times follow it: a mistake is often set right soon."""
TOGETHER_NS: Final = SECOND_NS // 100
"""Longest time that the reading of two clocks may take, for their difference to mean anything."""
TRIES: Final = 3


def _boottime_ns() -> Nanoseconds:
    """Return a monotonic clock that goes on while the machine sleeps, where the system has one."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic_ns()


class Clock:
    """The time in microseconds since 1970 UTC."""

    def __init__(self, wall: Read | None = None, monotonic: Read | None = None, boottime: Read | None = None) -> None:
        """Read the wall clock, once. The clocks are those of the system where none are given."""
        self._wall = wall or time.time_ns
        self._monotonic = monotonic or time.monotonic_ns
        self._boottime = boottime or _boottime_ns
        self._offset_ns = self._wall() - self._monotonic()
        self.start: Micros = self.now()
        """When the daemon started. It stands in the names of streams."""

    def now(self) -> Micros:
        """Return the present time."""
        return (self._offset_ns + self._monotonic()) // 1000

    def advance(self, by: Nanoseconds) -> None:
        """Go on from a later time. Raises ValueError where that would be an earlier one."""
        if by < 0:
            raise ValueError("time does not run backwards")
        self._offset_ns += by

    def compare(self) -> tuple[Nanoseconds, Nanoseconds, Nanoseconds] | None:
        """Read all clocks: the monotonic one, how far the wall clock is ahead of `now`, how long the machine slept.

        None where that took too long, since the process stood still in between.
        """
        for _ in range(TRIES):
            before = self._monotonic()
            wall, boottime = self._wall(), self._boottime()
            after = self._monotonic()
            if after - before <= TOGETHER_NS:
                return after, wall - (self._offset_ns + after), boottime - after
        return None


class ClockChange(Struct, frozen=True):
    """What was noticed of the clocks; the body of a record."""

    direction: Direction | Literal["followed"]
    """How the wall clock was set, that the machine slept, or that the times follow the wall clock now."""
    seconds: float
    """How far."""
    offset_seconds: float
    """How far the wall clock is ahead of the times from now on; negative where it is behind."""


class ClockWatch:
    """Compares a clock with the wall clock whenever it is asked to, which is once a second."""

    def __init__(self, clock: Clock) -> None:
        """Watch `clock`, which has just been made."""
        self.steps: dict[Direction, int] = dict.fromkeys(get_args(Direction), 0)
        self._clock = clock
        self._offset: Nanoseconds = 0
        """How far the wall clock was ahead when that was compared last."""
        self._known: Nanoseconds = 0
        """How far it was ahead at the last step. What is slower than a step adds up to one."""
        self._since: Nanoseconds = 0
        """When that was, by the monotonic clock."""
        compared = clock.compare()
        self._slept: Nanoseconds = compared[2] if compared else 0

    def check(self, *, quiet: bool) -> list[ClockChange]:
        """Return what has changed since the last time.

        `quiet` says whether nothing is open whose duration would be falsified if the times went on from a later one.
        """
        compared = self._clock.compare()
        if compared is None:
            return []
        now, offset, slept = compared
        changes = []
        if slept - self._slept >= STEP_NS:
            asleep, self._slept = slept - self._slept, slept
            self._clock.advance(asleep)
            offset -= asleep
            changes.append(self._changed("suspend", asleep, offset))
        step = offset - self._known
        if abs(step) >= STEP_NS:
            self._known, self._since = offset, now
            changes.append(self._changed("forward" if step > 0 else "backward", abs(step), offset))
        elif self._known >= STEP_NS and quiet and now - self._since >= SETTLED_NS:
            self._clock.advance(offset)
            changes.append(ClockChange("followed", offset / SECOND_NS, 0.0))
            offset = self._known = 0
        self._offset = offset
        return changes

    def _changed(self, direction: Direction, by: Nanoseconds, offset: Nanoseconds) -> ClockChange:
        self.steps[direction] += 1
        return ClockChange(direction, by / SECOND_NS, offset / SECOND_NS)

    def numbers(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Return the process metrics of the clock, by name and labels. Called from the thread of a scrape."""
        return {
            "steno_clock_offset_seconds": {(): self._offset / SECOND_NS},
            "steno_clock_steps_total": {(direction,): count for direction, count in self.steps.items()},
        }
