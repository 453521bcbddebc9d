"""What clients of `kind = "listen"` can do wrong, over real sockets.

After each the source is still up, and another client that pushes all the while notices nothing.
"""

import asyncio
import os
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from steno.config import Tls
from steno.core.facts import StreamClosed
from steno.limits import HANDSHAKES
from steno.sources.listen import source as module
from tests.conftest import DEEP
from tests.sources.certificates import Authority
from tests.sources.helpers import PING, until
from tests.sources.listen.helpers import OTHER, TOKEN, Play, asked, tokens_file

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
REQUEST = (
    b"GET /v1/push HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def undisturbed(play: Play, token: str | None = None, **options: Any) -> AsyncIterator[None]:
    """Let another client push before, and after what happens meanwhile; nothing has happened to it or is missing."""
    before = len(play.frames)
    async with play.client("?conversation=neighbour", token, **options) as client:
        await client.send(PING)
        await until(lambda: len(play.frames) > before)
        yield
        now = len(play.frames)
        await client.send(PING)
        await until(lambda: len(play.frames) > now)
        await play.still_up(token, **options)


# Tokens ---------------------------------------------------------------------------------------------------


async def test_missing_and_wrong_tokens(tmp_path: Path) -> None:
    """The answer and the log say which, and neither repeats what was sent."""
    play = Play(tokens=str(tokens_file(tmp_path, f"# who pushes\n\napp {TOKEN}\n")))

    async with play.running():
        async with undisturbed(play, TOKEN):
            with capture_logs() as logs:
                missing = await play.refused()
                wrong = await play.refused("", OTHER)
                basic = await play.refused(additional_headers={"Authorization": f"Basic {TOKEN}"})
                twice = await play.refused(
                    additional_headers=[("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")]
                )
        answer = await asked(play.port, REQUEST + b"\r\n")

    assert (
        missing
        == basic
        == twice
        == (401, "unauthorized", "a token is needed, in the header Authorization, as: Bearer TOKEN")
    )
    assert wrong == (401, "unauthorized", "the token is not known")
    assert b'WWW-Authenticate: Bearer realm="steno"' in answer
    assert play.outcomes == {"accepted": 2, "no_token": 4, "wrong_token": 1}
    assert [(each["event"], each.get("reason")) for each in logs] == [
        ("client refused", "no_token"),
        ("client refused", "wrong_token"),
    ]
    assert OTHER not in str(logs)


async def test_the_name_of_the_token_stands_in_the_log(tmp_path: Path) -> None:
    play = Play(tokens=str(tokens_file(tmp_path, f"app {TOKEN}\n")))

    async with play.running():
        with capture_logs() as logs:
            await play.still_up(TOKEN)

    assert [each["client"] for each in logs if each["event"] == "client connected"] == ["app"]
    assert TOKEN not in str(logs)


@pytest.mark.parametrize(
    ("query", "options", "code"),
    [
        (f"?token={TOKEN}", {}, "token_in_query"),
        (f"?access_token={TOKEN}", {}, "token_in_query"),
        ("", {"subprotocols": [TOKEN]}, "token_in_subprotocol"),
        ("", {"subprotocols": ["bearer", "other"]}, "token_in_subprotocol"),
        ("", {"subprotocols": ["realtime", "openai-insecure-api-key.x"]}, "token_in_subprotocol"),
    ],
)
async def test_a_token_is_taken_from_its_header_alone(
    query: str, options: dict[str, Any], code: str, tmp_path: Path
) -> None:
    play = Play(tokens=str(tokens_file(tmp_path, f"app {TOKEN}\n")))

    async with play.running(), undisturbed(play, TOKEN):
        with capture_logs() as logs:
            refused = await play.refused(query, TOKEN, **options)

    assert refused[:2] == (400, code)
    assert "Authorization" in refused[2]
    assert TOKEN not in str(logs) + refused[2]


async def test_a_token_that_is_revoked(tmp_path: Path) -> None:
    """Its connections are closed at SIGHUP, and not before; a token of the same name may take its place."""
    file = tokens_file(tmp_path, f"app {TOKEN}\nother {OTHER}\n")
    play = Play(tokens=str(file))

    async with play.running(), undisturbed(play, OTHER), play.client("", TOKEN) as client:
        await client.send(PING)
        tokens_file(tmp_path, f"app {TOKEN[::-1]}\nother {OTHER}\n")
        await play.still_up(TOKEN)
        play.source.reload()
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        refused = await play.refused("", TOKEN)
        await play.still_up(TOKEN[::-1])
        gaps = play.gaps

    assert closed.value.rcvd
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "the token is no longer known")
    assert refused[:2] == (401, "unauthorized")
    assert gaps == {"closed": 1}
    assert (StreamClosed(source="push", reason="disconnected", code=1008, frames=1, gap="closed")) in play.closed


