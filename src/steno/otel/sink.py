"""Facts that end something, as small items in a bounded queue.

This is the part on the way of every event, so it does little: a fact of another kind costs one look-up, and one of
these a Struct. An item holds no content, and refers to no upstream object.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from steno.core import facts
from steno.core.facts import Cost, Fact, Origin, Tokens

RESPONSE: Final = "response"
TURN: Final = "turn"
TOOL_CALL: Final = "tool_call"
RUN: Final = "run"
RUN_STEP: Final = "run_step"
DELEGATION: Final = "delegation"
ABANDONED: Final = "abandoned"
ANSWERED: Final = "answered"
UNANSWERED: Final = "unanswered"
"""How a turn ended."""


class Began(Struct, frozen=True, gc=False):
    """A response, a run, a tool call or a delegation began. It is no span: it says what later ones belong to."""

    origin: Origin
    what: str
    id: str | None


class Forgotten(Struct, frozen=True, gc=False):
    """A conversation closed: what began in it is over."""

    origin: Origin


class Ended(Struct, frozen=True, gc=False):
    """What one span is made of."""

    origin: Origin
    what: str
    id: str | None
    name: str | None
    """The model, or the name of a tool."""
    status: str | None
    seconds: float | None
    """How long it took; None where its beginning was not seen."""
    reason: str | None = None
    kind: str | None = None
    """Of tool calls and steps; of a delegation, whom the work was handed to."""
    parent: str | None = None
    """The id of the run that a step is of."""
    first_token: float | None = None
    """Seconds from the beginning."""
    first_audio: float | None = None
    turn_latency: float | None = None
    tokens: tuple[Tokens, ...] = ()
    cost: Cost | None = None


Item = Began | Forgotten | Ended


class SpanSink:
    """Takes facts in on the event loop. One thread takes the items out."""

    def __init__(self, most: int) -> None:
        """Hold `most` items. While that many wait, further ones are dropped."""
        self.queue: deque[Item] = deque()
        self.dropped = 0
        """Spans that found no room."""
        self.mistakes = 0
        """Facts at which our own code raised."""
        self._most = most

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Queue what `fact` leads to, where it leads to anything. Never waits and never raises."""
        make = ITEMS.get(type(fact))
        if make is None:
            return
        try:
            item = make(origin, fact)
        except Exception:  # noqa: BLE001  # a mistake here must not end the stream that the fact is of
            self.mistakes += 1
            return
        if item is None:
            return
        if len(self.queue) < self._most:
            self.queue.append(item)
        elif type(item) is Ended:
            self.dropped += 1


def _response_began(origin: Origin, fact: facts.ResponseStarted) -> Item:
    return Began(origin, RESPONSE, fact.response_id)


def _run_began(origin: Origin, fact: facts.RunStarted) -> Item:
    return Began(origin, RUN, fact.run_id)


def _call_began(origin: Origin, fact: facts.ToolCallStarted) -> Item:
    return Began(origin, TOOL_CALL, fact.call_id)


def _delegation_began(origin: Origin, fact: facts.DelegationOpened) -> Item:
    return Began(origin, DELEGATION, fact.delegation_id)


def _closed(origin: Origin, _fact: facts.ConversationClosed) -> Item:
    return Forgotten(origin)


def _answered(origin: Origin, fact: facts.ResponseOutputStarted | facts.PlaybackStarted) -> Item | None:
    """A turn is over when its answer begins, and the latency says when it was the model's."""
    if fact.turn_latency_seconds is None:
        return None
    return Ended(origin, TURN, fact.response_id, fact.model, ANSWERED, fact.turn_latency_seconds)


def _unanswered(origin: Origin, fact: facts.TurnUnanswered) -> Item:
    return Ended(origin, TURN, fact.item_id, None, UNANSWERED, fact.waited_seconds, reason=fact.ended_by)


def _response(origin: Origin, fact: facts.ResponseFinished) -> Item:
    return Ended(
        origin,
        RESPONSE,
        fact.response_id,
        fact.model,
        fact.status,
        fact.duration_seconds,
        reason=fact.reason,
        first_token=fact.time_to_first_token_seconds,
        first_audio=fact.time_to_first_audio_seconds,
        turn_latency=fact.turn_latency_seconds,
        tokens=fact.tokens,
        cost=fact.cost,
    )


def _response_abandoned(origin: Origin, fact: facts.ResponseAbandoned) -> Item:
    return Ended(origin, RESPONSE, fact.response_id, fact.model, ABANDONED, None, cost=fact.cost)


def _tool_call(origin: Origin, fact: facts.ToolCallFinished) -> Item:
    return Ended(
        origin,
        TOOL_CALL,
        fact.call_id,
        fact.name,
        fact.status,
        fact.duration_seconds,
        reason=fact.error,
        kind=fact.kind,
    )


def _run(origin: Origin, fact: facts.RunFinished) -> Item:
    return Ended(
        origin,
        RUN,
        fact.run_id,
        fact.model,
        fact.status,
        fact.duration_seconds,
        reason=fact.reason,
        tokens=fact.tokens,
        cost=fact.cost,
    )


def _run_abandoned(origin: Origin, fact: facts.RunAbandoned) -> Item:
    return Ended(origin, RUN, fact.run_id, fact.model, ABANDONED, None, cost=fact.cost)


def _run_step(origin: Origin, fact: facts.RunStepFinished) -> Item:
    return Ended(
        origin,
        RUN_STEP,
        fact.step_id,
        None,
        fact.status,
        fact.duration_seconds,
        reason=fact.reason,
        kind=fact.kind,
        parent=fact.run_id,
    )


def _run_step_abandoned(origin: Origin, fact: facts.RunStepAbandoned) -> Item:
    return Ended(origin, RUN_STEP, fact.step_id, None, ABANDONED, None, parent=fact.run_id)


def _delegation(origin: Origin, fact: facts.DelegationFinished) -> Item:
    return Ended(origin, DELEGATION, fact.delegation_id, None, fact.status, fact.duration_seconds, kind=fact.target)


ITEMS: Final[Mapping[type[Fact], Callable[[Origin, Any], Item | None]]] = {
    facts.ResponseStarted: _response_began,
    facts.RunStarted: _run_began,
    facts.ToolCallStarted: _call_began,
    facts.DelegationOpened: _delegation_began,
    facts.ConversationClosed: _closed,
    facts.ResponseOutputStarted: _answered,
    facts.PlaybackStarted: _answered,
    facts.TurnUnanswered: _unanswered,
    facts.ResponseFinished: _response,
    facts.ResponseAbandoned: _response_abandoned,
    facts.ToolCallFinished: _tool_call,
    facts.DelegationFinished: _delegation,
    facts.RunFinished: _run,
    facts.RunAbandoned: _run_abandoned,
    facts.RunStepFinished: _run_step,
    facts.RunStepAbandoned: _run_step_abandoned,
}
"""What each fact leads to; all others lead to nothing."""
