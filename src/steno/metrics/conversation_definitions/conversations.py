"""Metrics of conversations and their sessions."""

from typing import Final

from steno.metrics.buckets import CONVERSATION_SECONDS
from steno.metrics.definition import Definition

CONVERSATIONS: Final = (
    Definition("steno_conversations", "gauge", ("source", "family"), "Conversations that are open."),
    Definition(
        "steno_conversations_opened_total",
        "counter",
        ("source", "family"),
        "Conversations that began.",
    ),
    Definition(
        "steno_conversations_closed_total",
        "counter",
        ("source", "family", "reason"),
        "Conversations that ended.",
    ),
    Definition(
        "steno_conversation_duration_seconds",
        "histogram",
        ("source", "family"),
        "From the first to the last event of conversations that ended.",
        CONVERSATION_SECONDS,
    ),
    Definition(
        "steno_sessions",
        "gauge",
        ("source", "kind"),
        "Sessions that are known and have not ended, by kind.",
    ),
    Definition(
        "steno_sessions_ending",
        "gauge",
        ("source", "kind", "within"),
        "Sessions, and runs, whose deadline is at most so far away.",
    ),
)
