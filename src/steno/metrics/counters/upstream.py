"""What upstream says of itself: its limits and errors."""

from typing import Final

from steno.core import facts
from steno.core.facts import Origin
from steno.metrics.tally import NO_MODEL, Counters, Tally


def _rate_limit(metrics: Tally, origin: Origin, fact: facts.RateLimitReported) -> None:
    """What a report leaves out stays as it was said before."""
    labels = (origin.source, fact.kind)
    if fact.remaining is not None:
        metrics.numbers["steno_rate_limit_remaining"][labels] = fact.remaining
    if fact.limit is not None:
        metrics.numbers["steno_rate_limit_limit"][labels] = fact.limit
    if fact.reset_seconds is not None:
        metrics.resets[labels] = (fact.reset_seconds, origin.at)


def _error(metrics: Tally, origin: Origin, fact: facts.UpstreamErred) -> None:
    code = metrics.label_value(origin, "code", fact.code)
    metrics.add("steno_upstream_errors_total", origin, origin.family or NO_MODEL, code)


COUNTERS: Final[Counters] = {
    facts.RateLimitReported: _rate_limit,
    facts.UpstreamErred: _error,
}
