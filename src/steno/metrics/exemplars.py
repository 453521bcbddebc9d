"""Exemplars: beside a bucket of a histogram of latency, the conversation that was counted there last.

They lead from a bar in a picture to the conversation to look at. They are off unless `http.exemplars` is set: a key is
upstream's own word, and whoever reads the metrics would read it.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from steno.core.billing.prices import PriceTable
from steno.core.facts import Origin
from steno.key_shapes import find_keys
from steno.limits import Limits
from steno.metrics.conversation_definitions import CONVERSATION_METRICS
from steno.metrics.labels import Labels
from steno.metrics.sink import Metrics

LABEL: Final = "conversation"
EXEMPLAR_CHARACTERS: Final = 128
"""Of the name and the value of the label together: OpenMetrics allows no more."""
LATENCIES: Final = frozenset(
    (
        "steno_response_duration_seconds",
        "steno_time_to_first_token_seconds",
        "steno_time_to_first_audio_seconds",
        "steno_turn_latency_seconds",
        "steno_tool_call_duration_seconds",
        "steno_run_duration_seconds",
        "steno_run_queue_seconds",
        "steno_run_step_duration_seconds",
    )
)
"""Histograms that have exemplars: what somebody waited for."""


def shown(key: str) -> bool:
    """Return whether the `key` of a conversation may be an exemplar: it is short enough and looks like no secret."""
    if len(LABEL) + len(key) > EXEMPLAR_CHARACTERS:
        return False
    return key.isprintable() and not any(find_keys(key))


class ExemplarMetrics(Metrics):
    """The sink that counts, and keeps the last conversation of each bucket of each latency."""

    def __init__(self, label_values: int, prices: PriceTable | None = None, series: int = Limits().series) -> None:
        """Count nothing yet; see `Metrics`."""
        super().__init__(label_values, prices, series)
        self._last: dict[str, defaultdict[Labels, dict[int, Exemplar]]] = {
            name: defaultdict(dict) for name in LATENCIES
        }
        """Metric to labels to the number of a bucket to who was counted there last."""

    def observe(self, name: str, origin: Origin, *further: str, value: float | None) -> None:
        """Observe a duration, and keep whose it is."""
        super().observe(name, origin, *further, value=value)
        key = origin.conversation
        if value is None or name not in LATENCIES or key is None or not shown(key):
            return
        at = None if origin.at is None else origin.at / 1_000_000
        bucket = bisect_left(CONVERSATION_METRICS[name].buckets, value)
        self._last[name][origin.source, *further][bucket] = Exemplar({LABEL: key}, value, at)

    def add_exemplars(self, metric: Metric) -> Metric:
        """Add the exemplars of a metric to its samples. Called from the thread of a scrape."""
        kept = list(self._last.get(metric.name, {}).items())
        if not kept:
            return metric
        last = {tuple(self.labels.values_after_source(labels)): found for labels, found in kept}
        bounds = (*map(str, CONVERSATION_METRICS[metric.name].buckets), "+Inf")
        numbers = {bound: number for number, bound in enumerate(bounds)}
        metric.samples = [_with_exemplar(sample, numbers, last) for sample in metric.samples]
        return metric


def exposed(registry: Collector, metrics: Metrics) -> Collector:
    """Return `registry`, with the exemplars that `metrics` keeps, if it does. The text format leaves these out."""
    return _WithExemplars(registry, metrics) if isinstance(metrics, ExemplarMetrics) else registry


class _WithExemplars(Collector):
    """The metrics of a registry with their exemplars."""

    def __init__(self, registry: Collector, metrics: ExemplarMetrics) -> None:
        self._registry = registry
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            yield self._metrics.add_exemplars(metric)


def _with_exemplar(sample: Sample, numbers: dict[str, int], last: Mapping[Labels, dict[int, Exemplar]]) -> Sample:
    """Return the sample of a bucket with its exemplar, if it has one. Its labels are in their order, then `le`."""
    *labels, bound = sample.labels.values() or ("",)
    exemplar = last.get(tuple(labels), {}).get(numbers.get(bound, -1)) if "le" in sample.labels else None
    return sample if exemplar is None else sample._replace(exemplar=exemplar)
