"""How long to wait before connecting again: random between zero and a bound that doubles (full jitter)."""

import random
from typing import Final

from steno.sources.retry_after import RETRY_AFTER_SECONDS

HEALTHY_SECONDS: Final = 10.0
"""How long a connection must last to count as a success, however it ends. Without this a server that accepts and closes
at once would be asked again without end, at full speed."""
SHORT_SESSION_SECONDS: Final = 1.0
"""The same for a connection that sent frames and ended in order: the run of an assistant is short."""

_RNG: Final = random.Random()
"""Shared by all sources: it has 2,500 bytes."""


class Backoff:
    """The waits of one source."""

    def __init__(self, first: float, most: float, rng: random.Random | None = None) -> None:
        """Bound the first wait by `first` seconds, and every wait by `most` seconds."""
        self._first = first
        self._most = most
        self._rng = rng or _RNG
        self._failures = 0

    def succeeded(self) -> None:
        """Start again from the first bound, because the last connection was good."""
        self._failures = 0

    def wait(self, retry_after: float | None = None, *, slowly: bool = False) -> float:
        """Return the seconds until the next attempt; at least `retry_after`, up to `RETRY_AFTER_SECONDS`.

        `slowly` asks for the longest waits at once, since the next attempt will hardly fare better.
        """
        if slowly:
            self._failures += 1
            return max(self._rng.uniform(self._most / 2, self._most), min(retry_after or 0, RETRY_AFTER_SECONDS))
        bound = min(self._most, self._first * 2 ** min(self._failures, 32))
        self._failures += 1
        return max(self._rng.uniform(0, bound), min(retry_after or 0, RETRY_AFTER_SECONDS))
