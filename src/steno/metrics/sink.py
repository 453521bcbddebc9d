"""Facts counted: plain numbers in dictionaries, which a collector reads when it is scraped.

`COUNTERS` at the end says what each fact does to which metric. Label values are of closed vocabularies, or models and
codes. Those two are upstream's, so past a number of different ones a source a further one is `other`. A model that has
a price is always shown, under the name of its price once there are too many.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from steno.core import facts
from steno.core.billing.prices import PriceTable, resolve
from steno.core.facts import Cost, Fact, Origin, Tokens
from steno.metrics.conversation_definitions import CONVERSATION_METRICS
from steno.metrics.labels import NO_LABELS, Labels

NO_MODEL: Final = "unknown"
OTHER: Final = "other"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
_FIRST_OUTPUT: Final = {"text": "steno_time_to_first_token_seconds", "audio": "steno_time_to_first_audio_seconds"}
"""Output of a response to the metric of its beginning."""


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

    def __init__(self, label_values: int, prices: PriceTable | None = None) -> None:
        """Count nothing yet.

        Args:
            label_values: how many different values a label takes from the upstream of one source.
            prices: whose models are always shown.
        """
        self.numbers: dict[str, defaultdict[Labels, float]] = {
            name: defaultdict(float) for name, row in CONVERSATION_METRICS.items() if row.kind != "histogram"
        }
        self.histograms: dict[str, dict[Labels, Histogram]] = {
            name: {} for name, row in CONVERSATION_METRICS.items() if row.kind == "histogram"
        }
        self._label_values = label_values
        self.prices = prices
        self.labels = NO_LABELS
        """What the operator calls each source by."""
        self._vocabularies: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        """Source, then label, to the values that its upstream chose: one source does not use up another's."""

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Count `fact`; most kinds of facts are for the audit log alone."""
        count = COUNTERS.get(type(fact))
        if count is not None:
            count(self, origin, fact)

    def add(self, name: str, origin: Origin, *labels: str, amount: float = 1) -> None:
        """Add to a counter of the source that `origin` names; `labels` are those after `source`."""
        self.numbers[name][origin.source, *labels] += amount

    def observe(self, name: str, origin: Origin, *further: str, value: float | None) -> None:
        """Observe a duration; one that is not known is none. `further` are the labels after `source`."""
        if value is None:
            return
        labels = (origin.source, *further)
        histogram = self.histograms[name].get(labels)
        if histogram is None:
            histogram = self.histograms[name][labels] = Histogram(CONVERSATION_METRICS[name].buckets)
        histogram.observe(value)

    def label_value(self, origin: Origin, label: str, value: str | None) -> str:
        """Return upstream's `value` as a label value, or `other` when its source has too many different ones."""
        if value is None:
            return NO_MODEL
        known = self._vocabularies[origin.source][label]
        if value not in known:
            if len(known) >= self._label_values:
                return OTHER
            known.add(value)
        return value

    def model(self, origin: Origin, model: str | None) -> str:
        """Return `model` as a label value. Past the budget of its source it is the name of its price, else `other`."""
        shown = self.label_value(origin, "model", model)
        if shown is not OTHER or model is None or self.prices is None:
            return shown
        priced = resolve(self.prices, model)
        return priced[0] if priced else OTHER

    def add_usage(self, origin: Origin, model: str | None, buckets: tuple[Tokens, ...], cost: Cost | None) -> None:
        """Count the tokens of one usage of `model`, and what it cost, or why that is not known."""
        family = origin.family or NO_MODEL
        for each in buckets:
            shown, cached = self.model(origin, each.model), "true" if each.cached else "false"
            labels = (family, shown, each.direction, each.modality, cached)
            self.add("steno_tokens_total", origin, *labels, amount=each.tokens)
        if cost is None:
            return
        if cost.usd is not None:
            self.add("steno_cost_usd_total", origin, family, self.model(origin, model), amount=float(cost.usd))
        else:
            self.add("steno_unpriced_total", origin, family, cost.unpriced or NO_MODEL)


def _missed(metrics: Metrics, origin: Origin, fact: facts.EventsMissed) -> None:
    metrics.add("steno_missed_events_total", origin, fact.reason, amount=fact.missing)


def _resumed(metrics: Metrics, origin: Origin, fact: facts.StreamResumed) -> None:
    if fact.seconds is not None:
        metrics.add("steno_stream_gap_seconds_total", origin, amount=fact.seconds)


def _omitted(metrics: Metrics, origin: Origin, fact: facts.FactsOmitted) -> None:
    metrics.add("steno_facts_omitted_total", origin, amount=fact.omitted)


def _opened(metrics: Metrics, origin: Origin, fact: facts.ConversationOpened) -> None:
    metrics.add("steno_conversations_opened_total", origin, fact.family)


