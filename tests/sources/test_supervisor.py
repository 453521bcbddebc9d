"""Sources start, stop and change with the configuration, whatever their kind."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from msgspec import Struct

from steno.sources.backoff import Backoff
from steno.sources.protocols import Numbers, Source, SourceConfig
from steno.sources.supervisor import Changes, SourceSupervisor
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio

NO_NUMBERS: dict[str, Numbers] = {
    "steno_streams": {},
    "steno_connect_attempts_total": {},
    "steno_stream_gaps_total": {},
    "steno_source_restarts_total": {},
    "steno_attachments": {},
    "steno_attachments_ended_total": {},
    "steno_proxy_connections": {},
    "steno_proxy_refused_total": {},
    "steno_unfed_frames_total": {},
    "steno_listen_handshakes_total": {},
    "steno_listen_repeated_messages_total": {},
    "steno_listen_slowed_seconds_total": {},
    "steno_tls_certificate_loads_total": {},
    "steno_tls_certificate_expiry_timestamp_seconds": {},
    "steno_source_ready": {},
    "steno_upstream_certificate_expiry_timestamp_seconds": {},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Bell(Struct, frozen=True):
    """A made-up table of `[[sources]]`."""

    name: str
    kind: str = "bell"
    tone: str = "c"


class BellCounters:
    """Counts nothing by itself; a play sets the numbers."""

    def __init__(self) -> None:
        self.open = 1.0
        self.gaps = 0.0
        self.ends: float | None = None
        """Until when its certificate is valid."""

    def numbers(self) -> Mapping[str, Numbers]:
        return {
            "steno_streams": {(): self.open},
            "steno_stream_gaps_total": {("closed",): self.gaps},
            "steno_tls_certificate_expiry_timestamp_seconds": {} if self.ends is None else {(): self.ends},
        }


class BellSource:
    """Writes down what is asked of it."""

    def __init__(self, config: Bell, calls: list[str]) -> None:
        self.name = config.name
        self.ready = config.tone != "off"
        self.problem = None
        self.counters = BellCounters()
        self._label = f"{config.kind} {config.name}"
        self._calls = calls
        self._stopping = anyio.Event()

    async def run(self) -> None:
        self._calls.append(f"{self._label} runs")
        await self._stopping.wait()

    async def stop(self) -> None:
        await anyio.lowlevel.checkpoint()
        self._calls.append(f"{self._label} stops")
        self._stopping.set()

    async def reconfigure(self, config: Any) -> None:
        self._calls.append(f"{self._label} changes to {config.tone}")


class Carillon(BellSource):
    """A bell that rings out: `drain` returns when a play says so."""

    drain_seconds = 60.0

    def __init__(self, config: Bell, calls: list[str]) -> None:
        super().__init__(config, calls)
        self.silent = anyio.Event()

    @property
    def calls(self) -> int:
        return 0 if self.silent.is_set() else 2

    async def drain(self) -> None:
        self._calls.append(f"{self._label} rings out")
        await self.silent.wait()


class Belfry:
    """A supervisor of made-up sources."""

    def __init__(self, *configured: Bell) -> None:
        self.calls: list[str] = []
        self.made: list[BellSource] = []
        self.supervisor = SourceSupervisor(configured, self.make)

    def make(self, config: SourceConfig) -> Source:
        assert isinstance(config, Bell)
        self.made.append((Carillon if config.kind == "carillon" else BellSource)(config, self.calls))
        return self.made[-1]

    async def called(self, *calls: str) -> None:
        """Wait until sources were called, in whatever order, and forget it."""
        await until(lambda: sorted(self.calls) == sorted(calls))
        self.calls.clear()


@asynccontextmanager
async def running(*configured: Bell) -> AsyncIterator[Belfry]:
    """Run sources, and stop them at the end."""
    belfry = Belfry(*configured)
    async with anyio.create_task_group() as tasks:
        belfry.supervisor.start(tasks)
        await until(lambda: len(belfry.calls) == len(configured))
        belfry.calls.clear()
        yield belfry
        await belfry.supervisor.stop()


# Life -----------------------------------------------------------------------------------------------------


async def test_all_run_until_all_are_stopped() -> None:
    """The tasks end when every source was stopped."""
    belfry = Belfry(Bell("one"), Bell("two"))

    async with anyio.create_task_group() as tasks:
        belfry.supervisor.start(tasks)
        await belfry.called("bell one runs", "bell two runs")
        await belfry.supervisor.stop()

    assert sorted(belfry.calls) == ["bell one stops", "bell two stops"]


async def test_each_says_itself_whether_it_is_ready() -> None:
    """Readiness is what the sources say."""
    belfry = Belfry(Bell("one"), Bell("two", tone="off"))

    assert belfry.supervisor.ready() == {"one": True, "two": False}


async def test_what_has_not_ended_in_time_is_cancelled_with_the_group() -> None:
    """Also where the source itself does something else first: it is cancelled until it ends."""
    ended: list[str] = []

    class Deaf(BellSource):
        async def run(self) -> None:
            self._calls.append(f"{self._label} runs")
            try:
                await anyio.sleep_forever()
            finally:
                with suppress(anyio.get_cancelled_exc_class()):
                    await anyio.sleep(60)
                ended.append(self.name)

    belfry = Belfry()
    belfry.supervisor = SourceSupervisor([Bell("one"), Bell("two")], lambda config: Deaf(config, belfry.calls))  # type: ignore[arg-type]  # they are bells
    async with anyio.create_task_group() as tasks:
        belfry.supervisor.start(tasks)
        await belfry.called("bell one runs", "bell two runs")
        tasks.cancel_scope.cancel()

    assert (sorted(ended), belfry.calls) == (["one", "two"], [])


async def test_a_mistake_beside_those_of_sources_ends_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised, and no source goes on without being supervised."""

    def fail(*_: object) -> float:
        raise ZeroDivisionError

    async def run(source: BellSource) -> None:
        if source.name == "two":
            raise LookupError
        await anyio.sleep_forever()

    monkeypatch.setattr(Backoff, "wait", fail)
    monkeypatch.setattr(BellSource, "run", run)
    raised: list[BaseException] = []
    try:
        async with anyio.create_task_group() as tasks:
            Belfry(Bell("one"), Bell("two")).supervisor.start(tasks)
            tasks.start_soon(anyio.sleep_forever)
    except* ZeroDivisionError as group:
        raised += group.exceptions

    assert len(raised) == 1


