"""Tool calls."""

from typing import Final

from steno.core import facts
from steno.core.facts import Origin
from steno.metrics.tally import COMPLETED, Counters, Tally


def _tool_started(metrics: Tally, origin: Origin, fact: facts.ToolCallStarted) -> None:
    metrics.begin("tools", origin, fact.kind, metrics.tool(origin, fact.kind, fact.name))


def _tool_call(metrics: Tally, origin: Origin, fact: facts.ToolCallFinished) -> None:
    tool = metrics.tool(origin, fact.kind, fact.name)
    metrics.add("steno_tool_calls_total", origin, fact.kind, tool, fact.status)
    if fact.status == COMPLETED:
        metrics.observe("steno_tool_call_duration_seconds", origin, fact.kind, tool, value=fact.duration_seconds)


COUNTERS: Final[Counters] = {
    facts.ToolCallStarted: _tool_started,
    facts.ToolCallFinished: _tool_call,
}
