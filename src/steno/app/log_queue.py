"""The lines of the operational log that wait for its reader: bounded, the important ones kept longest.

Whoever logs never waits. `LogQueue.put` may even be called in the middle of another `put` of the same thread: the
collector of garbage runs anywhere, and what it destroys may log. So `put` first appends to a deque, in one step, and
whoever is sorting that deque takes the line along.
"""

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Final, NamedTuple

from msgspec import Struct

from steno.limits import LOG_QUEUE_BYTES, LOG_QUEUE_LINES

ORDINARY: Final = 0
WARNING: Final = 1
IMPORTANT: Final = 2
"""Errors, gaps and checkpoints of the audit log."""


class LogLine(NamedTuple):
    """One rendered line."""

    data: bytes
    """With its newline."""
    level: str
    importance: int
    """Lines of a lower one are dropped first: `ORDINARY`, `WARNING` or `IMPORTANT`."""
    again: bool = False
    """Whether it is said later when it was dropped. Of several only the last one is: it stands for those before it."""


class Batch(Struct, frozen=True):
    """What is written next."""

    lines: Sequence[LogLine]
    dropped: Mapping[str, int]
    """Level to lines that were dropped since the last batch."""


class LogQueue:
    """Lines in their order. `put` and `wake` may be called by any thread at any time; `take` and `wait` by one."""

    def __init__(self, max_bytes: int = LOG_QUEUE_BYTES, max_lines: int = LOG_QUEUE_LINES) -> None:
        """Hold at most `max_bytes` in `max_lines`. Past that the oldest of the least important lines are dropped."""
        self.dropped = 0
        """Lines dropped since the start."""
        self._max_bytes = max_bytes
        self._max_lines = max_lines
        self._arrived: deque[LogLine] = deque()
        self._waiting: tuple[deque[tuple[int, LogLine]], ...] = (deque(), deque(), deque())
        """By importance, each line with its number."""
        self._numbers = count()
        self._bytes = 0
        self._lines = 0
        self._unsaid: Counter[str] = Counter()
        self._again: LogLine | None = None
        """The last line that was dropped and is to be said again."""
        self._lock = threading.RLock()
        self._sorting = False
        self._signal = threading.Lock()
        """Released when there is something to take: the locks of `threading.Event` do not bear a nested call."""
        self._signal.acquire()

    def put(self, line: LogLine) -> None:
        """Take a line, and drop others or this one where there is no room."""
        self._arrived.append(line)
        with self._lock:
            self._sort()
        self.wake()

    def wake(self) -> None:
        """End the present or the next `wait`."""
        try:
            self._signal.release()
        except RuntimeError:  # it is to end already
            return

    def wait(self) -> None:
        """Return when something was put, or `wake` was called, since the last time."""
        self._signal.acquire()

    def take(self, most_bytes: int) -> Batch:
        """Remove the next lines, up to `most_bytes` but at least one; a line that is said again goes first."""
        with self._lock:
            self._sort()
            self._sorting = True  # a nested `put` leaves its line to the next call
            dropped, self._unsaid = self._unsaid, Counter()
            again, self._again = self._again, None
            lines = [again] if again else []
            lines += self._oldest(most_bytes - sum(len(line.data) for line in lines), least=not lines)
            self._sorting = False
        return Batch(lines, dropped)

    def _oldest(self, most_bytes: int, *, least: bool) -> list[LogLine]:
        """Remove and return the oldest lines, up to `most_bytes`; at least one where `least`."""
        lines: list[LogLine] = []
        while waiting := min(filter(None, self._waiting), key=lambda each: each[0][0], default=None):
            most_bytes -= len(waiting[0][1].data)
            if most_bytes < 0 and (lines or not least):
                break
            lines.append(self._remove(waiting))
        return lines

    def _remove(self, waiting: "deque[tuple[int, LogLine]]") -> LogLine:
        _, line = waiting.popleft()
        self._bytes -= len(line.data)
        self._lines -= 1
        return line

    def _sort(self) -> None:
        """Put what arrived where it belongs. A nested call leaves that to the outer one."""
        if self._sorting:
            return
        self._sorting = True
        try:
            while self._arrived:
                self._place(self._arrived.popleft())
        finally:
            self._sorting = False

    def _place(self, line: LogLine) -> None:
        if len(line.data) > self._max_bytes:
            self._count(line)
            return
        self._waiting[line.importance].append((next(self._numbers), line))
        self._bytes += len(line.data)
        self._lines += 1
        while self._bytes > self._max_bytes or self._lines > self._max_lines:
            self._count(self._remove(next(filter(None, self._waiting))))

    def _count(self, line: LogLine) -> None:
        self.dropped += 1
        self._unsaid[line.level] += 1
        if line.again:
            self._again = line
