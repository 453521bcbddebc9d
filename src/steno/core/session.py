"""The life of a session: which kind it is, when it ends, and the facts on the way there."""

from typing import Final

from steno.core.facts import Fact, SessionCancelled, SessionExpired, SessionNearsEnd
from steno.timestamps import LATEST_SECOND, SECOND, Micros, whole_second

THRESHOLDS: Final = (300, 60, 0)
"""Seconds before its deadline at which a session is reported: twice that it nears its end, then that it expired."""

ACTIVE: Final = "active"
EXPIRED: Final = "expired"
CANCELLED: Final = "cancelled"
CLOSED: Final = "closed"


class SessionLife:
    """What is known of a session's end. `kind` is what upstream calls it, until then the name of its family."""

    __slots__ = ("deadline", "id", "kind", "passed", "reported", "status")

    def __init__(self, kind: str) -> None:
        """Begin with a session that was not reported yet."""
        self.id: str | None = None
        self.kind = kind
        self.status: str | None = None
        """active, expired, cancelled or closed; None before the session was reported."""
        self.deadline: Micros | None = None
        self.passed = 0
        """How many of the thresholds were passed."""
        self.reported = False
        """Whether it was reported since the registry looked when it is due next. It looks after an event with facts."""

    def report(self, key: str | None, kind: str, expires_at: float | None, now: Micros | None) -> None:
        """Take what upstream reports of the session.

        Args:
            key: the id of the session; None leaves the one that is known.
            kind: the kind of session.
            expires_at: the Unix second at which it ends. One that cannot be a time is ignored.
            now: the time of the report. Thresholds before it are passed without a fact.
        """
        self.reported = True
        another = key not in (None, self.id) and (self.id is not None or self.status == CLOSED)
        self.id, self.kind = key or self.id, kind
        self.status = ACTIVE if another or self.status is None else self.status
        deadline = int(expires_at * SECOND) if expires_at and 0 < expires_at < LATEST_SECOND else None
        if deadline is not None and deadline != self.deadline:
            self.deadline = deadline
            self.passed = sum(1 for left in THRESHOLDS if now is not None and deadline - left * SECOND <= now)

    def dues(self, at: Micros) -> list[Micros]:
        """Return the whole seconds, up to `at`, at which the session reaches thresholds that it has not passed."""
        if self.deadline is None or self.status != ACTIVE:
            return []
        deadline = self.deadline
        seconds = (whole_second(deadline - left * SECOND) for left in THRESHOLDS[self.passed :])
        return [second for second in seconds if second <= at]

    def next_due(self) -> Micros | None:
        """Return the whole second at which the session reaches its next threshold; None where there is none."""
        if self.deadline is None or self.status != ACTIVE or self.passed == len(THRESHOLDS):
            return None
        return whole_second(self.deadline - THRESHOLDS[self.passed] * SECOND)

    def reach(self) -> Fact:
        """Pass the next threshold. Return its fact."""
        left = THRESHOLDS[self.passed]
        self.passed += 1
        if left:
            return SessionNearsEnd(session_id=self.id, kind=self.kind, seconds_left=left)
        self.status = EXPIRED
        return SessionExpired(session_id=self.id, kind=self.kind)

    def end(self, status: str) -> list[Fact]:
        """Take upstream's report that the session expired or was cancelled. Return no fact if it had ended before."""
        if self.status in (EXPIRED, CANCELLED, CLOSED):
            return []
        self.status = status
        ended = SessionExpired if status == EXPIRED else SessionCancelled
        return [ended(session_id=self.id, kind=self.kind)]

    def close(self) -> bool:
        """Take upstream's report that it closed the session. Return False where it had said so before."""
        before, self.status = self.status, CLOSED
        return before != CLOSED

    def ends_within(self, seconds: int, now: Micros) -> bool:
        """Return whether the session is active and ends at most `seconds` after `now`."""
        return self.status == ACTIVE and self.deadline is not None and 0 <= self.deadline - now <= seconds * SECOND
