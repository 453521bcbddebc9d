"""The numbers that facts are counted in: plain numbers in dictionaries, which a collector reads when it is scraped.

Label values are of closed vocabularies, or models, tools and codes. These are upstream's, so past a number of different
ones a source a further one is `other`. A model that has a price is always shown, under the name of its price once there
are too many. Past a number of series over all sources, what would need a further one counts under `other` as well: no
count is lost. When a model or a tool is first seen, all that may be counted of it stands at 0 (`closed`).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from steno.core.billing.prices import PriceTable, resolve
from steno.core.facts import Cost, Fact, Origin, Tokens
from steno.core.vocabulary import TOOL_KINDS
from steno.limits import Limits
from steno.metrics.closed import OF_WORDS
from steno.metrics.conversation_definitions import CONVERSATION_METRICS
from steno.metrics.labels import NO_LABELS, Labels
from steno.timestamps import Micros

NO_MODEL: Final = "unknown"
OTHER: Final = "other"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
BUILT_IN: Final = frozenset(TOOL_KINDS - {"function", "custom", "mcp"})
"""Kinds of tools that upstream defines itself: each is one tool. Others have names that an application chose."""


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


class Tally:
    """All numbers of facts. Values are only ever added to, so that a scrape in another thread sees each whole."""

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

    def known(self, source: str, label: str, value: str | None) -> str:
        """Return upstream's `value` as what was counted has it, `other` where it does not. For any thread."""
        if value is None:
            return NO_MODEL
        labels = self._vocabularies.get(source)
        known = labels.get(label) if labels is not None else None
        return value if known is not None and value in known else OTHER

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


Counters = Mapping[type[Fact], Callable[[Tally, Origin, Any], None]]
"""Kind of fact to what is counted of it."""
