"""One source that is kept running: when it fails by a mistake of ours it is made anew, and nobody else notices.

What a source does about its upstream is its own affair. This is for what it did not expect: whatever exception leaves
its task, from a handshake, a read, a recording or the feeding of a frame. The answer is always the same:

1. The failure is counted (`steno_source_restarts_total`) and logged: its type and place, never its message, which may
   hold what a stranger sent. The same failure again is logged once in `REPEATED_SECONDS`.
2. What the source left open is ended: each stream with the gap `internal_error`.
3. After a wait that grows it is made anew from the configuration that holds now, and run. Another configuration for it
   ends the wait at once.

A source that is stopped, or configured anew, and does not answer in time is cancelled. One that drains (`Drains`) has
first its own time for that; it is not made anew in it.
"""

import asyncio
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import anyio
import structlog

from steno.sources.backoff import Backoff
from steno.sources.flag import Flag
from steno.sources.protocols import Counters, Drains, Labels, Numbers, Problem, Reloads, Source, SourceConfig

RESTART_SECONDS: Final = 0.5
"""Bound of the first wait before a source is made anew."""
RESTART_MAX_SECONDS: Final = 60.0
"""Largest bound: how long a source may be away once what made it fail is over."""
HEALTHY_SECONDS: Final = 60.0
"""How long a source must run for its next failure to count as the first."""
REPEATED_SECONDS: Final = 300.0
"""How often the same failure of a source is logged."""
ANSWER_SECONDS: Final = 15.0
"""How long a source may take to stop, or to take in another configuration, before it is cancelled. A close takes 5."""

RESTARTS: Final = "steno_source_restarts_total"

Make = Callable[[SourceConfig], Source]
Left = Callable[[Counters], None]
"""Ends the streams that were begun with these counters and are open still."""


