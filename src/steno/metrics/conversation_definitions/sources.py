"""Metrics of a source as a whole."""

from typing import Final

from steno.metrics.definition import Definition

SOURCES: Final = (
    Definition(
        "steno_last_event_timestamp_seconds",
        "gauge",
        ("source",),
        "When the last frame came, in Unix time; 0 where none came yet.",
    ),
    Definition(
        "steno_series_dropped_total",
        "counter",
        ("source",),
        "Counts and observations that stand under `other`, since `limits.series` left no room for their own series.",
    ),
)
