"""Servers that answer a source with hostile bytes, in the handshake and after it: real sockets, and bytes by hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.utils import accept_key

from steno.config import Connect
from steno.sources.connect import ConnectSource
from steno.sources.connect_errors import PROXY_ADVICE
from steno.sources.supervised import SupervisedSource
from steno.sources.websocket import READ_BYTES, read_in_parts
from steno.sources.work import FRAMES
from tests.sources.helpers import Stage, counted, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Play:
    """A source as the daemon runs it, and what came of it."""

    def __init__(self, url: str) -> None:
        config = Connect(name="relay", kind="connect", url=url, backoff_seconds=0.01, backoff_max_seconds=0.02)
        self.stage = Stage()
        self.connecting = ConnectSource(config, self.stage.sessions)
        self.source = SupervisedSource(config, lambda _: self.connecting, self.stage.sessions.end_left, bool)

    @property
    def attempts(self) -> dict[str, float]:
        return counted(self.connecting.counters.attempts)


# Hostile handshakes ---------------------------------------------------------------------------------------


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answer each handshake with the same bytes; yield the URL, and the requests that come."""
    requests: list[bytes] = []

    async def answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer_one, "127.0.0.1", 0)
    async with listening:
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1/events?key=q1w2e3", requests


def refusal(status: int | str, *headers: str) -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{lines}\r\n".encode("latin-1")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refusal(503, "Retry-After: Thu, 01 Jan 20260000000000 00:00:00 GMT"), "server_error"),
        (refusal(429, "Retry-After: 0", "Retry-After: Mon, 99 Foo 99999999999999 99:99:99 GMT"), "rate_limited"),
        (refusal(503, "Retry-After: \xb2"), "server_error"),
        (refusal(503, "Retry-After: nan"), "server_error"),
        (refusal(503, "Retry-After: -" + "9" * 5_000), "server_error"),
        (refusal("9" * 5_000), "handshake"),
        (refusal("\xb2\xb2\xb2"), "handshake"),
        (refusal(-1), "handshake"),
        (refusal(200, "Content-Length: " + "9" * 5_000), "handshake"),
        (refusal(200, "Transfer-Encoding: chunked"), "handshake"),
        (refusal(200, *(f"X-{number}: 1" for number in range(500))), "handshake"),
        (refusal(101, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: x"), "handshake"),
        (refusal(101, "Upgrade: ,,,", "Connection: \xff"), "handshake"),
        (refusal(301, "Location: ws://[::1"), "redirect_refused"),
        (refusal(301, "Location: ws://\xff\xfe:99999999/"), "redirect_refused"),
        (refusal(302, "Location: /a", "Location: /b"), "redirect_refused"),
        (b"\x00" * 10_000, "handshake"),
        (b"", "handshake"),
    ],
    ids=range(18),
)
async def test_a_hostile_answer_to_the_handshake_is_a_refusal_like_any_other(answer: bytes, reason: str) -> None:
    """Whatever stands where, the source counts it by a reason and tries again; it does not fail itself."""
    async with answering(answer) as (url, _):
        play = Play(url)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.source.run)
            await until(lambda: sum(play.attempts.values()) >= 3)
            await play.source.stop()

    assert set(play.attempts) == {reason}
    assert play.stage.facts == []
    assert play.source.counters.restarts == 0


@pytest.mark.parametrize("proxy", ["http://{}", "garbage", "socks5://user:k3y-of-proxy@{}"])
async def test_a_proxy_that_cannot_be_used_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator of the daemon set it in the environment, perhaps for something else; it may hold a password."""
    async with answering(b"HTTP/1.1 502 No\r\n\r\n") as (url, _):
        monkeypatch.setenv("ws_proxy", proxy.format(urlsplit(url).netloc))
        play = Play("ws://upstream.invalid/v1/events")
        with capture_logs() as logs:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(play.source.run)
                await until(lambda: sum(play.attempts.values()) >= 2)
                await play.source.stop()

    assert set(play.attempts) == {"proxy"}
    assert {line["advice"] for line in logs} == {PROXY_ADVICE}
    assert "k3y" not in str(logs)


async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Complete a handshake."""
    head = await reader.readuntil(b"\r\n\r\n")
    key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
    upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_key(key)}"
    writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\n\r\n".encode())


