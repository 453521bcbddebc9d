"""`kind = "connect"` and servers that fail it, over real sockets. After each: another source goes on undisturbed."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import anyio
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from steno.config import Connect
from steno.core.facts import StreamClosed
from steno.sources.connect import ConnectSource
from steno.sources.protocols import Problem
from tests.sources.certificates import Authority
from tests.sources.helpers import PING, Stage, counted, send_one, server, until

pytestmark = pytest.mark.anyio
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Play(Stage):
    """A source that meets a fault, and an honest one beside it in the same daemon."""

    def __init__(self, url: str, honest: str, **values: object) -> None:
        super().__init__()
        config = {"url": url, "backoff_seconds": 0.01, "backoff_max_seconds": 0.02, **values}
        self.source = ConnectSource(Connect(name="relay", kind="connect", **config), self.sessions)  # type: ignore[arg-type]  # a play names them
        self.honest = ConnectSource(Connect(name="honest", kind="connect", url=honest), self.sessions)

    @property
    def attempts(self) -> dict[str, float]:
        return counted(self.source.counters.attempts)

    def closed_of(self, source: str) -> list[StreamClosed]:
        return [fact for fact in self.closed if fact.source == source]


@asynccontextmanager
async def played(url: str, **values: object) -> AsyncIterator[Play]:
    """Let both sources run. In the end the honest one still stands on its first connection, and is fed."""
    again = anyio.Event()

    async def honest(connection: ServerConnection) -> None:
        await connection.send(PING)
        await again.wait()
        await send_one(connection)

    async with server(honest) as beside:
        play = Play(url, beside, **values)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.honest.run)
            tasks.start_soon(play.source.run)
            yield play
            await play.source.stop()
            before = play.fed
            again.set()
            await until(lambda: play.fed > before)
            assert play.closed_of("honest") == []
            await play.honest.stop()


@asynccontextmanager
async def raw(talk: Talk) -> AsyncIterator[str]:
    """Serve bytes after a websocket's handshake, and yield the URL."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except (asyncio.IncompleteReadError, ConnectionError):  # a source that stops leaves its handshake
            writer.close()
            return
        key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode(), usedforsecurity=False).digest()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        with suppress(OSError):
            await talk(reader, writer)
        writer.close()

    listening = await asyncio.start_server(served, "127.0.0.1", 0)
    async with listening:
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def text(payload: bytes, *, first: bool = True, last: bool = True) -> bytes:
    """Return a frame of a text message as a server sends it, or of a part of one."""
    return bytes([(0x80 if last else 0) | (0x1 if first else 0x0), len(payload)]) + payload


PINGED = b"\x89\x02hi"
"""A ping with a payload."""


async def test_accept_then_close() -> None:
    async def handle(connection: ServerConnection) -> None:
        await connection.close(1013, "draining")

    async with server(handle) as url, played(url) as play:
        await until(lambda: len(play.closed_of("relay")) >= 3)

    assert {fact.code for fact in play.closed_of("relay")[:3]} == {1013}
    assert play.source.counters.gaps["closed"] >= 3


async def test_429_with_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def paused(_self: object, seconds: float) -> None:
        waits.append(seconds)
        await anyio.lowlevel.checkpoint()

    def refuse(connection: ServerConnection, _request: Request) -> Response | None:
        if len(waits) >= 2:
            return None
        refused = connection.respond(HTTPStatus.TOO_MANY_REQUESTS, '{"error":{"code":"rate_limit_exceeded"}}')
        refused.headers["Retry-After"] = "7"
        return refused

    monkeypatch.setattr("steno.sources.dialing.DialLoop._pause", paused)
    async with server(send_one, refuse) as url, played(url) as play:
        await until(lambda: play.source.ready)

    assert waits[:2] == [7, 7]
    assert play.attempts["rate_limited"] == 2


async def test_a_certificate_that_expired_is_mended(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(ends="20210101000000Z"))

    async with server(send_one, tls=context) as url, played(url, ca_file=str(authority.certificate)) as play:
        await until(lambda: play.source.problem)
        problem = play.source.problem
        context.load_cert_chain(*authority.issue())
        await until(lambda: play.source.ready)

    assert problem == Problem("certificate", "certificate has expired")
    assert play.attempts["certificate"] >= 1


