"""All sources of a daemon: started, stopped, and replaced when the configuration is read again."""

from collections.abc import Callable, Iterable, Mapping

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct

from steno.config import Connect
from steno.sources.connect import ConnectSource, Counters

Make = Callable[[Connect, Counters], ConnectSource]
Numbers = Mapping[tuple[str, ...], float]


class Changes(Struct, frozen=True):
    """What another configuration did to the sources, by name."""

    started: tuple[str, ...]
    stopped: tuple[str, ...]
    changed: tuple[str, ...]


class SourceSupervisor:
    """The sources that are configured, by name, and what was counted of all that ever were."""

    def __init__(self, configured: Iterable[Connect], make: Make) -> None:
        """Make a source for each that is `configured`; none runs yet."""
        self._make = make
        self._configs: dict[str, Connect] = {}
        self._sources: dict[str, ConnectSource] = {}
        self._counters: dict[str, Counters] = {}
        self._tasks: TaskGroup | None = None
        for config in configured:
            self._add(config)

    def _add(self, config: Connect) -> ConnectSource:
        counters = self._counters.setdefault(config.name, Counters())
        source = self._make(config, counters)
        self._configs[config.name] = config
        self._sources[config.name] = source
        return source

    def start(self, tasks: TaskGroup) -> None:
        """Let all run in `tasks`, which end when all were stopped."""
        self._tasks = tasks
        for source in self._sources.values():
            tasks.start_soon(source.run)

    async def stop(self) -> None:
        """Stop all of them at once."""
        self._tasks = None
        async with anyio.create_task_group() as tasks:
            for source in self._sources.values():
                tasks.start_soon(source.stop)

    def replace(self, configured: Iterable[Connect]) -> Changes:
        """Run what is `configured` now: what is new starts, what is gone stops, what is the same is left alone."""
        tasks = self._tasks
        wanted = {config.name: config for config in configured}
        if tasks is None:
            return Changes((), (), ())
        gone = tuple(name for name in self._configs if name not in wanted)
        new = tuple(name for name in wanted if name not in self._configs)
        changed = tuple(name for name in wanted if name in self._configs and wanted[name] != self._configs[name])
        for name in gone:
            del self._configs[name]
            tasks.start_soon(self._sources.pop(name).stop)
        for name in new:
            tasks.start_soon(self._add(wanted[name]).run)
        for name in changed:
            self._configs[name] = wanted[name]
            tasks.start_soon(self._sources[name].reconfigure, wanted[name])
        return Changes(new, gone, changed)

    def connected(self) -> dict[str, bool]:
        """Tell which of those configured are connected."""
        return {name: source.connected for name, source in self._sources.items()}

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the process metrics that sources know."""
        counters = list(self._counters.items())
        return {
            "steno_streams": {(name,): float(connected) for name, connected in self.connected().items()},
            "steno_connect_attempts_total": {
                (name, reason): count for name, counted in counters for reason, count in list(counted.attempts.items())
            },
            "steno_stream_gaps_total": {
                (name, reason): count for name, counted in counters for reason, count in list(counted.gaps.items())
            },
        }
