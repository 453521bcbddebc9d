"""One port for websockets and HTTP: the head of the first request decides, however it arrives."""

import asyncio
import logging
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from steno.simulate import port
from steno.simulate.port import HEAD_BYTES_MAX, FirstRequest, asks_for_websocket
from tests.simulate.clients import exchange, request, simulated, until

pytestmark = pytest.mark.anyio

UPGRADE = (
    b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
EVENT = b"\x81\x82\x00\x00\x00\x00{}"
CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
POST = b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n%b\r\n{}"
LAST = b"Connection: close\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_websocket_and_a_request_have_the_same_port() -> None:
    async with simulated() as running:
        async with connect(running.url("/v1/realtime?model=m")) as connection:
            [created] = await until(connection, "session.created")
        reply = await request(running, "POST", "/v1/threads", {})

    assert created["session"]["model"] == "m"
    assert reply.json["object"] == "thread"


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_a_head_may_come_in_pieces(size: int) -> None:
    async with simulated() as running:
        pieces = [UPGRADE[at : at + size] for at in range(0, len(UPGRADE), size)]
        websocket = await exchange(running, *pieces, then=CLOSE)
        whole = POST % LAST
        plain = await exchange(running, *(whole[at : at + size] for at in range(0, len(whole), size)))

    assert websocket.startswith(b"HTTP/1.1 101 ")
    assert b'"type":"session.created"' in websocket
    assert plain.startswith(b"HTTP/1.1 200 ")


async def test_what_follows_a_head_in_the_same_bytes_is_not_lost() -> None:
    async with simulated() as running:
        websocket = await exchange(running, UPGRADE + EVENT, then=CLOSE)
        plain = await exchange(running, POST % b"" + POST % b"" + POST % LAST)

    assert websocket.startswith(b"HTTP/1.1 101 ")
    assert b'"code":"invalid_event"' in websocket
    assert plain.count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES_MAX, b"400"),
        (UPGRADE.replace(b"Version: 13", b"Version: 12"), b"400"),
        (UPGRADE.replace(b"/v1/realtime?model=m", b"/nowhere"), b"404"),
    ],
)
async def test_what_is_not_served_gets_a_response(sent: bytes, status: bytes) -> None:
    async with simulated() as running:
        answer = await exchange(running, sent)

    assert answer.startswith(b"HTTP/1.1 " + status)


async def test_a_head_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "HEAD_SECONDS", 0.01)
    async with simulated() as running:
        assert await exchange(running, b"GET / HT") == b""


async def test_leaving_ends_every_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with simulated() as running:
        idle = await asyncio.open_connection("127.0.0.1", running.port)
        kept = await asyncio.open_connection("127.0.0.1", running.port)
        kept[1].write(POST % b"")
        assert (await kept[0].readline()).startswith(b"HTTP/1.1 200 ")
        gone = await asyncio.open_connection("127.0.0.1", running.port)
        gone[1].transport.abort()

    assert await idle[0].read() == b""
    assert (await kept[0].read()).endswith(b"}")
    for _, writer in (idle, kept, gone):
        writer.close()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_client_that_closes_before_it_is_answered_is_not_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async with simulated() as running:
        await exchange(running, UPGRADE + CLOSE)

    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    ("head", "asks"),
    [
        (UPGRADE[:-4], True),
        (UPGRADE[:-4].replace(b"GET", b"POST"), False),
        (UPGRADE[:-4].replace(b"WebSocket", b"h2c"), False),
        (b"GET / HTTP/1.1\r\nX-Upgrade: websocket", False),
        (b"GET / HTTP/1.1\r\nUPGRADE :  websocket ", True),
        (b"", False),
    ],
)
def test_the_head_says_which_one_it_is(head: bytes, asks: bool) -> None:
    assert asks_for_websocket(head) is asks


class Taker(asyncio.Protocol):
    """Who a connection is handed to."""

    def __init__(self) -> None:
        self.taken = b""

    def data_received(self, data: bytes) -> None:
        self.taken += data


class Line(asyncio.Transport):
    """A transport that remembers its protocol."""

    def __init__(self, first: asyncio.BaseProtocol) -> None:
        super().__init__()
        self.protocol = first

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


@given(st.lists(st.integers(1, len(UPGRADE) - 1), unique=True, max_size=6))
def test_wherever_a_head_is_cut_all_of_it_is_handed_over(cuts: list[int]) -> None:
    async def play() -> None:
        websocket, plain = Taker(), Taker()
        first = FirstRequest(set(), lambda: websocket, lambda: plain)
        line = Line(first)
        first.connection_made(line)
        ends = [0, *sorted(cuts), len(UPGRADE)]
        for start, end in pairwise(ends):
            line.protocol.data_received(UPGRADE[start:end])  # type: ignore[attr-defined]  # both have it
        assert (websocket.taken, plain.taken) == (UPGRADE, b"")

    asyncio.run(play())
