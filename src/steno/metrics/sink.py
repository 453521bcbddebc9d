"""Facts counted: plain numbers in dictionaries, which a collector reads when it is scraped.

`COUNTERS` at the end says what each fact does to which metric. Label values are of closed vocabularies, or models and
codes. Those two are upstream's, so past a number of different ones a further one is `other`.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from steno.core import facts
from steno.core.facts import Cost, Fact, Origin, Tokens
from steno.metrics.definitions import CONVERSATION_METRICS

Labels = tuple[str, ...]
NO_MODEL: Final = "unknown"
COMPLETED: Final = "completed"


class Histogram:
    """Observations counted by bucket: `counts` has one more place than there are bounds, for what is above all."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation; a bound belongs to the bucket below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Metrics:
    """The sink that counts. Values are only ever added to, so that a scrape in another thread sees each whole."""

    def __init__(self, label_values: int) -> None:
        """Count nothing yet; a label takes at most `label_values` different values from upstream."""
        self.numbers: dict[str, defaultdict[Labels, float]] = {
            name: defaultdict(float) for name, row in CONVERSATION_METRICS.items() if row.kind != "histogram"
        }
        self.histograms: dict[str, dict[Labels, Histogram]] = {
            name: {} for name, row in CONVERSATION_METRICS.items() if row.kind == "histogram"
        }
        self._label_values = label_values
        self._label_vocabulary: defaultdict[str, set[str]] = defaultdict(set)

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Count `fact`; most kinds of facts are for the audit log alone."""
        count = COUNTERS.get(type(fact))
        if count is not None:
            count(self, origin, fact)

    def add(self, name: str, labels: Labels, amount: float = 1) -> None:
        """Add to a counter."""
        self.numbers[name][labels] += amount

    def observe(self, name: str, labels: Labels, value: float | None) -> None:
        """Observe a duration; one that is not known is none."""
        if value is None:
            return
        histogram = self.histograms[name].get(labels)
        if histogram is None:
            histogram = self.histograms[name][labels] = Histogram(CONVERSATION_METRICS[name].buckets)
        histogram.observe(value)

    def label_value(self, label: str, value: str | None) -> str:
        """Return upstream's `value` as a label value, or `other` when there are too many different ones."""
        if value is None:
            return NO_MODEL
        known = self._label_vocabulary[label]
        if value not in known:
            if len(known) >= self._label_values:
                return "other"
            known.add(value)
        return value

    def add_usage(self, origin: Origin, model: str | None, buckets: tuple[Tokens, ...], cost: Cost | None) -> None:
        """Count the tokens of one usage of `model`, and what it cost, or why that is not known."""
        family = origin.family or NO_MODEL
        for each in buckets:
            labels = (
                family,
                self.label_value("model", each.model),
                each.direction,
                each.modality,
                "true" if each.cached else "false",
            )
            self.add("steno_tokens_total", labels, each.tokens)
        if cost is None:
            return
        if cost.usd is not None:
            self.add("steno_cost_usd_total", (family, self.label_value("model", model)), float(cost.usd))
        else:
            self.add("steno_unpriced_total", (family, cost.unpriced or NO_MODEL))


def _missed(metrics: Metrics, origin: Origin, fact: facts.EventsMissed) -> None:
    metrics.add("steno_missed_events_total", (origin.source,), fact.missing)


def _omitted(metrics: Metrics, origin: Origin, fact: facts.FactsOmitted) -> None:
    metrics.add("steno_facts_omitted_total", (origin.source,), fact.omitted)


def _closed(metrics: Metrics, _origin: Origin, fact: facts.ConversationClosed) -> None:
    metrics.add("steno_conversations_closed_total", (fact.family, fact.reason))


def _response(metrics: Metrics, origin: Origin, fact: facts.ResponseFinished) -> None:
    """A response that broke off is counted as such; its times say little and would spoil the others'."""
    model = metrics.label_value("model", fact.model)
    reason = metrics.label_value("reason", fact.reason) if fact.reason else "none"
    metrics.add("steno_responses_total", (model, fact.status, reason))
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)
    if fact.status == COMPLETED:
        metrics.observe("steno_response_duration_seconds", (model,), fact.duration_seconds)
        metrics.observe("steno_time_to_first_token_seconds", (model,), fact.time_to_first_token_seconds)
        metrics.observe("steno_time_to_first_audio_seconds", (model,), fact.time_to_first_audio_seconds)
        metrics.observe("steno_turn_latency_seconds", (model,), fact.turn_latency_seconds)


def _interrupted(metrics: Metrics, _origin: Origin, fact: facts.ResponseInterrupted) -> None:
    labels = (metrics.label_value("model", fact.model), metrics.label_value("reason", fact.reason))
    metrics.add("steno_interruptions_total", labels)


def _speech(metrics: Metrics, _origin: Origin, fact: facts.SpeechStopped) -> None:
    metrics.observe("steno_user_speech_duration_seconds", (), fact.duration_seconds)


def _playback(metrics: Metrics, _origin: Origin, fact: facts.PlaybackStarted) -> None:
    labels = (metrics.label_value("model", fact.model),)
    metrics.observe("steno_turn_latency_seconds", labels, fact.turn_latency_seconds)


def _transcription(metrics: Metrics, origin: Origin, fact: facts.TranscriptionFinished) -> None:
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)


def _tool_call(metrics: Metrics, _origin: Origin, fact: facts.ToolCallFinished) -> None:
    metrics.add("steno_tool_calls_total", (fact.kind, fact.status))
    if fact.status == COMPLETED:
        metrics.observe("steno_tool_call_duration_seconds", (fact.kind,), fact.duration_seconds)


def _run(metrics: Metrics, origin: Origin, fact: facts.RunFinished) -> None:
    model = metrics.label_value("model", fact.model)
    metrics.add("steno_runs_total", (model, fact.status))
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)
    if fact.status == COMPLETED:
        metrics.observe("steno_run_duration_seconds", (model,), fact.duration_seconds)
        metrics.observe("steno_run_queue_seconds", (model,), fact.queue_seconds)
        metrics.observe("steno_run_action_seconds", (model,), fact.action_seconds)


def _run_step(metrics: Metrics, _origin: Origin, fact: facts.RunStepFinished) -> None:
    metrics.add("steno_run_steps_total", (fact.kind, fact.status))
    if fact.status == COMPLETED:
        metrics.observe("steno_run_step_duration_seconds", (fact.kind,), fact.duration_seconds)


def _rate_limit(metrics: Metrics, origin: Origin, fact: facts.RateLimitReported) -> None:
    if fact.remaining is not None:
        metrics.numbers["steno_rate_limit_remaining"][origin.source, fact.kind] = fact.remaining


def _error(metrics: Metrics, origin: Origin, fact: facts.UpstreamErred) -> None:
    labels = (origin.family or NO_MODEL, metrics.label_value("code", fact.code))
    metrics.add("steno_upstream_errors_total", labels)


COUNTERS: Final[Mapping[type[Fact], Callable[[Metrics, Origin, Any], None]]] = {
    facts.EventsMissed: _missed,
    facts.FactsOmitted: _omitted,
    facts.ConversationClosed: _closed,
    facts.ResponseFinished: _response,
    facts.ResponseInterrupted: _interrupted,
    facts.SpeechStopped: _speech,
    facts.PlaybackStarted: _playback,
    facts.TranscriptionFinished: _transcription,
    facts.ToolCallFinished: _tool_call,
    facts.RunFinished: _run,
    facts.RunStepFinished: _run_step,
    facts.RateLimitReported: _rate_limit,
    facts.UpstreamErred: _error,
}
