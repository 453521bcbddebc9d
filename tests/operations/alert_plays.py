"""What makes each alert fire, what its gauges show when all is well, and what must not make it fire.

Values are promtool's: `0+2x30` rises by 2 for 30 minutes, `0x20 1x20` steps once. A series belongs to the scope of its
play, unless it names another one before a colon.
"""

from typing import Final, NamedTuple

Series = dict[str, str]

LATENCY: Final = "steno_turn_latency_seconds"
AUDIO: Final = "steno_time_to_first_audio_seconds"
TOOL: Final = "steno_tool_call_duration_seconds"
FUNCTION: Final = 'kind="function", tool="find_rooms"'
LATER: Final = "steno_%s_certificate_expiry_timestamp_seconds"
MODEL: Final = 'model="gpt-realtime"'


class Play(NamedTuple):
    """When an alert fires, and when not."""

    alert: str
    scope: str
    firing: Series
    well: Series = {}  # noqa: RUF012  # of a NamedTuple: no play changes it
    """What gauges show when all is well."""
    labels: dict[str, str] = {}  # noqa: RUF012  # as above
    """Labels of the alert besides those of its scope."""
    at: str = "60m"
    """When it fires."""
    not_at: tuple[Series, ...] = ()
    """What must not make it fire."""
    case: str = ""
    step: str = "1m"
    """The time between two values."""


def once(series: str) -> Series:
    """A counter that stood at 0 and counts its first event 50 minutes in."""
    return {series: "0x50 1x60"}


def histogram(name: str, labels: str, slow: float, rate: int, whole: int) -> Series:
    """Observations of which all lie between `slow` and the next bound: `rate` a minute, of `whole` counted."""
    inner = f"{labels}, " if labels else ""
    return {
        f'{name}_bucket{{{inner}le="0.5"}}': "0x120",
        f'{name}_bucket{{{inner}le="{slow}"}}': "0x120",
        f'{name}_bucket{{{inner}le="60"}}': f"0+{rate}x120",
        f'{name}_bucket{{{inner}le="+Inf"}}': f"0+{rate}x120",
        f"{name}_count{{{labels}}}": f"0+{whole}x120",
    }


def responses(**statuses: str) -> Series:
    return {f'steno_responses_total{{{MODEL}, status="{name}", reason="x"}}': of for name, of in statuses.items()}


def runs(**statuses: str) -> Series:
    return {f'steno_runs_total{{model="gpt-4o", status="{name}"}}': of for name, of in statuses.items()}


def tool_calls(**statuses: str) -> Series:
    return {f'steno_tool_calls_total{{{FUNCTION}, status="{name}"}}': of for name, of in statuses.items()}


def limits(**values: str) -> Series:
    return {f'steno_rate_limit_{name}{{kind="tokens"}}': of for name, of in values.items()}


UP: Final = (
    Play("StenoDown", "process", {"up": "1x20 0x60"}, {"up": "1x200"}),
    Play("StenoAbsent", "none", {}, {"process:up": "1x200"}),
    Play(
        "StenoRestartLoop",
        "process",
        {"process_start_time_seconds": "10x45 20x2 30x2 40x2 50x2 60x60", 'steno_build_info{version="1"}': "1x120"},
        {"process_start_time_seconds": "10x40 20x1100", 'steno_build_info{version="1"}': "1x1100"},
        at="56m",
    ),
    Play(
        "StenoConfigReloadFailed",
        "process",
        {"steno_config_last_reload_successful": "1x20 0x60"},
        {"steno_config_last_reload_successful": "1x200"},
    ),
    Play(
        "StenoDrainDoesNotEnd", "process", {"steno_draining": "1x100"}, {"steno_draining": "0x20 1x30 0x90"}, at="70m"
    ),
)

