"""What a proxy lets come to its end when it drains, and what it does not wait for. Real sockets."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from steno.config.sources import ProxySource as Config
from steno.config.sources import Tls
from steno.sources import sockets
from steno.sources.proxy.source import ProxySource
from tests.sources.certificates import Authority
from tests.sources.helpers import Stage, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SETTLE_SECONDS", 0.01)


REQUEST = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Play:
    """A provider whose answers wait until a play lets them go, and a proxy before it."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self.source: ProxySource
        self.drained = anyio.Event()

    async def provide(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            await self.go.wait()
            writer.write(ANSWER)
        writer.close()

    async def drain(self) -> None:
        await self.source.drain()
        self.drained.set()


@asynccontextmanager
async def playing(
    tls: Tls | None = None, handshake_seconds: float = 10.0
) -> AsyncIterator[tuple[Play, list[asyncio.StreamWriter]]]:
    play = Play()
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(play.provide, "127.0.0.1", 0)
    async with server, anyio.create_task_group() as tasks:
        upstream = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        play.source = ProxySource(
            Config(
                name="front",
                kind="proxy",
                listen="127.0.0.1:0",
                upstream=upstream,
                tls=tls,
                handshake_seconds=handshake_seconds,
            ),
            Stage().sessions,
        )
        tasks.start_soon(play.source.run)
        await until(lambda: play.source.ready)
        yield play, writers
        await play.source.stop()
        for writer in writers:
            writer.close()


async def test_a_request_under_way_is_answered_and_an_idle_connection_is_closed() -> None:
    async with playing() as (play, writers), anyio.create_task_group() as tasks:
        idle, busy, fresh = [await asyncio.open_connection("127.0.0.1", play.source.port) for _ in range(3)]
        writers += [idle[1], busy[1], fresh[1]]
        play.go.set()
        idle[1].write(REQUEST)
        await idle[0].readexactly(len(ANSWER) - 2)
        await until(lambda: play.source.calls == 2)
        play.go.clear()
        busy[1].write(REQUEST)
        await until(lambda: play.asked == 2)
        tasks.start_soon(play.drain)
        rest = await idle[0].read()
        fresh[1].write(REQUEST)
        await until(lambda: play.asked == 3)
        during = (play.source.calls, play.drained.is_set())
        play.go.set()
        answers = [await reader.read() for reader, _ in (busy, fresh)]
        busy[1].close()
        fresh[1].close()
        await play.drained.wait()

    assert (rest[-2:], during) == (b"ok", (2, False))
    assert [answer.endswith(b"\r\n\r\nok") for answer in answers] == [True, True]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def tls_of(authority: Authority) -> Tls:
    certificate, key = authority.issue()
    return Tls(certificate=str(certificate), key=str(key))


async def test_a_handshake_that_fails_or_says_nothing_holds_up_no_drain(authority: Authority) -> None:
    """The event loop does not say when one fails, so each has its time."""
    async with playing(tls_of(authority), 0.3) as (play, writers), anyio.create_task_group() as tasks:
        garbage = await asyncio.open_connection("127.0.0.1", play.source.port)
        silent = await asyncio.open_connection("127.0.0.1", play.source.port)
        writers += [garbage[1], silent[1]]
        garbage[1].write(b"GET / HTTP/1.1\r\n\r\n")
        await garbage[0].read()
        tasks.start_soon(play.drain)
        await play.drained.wait()

    assert (play.source.calls, play.source._connections) == (0, set())


async def test_a_client_whose_handshake_is_not_over_is_served(authority: Authority) -> None:
    """It was accepted before the port was left."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    async with playing(tls_of(authority)) as (play, writers), anyio.create_task_group() as tasks:
        play.go.set()
        sock = socket.create_connection(("127.0.0.1", play.source.port))
        await until(lambda: play.source._listener and play.source._listener.beginning)
        tasks.start_soon(play.drain)
        await until(lambda: play.source.stopping)
        reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname="localhost")
        writers.append(writer)
        writer.write(REQUEST)
        answer = await reader.read()
        writer.close()
        await play.drained.wait()

    assert answer.endswith(b"\r\n\r\nok")


async def test_what_is_left_is_ended_by_stop(authority: Authority) -> None:
    """At once, whatever its state: in the handshake, idle, or without an answer."""
    async with playing(tls_of(authority)) as (play, writers):
        writers.append((await asyncio.open_connection("127.0.0.1", play.source.port))[1])
        await until(lambda: play.source._listener and play.source._listener.beginning)
    async with playing() as (other, writers):
        reader, writer = await asyncio.open_connection("127.0.0.1", other.source.port)
        writers.append(writer)
        writer.write(REQUEST)
        await until(lambda: other.asked)
        await other.source.stop()
        cut = await reader.read()
        other.go.set()

    assert cut == b""
