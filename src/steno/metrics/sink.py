"""Facts counted: plain numbers in dictionaries, which a collector reads when it is scraped.

`COUNTERS` at the end says what each fact does to which metric. Label values are of closed vocabularies, or models,
tools and codes. These are upstream's, so past a number of different ones a source a further one is `other`. A model
that has a price is always shown, under the name of its price once there are too many. Past a number of series over all
sources, what would need a further one counts under `other` as well: no count is lost. When a model or a tool is first
seen, all that may be counted of it stands at 0 (`closed`).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import UNSET

from steno.core import facts
from steno.core.billing.prices import PriceTable, resolve
from steno.core.facts import Cost, Fact, Origin, Tokens
from steno.core.vocabulary import SERVICE_TIERS, closed
from steno.limits import Limits
from steno.metrics.closed import OF_WORDS
from steno.metrics.conversation_definitions import CONVERSATION_METRICS
from steno.metrics.labels import NO_LABELS, Labels
from steno.timestamps import Micros

NO_MODEL: Final = "unknown"
OTHER: Final = "other"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
SPOKEN: Final = "realtime"
"""The kind of a session that gives responses."""
BUILT_IN: Final = frozenset({"code_interpreter", "file_search"})
"""Kinds of tools that upstream runs itself: each is one tool."""
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

    def __init__(self, label_values: int, prices: PriceTable | None = None, series: int = Limits().series) -> None:
        """Count nothing yet.

        Args:
            label_values: how many different values a label takes from the upstream of one source.
            prices: whose models are always shown.
            series: how many series may have a word in them that upstream chose.
        """
        self.numbers: dict[str, defaultdict[Labels, float]] = {
            name: defaultdict(float) for name, row in CONVERSATION_METRICS.items() if row.kind != "histogram"
        }
        self.histograms: dict[str, dict[Labels, Histogram]] = {
            name: {} for name, row in CONVERSATION_METRICS.items() if row.kind == "histogram"
        }
        self.resets: dict[Labels, tuple[float, Micros | None]] = {}
        """Source and kind of a rate limit to after how many seconds it is whole again, and when that was said."""
        self.prices = prices
        self.labels = NO_LABELS
        """What the operator calls each source by."""
        self._label_values = label_values
        self._room = series
        self._kept_free = series // 2
        """What is not spent on series that stand at 0: those that count need it more."""
        self._vocabularies: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        """Source, then label, to the values that its upstream chose: one source does not use up another's."""
        self._begun: set[Labels] = set()
        """What has its label sets at 0: a use, a source, and a model or a tool."""

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Count `fact`; most kinds of facts are for the audit log alone."""
        count = COUNTERS.get(type(fact))
        if count is not None:
            count(self, origin, fact)

    def add(self, name: str, origin: Origin, *further: str, amount: float = 1) -> None:
        """Add to a counter of the source that `origin` names; `further` are the labels after `source`."""
        numbers, labels = self.numbers[name], (origin.source, *further)
        known = numbers.get(labels)
        if known is None:
            numbers[self._admitted(name, labels)] += amount
        else:
            numbers[labels] = known + amount

    def observe(self, name: str, origin: Origin, *further: str, value: float | None) -> None:
        """Observe a duration; one that is not known is none. `further` are the labels after `source`."""
        if value is None:
            return
        histograms, labels = self.histograms[name], (origin.source, *further)
        histogram = histograms.get(labels)
        if histogram is None:
            labels = self._admitted(name, labels)
            histogram = histograms.get(labels)
        if histogram is None:
            histogram = histograms[labels] = Histogram(CONVERSATION_METRICS[name].buckets)
        histogram.observe(value)

    def _admitted(self, name: str, labels: Labels) -> Labels:
        """Return `labels`, which a metric does not have yet, or `other` in them where no room is left for more series.

        What is `other` already is always let in: there are few of these, and the sum over them stays right.
        """
        folded = _folded(name, labels)
        if folded == labels:
            return labels
        weight = series_of(name)
        if weight > self._room:
            self.numbers["steno_series_dropped_total"][labels[:1]] += 1
            return folded
        self._room -= weight
        return labels

    def begin(self, use: str, origin: Origin, *word: str) -> None:
        """Let all that may be counted of upstream's `word` stand at 0 once it was first seen, as far as there is room.

        Args:
            use: what the word is of, a key of `closed.OF_WORDS`.
            origin: whose source saw it.
            word: a model, a family and a model, or the kind and name of a tool: the labels after the source.
        """
        seen = (use, origin.source, *word)
        if seen in self._begun:
            return
        self._begun.add(seen)
        for name, rest in OF_WORDS[use].items():
            for further in rest:
                self._begin_series(name, (*seen[1:], *further))

    def _begin_series(self, name: str, labels: Labels) -> None:
        weight = 0 if _folded(name, labels) == labels else series_of(name)
        table = self.histograms[name] if name in self.histograms else self.numbers[name]
        if labels in table or weight > self._room - self._kept_free:
            return
        self._room -= weight
        if name in self.histograms:
            self.histograms[name][labels] = Histogram(CONVERSATION_METRICS[name].buckets)
        else:
            self.numbers[name][labels] = 0.0

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

    def tool(self, origin: Origin, kind: str, name: str | None) -> str:
        """Return the tool of a call as a label value. Those of upstream itself have the name of their kind."""
        return kind if kind in BUILT_IN else self.label_value(origin, "tool", name)

    def add_usage(self, origin: Origin, model: str | None, buckets: tuple[Tokens, ...], cost: Cost | None) -> None:
        """Count the tokens of one usage of `model`, and what it cost, or why that is not known."""
        family, billed = origin.family or NO_MODEL, self.model(origin, model)
        self.begin("usages", origin, family, billed)
        numbers = self.numbers["steno_tokens_total"]
        for each in buckets:
            shown = billed if each.model == model else self.model(origin, each.model)
            labels = (origin.source, family, shown, each.direction, each.modality, "true" if each.cached else "false")
            known = numbers.get(labels)
            if known is None:
                numbers[self._admitted("steno_tokens_total", labels)] += each.tokens
            else:  # most often: a usage has several buckets, and they come with each response
                numbers[labels] = known + each.tokens
        if cost is None:
            return
        if cost.usd is not None:
            self.add("steno_cost_usd_total", origin, family, billed, amount=float(cost.usd))
        else:
            self.add("steno_unpriced_total", origin, family, cost.unpriced or NO_MODEL)

    def begin_model(self, use: str, origin: Origin, model: str | None) -> None:
        """Let what is counted of a model in one use stand at 0, and what it is billed by."""
        shown = self.model(origin, model)
        self.begin(use, origin, shown)
        self.begin("usages", origin, origin.family or NO_MODEL, shown)


def series_of(name: str) -> int:
    """Return how many series a label set of a metric is: a histogram has one a bucket, its sum and its number."""
    row = CONVERSATION_METRICS[name]
    return len(row.buckets) + 3 if row.kind == "histogram" else 1


_UPSTREAM: Final = {
    name: tuple(place for place, label in enumerate(row.labels) if label in {"model", "tool", "code"})
    for name, row in CONVERSATION_METRICS.items()
}
"""Metric to the places of its labels that upstream chooses."""
_STATUS, _REASON = (CONVERSATION_METRICS["steno_responses_total"].labels.index(each) for each in ("status", "reason"))


def _folded(name: str, labels: Labels) -> Labels:
    """Return `labels` with `other` for each word of upstream's; the reason of a response that failed is one."""
    places = _UPSTREAM[name]
    if not places:
        return labels
    folded = list(labels)
    for place in places:
        folded[place] = OTHER
    if name == "steno_responses_total" and labels[_STATUS] == FAILED:
        folded[_REASON] = OTHER
    return tuple(folded)


