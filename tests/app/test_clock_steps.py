"""A daemon whose wall clock is set while it runs: it says so, and no time and no duration is falsified."""

import json
import time
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from websockets.asyncio.server import ServerConnection

from steno.app.daemon import Daemon
from steno.app.serving import opened
from steno.config import Audit, Config, Connect, Http
from steno.sources.clock import Direction
from steno.timestamps import parse_timestamp
from tests.app.daemons import get
from tests.processes import steno
from tests.sources.helpers import server, until

pytestmark = pytest.mark.anyio

HOUR = 3_600 * 1_000_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def records(folder: Path) -> list[dict[str, Any]]:
    lines = [line for path in sorted(folder.glob("audit-*.jsonl")) for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


async def steps(daemon: Daemon) -> list[str]:
    """Return the series of the clock that are not zero."""
    _, text = await get(daemon, "/metrics")
    lines = [line for line in text.splitlines() if line.startswith("steno_clock")]
    return [line.split(".")[0] for line in lines if not line.endswith(" 0.0")]


@pytest.mark.parametrize(("by", "direction"), [(2 * HOUR, "forward"), (-2 * HOUR, "backward")])
async def test_a_step_is_reported_and_falsifies_nothing(
    by: int, direction: Direction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is open over the step lasts as long as it lasted, and records stay in order."""
    shift, wall = [0], time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: wall() + shift[0])
    stepped = anyio.Event()

    async def speak(connection: ServerConnection) -> None:
        await connection.send('{"type":"session.created","event_id":"event_1","session":{"id":"sess_clock"}}')
        await stepped.wait()
        await connection.send('{"type":"session.updated","event_id":"event_2","session":{"id":"sess_clock"}}')
        await connection.wait_closed()

    async with server(speak) as url:
        source = Connect(name="relay", kind="connect", url=url)
        config = Config(http=Http(listen="127.0.0.1:0"), audit=Audit(directory=str(tmp_path)), sources=(source,))
        with opened(config, {}) as daemon:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(daemon.run)
                await until(lambda: daemon.pipeline.registry.conversations)
                shift[0] = by
                await until(lambda: daemon.watch.steps[direction])
                stepped.set()
                await until(lambda: sum(daemon.pipeline.events.values()) == 2)
                series = await steps(daemon)
                daemon.stop()

    written = records(tmp_path)
    changed = [record["body"] for record in written if record["fact"] == "daemon.clock_changed"]
    (closed,) = [record["body"] for record in written if record["fact"] == "conversation.closed"]
    times = [parse_timestamp(record["at"]) for record in written]
    assert [(body["direction"], round(body["seconds"]), round(body["offset_seconds"])) for body in changed] == [
        (direction, 7_200, by // 1_000_000_000)
    ]
    assert closed["duration_seconds"] < 3_600
    assert times == sorted(times)
    assert times[-1] - times[0] < 3_600_000_000
    assert len(series) == 2
    assert (await anyio.to_thread.run_sync(steno, "verify", tmp_path)).returncode == 0