def _closed(metrics: Metrics, origin: Origin, fact: facts.ConversationClosed) -> None:
    metrics.add("steno_conversations_closed_total", origin, fact.family, fact.reason)
    metrics.observe("steno_conversation_duration_seconds", origin, fact.family, value=fact.duration_seconds)


def _output_started(metrics: Metrics, origin: Origin, fact: facts.ResponseOutputStarted) -> None:
    """Observed at once: a slow answer that the caller spoke over was slow all the same."""
    model = metrics.model(origin, fact.model)
    metrics.observe(_FIRST_OUTPUT[fact.output], origin, model, value=fact.after_seconds)
    metrics.observe("steno_turn_latency_seconds", origin, model, value=fact.turn_latency_seconds)


def _response(metrics: Metrics, origin: Origin, fact: facts.ResponseFinished) -> None:
    """A response that broke off is counted as such; its duration says little and would spoil the others'."""
    model = metrics.model(origin, fact.model)
    reason = fact.reason or "none"
    if fact.status == FAILED:  # then it is a code of upstream's; else it is of a closed list, which needs no budget
        reason = metrics.label_value(origin, "reason", fact.reason)
    metrics.add("steno_responses_total", origin, model, fact.status, reason)
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)
    if fact.status == COMPLETED:
        metrics.observe("steno_response_duration_seconds", origin, model, value=fact.duration_seconds)


def _interrupted(metrics: Metrics, origin: Origin, fact: facts.ResponseInterrupted) -> None:
    metrics.add("steno_interruptions_total", origin, metrics.model(origin, fact.model), fact.reason)


def _speech(metrics: Metrics, origin: Origin, fact: facts.SpeechStopped) -> None:
    metrics.observe("steno_user_speech_duration_seconds", origin, value=fact.duration_seconds)


def _playback(metrics: Metrics, origin: Origin, fact: facts.PlaybackStarted) -> None:
    model = metrics.model(origin, fact.model)
    metrics.observe("steno_turn_latency_seconds", origin, model, value=fact.turn_latency_seconds)


def _billed(metrics: Metrics, origin: Origin, fact: facts.TranscriptionFinished | facts.SessionFinished) -> None:
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)


def _abandoned(metrics: Metrics, origin: Origin, fact: facts.ResponseAbandoned | facts.RunAbandoned) -> None:
    metrics.add_usage(origin, fact.model, (), fact.cost)


def _tool_call(metrics: Metrics, origin: Origin, fact: facts.ToolCallFinished) -> None:
    metrics.add("steno_tool_calls_total", origin, fact.kind, fact.status)
    if fact.status == COMPLETED:
        metrics.observe("steno_tool_call_duration_seconds", origin, fact.kind, value=fact.duration_seconds)


def _run(metrics: Metrics, origin: Origin, fact: facts.RunFinished) -> None:
    model = metrics.model(origin, fact.model)
    metrics.add("steno_runs_total", origin, model, fact.status)
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)
    if fact.status == COMPLETED:
        metrics.observe("steno_run_duration_seconds", origin, model, value=fact.duration_seconds)
        metrics.observe("steno_run_queue_seconds", origin, model, value=fact.queue_seconds)
        metrics.observe("steno_run_action_seconds", origin, model, value=fact.action_seconds)


def _run_step(metrics: Metrics, origin: Origin, fact: facts.RunStepFinished) -> None:
    metrics.add("steno_run_steps_total", origin, fact.kind, fact.status)
    if fact.status == COMPLETED:
        metrics.observe("steno_run_step_duration_seconds", origin, fact.kind, value=fact.duration_seconds)


def _rate_limit(metrics: Metrics, origin: Origin, fact: facts.RateLimitReported) -> None:
    if fact.remaining is not None:
        metrics.numbers["steno_rate_limit_remaining"][origin.source, fact.kind] = fact.remaining


def _error(metrics: Metrics, origin: Origin, fact: facts.UpstreamErred) -> None:
    code = metrics.label_value(origin, "code", fact.code)
    metrics.add("steno_upstream_errors_total", origin, origin.family or NO_MODEL, code)


COUNTERS: Final[Mapping[type[Fact], Callable[[Metrics, Origin, Any], None]]] = {
    facts.EventsMissed: _missed,
    facts.StreamResumed: _resumed,
    facts.FactsOmitted: _omitted,
    facts.ConversationOpened: _opened,
    facts.ConversationClosed: _closed,
    facts.ResponseOutputStarted: _output_started,
    facts.ResponseFinished: _response,
    facts.ResponseInterrupted: _interrupted,
    facts.SpeechStopped: _speech,
    facts.PlaybackStarted: _playback,
    facts.ResponseAbandoned: _abandoned,
    facts.RunAbandoned: _abandoned,
    facts.SessionFinished: _billed,
    facts.TranscriptionFinished: _billed,
    facts.ToolCallFinished: _tool_call,
    facts.RunFinished: _run,
    facts.RunStepFinished: _run_step,
    facts.RateLimitReported: _rate_limit,
    facts.UpstreamErred: _error,
}
