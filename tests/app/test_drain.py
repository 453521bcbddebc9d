"""A daemon that stops lets calls go to their end, and does all else meanwhile."""

import signal
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
import structlog
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection

from steno.app import drain
from steno.app.daemon import Daemon
from steno.app.serving import opened
from steno.app.source_kinds import SOURCE_KINDS
from steno.config import Audit, Config, Connect, Http
from steno.config.sources import ProxySource, Source
from steno.limits import Limits
from steno.sources.recording import Close
from steno.sources.stream_session import StreamCounters, StreamSession, StreamSessions
from tests.app.daemons import get, records_of_the_log
from tests.processes import steno
from tests.sources.helpers import PING, server, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# A made-up kind -------------------------------------------------------------------------------------------


class SwitchboardSource:
    """Two calls, which end when a play hangs up."""

    made: "SwitchboardSource"

    def __init__(self, config: ProxySource, sessions: StreamSessions) -> None:
        self.name = config.name
        self.drain_seconds = config.drain_seconds
        self.counters = StreamCounters()
        self.ready = True
        self.problem = None
        self._sessions = sessions
        self._open: list[StreamSession] = []
        self._stopping = anyio.Event()
        self._silent = anyio.Event()
        SwitchboardSource.made = self

    @property
    def calls(self) -> int:
        return len(self._open)

    def hang_up(self, *, local: bool = False) -> None:
        session = self._open.pop()
        session.end(Close(session.now(), 1000, "", local=local))
        if not self._open:
            self._silent.set()

    async def run(self) -> None:
        self._open = [self._sessions.begin(self.name, self.counters) for _ in range(2)]
        await self._stopping.wait()
        while self._open:
            self.hang_up(local=True)

    async def drain(self) -> None:
        await self._silent.wait()

    async def stop(self) -> None:
        self._stopping.set()

    async def reconfigure(self, config: ProxySource) -> None:
        raise AssertionError


@pytest.fixture(autouse=True)
def switchboards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A source that drains in place of the proxy, and a report every hundredth of a second."""
    monkeypatch.setitem(SOURCE_KINDS, "proxy", SwitchboardSource)
    monkeypatch.setattr(drain, "REPORT_SECONDS", 0.01)
    yield
    structlog.reset_defaults()


def desk(seconds: float = 60.0) -> ProxySource:
    return ProxySource(name="desk", kind="proxy", upstream="http://localhost", drain_seconds=seconds)


def configured(folder: Path, *sources: Source) -> Config:
    """Return the configuration of a daemon that writes its log to `folder`."""
    audit = Audit(directory=str(folder))
    return Config(http=Http(listen="127.0.0.1:0"), audit=audit, limits=Limits(drain_seconds=5.0), sources=sources)


async def speak(connection: ServerConnection) -> None:
    await connection.send(PING)
    await connection.wait_closed()


async def metrics(daemon: Daemon) -> set[str]:
    """Return the series that show a drain."""
    lines = (await get(daemon, "/metrics"))[1].splitlines()
    return {line for line in lines if line.startswith(("steno_draining ", "steno_streams{"))}


async def test_calls_go_to_their_end_and_all_else_goes_on(tmp_path: Path) -> None:
    """The source that a successor reads ends at once; health, metrics, ticks and the log go on; SIGHUP ends nothing."""
    async with server(speak) as url:
        config = configured(tmp_path, Connect(name="relay", kind="connect", url=url), desk())
        with opened(config, {}, load=lambda: configured(tmp_path)) as daemon, capture_logs() as logs:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(daemon.run)
                await until(lambda: daemon.pipeline.others.get("realtime"))
                before = await metrics(daemon)
                daemon.received(signal.SIGTERM)
                daemon.received(signal.SIGHUP)
                await until(lambda: daemon.sources.numbers()["steno_streams"]["relay",] == 0)
                during, ready = await metrics(daemon), await get(daemon, "/readyz")
                ticked = daemon.health._ticked_at
                await until(lambda: daemon.health._ticked_at > ticked)
                SwitchboardSource.made.hang_up()
                await until(lambda: {"event": "draining", "log_level": "info", "calls": 1} in logs)
                healthy = await get(daemon, "/healthz")
                SwitchboardSource.made.hang_up()

    relay, front = 'steno_streams{source="relay"}', 'steno_streams{source="desk"}'
    written = [(record["fact"], record["body"]) for record in records_of_the_log(tmp_path)]
    facts = [fact for fact, _ in written]
    assert before == {"steno_draining 0.0", f"{relay} 1.0", f"{front} 2.0"}
    assert during == {"steno_draining 1.0", f"{relay} 0.0", f"{front} 2.0"}
    assert (ready[0], '"stopping":true' in ready[1], healthy[0]) == (503, True, 200)
    assert [line["event"] for line in logs if "drain" in line["event"] and line["event"] != "draining"] == [
        "draining: running calls go to their end",
        "drained: no call is left",
    ]
    assert ("daemon.draining", {"calls": 2, "seconds": 60.0}) in written
    assert "daemon.reloaded" not in facts
    assert facts.index("daemon.draining") < facts.index("stream.closed") < facts.index("daemon.stopped")
    assert (await anyio.to_thread.run_sync(steno, "verify", tmp_path)).returncode == 0


async def test_calls_that_take_too_long_are_cut_in_order(tmp_path: Path) -> None:
    """Each ends as steno stops, the log is whole, and the operator reads how many they were."""
    with opened(configured(tmp_path, desk(0.2)), {}) as daemon, capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            await until(lambda: daemon.sources.calls == 2)
            daemon.stop()

    assert {"event": "the time to drain is over: calls are cut", "log_level": "warning", "calls": 2} in logs
    assert daemon.pipeline.streams == {}
    assert [record["fact"] for record in records_of_the_log(tmp_path)].count("stream.closed") == 2
    assert (await anyio.to_thread.run_sync(steno, "verify", tmp_path)).returncode == 0


async def test_nothing_is_said_where_no_source_drains(tmp_path: Path) -> None:
    with opened(configured(tmp_path), {}) as daemon, capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            daemon.stop()

    assert [line["event"] for line in logs if "drain" in line["event"]] == []
    assert "daemon.draining" not in [record["fact"] for record in records_of_the_log(tmp_path)]
