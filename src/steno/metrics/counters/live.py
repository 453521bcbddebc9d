"""Live sessions: their time, who spoke at once, and the work that they delegated."""

from typing import Final

from steno.core import facts
from steno.core.facts import Origin
from steno.metrics.tally import Counters, Tally

ACTIVE: Final = "active"
PAUSED: Final = "paused"
ANSWERED: Final = "answered"
USER: Final = "user"


def _metered(metrics: Tally, origin: Origin, fact: facts.SessionMetered) -> None:
    """What a report adds: the reports themselves are sums, and add up to nothing."""
    model = metrics.model(origin, fact.model)
    metrics.begin("sessions", origin, model)
    if fact.active_seconds:
        metrics.add("steno_live_seconds_total", origin, model, ACTIVE, amount=fact.active_seconds)
    if fact.paused_seconds:
        metrics.add("steno_live_seconds_total", origin, model, PAUSED, amount=fact.paused_seconds)
    metrics.add_usage(origin, fact.model, (), fact.cost)


def _segment(metrics: Tally, origin: Origin, fact: facts.SegmentFinished) -> None:
    """Double talk is counted once, with what the model said."""
    if fact.role == USER:
        if fact.start_ms is not None and fact.end_ms is not None:
            lasted = (fact.end_ms - fact.start_ms) / 1_000
            metrics.observe("steno_user_speech_duration_seconds", origin, value=lasted)
        return
    model = metrics.model(origin, fact.model)
    metrics.observe("steno_turn_latency_seconds", origin, model, value=fact.turn_latency_seconds)
    if fact.double_talk_seconds:
        metrics.add("steno_double_talk_seconds_total", origin, model, amount=fact.double_talk_seconds)


def _delegation(metrics: Tally, origin: Origin, fact: facts.DelegationFinished) -> None:
    metrics.add("steno_delegations_total", origin, fact.target, fact.status)
    if fact.status == ANSWERED:
        metrics.observe("steno_delegation_duration_seconds", origin, fact.target, value=fact.duration_seconds)


def _decision(metrics: Tally, origin: Origin, fact: facts.DecisionMade) -> None:
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)


COUNTERS: Final[Counters] = {
    facts.SessionMetered: _metered,
    facts.SegmentFinished: _segment,
    facts.DelegationFinished: _delegation,
    facts.DecisionMade: _decision,
}
