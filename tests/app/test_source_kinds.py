"""A kind of source is a class and a line in a table: nothing else in the daemon knows which kinds there are."""

import http.client
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal, get_args, get_type_hints

import anyio
import anyio.to_thread
import msgspec
import pytest
import structlog
from msgspec import Struct

from steno.app.daemon import Daemon, opened
from steno.app.source_kinds import SOURCE_KINDS
from steno.config import Config, Http
from steno.sources.recording import Close
from steno.sources.stream_session import StreamCounters, StreamSessions
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """Leave the logging of the process as it was: a daemon that reloads sets it up."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


# A made-up kind -------------------------------------------------------------------------------------------


class Metronome(Struct, frozen=True):
    """Its table in the configuration."""

    name: str
    beat: str
    kind: Literal["metronome"] = "metronome"


class MetronomeSource:
    """Feeds its beat once, and the new one whenever it is configured anew."""

    def __init__(self, config: Metronome, sessions: StreamSessions) -> None:
        self.name = config.name
        self.counters = StreamCounters()
        self.ready = False
        self._sessions = sessions
        self._send, self._beats = anyio.create_memory_object_stream[bytes](1)
        self._send.send_nowait(config.beat.encode())

    async def recv(self, decode: Literal[False]) -> bytes:
        return await self._beats.receive()

    async def run(self) -> None:
        session = self._sessions.begin(self.name, self.counters)
        self.ready = True
        with self._beats, suppress(anyio.EndOfStream):
            await session.feed_from(self)
        session.end(Close(session.now(), None, "", local=True))

    async def stop(self) -> None:
        self._send.close()

    async def reconfigure(self, config: Metronome) -> None:
        await self._send.send(config.beat.encode())


# In the daemon --------------------------------------------------------------------------------------------


def configured(*sources: Metronome) -> Config:
    """Return a configuration with sources of a kind that the schema does not know."""
    return msgspec.structs.replace(Config(http=Http(listen="127.0.0.1:0")), sources=sources)


async def get(daemon: Daemon, path: str) -> tuple[int, str]:
    """Return the status and the body of a response of the HTTP face."""

    def request() -> tuple[int, str]:
        connection = http.client.HTTPConnection(daemon.address, timeout=20)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    return await anyio.to_thread.run_sync(request)


async def readiness(daemon: Daemon) -> tuple[int, Any]:
    """Return the status of `/readyz` and its sources."""
    status, body = await get(daemon, "/readyz")
    return status, json.loads(body)["sources"]


async def counted(daemon: Daemon) -> set[str]:
    """Return the series of sources in `/metrics`, with their values."""
    _, text = await get(daemon, "/metrics")
    lines = {line for line in text.splitlines() if 'source="' in line}
    return {line for line in lines if line.startswith(("steno_streams", "steno_frame_bytes", "steno_connect"))}


async def test_a_made_up_kind_of_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs, feeds, counts, decides readiness, is configured anew, and stops."""
    monkeypatch.setitem(SOURCE_KINDS, "metronome", MetronomeSource)
    configurations = iter([configured(Metronome("tick", '{"type":"tock"}')), configured(Metronome("tack", "{}"))])

    with opened(configured(Metronome("tick", '{"type":"tick"}')), {}, load=lambda: next(configurations)) as daemon:
        before = daemon.ready()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            frames = daemon.pipeline.others
            await until(lambda: frames.get("realtime") == 1)
            first, series = await readiness(daemon), await counted(daemon)
            daemon.reload()
            await until(lambda: frames.get("realtime") == 2)
            daemon.reload()
            await until(lambda: {stream.source for stream in daemon.pipeline.streams.values()} == {"tack"})
            second = await readiness(daemon)
            daemon.stop()

    assert (before.ok, before.detail["sources"]) == (False, {"tick": False})
    assert (first, second) == ((200, {"tick": True}), (200, {"tack": True}))
    assert series == {
        'steno_streams{source="tick"} 1.0',
        'steno_frame_bytes_total{direction="received",source="tick"} 15.0',
        'steno_frame_bytes_total{direction="sent",source="tick"} 0.0',
    }
    assert daemon.pipeline.streams == {}


def test_every_kind_that_can_be_configured_can_be_made() -> None:
    """The table and the schema have the same kinds."""
    (table, _) = get_args(get_type_hints(Config)["sources"])
    tables = get_args(table) or (table,)

    kinds = {kind for each in tables for kind in get_args(get_type_hints(each)["kind"])}

    assert kinds == set(SOURCE_KINDS)
