"""The numbers of the pipeline and the process as Prometheus sees them: read when scraped, never before.

A scrape runs in a thread of its own and reads without a lock what the loop and other threads write. That is sound
because each dictionary is copied in one step (`list(...)`, `dict(...)`), and no number is ever half written.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from steno.core.conversation import DUPLICATE
from steno.core.families import Families
from steno.core.registry import Registry
from steno.core.session import ACTIVE
from steno.metrics.definitions import METRICS, Definition
from steno.metrics.sink import Histogram, Labels, Metrics
from steno.timestamps import Micros
from steno.wire import Event, name_of

Numbers = Mapping[Labels, float]


class SourceCounts(Protocol):
    """What the pipeline counts of a source."""

    received_bytes: int
    sent_bytes: int
    drifted: int
    last_event_at: Micros | None
    frames_rejected: dict[str, int]


class Counts(Protocol):
    """What the pipeline counts."""

    families: Families
    registry: Registry
    events: dict[type[Event], int]
    others: dict[str, int]
    """Family to events of unknown types."""

    @property
    def sources(self) -> Mapping[str, SourceCounts]:
        """Source to what was counted of it."""

    @property
    def now(self) -> Micros:
        """The last whole second that time went on to."""


class ConversationCollector(Collector):
    """What follows from frames, ticks and configuration alone."""

    def __init__(self, pipeline: Counts, metrics: Metrics) -> None:
        """Read from `pipeline` and from the sink `metrics`."""
        self._pipeline = pipeline
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield every conversation metric, those without a value yet included."""
        counted: dict[str, Numbers] = {**self._metrics.numbers, **self._counts()}
        for name, numbers in counted.items():
            yield number_family(METRICS[name], numbers)
        for name, histograms in self._metrics.histograms.items():
            yield _histogram_family(METRICS[name], histograms)

    def _counts(self) -> dict[str, Numbers]:
        """What the pipeline counts for every frame, by metric."""
        pipeline = self._pipeline
        sources = list(pipeline.sources.items())
        return {
            "steno_events_total": self._events(),
            "steno_events_rejected_total": {
                (name, reason): count
                for name, counts in sources
                for reason, count in list(counts.frames_rejected.items())
                if reason != DUPLICATE  # which has a metric of its own
            },
            "steno_duplicates_total": {(name,): counts.frames_rejected.get(DUPLICATE, 0) for name, counts in sources},
            "steno_drifted_members_total": {(name,): counts.drifted for name, counts in sources},
            "steno_facts_omitted_total": {
                **{(name,): 0 for name, _ in sources},
                **dict(self._metrics.numbers["steno_facts_omitted_total"]),
            },
            "steno_frame_bytes_total": {
                (name, direction): size
                for name, counts in sources
                for direction, size in (("received", counts.received_bytes), ("sent", counts.sent_bytes))
            },
            "steno_conversations": self._open(),
            **self._sessions(),
            "steno_last_event_timestamp_seconds": {
                (name,): counts.last_event_at / 1_000_000
                for name, counts in sources
                if counts.last_event_at is not None
            },
        }

    def _events(self) -> Numbers:
        numbers: dict[Labels, float] = {}
        for kind, count in list(self._pipeline.events.items()):
            numbers[self._pipeline.families.of_event[kind].name, name_of(kind)] = count
        for family, count in list(self._pipeline.others.items()):
            numbers[family, "other"] = count
        return numbers

    def _sessions(self) -> dict[str, Numbers]:
        """Sessions that have not ended, and those that will soon, as of the last whole second."""
        known: dict[Labels, float] = {}
        soon: dict[int, dict[Labels, float]] = {60: {}, 300: {}}
        now = self._pipeline.now
        for state in list(self._pipeline.registry.conversations.values()):
            life = state.session_life
            if life.status == ACTIVE:
                known[life.kind,] = known.get((life.kind,), 0) + 1
            for within, numbers in soon.items():
                for kind in state.ending(within, now):
                    numbers[kind,] = numbers.get((kind,), 0) + 1
        return {
            "steno_sessions": known,
            **{f"steno_sessions_ending_{within}_seconds": numbers for within, numbers in soon.items()},
        }

    def _open(self) -> Numbers:
        numbers: dict[Labels, float] = {(name,): 0 for name in self._pipeline.families.names}
        for state in list(self._pipeline.registry.conversations.values()):
            numbers[state.family,] += 1
        return numbers


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


def number_family(row: Definition, numbers: Numbers) -> Metric:
    """Return a counter or a gauge with `numbers`, in an order that does not depend on which came first."""
    kind = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
    family = kind(row.name, row.help, labels=row.labels)
    for labels, value in sorted(dict(numbers).items()):
        family.add_metric(labels, value)
    return family


def _histogram_family(row: Definition, histograms: Mapping[Labels, Histogram]) -> Metric:
    family = HistogramMetricFamily(row.name, row.help, labels=row.labels)
    for labels, histogram in sorted(dict(histograms).items()):
        family.add_metric(labels, list(_cumulated(histogram)), histogram.sum)
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
