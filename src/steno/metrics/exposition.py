"""The numbers of the pipeline and the process as Prometheus sees them: read when scraped, never before.

A scrape runs in a thread of its own and reads without a lock what the loop and other threads write. That is sound
because each dictionary is copied in one step (`list(...)`, `dict(...)`), and no number is ever half written.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from typing import Final, Protocol, TypeVar

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from steno.metrics.conversations import ConversationNumbers, Counts, Numbers
from steno.metrics.definitions import METRICS, Definition
from steno.metrics.labels import NO_LABELS, Labels, SourceLabels
from steno.metrics.sink import Histogram, Metrics

SLICE: Final = 2_000
"""Label sets that are sorted in one step: about a millisecond."""

T = TypeVar("T")


def in_order(values: Mapping[Labels, T]) -> Iterator[tuple[Labels, T]]:
    """Yield `values` by their labels.

    The loop waits while a thread sorts, since that is one call of C: for 50 ms where there are 30,000. So slices are
    sorted and then merged, which takes no longer.
    """
    items = list(values.items())
    return merge(*(sorted(items[first : first + SLICE]) for first in range(0, len(items), SLICE)))


class ConversationCollector(Collector):
    """What follows from frames, ticks and configuration alone."""

    def __init__(self, pipeline: Counts, metrics: Metrics) -> None:
        """Read from `pipeline` and from the sink `metrics`."""
        self._numbers = ConversationNumbers(pipeline, metrics)
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield every conversation metric, those without a value yet included."""
        labels = self._metrics.labels
        for name, numbers in self._numbers.numbers().items():
            yield number_family(METRICS[name], numbers, labels)
        for name, histograms in self._numbers.histograms().items():
            yield _histogram_family(METRICS[name], histograms, labels)


class ProcessNumbers(Protocol):
    """Whoever knows a part of the process metrics: the sources, the audit writer."""

    def numbers(self) -> Mapping[str, Numbers]:
        """Return values by metric name and labels."""


class DaemonCollector(Collector):
    """What is true of this process alone."""

    def __init__(self, parts: Iterable[ProcessNumbers]) -> None:
        """Read from all `parts`; no two know the same metric."""
        self._parts = tuple(parts)

    def collect(self) -> Iterator[Metric]:
        """Yield every process metric that a part knows."""
        for part in self._parts:
            for name, numbers in part.numbers().items():
                yield number_family(METRICS[name], numbers)


def number_family(row: Definition, numbers: Numbers, of_sources: SourceLabels = NO_LABELS) -> Metric:
    """Return a counter or a gauge with `numbers`, in an order that does not depend on which came first."""
    kind = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
    family = kind(row.name, row.help, labels=of_sources.names_after_source(row.labels))
    for labels, value in in_order(numbers):
        family.add_metric(of_sources.values_after_source(labels), value)
    return family


def _histogram_family(row: Definition, histograms: Mapping[Labels, Histogram], of_sources: SourceLabels) -> Metric:
    family = HistogramMetricFamily(row.name, row.help, labels=of_sources.names_after_source(row.labels))
    for labels, histogram in in_order(histograms):
        family.add_metric(of_sources.values_after_source(labels), list(_cumulated(histogram)), histogram.sum)
    return family


def _cumulated(histogram: Histogram) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*histogram.bounds, "+Inf"), list(histogram.counts), strict=True):
        total += count
        yield str(bound), total


def replay_text(pipeline: Counts, metrics: Metrics) -> bytes:
    """Return the conversation metrics alone, as Prometheus text: the same frames give the same bytes."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ConversationCollector(pipeline, metrics))
    return generate_latest(registry)


def daemon_registry(pipeline: Counts, metrics: Metrics, parts: Iterable[ProcessNumbers]) -> CollectorRegistry:
    """Return all that a running daemon exposes, the process's own memory and time included."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ConversationCollector(pipeline, metrics))
    registry.register(DaemonCollector(parts))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
