"""When something is due of an open conversation in a silence: its session nears its end, or it was silent for too long.

Theory of operation
-------------------

Nobody looks at all conversations each second: with 10,000 open that held the loop for 10 ms. Each one that something
may be due of stands under one whole second (`Conversation.look_at`), at which it is looked at. One rule makes that
enough: it never stands under a later second than anything of it is due.

Most deadlines move later, with each event of the conversation. Nothing is done then: it is looked at too early, nothing
is due, and it is put under the second that is right by that time. Three things move one earlier, and then `watch` is
called: its session is reported, another session follows it, its stream turns out to be mixed.

A conversation that closes is forgotten at once. A second that nobody stands under any more stays in the heap until it
has come, or until most of the heap is of that kind.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from steno.core.conversation import Conversation
from steno.timestamps import Micros, whole_second

ALWAYS: Final[Micros] = 0
"""Where those stand whose last event has no time: at each tick, since that may have changed with any event."""
FEW: Final = 64
"""Seconds that may be in the heap for nothing."""


class Due(NamedTuple):
    """What is due, in the order in which it happens."""

    when: Micros
    number: int
    """That of the conversation."""
    silent: bool
    """Whether the conversation ends; else its session reaches the next threshold."""
    state: Conversation


class Deadlines:
    """The open conversations by the second at which each is looked at next."""

    __slots__ = ("_idle", "_looked_at", "_seconds", "_superseded")

    def __init__(self, idle: Micros, superseded: Micros) -> None:
        """Watch none. A conversation ends after a silence of `idle`, one that another has followed of `superseded`."""
        self._idle = idle
        self._superseded = min(idle, superseded)
        self._looked_at: dict[Micros, dict[int, Conversation]] = {}
        """Second to the conversations that are looked at then, by number."""
        self._seconds: list[Micros] = []
        """A heap of those seconds, and of some under which nobody stands any more."""

    def watch(self, state: Conversation) -> None:
        """Look at `state` as soon as something of it is due, as it is now."""
        second = self._next(state)
        if second is None or (state.look_at is not None and state.look_at <= second):
            return
        self.forget(state)
        if second not in self._looked_at:
            self._looked_at[second] = {}
            self._add(second)
        self._looked_at[second][state.number] = state
        state.look_at = second

    def forget(self, state: Conversation) -> None:
        """Look at `state` no more."""
        second, state.look_at = state.look_at, None
        if second is None:
            return
        others = self._looked_at[second]
        del others[state.number]
        if not others:
            del self._looked_at[second]

    def take(self, at: Micros) -> list[Conversation]:
        """Return those that are to be looked at up to `at`. They are watched no more."""
        taken: list[Conversation] = []
        while self._seconds and self._seconds[0] <= at:
            taken += self._looked_at.pop(heappop(self._seconds), {}).values()
        for state in taken:
            state.look_at = None
        return taken

    def due(self, states: Iterable[Conversation], at: Micros) -> list[Due]:
        """Return what is due of `states` up to `at`, in order of time and then of opening."""
        due: list[Due] = []
        for state in states:
            due += [Due(when, state.number, silent=False, state=state) for when in state.session_life.dues(at)]
            silent_at = self._silent_at(state)
            if silent_at is not None and silent_at <= at:
                due.append(Due(silent_at, state.number, silent=True, state=state))
        return sorted(due, key=lambda each: each[:3])

    def _next(self, state: Conversation) -> Micros | None:
        """Return the first second at which something of `state` may be due; None where nothing will be."""
        if state.last_at is None and _ends_in_silence(state):
            return ALWAYS
        first, silent_at = state.session_life.next_due(), self._silent_at(state)
        return silent_at if first is None else first if silent_at is None else min(first, silent_at)

    def _silent_at(self, state: Conversation) -> Micros | None:
        """Return the second at which `state` ends if it stays silent; None where it ends with its stream."""
        if state.last_at is None or not _ends_in_silence(state):
            return None
        return whole_second(state.last_at + (self._superseded if state.superseded else self._idle))

    def _add(self, second: Micros) -> None:
        heappush(self._seconds, second)
        if len(self._seconds) > FEW + 2 * len(self._looked_at):
            self._seconds = list(self._looked_at)
            heapify(self._seconds)


def _ends_in_silence(state: Conversation) -> bool:
    return state.named or state.shared or state.superseded