def _session(metrics: Metrics, origin: Origin, fact: facts.SessionOpened | facts.SessionChanged) -> None:
    """A session says its model before anything of it is counted."""
    if fact.model is None:
        return
    if fact.kind == SPOKEN:
        metrics.begin_model("responses", origin, fact.model)
    else:
        metrics.begin("usages", origin, origin.family or NO_MODEL, metrics.model(origin, fact.model))


def _response_started(metrics: Metrics, origin: Origin, fact: facts.ResponseStarted) -> None:
    metrics.begin_model("responses", origin, fact.model)


def _run_started(metrics: Metrics, origin: Origin, fact: facts.RunStarted) -> None:
    metrics.begin_model("runs", origin, fact.model)


def _tool_started(metrics: Metrics, origin: Origin, fact: facts.ToolCallStarted) -> None:
    metrics.begin("tools", origin, fact.kind, metrics.tool(origin, fact.kind, fact.name))


def _unanswered(metrics: Metrics, origin: Origin, _fact: facts.TurnUnanswered) -> None:
    metrics.add("steno_unanswered_turns_total", origin)


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
    _served(metrics, origin, model, fact)
    if fact.status == COMPLETED:
        metrics.observe("steno_response_duration_seconds", origin, model, value=fact.duration_seconds)