# Another configuration ------------------------------------------------------------------------------------


async def test_what_is_new_starts_what_is_gone_stops_and_the_same_is_left_alone() -> None:
    """The names are returned in the order of the configuration."""
    async with running(Bell("one"), Bell("two"), Bell("three")) as belfry:
        changes = belfry.supervisor.replace([Bell("four"), Bell("three"), Bell("two", tone="d")])
        await belfry.called("bell one stops", "bell four runs", "bell two changes to d")
        names = list(belfry.supervisor.ready())
        again = belfry.supervisor.replace([Bell("four"), Bell("three"), Bell("two", tone="d")])

    assert changes == Changes(started=("four",), stopped=("one",), changed=("two",))
    assert names == ["two", "three", "four"]
    assert again == Changes((), (), ())


async def test_another_kind_under_the_same_name_is_another_source() -> None:
    """The new one runs once the former has stopped: both may want the same port."""
    async with running(Bell("one")) as belfry:
        changes = belfry.supervisor.replace([Bell("one", kind="gong")])
        await until(lambda: len(belfry.calls) == 2)
        calls = list(belfry.calls)

    assert changes == Changes((), (), ("one",))
    assert calls == ["bell one stops", "gong one runs"]


async def test_a_daemon_that_stops_changes_no_source() -> None:
    """A configuration that comes too late is not followed."""
    async with running(Bell("one")) as belfry:
        await belfry.supervisor.stop()

        changes = belfry.supervisor.replace([Bell("two")])

    assert changes == Changes((), (), ())


# Calls that go on -----------------------------------------------------------------------------------------


def silence(source: BellSource) -> None:
    assert isinstance(source, Carillon)
    source.silent.set()


