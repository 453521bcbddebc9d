"""The sink that counts facts: `counters` says what each does to which metric, and `tally` has the numbers."""

from steno.core.facts import Fact, Origin
from steno.metrics.counters import COUNTERS
from steno.metrics.tally import Histogram, Tally, series_of

__all__ = ["COUNTERS", "Histogram", "Metrics", "series_of"]


class Metrics(Tally):
    """The sink that counts."""

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Count `fact`; most kinds of facts are for the audit log alone."""
        count = COUNTERS.get(type(fact))
        if count is not None:
            count(self, origin, fact)
