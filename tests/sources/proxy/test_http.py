"""HTTP through a proxy: what passes, what is refused, and who goes first when one side is lost."""

import asyncio
from contextlib import suppress
from itertools import count

import anyio
import pytest

from steno.sources.proxy.heads import RequestHead, ResponseHead
from tests.sources.helpers import until
from tests.sources.proxy.helpers import ask, client, proxied, read_request, reply, replying, talking

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


GET = b"GET /v1/models?limit=2 HTTP/1.1\r\nHost: proxy.example\r\n\r\n"
LAST = b"GET /v1/models HTTP/1.1\r\nHost: proxy.example\r\nConnection: close\r\n\r\n"


async def test_headers_query_and_body_pass_and_host_is_the_providers() -> None:
    heard: list[bytes] = []
    async with (
        talking(replying(reply(b"{}", "201 Made", "X-Request-Id: req_1", "Set-Cookie: a=1"), heard)) as url,
        proxied(url) as play,
    ):
        answer = await ask(
            play.port,
            b"POST /v1/realtime/calls?model=gpt HTTP/1.1\r\nHost: proxy.example\r\nAuthorization: Bearer sk-1\r\n"
            b"OpenAI-Beta: a\r\nOpenAI-Beta: b\r\nCookie: c=1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        )
    assert answer.startswith(b"HTTP/1.1 201 Made\r\n")
    assert b"\r\nX-Request-Id: req_1\r\n" in answer
    assert b"\r\nSet-Cookie: a=1\r\n" in answer
    assert answer.endswith(b"\r\n\r\n{}")
    assert heard == [
        b"POST /v1/realtime/calls?model=gpt HTTP/1.1\r\nHost: " + url.removeprefix("http://").encode() + b"\r\n"
        b"Authorization: Bearer sk-1\r\nOpenAI-Beta: a\r\nOpenAI-Beta: b\r\nCookie: c=1\r\nContent-Length: 3\r\n\r\nabc"
    ]


async def test_steno_says_nothing_of_itself() -> None:
    heard: list[bytes] = []
    async with talking(replying(reply(), heard)) as url, proxied(url) as play:
        answer = await ask(play.port, LAST)
    for name in (b"via", b"forwarded", b"x-forwarded-for", b"server", b"steno"):
        assert name not in heard[0].lower()
        assert name not in answer.lower()


async def test_the_configured_path_stands_before_the_clients() -> None:
    heard: list[bytes] = []
    async with talking(replying(reply(), heard)) as url, proxied(f"{url}/openai/") as play:
        await ask(play.port, LAST)
    assert heard[0].startswith(b"GET /openai/v1/models HTTP/1.1\r\n")


async def test_headers_of_one_hop_do_not_pass() -> None:
    heard: list[bytes] = []
    answered = reply(b"", "200 OK", "Connection: X-Own", "X-Own: 1", "Keep-Alive: timeout=5", "Proxy-Authenticate: x")
    async with talking(replying(answered, heard)) as url, proxied(url) as play:
        answer = await ask(
            play.port,
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 1\r\n"
            b"TE: trailers\r\nProxy-Authorization: Basic x\r\nUpgrade: h2c\r\nX-Kept: 1\r\n\r\n",
        )
    request = heard[0].lower()
    for name in (b"x-secret", b"keep-alive", b"te:", b"proxy-authorization", b"upgrade", b"connection"):
        assert name not in request
    assert b"x-kept: 1" in request
    for name in (b"x-own", b"keep-alive", b"proxy-authenticate"):
        assert name not in answer.lower()


async def test_connection_takes_out_neither_host_nor_credentials() -> None:
    heard: list[bytes] = []
    async with talking(replying(reply(), heard)) as url, proxied(url) as play:
        await ask(
            play.port,
            b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nConnection: close, authorization, host\r\n\r\n",
        )
    assert b"Authorization: Bearer x" in heard[0]
    assert heard[0].count(b"Host:") == 1


POST = b"POST / HTTP/1.1\r\nHost: a\r\n"

REFUSED = {
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "the same length twice": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "a list of lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
    "a signed length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
    "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\nX-B: c\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\rX-B: c\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: \x00\r\n\r\n",
    "space before the colon": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\na",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "dots": b"GET /v1/../admin HTTP/1.1\r\nHost: a\r\n\r\n",
    "a dot": b"GET /v1/./admin HTTP/1.1\r\nHost: a\r\n\r\n",
    "encoded dots": b"GET /v1/%2e%2E/admin HTTP/1.1\r\nHost: a\r\n\r\n",
    "mixed dots": b"GET /v1/.%2e HTTP/1.1\r\nHost: a\r\n\r\n",
    "dots behind an encoded slash": b"GET /v1%2f..%2fadmin HTTP/1.1\r\nHost: a\r\n\r\n",
    "dots behind a backslash": b"GET /v1\\..\\admin HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute form": b"GET http://elsewhere.example/ HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n",
    "two slashes": b"GET //elsewhere.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "authority form": b"GET elsewhere.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment": b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", REFUSED.values(), ids=REFUSED)
async def test_what_could_be_read_in_two_ways_is_refused(request_bytes: bytes) -> None:
    heard: list[bytes] = []
    async with talking(replying(reply(), heard)) as url, proxied(url) as play:
        answer = await ask(play.port, request_bytes)
        assert sum(play.counts("steno_proxy_refused_total").values()) == 1
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1 + answer.count(b"no HTTP/1.1 ")
    assert not heard


async def test_a_coding_that_is_not_known_is_refused() -> None:
    async with talking(replying(reply())) as url, proxied(url) as play:
        answer = await ask(
            play.port, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
        )
    assert answer.startswith(b"HTTP/1.1 501 ")


async def test_a_long_head_is_refused() -> None:
    async with talking(replying(reply())) as url, proxied(url) as play:
        answer = await ask(play.port, b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 70_000)
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_body_that_is_no_chunks_ends_the_request() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with talking(talk) as url, proxied(url) as play:
        answer = await ask(play.port, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_reply_that_says_its_length_in_two_ways_does_not_pass() -> None:
    bad = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    async with talking(replying(bad)) as url, proxied(url) as play:
        answer = await ask(play.port, GET)
    assert answer.startswith(b"HTTP/1.1 502 ")


async def test_a_reply_that_is_no_http_does_not_pass() -> None:
    async with talking(replying(b"-ERR what?\r\n\r\n")) as url, proxied(url) as play:
        answer = await ask(play.port, GET)
    assert answer.startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "404 Not Found", "429 Too Many Requests", "500 Internal Server Error"]
)
async def test_errors_of_the_provider_pass_with_their_bodies(status: str) -> None:
    body = b'{"error":{"message":"no"}}'
    async with (
        talking(replying(reply(body, status, "Retry-After: 7", "X-Should-Retry: true"))) as url,
        proxied(url) as play,
    ):
        answer = await ask(play.port, LAST)
    assert answer.startswith(f"HTTP/1.1 {status}\r\n".encode())
    assert b"\r\nRetry-After: 7\r\n" in answer
    assert answer.endswith(b"\r\n\r\n" + body)


