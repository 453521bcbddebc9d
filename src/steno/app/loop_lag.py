"""How late the event loop is: the longest that something held it, of the last minute.

All connections share one loop. What holds it makes every call wait, and shows nowhere else. A timer asks to be woken 20
times a second, and measures by how much that is late. What holds the loop for less than the rest of an interval is
seen as less than it was, by 50 ms at most.
"""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final, Protocol

INTERVAL_SECONDS: Final = 0.05
"""Between two wakings. They cost some 0.1 % of a processor."""
SLOT_SECONDS: Final = 5.0
SLOTS: Final = 12
"""A minute, in parts that are forgotten one by one."""


class Timers(Protocol):
    """What calls back later: the event loop."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `callback` in `delay` seconds."""


class LoopLag:
    """The lateness of one event loop, from `start` to `stop`."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Measure nothing yet; `clock` gives seconds that never run backwards."""
        self._clock = clock
        self._slots: dict[int, float] = {}
        """The number of a slot to the longest lateness in it."""
        self._due: float | None = None
        """When the next waking is due."""
        self._handle: asyncio.TimerHandle | None = None

    def start(self, timers: Timers) -> None:
        """Begin. Called in the event loop."""
        self._due = self._clock() + INTERVAL_SECONDS
        self._handle = timers.call_later(INTERVAL_SECONDS, lambda: self._woken(timers))

    def stop(self) -> None:
        """Measure no more."""
        self._due = None
        if self._handle:
            self._handle.cancel()

    def _woken(self, timers: Timers) -> None:
        now = self._clock()
        if self._due is None:
            return
        slot = int(now // SLOT_SECONDS)
        if slot not in self._slots:
            self._slots = {each: late for each, late in self._slots.items() if each > slot - SLOTS}
        self._slots[slot] = max(self._slots.get(slot, 0.0), now - self._due)
        self.start(timers)

    @property
    def seconds(self) -> float:
        """The longest lateness of the last minute, that which goes on included. Any thread may ask."""
        now, due = self._clock(), self._due
        first = now // SLOT_SECONDS - SLOTS
        late = [late for slot, late in list(self._slots.items()) if slot > first]
        return max(0.0, *late, 0.0 if due is None else now - due)

    def numbers(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Return the process metric: name to labels to value. Called from the thread of a scrape."""
        return {"steno_loop_lag_seconds": {(): self.seconds}}
