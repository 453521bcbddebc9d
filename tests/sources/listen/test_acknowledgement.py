"""A client that asks for it is told what is on the disk, and goes on after a break: over real sockets."""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from steno.app.daemon import Daemon
from steno.app.serving import opened
from steno.audit.verification.files import verify
from steno.config import Audit, Config, Http
from steno.config.sources import ListenSource
from tests.crash.pushing import SILENT, free_port, message
from tests.sources.helpers import PATIENCE_SECONDS, until

pytestmark = pytest.mark.anyio

DONE = [message("call", number) for number in (1, 8, 15, 22)]
"""Messages that each lead to facts."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Disk:
    """`fdatasync` works, or hangs until the test lets it go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.works = threading.Event()
        self.works.set()
        self._real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self.fdatasync)

    def fdatasync(self, descriptor: int) -> None:
        assert self.works.wait(PATIENCE_SECONDS)
        self._real(descriptor)


class Steno:
    """A daemon in this process that clients push to."""

    def __init__(self, daemon: Daemon, port: int) -> None:
        self.daemon = daemon
        self._port = port

    @asynccontextmanager
    async def client(self, query: str) -> AsyncIterator[ClientConnection]:
        async with connect(f"ws://127.0.0.1:{self._port}/v1/push{query}", compression=None) as client:
            yield client


@asynccontextmanager
async def steno(folder: Path | None, **audit: Any) -> AsyncIterator[Steno]:
    """Run a daemon that writes an audit log into `folder`, if there is one."""
    port = free_port()
    source = ListenSource(name="app", kind="listen", listen=f"127.0.0.1:{port}")
    config = msgspec.structs.replace(
        Config(http=Http(listen="127.0.0.1:0")),
        audit=Audit(**{"directory": str(folder) if folder else None, "flush_seconds": 0.01, **audit}),
        sources=(source,),
    )
    with opened(config, {}) as daemon:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            await until(lambda: daemon.sources.ready() == {"app": True})
            yield Steno(daemon, port)
            daemon.stop()


async def acks(client: ClientConnection, until_number: int) -> list[int]:
    """Return the acknowledgements up to the one of a message."""
    found: list[int] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while until_number not in found:
            found.append(json.loads(await client.recv())["ack"])
    return found


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("audit-*")) for line in path.read_bytes().splitlines()]


def finished(folder: Path) -> list[str]:
    return [record["event_id"] for record in records(folder) if record["fact"] == "response.finished"]


def missed(folder: Path) -> list[dict[str, Any]]:
    return [record["body"] for record in records(folder) if record["fact"] == "events.missed"]


async def test_what_is_pushed_is_acknowledged_when_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while the disk is slow; and what leads to nothing with what is before it."""
    disk = Disk(monkeypatch)
    async with steno(tmp_path) as server, server.client("?ack=1") as client:
        await client.send(DONE[0])
        first = await acks(client, 1)
        disk.works.clear()
        for each in (DONE[1], SILENT, b"{"):
            await client.send(each)
        await until(lambda: server.daemon.pipeline.sources["app"].frames_rejected)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv(), 0.2)
        disk.works.set()
        second = await acks(client, 4)
        on_disk = finished(tmp_path)

    assert (first, second[-1], len(second) <= 3) == ([1], 4, True)
    assert on_disk == ["event_call_1", "event_call_8"]


async def test_what_leads_to_nothing_is_acknowledged_at_once(tmp_path: Path) -> None:
    """Nobody waits for a flush of nothing, and a client that resumes waits for its cursor alone."""
    async with steno(tmp_path, flush_seconds=0.05) as server:
        async with server.client("?ack=1") as client:
            await until(lambda: server.daemon.audit.records > 2)
            for _ in range(3):
                await client.send(SILENT)
            plain = await acks(client, 3)
        async with server.client("?ack=1&resume=a") as client:
            for _ in range(3):
                await client.send(SILENT)
            resumed = await acks(client, 3)

    assert (plain[-1], resumed[0], resumed[-1]) == (3, 0, 3)


async def test_a_client_goes_on_after_a_break(tmp_path: Path) -> None:
    """It is told at once what is there. What it sends again is counted, what never came is said to be missing."""
    async with steno(tmp_path) as server:
        async with server.client("?ack=1&resume=a&conversation=call") as client:
            await client.send(DONE[0])
            await client.send(DONE[1])
            first = await acks(client, 2)
        async with server.client("?ack=1&resume=a&conversation=call&from=2") as client:
            await client.send(DONE[1])
            await client.send(DONE[2])
            second = await acks(client, 3)
        async with server.client("?ack=1&resume=a&conversation=call&from=6") as client:
            await client.send(DONE[3])
            third = await acks(client, 6)
        await until(lambda: not server.daemon.pipeline.streams)
        numbers = server.daemon.sources.numbers()["steno_listen_repeated_messages_total"]

    assert (first[0], second[0], third[0]) == (0, 2, 3)
    assert finished(tmp_path) == [f"event_call_{number}" for number in (1, 8, 15, 22)]
    assert missed(tmp_path) == [{"missing": 2, "reason": "skipped"}]
    assert numbers == {("app",): 1}
    assert verify([tmp_path]).ok


async def test_what_was_sent_again_is_acknowledged_again(tmp_path: Path) -> None:
    """The client may not have read the first acknowledgement."""
    async with steno(tmp_path) as server:
        async with server.client("?ack=1&resume=a") as client:
            await client.send(DONE[0])
            await acks(client, 1)
        async with server.client("?ack=1&resume=a") as client:
            assert await acks(client, 1) == [1]
            await client.send(DONE[0])
            again = await acks(client, 1)

    assert again == [1]
    assert finished(tmp_path) == ["event_call_1"]


async def test_several_streams_of_one_connection_are_numbered_as_one(tmp_path: Path) -> None:
    """A line that ends the application's connection ends the stream; the next message begins another one."""
    close = b'{"dir":"close","code":1000,"reason":""}'
    async with steno(tmp_path) as server:
        async with server.client("?ack=1&resume=a") as client:
            for each in (DONE[0], close, DONE[1], close):
                await client.send(each)
            await acks(client, 4)
        async with server.client("?ack=1&resume=a&from=4") as client:
            await client.send(close)
            await client.send(DONE[2])
            await acks(client, 5)

    assert finished(tmp_path) == [f"event_call_{number}" for number in (1, 8, 15)]
    assert [record["fact"] for record in records(tmp_path)].count("conversation.closed") == 3
    assert verify([tmp_path]).ok


