"""A proxy as a source: listening, TLS, floods, draining, other configurations, and what it keeps to itself."""

import asyncio
import errno
import gc
import os
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import anyio
import anyio.lowlevel
import msgspec
import pytest
import structlog
from structlog.testing import CapturingLogger
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from steno.config.sources.base import Tls
from steno.config.sources.proxy import ProxySource as ProxyConfig
from steno.sources import sockets
from steno.sources.protocols import Problem
from steno.sources.proxy import listener, source
from steno.sources.proxy.listener import bind
from steno.sources.proxy.target import Upstream
from tests.processes import listening_ports
from tests.sources.certificates import Authority
from tests.sources.helpers import PATIENCE_SECONDS, PING, until
from tests.sources.proxy.helpers import Play, ask, client, proxied, read_request, reply, replying, talking
from tests.sources.proxy.test_websocket import echo, frame, opened, provider, saying

pytestmark = pytest.mark.anyio

LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def until_problem(play: Play) -> Problem:
    """Wait until the proxy says why it does not listen."""
    await until(lambda: play.source.problem)
    assert play.source.problem
    assert not play.source.ready
    return play.source.problem


# TLS --------------------------------------------------------------------------------------------------------


async def test_tls_is_served_and_verified(tmp_path: Path, authority: Authority) -> None:
    """On both sides, with the protocol agreed on: HTTP/1.1, which is all that is spoken."""
    served = [tmp_path / "tls.pem", tmp_path / "tls.key"]
    for file, made in zip(served, authority.issue(), strict=True):
        shutil.copy(made, file)
    names: list[str | None] = []
    upstream = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    upstream.load_cert_chain(*authority.issue())
    upstream.set_alpn_protocols(["h2", "http/1.1"])
    upstream.sni_callback = lambda _ssl, name, _context: names.append(name)
    trusting = ssl.create_default_context(cafile=authority.certificate)
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    agreed: list[str | None] = []

    async def handle(connection) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  # as `echo`
        agreed.append(connection.transport.get_extra_info("ssl_object").selected_alpn_protocol())
        await echo(connection)

    async with serve(handle, "127.0.0.1", 0, ssl=upstream, max_size=None) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        tls = Tls(certificate=str(served[0]), key=str(served[1]))
        config = {"tls": tls, "ca_file": str(authority.certificate)}
        async with proxied(f"https://localhost:{port}", **config) as play:
            async with connect(f"wss://localhost:{play.port}", ssl=trusting, max_size=None) as client_:
                agreed.append(client_.transport.get_extra_info("ssl_object").selected_alpn_protocol())
                for message in ("a", "x" * 3_000_000):
                    await client_.send(message)
                    assert await client_.recv() == message
            await until(lambda: play.closed)
            assert play.counts("steno_upstream_certificate_expiry_timestamp_seconds") == {(): 4102444799}
            assert ("loaded",) in play.counts("steno_tls_certificate_loads_total")
    assert agreed == ["http/1.1", "http/1.1"]
    assert names == ["localhost"]
    assert play.closed[0].gap is None


async def test_a_provider_that_cannot_be_verified_is_not_spoken_to(authority: Authority) -> None:
    upstream = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    upstream.load_cert_chain(*authority.issue())
    async with serve(echo, "127.0.0.1", 0, ssl=upstream) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        async with proxied(f"https://127.0.0.1:{port}") as play:
            assert (await ask(play.port, LAST)).startswith(b"HTTP/1.1 502 ")
            assert play.counts("steno_connect_attempts_total") == {("certificate",): 1}


async def test_a_file_of_authorities_that_cannot_be_used_is_named(
    tmp_path: Path, authority: Authority, logged: CapturingLogger
) -> None:
    """It is read again when it changes: no restart is needed."""
    upstream = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    upstream.load_cert_chain(*authority.issue())
    trusted = tmp_path / "authorities.pem"
    async with serve(echo, "127.0.0.1", 0, ssl=upstream) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        async with proxied(f"https://127.0.0.1:{port}", ca_file=str(trusted)) as play:
            assert (await ask(play.port, LAST)).startswith(b"HTTP/1.1 502 ")
            trusted.write_text("nonsense")
            assert (await ask(play.port, LAST)).startswith(b"HTTP/1.1 502 ")
            assert play.counts("steno_connect_attempts_total") == {("certificate",): 2}
            shutil.copy(authority.certificate, trusted)
            assert (await ask(play.port, LAST)).startswith(b"HTTP/1.1 426 ")
    assert f"{trusted}: cannot be used: no such file or directory" in repr(logged.calls)
    assert f"{trusted}: cannot be used: holds no valid certificates" in repr(logged.calls)