async def test_what_a_revoked_client_still_sends_is_dropped(tmp_path: Path) -> None:
    """It does not answer the close, and pushes on."""
    play = Play(tokens=str(tokens_file(tmp_path, f"app {TOKEN}\nother {OTHER}\n")))

    async with play.running():
        reader, writer = await asyncio.open_connection("127.0.0.1", play.port)
        writer.write(REQUEST + f"Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(WireFrame(Opcode.TEXT, PING).serialize(mask=True))
        await until(lambda: play.fed == 1)
        tokens_file(tmp_path, f"other {OTHER}\n")
        play.source.reload()
        closed = await reader.readexactly(4)
        for _ in range(10):
            writer.write(WireFrame(Opcode.TEXT, PING).serialize(mask=True))
            await asyncio.sleep(0)
        writer.write(WireFrame(Opcode.CLOSE, struct.pack("!H", 1008)).serialize(mask=True))
        await reader.read()  # to the end: the source waits for the client's end in turn
        writer.transport.abort()
        await until(lambda: play.closed)

    assert closed[2:] == struct.pack("!H", 1008)
    assert play.fed == 1


async def test_tokens_that_are_bad_leave_the_former_ones_in_use(tmp_path: Path) -> None:
    play = Play(tokens=str(tokens_file(tmp_path, f"app {TOKEN}\n")))

    async with play.running(), undisturbed(play, TOKEN):
        tokens_file(tmp_path, f"app {TOKEN}\nshort one\n")
        with capture_logs() as logs:
            play.source.reload()
        refused = await play.refused("", "one")

    (line,) = logs
    assert line["faults"] == [
        f"{tmp_path / 'tokens'}: line 2: the token must have 16 characters at least, 4096 at most"
    ]
    assert refused[0] == 401


async def test_tokens_that_are_asked_for_now_and_are_bad_let_nobody_in(tmp_path: Path) -> None:
    play = Play()

    async with play.running(), play.client() as client:
        with capture_logs():
            await play.reconfigure(tokens=str(tmp_path / "none"))
        refused = await play.refused("", TOKEN)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()

    assert refused[0] == 401
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1008


# Handshakes -----------------------------------------------------------------------------------------------


async def test_a_slow_handshake_in_http() -> None:
    """A byte now and then does not prolong it, and it is answered."""
    play = Play(handshake_seconds=0.3)

    async with play.running(), undisturbed(play):
        reader, writer = await asyncio.open_connection("127.0.0.1", play.port)
        reading = asyncio.ensure_future(reader.read())
        writer.write(b"GET /v1/push HTTP/1.1\r\n")
        while not reading.done():
            writer.write(b"X")
            await asyncio.wait([reading], timeout=0.02)
        answer = reading.result()
        writer.transport.abort()

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b'{"error":{"code":"request_timeout"' in answer
    assert play.outcomes == {"accepted": 2, "slow": 1}


async def test_a_slow_handshake_in_tls(tmp_path: Path, authority: Authority) -> None:
    """TLS and HTTP have one time together."""
    certificate, key = authority.issue()
    play = Play(handshake_seconds=0.5, tls={"certificate": str(certificate), "key": str(key)})
    trusting = ssl.create_default_context(cafile=authority.certificate)

    async with play.running(), undisturbed(play, ssl=trusting):
        began = asyncio.get_running_loop().time()
        silent = await asyncio.open_connection("127.0.0.1", play.port)
        slow = await asyncio.open_connection("127.0.0.1", play.port, ssl=trusting)
        slow[1].write(b"GET /v1/push HTTP/1.1\r\n")
        ends = [await reader.read() for reader, _ in (silent, slow)]
        took = asyncio.get_running_loop().time() - began
        for _, writer in (silent, slow):
            writer.transport.abort()

    assert ends[0] == b""
    assert ends[1].startswith(b"HTTP/1.1 408 ")
    assert took < 5
    assert play.outcomes == {"accepted": 2, "slow": 2}


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404, "not_found"),
        (b"GET //[ HTTP/1.1\r\nHost: a\r\n\r\n", 404, "not_found"),
        (b"GET http://localhost/v1/push HTTP/1.1\r\nHost: a\r\n\r\n", 404, "not_found"),
        (b"GET /v1/push HTTP/1.1\r\nHost: a\r\n\r\n", 426, "upgrade_required"),
        (b"GET /v1/push HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", 426, "upgrade_required"),
        (b"POST /v1/push HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", 400, "bad_request"),
        (b"POST /v1/push HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", 405, "method_not_allowed"),
        (REQUEST.replace(b"n: 13", b"n: 12") + b"\r\n", 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400, "bad_request"),
        (b"GET /v1/push?x=1 HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", 400, "unknown_parameter"),
        (b"GET /v1/push?conversation= HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", 400, "bad_conversation"),
        (b"GET /v1/push?conversation=%ff HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", 400, "bad_query"),
        (b"GET /v1/push?conversation HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", 400, "bad_query"),
        (b"GET /v1/push?conversation=a&conversation=b HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", 400, "bad_query"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "request_uri_too_long"),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 9000 + b"\r\n\r\n", 431, "request_header_fields_too_large"),
        (b"GET /v1/push HTTP/1.1\r\n" + b"A: a\r\n" * 200 + b"\r\n", 431, "request_header_fields_too_large"),
    ],
)
async def test_what_is_no_handshake_is_answered(request_: bytes, status: int, code: str) -> None:
    play = Play()

    async with play.running(), undisturbed(play):
        answer = await asked(play.port, request_)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Type: application/json\r\n" in answer
    assert b'{"error":{"code":"%b","message":"' % code.encode() in answer
    assert play.outcomes["accepted"] == 2
    assert play.outcomes.get("not_found", 0) + play.outcomes.get("bad_request", 0) == 1


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("https://evil.example", "127.0.0.1:9465", 403),
        ("http://evil.example:9465", "evil.example:9465", 403),
        ("null", "127.0.0.1:9465", 403),
        ("http://[", "[", 403),
        ("http://localhost.evil.example", "localhost.evil.example", 403),
        ("http://[::1]:9465", "[::1]:9465", 101),
        ("http://127.0.0.1:9465", "127.0.0.1:9465", 101),
        ("http://localhost", "localhost", 101),
    ],
)
async def test_a_web_page_cannot_push_without_a_token(origin: str, host: str, status: int) -> None:
    """A library that names us as its origin can."""
    play = Play()
    request = REQUEST.replace(b"localhost", host.encode()) + b"Origin: %b\r\n\r\n" % origin.encode()

    async with play.running(), undisturbed(play):
        reader, writer = await asyncio.open_connection("127.0.0.1", play.port)
        writer.write(request)
        answer = await reader.readline()
        writer.transport.abort()

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert play.outcomes.get("origin", 0) == (status == 403)