TRAFFIC: Final = (
    Play(
        "StenoSourceDown",
        "source",
        {"steno_source_ready": "1x20 0x60", "process:steno_draining": "0x100"},
        {"steno_source_ready": "0x2 1x30 0x2 1x100", "process:steno_draining": "0x200"},
        not_at=({"steno_source_ready": "0x100", "process:steno_draining": "1x100"},),
    ),
    Play(
        "StenoNoEvents",
        "source",
        {
            "conversation:steno_last_event_timestamp_seconds": "60x120",
            'conversation:steno_conversations{family="realtime"}': "1x120",
            "steno_streams": "1x120",
        },
        {
            "conversation:steno_last_event_timestamp_seconds": "60x200",
            'conversation:steno_conversations{family="realtime"}': "0x200",
            "steno_streams": "1x200",
        },
        labels={"team": "care"},
        not_at=(
            {  # none came yet
                "conversation:steno_last_event_timestamp_seconds": "0x120",
                'conversation:steno_conversations{family="realtime"}': "1x120",
                "steno_streams": "1x120",
            },
            {  # threads wait for their users
                "conversation:steno_last_event_timestamp_seconds": "60x120",
                'conversation:steno_conversations{family="assistants"}': "1x120",
                "steno_streams": "1x120",
            },
        ),
    ),
    Play(
        "StenoQuieterThanLastWeek",
        "conversation",
        {'steno_events_total{family="realtime", event="response.done"}': "0+1000x20 20000x1000"},
        at="10190m",
        step="10m",
    ),
    Play(
        "StenoReconnectStorm",
        "source",
        {
            'steno_stream_gaps_total{reason="broken_off"}': "0+2x120",
            'steno_connect_attempts_total{reason="connected"}': "0+2x120",
        },
        not_at=(
            {
                'steno_stream_gaps_total{reason="broken_off"}': "0+2x120",
                'steno_connect_attempts_total{reason="connected"}': "0+20x120",
            },
        ),
    ),
    Play(
        "StenoReconnectStorm",
        "source",
        {'steno_stream_gaps_total{reason="unresponsive"}': "0+2x120"},
        case=" of clients that push",
    ),
    Play("StenoStreamGaps", "conversation", {"steno_stream_gap_seconds_total": "0x50 90x60"}),
    Play("StenoEventsMissed", "conversation", once('steno_missed_events_total{reason="skipped"}')),
    Play(
        "StenoFramesRejected",
        "conversation",
        {
            'steno_events_rejected_total{reason="not_json"}': "0+2x120",
            'steno_events_total{family="realtime", event="x"}': "0+98x120",
        },
        not_at=(
            {
                'steno_events_rejected_total{reason="not_json"}': "0x50 4x60",
                'steno_events_total{family="realtime", event="x"}': "0+1x120",
            },
        ),
    ),
    Play("StenoProtocolDrift", "conversation", once("steno_drifted_members_total")),
    Play("StenoUnknownEvents", "conversation", once('steno_events_total{family="realtime", event="other"}')),
    Play("StenoFactsOmitted", "conversation", once("steno_facts_omitted_total")),
    Play("StenoSeriesDropped", "conversation", once("steno_series_dropped_total")),
    Play("StenoNotReadAlong", "source", once('steno_unfed_frames_total{reason="memory"}')),
    Play(
        "StenoProxyRefuses",
        "source",
        {'steno_proxy_refused_total{reason="connections"}': "0x50 1x60"},
        at="54m",
        not_at=({'steno_proxy_refused_total{reason="target"}': "0+1x120"},),
    ),
    Play(
        "StenoProxyNearlyFull", "source", {"steno_proxy_connections": "900x120"}, {"steno_proxy_connections": "3x200"}
    ),
    Play(
        "StenoClientsRefused",
        "source",
        {'steno_listen_handshakes_total{reason="wrong_token"}': "0+1x120"},
        not_at=({'steno_listen_handshakes_total{reason="gone"}': "0+9x120"},),
    ),
    Play("StenoClientsSlowed", "source", {"steno_listen_slowed_seconds_total": "0+30x120"}),
    Play(
        "StenoCallsNotFollowed",
        "source",
        {'steno_attachments{status="waiting"}': "2x120"},
        {'steno_attachments{status="waiting"}': "0x200"},
        labels={"status": "waiting"},
    ),
    Play("StenoCallsGivenUp", "source", once('steno_attachments_ended_total{reason="given_up"}')),
    Play(
        "StenoCallRequestsRefused",
        "process",
        once('steno_attachment_requests_total{kind="http", status="unauthorized"}'),
    ),
    Play("StenoWebhooksFail", "process", once('steno_webhooks_total{status="forged"}')),
)

