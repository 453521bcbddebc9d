"""Websockets through a proxy, over real sockets: what passes, how calls end, and what is read along of them."""

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.output_errors import OutputErrors
from steno.sources.proxy.frames import close_payload
from steno.sources.proxy.heads import accept_of
from steno.sources.recorder import Recorder, Recording
from tests.sources.helpers import PING, until
from tests.sources.proxy.helpers import Client, Talk, client, proxied, read_request, reply, replying, talking

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def provider(handle: Callable[[ServerConnection], Awaitable[None]], **more: object) -> AsyncIterator[str]:
    """Serve websockets, and yield the base URL."""
    options = {"compression": None, "max_size": None, "close_timeout": 1, "ping_interval": None, **more}
    async with serve(handle, "127.0.0.1", 0, **options) as listening:  # type: ignore[arg-type]  # a test names them
        yield f"http://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}"


async def echo(connection: ServerConnection) -> None:
    """Send back what comes."""
    async for message in connection:
        await connection.send(message)


# By the byte ------------------------------------------------------------------------------------------------


def handshake(*headers: str, target: str = "/v1/realtime") -> bytes:
    """Return the request of a client."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {target} HTTP/1.1",
        "Host: proxy.example",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        *headers,
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def frame(opcode: int, payload: bytes, *, masked: bool, final: bool = True, reserved: int = 0) -> bytes:
    """Return a frame; masked by a key that shows nothing where it is `masked`."""
    first = (0x80 if final else 0) | reserved | opcode
    size = len(payload)
    length = (
        bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65536 else b"\x7f" + size.to_bytes(8)
    )
    if masked:
        return bytes((first, 0x80 | length[0])) + length[1:] + bytes(4) + payload
    return bytes((first,)) + length + payload


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *headers: str) -> bytes:
    """Answer the handshake of the proxy, and return its head."""
    head, _ = await read_request(reader)
    key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Accept: {accept_of(key).decode()}",
        *headers,
        "",
        "",
    )
    writer.write("\r\n".join(lines).encode())
    await writer.drain()
    return head


def saying(*parts: bytes, heard: bytearray | None = None, close: bool = False) -> Talk:
    """Return what accepts a websocket, says `parts`, and keeps what it hears."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        for part in parts:
            writer.write(part)
            await writer.drain()
        while not close and (data := await reader.read(65536)):
            if heard is not None:
                heard.extend(data)

    return talk


async def opened(connection: Client, *headers: str, target: str = "/v1/realtime") -> bytes:
    """Open a websocket, and return the head of the answer."""
    await connection.say(handshake(*headers, target=target))
    return await connection.hear(b"\r\n\r\n")


def unmasked(data: bytes | bytearray) -> list[tuple[int, bytes]]:
    """Return opcode and payload of whole, short frames that a client sent."""
    frames = []
    while data:
        size = data[1] & 0x7F
        mask = data[2:6]
        frames.append((data[0], bytes(byte ^ mask[at % 4] for at, byte in enumerate(data[6 : 6 + size]))))
        data = data[6 + size :]
    return frames


# What passes ------------------------------------------------------------------------------------------------


async def test_messages_pass_both_ways_in_order_with_their_kind() -> None:
    messages: list[str | bytes] = [
        *(f"text {number} é" for number in range(300)),
        *(b"binary %d" % number for number in range(300)),
        "",
        b"",
        "x" * 125,
        "x" * 126,
        b"y" * 65_535,
        b"z" * 65_536,
        "long é" * 300_000,
    ]
    async with provider(echo) as url, proxied(url) as play, connect(play.url, max_size=None) as client_:
        async with anyio.create_task_group() as tasks:

            async def send() -> None:
                for message in messages:
                    await client_.send(message)

            tasks.start_soon(send)
            assert [await client_.recv() for _ in messages] == messages
        await client_.close()
        await until(lambda: play.closed)
    assert play.closed[0].frames == 2 * len(messages)
    assert play.closed[0].gap is None


