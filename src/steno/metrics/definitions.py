"""The metrics of this process, and all metrics together as data: what documentation and dashboards are held against."""

from typing import Final

from steno.metrics.conversation_definitions import CONVERSATION_METRICS
from steno.metrics.definition import Definition, table

PROCESS_METRICS: Final = table(
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
    Definition("steno_otel_exports_total", "counter", ("kind",), "Requests that an OTLP collector took."),
    Definition(
        "steno_otel_export_failures_total",
        "counter",
        ("kind", "reason"),
        "Requests to an OTLP collector that it did not take, and why.",
    ),
    Definition(
        "steno_otel_dropped_total",
        "counter",
        ("kind",),
        "Spans, or data points, that no OTLP collector has: there was no room, or none took them.",
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
    Definition("steno_source_ready", "gauge", ("source",), "1 while a source does what it is for, else 0."),
    Definition(
        "steno_upstream_certificate_expiry_timestamp_seconds",
        "gauge",
        ("source",),
        "Until when the certificate is valid that the upstream of a source showed last, in Unix time.",
    ),
    Definition(
        "steno_http_certificate_expiry_timestamp_seconds",
        "gauge",
        (),
        "Until when the certificate of the HTTP face is valid, in Unix time.",
    ),
    Definition("steno_loop_lag_seconds", "gauge", (), "The longest that the event loop was held, of the last minute."),
    Definition(
        "steno_config_last_reload_successful",
        "gauge",
        (),
        "1 when the configuration was right the last time that it was read, be it at the start.",
    ),
    Definition(
        "steno_config_last_reload_timestamp_seconds",
        "gauge",
        (),
        "When the configuration that is in use was read, in Unix time.",
    ),
    Definition(
        "steno_price_list_timestamp_seconds", "gauge", (), "The date in the price list that is in use, in Unix time."
    ),
    Definition("steno_build_info", "gauge", ("version",), "Always 1; the version that runs."),
)
"""What is true of this process alone."""

METRICS: Final = CONVERSATION_METRICS | PROCESS_METRICS

__all__ = ["CONVERSATION_METRICS", "METRICS", "PROCESS_METRICS", "Definition"]
