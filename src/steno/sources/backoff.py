"""How long to wait before connecting again: random from zero up to a bound that doubles (full jitter)."""

import random
from typing import Final

RETRY_AFTER_SECONDS: Final = 300.0
"""Longest wait that a server's `Retry-After` may ask for."""

HEALTHY_SECONDS: Final = 10.0
"""How long a connection must have lasted to count as a success, however it ended. A server that accepts and
then closes at once would else be asked again without end, at full speed."""
SHORT_SESSION_SECONDS: Final = 1.0
"""How long it must have lasted where it ended in order, after it said something: a run of an assistant is short."""


class Backoff:
    """The waits of one source."""

    def __init__(self, first: float, most: float, rng: random.Random | None = None) -> None:
        """Bound the first wait by `first` seconds, and every wait by `most`."""
        self._first = first
        self._most = most
        self._rng = rng or random.Random()
        self._failures = 0

    def succeeded(self) -> None:
        """Begin anew: the last connection was a good one."""
        self._failures = 0

    def wait(self, retry_after: float | None = None) -> float:
        """Return the seconds until the next attempt, at least what the server asked for."""
        bound = min(self._most, self._first * 2 ** min(self._failures, 32))
        self._failures += 1
        return max(self._rng.uniform(0, bound), min(retry_after or 0, RETRY_AFTER_SECONDS))