AUDIT: Final = (
    Play(
        "StenoAuditNotWriting", "process", {'steno_audit_write_errors_total{reason="no_space"}': "0x50 1x60"}, at="53m"
    ),
    Play(
        "StenoAuditNotWriting",
        "process",
        {"steno_audit_unflushed_seconds": "0x30 60+60x60"},
        {"steno_audit_unflushed_seconds": "1x200"},
        case=" since the disk hangs",
    ),
    Play("StenoAuditBlocked", "process", {"steno_audit_blocked": "0x30 1x60"}, {"steno_audit_blocked": "0x200"}),
    Play("StenoAuditOff", "process", {"steno_audit_enabled": "0x120"}, {"steno_audit_enabled": "1x200"}),
    Play("StenoAuditRecordsLost", "process", once("steno_audit_shed_records_total")),
    Play("StenoAuditRecordsLost", "process", once("steno_audit_unreadable_records_total"), case=" unreadable"),
    Play("StenoAuditTampered", "process", once("steno_audit_damaged_segments_total")),
    Play(
        "StenoAuditRetentionHeld",
        "process",
        {"steno_audit_held_segments": "2x120"},
        {"steno_audit_held_segments": "0x200"},
        at="70m",
    ),
)

VOICE: Final = (
    Play(
        "StenoTurnLatencyHigh",
        "conversation",
        histogram(LATENCY, MODEL, 1.5, 2, 2),
        not_at=(
            histogram(LATENCY, MODEL, 1.5, 2, 0),  # too few
            {
                f'{LATENCY}_bucket{{{MODEL}, le="0.5"}}': "0+9x120",  # quick
                f'{LATENCY}_bucket{{{MODEL}, le="+Inf"}}': "0+9x120",
                f"{LATENCY}_count{{{MODEL}}}": "0+9x120",
            },
        ),
    ),
    Play(
        "StenoFirstAudioSlow",
        "conversation",
        histogram(AUDIO, MODEL, 1.5, 2, 2),
        not_at=(histogram(AUDIO, MODEL, 1.5, 2, 0),),
    ),
    Play(
        "StenoTurnsUnanswered",
        "conversation",
        {f"{LATENCY}_count{{{MODEL}}}": "0+3x120", "steno_unanswered_turns_total": "0+1x120"},
        not_at=({f"{LATENCY}_count{{{MODEL}}}": "0x50 1x60", "steno_unanswered_turns_total": "0x50 1x60"},),
    ),
    Play(
        "StenoTurnsUnanswered",
        "conversation",
        {"steno_unanswered_turns_total": "0+2x120"},
        case=" where nothing is answered",
    ),
    Play(
        "StenoSessionsEnding",
        "conversation",
        {'steno_sessions_ending{kind="realtime", within="60s"}': "0x30 1x60"},
        {'steno_sessions_ending{kind="realtime", within="60s"}': "0x200"},
        labels={"kind": "realtime", "within": "60s"},
        not_at=({'steno_sessions_ending{kind="client_secret", within="60s"}': "1x120"},),
    ),
)

OUTCOMES: Final = (
    Play(
        "StenoResponsesFail",
        "conversation",
        responses(completed="0+4x120", failed="0+1x120"),
        labels={"status": "failed"},
        not_at=(
            responses(completed="0x50 9x60", failed="0x50 1x60"),
            responses(completed="0+4x120", cancelled="0+4x120"),
        ),
    ),
    Play(
        "StenoResponsesIncomplete",
        "conversation",
        responses(completed="0+4x120", incomplete="0+1x120"),
        labels={"status": "incomplete"},
        not_at=(
            responses(completed="0+4x120")
            | {f'steno_responses_total{{{MODEL}, status="incomplete", reason="steered"}}': "0+1x120"},
        ),
    ),
    Play(
        "StenoRunsFail",
        "conversation",
        runs(completed="0+4x120", failed="0+1x120", expired="0+1x120"),
        not_at=(runs(completed="0x120", failed="0x50 1x60"), runs(completed="0+4x120", cancelled="0+4x120")),
    ),
    Play(
        "StenoUpstreamErrors",
        "conversation",
        {'steno_upstream_errors_total{family="realtime", code="server_error"}': "0+1x120"},
        labels={"code": "server_error"},
        not_at=({'steno_upstream_errors_total{family="realtime", code="server_error"}': "0x50 1x60"},),
    ),
    Play(
        "StenoToolFails",
        "conversation",
        tool_calls(completed="0+4x120", failed="0+1x120", abandoned="0x120"),
        labels={"kind": "function", "tool": "find_rooms"},
        not_at=(tool_calls(completed="0x50 1x60", failed="0x50 1x60"),),
    ),
    Play(
        "StenoToolHangs",
        "conversation",
        {'steno_tool_calls_open{kind="function"}': "0x30 1x90"} | tool_calls(completed="7x120"),
        {'steno_tool_calls_open{kind="function"}': "0x200"},
        labels={"kind": "function"},
        not_at=({'steno_tool_calls_open{kind="function"}': "3x120"} | tool_calls(completed="0+5x120"),),
    ),
    Play(
        "StenoToolSlow",
        "conversation",
        histogram(TOOL, FUNCTION, 30, 1, 1) | tool_calls(completed="0+1x120"),
        labels={"kind": "function", "tool": "find_rooms"},
        not_at=(histogram(TOOL, FUNCTION, 30, 1, 1) | tool_calls(completed="0x120"),),
    ),
)