async def test_those_that_drain_go_on_while_the_others_stop() -> None:
    """`drain` returns when no call is left, and `stop` ends the rest."""
    done = anyio.Event()
    async with running(Bell("one"), Bell("two", kind="carillon")) as belfry:
        supervisor = belfry.supervisor

        async def drain() -> None:
            await supervisor.drain()
            done.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drain)
            await belfry.called("bell one stops", "carillon two rings out")
            during = (supervisor.drain_seconds, supervisor.calls, done.is_set(), supervisor.replace([]))
            silence(belfry.made[1])
        after = (supervisor.calls, done.is_set())
        await supervisor.stop()
        calls = list(belfry.calls)

    assert during == (60.0, 2, False, Changes((), (), ()))
    assert after == (0, True)
    assert calls == ["carillon two stops"]


async def test_a_source_that_is_removed_drains_too_and_counts_until_then() -> None:
    """One that takes its name runs at once: they share the port. A daemon that stops waits for both."""
    async with running(Bell("one", kind="carillon")) as belfry:
        supervisor = belfry.supervisor
        supervisor.replace([Bell("one", kind="gong")])
        await belfry.called("carillon one rings out", "gong one runs")
        both = supervisor.numbers()["steno_streams"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.drain)
            await belfry.called("gong one stops")
            during = (supervisor.drain_seconds, supervisor.calls)
            silence(belfry.made[0])
        await until(lambda: not supervisor.drain_seconds)

    assert (both, during) == ({("one",): 2.0}, (60.0, 2))


class Reading(BellSource):
    """A bell that reads a file of its own."""

    def reload(self) -> None:
        self._calls.append(f"{self._label} reads")
        if self.name == "cracked":
            raise ZeroDivisionError


async def test_what_stays_the_same_reads_its_own_files_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those that have some; one that fails at it goes on, and so do the others."""
    monkeypatch.setattr(Belfry, "make", lambda self, config: Reading(config, self.calls))
    async with running(Bell("cracked"), Bell("one"), Bell("two"), Bell("three")) as belfry:
        changes = belfry.supervisor.replace([Bell("cracked"), Bell("one"), Bell("two", tone="a"), Bell("four")])
        await belfry.called(
            "bell cracked reads", "bell one reads", "bell two changes to a", "bell three stops", "bell four runs"
        )

    assert changes == Changes(("four",), ("three",), ("two",))


# Numbers --------------------------------------------------------------------------------------------------


def test_metrics_of_sources_are_there_from_the_start() -> None:
    """A metric that nobody has counted yet has no value, and is described all the same."""
    assert Belfry().supervisor.numbers() == NO_NUMBERS


async def test_of_two_times_of_one_name_the_earlier_one_is_shown() -> None:
    """While a source rings out, another one has its name: sums of times are times of nobody."""
    async with running(Bell("one", kind="carillon")) as belfry:
        belfry.supervisor.replace([])
        belfry.supervisor.replace([Bell("one")])
        former, present = belfry.made
        former.counters.ends, present.counters.ends = 2e9, 1e9
        numbers = belfry.supervisor.numbers()
        assert isinstance(former, Carillon)
        former.silent.set()

    assert numbers["steno_tls_certificate_expiry_timestamp_seconds"] == {("one",): 1e9}
    assert numbers["steno_streams"] == {("one",): 2.0}


async def test_counters_never_fall_and_gauges_go_with_their_source() -> None:
    """What a source counted stays when it is gone, and goes on when its name comes back."""
    async with running(Bell("one"), Bell("two")) as belfry:
        for source in belfry.made:
            source.counters.gaps = 2.0
        before = belfry.supervisor.numbers()
        belfry.supervisor.replace([Bell("two")])
        gone = belfry.supervisor.numbers()
        belfry.supervisor.replace([Bell("two"), Bell("one")])
        belfry.made[-1].counters.gaps = 3.0
        back = belfry.supervisor.numbers()

    one, two = ("one", "closed"), ("two", "closed")
    assert [numbers["steno_streams"] for numbers in (before, gone, back)] == [
        {("one",): 1.0, ("two",): 1.0},
        {("two",): 1.0},
        {("one",): 1.0, ("two",): 1.0},
    ]
    assert [numbers["steno_stream_gaps_total"] for numbers in (before, gone, back)] == [
        {one: 2.0, two: 2.0},
        {one: 2.0, two: 2.0},
        {one: 5.0, two: 2.0},
    ]