async def test_a_client_that_leaves_in_its_handshake() -> None:
    play = Play()

    async with play.running(), undisturbed(play):
        for said in (b"", b"GET"):
            _, writer = await asyncio.open_connection("127.0.0.1", play.port)
            writer.write(said)
            await writer.drain()
            writer.transport.abort()
        await until(lambda: sum(play.outcomes.values()) == 3)

    assert play.outcomes["accepted"] == 2
    assert play.outcomes["gone"] + play.outcomes.get("bad_request", 0) == 2


# Floods ---------------------------------------------------------------------------------------------------


async def test_more_connections_than_there_may_be() -> None:
    """They are told when to come again, and those that are there go on."""
    play = Play(connections=3)

    async with play.running():
        async with play.client(), play.client(), play.client() as client:
            refused = [await play.refused() for _ in range(5)]
            answer = await asked(play.port, REQUEST + b"\r\n")
            await client.send(PING)
            await until(lambda: play.fed == 1)
        await until(lambda: not play.source._admitted)
        await play.still_up()

    assert {each[:2] for each in refused} == {(503, "too_many_connections")}
    assert b"Retry-After: 5\r\n" in answer
    assert play.outcomes == {"accepted": 4, "crowded": 6}


async def test_a_flood_of_connections_holds_few_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent ones by the thousand: the oldest make room, honest clients are served, and all is given back."""
    play = Play()
    held = []

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # counted, not looked at

    async with play.running():
        before = descriptors()
        async with undisturbed(play):
            writers = []
            for _ in range(8):
                for _ in range(HANDSHAKES // 2):
                    _, writer = await asyncio.open_connection("127.0.0.1", play.port)
                    writers.append(writer)
                held.append(descriptors() - before - len(writers))
                await play.still_up()
            for writer in writers:
                writer.transport.abort()
        await until(lambda: not play.source._arrivals and not play.sessions.sockets.held)

    assert max(held) <= HANDSHAKES + 16
    assert play.outcomes["evicted"] >= 3 * HANDSHAKES
    assert play.outcomes["accepted"] == 10


async def test_a_flood_from_one_address_pushes_out_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """An honest handshake from another address that takes its time is not the one that makes room."""
    play = Play()
    accepted = play.source._accepted
    hosts = ["192.0.2.1"]
    monkeypatch.setattr(
        play.source, "_accepted", lambda sock, address: accepted(sock, (hosts.pop() if hosts else "198.51.100.1", 1))
    )

    async with play.running():
        reader, honest = await asyncio.open_connection("127.0.0.1", play.port)
        await until(lambda: not hosts)
        others = [await asyncio.open_connection("127.0.0.1", play.port) for _ in range(2 * HANDSHAKES)]
        honest.write(REQUEST + b"\r\n")
        answer = await reader.readline()
        for _, writer in (*others, (reader, honest)):
            writer.transport.abort()

    assert answer == b"HTTP/1.1 101 Switching Protocols\r\n"


async def test_where_sockets_are_short_who_is_refused_is_still_told_so() -> None:
    play = Play()
    play.sessions.sockets.most = 8

    async with play.running(), AsyncExitStack() as clients:
        for _ in range(6):
            await clients.enter_async_context(play.client())
        refused = await play.refused()

    assert refused[:2] == (503, "too_many_connections")
    assert play.sessions.sockets.held == 0


async def test_where_there_is_no_socket_left_a_client_is_hung_up_on() -> None:
    play = Play()
    play.sessions.sockets.most = 8

    async with play.running():
        play.sessions.sockets.held = 8  # those of another source
        with pytest.raises((InvalidMessage, OSError)):
            await play.refused()
        play.sessions.sockets.held = 0
        await play.still_up()

    assert play.outcomes == {"accepted": 1, "descriptors": 1}


async def test_a_client_that_asks_too_often(tmp_path: Path) -> None:
    """By its address, and by the name of its token; it is told when to come again."""
    play = Play(tokens=str(tokens_file(tmp_path, f"app {TOKEN}\nother {OTHER}\n")), handshakes_per_minute=6)

    async with play.running():
        async with undisturbed(play, OTHER):
            refused = [await play.refused("", TOKEN[::-1]) for _ in range(4)]
            play.source._rules.rates._clients.pop("address 127.0.0.1")
        for _ in range(4):
            await play.still_up(TOKEN)
            play.source._rules.rates._clients.pop("address 127.0.0.1")
        await play.still_up(TOKEN)
        await play.still_up(TOKEN)
        play.source._rules.rates._clients.pop("address 127.0.0.1")
        by_name = await play.refused("", TOKEN)

    assert [status for status, _, _ in refused] == [401, 401, 401, 401]
    assert by_name == (429, "too_many_requests", "a client may ask for 6 connections a minute")
    assert play.outcomes["rate"] == 1


async def test_an_address_that_asks_too_often() -> None:
    play = Play(handshakes_per_minute=2)

    async with play.running():
        await play.still_up()
        await play.still_up()
        answer = await asked(play.port, REQUEST + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"Retry-After: 30\r\n" in answer
    assert play.outcomes == {"accepted": 2, "rate": 1}


async def test_a_client_that_sends_too_much_is_read_slower(tmp_path: Path) -> None:
    """Nothing of it is lost, and the others are read meanwhile."""
    play = Play(
        tokens=str(tokens_file(tmp_path, f"app {TOKEN}\nother {OTHER}\n")), bytes_per_second=100_000, frame_bytes=MIB
    )
    long = '{"type":"ping","pad":"%s"}' % ("x" * 500_000)

    async with play.running():
        play.source._rules.rates.client("address 127.0.0.1", asyncio.get_running_loop().time()).bytes._level = 1e9
        began = asyncio.get_running_loop().time()
        async with play.client("", TOKEN) as client:
            for _ in range(3):
                await client.send(long)
            await until(lambda: play.fed == 3)
        took = asyncio.get_running_loop().time() - began
        await play.still_up(OTHER)
        await until(lambda: not play.source._admitted)
        slowed = play.source.counters.numbers()["steno_listen_slowed_seconds_total"][()]

    assert took > 2
    assert slowed > 2
    assert play.gaps == {}


# Messages -------------------------------------------------------------------------------------------------


@pytest.mark.deep
@pytest.mark.skipif(not DEEP, reason="takes long: make test-deep runs it")
async def test_a_client_that_sends_64_mib() -> None:
    play = Play()

    async with play.running(), undisturbed(play):
        reader, writer = await asyncio.open_connection("127.0.0.1", play.port)
        writer.write(REQUEST + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(WireFrame(Opcode.TEXT, b"x" * (64 * MIB)).serialize(mask=True))
        answer = await reader.readexactly(4)
        await until(lambda: play.closed)
        writer.transport.abort()
        gaps = play.gaps

    assert answer[2:] == struct.pack("!H", 1009)
    assert gaps == {"frame_too_big": 1}
    assert StreamClosed(source="push", reason="disconnected", code=1009, frames=0, gap="frame_too_big") in play.closed


async def test_a_client_that_sends_64_mib_in_fragments() -> None:
    play = Play(frame_bytes=MIB)

    async def fragments() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * MIB

    async with play.running(), undisturbed(play):
        async with play.client() as client:
            with suppress(ConnectionClosed):
                await client.send(fragments())
            with pytest.raises(ConnectionClosed):
                await client.recv()
        await until(lambda: play.closed)
        gaps = play.gaps

    assert gaps == {"frame_too_big": 1}


async def test_a_client_that_is_killed_in_the_middle_of_a_frame() -> None:
    play = Play()

    async with play.running(), undisturbed(play):
        reader, writer = await asyncio.open_connection("127.0.0.1", play.port)
        writer.write(REQUEST + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(WireFrame(Opcode.TEXT, PING).serialize(mask=True))
        writer.write(WireFrame(Opcode.TEXT, PING).serialize(mask=True)[:-5])
        await writer.drain()
        await until(lambda: play.fed == 2)
        writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: a reset
        writer.transport.abort()
        await until(lambda: play.closed)
        gaps = play.gaps

    assert gaps == {"broken_off": 1}
    assert StreamClosed(source="push", reason="disconnected", code=None, frames=1, gap="broken_off") in play.closed


async def test_fragments_with_control_frames_in_between() -> None:
    play = Play()
    parts = [WireFrame(Opcode.TEXT, PING[:10], fin=False), WireFrame(Opcode.PING, b"one"), WireFrame(Opcode.PONG, b"")]
    parts += [WireFrame(Opcode.CONT, b"", fin=False), WireFrame(Opcode.CONT, PING[10:], fin=True)]

    async with play.running(), undisturbed(play):
        reader, writer = await asyncio.open_connection("127.0.0.1", play.port)
        writer.write(REQUEST + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            for byte in part.serialize(mask=True):
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
        pong = await reader.readexactly(5)
        await until(lambda: play.fed == 2)
        writer.transport.abort()

    assert pong == b"\x8a\x03one"
    assert [frame.payload for frame in play.frames[:2]] == [PING, PING]


async def test_frames_that_are_against_the_protocol() -> None:
    """Unmasked, and a fragment of nothing: the stream ends with a gap. Behind the request they are one with it."""
    play = Play()
    unmasked = WireFrame(Opcode.TEXT, PING).serialize(mask=False)

    async with play.running(), undisturbed(play):
        for wrong in (unmasked, WireFrame(Opcode.CONT, PING).serialize(mask=True)):
            reader, writer = await asyncio.open_connection("127.0.0.1", play.port)
            writer.write(REQUEST + b"\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(wrong)
            assert (await reader.read())[2:4] == struct.pack("!H", 1002)
            writer.transport.abort()
        await until(lambda: len(play.closed) == 2)
        answer = await asked(play.port, REQUEST + b"\r\n" + unmasked)
        gaps = play.gaps

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert gaps == {"broken_off": 2}
    assert play.outcomes == {"accepted": 4, "bad_request": 1}


async def test_a_slow_reader_of_pongs() -> None:
    """Pongs that it does not take are not kept without a bound."""
    play = Play()
    ping = WireFrame(Opcode.PING, b"x" * 125).serialize(mask=True)

    async with play.running(), undisturbed(play):
        _, writer = await asyncio.open_connection("127.0.0.1", play.port, limit=1)
        writer.write(REQUEST + b"\r\n")
        with anyio.fail_after(20):
            try:
                while not play.closed:
                    writer.write(ping * 1000)
                    await writer.drain()
                    await asyncio.sleep(0)
            except ConnectionError:
                pass
        await until(lambda: play.closed)
        writer.transport.abort()
        gaps = play.gaps

    assert gaps == {"broken_off": 1}


async def relay(port: int, forwards: asyncio.Event) -> asyncio.Server:
    """Forward both ways to `port` while `forwards` is set; the bytes of silence are kept, and nobody is told."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await forwards.wait()
            writer.write(data)
        writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, upstream[1]), pump(upstream[0], writer), return_exceptions=True)

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def test_a_half_open_connection() -> None:
    """It is found by pings within the time that is configured."""
    play = Play(ping_interval_seconds=0.1, ping_timeout_seconds=0.1)
    forwards = asyncio.Event()
    forwards.set()

    async with play.running(), undisturbed(play):
        between = await relay(play.port, forwards)
        async with play.client(port=between.sockets[0].getsockname()[1]) as client:
            await client.send(PING)
            await until(lambda: play.fed == 2)
            await asyncio.sleep(0.5)
            assert not play.closed  # an honest one answers
            forwards.clear()
            await until(lambda: play.closed)
            gaps = play.gaps
            forwards.set()
            client.transport.abort()
        between.close()

    assert gaps == {"unresponsive": 1}
    assert StreamClosed(source="push", reason="disconnected", code=None, frames=1, gap="unresponsive") in play.closed