async def test_a_certificate_of_another_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue())

    async with server(send_one, tls=context) as url:
        other = url.replace("127.0.0.1", "127.0.0.2")
        async with (
            serve(send_one, "127.0.0.2", int(url.rpartition(":")[2]), ssl=context),
            played(other, ca_file=str(authority.certificate)) as play,
        ):
            await until(lambda: play.source.problem)
            problem = play.source.problem

    assert problem is not None
    assert problem.reason == "certificate"
    assert "127.0.0.2" in problem.detail


async def test_a_server_that_is_killed_in_the_middle_of_a_frame() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text(PING) + text(PING)[:20])
        await writer.drain()
        writer.transport.abort()

    async with raw(talk) as url, played(url) as play:
        await until(lambda: len(play.closed_of("relay")) >= 2)

    first = play.closed_of("relay")[0]
    assert (first.code, first.frames, first.gap) == (None, 1, "broken_off")


async def test_fragments_with_control_frames_in_between() -> None:
    answered: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text(PING[:7], last=False) + PINGED + text(PING[7:15], first=False, last=False) + PINGED)
        writer.write(text(b"", first=False, last=False) + text(PING[15:], first=False) + text(PING))
        await writer.drain()
        for _ in range(2):
            head = await reader.readexactly(6)
            payload = await reader.readexactly(head[1] & 0x7F)
            answered.append(bytes(byte ^ head[2 + at % 4] for at, byte in enumerate(payload)))
        await reader.read(1)  # its close; waiting for the end of its bytes would last until it gives up
        writer.close()

    async with raw(talk) as url, played(url) as play:
        await until(lambda: play.fed == 3)  # one of them is the honest source's
        await until(lambda: len(answered) == 2)

    assert answered == [b"hi", b"hi"]
    assert play.closed_of("relay")[0].frames == 2


class DeadLine:
    """A relay in between that can stop forwarding, and closes nothing then: neither end is sent a word of it."""

    def __init__(self, port: int) -> None:
        """Forward to `port`."""
        self.dead = False
        self.over = anyio.Event()
        self.lines = 0
        self._port = port

    async def relayed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        with suppress(OSError):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._forward, reader, back)
                tasks.start_soon(self._forward, there, writer)
        for each in (back, writer):
            each.close()
        self.lines -= 1

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                if self.dead:
                    await self.over.wait()
                target.write(data)
        target.transport.abort()


async def test_a_line_that_goes_dead() -> None:
    async with server(send_one) as behind:
        line = DeadLine(int(behind.rpartition(":")[2]))
        relay = await asyncio.start_server(line.relayed, "127.0.0.1", 0)
        url = f"ws://127.0.0.1:{relay.sockets[0].getsockname()[1]}"
        async with played(url, ping_interval_seconds=0.05, ping_timeout_seconds=0.1, open_timeout_seconds=0.2) as play:
            await until(lambda: play.source.ready)
            line.dead = True
            await until(lambda: play.closed_of("relay"))
            lost = play.closed_of("relay")[0]
            line.dead = False
            await until(lambda: play.source.ready)
        line.over.set()
        relay.close()
        await until(lambda: line.lines == 0)

    assert (lost.code, lost.gap) == (None, "unresponsive")


async def test_a_message_that_comes_again_and_is_too_long_each_time() -> None:
    """A relay sends the same one first after each connection: the waits grow, and nothing loops at full speed."""

    async def handle(connection: ServerConnection) -> None:
        with suppress(Exception):  # the reader leaves in the middle
            await connection.send(b"x" * 3000)
            await connection.wait_closed()

    async with server(handle) as url, played(url, frame_bytes=1024) as play:
        await until(lambda: len(play.closed_of("relay")) >= 3)

    assert {(fact.code, fact.gap) for fact in play.closed_of("relay")[:3]} == {(1009, "frame_too_big")}
    assert play.source.counters.gaps["frame_too_big"] >= 3
