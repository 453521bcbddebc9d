"""Metrics by OTLP say what a scrape says."""

import msgspec
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, Metric
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from steno.core.frame import Frame
from steno.limits import Limits
from steno.metrics.definitions import METRICS
from steno.metrics.exposition import daemon_registry
from steno.metrics.labels import SourceLabels
from steno.metrics.sink import Metrics
from steno.otel.attributes import resource
from steno.otel.measurements import metrics_request, rejected_points, unit_of
from steno.pipeline import Pipeline
from tests.otel.receiver import attributes, samples
from tests.recordings import timed

START, NOW = 1_000_000_000_000_000, 1_000_000_060_000_000
NANOSECONDS = 1000


def played() -> CollectorRegistry:
    """Return the metrics of a daemon that two conversations went through."""
    metrics = Metrics(100)
    metrics.labels = SourceLabels({"desk": {"team": "sales"}})
    pipeline = Pipeline(Limits(), [metrics])
    for number, kind in enumerate(("voice", "assistants")):
        stream = pipeline.stream_opened(f"desk/{number}", "desk", None)
        for at, event in timed(kind):
            pipeline.feed(stream, Frame(msgspec.json.encode(event), at))
    return daemon_registry(pipeline, metrics, [])


def sent(registry: CollectorRegistry) -> dict[str, Metric]:
    body = metrics_request(registry.collect(), resource("i-1", {"service.name": "own", "zone": "a"}), START, NOW)
    (of_process,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    named = attributes(list(of_process.resource.attributes))
    assert named.pop("service.version")
    assert named == {"service.name": "own", "service.instance.id": "i-1", "zone": "a"}
    (scope,) = of_process.scope_metrics
    return {metric.name: metric for metric in scope.metrics}


def test_every_value_is_that_of_a_scrape() -> None:
    registry = played()
    text = generate_latest(registry).decode()
    scraped = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    found = samples(sent(registry))

    moving = {name for name, _ in found if not name.startswith("steno_")}  # of the process and of Python itself
    assert {name for name, _ in scraped if not name.startswith("steno_")} == moving
    assert {key: value for key, value in found.items() if key[0] not in moving} == {
        key: value for key, value in scraped.items() if key[0] not in moving
    }
    assert len(found) > 200
    assert ("steno_runs_total", "sales") in {(name, dict(labels).get("team")) for name, labels in found}


def test_counters_and_histograms_are_cumulative_since_the_start_and_gauges_are_of_now() -> None:
    metrics = sent(played())

    events, latency, open_ones = (
        metrics[f"steno_{name}"] for name in ("events_total", "turn_latency_seconds", "conversations")
    )
    assert (events.sum.is_monotonic, events.sum.aggregation_temporality) == (True, AGGREGATION_TEMPORALITY_CUMULATIVE)
    assert latency.histogram.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    for points in (events.sum.data_points, latency.histogram.data_points):
        assert {(each.start_time_unix_nano, each.time_unix_nano) for each in points} == {
            (START * NANOSECONDS, NOW * NANOSECONDS)
        }
    assert {(each.start_time_unix_nano, each.time_unix_nano) for each in open_ones.gauge.data_points} == {
        (0, NOW * NANOSECONDS)
    }
    (point, *_) = (each for each in latency.histogram.data_points if each.count)
    assert tuple(point.explicit_bounds) == METRICS["steno_turn_latency_seconds"].buckets
    assert sum(point.bucket_counts) == point.count
    assert latency.description == METRICS["steno_turn_latency_seconds"].help


def test_no_metric_repeats_its_unit_in_prometheus() -> None:
    """A server that translates names appends a unit that a name does not end in: each of ours does already."""
    suffixes = {"s": "_seconds", "By": "_bytes", "{USD}": "", "": ""}
    for name in METRICS:
        assert name.removesuffix("_total").endswith(suffixes[unit_of(name)])
    assert [unit_of(f"steno_{name}") for name in ("loop_lag_seconds", "frame_bytes_total", "cost_usd_total")] == [
        "s",
        "By",
        "{USD}",
    ]


def test_what_a_collector_did_not_take_is_in_its_answer() -> None:
    answer = ExportMetricsServiceResponse()
    assert rejected_points(answer.SerializeToString()) == 0
    answer.partial_success.rejected_data_points = 7
    answer.partial_success.error_message = "too old"
    assert rejected_points(answer.SerializeToString()) == 7
    with pytest.raises(ValueError, match="not an answer"):
        rejected_points(b"\xff\xff")
