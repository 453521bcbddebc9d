"""What goes on in a session at the same time, on the session's own clock.

That clock stands still while nothing goes on, and moves on to when the next task goes on. A task is a generator that
yields pauses in seconds, and does something between them.
"""

import heapq
from collections.abc import Generator

import msgspec

Task = Generator[float, None, None]
"""Something that takes time: it yields how many seconds it waits."""


class CancelledError(Exception):
    """Thrown into a task that is cut short. Its argument is the reason."""


class Running(msgspec.Struct, eq=False):
    """A task that has begun."""

    task: Task
    step: int = 0
    """How often it was taken up. A planned step of another number is no longer due."""


class Tasks:
    """The tasks of one session, and its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds since the session began."""
        self._planned: list[tuple[float, int, int, Running]] = []
        self._steps = 0

    def begin(self, task: Task) -> Running:
        """Begin a task: it runs up to its first pause."""
        running = Running(task)
        self._step(running)
        return running

    def _step(self, running: Running) -> None:
        running.step += 1
        pause = next(running.task, None)
        if pause is not None:
            self._steps += 1
            heapq.heappush(self._planned, (self.now + pause, self._steps, running.step, running))

    @staticmethod
    def interrupt(running: Running, reason: str) -> None:
        """Throw `CancelledError` into a task, which ends by that."""
        running.step += 1
        try:
            running.task.throw(CancelledError(reason))
        except StopIteration:
            return

    def wait(self, seconds: float) -> None:
        """Let time pass in which no task goes on."""
        self.now += seconds

    def due(self) -> float | None:
        """Return in how many seconds a task goes on, or None where none is under way."""
        while self._planned and self._planned[0][2] != self._planned[0][3].step:
            heapq.heappop(self._planned)
        return max(self._planned[0][0] - self.now, 0.0) if self._planned else None

    def advance(self) -> None:
        """Move on to when the next task goes on, and let it run up to its next pause."""
        if self.due() is not None:
            self.now, _, _, running = heapq.heappop(self._planned)
            self._step(running)
