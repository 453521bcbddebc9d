"""What the daemon does between the signal to stop and the end of the last call that passes through it.

A call through a proxy would be cut by a restart. So a source that drains (`sources.protocols.Drains`) accepts no more
calls, and those that run go to their end within its `drain_seconds`. All else goes on meanwhile: the ticker, the audit
log, the HTTP face and the control socket. Sources that a successor reads are stopped at once.

No source drains: nothing of this happens.
"""

from collections.abc import Callable, Mapping
from typing import Final

import anyio
import structlog

from steno.sources.sockets import inherited
from steno.sources.supervisor import SourceSupervisor

REPORT_SECONDS: Final = 60.0
"""How often the operational log says how many calls are left."""

Record = Callable[[int, float], None]
"""Takes the number of calls that run, and how many seconds they have at most."""


class Drain:
    """The drain of one daemon. It happens once."""

    def __init__(self, sources: SourceSupervisor, record: Record) -> None:
        """Drain `sources`, and `record` the begin of it, if there is something to drain."""
        self._sources = sources
        self._record = record
        self._draining = False
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Stop the sources that do not drain; return when no call of the others is left, or their time is over."""
        inherited().close()
        seconds = self._sources.drain_seconds
        if not seconds:
            return
        self._draining = True
        self._log.info("draining: running calls go to their end", calls=self._sources.calls, seconds=seconds)
        self._record(self._sources.calls, seconds)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._report)
            await self._sources.drain()
            tasks.cancel_scope.cancel()
        self._log_end(self._sources.calls)

    async def _report(self) -> None:
        while True:
            await anyio.sleep(REPORT_SECONDS)
            self._log.info("draining", calls=self._sources.calls)

    def _log_end(self, left: int) -> None:
        if left:
            self._log.warning("the time to drain is over: calls are cut", calls=left)
        else:
            self._log.info("drained: no call is left")

    def numbers(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Return the process metric: name to labels to value."""
        return {"steno_draining": {(): 1 if self._draining else 0}}