@asynccontextmanager
async def upgrading(frames: bytes) -> AsyncIterator[str]:
    """Complete each handshake, send the same bytes after it, and close when the client has; yield the URL."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # a source that stops leaves at any time
            await shake_hands(reader, writer)
            writer.write(frames)
            await writer.drain()
            writer.write_eof()
            await reader.read()
        writer.close()

    listening = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with listening:
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "frames",
    [
        b"",
        b"\x88\x01\x03",
        b"\x88\x02\x00\x00",
        b"\x88\x02\xff\xff",
        b"\x88\x02\x03\xee",
        b"\x88\x04\x03\xe8\xff\xfe",
        b"\x88\x7d\x0f\xa0" + b"\x1b" * 123,
        b"\x88\x7e\x00\x80" + b"x" * 128,
        b"\x08\x00",
        b"\x89\x7f" + b"\xff" * 8,
        b"\x8a\x00\x8a\x03abc",
        b"\x81\x7f" + b"\x7f" + b"\xff" * 7,
        b"\x81\x7f" + b"\xff" * 8,
        b"\x81\x81\x00\x00\x00\x00x",
        b"\xf1\x00",
        b"\x83\x00",
        b"\x80\x00",
        b"\x01\x01{\x81\x01}",
        b"\x81\x02\xff\xfe\x82\x02\xff\xfe",
    ],
    ids=range(19),
)
async def test_hostile_bytes_after_the_handshake_end_a_stream_and_nothing_else(frames: bytes) -> None:
    """Codes and reasons that are none, lengths past all bounds, reserved bits: the source connects again."""
    async with upgrading(frames) as url:
        play = Play(url)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.source.run)
            await until(lambda: len(play.stage.closed) >= 3)
            await play.source.stop()

    assert play.source.counters.restarts == 0
    assert play.source.counters.numbers()["steno_streams"] == {(): 0}
    assert "internal_error" not in {fact.gap for fact in play.stage.closed}


async def test_a_flood_of_small_frames_gives_the_others_their_turn() -> None:
    """They come with one read of the socket, and the source never waits while it has some."""
    async with upgrading(b"\x81\x011" * 20_000 + b"\x88\x02\x03\xe8") as url:
        play = Play(url)
        turns = [0]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.source.run)
            while not play.stage.closed:
                await anyio.lowlevel.checkpoint()
                turns += [stream.frames for stream in play.stage.pipeline.streams.values()]
            await play.source.stop()

    assert max(later - before for before, later in pairwise(turns)) <= 2 * FRAMES
    assert play.stage.closed[0].frames == 20_000


async def test_a_socket_is_read_in_parts() -> None:
    """What came with one read is parsed at once, so that it must not be much."""
    async with upgrading(b"\x81\x011") as url, connect(url) as connection:
        read_in_parts(connection)

        assert connection.transport.max_size == READ_BYTES  # type: ignore[attr-defined]  # of asyncio's own


async def test_pings_whose_pongs_nobody_takes_break_the_connection_off() -> None:
    """Each pong waits in memory, however many there are."""
    ping = b"\x89\x7d" + b"x" * 125

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await shake_hands(reader, writer)
            while True:
                writer.write(ping * 1_000)
                await writer.drain()
        writer.close()

    listening = await asyncio.start_server(flood, "127.0.0.1", 0, limit=1024)
    async with listening:
        play = Play(f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.source.run)
            await until(lambda: play.stage.closed)
            await play.source.stop()

    assert play.stage.closed[0].gap == "broken_off"