class SupervisedCounters:
    """What a source counted over all the times that it was made, and how often that was."""

    def __init__(self, present: Counters) -> None:
        """Begin with the counters of the source that was made first."""
        self.restarts = 0
        self._present = present
        self._former: defaultdict[str, defaultdict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._last: Mapping[str, Numbers] = {}

    def replace(self, counters: Counters, is_counter: Callable[[str], bool]) -> None:
        """Go on with `counters`; what the former ones hold is kept, unless it is a gauge."""
        for metric, values in self._read().items():
            if is_counter(metric):
                for labels, value in values.items():
                    self._former[metric][labels] += value
        self._present, self._last = counters, {}

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the values by metric and labels; see `protocols.Counters`."""
        totals = {metric: dict(values) for metric, values in self._read().items()}
        for metric, values in list(self._former.items()):
            total = totals.setdefault(metric, {})
            for labels, value in list(values.items()):
                total[labels] = total.get(labels, 0) + value
        return {**totals, RESTARTS: {(): self.restarts}}

    def _read(self) -> Mapping[str, Numbers]:
        """Return what the present counters say; where they fail, what they said last: a scrape is for all sources."""
        with suppress(Exception):
            self._last = self._present.numbers()
        return self._last


class SupervisedSource:
    """A configured source, whichever object is it at present. It is itself a `Source`."""

    def __init__(self, config: SourceConfig, make: Make, left: Left, is_counter: Callable[[str], bool]) -> None:
        """Make the source of `config` by `make`; streams that it leaves behind when it fails are ended by `left`."""
        self.name = config.name
        self._config = config
        self._make = make
        self._left = left
        self._is_counter = is_counter
        self._source = self._first()
        self.counters = SupervisedCounters(self._source.counters)
        self._failing = False
        """Whether it waits to be made anew."""
        self._stopping = False
        self._cancelled = False
        self._stopped = False
        """Whether the source was asked to end what it still has."""
        self._wake = Flag()
        """Set to end the wait before it is made anew."""
        self._running: anyio.CancelScope | None = None
        """What it does now: runs, clears up, or waits."""
        self._ended = Flag()
        self.drained = Flag()
        """Set when no call of the source goes on that `stop` would not end at once."""
        self._logged: dict[tuple[str, str], float] = {}
        """The last failures by type and place, and when each was logged, by the clock of the event loop."""

    @property
    def _log(self) -> Any:
        """A logger, made anew: most sources never say anything."""
        return structlog.get_logger().bind(source=self.name)

    def _first(self) -> Source:
        try:
            return self._make(self._config)
        except Exception as error:  # noqa: BLE001  # the other sources are made all the same
            return _Unmade(self.name, error)

    @property
    def ready(self) -> bool:
        """Whether the source runs and is ready."""
        with suppress(Exception):
            return not self._failing and self._source.ready
        return False

    @property
    def problem(self) -> Problem | None:
        """Why the source is not ready."""
        if self._failing:
            return Problem("internal_error")
        with suppress(Exception):
            return self._source.problem
        return Problem("internal_error")

    # Life -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the source, and again whenever it fails, until it was stopped."""
        backoff = Backoff(RESTART_SECONDS, RESTART_MAX_SECONDS)
        self._running = anyio.CancelScope()
        try:
            while not self._stopping:
                began = anyio.current_time()
                if await self._run_once():
                    return
                if anyio.current_time() - began >= HEALTHY_SECONDS:
                    backoff.succeeded()
                await self._wait(backoff.wait())
        finally:
            self._ended.set()

    async def _run_once(self) -> bool:
        """Run the source, made anew if it has failed before; return whether it ended in order."""
        with anyio.CancelScope() as self._running:
            try:
                if self._failing:
                    self._renew()
                await self._source.run()
                return True
            except asyncio.CancelledError as error:
                # Ours, or one that a library let slip? That would cancel all sources, as a task group sees it.
                task = asyncio.current_task()
                if self._stopping or self._running.cancel_called or (task and task.cancelling()):
                    raise
                self._failed(error)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is counted, logged and tried again
                self._failed(error)
        if self._cancelled:
            return True
        await self._clear_up()
        return self._stopping

    def _renew(self) -> None:
        source = self._make(self._config)
        self.counters.replace(source.counters, self._is_counter)
        self._source = source
        self._failing = False

    async def _clear_up(self) -> None:
        """End what the source that failed has left: its streams, then what it alone knows of."""
        if self._failing:  # it could not even be made
            return
        self._failing = True
        self._guarded(lambda: self._left(self._source.counters))
        with anyio.move_on_after(ANSWER_SECONDS) as self._running:
            try:
                await self._source.stop()
            except Exception as error:  # noqa: BLE001  # it has failed already
                self._report("a source that failed cannot be cleared up", error)

    async def _wait(self, seconds: float) -> None:
        self._wake = Flag()
        if not self._stopping:
            with anyio.move_on_after(seconds) as self._running:
                await self._wake.wait()

    @property
    def drain_seconds(self) -> float:
        """How long calls of the source may go on when it is asked to stop; 0 where they are ended at once."""
        with suppress(Exception):
            return self._source.drain_seconds if isinstance(self._source, Drains) else 0.0
        return 0.0

    @property
    def calls(self) -> int:
        """Calls that run now."""
        with suppress(Exception):
            return self._source.calls if isinstance(self._source, Drains) else 0
        return 0

    async def drain(self) -> None:
        """Let the source accept no more calls; return when none runs, or when its time for that is over."""
        self._stopping = True
        self._wake.set()
        source, seconds = self._source, self.drain_seconds
        if seconds and isinstance(source, Drains) and not self._failing and self._running and not self.drained.is_set():
            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._leave_at_end, tasks.cancel_scope)
                    try:
                        await source.drain()
                    except Exception as error:  # noqa: BLE001  # it is stopped all the same
                        self._report("source does not drain: its calls end", error)
                    tasks.cancel_scope.cancel()
        self.drained.set()

    async def _leave_at_end(self, scope: anyio.CancelScope) -> None:
        """Do not wait for a source that has failed meanwhile."""
        await self._ended.wait()
        scope.cancel()

    async def stop(self) -> None:
        """Stop the source for good, once it has drained. Where it does not stop in time, or fails, it is cancelled."""
        if self._stopped:
            return
        await self.drain()
        self._stopped = True
        stopped = self._failing or await self._answered(self._source.stop, "source does not stop: it is cancelled")
        if self._running is None:
            return
        if stopped:
            with anyio.move_on_after(ANSWER_SECONDS):
                await self._ended.wait()
        self._running.cancel()

    def cancel(self) -> None:
        """End what it does, at once: its time is over."""
        self._stopping = self._cancelled = True
        if self._running:
            self._running.cancel()

    def reload(self) -> None:
        """Let the source read its own files again, if it has any."""
        source = self._source
        if isinstance(source, Reloads) and not self._failing:
            try:
                source.reload()
            except Exception as error:  # noqa: BLE001  # it goes on as it was
                self._report("source does not read its files again", error)

    async def reconfigure(self, config: SourceConfig) -> None:
        """Go on as `config` says. A source that cannot do that is made anew."""
        self._config = config
        if self._failing:
            self._wake.set()
            return
        source = self._source
        answered = await self._answered(
            lambda: source.reconfigure(config), "source does not take its configuration: it is made anew"
        )
        if not answered and self._running is not None and source is self._source:
            self._count()
            self._running.cancel()

    async def _answered(self, ask: Callable[[], Awaitable[None]], otherwise: str) -> bool:
        """Return whether the source did in time, and without an error, what it was asked."""
        with anyio.move_on_after(ANSWER_SECONDS):
            try:
                await ask()
            except Exception as error:  # noqa: BLE001  # the daemon goes on, whatever it is
                self._report(otherwise, error)
                return False
            return True
        self._log.error(otherwise, seconds=ANSWER_SECONDS)
        return False

    # Failures -------------------------------------------------------------------------------------------

    def _count(self) -> None:
        self.counters.restarts += 1

    def _failed(self, error: BaseException) -> None:
        self._count()
        self._report("internal error: source failed, and is started again", error)

    def _report(self, event: str, error: BaseException) -> None:
        """Log a failure, unless the same was logged of late. That the log fails too must not end the source."""
        self._guarded(lambda: self._log_failure(event, error))

    def _log_failure(self, event: str, error: BaseException) -> None:
        kind, place = type(error).__name__, _place(error)
        now = anyio.current_time()
        self._logged = {key: at for key, at in self._logged.items() if now - at < REPEATED_SECONDS}
        if (event, place) not in self._logged:
            self._logged[event, place] = now
            self._log.error(event, error=kind, place=place, restarts=self.counters.restarts, exc_info=error)

    def _guarded(self, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # noqa: BLE001  # the source is to be started again, whatever else fails
            with suppress(Exception):
                self._log.error("internal error after a failure", error=type(error).__name__, place=_place(error))


class _Unmade:
    """Stands for a source that could not be made: it fails when it is run, and another one is made in its place."""

    ready = False
    problem = None

    def __init__(self, name: str, error: Exception) -> None:
        self.name = name
        self.counters = self
        self._error = error

    def numbers(self) -> Mapping[str, Numbers]:
        return {}

    async def run(self) -> None:
        raise self._error

    async def stop(self) -> None:
        pass

    async def reconfigure(self, config: Any) -> None:
        pass


def _place(error: BaseException) -> str:
    """Return where `error` was raised, as `file:line`; of a group, where the first of it was."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    last = next(reversed(list(traceback.walk_tb(error.__traceback__))), None)
    return f"{last[0].f_code.co_filename}:{last[1]}" if last else "unknown"