async def test_what_is_fed_is_what_passed_and_says_who_said_it() -> None:
    fed: list[tuple[bytes, bool]] = []
    async with provider(echo) as url, proxied(url) as play:
        feed = play.stage.pipeline.feed

        def keep(stream: Stream, frame: Frame) -> None:
            fed.append((bytes(frame.payload), frame.sent))
            feed(stream, frame)

        play.stage.pipeline.feed = keep  # type: ignore[method-assign]  # to look at what is fed
        async with connect(play.url) as client_:
            for message in (PING, b"x" * 200_000):
                await client_.send(message)
                await client_.recv()
        await until(lambda: play.closed)
    assert fed == [(PING, True), (PING, False), (b"x" * 200_000, True), (b"x" * 200_000, False)]


async def test_headers_query_and_subprotocols_pass() -> None:
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await accept(reader, writer, "Sec-WebSocket-Protocol: realtime", "OpenAI-Request: req_1"))
        await reader.read()

    async with talking(talk) as url, proxied(url) as play, client(play.port) as connection:
        answer = await opened(
            connection,
            "Authorization: Bearer sk-1",
            "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.sk-2",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
            "Origin: https://app.example",
            target="/v1/realtime?model=gpt-realtime",
        )
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nSec-WebSocket-Protocol: realtime\r\n" in answer
    assert b"\r\nOpenAI-Request: req_1\r\n" in answer
    assert b"extensions" not in answer.lower()
    (head,) = heads
    assert head.startswith(b"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nAuthorization: Bearer sk-1\r\n" in head
    assert b"\r\nSec-WebSocket-Protocol: realtime, openai-insecure-api-key.sk-2\r\n" in head
    assert b"\r\nOrigin: https://app.example\r\n" in head
    assert b"extensions" not in head.lower()
    for name in (b"sec-websocket-key", b"sec-websocket-version", b"upgrade:", b"connection:", b"host:"):
        assert head.lower().count(name) == 1


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "404 Not Found", "429 Too Many Requests", "307 Temporary Redirect"]
)
async def test_what_the_provider_refuses_is_refused_with_its_words(status: str) -> None:
    """The client's handshake is not answered before the provider's: its answer passes, and the connection goes on."""
    body = b'{"error":{"code":"no"}}'
    refused = reply(body, status, "Retry-After: 3", "Location: https://elsewhere.example/")
    async with talking(replying(refused)) as url, proxied(url) as play:
        if not status.startswith("3"):  # those the library follows
            with pytest.raises(InvalidStatus) as raised:
                await connect(play.url, proxy=None)
            response = raised.value.response
            assert response.status_code == int(status[:3])
            assert response.body == body
            assert response.headers["Retry-After"] == "3"
        async with client(play.port) as connection:
            for _ in range(2):
                assert (await opened(connection)).startswith(f"HTTP/1.1 {status}\r\n".encode())
                assert await connection.hear_exactly(len(body)) == body
        assert not play.closed


async def test_a_conversation_can_be_named() -> None:
    async with (
        talking(saying(frame(1, PING, masked=False))) as url,
        proxied(url) as play,
        client(play.port) as connection,
    ):
        await opened(connection, target="/v1/realtime?model=a&conversation=desk-7")
        await until(lambda: play.stage.fed)
        (stream,) = play.stage.pipeline.streams.values()
        assert stream.conversation == "desk-7"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"), 426),
        (("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: x"), 400),
        (("Sec-WebSocket-Key: ", "X-Key: "), 400),
        (("GET", "POST"), 400),
        (("HTTP/1.1", "HTTP/1.0"), 400),
        (("Host: proxy.example", "Host: proxy.example\r\nContent-Length: 3"), 400),
    ],
)
async def test_a_handshake_that_is_none_is_refused(change: tuple[str, str], status: int) -> None:
    heard: list[bytes] = []
    async with talking(replying(reply(), heard)) as url, proxied(url) as play, client(play.port) as connection:
        await connection.say(handshake().decode().replace(*change).encode())
        assert (await connection.hear_all()).startswith(b"HTTP/1.1 %d " % status)
    assert not heard