async def test_redirects_pass_and_are_not_followed() -> None:
    heard: list[bytes] = []
    away = reply(b"", "307 Temporary Redirect", "Location: https://elsewhere.example/x")
    async with talking(replying(away, heard)) as url, proxied(url) as play:
        answer = await ask(play.port, LAST)
    assert b"\r\nLocation: https://elsewhere.example/x\r\n" in answer
    assert len(heard) == 1


async def test_a_location_at_the_provider_leads_to_the_proxy() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await read_request(reader)
        host = head.split(b"Host: ")[1].split(b"\r\n")[0].decode()
        writer.write(reply(b"v=0", "201 Created", f"Location: http://{host}/base/v1/realtime/calls/rtc_1?x=2"))
        await writer.drain()
        await reader.read()

    async with talking(talk) as url, proxied(f"{url}/base") as play:
        answer = await ask(play.port, LAST)
    assert b"\r\nLocation: /v1/realtime/calls/rtc_1?x=2\r\n" in answer


# Bodies -----------------------------------------------------------------------------------------------------


async def test_a_reply_to_head_has_no_body_and_its_length() -> None:
    async with talking(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n")) as url, proxied(url) as play:
        answer = await ask(play.port, b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert b"\r\nContent-Length: 42\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_replies_without_a_body(status: str) -> None:
    answered = f"HTTP/1.1 {status}\r\nETag: x\r\n\r\n".encode()
    async with talking(replying(answered)) as url, proxied(url) as play, client(play.port) as connection:
        for _ in range(2):
            await connection.say(GET)
            head = await connection.hear(b"\r\n\r\n")
            assert head.startswith(f"HTTP/1.1 {status}\r\n".encode())
            assert b"transfer-encoding" not in head.lower()


async def test_replies_that_come_before_the_reply_pass() -> None:
    answered = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + reply(b"a")
    async with talking(replying(answered)) as url, proxied(url) as play:
        answer = await ask(play.port, LAST)
    assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_the_provider_says_whether_it_wants_a_body() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nExpect: 100-continue\r\n" in head
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(reply(await reader.readexactly(3)))
        await writer.drain()
        await reader.read()

    async with talking(talk) as url, proxied(url) as play, client(play.port) as connection:
        await connection.say(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert (await connection.hear(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 Continue\r\n")
        await connection.say(b"abc")
        assert (await connection.hear(b"abc")).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_chunks_pass_both_ways_as_they_come_and_trailers_do_not() -> None:
    """Each side waits for the other's chunk before it sends its next one: nothing is collected in between."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            chunk = await reader.readuntil(b"\r\n") + await reader.readuntil(b"\r\n")
            writer.write(chunk)
            await writer.drain()
        rest = await reader.readuntil(b"\r\n\r\n")
        assert rest == b"0\r\n\r\n"
        writer.write(b"0\r\nX-Trailer: 1\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with talking(talk) as url, proxied(url) as play, client(play.port) as connection:
        await connection.say(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            await connection.say(b"4\r\nab%d\n\r\n" % number)
            if number == 0:
                assert b"chunked" in await connection.hear(b"\r\n\r\n")
            assert await connection.hear(b"\n\r\n") == b"4\r\nab%d\n\r\n" % number
        await connection.say(b"0\r\nX-Trailer: 2\r\n\r\n")
        assert await connection.hear(b"\r\n\r\n") == b"0\r\n\r\n"


async def test_a_reply_without_a_length_ends_with_its_connection() -> None:
    async with talking(replying(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True)) as url, proxied(url) as play:
        answer = await ask(play.port, LAST)
        old = await ask(play.port, b"GET / HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n9\r\nall of it\r\n0\r\n\r\n")
    assert old.endswith(b"\r\n\r\nall of it")


async def test_a_reader_that_is_slow_makes_the_provider_wait() -> None:
    """Of 64 MiB that nobody takes the provider gets rid of what the sockets hold, and no more."""
    sent = 0
    piece = b"x" * 65536

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1024 * len(piece)))
        for _ in range(1024):
            writer.write(piece)
            await writer.drain()
            sent += 1
        await reader.read()

    async with talking(talk) as url, proxied(url) as play, client(play.port) as connection:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # of what reads
        await connection.say(GET)
        stood = -1
        while stood != sent or not sent:
            stood = sent
            await anyio.sleep(0.1)
        assert sent < 512
        connection.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
        await connection.hear(b"\r\n\r\n")
        assert len(await connection.hear_exactly(1024 * len(piece))) == 64 * 1024 * 1024


async def test_a_provider_that_is_slow_makes_the_client_wait() -> None:
    go = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        await reader.readexactly(1024 * 65536)
        writer.write(reply(b"ok"))
        await writer.drain()
        await reader.read()

    async with talking(talk) as url, proxied(url) as play, client(play.port) as connection:
        connection.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (1024 * 65536))
        sent = 0

        async def send() -> None:
            nonlocal sent
            for _ in range(1024):
                await connection.say(b"x" * 65536)
                sent += 1

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            stood = -1
            while stood != sent or not sent:
                stood = sent
                await anyio.sleep(0.1)
            assert sent < 512
            go.set()
        assert (await connection.hear(b"ok")).startswith(b"HTTP/1.1 200 OK")


# Connections ------------------------------------------------------------------------------------------------


async def test_a_client_has_a_connection_to_the_provider_of_its_own() -> None:
    numbers = count(1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(numbers)
        while True:
            await read_request(reader)
            writer.write(reply(b"%d" % number))
            await writer.drain()

    async with talking(talk) as url, proxied(url) as play, client(play.port) as one, client(play.port) as two:
        for _ in range(3):
            for number, connection in ((b"1", one), (b"2", two)):
                await connection.say(GET)
                await connection.hear(b"\r\n\r\n")
                assert await connection.hear_exactly(1) == number
    assert next(numbers) == 3


async def test_requests_that_come_at_once_are_answered_in_order() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(reader)
            writer.write(reply(head.split(b" ")[1]))
            await writer.drain()

    async with talking(talk) as url, proxied(url) as play:
        answer = await ask(play.port, b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(3)) + LAST)
    assert [part[:2] for part in answer.split(b"\r\n\r\n")[1:4]] == [b"/0", b"/1", b"/2"]
    assert answer.endswith(b"\r\n\r\n/v1/models")


async def test_a_provider_that_closes_early_closes_the_client() -> None:
    """What came passes; the end of the body does not, since there was none."""
    async with (
        talking(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart", close=True)) as url,
        proxied(url) as play,
    ):
        answer = await ask(play.port, GET)
        chunked = replying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", close=True)
        async with talking(chunked) as other, proxied(other) as second:
            broken = await ask(second.port, GET)
    assert answer.endswith(b"\r\n\r\npart")
    assert broken.endswith(b"\r\n\r\n4\r\npart\r\n")


async def test_a_provider_that_closes_before_it_answers() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with talking(talk) as url, proxied(url) as play:
        answer = await ask(play.port, GET)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"the provider closed the connection" in answer


async def test_a_provider_that_closes_instead_of_a_further_answer() -> None:
    """So the client sees what it would have seen, and sends the request again: it may have come too late."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(reply(b"first"))
        await read_request(reader)

    async with talking(talk) as url, proxied(url) as play, client(play.port) as one:
        await one.say(GET)
        await one.hear(b"first")
        await one.say(GET)
        assert await one.hear_all() == b""


@pytest.mark.parametrize("part", [b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])
async def test_a_provider_that_closes_in_the_middle_of_a_body(part: bytes) -> None:
    async with talking(replying(b"HTTP/1.1 200 OK\r\n" + part, close=True)) as url, proxied(url) as play:
        answer = await ask(play.port, GET)
    assert answer.endswith(part)


async def test_a_provider_that_closes_between_requests_closes_the_client() -> None:
    """So the client sees what it would have seen without steno, and opens another one."""
    async with talking(replying(reply(b"a"), close=True)) as url, proxied(url) as play:
        assert (await ask(play.port, GET)).endswith(b"\r\n\r\na")


async def test_an_answer_that_comes_before_the_end_of_the_request_passes() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(b"too big", "413 Content Too Large"))
        await writer.drain()
        await reader.read()

    async with talking(talk) as url, proxied(url) as play:
        answer = await ask(play.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc")
    assert answer.endswith(b"too big")
    assert b"\r\nConnection: close\r\n" in answer


async def test_a_client_that_vanishes_ends_its_request() -> None:
    ended = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        with suppress(OSError):
            await reader.read()
        ended.set()

    async with talking(talk) as url, proxied(url) as play:
        async with client(play.port) as connection:
            await connection.say(GET)
            await connection.hear(b"1\r\na\r\n")
            connection.vanish()
        with anyio.fail_after(5):
            await ended.wait()
        await until(lambda: play.counts("steno_proxy_connections") == {})


async def test_a_provider_that_is_not_there() -> None:
    async with talking(replying(reply())) as gone:
        pass
    async with proxied(gone) as play:
        answer = await ask(play.port, GET)
        assert play.counts("steno_connect_attempts_total") == {("refused",): 1}
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"(refused)" in answer


async def test_a_slow_head_is_given_up() -> None:
    async with talking(replying(reply())) as url, proxied(url, handshake_seconds=0.05) as play:
        assert (await ask(play.port, b"GET / HT")).startswith(b"HTTP/1.1 408 ")
        assert await ask(play.port, b"") == b""


async def test_empty_lines_do_not_hold_a_connection() -> None:
    async with talking(replying(reply())) as url, proxied(url, handshake_seconds=0.2) as play, client(play.port) as one:

        async def bore() -> None:
            with suppress(OSError):
                while True:
                    await one.say(b"\r\n")
                    await anyio.sleep(0.02)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bore)
            with suppress(OSError):  # what it said last may find the connection closed
                assert await one.hear_all() == b""
            tasks.cancel_scope.cancel()


# Reading along ----------------------------------------------------------------------------------------------


class Seen:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.body = b""
        self.complete: bool | None = None

    def data(self, data: bytes) -> None:
        self.body += data

    def end(self, *, complete: bool) -> None:
        self.complete = complete


async def test_a_reply_can_be_read_along() -> None:
    seen = Seen()
    asked: list[tuple[RequestHead, ResponseHead]] = []

    def observe(request: RequestHead, response: ResponseHead) -> Seen:
        asked.append((request, response))
        return seen

    answered = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    async with talking(replying(answered)) as url, proxied(url) as play:
        play.source.observe = observe
        await ask(play.port, LAST)
    assert (seen.body, seen.complete) == (b"abc", True)
    assert asked[0][0].target == b"/v1/models"
    assert (b"X-A", b"b") in asked[0][1].headers


async def test_a_reply_that_breaks_off_is_said_to_be_incomplete() -> None:
    seen = Seen()
    async with (
        talking(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart", close=True)) as url,
        proxied(url) as play,
    ):
        play.source.observe = lambda _request, _response: seen
        await ask(play.port, LAST)
    assert (seen.body, seen.complete) == (b"part", False)


class Failing(Seen):
    def data(self, data: bytes) -> None:
        raise RuntimeError("a mistake")


async def test_a_reply_passes_when_reading_along_fails() -> None:
    seen = Failing()
    async with talking(replying(reply(b"whole"))) as url, proxied(url) as play:
        play.source.observe = lambda _request, _response: seen
        assert (await ask(play.port, LAST)).endswith(b"whole")
        play.source.observe = lambda _request, _response: 1 / 0  # type: ignore[assignment,return-value]  # it fails
        assert (await ask(play.port, LAST)).endswith(b"whole")
    assert seen.complete is False
