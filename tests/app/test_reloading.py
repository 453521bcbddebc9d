"""A reload: what is read for it is read in a thread, and nothing waits for that."""

import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from steno.app.daemon import Daemon
from steno.app.serving import opened
from steno.config import Audit, Config, Http, Prices
from tests.app.daemons import get
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class Disk:
    """Where the configuration lies: it answers once `answers` is set."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.answers = threading.Event()
        self.asked = 0

    def load(self) -> Config:
        self.asked += 1
        assert threading.current_thread() is not threading.main_thread()
        assert self.answers.wait(60.0)
        return self.config


@asynccontextmanager
async def running(disk: Disk) -> AsyncIterator[Daemon]:
    """Run a daemon until the end of the play."""
    with opened(disk.config, {}, load=disk.load) as daemon:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            try:
                yield daemon
            finally:
                disk.answers.set()
                daemon.stop()


def reloads(logs: list[structlog.typing.EventDict]) -> list[str]:
    """Return what became of each."""
    return [line["event"] for line in logs if "configuration" in line["event"]]


async def test_the_daemon_goes_on_while_the_configuration_is_read(tmp_path: Path) -> None:
    """What is asked for meanwhile is one reload, which begins when the first one has ended."""
    own = tmp_path / "prices.json"
    own.write_bytes(msgspec.json.encode({"gpt-own": {"input_cost_per_token": 1}}))
    config = Config(http=Http(listen="127.0.0.1:0"), audit=Audit(directory=str(tmp_path / "audit")))
    disk = Disk(config)
    with capture_logs() as logs:
        async with running(disk) as daemon:
            daemon.received(signal.SIGHUP)
            await until(lambda: disk.asked == 1)
            ticked = daemon.health._ticked_at
            await until(lambda: daemon.health._ticked_at > ticked)
            assert (await get(daemon, "/healthz"))[0] == 200
            daemon.received(signal.SIGHUP)
            daemon.received(signal.SIGHUP)
            assert (disk.asked, reloads(logs)) == (1, [])
            disk.config = msgspec.structs.replace(config, prices=Prices(file=str(own)))
            disk.answers.set()
            await until(lambda: len(reloads(logs)) == 2)
            prices = daemon.pipeline.registry.prices
            assert prices is not None
            assert prices is daemon.metrics.prices
            assert "gpt-own" in prices.models
    assert (disk.asked, reloads(logs)) == (2, ["configuration reloaded"] * 2)


async def test_a_wrong_price_list_changes_nothing_and_another_reload_mends_it(tmp_path: Path) -> None:
    own = tmp_path / "prices.json"
    own.write_text('{"gpt-own": {"input_cost_per_token": -1}}')
    config = Config(http=Http(listen="127.0.0.1:0"), audit=Audit(directory=str(tmp_path / "audit")))
    disk = Disk(config)
    disk.answers.set()
    with capture_logs() as logs:
        async with running(disk) as daemon:
            before = daemon.pipeline.registry.prices
            disk.config = msgspec.structs.replace(config, prices=Prices(file=str(own)))
            daemon.received(signal.SIGHUP)
            await until(lambda: reloads(logs))
            assert daemon.pipeline.registry.prices is before
            disk.config = config
            daemon.received(signal.SIGHUP)
            await until(lambda: len(reloads(logs)) == 2)
    faults = [line["faults"] for line in logs if line["log_level"] == "error"]
    wrong = "'gpt-own': input_cost_per_token: expected a number from 0 to 1000, in USD"
    assert faults == [[f"{own}: is no price list (prices.file): {wrong}"]]
    assert reloads(logs)[1] == "configuration reloaded"


async def test_what_is_read_when_the_daemon_stops_has_no_effect(tmp_path: Path) -> None:
    """Nor does the end wait for it."""
    config = Config(http=Http(listen="127.0.0.1:0"), audit=Audit(directory=str(tmp_path / "audit")))
    disk = Disk(config)
    with capture_logs() as logs, opened(config, {}, load=disk.load) as daemon:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            daemon.received(signal.SIGHUP)
            await until(lambda: disk.asked == 1)
            daemon.received(signal.SIGTERM)
        disk.answers.set()
    assert reloads(logs) == []
    assert logs[-1]["event"] == "stopped"
