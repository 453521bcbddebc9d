"""Tools and upstream: which tool fails or is slow, how runs go, what upstream says."""

from typing import Final

from tools.dashboards.panels import TOOL, Board, P, Panel, S, quantile, share, threshold

HEADROOM: Final = f"steno_rate_limit_remaining{{{S}}} / (steno_rate_limit_limit{{{S}}} > 0)"

UPSTREAM: Final = Board(
    "steno-tools",
    "steno / Tools and upstream",
    "Which tool fails or is slow, how runs go, and what upstream says.",
    (
        (
            "Tools",
            (
                Panel(
                    "Calls",
                    "none",
                    "Within 15 minutes, by tool and how they ended.",
                    (
                        (
                            f"sum by (source, tool, status) (increase(steno_tool_calls_total{{{S}}}[15m])) > 0",
                            "{{source}} {{tool}} {{status}}",
                        ),
                    ),
                    "stack",
                ),
                Panel(
                    "Calls that fail",
                    "percentunit",
                    "Failed or given up, of all calls of the tool within 15 minutes.",
                    ((share("steno_tool_calls_total", 'status!="completed"', "source, tool"), "{{source}} {{tool}}"),),
                    bad=threshold("failed_tool_calls_ratio"),
                ),
                Panel(
                    "Duration, 95 of 100",
                    "s",
                    "From a whole call to its output, of completed calls. The caller hears nothing meanwhile.",
                    ((quantile(0.95, TOOL, "source, tool"), "{{source}} {{tool}}"),),
                    bad=threshold("tool_call_seconds"),
                ),
                Panel(
                    "Open calls",
                    "none",
                    "Calls that wait for their output. A line that only rises is a tool that hangs.",
                    ((f"sum by (source, kind) (steno_tool_calls_open{{{S}}})", "{{source}} {{kind}}"),),
                ),
                Panel(
                    "Steps of runs",
                    "none",
                    "Within 15 minutes, by kind and how they ended.",
                    (
                        (
                            f"sum by (kind, status) (increase(steno_run_steps_total{{{S}}}[15m])) > 0",
                            "{{kind}} {{status}}",
                        ),
                    ),
                    "stack",
                ),
                Panel(
                    "Length of steps, 95 of 100",
                    "s",
                    "Of completed steps.",
                    ((quantile(0.95, "steno_run_step_duration_seconds", "source, kind"), "{{source}} {{kind}}"),),
                ),
            ),
        ),
        (
            "Runs of assistants",
            (
                Panel(
                    "Runs by outcome",
                    "none",
                    "Within 15 minutes.",
                    (
                        (
                            f"sum by (source, status) (increase(steno_runs_total{{{S}}}[15m])) > 0",
                            "{{source}} {{status}}",
                        ),
                    ),
                    "stack",
                ),
                Panel(
                    "Length of runs, 95 of 100",
                    "s",
                    "From the first sight of a queued run to its end, of completed runs.",
                    ((quantile(0.95, "steno_run_duration_seconds", "source, model"), "{{source}} {{model}}"),),
                ),
                Panel(
                    "What runs wait for, 95 of 100",
                    "s",
                    "Queue: until the first work. Tools: for the outputs of their tools.",
                    (
                        (quantile(0.95, "steno_run_queue_seconds"), "{{source}} queue"),
                        (quantile(0.95, "steno_run_action_seconds"), "{{source}} tools"),
                    ),
                ),
            ),
        ),
        (
            "Upstream",
            (
                Panel(
                    "Left of the rate limit",
                    "percentunit",
                    "As upstream last said.",
                    (
                        (
                            f"min by (source, kind) ({HEADROOM})",
                            "{{source}} {{kind}}",
                        ),
                    ),
                    warn=0.3,
                    bad=threshold("rate_limit_headroom_ratio"),
                    low=True,
                ),
                Panel(
                    "Until the rate limit is reset",
                    "s",
                    "As upstream last said.",
                    ((f"max by (source, kind) (steno_rate_limit_reset_seconds{{{S}}})", "{{source}} {{kind}}"),),
                ),
                Panel(
                    "Errors that upstream reports",
                    "none",
                    "Within 15 minutes, by code.",
                    (
                        (
                            f"sum by (source, code) (increase(steno_upstream_errors_total{{{S}}}[15m])) > 0",
                            "{{source}} {{code}}",
                        ),
                    ),
                    bad=threshold("upstream_errors"),
                ),
                Panel(
                    "Attempts to connect",
                    "none",
                    "Within 15 minutes, by how they went.",
                    (
                        (
                            f"sum by (source, reason) (increase(steno_connect_attempts_total{{{S}}}[15m])) > 0",
                            "{{source}} {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    "Streams that broke off",
                    "none",
                    "Within 15 minutes, by how. What upstream sent meanwhile was missed.",
                    (
                        (
                            f"sum by (source, reason) (increase(steno_stream_gaps_total{{{S}}}[15m])) > 0",
                            "{{source}} {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    "Open connections",
                    "none",
                    "Streams by source.",
                    ((f"sum by (source) (steno_streams{{{S}}})", "{{source}}"),),
                ),
                Panel(
                    "Certificates: time left",
                    "s",
                    "Of upstream, of sources that listen, and of the HTTP face.",
                    (
                        (f"steno_upstream_certificate_expiry_timestamp_seconds{{{S}}} - time()", "upstream {{source}}"),
                        (f"steno_tls_certificate_expiry_timestamp_seconds{{{S}}} - time()", "{{source}}"),
                        (f"steno_http_certificate_expiry_timestamp_seconds{{{P}}} - time()", "HTTP {{instance}}"),
                    ),
                    warn=threshold("certificate_seconds"),
                    bad=threshold("certificate_urgent_seconds"),
                    low=True,
                ),
                Panel(
                    "Calls that are followed",
                    "none",
                    "Of sources of kind attach. Waiting: the provider refuses, or cannot be reached.",
                    ((f"sum by (source, status) (steno_attachments{{{S}}})", "{{source}} {{status}}"),),
                ),
                Panel(
                    "Refused by a proxy or a listener",
                    "none",
                    "Within 15 minutes, by why.",
                    (
                        (
                            f"sum by (source, reason) (increase(steno_proxy_refused_total{{{S}}}[15m])) > 0",
                            "{{source}} proxy {{reason}}",
                        ),
                        (
                            (
                                "sum by (source, reason)"
                                f' (increase(steno_listen_handshakes_total{{{S}, reason!="accepted"}}[15m])) > 0'
                            ),
                            "{{source}} listener {{reason}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
