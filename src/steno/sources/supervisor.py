"""All sources of a daemon: started, stopped, and changed when the configuration is read again.

The supervisor knows sources by protocol alone. What makes a source of a configuration is handed to it. Each source is
wrapped in a `SupervisedSource`, which starts it again when it fails.

There may be thousands of sources, and in a task group of anyio each would take 1.8 KB more than its task. So one task
stands in the group for all of them, and each runs in a plain task beside it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct

from steno.metrics.definitions import PROCESS_METRICS
from steno.sources.flag import Flag
from steno.sources.protocols import Counters, Labels, Numbers, Problem, SourceConfig
from steno.sources.supervised import Left, Make, SupervisedSource

SOURCE_METRICS: Final = {name: row for name, row in PROCESS_METRICS.items() if row.labels[:1] == ("source",)}
"""What sources may count. Each is exposed from the start, also where no source has counted it yet."""


class Changes(Struct, frozen=True):
    """What another configuration did to the sources, by name."""

    started: tuple[str, ...]
    stopped: tuple[str, ...]
    changed: tuple[str, ...]


class SourceSupervisor:
    """The configured sources by name, and the counters of all that there ever were."""

    def __init__(self, configured: Iterable[SourceConfig], make: Make, left: Left = lambda _: None) -> None:
        """Make each `configured` source by `make`. None runs yet. Streams that one leaves are ended by `left`."""
        self._make = make
        self._left = left
        self._configs: dict[str, SourceConfig] = {}
        self._sources: dict[str, SupervisedSource] = {}
        self._leaving: set[SupervisedSource] = set()
        """Sources that are no longer configured, and have not stopped yet: their calls may go on for long."""
        self._counters: dict[str, list[Counters]] = {}
        """By name, also of sources that are gone: a counter must not fall when its name is configured again. A list
        grows only when an operator removes a source and brings it back, or changes its kind."""
        self._tasks: TaskGroup | None = None
        """Where sources are stopped and changed, and new ones are run; None before the start and from the stop on."""
        self._running: dict[asyncio.Task[None], SupervisedSource] = {}
        self._failure: BaseException | None = None
        """A mistake of ours beside those of sources."""
        self._over = Flag()
        """Set when the sources have ended, or one of them by such a mistake."""
        for config in configured:
            self._add(config)

    def _add(self, config: SourceConfig) -> SupervisedSource:
        source = SupervisedSource(config, self._make, self._left, _is_counter)
        self._configs[config.name] = config
        self._sources[config.name] = source
        self._counters.setdefault(config.name, []).append(source.counters)
        return source

    def start(self, tasks: TaskGroup) -> None:
        """Run all sources in `tasks`, which end when all were stopped."""
        self._tasks = tasks
        for source in self._sources.values():
            self._run(source)
        tasks.start_soon(self._stay)

    def _run(self, source: SupervisedSource) -> None:
        task = asyncio.get_running_loop().create_task(source.run())
        self._running[task] = source
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and task.exception():
            self._failure = task.exception()
        self._look()

    def _look(self) -> None:
        if self._failure or (self._tasks is None and not self._running):
            self._over.set()

    async def _stay(self) -> None:
        """Stand for the sources in the group: end when all have ended, and cancel them where this is cancelled."""
        try:
            await self._over.wait()
        finally:
            for source in self._running.values():
                source.cancel()
            with anyio.CancelScope(shield=True):
                while self._running:
                    await asyncio.wait(self._running)
        if self._failure:
            raise self._failure

    @property
    def drain_seconds(self) -> float:
        """How long calls may go on when the daemon stops; 0 where no source lets them."""
        return max((source.drain_seconds for source in self._all()), default=0.0)

    @property
    def calls(self) -> int:
        """Calls that run now, of sources that let them go to their end."""
        return sum(source.calls for source in self._all())

    def _all(self) -> list[SupervisedSource]:
        return [*self._sources.values(), *self._leaving]

    async def drain(self) -> None:
        """Stop all sources but those that drain; return when no call of these runs, or when their time is over.

        No source is started or changed from then on.
        """
        self._tasks = None
        self._look()
        async with anyio.create_task_group() as tasks:
            for source in self._sources.values():
                tasks.start_soon(source.drain if source.drain_seconds else source.stop)
            for source in self._leaving:
                tasks.start_soon(source.drained.wait)

    async def stop(self) -> None:
        """Stop all of them at once. No source is started or changed from then on."""
        self._tasks = None
        self._look()
        async with anyio.create_task_group() as tasks:
            for source in self._sources.values():
                tasks.start_soon(source.stop)

    # Another configuration ------------------------------------------------------------------------------

    def replace(self, configured: Iterable[SourceConfig]) -> Changes:
        """Run what is `configured` now: start what is new, stop what is gone, leave alone what is the same.

        Returns at once; the sources start, stop and change in tasks of their own.
        """
        tasks = self._tasks
        if tasks is None:
            return Changes((), (), ())
        wanted = {config.name: config for config in configured}
        gone = tuple(name for name in self._configs if name not in wanted)
        new = tuple(name for name in wanted if name not in self._configs)
        changed = tuple(name for name in wanted if name in self._configs and wanted[name] != self._configs[name])
        for name in gone:
            del self._configs[name]
            self._leave(self._sources.pop(name), tasks)
        for name in new:
            self._run(self._add(wanted[name]))
        for name in changed:
            self._change(wanted[name], tasks)
        for name, source in self._sources.items():
            if name not in new and name not in changed:
                source.reload()
        return Changes(new, gone, changed)

    def _change(self, config: SourceConfig, tasks: TaskGroup) -> None:
        source = self._sources[config.name]
        if config.kind == self._configs[config.name].kind:
            self._configs[config.name] = config
            tasks.start_soon(source.reconfigure, config)
        else:
            self._leave(source, tasks, then=self._add(config))

    def _leave(self, former: SupervisedSource, tasks: TaskGroup, then: SupervisedSource | None = None) -> None:
        """Stop a source that is no longer configured, and run the one of that name `then`."""
        if not former.drain_seconds:
            tasks.start_soon(self._run_after, former, then)
            return
        self._leaving.add(former)
        tasks.start_soon(self._drain_out, former)
        if then:
            self._run(then)  # a source that drains shares its port with it

    async def _run_after(self, former: SupervisedSource, then: SupervisedSource | None) -> None:
        """Run the one source once the other has stopped: both may want the same port."""
        await former.stop()
        if then:
            self._run(then)

    async def _drain_out(self, source: SupervisedSource) -> None:
        try:
            await source.stop()
        finally:
            self._leaving.discard(source)

    # What is asked --------------------------------------------------------------------------------------

    def ready(self) -> dict[str, bool]:
        """Return whether each configured source is ready, by name."""
        return {name: source.ready for name, source in list(self._sources.items())}

    def kind(self, name: str) -> str:
        """Return the kind of a source; empty where there is none of that name."""
        config = self._configs.get(name)
        return config.kind if config else ""

    def problems(self) -> dict[str, Problem]:
        """Return why sources are not ready, by name; of those where something is known."""
        found = {name: source.problem for name, source in list(self._sources.items()) if not source.ready}
        return {name: problem for name, problem in found.items() if problem}

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the process metrics that sources know. Called from the thread of a scrape, so it copies first."""
        totals: dict[str, defaultdict[Labels, float]] = {name: defaultdict(float) for name in SOURCE_METRICS}
        for name, every in list(self._counters.items()):
            for counters in list(every):
                self._add_numbers(totals, name, counters)
        ready: Numbers = {(name,): 1.0 if source.ready else 0.0 for name, source in list(self._sources.items())}
        return {**totals, "steno_source_ready": ready}

    def _add_numbers(self, totals: Mapping[str, defaultdict[Labels, float]], name: str, counters: Counters) -> None:
        gone = all(source.counters is not counters for source in self._all() if source.name == name)
        for metric, values in counters.numbers().items():
            if gone and not _is_counter(metric):  # what is no more has no present value
                continue
            for labels, value in values.items():
                known = totals[metric].get((name, *labels))
                # While a source leaves, two have its name: of two times the earlier one is what matters.
                totals[metric][name, *labels] = _joined(metric, known, value)


def _joined(metric: str, known: float | None, value: float) -> float:
    if known is None:
        return value
    return min(known, value) if metric.endswith("_timestamp_seconds") else known + value


def _is_counter(metric: str) -> bool:
    return SOURCE_METRICS[metric].kind == "counter"