@pytest.mark.parametrize("wrong", ["accept", "extensions", "upgrade"])
async def test_a_handshake_of_the_provider_that_is_none_is_refused(wrong: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await read_request(reader)
        key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        accepted = b"x" if wrong == "accept" else accept_of(key)
        kind = b"h2c" if wrong == "upgrade" else b"websocket"
        more = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if wrong == "extensions" else b""
        writer.write(
            b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: %b\r\nSec-WebSocket-Accept: %b\r\n%b\r\n"
            % (kind, accepted, more)
        )
        await writer.drain()
        await reader.read()

    async with talking(talk) as url, proxied(url) as play, client(play.port) as connection:
        assert (await opened(connection)).startswith(b"HTTP/1.1 502 ")


async def test_what_comes_with_the_handshakes_is_not_lost() -> None:
    heard = bytearray()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await read_request(reader)
        key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        writer.write(
            b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %b\r\n\r\n"
            % accept_of(key)
            + frame(1, b"first", masked=False)
        )
        await writer.drain()
        while data := await reader.read(1024):
            heard.extend(data)

    async with talking(talk) as url, proxied(url) as play, client(play.port) as connection:
        await connection.say(handshake() + frame(1, b"early", masked=True))
        await connection.hear(b"\r\n\r\n")
        assert await connection.hear_exactly(7) == frame(1, b"first", masked=False)
        await until(lambda: unmasked(heard) == [(0x81, b"early")])


async def test_no_small_frame_waits_for_an_acknowledgement_of_the_one_before() -> None:
    """Nagle's algorithm is off on both sides: with it a frame may wait for 40 ms."""
    async with provider(echo) as url, proxied(url) as play, connect(play.url):
        (connection,) = play.source._connections
        assert connection.call
        for side in (connection.call.client, connection.call.upstream):
            found = side.transport.get_extra_info("socket")
            assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# Fragments, pings -------------------------------------------------------------------------------------------


async def test_fragments_with_pings_between_them() -> None:
    """The message passes, the pings do not: each is answered where it came from."""
    heard = bytearray()
    parts = [
        frame(1, b'{"type":', masked=False, final=False),
        frame(9, b"one", masked=False),
        frame(0, b'"ping",', masked=False, final=False),
        frame(9, b"two", masked=False),
        frame(10, b"unasked", masked=False),
        frame(0, b'"event_id":"event_1"}', masked=False),
    ]
    async with talking(saying(*parts, heard=heard)) as url, proxied(url) as play, client(play.port) as connection:
        await opened(connection)
        expected = parts[0] + parts[2] + parts[5]
        assert await connection.hear_exactly(len(expected)) == expected
        await until(lambda: play.stage.fed == 1)
        await until(lambda: unmasked(heard)[-1:] == [(0x8A, b"two")])
        await connection.say(frame(9, b"client", masked=True))
        assert await connection.hear_exactly(8) == frame(10, b"client", masked=False)
        assert all(opcode == 0x8A for opcode, _ in unmasked(heard))


async def test_a_ping_within_a_long_frame_is_answered_after_it() -> None:
    """What the provider sends is one frame, of which the end is late. Nothing may stand within it."""
    go = asyncio.Event()
    whole = frame(2, b"x" * 100_000, masked=False)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        writer.write(whole[:50_000])
        await go.wait()
        writer.write(whole[50_000:])
        await reader.read()

    async with talking(talk) as url, proxied(url) as play, client(play.port) as connection:
        await opened(connection)
        assert await connection.hear_exactly(50_000) == whole[:50_000]
        await connection.say(frame(9, b"a", masked=True), frame(9, b"b", masked=True))
        await connection.say(frame(1, PING, masked=True))
        await until(lambda: play.stage.fed)
        go.set()
        rest = whole[50_000:] + frame(10, b"b", masked=False)
        assert await connection.hear_exactly(len(rest)) == rest


async def test_pings_that_are_never_taken_take_no_memory() -> None:
    """A client that sends pings and takes no pongs has the last one waiting, and is read all the same."""
    async with talking(saying()) as url, proxied(url) as play, client(play.port) as connection:
        await opened(connection)
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # of what reads
        for _ in range(200):
            await connection.say(frame(9, b"x" * 125, masked=True) * 1000)
        call = next(iter(play.source._connections)).call
        assert call is not None
        assert call.client.transport.get_write_buffer_size() < MIB


BAD = {
    "reserved bits": frame(1, b"{}", masked=True, reserved=0x40),
    "unmasked": frame(1, b"{}", masked=False),
    "an opcode that is not known": frame(3, b"{}", masked=True),
    "a control opcode that is not known": frame(11, b"", masked=True),
    "a ping in fragments": frame(9, b"", masked=True, final=False),
    "a long ping": frame(9, b"x" * 126, masked=True),
    "a continuation of nothing": frame(0, b"x", masked=True),
    "a message within a message": frame(1, b"x", masked=True, final=False) + frame(1, b"x", masked=True),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_what_is_no_frame_closes_both_sides(bad: bytes) -> None:
    heard = bytearray()
    async with talking(saying(heard=heard)) as url, proxied(url) as play, client(play.port) as connection:
        await opened(connection)
        await connection.say(bad)
        assert await connection.hear_all() == frame(8, close_payload(1002), masked=False)
        await until(lambda: unmasked(heard)[-1:] == [(0x88, close_payload(1002))])
        connection.vanish()
        await until(lambda: play.closed)
    assert (play.closed[0].code, play.closed[0].gap) == (1002, "closed")


async def test_compression_is_agreed_on_with_neither_side() -> None:
    """So nothing is inflated here, whatever it would have inflated to."""
    async with (
        provider(echo, compression="deflate") as url,
        proxied(url) as play,
        connect(play.url, compression="deflate") as client_,
    ):
        assert client_.protocol.extensions == []
        await client_.send("x" * 100_000)
        assert await client_.recv() == "x" * 100_000


# The end of a call ------------------------------------------------------------------------------------------


CLOSES = {
    "1000": close_payload(1000),
    "1001 with a reason": close_payload(1001, "session expired é"),
    "4000": close_payload(4000, "invalid_request_error.model_not_found"),
    "none": b"",
}


@pytest.mark.parametrize("payload", CLOSES.values(), ids=CLOSES)
async def test_a_close_of_the_provider_passes(payload: bytes) -> None:
    heard = bytearray()
    closing = frame(8, payload, masked=False)
    async with talking(saying(closing, heard=heard)) as url, proxied(url) as play, client(play.port) as connection:
        await opened(connection)
        assert await connection.hear_exactly(len(closing)) == closing
        await connection.say(frame(8, payload, masked=True))
        assert await connection.hear_all() == b""
        await until(lambda: play.closed)
        await until(lambda: unmasked(heard) == [(0x88, payload)])
    code = int.from_bytes(payload[:2]) if payload else 1005
    assert play.closed[0].code == code


@pytest.mark.parametrize("payload", CLOSES.values(), ids=CLOSES)
async def test_a_close_of_the_client_passes_and_nothing_is_missing(payload: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        got = await reader.readexactly(6 + len(payload))
        assert unmasked(got) == [(0x88, payload)]
        writer.write(frame(1, PING, masked=False) + frame(8, b"", masked=False))
        await reader.read()

    async with talking(talk) as url, proxied(url) as play, client(play.port) as connection:
        await opened(connection)
        await connection.say(frame(8, payload, masked=True))
        expected = frame(1, PING, masked=False) + frame(8, b"", masked=False)
        assert await connection.hear_all() == expected
        await until(lambda: play.closed)
    assert play.closed[0].gap is None
    assert play.closed[0].frames == 1


async def test_a_provider_that_breaks_off_breaks_off_the_client() -> None:
    """What it said before is there; no close frame is."""
    said = frame(1, PING, masked=False) * 100
    async with talking(saying(said, close=True)) as url, proxied(url) as play, client(play.port) as connection:
        await opened(connection)
        assert await connection.hear_all() == said
        connection.vanish()
        await until(lambda: play.closed)
    assert (play.closed[0].code, play.closed[0].gap, play.closed[0].frames) == (None, "broken_off", 100)


async def test_a_provider_that_is_killed_in_the_middle_of_a_frame() -> None:
    said = frame(1, PING, masked=False) + frame(2, b"x" * 100_000, masked=False)[:50_000]
    async with talking(saying(said, close=True)) as url, proxied(url) as play, client(play.port) as connection:
        await opened(connection)
        assert await connection.hear_all() == said
        connection.vanish()
        await until(lambda: play.closed)
        assert play.source.budget.held == 0
    assert play.closed[0].gap == "broken_off"


async def test_a_client_that_vanishes_breaks_off_the_provider() -> None:
    codes: list[int | None] = []

    async def handle(connection: ServerConnection) -> None:
        try:
            await connection.wait_closed()
        finally:
            codes.append(connection.close_code)

    async with provider(handle) as url, proxied(url) as play:
        async with client(play.port) as connection:
            await opened(connection)
            connection.vanish()
        await until(lambda: codes)
        await until(lambda: play.closed)
    assert codes == [1006]
    assert play.closed[0].gap == "broken_off"


async def test_a_side_that_does_not_answer_a_close_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steno.sources.proxy.call.CLOSE_SECONDS", 0.05)
    async with talking(saying()) as url, proxied(url) as play, client(play.port) as connection:
        await opened(connection)
        await connection.say(frame(8, close_payload(1000), masked=True))
        await until(lambda: play.closed)
    assert play.closed[0].code == 1000


async def test_a_client_that_is_silent_is_given_up() -> None:
    """A connection that is half open: nothing comes, no pong either. The provider answers, and is told nothing."""
    async with provider(echo) as url:
        quick = {"ping_interval_seconds": 0.05, "ping_timeout_seconds": 0.1}
        async with proxied(url, **quick) as play, client(play.port) as connection:
            await opened(connection)
            assert await connection.hear_exactly(2) == frame(9, b"", masked=False)
            await until(lambda: play.closed)
    assert play.closed[0].gap == "unresponsive"


async def test_a_provider_that_is_silent_is_given_up() -> None:
    quick = {"ping_interval_seconds": 0.05, "ping_timeout_seconds": 0.1}
    async with talking(saying()) as url, proxied(url, **quick) as play, connect(play.url) as client_:
        with pytest.raises(ConnectionClosed):
            await client_.recv()
        assert client_.close_code == 1006
        await until(lambda: play.closed)
    assert play.closed[0].gap == "unresponsive"


async def test_sides_that_answer_pings_are_kept() -> None:
    quick = {"ping_interval_seconds": 0.02, "ping_timeout_seconds": 0.04}
    async with provider(echo) as url, proxied(url, **quick) as play, connect(play.url, ping_interval=None) as client_:
        for _ in range(10):
            await anyio.sleep(0.03)
            assert not play.closed
        await client_.send("still here")
        assert await client_.recv() == "still here"


# Length and back-pressure -----------------------------------------------------------------------------------


async def test_64_mib_of_a_client_pass_and_are_not_read_along() -> None:
    sizes: list[int] = []

    async def handle(connection: ServerConnection) -> None:
        async for message in connection:
            sizes.append(len(message))
            await connection.send(PING)

    async with provider(handle) as url, proxied(url) as play, connect(play.url) as client_:
        await client_.send(b"x" * (64 * MIB))
        assert await client_.recv() == PING
        await client_.send(b"short")
        await client_.recv()
        await client_.close()
        await until(lambda: play.closed)
        assert play.counts("steno_unfed_frames_total") == {("frame_too_big",): 1}
        assert play.source.budget.held == 0
    assert sizes == [64 * MIB, 5]
    assert play.missed == 1
    assert (play.closed[0].code, play.closed[0].gap, play.closed[0].frames) == (1000, "frame_too_big", 3)


async def test_a_message_in_fragments_that_is_too_long_is_not_read_along() -> None:
    parts = [
        frame(1, b"x" * 800, masked=False, final=False),
        frame(0, b"x" * 800, masked=False),
        frame(1, PING, masked=False),
    ]
    async with (
        talking(saying(*parts)) as url,
        proxied(url, frame_bytes=1024) as play,
        client(play.port) as connection,
    ):
        await opened(connection)
        expected = b"".join(parts)
        assert await connection.hear_exactly(len(expected)) == expected
        await until(lambda: play.stage.fed == 1)
        assert play.counts("steno_unfed_frames_total") == {("frame_too_big",): 1}


async def test_a_message_that_may_not_pass_closes_both_sides() -> None:
    codes: list[int | None] = []

    async def handle(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.append(connection.close_code)

    async with provider(handle) as url, proxied(url, message_bytes=MIB) as play:
        client_ = await connect(play.url)  # its own end fails where the connection has ended already
        with suppress(ConnectionClosed):
            await client_.send(b"x" * (64 * MIB))
        with pytest.raises(ConnectionClosed):
            await client_.recv()
        assert client_.close_code == 1009
        await until(lambda: codes)
        await until(lambda: play.closed)
    assert codes == [1009]
    assert (play.closed[0].code, play.closed[0].gap) == (1009, "frame_too_big")


async def test_messages_that_come_slowly_share_one_budget() -> None:
    """What all calls hold of messages that have not ended is bounded; what goes beyond passes, unfed."""
    message = frame(2, b"x" * 600_000, masked=True)
    async with provider(echo) as url, proxied(url) as play, client(play.port) as one, client(play.port) as two:
        play.source.budget.limit = MIB
        for connection in (one, two):
            await opened(connection)
            await connection.say(message[:-1])
        await until(lambda: play.source.budget.held)
        for connection in (one, two):
            await connection.say(message[-1:])
            await connection.hear_exactly(600_000 + 10)
        await until(lambda: play.source.budget.held == 0)
        assert ("memory",) in play.counts("steno_unfed_frames_total")


@pytest.mark.parametrize("slow", ["client", "provider"])
async def test_a_side_that_is_slow_makes_the_other_wait(slow: str) -> None:
    sent = 0
    go = asyncio.Event()
    message = b"x" * 65_000

    async def send(connection: object) -> None:
        nonlocal sent
        for _ in range(1000):
            await connection.send(message)  # type: ignore[attr-defined]  # of either side
            sent += 1

    async def handle(connection: ServerConnection) -> None:
        if slow == "client":
            await send(connection)
        else:
            connection.transport.pause_reading()
            await go.wait()
            connection.transport.resume_reading()
            for _ in range(1000):
                await connection.recv()
        await connection.wait_closed()

    async with provider(handle) as url, proxied(url) as play, connect(play.url, max_queue=1) as client_:
        async with anyio.create_task_group() as tasks:
            if slow == "provider":
                tasks.start_soon(send, client_)
            stood = -1
            while stood != sent or not sent:
                stood = sent
                await anyio.sleep(0.1)
            assert sent < 500
            (connection,) = play.source._connections
            assert connection.call
            for side in (connection.call.client, connection.call.upstream):
                assert side.transport.get_write_buffer_size() < MIB
            go.set()
            if slow == "client":
                for _ in range(1000):
                    await client_.recv()
        assert sent == 1000
        await until(lambda: next(iter(play.stage.pipeline.streams.values())).frames == 1000)


async def test_many_small_frames_leave_other_calls_their_turn() -> None:
    """What came with one read is fed in parts."""
    async with (
        talking(saying(frame(1, b"", masked=False) * 30_000)) as url,
        proxied(url) as play,
        client(play.port) as one,
    ):
        await opened(one)
        await one.hear_exactly(60_000)
        one.vanish()
        await until(lambda: play.closed)
    assert play.closed[0].frames == 30_000
    assert play.source.budget.held == 0


async def test_small_frames_that_wait_share_the_budget() -> None:
    """They take many times their length. What finds no room passes, and is counted."""
    async with (
        talking(saying(frame(1, b"", masked=False) * 30_000)) as url,
        proxied(url) as play,
        client(play.port) as one,
    ):
        play.source.budget.limit = 100_000
        await opened(one)
        await one.hear_exactly(60_000)
        one.vanish()
        await until(lambda: play.closed)
    unfed = play.counts("steno_unfed_frames_total")[("memory",)]
    assert play.closed[0].frames + unfed == 30_000
    assert play.missed == unfed
    assert play.source.budget.held == 0


# Reading along ----------------------------------------------------------------------------------------------


async def test_a_call_goes_on_when_reading_along_fails() -> None:
    async with provider(echo) as url, proxied(url) as play, connect(play.url) as client_:

        def fail(stream: Stream, frame: Frame) -> None:
            raise RuntimeError("a mistake of ours")

        await client_.send("one")
        assert await client_.recv() == "one"
        play.stage.pipeline.feed = fail  # type: ignore[method-assign]  # it fails from now on
        for _ in range(3):
            await client_.send("two")
            assert await client_.recv() == "two"
        await client_.close()
        await until(lambda: play.closed)
        assert play.counts("steno_unfed_frames_total") == {("internal_error",): 6}
    assert (play.closed[0].code, play.closed[0].gap) == (1000, "internal_error")


async def test_a_call_goes_on_when_its_stream_cannot_begin() -> None:
    async with provider(echo) as url, proxied(url) as play:

        def fail(*_: object, **__: object) -> Stream:
            raise RuntimeError("a mistake of ours")

        play.stage.pipeline.stream_opened = fail  # type: ignore[method-assign]  # it fails
        async with connect(play.url) as client_:
            await client_.send("one")
            assert await client_.recv() == "one"
        assert play.counts("steno_unfed_frames_total") == {("internal_error",): 2}


async def test_a_call_goes_on_when_the_recording_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(tmp_path, OutputErrors())
    async with provider(echo) as url, proxied(url, recorder=recorder) as play, connect(play.url) as client_:

        def fail(recording: Recording, frame: Frame) -> None:
            raise RuntimeError("a mistake of ours")

        await client_.send("one")
        assert await client_.recv() == "one"
        monkeypatch.setattr(Recording, "frame", fail)
        await client_.send("two")
        assert await client_.recv() == "two"
        await client_.close()
        await until(lambda: play.closed)
        assert play.counts("steno_unfed_frames_total") == {("internal_error",): 2}
    assert play.closed[0].gap == "internal_error"


async def test_a_call_does_not_wait_for_the_audit_log() -> None:
    """While the pipeline says that there is no room, frames pass and are fed: what is too much is shed behind it."""
    async with provider(echo) as url, proxied(url) as play, connect(play.url) as client_:
        play.stage.pipeline.hold()
        for _ in range(50):
            await client_.send(PING)
            assert await client_.recv() == PING
        assert play.stage.fed == 100
        assert type(play.source).sheds