async def test_a_provider_that_is_not_there_is_said_once_until_it_was(logged: CapturingLogger) -> None:
    """Clients try again and again, and each attempt is counted."""
    async with talking(replying(reply())) as gone:
        pass
    async with talking(replying(reply())) as there, proxied(gone) as play:
        for upstream in (gone, gone, there, gone, gone):
            play.source.upstream = Upstream.of(upstream)
            await ask(play.port, LAST)
        assert play.counts("steno_connect_attempts_total") == {("refused",): 4, ("connected",): 1}
    said = [call for call in logged.calls if "cannot connect" in repr(call)]
    assert len(said) == 2
    assert "connect call failed" in repr(said[0])


async def test_a_client_that_vanishes_while_the_provider_is_connected_to_leaves_nothing() -> None:
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        assert await reader.read() != b"GET"

    async with (
        talking(silent) as url,
        proxied(
            url.replace("http:", "https:"),  # TLS never comes
            open_timeout_seconds=0.5,
        ) as play,
    ):
        async with client(play.port) as connection:
            await connection.say(LAST)
            await arrived.wait()
            connection.vanish()
        await until(lambda: play.counts("steno_proxy_connections") == {})
        assert loop.is_running()


async def test_a_client_that_vanishes_at_any_moment_leaves_no_socket() -> None:
    """No collector of garbage closes what is forgotten: there may be none for hours."""
    begun, ended = 0, 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal begun, ended
        begun += 1
        with suppress(OSError):
            while await reader.read(65536):
                pass
        ended += 1

    gc.disable()
    try:
        async with talking(count) as url, proxied(url) as play:
            for turns in range(40):
                async with client(play.port) as connection:
                    connection.writer.write(LAST)
                    for _ in range(turns):
                        await anyio.lowlevel.checkpoint()
                    connection.vanish()
            await until(lambda: play.counts("steno_proxy_connections") == {})
            await until(lambda: begun == ended)
        assert begun
    finally:
        gc.enable()


