"""All sources of a daemon: started, stopped, and changed when the configuration is read again.

The supervisor knows sources by protocol alone. What makes a source of a configuration is handed to it. Each source is
wrapped in a `SupervisedSource`, which starts it again when it fails.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct

from steno.metrics.definitions import PROCESS_METRICS
from steno.sources.protocols import Counters, Labels, Numbers, Source, SourceConfig
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
        self._counters: dict[str, list[Counters]] = {}
        """By name, also of sources that are gone: a counter must not fall when its name is configured again. A list
        grows only when an operator removes a source and brings it back, or changes its kind."""
        self._tasks: TaskGroup | None = None
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
            tasks.start_soon(source.run)

    async def stop(self) -> None:
        """Stop all of them at once. No source is started or changed from then on."""
        self._tasks = None
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
            tasks.start_soon(self._sources.pop(name).stop)
        for name in new:
            tasks.start_soon(self._add(wanted[name]).run)
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
            tasks.start_soon(_run_after, source, self._add(config))

    # What is asked --------------------------------------------------------------------------------------

    def ready(self) -> dict[str, bool]:
        """Return whether each configured source is ready, by name."""
        return {name: source.ready for name, source in self._sources.items()}

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the process metrics that sources know. Called from the thread of a scrape, so it copies first."""
        totals: dict[str, defaultdict[Labels, float]] = {name: defaultdict(float) for name in SOURCE_METRICS}
        for name, every in list(self._counters.items()):
            for counters in list(every):
                self._add_numbers(totals, name, counters)
        return totals

    def _add_numbers(self, totals: Mapping[str, defaultdict[Labels, float]], name: str, counters: Counters) -> None:
        source = self._sources.get(name)
        gone = source is None or source.counters is not counters
        for metric, values in counters.numbers().items():
            if gone and not _is_counter(metric):  # what is no more has no present value
                continue
            for labels, value in values.items():
                totals[metric][name, *labels] += value


def _is_counter(metric: str) -> bool:
    return SOURCE_METRICS[metric].kind == "counter"


async def _run_after(former: Source, source: Source) -> None:
    """Run `source` once `former` has stopped: both may want the same port."""
    await former.stop()
    await source.run()
