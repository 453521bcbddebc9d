"""A source that fails is made anew: whatever it raises, wherever that is, and whatever is asked of it meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest
import structlog
from msgspec import Struct

from steno.sources import supervised
from steno.sources.backoff import Backoff
from steno.sources.protocols import Numbers, SourceConfig
from steno.sources.supervised import SupervisedSource
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that take no time."""
    monkeypatch.setattr(supervised, "RESTART_SECONDS", 0.001)
    monkeypatch.setattr(supervised, "RESTART_MAX_SECONDS", 0.001)


class Drum(Struct, frozen=True):
    """A made-up table of `[[sources]]`."""

    name: str = "drum"
    kind: str = "drum"
    tone: str = "low"


class DrumCounters:
    """Numbers that a play sets."""

    def __init__(self) -> None:
        self.open = 1.0
        self.gaps = 2.0

    def numbers(self) -> Mapping[str, Numbers]:
        if self.open < 0:
            raise KeyError("numbers")
        return {"steno_streams": {(): self.open}, "steno_stream_gaps_total": {("closed",): self.gaps}}


async def forever() -> None:
    await anyio.sleep_forever()


async def nothing() -> None:
    await anyio.lowlevel.checkpoint()


class DrumSource:
    """Does what its band says."""

    def __init__(self, config: Drum, band: "Band") -> None:
        self.name = config.name
        self.config = config
        self.counters = DrumCounters()
        self.stopping = anyio.Event()
        self.band = band

    problem = None

    @property
    def ready(self) -> bool:
        return self.config.tone != "off"

    async def run(self) -> None:
        self.band.calls.append(f"run {self.config.tone}")
        await (self.band.runs.pop(0)() if self.band.runs else self.stopping.wait())

    async def stop(self) -> None:
        self.band.calls.append("stop")
        await self.band.stops()
        self.stopping.set()

    async def reconfigure(self, config: Drum) -> None:
        self.band.calls.append(f"reconfigure {config.tone}")
        await self.band.reconfigures()


class Band:
    """A supervised drum, what each of its runs does, and what was asked of it."""

    def __init__(self, *runs: Callable[[], Awaitable[None]]) -> None:
        self.runs = list(runs)
        self.stops: Callable[[], Awaitable[None]] = nothing
        self.reconfigures: Callable[[], Awaitable[None]] = nothing
        self.made: list[DrumSource] = []
        self.unmade = 0
        """How many times making a source fails from the second on."""
        self.calls: list[str] = []
        self.left = 0
        self.source = SupervisedSource(Drum(), self.make, self.leave, lambda metric: metric.endswith("_total"))

    def make(self, config: SourceConfig) -> DrumSource:
        assert isinstance(config, Drum)
        if self.made and self.unmade:
            self.unmade -= 1
            raise LookupError("unmade")
        self.made.append(DrumSource(config, self))
        return self.made[-1]

    def leave(self, counters: object) -> None:
        assert counters is self.made[-1].counters
        self.left += 1

    @property
    def restarts(self) -> int:
        return self.source.counters.restarts


@asynccontextmanager
async def playing(band: Band) -> AsyncIterator[list[str]]:
    """Run a band beside another task, which must not notice; yield its log."""
    with structlog.testing.capture_logs() as lines:
        logged: list[str] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(band.source.run)
            beside = anyio.Event()
            tasks.start_soon(beside.wait)
            yield logged
            await band.source.stop()
            beside.set()
        logged += [f"{line['event']}: {line.get('error')}" for line in lines]


def raising(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        raise error

    return run


async def recurse() -> None:
    await recurse()


FAILED = "internal error: source failed, and is started again"


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (raising(ZeroDivisionError("sk-secret")), "ZeroDivisionError"),
        (raising(MemoryError()), "MemoryError"),
        (raising(ExceptionGroup("two", [OSError(), ExceptionGroup("inner", [KeyError("x")])])), "ExceptionGroup"),
        (raising(asyncio.CancelledError()), "CancelledError"),
        (raising(TimeoutError()), "TimeoutError"),
        (raising(StopAsyncIteration()), "StopAsyncIteration"),
        (recurse, "RecursionError"),
    ],
    ids=["Exception", "MemoryError", "ExceptionGroup", "stray cancellation", "timeout", "iteration", "RecursionError"],
)
async def test_whatever_it_raises_it_is_made_anew(run: Callable[[], Awaitable[None]], kind: str) -> None:
    """Its streams are ended, it is stopped, counted, logged once without its message, and another one runs."""
    band = Band(run, run)
    async with playing(band) as logged:
        await until(lambda: len(band.made) == 3 and band.source.ready)

    assert band.calls == ["run low", "stop", "run low", "stop", "run low", "stop"]
    assert (band.left, band.restarts) == (2, 2)
    assert logged == [f"{FAILED}: {kind}"]


