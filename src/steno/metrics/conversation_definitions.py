"""The metrics of conversations: what follows from frames, ticks and configuration alone. Replay writes the same.

Each has `source` as its first label, so that one front desk can be told from another. The labels that an operator gives
a source stand behind it (`labels`).
"""

from typing import Final

from steno.metrics.definition import Definition, table

VOICE_SECONDS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""What a caller feels: 0.8 s begins to feel unnatural, so that the buckets are dense there."""
SPEECH_SECONDS: Final = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0)
RESPONSE_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0, 120.0)
TOOL_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
RUN_SECONDS: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""A run is given up after 10 minutes."""
CONVERSATION_SECONDS: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)
"""Calls that end at once, calls as they are, and sessions that reach their 60 minutes."""

CONVERSATION_METRICS: Final = table(
    Definition(
        "steno_events_total",
        "counter",
        ("source", "family", "event"),
        "Events by type; unknown types are `other`.",
    ),
    Definition(
        "steno_events_rejected_total",
        "counter",
        ("source", "reason"),
        "Frames that were no event, and events that did not fit the state of their conversation.",
    ),
    Definition(
        "steno_drifted_members_total",
        "counter",
        ("source",),
        "Members of events that were of an unexpected type and so read as absent, and unknown members of a usage.",
    ),
    Definition(
        "steno_duplicates_total",
        "counter",
        ("source",),
        "Events that were delivered again; they change nothing.",
    ),
    Definition(
        "steno_missed_events_total",
        "counter",
        ("source", "reason"),
        "Events that never came, as their sender's numbers or gap lines say, by why.",
    ),
    Definition(
        "steno_stream_gap_seconds_total",
        "counter",
        ("source",),
        "Seconds between two connections to one address, in which nothing was received.",
    ),
    Definition(
        "steno_facts_omitted_total",
        "counter",
        ("source",),
        "Facts that were left out, since one event led to too many of their kind.",
    ),
    Definition("steno_frame_bytes_total", "counter", ("source", "direction"), "Bytes of frames, uncompressed."),
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
    Definition(
        "steno_responses_total",
        "counter",
        ("source", "model", "status", "reason"),
        "Realtime responses that ended.",
    ),
    Definition(
        "steno_response_duration_seconds",
        "histogram",
        ("source", "model"),
        "From response.created to response.done, of completed responses.",
        RESPONSE_SECONDS,
    ),
    Definition(
        "steno_time_to_first_token_seconds",
        "histogram",
        ("source", "model"),
        "From response.created to the first text, transcript or argument delta, whatever becomes of the response.",
        VOICE_SECONDS,
    ),
    Definition(
        "steno_time_to_first_audio_seconds",
        "histogram",
        ("source", "model"),
        "From response.created to the first audio delta, whatever becomes of the response.",
        VOICE_SECONDS,
    ),
    Definition(
        "steno_turn_latency_seconds",
        "histogram",
        ("source", "model"),
        "From the end of the user's speech to the first audio of the answer, whatever becomes of it.",
        VOICE_SECONDS,
    ),
    Definition(
        "steno_unanswered_turns_total",
        "counter",
        ("source",),
        "Turns of users that ended, by speech or with the session, when no answer had begun.",
    ),
    Definition(
        "steno_interruptions_total",
        "counter",
        ("source", "model", "reason"),
        "Responses that broke off, by cause.",
    ),
    Definition(
        "steno_user_speech_duration_seconds",
        "histogram",
        ("source",),
        "From the start to the end of what a user said, as the voice detector heard it.",
        SPEECH_SECONDS,
    ),
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
    Definition("steno_runs_total", "counter", ("source", "model", "status"), "Assistants runs that ended."),
    Definition(
        "steno_run_duration_seconds",
        "histogram",
        ("source", "model"),
        "From the first sight of a queued run to its end.",
        RUN_SECONDS,
    ),
    Definition(
        "steno_run_queue_seconds",
        "histogram",
        ("source", "model"),
        "From the first sight of a run to its first work, of completed runs.",
        RUN_SECONDS,
    ),
    Definition(
        "steno_run_action_seconds",
        "histogram",
        ("source", "model"),
        "How long a run waited for the outputs of its tools, of completed runs that did.",
        RUN_SECONDS,
    ),
    Definition("steno_run_steps_total", "counter", ("source", "kind", "status"), "Steps of runs that ended."),
    Definition(
        "steno_run_step_duration_seconds",
        "histogram",
        ("source", "kind"),
        "From the creation of a step to its end.",
        RUN_SECONDS,
    ),
    Definition(
        "steno_tokens_total",
        "counter",
        ("source", "family", "model", "direction", "modality", "cached"),
        "Tokens as upstream reported them, in disjoint buckets.",
    ),
    Definition(
        "steno_cost_usd_total",
        "counter",
        ("source", "family", "model"),
        "What usages cost, in USD, where they have a price.",
    ),
    Definition(
        "steno_unpriced_total",
        "counter",
        ("source", "family", "reason"),
        "Usages that could not be priced, and why.",
    ),
    Definition(
        "steno_cache_write_tokens_total",
        "counter",
        ("source", "family", "model", "kind"),
        "Input tokens that were written to the prompt cache, by how long they are kept; part of those not cached.",
    ),
    Definition(
        "steno_reasoning_tokens_total",
        "counter",
        ("source", "family", "model"),
        "Output tokens that were reasoning, where upstream reports it; part of those of text.",
    ),
    Definition(
        "steno_response_service_tiers_total",
        "counter",
        ("source", "family", "model", "kind"),
        "Responses by the service tier that they were served by, where upstream names it.",
    ),
    Definition(
        "steno_billed_tool_calls_total",
        "counter",
        ("source", "family", "model", "kind"),
        "Calls of built-in tools that are billed beside the tokens of a response.",
    ),
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