async def test_a_certificate_is_served_anew_when_its_files_change(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad one leaves the former in use; calls go on whatever happens to it."""
    monkeypatch.setattr("steno.certificates.LOOK_SECONDS", 0)
    served = [tmp_path / "tls.pem", tmp_path / "tls.key"]

    def put() -> None:
        for file, made in zip(served, authority.issue(), strict=True):
            shutil.copy(made, file)

    trusting = ssl.create_default_context(cafile=authority.certificate)

    async def serial(port: int) -> str:
        reader, writer = await asyncio.open_connection("localhost", port, ssl=trusting)
        shown = writer.get_extra_info("peercert")
        writer.close()
        assert await reader.read() == b""
        return str(shown["serialNumber"])

    put()
    tls = Tls(certificate=str(served[0]), key=str(served[1]))
    async with (
        provider(echo) as url,
        proxied(url, tls=tls) as play,
        connect(f"wss://localhost:{play.port}", ssl=trusting) as client_,
    ):
        first = await serial(play.port)
        put()
        second = await serial(play.port)
        served[0].write_text("nonsense")
        assert first != second
        assert await serial(play.port) == second
        await client_.send("still")
        assert await client_.recv() == "still"
        assert play.source.ready


async def test_a_certificate_that_is_missing_is_waited_for(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []

    def wait(_: object) -> float:
        tries.append(0.01)
        return tries[-1]

    monkeypatch.setattr("steno.sources.proxy.source.Backoff.wait", wait)
    files = [tmp_path / "tls.pem", tmp_path / "tls.key"]
    tls = Tls(certificate=str(files[0]), key=str(files[1]))
    play = Play(ProxyConfig(name="front", kind="proxy", listen="127.0.0.1:0", upstream="http://127.0.0.1:1", tls=tls))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(play.source.run)
        problem = await until_problem(play)
        assert problem.reason == "certificate"
        assert str(files[0]) in problem.detail
        await until(lambda: len(tries) > 3)
        assert (
            sum(play.source.counters.numbers()["steno_tls_certificate_loads_total"].values()) == 1
        )  # and was logged once
        for file, made in zip(files, authority.issue(), strict=True):
            shutil.copy(made, file)
        await until(lambda: play.source.ready)
        assert play.source.problem is None
        await play.source.stop()


async def test_clients_whose_tls_fails_are_counted_and_told_of_now_and_then(
    tmp_path: Path, authority: Authority, logged: CapturingLogger
) -> None:
    """Two speak no TLS. Who leaves before is not one of them."""
    certificate, key = authority.issue()
    tls = Tls(certificate=str(certificate), key=str(key))
    async with proxied("http://127.0.0.1:1", tls=tls) as play:
        async with client(play.port) as early:
            early.vanish()
        for _ in range(2):
            async with client(play.port) as plain:
                await plain.say(LAST)
                assert await plain.hear_all() == b""
        await until(lambda: play.counts("steno_proxy_refused_total") == {("tls",): 2})
    (told,) = [str(call.args[0]) for call in logged.calls if "reason='tls'" in str(call.args)]
    assert told == "source='front' reason='tls' detail='http request' event='client refused'"


async def test_tls_that_does_not_come_is_given_up(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue()
    tls = Tls(certificate=str(certificate), key=str(key))
    async with proxied("http://127.0.0.1:1", tls=tls, handshake_seconds=0.1) as play:
        assert await ask(play.port, b"") == b""
        assert await ask(play.port, LAST) == b""


# Addresses --------------------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(source, "WAIT_MAX_SECONDS", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        play = Play(ProxyConfig(name="front", kind="proxy", listen=address, upstream="http://127.0.0.1:1"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.source.run)
            problem = await until_problem(play)
            assert (problem.reason, problem.detail) == ("address_in_use", f"{address}: address already in use")
            taken.close()
            await until(lambda: play.source.ready)
            assert play.source.problem is None
            await play.source.stop()
            assert not play.source.ready


@pytest.mark.parametrize("listen", ["[::1]:0", "localhost:0"])
async def test_ipv6_is_spoken_on_both_sides(listen: str) -> None:
    try:
        server = await serve(echo, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with proxied(f"http://[::1]:{port}", listen=listen) as play:
            host = "[::1]" if listen.startswith("[") else "localhost"
            async with connect(f"ws://{host}:{play.port}") as client_:
                await client_.send("six")
                assert await client_.recv() == "six"


async def test_an_address_that_does_not_answer_does_not_hold_up_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two addresses of the provider the first one is dead; the second one is tried after a moment."""
    loop = asyncio.get_running_loop()
    real, dead = loop.sock_connect, "127.0.0.2"

    async def resolved(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in (dead, "127.0.0.1")]

    async def slow(sock: socket.socket, address: tuple[str, int]) -> None:
        if address[0] == dead:
            await anyio.sleep_forever()
        await real(sock, address)

    async with provider(echo) as url, proxied(url.replace("127.0.0.1", "two.example")) as play:
        monkeypatch.setattr(loop, "getaddrinfo", resolved)
        monkeypatch.setattr(loop, "sock_connect", slow)
        reader, writer = await asyncio.wait_for(_plain(play.port), PATIENCE_SECONDS)
        writer.write(LAST)
        with anyio.fail_after(5):
            assert (await reader.read()).startswith(b"HTTP/1.1 426 ")
        writer.close()


async def _plain(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    sock = socket.create_connection(("127.0.0.1", port))
    return await asyncio.open_connection(sock=sock)


async def test_a_provider_that_does_not_answer_is_given_up() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        try:
            async with proxied(f"http://127.0.0.1:{port}", open_timeout_seconds=0.1) as play:
                assert (await ask(play.port, LAST)).startswith(b"HTTP/1.1 504 ")
                assert play.counts("steno_connect_attempts_total") == {("timeout",): 1}
        finally:
            for filler in fillers:
                filler.close()


async def test_accepting_goes_on_after_the_machine_was_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SHORT_SECONDS", 0)
    loop = asyncio.get_running_loop()
    real, fails = loop.sock_accept, [errno.EMFILE, errno.ECONNABORTED]

    async def short(sock: socket.socket) -> tuple[socket.socket, object]:
        if fails:
            raise OSError(fails.pop(), "short")
        return await real(sock)

    async with talking(replying(reply(b"ok"))) as url:
        monkeypatch.setattr(loop, "sock_accept", short)
        async with proxied(url) as play:
            assert (await ask(play.port, LAST)).endswith(b"ok")
    assert not fails


@pytest.mark.parametrize("secure", [False, True])
async def test_clients_that_come_all_at_once_are_all_served(
    secure: bool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "BEGINNING", 3)  # so few may begin TLS at a time
    chain, key = authority.issue()
    tls = Tls(certificate=str(chain), key=str(key)) if secure else None
    context = ssl.create_default_context(cafile=authority.certificate) if secure else None
    answer = reply(b"ok", "200 OK", "Connection: close")
    async with talking(replying(answer, close=True)) as url, proxied(url, tls=tls) as play:

        async def one(answers: list[bytes]) -> None:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", play.port, ssl=context, server_hostname="localhost" if secure else None
            )
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            with anyio.fail_after(PATIENCE_SECONDS):
                answers.append((await reader.read()).partition(b"\r\n")[0])
            writer.close()

        answers: list[bytes] = []
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one, answers)

    assert answers == [b"HTTP/1.1 200 OK"] * 20


