"""How late the loop is, by a clock that a play sets."""

import asyncio
from collections.abc import Callable

from steno.app.loop_lag import LoopLag


class Loop:
    """A clock, and what is to be called back."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.cancelled = 0
        self.lag = LoopLag(lambda: self.now)

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        self.due.append((self.now + delay, callback))
        return self  # type: ignore[return-value]  # as much of a handle as is asked for

    def cancel(self) -> None:
        self.cancelled += 1

    def goes_on(self, seconds: float, *, held: float = 0.0) -> None:
        """Let time go on, and be held for the last part of it."""
        end = self.now + seconds
        while self.due and self.due[0][0] <= end - held:
            self.now, callback = self.due.pop(0)
            callback()
        self.now = end
        if self.due and self.due[0][0] <= end:
            self.due.pop(0)[1]()


def test_a_loop_that_turns_is_not_late() -> None:
    loop = Loop()
    loop.lag.start(loop)

    loop.goes_on(10.0)

    assert round(loop.lag.seconds, 3) == 0.0
    assert len(loop.due) == 1


def test_the_longest_of_the_last_minute_is_kept_for_that_long() -> None:
    loop = Loop()
    loop.lag.start(loop)
    loop.goes_on(2.0, held=0.75)
    loop.goes_on(20.0, held=0.25)
    seen = []
    for _ in range(9):
        seen.append(round(loop.lag.seconds, 1))
        loop.goes_on(10.0)

    assert seen == [0.7, 0.7, 0.7, 0.7, 0.2, 0.2, 0.0, 0.0, 0.0]


def test_a_loop_that_is_held_now_shows_it() -> None:
    loop = Loop()
    loop.lag.start(loop)
    loop.now += 3.05

    assert loop.lag.numbers() == {"steno_loop_lag_seconds": {(): loop.lag.seconds}}
    assert round(loop.lag.seconds, 3) == 3.0


def test_what_has_stopped_is_not_late() -> None:
    loop = Loop()
    loop.lag.start(loop)
    loop.lag.stop()
    loop.goes_on(30.0)

    assert (loop.lag.seconds, loop.cancelled, loop.due) == (0.0, 1, [])