def closed(**reasons: str) -> Series:
    return {f'steno_sessions_closed_total{{kind="live", reason="{name}"}}': of for name, of in reasons.items()}


def delegations(**statuses: str) -> Series:
    return {f'steno_delegations_total{{target="client", status="{name}"}}': of for name, of in statuses.items()}


def rounds(rate: int) -> Series:
    """Answers of which each took between 34 and 55 rounds: `rate` of them a minute."""
    name = "steno_tool_rounds"
    bounds = {"21": "0x120", "34": "0x120", "55": f"0+{rate}x120", "+Inf": f"0+{rate}x120"}
    buckets = {f'{name}_bucket{{{MODEL}, le="{bound}"}}': of for bound, of in bounds.items()}
    return {**buckets, f"{name}_count{{{MODEL}}}": f"0+{rate}x120"}


FULL: Final = f"steno_context_window_ratio{{{MODEL}}}"

AGENTS: Final = (
    Play("StenoAgentLoops", "conversation", rounds(1), not_at=(rounds(0),)),
    Play(
        "StenoContextNearlyFull",
        "conversation",
        {FULL: "0.5x50 0.95x60"},
        {FULL: "0.5x200"},
        not_at=({FULL: "0.9x120"},),
    ),
    Play(
        "StenoDelegationsUnanswered",
        "conversation",
        delegations(answered="0+2x120", orphaned="0+1x120"),
        labels={"target": "client"},
        at="90m",
        not_at=(
            delegations(answered="0+9x120", failed="0+1x120"),
            delegations(answered="0x120", orphaned="0x50 1x60"),
        ),
    ),
    Play(
        "StenoSessionsUnconfirmed",
        "conversation",
        closed(close_requested="0+2x120", unconfirmed="0+1x120"),
        labels={"kind": "live"},
        at="90m",
        not_at=(
            closed(close_requested="0+9x120", unconfirmed="0+1x120"),
            closed(close_requested="0x120", unconfirmed="0x50 1x60"),
        ),
    ),
)

MONEY: Final = (
    Play(
        "StenoUsageUnpriced",
        "conversation",
        once('steno_unpriced_total{family="realtime", reason="unknown_model"}'),
        labels={"reason": "unknown_model"},
        at="70m",
        not_at=(once('steno_unpriced_total{family="realtime", reason="duplicate_source"}'),),
    ),
    Play(
        "StenoUsageMissing",
        "conversation",
        responses(completed="0+4x120")
        | runs(completed="0+1x120")
        | {'steno_unpriced_total{family="realtime", reason="no_usage"}': "0+1x120"},
        at="90m",
        not_at=(
            responses(completed="0+1x120")
            | {'steno_unpriced_total{family="realtime", reason="no_usage"}': "0x50 9x60"},
        ),
    ),
    Play(
        "StenoSpendHigh",
        "conversation",
        {'steno_cost_usd_total{family="realtime", model="gpt-realtime"}': "0+1x120"},
        at="90m",
        not_at=({'steno_cost_usd_total{family="realtime", model="gpt-realtime"}': "0+0.5x120"},),
    ),
    Play(
        "StenoPriceListOld",
        "process",
        {"steno_price_list_timestamp_seconds": "1x100"},
        {"steno_price_list_timestamp_seconds": "0x200"},
        at="93d",
        step="1d",
    ),
    Play(
        "StenoRateLimitNear",
        "conversation",
        limits(remaining="50x120", limit="1000x120", reset_seconds="30x120"),
        limits(remaining="50x200", limit="1000x200", reset_seconds="0x200"),
        labels={"kind": "tokens"},
        not_at=(limits(remaining="0x120", limit="0x120", reset_seconds="30x120"),),
    ),
)

