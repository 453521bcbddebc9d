"""The metrics of the process, as a daemon exposes them before anything has happened."""

from itertools import product
from typing import Final, get_args

import pytest

from steno.admin.connections import Rejection
from steno.admin.webhooks import EVENTS, Outcome
from steno.app.serving import opened
from steno.attachments import EndReason
from steno.config import parse
from steno.metrics.definitions import PROCESS_METRICS
from steno.otel.collector import REASONS as NOT_EXPORTED
from steno.output_errors import KINDS, REASONS
from steno.sources.connect_errors import NAMES
from steno.sources.listen.counters import OUTCOMES
from steno.sources.proxy.frames import UNFED
from steno.sources.proxy.refusal import REASONS as REFUSALS
from steno.sources.recording import Gap

EVERY_KIND: Final = """
http.listen = "127.0.0.1:0"
otel.endpoint = "http://127.0.0.1:4318"
[[sources]]
name = "relay"
kind = "connect"
url = "wss://relay.example/v1/events"
[[sources]]
name = "calls"
kind = "attach"
[[sources]]
name = "desk"
kind = "listen"
listen = "127.0.0.1:0"
[[sources]]
name = "way"
kind = "proxy"
upstream = "https://api.provider.example"
listen = "127.0.0.1:0"
[[sources]]
name = "file"
kind = "follow"
path = "/nowhere/calls.jsonl"
"""
SOURCES: Final = ("relay", "calls", "desk", "way", "file")
DIALING: Final = ("relay", "calls", "way")
CLOSED: Final[dict[str, set[tuple[str, ...]]]] = {
    "steno_stream_gaps_total": set(product(SOURCES, get_args(Gap))),
    "steno_connect_attempts_total": set(product(DIALING, ("connected", *NAMES))),
    "steno_proxy_refused_total": set(product(("way",), REFUSALS)),
    "steno_unfed_frames_total": set(product(("way",), UNFED)),
    "steno_source_restarts_total": {(source,) for source in SOURCES},
    "steno_listen_handshakes_total": set(product(("desk",), OUTCOMES)),
    "steno_listen_repeated_messages_total": {("desk",)},
    "steno_listen_slowed_seconds_total": {("desk",)},
    "steno_attachments_ended_total": set(product(("calls",), get_args(EndReason))),
    "steno_webhooks_total": {(outcome,) for outcome in get_args(Outcome)},
    "steno_webhook_events_total": {(event,) for event in (*EVENTS, "other")},
    "steno_http_rejected_total": set(product(("http", "control"), get_args(Rejection))),
    "steno_clock_steps_total": {("forward",), ("backward",), ("suspend",)},
    "steno_audit_write_errors_total": {("no_space",), ("read_only",), ("permission",), ("io",)},
    "steno_output_errors_total": set(product(KINDS, REASONS)),
    "steno_otel_exports_total": {("metrics",), ("spans",)},
    "steno_otel_export_failures_total": set(product(("metrics", "spans"), NOT_EXPORTED)),
    "steno_otel_dropped_total": {("metrics",), ("spans",)},
}
"""Counters of the process with all their labels, where these are closed."""


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[tuple[str, ...], float]]:
    """What a daemon says that has not begun to run."""
    folder = tmp_path_factory.mktemp("audit")
    with opened(parse(EVERY_KIND, "steno.toml"), {"LOGS_DIRECTORY": str(folder)}) as daemon:
        return {name: dict(values) for part in daemon.numbers() for name, values in part.numbers().items()}


@pytest.mark.parametrize("name", CLOSED)
def test_what_can_be_counted_stands_at_0_from_the_start(
    name: str, numbers: dict[str, dict[tuple[str, ...], float]]
) -> None:
    """Else `increase` misses the first of a rare kind."""
    assert numbers[name] == dict.fromkeys(CLOSED[name], 0)


def test_no_other_counter_of_the_process_has_several_series(
    numbers: dict[str, dict[tuple[str, ...], float]],
) -> None:
    """A new one is to be added above, or to those whose labels depend on what is configured or asked."""
    several = {name for name, row in PROCESS_METRICS.items() if row.kind == "counter" and row.labels}

    assert several - CLOSED.keys() == {
        "steno_attachment_requests_total",
        "steno_audit_anchor_failures_total",
        "steno_audit_anchors_total",
        "steno_tls_certificate_loads_total",
    }
    assert set(numbers["steno_attachment_requests_total"].values()) == {0}


def test_all_but_the_log_of_operation_is_there(numbers: dict[str, dict[tuple[str, ...], float]]) -> None:
    """But for what is not configured: the log of operation, and places where heads of the audit log are kept."""
    anchors = {f"steno_audit_{name}" for name in ("anchored_seq", "anchors_total", "anchor_failures_total")}

    assert PROCESS_METRICS.keys() - numbers.keys() == {"steno_log_lines_dropped_total", *anchors}


def test_a_daemon_without_an_audit_log_says_so() -> None:
    """By the word that `/readyz` has. It is ready all the same: somebody wanted it so."""
    with opened(parse('http.listen = "127.0.0.1:0"', "steno.toml"), {}) as daemon:
        ready = daemon.health.ready()

    assert (ready.ok, ready.detail["audit"]) == (True, "off")


def test_no_source_is_ready_before_it_runs(numbers: dict[str, dict[tuple[str, ...], float]]) -> None:
    assert numbers["steno_source_ready"] == {(source,): 0 for source in SOURCES}
    assert numbers["steno_config_last_reload_successful"] == {(): 1}
    assert numbers["steno_loop_lag_seconds"] == {(): 0}
