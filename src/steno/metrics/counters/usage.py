"""What is billed beside responses and runs that ended."""

from typing import Final

from steno.core import facts
from steno.core.facts import Origin
from steno.metrics.tally import NO_MODEL, Counters, Tally


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
    facts.SessionFinished: _billed,
    facts.ToolCallsBilled: _tools,
    facts.TranscriptionFinished: _billed,
}