RESIDENT: Final = "process_resident_memory_bytes"
INFO: Final = 'steno_build_info{version="1"}'

THE_PROCESS: Final = (
    Play("StenoInternalError", "conversation", once('steno_events_rejected_total{reason="internal_error"}')),
    Play("StenoInternalError", "source", once("steno_source_restarts_total"), case=" of a source"),
    Play(
        "StenoOutputErrors",
        "process",
        once('steno_output_errors_total{kind="state", reason="gone"}'),
        labels={"kind": "state"},
    ),
    Play(
        "StenoHeadsNotAnchored",
        "process",
        {'steno_audit_anchor_failures_total{kind="file"}': "0x20 1+1x100"},
        {'steno_audit_anchor_failures_total{kind="file"}': "0x200"},
    ),
    Play("StenoTelemetryDropped", "process", once('steno_otel_dropped_total{kind="spans"}')),
    Play("StenoLogLinesDropped", "process", once("steno_log_lines_dropped_total")),
    Play(
        "StenoClockWrong",
        "process",
        {"steno_clock_offset_seconds": "0x20 -3600x100"},
        {"steno_clock_offset_seconds": "0.01x200"},
    ),
    Play(
        "StenoMemoryNearCeiling",
        "process",
        {RESIDENT: "600000000x120", INFO: "1x120"},
        {RESIDENT: "100000000x200", INFO: "1x1100"},
        not_at=({RESIDENT: "600000000x120"},),
    ),
    Play(
        "StenoConversationsEvicted",
        "process",
        {
            'steno_memory_accounted_bytes{kind="conversations"}': "48x120",
            'steno_limit{limit="memory_bytes"}': "100x120",
        },
        {'steno_memory_accounted_bytes{kind="conversations"}': "9x200", 'steno_limit{limit="memory_bytes"}': "100x200"},
    ),
    Play("StenoConversationsEvicted", "process", once("steno_evicted_objects_total"), case=" objects"),
    Play(
        "StenoConversationsEvicted",
        "conversation",
        once('steno_conversations_closed_total{family="realtime", reason="evicted"}'),
        case=" whole",
    ),
    Play(
        "StenoDescriptorsLow",
        "process",
        {"process_open_fds": "950x120", "process_max_fds": "1024x120", INFO: "1x120"},
        {"process_open_fds": "50x200", "process_max_fds": "1024x200", INFO: "1x1100"},
    ),
    Play("StenoLoopLag", "process", {"steno_loop_lag_seconds": "2x120"}, {"steno_loop_lag_seconds": "0.004x200"}),
    Play(
        "StenoCertificateExpires",
        "process",
        {LATER % "http": "600000x120"},
        {LATER % "http": "2000000x200"},
        labels={"certificate": "http"},
        at="70m",
    ),
    Play(
        "StenoCertificateExpires",
        "source",
        {LATER % "upstream": "600000x120", LATER % "tls": "2000000x200"},
        {LATER % "upstream": "2000000x200", LATER % "tls": "2000000x200"},
        labels={"certificate": "upstream"},
        at="70m",
        case=" upstream",
    ),
    Play(
        "StenoCertificateExpiresSoon",
        "source",
        {LATER % "tls": "100000x120"},
        {LATER % "tls": "2000000x200"},
        labels={"certificate": "tls"},
        not_at=({LATER % "tls": "1000000x120"},),
    ),
    Play(
        "StenoCertificateUnusable",
        "source",
        once('steno_tls_certificate_loads_total{reason="expired"}'),
        labels={"reason": "expired"},
    ),
)

PLAYS: Final = (*UP, *TRAFFIC, *AUDIT, *VOICE, *OUTCOMES, *AGENTS, *MONEY, *THE_PROCESS)
