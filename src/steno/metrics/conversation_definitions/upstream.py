"""Metrics of what upstream says of itself: its limits and errors."""

from typing import Final

from steno.metrics.definition import Definition

UPSTREAM: Final = (
    Definition(
        "steno_rate_limit_remaining",
        "gauge",
        ("source", "kind"),
        "What upstream last said is left of a limit.",
    ),
    Definition(
        "steno_rate_limit_limit",
        "gauge",
        ("source", "kind"),
        "How much a limit allows, as upstream last said.",
    ),
    Definition(
        "steno_rate_limit_reset_seconds",
        "gauge",
        ("source", "kind"),
        "Until a limit is whole again, counted down from what upstream last said.",
    ),
    Definition(
        "steno_upstream_errors_total",
        "counter",
        ("source", "family", "code"),
        "Errors that upstream reported.",
    ),
)