async def test_sockets_are_closed_where_one_cannot_be_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await bind("front", "127.0.0.1", taken.getsockname()[1])


# Floods -----------------------------------------------------------------------------------------------------


async def test_where_descriptors_are_few_fewer_connections_stay() -> None:
    """The audit log needs them too. What sources hold together counts, and what has ended does not."""
    async with talking(saying()) as url, proxied(url) as play, AsyncExitStack() as stack:
        budget = play.stage.sessions.sockets
        budget.most, budget.held = 14, 2
        for _ in range(4):
            await (await stack.enter_async_context(client(play.port))).say(b"GET / HTTP/1.1\r\n")
        await until(lambda: play.counts("steno_proxy_connections") == {(): 4})
        refused = await ask(play.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 503 ")
        await stack.aclose()
        await until(lambda: budget.held == 2)
        assert play.counts("steno_proxy_refused_total") == {("connections",): 1}


async def test_connections_over_the_limit_are_told_so_at_once() -> None:
    async with (
        talking(saying()) as url,
        proxied(url, connections=2) as play,
        client(play.port) as one,
        client(play.port),
    ):
        await opened(one)
        await until(lambda: play.counts("steno_proxy_connections") == {(): 2})
        for _ in range(50):
            answer = await ask(play.port, b"")
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"\r\nRetry-After: 1\r\n" in answer
        assert play.counts("steno_proxy_refused_total") == {("connections",): 50}
        one.vanish()
        await until(lambda: play.counts("steno_proxy_connections") == {(): 1})
        async with client(play.port) as again:
            assert (await opened(again)).startswith(b"HTTP/1.1 101 ")


# Draining ---------------------------------------------------------------------------------------------------


async def test_a_drain_waits_for_calls_and_requests_and_accepts_nothing() -> None:
    go = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await go.wait()
        writer.write(b"ok")
        await writer.drain()
        await reader.read()

    async with provider(echo) as ws, talking(talk) as http, proxied(ws) as play:
        port = play.port
        async with client(port) as busy, connect(play.url) as client_:
            await play.source.reconfigure(msgspec.structs.replace(play.config, upstream=http))
            await busy.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            head = await busy.hear(b"\r\n\r\n")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(play.source.drain)
                await until(lambda: play.source.stopping)
                await until(lambda: port not in listening_ports(os.getpid()))
                await client_.send("still here")
                assert await client_.recv() == "still here"
                go.set()
                assert await busy.hear_all() == b"ok"
                busy.vanish()
                await client_.close()
        assert head.startswith(b"HTTP/1.1 200 OK")
        await until(lambda: play.closed)
    assert (play.closed[0].code, play.closed[0].gap) == (1000, None)
    assert play.source.drain_seconds == 3600


async def test_an_abort_ends_calls_by_a_close_frame() -> None:
    async with provider(echo) as url, proxied(url) as play, connect(play.url) as client_:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.source.stop)
            await anyio.lowlevel.checkpoint()
            play.source.abort()
        assert play.closed
        with pytest.raises(Exception, match="1001"):
            await client_.recv()
    assert (play.closed[0].reason, play.closed[0].gap) == ("shutdown", None)


