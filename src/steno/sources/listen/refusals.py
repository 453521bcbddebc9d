"""What is counted and logged of clients that were not admitted: each once, and each reason not too often."""

import asyncio
from typing import Final

from structlog.typing import FilteringBoundLogger

from steno.sources.listen.arrivals import Arrival
from steno.sources.listen.counters import ListenCounters, Outcome

REPEATED_SECONDS: Final = 10.0
"""How often refusals for the same reason are logged."""


class Refusals:
    """The refusals of one source, by reason."""

    def __init__(self, counters: ListenCounters, log: FilteringBoundLogger) -> None:
        """Count by `counters`, and say so to `log`."""
        self._counters = counters
        self._log = log
        self._logged: dict[Outcome, tuple[float, int]] = {}
        """Reason to when it was logged last, and how many were refused since."""

    def refuse(self, outcome: Outcome, arrival: Arrival, *, detail: str = "") -> None:
        """Count what did not become a connection, and log it now and then."""
        if arrival.settled:
            return
        arrival.settled = True
        self._counters.handshakes[outcome] += 1
        now = asyncio.get_running_loop().time()
        logged, more = self._logged.get(outcome, (float("-inf"), 0))
        if now - logged < REPEATED_SECONDS:
            self._logged[outcome] = (logged, more + 1)
            return
        self._logged[outcome] = (now, 0)
        log = self._log.info if outcome in {"gone", "stopping"} else self._log.warning
        log("client refused", reason=outcome, detail=detail, address=arrival.host, more=more)
