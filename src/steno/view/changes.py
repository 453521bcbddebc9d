"""Which rows have changed since they were shown last. Pure.

All who watch share one such comparison, once a second. What is compared is a few numbers a conversation, so that rows
are made of those alone that have changed. Where very many have, those come first that were not shown for longest.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from heapq import nsmallest
from typing import Final, Protocol

from msgspec import Struct

from steno.view.rows import Row

ROWS_MOST: Final = 1_000
"""Rows that are sent at once: some 600 KB. The others follow a second later."""

Fingerprint = tuple[object, ...]
"""What differs where a row does."""


class Changes(Struct, frozen=True):
    """What has changed."""

    at: float
    conversations: list[Row]
    closed: list[str]
    """Keys that have no row any more."""


class Watched(Protocol):
    """What has rows."""

    def fingerprints(self) -> Mapping[str, Fingerprint]:
        """Return what differs where a row does, by key."""

    def rows_of(self, keys: Iterable[str]) -> list[Row]:
        """Return the rows of some conversations; those that are gone are left out."""


class Watch:
    """What was shown last. For any thread: one waits for the other."""

    def __init__(self, watched: Watched, now: Callable[[], float]) -> None:
        """Compare what is in `watched`; `now` returns Unix seconds."""
        self._watched = watched
        self._now = now
        self._shown: dict[str, Fingerprint] = {}
        self._turns: dict[str, int] = {}
        """When the row of a key was shown last."""
        self._turn = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Take everything as shown as it is now."""
        with self._lock:
            self._shown = dict(self._watched.fingerprints())
            self._turns = {}

    def changes(self) -> tuple[Changes, set[str]]:
        """Return what has changed since the last call, at most `ROWS_MOST` rows, and the keys of those rows."""
        with self._lock:
            return self._changes()

    def _changes(self) -> tuple[Changes, set[str]]:
        self._turn += 1
        present = self._watched.fingerprints()
        gone = [key for key in self._shown if key not in present]
        for key in gone:
            del self._shown[key]
            self._turns.pop(key, None)
        differ = [key for key, mark in present.items() if self._shown.get(key) != mark]
        chosen = nsmallest(ROWS_MOST, differ, key=lambda key: self._turns.get(key, 0))
        for key in chosen:
            self._shown[key] = present[key]
            self._turns[key] = self._turn
        return Changes(self._now(), self._watched.rows_of(chosen), gone), set(chosen)