# TLS ------------------------------------------------------------------------------------------------------


def tls_of(folder: Path, pair: tuple[Path, Path], client_ca: Path | None = None) -> dict[str, str]:
    """Put a certificate in place, and return what is configured."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(pair[0].read_bytes())
    key.write_bytes(pair[1].read_bytes())
    shown = {"client_ca": str(client_ca)} if client_ca else {}
    return {"certificate": str(certificate), "key": str(key), **shown}


async def test_a_bad_certificate_and_one_that_is_mended(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former one serves meanwhile, and the metric says until when it is valid."""
    monkeypatch.setattr("steno.certificates.LOOK_SECONDS", 0.0)
    play = Play(tls=tls_of(tmp_path, authority.issue()))
    trusting = ssl.create_default_context(cafile=authority.certificate)

    async with play.running(), undisturbed(play, ssl=trusting):
        first = play.source.counters.numbers()["steno_tls_certificate_expiry_timestamp_seconds"]
        tls_of(tmp_path, authority.issue(begins="20200101000000Z", ends="20210101000000Z"))
        await play.still_up(ssl=trusting)
        (tmp_path / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\n")
        await play.still_up(ssl=trusting)
        ready = play.source.ready
        tls_of(tmp_path, authority.issue(ends="20501231235959Z"))
        await play.still_up(ssl=trusting)
        last = play.source.counters.numbers()["steno_tls_certificate_expiry_timestamp_seconds"]
        loads = play.source.counters.numbers()["steno_tls_certificate_loads_total"]

    assert ready
    assert first != last
    assert {reason[0]: count for reason, count in loads.items() if count} == {
        "loaded": 2,
        "expired": 1,
        "malformed": 1,
    }


async def test_an_expired_certificate_at_the_start(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source is not ready, says why, and listens once it is mended."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    expired = authority.issue(begins="20200101000000Z", ends="20210101000000Z")
    play = Play(tls=tls_of(tmp_path, expired))

    async with play.running(ready=False):
        await until(lambda: play.source.problem)
        problem, ready = play.source.problem, play.source.ready
        tls_of(tmp_path, authority.issue())
        await until(lambda: play.source.ready)
        await play.still_up(ssl=ssl.create_default_context(cafile=authority.certificate))

    assert problem
    assert (problem.reason, problem.detail) == ("certificate", f"{tmp_path / 'cert.pem'}: certificate has expired")
    assert ready is False


async def test_a_client_without_a_certificate_and_one_of_another_authority(
    tmp_path: Path, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    play = Play(tls=tls_of(tmp_path, authority.issue(), authority.certificate))
    foreign = Authority(tmp_path_factory.mktemp("foreign"))

    def shows(issuer: Authority | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=authority.certificate)
        if issuer:
            context.load_cert_chain(*issuer.issue(use="clientAuth"))
        return context

    async with play.running(), undisturbed(play, ssl=shows(authority)):
        for context in (shows(None), shows(foreign)):
            with pytest.raises((OSError, InvalidMessage)):
                await play.refused(ssl=context)
        await until(lambda: play.outcomes.get("tls") == 2)

    assert play.outcomes == {"accepted": 2, "tls": 2}


async def test_a_client_that_speaks_no_tls_where_it_must(tmp_path: Path, authority: Authority) -> None:
    play = Play(tls=tls_of(tmp_path, authority.issue()))

    async with play.running(), undisturbed(play, ssl=ssl.create_default_context(cafile=authority.certificate)):
        await asked(play.port, REQUEST + b"\r\n")
        await until(lambda: play.outcomes.get("tls"))

    assert play.outcomes == {"accepted": 2, "tls": 1}


async def test_other_certificates_of_clients_hold_at_once_also_where_they_are_bad(
    tmp_path: Path, authority: Authority
) -> None:
    """Who asks for certificates of clients from now on is not served by what asked for none."""
    files = tls_of(tmp_path, authority.issue())
    play = Play(tls=files)
    trusting = ssl.create_default_context(cafile=authority.certificate)

    async with play.running():
        await play.still_up(ssl=trusting)
        with capture_logs():
            await play.reconfigure(tls=Tls(**files, client_ca=str(tmp_path / "none")))
        with pytest.raises((OSError, InvalidMessage)):
            await play.refused(ssl=trusting)
        problem, ready = play.source.problem, play.source.ready
        await play.reconfigure(tls=Tls(**files))
        await play.still_up(ssl=trusting)
        await play.reconfigure(tls=None)
        await play.still_up()
        expiry = play.source.counters.numbers()["steno_tls_certificate_expiry_timestamp_seconds"]

    assert problem
    assert (problem.reason, ready) == ("certificate", False)
    assert play.outcomes == {"accepted": 3, "certificate": 1}
    assert expiry == {}


async def test_tls_that_is_bad_does_not_fall_back_to_none(tmp_path: Path) -> None:
    play = Play()

    async with play.running():
        with capture_logs():
            await play.reconfigure(tls=Tls(certificate=str(tmp_path / "none"), key=str(tmp_path / "none")))
        assert await asked(play.port, REQUEST + b"\r\n") == b""
        await play.reconfigure(tls=None)
        await play.still_up()

    assert play.outcomes == {"certificate": 1, "accepted": 1}


# A log that cannot be written -----------------------------------------------------------------------------


async def test_a_blocked_audit_log() -> None:
    """Nothing is read and nobody is closed, for longer than pings are waited for; then all goes on where it was."""
    play = Play(ping_interval_seconds=0.05, ping_timeout_seconds=0.05, frame_bytes=MIB)
    sent = [b'{"type":"ping","n":%d}' % number for number in range(5000)]

    async with play.running(), play.client() as client, play.client() as idle:
        await client.send(sent[0])
        await until(lambda: play.fed == 1)
        play.pipeline.hold()

        async def send() -> None:
            for message in sent[1:]:
                await client.send(message)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await asyncio.sleep(0.5)
            blocked = play.fed
            ends = list(play.closed)
            play.pipeline.release()
            await until(lambda: play.fed == len(sent))
        await idle.send(PING)
        await until(lambda: play.fed == len(sent) + 1)
        assert play.source.ready

    assert blocked <= 2
    assert ends == []
    assert [frame.payload for frame in play.frames[:5000]] == sent


async def test_a_thousand_connections_while_the_log_is_blocked() -> None:
    """What they push stays with them: what is read ahead keeps to its budget."""
    play = Play(frame_bytes=MIB)
    long = b'{"type":"ping","pad":"%s"}' % (b"x" * 200_000)
    budget = play.sessions.read_ahead

    async with play.running(), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(play.client()) for _ in range(300)]
        play.pipeline.hold()
        async with anyio.create_task_group() as tasks:
            for client in clients:
                tasks.start_soon(client.send, long)
            await asyncio.sleep(1)
            reserved = budget.reserved
            held = sum(len(each.protocol.reader.buffer) for each in play.source._admitted)
            play.pipeline.release()
            await until(lambda: play.fed == 300)
        for client in clients:
            client.transport.abort()

    assert reserved <= 48 * MIB
    assert held <= 48 * MIB
