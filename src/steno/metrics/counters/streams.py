"""What streams missed, and facts that were left out."""

from typing import Final

from steno.core import facts
from steno.core.facts import Origin
from steno.metrics.tally import Counters, Tally


def _missed(metrics: Tally, origin: Origin, fact: facts.EventsMissed) -> None:
    metrics.add("steno_missed_events_total", origin, fact.reason, amount=fact.missing)


def _resumed(metrics: Tally, origin: Origin, fact: facts.StreamResumed) -> None:
    if fact.seconds is not None:
        metrics.add("steno_stream_gap_seconds_total", origin, amount=fact.seconds)


def _omitted(metrics: Tally, origin: Origin, fact: facts.FactsOmitted) -> None:
    metrics.add("steno_facts_omitted_total", origin, amount=fact.omitted)


COUNTERS: Final[Counters] = {
    facts.EventsMissed: _missed,
    facts.StreamResumed: _resumed,
    facts.FactsOmitted: _omitted,
}
