"""How much is done in one turn of the event loop, over all streams together: frames that are parsed, or fed.

A bound for each stream is none for a hundred that bring much at once: their reads all come in one turn, and timers,
pings and the scrape wait for the sum. So a turn has `FRAMES`; who finds them spent waits in the order of asking, and
`WOKEN` at a time go on with `SHARE` frames each. While some wait, nothing goes past them.

The loop does not say where a turn ends. Something of our own that is called in the next one says so, which costs as
much as a frame. So it is only asked for once `UNCOUNTED` frames were fed, be it over many turns.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

FRAMES: Final = 256
"""Frames that are fed in a turn where nobody waits: some 10 ms."""
WOKEN: Final = 8
SHARE: Final = FRAMES // WOKEN
"""Frames of one that has waited."""
UNCOUNTED: Final = 64


class Work:
    """The turns of the event loop of one process."""

    def __init__(self) -> None:
        """Begin with a turn in which nothing was fed."""
        self._fed = 0
        self._waiting: deque[Callable[[], object]] = deque()
        self._asked = False
        """Whether `_next` is called in the next turn."""
        self._share = 0
        """What is left to the one that goes on now, since it has waited."""

    def room(self) -> int:
        """Return how many frames may still be fed in this turn, by one that has not waited or whose turn it is."""
        return self._share or (0 if self._waiting else max(FRAMES - self._fed, 0))

    def grant(self, frames: int) -> int:
        """Return how many of so many frames may be fed in this turn, and count them."""
        granted = min(self.room(), frames)
        self.fed(granted)
        return granted

    def fed(self, frames: int) -> None:
        """Count what was fed by one that has not waited or whose turn it is."""
        if self._share:
            self._share = max(self._share - frames, 0)
            return
        self._fed += frames
        if self._fed >= UNCOUNTED and not self._asked:
            self._ask()

    def later(self, go_on: Callable[[], object]) -> None:
        """Call `go_on` in its turn: it may feed `SHARE` frames."""
        self._waiting.append(go_on)
        if not self._asked:
            self._ask()

    def _ask(self) -> None:
        self._asked = True
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._fed, self._asked = 0, False
        try:
            for _ in range(min(WOKEN, len(self._waiting))):
                self._share = SHARE
                self._waiting.popleft()()
        finally:
            self._share = 0
            if self._waiting and not self._asked:
                self._ask()


class Reader:
    """Whoever feeds frames one after the other, as they are taken from a queue."""

    __slots__ = ("_share", "_work")

    def __init__(self, work: Work) -> None:
        """Begin without having waited."""
        self._work = work
        self._share = 0
        """Frames that may be fed without asking, since it has waited for them."""

    def goes_on(self) -> bool:
        """Return whether a frame may be fed in this turn, and count it; else `wait` is due."""
        if self._share:
            self._share -= 1
            return True
        return self._work.grant(1) == 1

    async def wait(self) -> None:
        """Wait for a turn in which the frame may be fed that `goes_on` held up."""
        turn = asyncio.Event()
        self._work.later(turn.set)
        await turn.wait()
        self._share = SHARE - 1
