"""What is billed beside responses and runs that ended."""

from typing import Final

from steno.core import facts
from steno.core.facts import Origin
from steno.core.vocabulary import SESSION_ENDS
from steno.metrics.tally import NO_MODEL, OTHER, Counters, Tally

ABANDONED: Final = "abandoned"
UNKNOWN: Final = "unknown"
UNCONFIRMED: Final = "unconfirmed"
"""The reason of a session that ended, and upstream did not say so."""


def _session(metrics: Tally, origin: Origin, fact: facts.SessionFinished) -> None:
    """Upstream's reason is of a closed list, or counts as `other`."""
    if fact.status == ABANDONED:
        reason = UNCONFIRMED
    elif fact.reason is None:
        reason = UNKNOWN
    else:
        reason = fact.reason if fact.reason in SESSION_ENDS else OTHER
    metrics.add("steno_sessions_closed_total", origin, fact.kind, reason)
    _billed(metrics, origin, fact)


def _billed(metrics: Tally, origin: Origin, fact: facts.TranscriptionFinished | facts.SessionFinished) -> None:
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)


def _abandoned(metrics: Tally, origin: Origin, fact: facts.ResponseAbandoned | facts.RunAbandoned) -> None:
    metrics.add_usage(origin, fact.model, (), fact.cost)


def _tools(metrics: Tally, origin: Origin, fact: facts.ToolCallsBilled) -> None:
    labels = (origin.family or NO_MODEL, metrics.model(origin, fact.model), fact.kind)
    metrics.add("steno_billed_tool_calls_total", origin, *labels, amount=fact.calls)
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)


COUNTERS: Final[Counters] = {
    facts.ResponseAbandoned: _abandoned,
    facts.RunAbandoned: _abandoned,
    facts.SessionFinished: _session,
    facts.ToolCallsBilled: _tools,
    facts.TranscriptionFinished: _billed,
}
