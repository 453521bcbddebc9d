"""`/v1/stream` over a real socket: what is told, who is turned away, and that nobody holds the daemon."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from steno.admin import streaming
from steno.admin.authorization import Policy
from steno.admin.streaming import STREAM
from steno.limits import STREAM_CLIENTS
from tests.admin.test_views import CREATED, TOKEN, Face, face, typed
from tests.sources.helpers import PATIENCE_SECONDS, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare without waiting for a second."""
    monkeypatch.setattr(streaming, "TURN_SECONDS", 0.02)


class Listener:
    """A client that follows the stream."""

    def __init__(self, sock: anyio.abc.SocketStream) -> None:
        self._sock = sock
        self._read = b""
        self.status = 0

    async def begin(self, query: str, headers: str) -> None:
        """Ask for the stream, and read the head of the response."""
        await self._sock.send(f"GET {STREAM}{query} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n".encode())
        self.status = int((await self._until(b"\r\n\r\n")).split()[1])

    async def event(self, name: str) -> Any:
        """Return the data of the next event of this name."""
        while True:
            read = await self._until(b"\n\n")
            if f"event: {name}\n".encode() in read:
                return json.loads(read.partition(b"data: ")[2])

    async def rest(self) -> bytes:
        """Return what comes until the end of the connection."""
        while True:
            try:
                self._read += await self._sock.receive()
            except anyio.EndOfStream:
                return self._read

    async def end(self) -> None:
        """Read to the end of the stream; the connection stays."""
        await self._until(b"\r\n0\r\n\r\n")

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._read:
            self._read += await self._sock.receive()
        found, _, self._read = self._read.partition(mark)
        return found


@asynccontextmanager
async def listening(served: Face, query: str = "", headers: str = "") -> AsyncIterator[Listener]:
    host, port = served.daemon.address.split(":")
    async with await anyio.connect_tcp(host, int(port)) as sock:
        listener = Listener(sock)
        await listener.begin(query, headers)
        yield listener


async def test_who_listens_is_told_what_changes_and_that_a_timeline_did(tmp_path: Path) -> None:
    async with face(tmp_path) as served:
        served.say("call-1", CREATED)
        async with listening(served, "?key=relay%2Fcall-7") as listener:
            served.say("call-7", CREATED, typed("my name is Ada"))
            with anyio.fail_after(10):
                told = await listener.event("rows")
                followed = await listener.event("timeline")

    assert [row["key"] for row in told["conversations"]] == ["relay/call-7"]  # the other one was there before
    assert (told["closed"], followed) == ([], {"key": "relay/call-7"})
    assert "Ada" not in json.dumps(told)


async def test_head_of_a_stream_is_answered_and_takes_no_place(tmp_path: Path) -> None:
    async with face(tmp_path) as served:
        host, _, port = served.daemon.address.rpartition(":")
        async with await anyio.connect_tcp(host, int(port)) as sock:
            with anyio.fail_after(PATIENCE_SECONDS):
                for method in ("HEAD", "GET"):  # on one connection: the first is at its end
                    await sock.send(f"{method} {STREAM} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
                    head = await sock.receive()

    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"text/event-stream" in head


async def test_a_stream_ends_at_once_when_the_daemon_stops_and_begins_no_more(tmp_path: Path) -> None:
    async with face(tmp_path) as served, listening(served) as listener:
        served.daemon.stop()
        with anyio.fail_after(10):
            rest = await listener.rest()

    assert listener.status == 200
    assert rest.endswith(b"0\r\n\r\n")  # in order, and not broken off


async def test_the_most_who_may_listen_are_no_hindrance_to_others(tmp_path: Path) -> None:
    async with face(tmp_path) as served, anyio.create_task_group() as tasks:

        async def listen() -> None:
            async with listening(served):
                await anyio.sleep_forever()

        for _ in range(STREAM_CLIENTS):
            tasks.start_soon(listen)
        clients = served.daemon.views.changes._clients
        await until(lambda: len(clients) == STREAM_CLIENTS)
        refused = await served.get(STREAM)
        page = await served.get("/v1/conversations")
        tasks.cancel_scope.cancel()

    assert (refused[0], refused[1]["error"]["code"]) == (503, "too_many_streams")
    assert page[0] == 200


async def test_who_leaves_makes_room_and_who_takes_nothing_is_left_behind(tmp_path: Path) -> None:
    async with face(tmp_path) as served:
        clients = served.daemon.views.changes._clients
        async with listening(served):
            assert len(clients) == 1
        await until(lambda: not clients)
        host, port = served.daemon.address.split(":")
        served.daemon.faces.tables["http"].head_seconds = 0.05
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await anyio.to_thread.run_sync(deaf.connect, (host, int(port)))
            deaf.sendall(f"GET {STREAM} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            await until(lambda: len(clients) == 1)
            (client,) = clients
            await until(lambda: not client.tell(b":" + bytes(1_000_000) + b"\n\n"))
            clients.discard(client)
            await until(lambda: served.daemon.faces.tables["http"].rejected["silent"] == 1)


@pytest.mark.parametrize("query", ["?colour=red", "?key=a&key=b", f"?key={'x' * 600}"])
async def test_a_wrong_query_is_refused(tmp_path: Path, query: str) -> None:
    async with face(tmp_path) as served:
        status, body = await served.get(STREAM + query)

    assert (status, body["error"]["code"]) == (400, "bad_request")


async def test_sources_are_told_where_one_changed(tmp_path: Path) -> None:
    source = f'\n[[sources]]\nname = "recorded"\nkind = "follow"\npath = "{tmp_path}/none.jsonl"\n'
    source += 'labels = { desk = "front" }\n'
    async with face(tmp_path, more=source) as served:
        status, body = await served.get("/v1/sources")
        async with listening(served) as listener:
            with anyio.fail_after(10):
                told = await listener.event("sources")

    assert status == 200
    assert [(each["name"], each["kind"], each["labels"], each["conversations"]) for each in body["sources"]] == [
        ("recorded", "follow", {"desk": "front"}, 0)
    ]
    assert [each["name"] for each in told["sources"]] == ["recorded"]


async def test_a_stream_ends_with_the_right_to_read(tmp_path: Path) -> None:
    bearer = f"authorization: Bearer {TOKEN}\r\n"
    async with face(tmp_path) as served, listening(served) as stranger, listening(served, headers=bearer) as listener:
        served.daemon.access.authorization.policy = Policy()  # as where it does not listen on loopback
        with anyio.fail_after(PATIENCE_SECONDS):
            await stranger.end()
            served.say("call-2", CREATED)
            told = await listener.event("rows")
            (tmp_path / "token").write_text("another")
            await listener.end()

    assert [row["key"] for row in told["conversations"]] == ["relay/call-2"]
