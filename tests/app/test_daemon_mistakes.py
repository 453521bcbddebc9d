"""Mistakes of the daemon's own outside of any source: time and the drain go on, and each is logged once."""

from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection

from steno.app.serving import opened
from steno.config import Audit, Config, Connect, Http
from steno.core.facts import ConversationClosed, Fact, Origin
from steno.core.registry import Registry
from steno.timestamps import Micros
from tests.app.daemons import emit_to
from tests.processes import steno
from tests.sources.helpers import server, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Failing:
    """A sink that fails whenever a conversation closes."""

    def emit(self, origin: Origin, fact: Fact) -> None:
        if isinstance(fact, ConversationClosed):
            raise ZeroDivisionError


async def speak(connection: ServerConnection) -> None:
    await connection.send('{"type":"session.created","event_id":"event_1","session":{"id":"sess_1"}}')
    await connection.wait_closed()


async def test_a_mistake_in_time_or_in_the_drain_ends_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ticker goes on, the log is written to its end, and the daemon leaves as it should."""
    ticks = 0

    def tick(registry: Registry, at: Micros) -> None:
        nonlocal ticks
        ticks += 1
        if registry.conversations:
            raise LookupError

    results = []
    async with server(speak) as url:
        sources = (Connect(name="relay", kind="connect", url=url),)
        config = Config(http=Http(listen="127.0.0.1:0"), audit=Audit(directory=str(tmp_path)), sources=sources)
        with opened(config, {}) as daemon, capture_logs() as logs:
            emit_to(daemon, Failing())

            async def run() -> None:
                results.append(await daemon.run())

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run)
                await until(lambda: daemon.pipeline.registry.conversations)
                monkeypatch.setattr(Registry, "tick", tick)
                await until(lambda: ticks >= 2)
                daemon.stop()

    mistakes = [line["event"] for line in logs if line["event"].startswith("internal error: time")]
    assert len(results) == 1
    assert mistakes == ["internal error: time could not go on in order"]
    assert daemon.pipeline.streams == {}
    assert (await anyio.to_thread.run_sync(steno, "verify", tmp_path)).returncode == 0
