"""Prometheus metrics as those of OTLP: what a scrape would have read, with the same names, labels and buckets.

Counters become monotonic sums, and histograms those with explicit bounds; both are cumulative since the daemon
started, so that a request which is lost is made up for by the next. Names stay as they are, `_total` included.
Exemplars are left out: they hold ids.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from prometheus_client import Metric
from prometheus_client.samples import Sample

from steno.otel.attributes import SCOPE, key_values
from steno.timestamps import Micros

_UNITS: Final = {"seconds": "s", "bytes": "By", "usd": "{USD}"}
"""The last word of a name (before `_total`) to its unit in UCUM. What is counted has none."""
_CUMULATIVE: Final = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE


def metrics_request(families: Iterable[Metric], resource: Resource, start: Micros, now: Micros) -> bytes:
    """Return all that is in `families` as the body of a request.

    Args:
        families: what a collector of Prometheus yields.
        resource: whose metrics they are.
        start: since when counters count.
        now: when they were read.
    """
    request = ExportMetricsServiceRequest()
    of_process = request.resource_metrics.add(resource=resource)
    scope = of_process.scope_metrics.add(scope=SCOPE)
    for family in families:
        _add(scope, family, start * 1000, now * 1000)
    return request.SerializeToString()


def rejected_points(answer: bytes) -> int:
    """Return how many of them a collector did not take, by the body of its answer. Raises ValueError for nonsense."""
    try:
        return int(ExportMetricsServiceResponse.FromString(answer).partial_success.rejected_data_points)
    except DecodeError:
        raise ValueError("not an answer of OTLP") from None


def _add(scope: otlp.ScopeMetrics, family: Metric, start: int, now: int) -> None:
    """Add one metric, unless it has no values yet; `start` and `now` are in nanoseconds."""
    if not family.samples:
        return
    name = f"{family.name}_total" if family.type == "counter" else family.name
    metric = scope.metrics.add(name=name, description=family.documentation, unit=unit_of(name))
    if family.type == "histogram":
        metric.histogram.aggregation_temporality = _CUMULATIVE
        metric.histogram.data_points.extend(_histograms(family, start, now))
    elif family.type == "counter":
        metric.sum.aggregation_temporality = _CUMULATIVE
        metric.sum.is_monotonic = True
        metric.sum.data_points.extend(_numbers(family, name, now, start))
    else:
        metric.gauge.data_points.extend(_numbers(family, name, now))


def unit_of(name: str) -> str:
    """Return the unit of a metric, as its name says it; the empty text where it has none."""
    return _UNITS.get(name.removesuffix("_total").rpartition("_")[2], "")


def _numbers(family: Metric, name: str, now: int, start: int = 0) -> Iterator[otlp.NumberDataPoint]:
    for sample in family.samples:
        if sample.name == name:
            yield otlp.NumberDataPoint(
                attributes=key_values(sample.labels.items()),
                start_time_unix_nano=start,
                time_unix_nano=now,
                as_double=sample.value,
            )


def _histograms(family: Metric, start: int, now: int) -> Iterator[otlp.HistogramDataPoint]:
    points: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in family.samples:
        points.setdefault(tuple(pair for pair in sample.labels.items() if pair[0] != "le"), []).append(sample)
    for labels, samples in points.items():
        cumulated = [each for each in samples if each.name.endswith("_bucket")]
        counts = [int(each.value) for each in cumulated]
        yield otlp.HistogramDataPoint(
            attributes=key_values(labels),
            start_time_unix_nano=start,
            time_unix_nano=now,
            count=counts[-1],
            sum=next(each.value for each in samples if each.name.endswith("_sum")),
            explicit_bounds=[float(each.labels["le"]) for each in cumulated[:-1]],
            bucket_counts=[more - less for less, more in zip([0, *counts], counts, strict=False)],
        )
