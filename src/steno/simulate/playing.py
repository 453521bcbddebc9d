"""A session and a client that plays its part, as the steps of a story.

The client is a function: from an event of the session to what it sends, each with the seconds that it takes for it.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from steno.simulate.rooms import Event, Session
from steno.simulate.steps import Step

Sent = Iterable[tuple[float, Event]]
"""Client events, each with the seconds after which it is sent."""
React = Callable[[Event], Sent]
"""Says what a client sends when it has received an event."""


class Waiting(Session, Protocol):
    """A session whose clock can be let go on."""

    def wait(self, seconds: float) -> None:
        """Let time pass in which nothing goes on."""


def played(session: Waiting, react: React, first: Sent = ()) -> Iterator[Step]:
    """Yield what a session sends, until it ends or nothing more is to come of it."""
    due: list[tuple[float, int, Event]] = []
    added = 0
    now = last = 0.0

    def plan(sent: Sent) -> None:
        nonlocal added
        for after, event in sent:
            added += 1
            heapq.heappush(due, (now + after, added, event))

    plan(first)
    while due or session.due() is not None:
        pause = session.due()
        if due and (pause is None or due[0][0] <= now + pause):
            at, _, event = heapq.heappop(due)
            session.wait(at - now)
            now = at
            session.receive(event)
        else:
            now += pause or 0.0
            session.advance()
        for event in session.take():
            yield Step(round(now - last, 3), event)
            last = now
            plan(react(event))
