"""Metrics of tool calls."""

from typing import Final

from steno.metrics.buckets import TOOL_SECONDS
from steno.metrics.definition import Definition

TOOLS: Final = (
    Definition(
        "steno_tool_calls_total",
        "counter",
        ("source", "kind", "tool", "status"),
        "Tool calls that are over.",
    ),
    Definition(
        "steno_tool_calls_open",
        "gauge",
        ("source", "kind"),
        "Tool calls that began and are not over.",
    ),
    Definition(
        "steno_tool_call_duration_seconds",
        "histogram",
        ("source", "kind", "tool"),
        "From a whole call to its output, of completed calls.",
        TOOL_SECONDS,
    ),
)
