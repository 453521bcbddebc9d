"""What the facts of one conversation add up to, beside what its state counts: turns, who waits, tools, errors. Pure.

The same tally is kept by a running daemon, fact by fact, and made of the records of an audit log.

A user turn is input that was committed, or a message that was typed; of a thread, a run. A caller who has spoken waits
until audio, playback or a text comes. A response that only calls tools answers nobody.

In a session that is spoken all the time a turn is a segment of the user. Its responses are those of a backend: they are
not the model's that the conversation is with.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from steno.core import facts
from steno.core.billing.prices import add_usd, usd_text
from steno.core.facts import Cost, Fact, Origin, Tokens
from steno.timestamps import Micros

SAID: Final = frozenset({"transcript", "text"})
"""Kinds of content that answer somebody."""
OPEN_MOST: Final = 64
"""Responses, calls and runs under way that are told apart, as by the default of `limits.open_responses`."""

Ids = tuple[str | None, ...]
"""What is under way: most often nothing, or one. Empty sets, a few a conversation, would be work for the collector."""


class Tally:
    """The sums over one conversation so far."""

    __slots__ = (
        "broke_at",
        "closed",
        "closed_at",
        "cost",
        "errors",
        "expects_silence",
        "family",
        "gaps",
        "interruptions",
        "key",
        "kind",
        "last_at",
        "last_latency",
        "model",
        "number",
        "open_calls",
        "open_responses",
        "open_runs",
        "opened_at",
        "paused",
        "records",
        "rejected",
        "responses",
        "source",
        "speaking",
        "spoken",
        "stopped",
        "stream",
        "tokens_in",
        "tokens_out",
        "tools_done",
        "tools_failed",
        "turns",
        "unanswered",
        "unpriced",
        "waiting",
        "worst_latency",
    )

    def __init__(self, key: str, source: str, family: str, number: int = 0) -> None:
        """Begin at zero; `number` is its place among all that began."""
        self.key = key
        self.source = source
        self.family = family
        self.number = number
        self.stream: str | None = None
        self.kind: str | None = None
        """The kind of its session; None where none was reported."""
        self.model: str | None = None
        self.opened_at: Micros | None = None
        self.last_at: Micros | None = None
        self.closed_at: Micros | None = None
        self.broke_at: Micros | None = None
        """When a stream of it ended last."""
        self.closed: facts.ConversationClosed | None = None
        """What its end says of all of it."""
        self.records = 0
        self.turns = 0
        self.unanswered = 0
        self.responses = 0
        self.interruptions = 0
        self.last_latency: float | None = None
        self.worst_latency: float | None = None
        self.speaking = False
        self.waiting = False
        self.paused = False
        """Whether upstream stopped the model, since nobody spoke."""
        self.spoken = False
        """Whether user and model speak all the time, so that responses are those of a backend."""
        self.stopped = False
        """Whether the end of speech was reported whose commit is still to come."""
        self.expects_silence = False
        """Whether the next commit is that of a silence."""
        self.open_responses: Ids = ()
        self.open_calls: Ids = ()
        self.open_runs: Ids = ()
        self.tools_done = 0
        self.tools_failed = 0
        self.tokens_in = 0
        self.tokens_out = 0
        self.cost = Decimal(0)
        self.unpriced: dict[str, int] = {}
        self.gaps = 0
        self.errors = 0
        self.rejected = 0

    def add(self, origin: Origin, fact: Fact) -> None:
        """Take in one fact of the conversation, or one of its stream."""
        self.records += 1
        if origin.at is not None:
            self.last_at = origin.at
        handler = HANDLERS.get(type(fact))
        if handler is not None:
            handler(self, origin, fact)

    def cost_usd(self) -> str | None:
        """Return the price of all usages as a decimal string; None where one of them has no price."""
        return None if self.unpriced else usd_text(self.cost)

    def answered(self) -> None:
        """Note that who waited heard or read something."""
        self.waiting = False

    def responds(self, model: str | None) -> None:
        """Note the model of a response: the conversation's, unless it is a backend's."""
        if model is not None and not (self.spoken and self.model):
            self.model = model

    def latency(self, seconds: float | None) -> None:
        """Note how long a caller waited, where that is known."""
        if seconds is not None:
            self.last_latency = seconds
            self.worst_latency = max(seconds, self.worst_latency or 0.0)

    def use(self, tokens: tuple[Tokens, ...], cost: Cost | None) -> None:
        """Add one usage."""
        for each in tokens:
            if each.direction == "input":
                self.tokens_in += each.tokens
            else:
                self.tokens_out += each.tokens
        if cost is None:
            return
        if cost.usd is not None:
            self.cost = add_usd(self.cost, Decimal(cost.usd))
        else:
            reason = cost.unpriced or "other"
            self.unpriced[reason] = self.unpriced.get(reason, 0) + 1


def _with(ids: Ids, new: str | None) -> Ids:
    return ids if new in ids else (*ids[-OPEN_MOST + 1 :], new)


def _without(ids: Ids, gone: str | None) -> Ids:
    return tuple(each for each in ids if each != gone) if gone in ids else ids


# One fact -------------------------------------------------------------------------------------------------


def _opened(tally: Tally, origin: Origin, fact: facts.ConversationOpened) -> None:
    tally.opened_at, tally.family = origin.at, fact.family
    tally.stream = tally.stream or origin.stream


def _closed(tally: Tally, origin: Origin, fact: facts.ConversationClosed) -> None:
    tally.closed, tally.closed_at = fact, origin.at
    tally.waiting = tally.speaking = False
    tally.open_responses = tally.open_calls = tally.open_runs = ()


def _session(tally: Tally, _origin: Origin, fact: facts.SessionOpened | facts.SessionChanged) -> None:
    tally.kind = fact.kind
    tally.model = fact.model or tally.model


def _speech_started(tally: Tally, _origin: Origin, _fact: Fact) -> None:
    tally.speaking, tally.waiting, tally.stopped = True, False, False


def _speech_stopped(tally: Tally, _origin: Origin, _fact: Fact) -> None:
    tally.speaking, tally.waiting, tally.stopped = False, True, True


def _committed(tally: Tally, _origin: Origin, _fact: Fact) -> None:
    """Count a turn. The answer may have come before the commit: then it begins no wait."""
    if tally.expects_silence:
        tally.expects_silence = False
        return
    tally.turns += 1
    if not tally.stopped:
        tally.waiting = True
    tally.speaking, tally.stopped = False, False


def _segment(tally: Tally, _origin: Origin, fact: facts.SegmentFinished) -> None:
    tally.spoken, tally.model = True, fact.model or tally.model
    if fact.role == "user":
        tally.turns += 1
    tally.latency(fact.turn_latency_seconds)


def _metered(tally: Tally, _origin: Origin, fact: facts.SessionMetered) -> None:
    tally.spoken, tally.model = True, fact.model or tally.model
    tally.use((), fact.cost)


def _delegated(tally: Tally, _origin: Origin, _fact: facts.DelegationOpened) -> None:
    tally.spoken = True


def _paused(tally: Tally, _origin: Origin, _fact: facts.SessionPaused) -> None:
    tally.paused = True


def _resumed(tally: Tally, _origin: Origin, _fact: facts.SessionResumed) -> None:
    tally.paused = False


def _unanswered(tally: Tally, _origin: Origin, _fact: Fact) -> None:
    tally.unanswered += 1
    tally.waiting = False


def _timed_out(tally: Tally, _origin: Origin, _fact: Fact) -> None:
    tally.expects_silence = True


def _item(tally: Tally, _origin: Origin, fact: facts.ItemAdded) -> None:
    if fact.role == "user" and fact.text is not None:
        tally.turns += 1
        tally.waiting = False


def _response_started(tally: Tally, _origin: Origin, fact: facts.ResponseStarted) -> None:
    tally.open_responses = _with(tally.open_responses, fact.response_id)
    tally.responds(fact.model)


def _output_started(tally: Tally, _origin: Origin, fact: facts.ResponseOutputStarted) -> None:
    if fact.output == "audio":
        tally.answered()
    tally.latency(fact.turn_latency_seconds)


def _response_finished(tally: Tally, _origin: Origin, fact: facts.ResponseFinished) -> None:
    tally.open_responses = _without(tally.open_responses, fact.response_id)
    tally.responses += fact.warm_up is not True
    tally.responds(fact.model)
    if any(each.kind in SAID for each in fact.output):
        tally.answered()
    tally.use(fact.tokens, fact.cost)


def _interrupted(tally: Tally, _origin: Origin, fact: facts.ResponseInterrupted) -> None:
    """Count a response that broke off. One that was steered did so as it was asked to, and has a successor."""
    if fact.reason != "steered":
        tally.interruptions += 1


def _response_abandoned(tally: Tally, _origin: Origin, fact: facts.ResponseAbandoned) -> None:
    tally.open_responses = _without(tally.open_responses, fact.response_id)
    tally.use((), fact.cost)


def _playback(tally: Tally, _origin: Origin, fact: facts.PlaybackStarted) -> None:
    tally.answered()
    tally.latency(fact.turn_latency_seconds)


def _billed(
    tally: Tally,
    _origin: Origin,
    fact: facts.TranscriptionFinished | facts.SessionFinished | facts.ToolCallsBilled | facts.DecisionMade,
) -> None:
    tally.use(fact.tokens, fact.cost)


def _call_started(tally: Tally, _origin: Origin, fact: facts.ToolCallStarted) -> None:
    tally.open_calls = _with(tally.open_calls, fact.call_id)


def _call_finished(tally: Tally, _origin: Origin, fact: facts.ToolCallFinished) -> None:
    tally.open_calls = _without(tally.open_calls, fact.call_id)
    if fact.status == "completed":
        tally.tools_done += 1
    else:
        tally.tools_failed += 1


def _run_started(tally: Tally, _origin: Origin, fact: facts.RunStarted) -> None:
    tally.open_runs = _with(tally.open_runs, fact.run_id)
    tally.turns += 1
    tally.model = fact.model or tally.model


def _run_finished(tally: Tally, _origin: Origin, fact: facts.RunFinished) -> None:
    tally.open_runs = _without(tally.open_runs, fact.run_id)
    tally.model = fact.model or tally.model
    tally.use(fact.tokens, fact.cost)


def _run_abandoned(tally: Tally, _origin: Origin, fact: facts.RunAbandoned) -> None:
    tally.open_runs = _without(tally.open_runs, fact.run_id)
    tally.use((), fact.cost)


def _stream_closed(tally: Tally, origin: Origin, fact: facts.StreamClosed) -> None:
    tally.broke_at = origin.at
    if fact.gap is not None:
        tally.gaps += 1


def _missed(tally: Tally, _origin: Origin, _fact: Fact) -> None:
    tally.gaps += 1


def _error(tally: Tally, _origin: Origin, _fact: Fact) -> None:
    tally.errors += 1


def _rejected(tally: Tally, _origin: Origin, _fact: Fact) -> None:
    tally.rejected += 1


HANDLERS: Final[Mapping[type[Fact], Callable[[Tally, Origin, Any], None]]] = {
    facts.ConversationOpened: _opened,
    facts.ConversationClosed: _closed,
    facts.SessionOpened: _session,
    facts.SessionChanged: _session,
    facts.SpeechStarted: _speech_started,
    facts.SpeechStopped: _speech_stopped,
    facts.InputCommitted: _committed,
    facts.InputTimedOut: _timed_out,
    facts.TurnUnanswered: _unanswered,
    facts.SegmentFinished: _segment,
    facts.SessionMetered: _metered,
    facts.SessionPaused: _paused,
    facts.SessionResumed: _resumed,
    facts.DelegationOpened: _delegated,
    facts.DecisionMade: _billed,
    facts.ItemAdded: _item,
    facts.ResponseStarted: _response_started,
    facts.ResponseOutputStarted: _output_started,
    facts.ResponseFinished: _response_finished,
    facts.ResponseInterrupted: _interrupted,
    facts.ResponseAbandoned: _response_abandoned,
    facts.PlaybackStarted: _playback,
    facts.TranscriptionFinished: _billed,
    facts.SessionFinished: _billed,
    facts.ToolCallStarted: _call_started,
    facts.ToolCallFinished: _call_finished,
    facts.RunStarted: _run_started,
    facts.RunFinished: _run_finished,
    facts.RunAbandoned: _run_abandoned,
    facts.StreamClosed: _stream_closed,
    facts.EventsMissed: _missed,
    facts.UpstreamErred: _error,
    facts.EventRejected: _rejected,
    facts.FrameRejected: _rejected,
}
"""What each fact adds. A fact that is not here adds a record alone."""