async def test_it_is_not_ready_while_it_waits() -> None:
    band = Band(raising(KeyError("x")))
    band.unmade = 10**6
    async with playing(band):
        await until(lambda: band.restarts)
        ready = band.source.ready

    assert ready is False


async def test_making_it_anew_may_fail_too() -> None:
    """What has failed already is not cleared up again."""
    band = Band(raising(KeyError("x")))
    band.unmade = 2
    async with playing(band) as logged:
        await until(lambda: len(band.made) == 2)

    assert (band.restarts, band.left, len(band.made)) == (3, 1, 2)
    assert logged == [f"{FAILED}: KeyError", f"{FAILED}: LookupError"]


async def test_what_cannot_be_made_at_first_is_made_later() -> None:
    """A configuration with a source that cannot be made starts all others, and this one as soon as that works."""
    made: list[DrumSource] = []

    def make(config: SourceConfig) -> DrumSource:
        assert isinstance(config, Drum)
        if not made:
            made.append(DrumSource(config, band))
            raise LookupError
        return DrumSource(config, band)

    band = Band()
    band.source = SupervisedSource(Drum(), make, lambda _: None, lambda metric: metric.endswith("_total"))
    before = band.source.ready
    async with playing(band) as logged:
        await until(lambda: band.calls)
        after = band.source.ready

    assert (before, after, band.restarts) == (False, True, 1)
    assert logged == [f"{FAILED}: LookupError"]


async def test_clearing_up_may_fail_too() -> None:
    band = Band(raising(KeyError("x")))
    band.stops = raising(ZeroDivisionError())
    band.source._left = lambda _: 1 / 0  # type: ignore[assignment]  # as a mistake would
    async with playing(band) as logged:
        await until(lambda: len(band.made) == 2)
        band.stops = nothing

    assert [line.rpartition(": ")[2] for line in logged] == ["KeyError", "ZeroDivisionError", "ZeroDivisionError"]


async def test_counters_never_fall_and_gauges_are_those_of_the_present_one() -> None:
    band = Band(raising(KeyError("x")))
    async with playing(band):
        await until(lambda: len(band.made) == 2)
        band.made[1].counters.open = 5.0
        numbers = band.source.counters.numbers()
        band.made[1].counters.open = -1.0  # it fails when it is asked
        again = band.source.counters.numbers()

    assert (
        numbers
        == again
        == {
            "steno_streams": {(): 5.0},
            "steno_stream_gaps_total": {("closed",): 4.0},
            "steno_source_restarts_total": {(): 1},
        }
    )


async def test_a_source_that_ends_in_order_is_not_started_again() -> None:
    band = Band(nothing)
    async with playing(band):
        await until(lambda: band.calls)

    assert (band.restarts, len(band.made)) == (0, 1)


# Calls that go on -------------------------------------------------------------------------------------------


class DrainingDrum(DrumSource):
    """A drum whose beats go to their end."""

    drain_seconds = 3600.0
    calls = 1

    async def drain(self) -> None:
        assert isinstance(self.band, DrainingBand)
        self.band.calls.append("drain")
        await self.band.drains()


class DrainingBand(Band):
    """A band whose drum drains."""

    def __init__(self, *runs: Callable[[], Awaitable[None]]) -> None:
        self.over = anyio.Event()
        self.drains: Callable[[], Awaitable[None]] = self.over.wait
        super().__init__(*runs)

    def make(self, config: SourceConfig) -> DrumSource:
        assert isinstance(config, Drum)
        self.made.append(DrainingDrum(config, self))
        return self.made[-1]


