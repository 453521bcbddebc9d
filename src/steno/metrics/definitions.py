"""Every metric of steno as data: its name, kind, labels and meaning. The documentation is held against this."""

from typing import Final, Literal

from msgspec import Struct

VOICE_SECONDS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""What a caller feels: 0.8 s begins to feel unnatural, so that the buckets are dense there."""
SPEECH_SECONDS: Final = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0)
RESPONSE_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0, 120.0)
TOOL_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
RUN_SECONDS: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""A run is given up after 10 minutes."""

Kind = Literal["counter", "gauge", "histogram"]


class Definition(Struct, frozen=True):
    """One metric. A counter's `name` ends in `_total`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


def _table(*rows: Definition) -> dict[str, Definition]:
    return {row.name: row for row in rows}


CONVERSATION_METRICS: Final = _table(
    Definition("steno_events_total", "counter", ("family", "event"), "Events by type; unknown types are `other`."),
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
    Definition("steno_conversations", "gauge", ("family",), "Conversations that are open."),
    Definition("steno_sessions", "gauge", ("kind",), "Sessions that are known and have not ended, by kind."),
    Definition(
        "steno_sessions_ending_60_seconds",
        "gauge",
        ("kind",),
        "Sessions, and runs, whose deadline is at most 60 seconds away.",
    ),
    Definition(
        "steno_sessions_ending_300_seconds",
        "gauge",
        ("kind",),
        "Sessions, and runs, whose deadline is at most 300 seconds away.",
    ),
    Definition("steno_conversations_closed_total", "counter", ("family", "reason"), "Conversations that ended."),
    Definition("steno_responses_total", "counter", ("model", "status", "reason"), "Realtime responses that ended."),
    Definition(
        "steno_response_duration_seconds",
        "histogram",
        ("model",),
        "From response.created to response.done, of completed responses.",
        RESPONSE_SECONDS,
    ),
    Definition(
        "steno_time_to_first_token_seconds",
        "histogram",
        ("model",),
        "From response.created to the first text, transcript or argument delta, whatever becomes of the response.",
        VOICE_SECONDS,
    ),
    Definition(
        "steno_time_to_first_audio_seconds",
        "histogram",
        ("model",),
        "From response.created to the first audio delta, whatever becomes of the response.",
        VOICE_SECONDS,
    ),
    Definition(
        "steno_turn_latency_seconds",
        "histogram",
        ("model",),
        "From the end of the user's speech to the first audio of the answer, whatever becomes of it.",
        VOICE_SECONDS,
    ),
    Definition("steno_interruptions_total", "counter", ("model", "reason"), "Responses that broke off, by cause."),
    Definition(
        "steno_user_speech_duration_seconds",
        "histogram",
        (),
        "From the start to the end of what a user said, as the voice detector heard it.",
        SPEECH_SECONDS,
    ),
    Definition("steno_tool_calls_total", "counter", ("kind", "status"), "Tool calls that are over."),
    Definition(
        "steno_tool_call_duration_seconds",
        "histogram",
        ("kind",),
        "From a whole call to its output, of completed calls.",
        TOOL_SECONDS,
    ),
    Definition("steno_runs_total", "counter", ("model", "status"), "Assistants runs that ended."),
    Definition(
        "steno_run_duration_seconds",
        "histogram",
        ("model",),
        "From the first sight of a queued run to its end.",
        RUN_SECONDS,
    ),
    Definition(
        "steno_run_queue_seconds",
        "histogram",
        ("model",),
        "From the first sight of a run to its first work, of completed runs.",
        RUN_SECONDS,
    ),
    Definition(
        "steno_run_action_seconds",
        "histogram",
        ("model",),
        "How long a run waited for the outputs of its tools, of completed runs that did.",
        RUN_SECONDS,
    ),
    Definition("steno_run_steps_total", "counter", ("kind", "status"), "Steps of runs that ended."),
    Definition(
        "steno_run_step_duration_seconds",
        "histogram",
        ("kind",),
        "From the creation of a step to its end.",
        RUN_SECONDS,
    ),
    Definition(
        "steno_tokens_total",
        "counter",
        ("family", "model", "direction", "modality", "cached"),
        "Tokens as upstream reported them, in disjoint buckets.",
    ),
    Definition(
        "steno_cost_usd_total", "counter", ("family", "model"), "What usages cost, in USD, where they have a price."
    ),
    Definition("steno_unpriced_total", "counter", ("family", "reason"), "Usages that could not be priced, and why."),
    Definition(
        "steno_rate_limit_remaining",
        "gauge",
        ("source", "kind"),
        "What upstream last said is left of a limit.",
    ),
    Definition("steno_upstream_errors_total", "counter", ("family", "code"), "Errors that upstream reported."),
    Definition("steno_last_event_timestamp_seconds", "gauge", ("source",), "When the last frame came, in Unix time."),
)
"""What follows from frames, ticks and configuration alone: replay writes the same."""

PROCESS_METRICS: Final = _table(
    Definition("steno_streams", "gauge", ("source",), "Connections that are open."),
    Definition(
        "steno_draining",
        "gauge",
        (),
        "1 from the signal to stop on, where calls go to their end before the daemon does.",
    ),
    Definition(
        "steno_connect_attempts_total",
        "counter",
        ("source", "reason"),
        "Attempts to connect, by outcome: `connected`, or why not.",
    ),
    Definition(
        "steno_stream_gaps_total",
        "counter",
        ("source", "reason"),
        "Streams that broke off, so that events may have been missed.",
    ),
    Definition("steno_proxy_connections", "gauge", ("source",), "Clients that are connected to a proxy."),
    Definition(
        "steno_proxy_refused_total",
        "counter",
        ("source", "reason"),
        "Connections and requests that a proxy did not pass on, and why.",
    ),
    Definition(
        "steno_unfed_frames_total",
        "counter",
        ("source", "reason"),
        "Messages that passed a proxy and could not be read along, and why.",
    ),
    Definition(
        "steno_source_restarts_total",
        "counter",
        ("source",),
        "Times that a source failed by an internal error and was started again.",
    ),
    Definition(
        "steno_listen_handshakes_total",
        "counter",
        ("source", "reason"),
        "Connections that clients made to a source that listens, by outcome: `accepted`, or why not.",
    ),
    Definition(
        "steno_listen_repeated_messages_total",
        "counter",
        ("source",),
        "Messages that clients sent again although they had been fed: they changed nothing.",
    ),
    Definition(
        "steno_listen_slowed_seconds_total",
        "counter",
        ("source",),
        "How long connections were not read, since their clients sent more than `bytes_per_second`.",
    ),
    Definition(
        "steno_tls_certificate_loads_total",
        "counter",
        ("source", "reason"),
        "Times that the certificate of a source was read, by outcome: `loaded`, or why it cannot be used.",
    ),
    Definition(
        "steno_tls_certificate_expiry_timestamp_seconds",
        "gauge",
        ("source",),
        "Until when the certificate that a source shows its clients is valid, in Unix time.",
    ),
    Definition(
        "steno_attachments", "gauge", ("source", "status"), "Calls that are followed, by what steno does about them."
    ),
    Definition(
        "steno_attachments_ended_total",
        "counter",
        ("source", "reason"),
        "Calls that are followed no more, and why.",
    ),
    Definition(
        "steno_attachment_requests_total",
        "counter",
        ("kind", "status"),
        "Requests to follow a call or to end that, by who asked and what became of them.",
    ),
    Definition("steno_webhooks_total", "counter", ("status",), "Webhooks that came, by what became of them."),
    Definition("steno_webhook_events_total", "counter", ("event",), "Webhooks that were accepted, by type."),
    Definition(
        "steno_http_connections",
        "gauge",
        ("kind",),
        "Clients connected to the HTTP face or the control socket.",
    ),
    Definition(
        "steno_http_rejected_total",
        "counter",
        ("kind", "reason"),
        "Clients of the HTTP face and the control socket that got no answer, and why.",
    ),
    Definition(
        "steno_clock_offset_seconds",
        "gauge",
        (),
        "How far the wall clock is ahead of the times that frames and records have.",
    ),
    Definition(
        "steno_clock_steps_total",
        "counter",
        ("direction",),
        "Times that the wall clock was set, or that the machine slept, while the daemon ran.",
    ),
    Definition("steno_audit_enabled", "gauge", (), "1 when there is an audit log."),
    Definition("steno_audit_records_total", "counter", (), "Records written to the audit log."),
    Definition("steno_audit_write_errors_total", "counter", ("reason",), "Failed writes to the audit log."),
    Definition("steno_audit_queue_bytes", "gauge", (), "Bytes of records that wait to be written."),
    Definition("steno_audit_unflushed_seconds", "gauge", (), "Age of the oldest record that is not on the disk yet."),
    Definition("steno_audit_blocked", "gauge", (), "1 while reading has stopped because the log cannot keep up."),
    Definition("steno_audit_flushed_seq", "gauge", (), "The number of the last record that is on the disk."),
    Definition(
        "steno_audit_shed_records_total",
        "counter",
        (),
        "Records that were dropped because the queue was full, or half full where their source sheds.",
    ),
    Definition(
        "steno_audit_unreadable_records_total",
        "counter",
        (),
        "Records that could not be encoded: an internal error.",
    ),
    Definition(
        "steno_audit_checkpoints_total",
        "counter",
        (),
        "Checkpoints: records of the head of the log, which the operational log has too.",
    ),
    Definition(
        "steno_audit_anchors_total",
        "counter",
        ("kind",),
        "Heads of the log that were kept elsewhere or stamped: file, webhook, timestamp.",
    ),
    Definition(
        "steno_audit_anchor_failures_total",
        "counter",
        ("kind",),
        "Attempts at that which failed.",
    ),
    Definition("steno_audit_anchored_seq", "gauge", (), "The number of the last record whose head is kept everywhere."),
    Definition(
        "steno_audit_damaged_segments_total", "counter", (), "Segments that somebody else changed, moved or deleted."
    ),
    Definition(
        "steno_audit_retired_segments_total", "counter", (), "Segments deleted for their age or the log's size."
    ),
    Definition(
        "steno_audit_held_segments",
        "gauge",
        (),
        "Segments that are too old by the clock and stay, since it leapt or is behind the log.",
    ),
    Definition(
        "steno_log_lines_dropped_total",
        "counter",
        (),
        "Lines of the operational log that were dropped, because it could not be written or a library logged too much.",
    ),
    Definition(
        "steno_output_errors_total",
        "counter",
        ("kind", "reason"),
        "Failures of outputs that the daemon goes on without: state, recording, log, http, attachments, notify.",
    ),
    Definition(
        "steno_memory_accounted_bytes",
        "gauge",
        ("kind",),
        "Bytes that count towards `limits.memory_bytes`: of open conversations, and granted to messages read ahead.",
    ),
    Definition(
        "steno_evicted_objects_total",
        "counter",
        (),
        "Kept objects that were dropped because all conversations together held too much.",
    ),
    Definition("steno_limit", "gauge", ("limit",), "The limits that are configured, by key of `[limits]`."),
    Definition("steno_build_info", "gauge", ("version",), "Always 1; the version that runs."),
)
"""What is true of this process alone."""

METRICS: Final = CONVERSATION_METRICS | PROCESS_METRICS
