"""Metrics of Live sessions: their time, who spoke at once, and the work that they delegated."""

from typing import Final

from steno.metrics.buckets import TOOL_SECONDS
from steno.metrics.definition import Definition

LIVE: Final = (
    Definition(
        "steno_live_seconds_total",
        "counter",
        ("source", "model", "state"),
        "How long Live sessions lasted, active or paused, as upstream bills them.",
    ),
    Definition(
        "steno_context_window_ratio",
        "gauge",
        ("source", "model"),
        "How full the context of a model is, from 0 to 1: of its open sessions the one that is fullest.",
    ),
    Definition(
        "steno_double_talk_seconds_total",
        "counter",
        ("source", "model"),
        "How long user and model spoke at once in Live sessions, by upstream's clock.",
    ),
    Definition(
        "steno_delegations_total",
        "counter",
        ("source", "target", "status"),
        "Work that Live sessions delegated and that is over.",
    ),
    Definition(
        "steno_delegation_duration_seconds",
        "histogram",
        ("source", "target"),
        "From the delegation of work to its answer.",
        TOOL_SECONDS,
    ),
    Definition(
        "steno_sessions_closed_total",
        "counter",
        ("source", "kind", "reason"),
        "Sessions that are billed as a whole and are over, by why; `unconfirmed` where upstream did not say so.",
    ),
)