async def test_a_source_that_is_cancelled_ends_its_calls() -> None:
    async with provider(echo) as url:
        play = Play(ProxyConfig(name="front", kind="proxy", listen="127.0.0.1:0", upstream=url))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.source.run)
            await until(lambda: play.source.ready)
            client_ = await connect(play.url)
            tasks.cancel_scope.cancel()
        await client_.wait_closed()
        assert client_.close_code == 1001
        await until(lambda: play.closed)


# Other configurations ---------------------------------------------------------------------------------------


async def test_another_configuration_ends_no_call() -> None:
    """Another address, and another provider: the call goes on where it is, the next one goes where it should."""
    async with (
        provider(echo) as url,
        talking(replying(reply(b"other"))) as other,
        proxied(url) as play,
        connect(play.url) as client_,
    ):
        former = play.port
        with socket.create_server(("127.0.0.1", 0)) as probe:
            free = probe.getsockname()[1]
        await play.source.reconfigure(msgspec.structs.replace(play.config, listen=f"127.0.0.1:{free}", upstream=other))
        await until(lambda: play.source.ready and play.port != former)
        await client_.send("still here")
        assert await client_.recv() == "still here"
        assert (await ask(play.port, LAST)).endswith(b"other")
        await until(lambda: former not in listening_ports(os.getpid()))


async def test_another_provider_while_a_reply_passes() -> None:
    """What passes is of the provider that was asked: also the places that it names."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        await go_on.wait()
        writer.write(reply(b"", "307 Temporary Redirect", f"Location: {url}/elsewhere"))

    async with talking(talk) as url, proxied(url) as play, client(play.port) as one:
        await one.say(LAST)
        await asked.wait()
        await play.source.reconfigure(msgspec.structs.replace(play.config, upstream="http://127.0.0.1:9"))
        go_on.set()
        assert b"\r\nLocation: /elsewhere\r\n" in await one.hear_all()


async def test_the_kernel_finds_ends_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else would: a request has no pings."""
    probed: list[socket.socket] = []
    monkeypatch.setattr(sockets, "probe", probed.append)
    async with talking(replying(reply())) as url, proxied(url) as play:
        await ask(play.port, LAST)
    assert len(probed) == 2


# What it keeps to itself ------------------------------------------------------------------------------------

SECRETS = ("sk-header-1", "sk-protocol-2", "sk-query-3", "cookie-4", "sk-body-5", "key-6")


@pytest.fixture
def logged() -> Iterator[CapturingLogger]:
    logger = CapturingLogger()
    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()], logger_factory=lambda *_: logger)
    yield logger
    structlog.configure(**before)


async def test_credentials_go_to_the_provider_and_nowhere_else(logged: CapturingLogger) -> None:
    """Into no log, fact, number or problem, whether things go well or not."""
    header, protocol, query, cookie, body, key = SECRETS
    headers = (
        f"Authorization: Bearer {header}",
        f"api-key: {key}",
        f"Cookie: a={cookie}",
        f"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{protocol}",
    )
    target = f"/v1/realtime?api-key={query}"
    bad = f"GET {target} HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + "\r\n".join(headers) + "\r\n\r\n"
    async with talking(saying(frame(1, PING, masked=False))) as url, proxied(f"{url}/{key}") as play:
        async with client(play.port) as connection:
            await opened(connection, *headers, target=target)
            await until(lambda: play.stage.fed)
        await ask(play.port, bad.encode())
        await until(lambda: play.closed)
        kept: tuple[object, ...] = (play.facts, play.source.counters.numbers(), play.source.problem)
    async with proxied(f"{url}/v1") as second, client(second.port) as connection:
        assert (await opened(connection, *headers, target=target)).startswith(b"HTTP/1.1 502 ")
        kept += (second.facts, second.source.counters.numbers())
    async with talking(replying(reply(body.encode()))) as url, proxied(url) as third:
        post = f"POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz{body}\r\n"
        await ask(third.port, post.encode())
        await ask(third.port, LAST)
        kept += (third.facts, third.source.counters.numbers())
    assert logged.calls
    for secret in SECRETS[:5]:
        assert secret not in repr(kept)
        assert secret not in repr(logged.calls)


async def test_tls_that_fails_leaves_nothing_behind(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue()
    tls = Tls(certificate=str(certificate), key=str(key))
    async with proxied("http://127.0.0.1:1", tls=tls, connections=1) as play:
        for _ in range(3):
            await ask(play.port, b"GET / HTTP/1.1\r\n\r\n")
        assert play.counts("steno_proxy_connections") == {}