async def test_calls_go_to_their_end_before_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own time to drain counts, not how long it may take to stop."""
    monkeypatch.setattr(supervised, "ANSWER_SECONDS", 0.05)
    band = DrainingBand()
    async with playing(band):
        await until(lambda: band.calls)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(band.source.stop)
            await until(lambda: "drain" in band.calls)
            during = (band.source.drain_seconds, band.source.calls, band.source.drained.is_set())
            band.over.set()

    assert during == (3600.0, 1, False)
    assert (band.calls, band.source.drained.is_set()) == (["run low", "drain", "stop"], True)


@pytest.mark.parametrize("drain", [raising(KeyError("x")), forever], ids=["fails", "takes too long"])
async def test_a_source_that_does_not_drain_is_stopped(
    drain: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DrainingDrum, "drain_seconds", 0.05)
    band = DrainingBand()
    band.drains = drain
    async with playing(band):
        await until(lambda: band.calls)

    assert (band.calls, band.restarts) == (["run low", "drain", "stop"], 0)


async def test_a_source_that_fails_while_it_drains_is_not_made_anew() -> None:
    """It would listen again. Nobody waits for its calls: they ended with it."""
    band = DrainingBand()
    band.drains = forever
    fails = anyio.Event()

    async def fail() -> None:
        await fails.wait()
        raise ZeroDivisionError

    band.runs = [fail]
    async with playing(band):
        await until(lambda: band.calls)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(band.source.drain)
            await until(lambda: "drain" in band.calls)
            fails.set()

    assert (band.calls, band.left, band.restarts) == (["run low", "drain", "stop"], 1, 1)


async def test_a_source_that_waits_to_be_made_anew_has_nothing_to_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "wait", lambda _: 3600.0)
    band = DrainingBand(raising(KeyError("x")))
    async with playing(band):
        await until(lambda: band.calls == ["run low", "stop"])

    assert band.calls == ["run low", "stop"]


async def test_a_source_that_cannot_say_what_it_drains_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DrainingDrum, "drain_seconds", property(lambda _: 1 / 0))
    monkeypatch.setattr(DrainingDrum, "calls", property(lambda _: 1 / 0))
    band = DrainingBand()
    async with playing(band):
        await until(lambda: band.calls)
        said = (band.source.drain_seconds, band.source.calls)

    assert (said, band.calls) == ((0.0, 0), ["run low", "stop"])


# What is asked meanwhile ----------------------------------------------------------------------------------


async def test_another_configuration_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operator mended is tried at once, and by the source that is made anew."""
    monkeypatch.setattr(Backoff, "wait", lambda _: 3600.0)
    band = Band(raising(KeyError("x")))
    async with playing(band):
        await until(lambda: band.calls == ["run low", "stop"])
        await band.source.reconfigure(Drum(tone="high"))
        await until(lambda: "run high" in band.calls)

    assert band.calls == ["run low", "stop", "run high", "stop"]


async def test_stop_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "wait", lambda _: 3600.0)
    band = Band(raising(KeyError("x")))
    async with playing(band):
        await until(lambda: band.calls == ["run low", "stop"])

    assert len(band.made) == 1


@pytest.mark.parametrize("reconfigure", [raising(KeyError("x")), forever], ids=["fails", "hangs"])
async def test_a_source_that_does_not_take_its_configuration_is_made_anew(
    reconfigure: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "ANSWER_SECONDS", 0.05)
    band = Band()
    band.reconfigures = reconfigure
    async with playing(band):
        await until(lambda: band.calls)
        await band.source.reconfigure(Drum(tone="high"))
        await until(lambda: "run high" in band.calls)

    assert (band.restarts, band.left) == (1, 1)


@pytest.mark.parametrize("stop", [raising(KeyError("x")), forever], ids=["fails", "hangs"])
async def test_a_source_that_does_not_stop_is_cancelled(
    stop: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task group ends, so that it was; what it left is ended."""
    monkeypatch.setattr(supervised, "ANSWER_SECONDS", 0.05)
    band = Band()
    band.stops = stop
    async with playing(band) as logged:
        await until(lambda: band.calls)

    assert band.left == 1
    assert logged[0].startswith("source does not stop: it is cancelled")


async def test_a_source_that_goes_on_after_its_stop_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "ANSWER_SECONDS", 0.05)
    band = Band(forever)
    async with playing(band):
        await until(lambda: band.calls)

    assert band.calls == ["run low", "stop", "stop"]


@pytest.mark.parametrize("during", ["run", "clear up", "wait"])
async def test_it_ends_at_once_when_its_time_is_over(during: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it does then; nothing is cleared up, and it is not made anew."""
    monkeypatch.setattr(Backoff, "wait", lambda _: 3600.0)
    band = Band(forever if during == "run" else raising(KeyError("x")))
    band.stops = forever if during == "clear up" else nothing
    expected = ["run low"] if during == "run" else ["run low", "stop"]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(band.source.run)
        await until(lambda: band.calls == expected)
        await anyio.lowlevel.checkpoint()
        band.source.cancel()

    assert (band.calls, len(band.made)) == (expected, 1)


async def test_cancellation_from_outside_is_no_failure() -> None:
    """The end of the drain cancels what has not stopped in time."""
    band = Band(forever)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(band.source.run)
        await until(lambda: band.calls)
        tasks.cancel_scope.cancel()

    assert (band.restarts, band.calls) == (0, ["run low"])