async def test_a_client_that_comes_again_ends_its_former_connection(tmp_path: Path) -> None:
    async with steno(tmp_path) as server, server.client("?ack=1&resume=a") as former:
        await former.send(DONE[0])
        await acks(former, 1)
        async with server.client("?ack=1&resume=a&from=2") as client:
            await client.send(DONE[1])
            await acks(client, 2)
            with pytest.raises(ConnectionClosed) as closed:
                await acks(former, 99)

    assert closed.value.rcvd
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "resumed by another connection")
    assert finished(tmp_path) == ["event_call_1", "event_call_8"]


async def test_what_is_shed_ends_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not acknowledged, and the client is to send it again. What came before is acknowledged to it then."""
    disk = Disk(monkeypatch)
    async with steno(tmp_path, when_full="shed", queue_bytes=65_536) as server:
        sent = 500
        async with server.client("?ack=1&resume=a") as client:
            await acks(client, 0)
            disk.works.clear()
            with suppress(ConnectionClosed):
                for number in range(sent):
                    await client.send(message("call", 7 * number + 1))
            with pytest.raises(ConnectionClosed) as closed:
                await acks(client, sent)
        disk.works.set()
        await until(server.daemon.audit.writable)
        async with server.client("?ack=1&resume=a") as client:
            told = json.loads(await client.recv())["ack"]

    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1013
    assert 0 <= told < sent
    assert "log.gap" in {record["fact"] for record in records(tmp_path)}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?ack=2", "bad_ack"),
        ("?resume=a", "resume_needs_ack"),
        ("?from=2", "resume_needs_ack"),
        ("?ack=1&from=2", "from_needs_resume"),
        ("?ack=1&resume=", "bad_resume"),
        ("?ack=1&resume=a%20b", "bad_resume"),
        (f"?ack=1&resume={'a' * 129}", "bad_resume"),
        (f"?ack=1&resume={quote('sk-proj-' + 'Ab1' * 20)}", "bad_resume"),
        ("?ack=1&resume=a&from=0", "bad_from"),
        ("?ack=1&resume=a&from=x", "bad_from"),
    ],
)
async def test_what_cannot_be_acknowledged_is_refused(query: str, code: str, tmp_path: Path) -> None:
    async with steno(tmp_path) as server:
        assert await refused(server, query) == (400, code)


async def test_without_an_audit_log_nothing_is_acknowledged() -> None:
    async with steno(None) as server:
        assert await refused(server, "?ack=1") == (400, "ack_needs_audit_log")
        async with server.client("?ack=0"):
            pass


async def refused(server: Steno, query: str) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refusal:
        async with server.client(query):
            pass
    response = refusal.value.response
    return response.status_code, json.loads(response.body or b"")["error"]["code"]
