"""The daemon and a collector: what arrives is what it counts, and a collector that is no use is not felt."""

import json
import re
import socket
from pathlib import Path
from queue import Empty

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from tests.otel.receiver import Receiver, attributes, peer, receiver, samples
from tests.processes import PATIENCE_SECONDS, Running, running, wait_for
from tests.recordings import recording

OF_CONVERSATIONS = re.compile(r"steno_(events|responses|turn|time|tokens|cost|conversation|tool|interruptions)")


def configured(folder: Path, url: str, *further: str) -> Path:
    """Write a configuration of a daemon that follows a recorded call, and sends what it counts to `url`."""
    config = folder / "steno.toml"
    lines = [f'[otel]\nendpoint = "{url}"', "interval_seconds = 0.2", *further]
    follow = f'[[sources]]\nname = "desk"\nkind = "follow"\npath = "{folder}/calls.jsonl"\nstart = "beginning"\n'
    labels = 'labels = { team = "sales" }\n'
    config.write_text("\n".join(['http.listen = "127.0.0.1:0"', *lines, follow + labels]))
    (folder / "calls.jsonl").write_bytes(recording("voice"))
    return config


def scraped(daemon: Running) -> dict[tuple[str, frozenset[tuple[str, object]]], float]:
    """Return what `/metrics` says of conversations."""
    _, text = daemon.get("/metrics")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if OF_CONVERSATIONS.match(sample.name)
    }


def sent(collecting: Receiver) -> dict[tuple[str, frozenset[tuple[str, object]]], float]:
    found = samples(collecting.metrics())
    return {key: value for key, value in found.items() if OF_CONVERSATIONS.match(key[0])}


def next_metrics(collecting: Receiver) -> None:
    """Wait for metrics that were read from now on: those under way may have been read before."""
    while not collecting.came.empty():
        collecting.came.get()
    left = 2
    while left:
        try:
            taken = collecting.came.get(timeout=PATIENCE_SECONDS)
        except Empty:
            pytest.fail("no metrics come")
        left -= isinstance(taken.message, ExportMetricsServiceRequest)


def test_what_arrives_is_what_is_counted(tmp_path: Path) -> None:
    """The metrics are those of a scrape at the same time, and each response that ended has its span."""
    with receiver() as collecting:
        config = configured(tmp_path, collecting.url, "ids = true", 'resource = { zone = "north" }')
        with running(config) as daemon:
            wait_for(lambda: len(collecting.spans()) > 5)
            next_metrics(collecting)
            before = scraped(daemon)
            next_metrics(collecting)
            assert sent(collecting) == before
            config.write_text(config.read_text().replace("ids = true", "ids = false"))
            daemon.reload()
            reloaded = wait_for(lambda: [each for each in daemon.lines() if each["event"] == "configuration reloaded"])
            assert reloaded[0]["at_next_start"] == ["otel"]
            assert daemon.stop() == 0
    assert len(before) > 100
    responses = {
        shown["gen_ai.response.id"]: shown
        for span in collecting.spans()
        if span.name.startswith("response ")
        for shown in [attributes(list(span.attributes))]
    }
    ended = {
        event["response"]["id"]
        for line in (tmp_path / "calls.jsonl").read_text().splitlines()
        if (event := json.loads(line)["data"])["type"] == "response.done"
    }
    assert set(responses) >= ended > set()
    assert {shown["steno.label.team"] for shown in responses.values()} == {"sales"}


def keep_silent(connected: socket.socket) -> None:
    while connected.recv(4096):
        pass


def test_a_collector_that_hangs_is_not_felt(tmp_path: Path) -> None:
    """All is read and counted, scrapes are answered, and the end comes in order."""
    with peer(keep_silent) as url:
        config = configured(tmp_path, url, "queue_spans = 4", "timeout_seconds = 0.3")
        with running(config) as daemon:
            failed = 'steno_otel_export_failures_total{kind="spans",reason="timeout"}'
            wait_for(lambda: daemon.metric(failed) > 0)
            _, text = daemon.get("/metrics")
            assert daemon.stop() == 0
        lines = daemon.lines()
    assert 'steno_otel_exports_total{kind="metrics"} 0.0' in text
    assert float(re.findall(r'steno_otel_dropped_total\{kind="spans"\} (\S+)', text)[0]) > 0
    assert sum(float(value) for value in re.findall(r"^steno_responses_total\{.*\} (\S+)$", text, re.MULTILINE)) > 3
    assert [line["reason"] for line in lines if line["event"] == "otel: not exported"].count("timeout") == 2
    assert [line for line in lines if line["event"] == "otel: spans were not exported before the end"]