def _served(metrics: Metrics, origin: Origin, model: str, fact: facts.ResponseFinished) -> None:
    """Count what only some APIs report of a response."""
    labels = (origin.family or NO_MODEL, model)
    if fact.service_tier is not UNSET:
        metrics.add("steno_response_service_tiers_total", origin, *labels, closed(fact.service_tier, SERVICE_TIERS))
    if fact.reasoning_tokens is not UNSET:
        metrics.begin("details", origin, *labels)
        metrics.add("steno_reasoning_tokens_total", origin, *labels, amount=fact.reasoning_tokens)
    for write in () if fact.cache_writes is UNSET else fact.cache_writes:
        metrics.add("steno_cache_write_tokens_total", origin, *labels, write.kept, amount=write.tokens)


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


def _tools_billed(metrics: Metrics, origin: Origin, fact: facts.ToolCallsBilled) -> None:
    labels = (origin.family or NO_MODEL, metrics.model(origin, fact.model), fact.kind)
    metrics.add("steno_billed_tool_calls_total", origin, *labels, amount=fact.calls)
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)


def _tool_call(metrics: Metrics, origin: Origin, fact: facts.ToolCallFinished) -> None:
    tool = metrics.tool(origin, fact.kind, fact.name)
    metrics.add("steno_tool_calls_total", origin, fact.kind, tool, fact.status)
    if fact.status == COMPLETED:
        metrics.observe("steno_tool_call_duration_seconds", origin, fact.kind, tool, value=fact.duration_seconds)


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
    """What a report leaves out stays as it was said before."""
    labels = (origin.source, fact.kind)
    if fact.remaining is not None:
        metrics.numbers["steno_rate_limit_remaining"][labels] = fact.remaining
    if fact.limit is not None:
        metrics.numbers["steno_rate_limit_limit"][labels] = fact.limit
    if fact.reset_seconds is not None:
        metrics.resets[labels] = (fact.reset_seconds, origin.at)


def _error(metrics: Metrics, origin: Origin, fact: facts.UpstreamErred) -> None:
    code = metrics.label_value(origin, "code", fact.code)
    metrics.add("steno_upstream_errors_total", origin, origin.family or NO_MODEL, code)


COUNTERS: Final[Mapping[type[Fact], Callable[[Metrics, Origin, Any], None]]] = {
    facts.EventsMissed: _missed,
    facts.StreamResumed: _resumed,
    facts.FactsOmitted: _omitted,
    facts.ConversationOpened: _opened,
    facts.ConversationClosed: _closed,
    facts.SessionOpened: _session,
    facts.SessionChanged: _session,
    facts.TurnUnanswered: _unanswered,
    facts.ResponseStarted: _response_started,
    facts.ResponseOutputStarted: _output_started,
    facts.ResponseFinished: _response,
    facts.ResponseInterrupted: _interrupted,
    facts.SpeechStopped: _speech,
    facts.PlaybackStarted: _playback,
    facts.ResponseAbandoned: _abandoned,
    facts.RunAbandoned: _abandoned,
    facts.SessionFinished: _billed,
    facts.TranscriptionFinished: _billed,
    facts.ToolCallStarted: _tool_started,
    facts.ToolCallFinished: _tool_call,
    facts.ToolCallsBilled: _tools_billed,
    facts.RunStarted: _run_started,
    facts.RunFinished: _run,
    facts.RunStepFinished: _run_step,
    facts.RateLimitReported: _rate_limit,
    facts.UpstreamErred: _error,
}
