"""A source that connects: real sockets, real servers that behave well and badly."""

import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import anyio
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from steno.config import Connect, SecretRef
from steno.core.facts import Fact, Origin, StreamClosed, StreamOpened
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.limits import Limits
from steno.pipeline import Pipeline
from steno.sources.clock import Clock
from steno.sources.connect import ConnectSource, Counters, conversation_name

pytestmark = pytest.mark.anyio

PING = b'{"type":"ping","event_id":"event_1"}'
Speak = Callable[[ServerConnection], Awaitable[None]]
Admit = Callable[[ServerConnection, Request], Response | None]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Told:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def emit(self, origin: Origin, fact: Fact) -> None:
        self.facts.append(fact)


class Play:
    """A source on a server, and what came of it."""

    def __init__(self, config: Connect) -> None:
        self.told = Told()
        self.pipeline = Pipeline(Limits(), [self.told])
        self.source = ConnectSource(config, self.pipeline, Clock(), None, Counters())

    @property
    def closed(self) -> list[StreamClosed]:
        return [fact for fact in self.told.facts if isinstance(fact, StreamClosed)]

    async def until(self, ask: Callable[[], object]) -> None:
        """Let the loop run until something is so."""
        with anyio.fail_after(20):
            while not ask():  # noqa: ASYNC110  # what is asked after sets no event
                await anyio.sleep(0.005)


@asynccontextmanager
async def play(
    speak: Speak, admit: Admit | None = None, tls: ssl.SSLContext | None = None, **more: object
) -> AsyncIterator[Play]:
    """Serve `speak` on loopback, let a source with quick waits read it, and stop it at the end."""
    async with serve(
        speak, "127.0.0.1", 0, process_request=admit, ssl=tls, compression=None, close_timeout=1
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        scheme = "wss" if tls else "ws"
        values = {"url": f"{scheme}://127.0.0.1:{port}", "backoff_seconds": 0.01, "backoff_max_seconds": 0.02, **more}
        acted = Play(Connect(name="relay", kind="connect", **values))  # type: ignore[arg-type]  # a play names them
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(acted.source.run)
            yield acted
            await acted.source.stop()


async def listen(connection: ServerConnection) -> None:
    """Say one thing, and stay."""
    await connection.send(PING)
    await connection.wait_closed()


async def test_reads_and_says_good_bye() -> None:
    """Frames are fed; when it stops, the peer gets 1001 and the stream is told to be shut down."""
    codes: list[int | None] = []

    async def speak(connection: ServerConnection) -> None:
        await listen(connection)
        codes.append(connection.close_code)

    async with play(speak) as acted:
        await acted.until(lambda: acted.pipeline.others)
        connected = acted.source.connected

    assert connected
    assert codes == [1001]
    assert acted.told.facts == [
        StreamOpened(source="relay"),
        StreamClosed(source="relay", reason="shutdown", code=1001, frames=1),
    ]
    assert (dict(acted.source.counters.attempts), dict(acted.source.counters.gaps)) == ({"connected": 1}, {})


async def test_connects_again_after_a_session_that_ended() -> None:
    """A clean close is no gap, and a new stream begins soon."""

    async def speak(connection: ServerConnection) -> None:
        await connection.send(PING)

    async with play(speak) as acted:
        await acted.until(lambda: len(acted.closed) >= 3)

    assert [(fact.reason, fact.code) for fact in acted.closed[:3]] == [("disconnected", 1000)] * 3
    assert dict(acted.source.counters.gaps) == {}


async def test_server_that_accepts_and_closes_does_not_make_it_spin() -> None:
    """A close right after the handshake is a failure: the waits grow, where the library's own begin anew."""

    async def speak(connection: ServerConnection) -> None:
        await connection.close(1013, "try again later")

    async with play(speak, backoff_seconds=0.05, backoff_max_seconds=60.0) as acted:
        with anyio.move_on_after(2):
            await acted.until(lambda: len(acted.closed) > 20)

    assert 1 <= len(acted.closed) <= 20
    assert dict(acted.source.counters.gaps) == {"closed": len([fact for fact in acted.closed if fact.code == 1013])}


async def test_session_that_reached_its_longest_duration_is_no_gap() -> None:
    """1001 with upstream's words is the end of a session, not a failure."""

    async def speak(connection: ServerConnection) -> None:
        await connection.send(PING)
        await connection.close(1001, "Your session hit the maximum duration of 60 minutes.")

    async with play(speak) as acted:
        await acted.until(lambda: acted.closed)

    assert acted.closed[0] == StreamClosed(source="relay", reason="session_expired", code=1001, frames=1)
    assert dict(acted.source.counters.gaps) == {}


async def test_connection_that_breaks_off_is_a_gap() -> None:
    """Without a close frame there is no code, and events may have been missed."""

    async def speak(connection: ServerConnection) -> None:
        await connection.send(PING)
        connection.transport.abort()

    async with play(speak) as acted:
        await acted.until(lambda: acted.closed)

    assert acted.closed[0] == StreamClosed(source="relay", reason="disconnected", code=None, frames=1, gap="broken_off")
    assert acted.source.counters.gaps["broken_off"] >= 1


async def test_frame_over_the_limit_is_a_gap_with_a_reason() -> None:
    """Too long a message ends the connection with 1009, and says so."""

    async def speak(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):  # the reader hangs up in the middle
            await connection.send(b"x" * 70_000)
            await connection.wait_closed()

    async with play(speak, frame_bytes=65_536) as acted:
        await acted.until(lambda: acted.closed)

    assert acted.closed[0].code == 1009
    assert acted.source.counters.gaps["frame_too_big"] >= 1


async def test_peer_that_went_silent_is_left() -> None:
    """A connection whose other end answers no ping, and says nothing, is broken off and tried again."""

    async def speak(connection: ServerConnection) -> None:
        connection.transport.pause_reading()  # no pong will come
        await over.wait()
        connection.transport.abort()

    over = anyio.Event()
    async with play(speak, ping_interval_seconds=0.05, ping_timeout_seconds=0.05) as acted:
        await acted.until(lambda: acted.source.counters.gaps["unresponsive"] >= 2)
        over.set()

    assert acted.closed[0] == StreamClosed(
        source="relay", reason="disconnected", code=None, frames=0, gap="unresponsive"
    )


async def test_no_room_means_no_reading_and_no_disconnect() -> None:
    """While the log cannot keep up nothing is read, the connection stays, and then all of it comes."""

    async def speak(connection: ServerConnection) -> None:
        for _ in range(200):
            await connection.send(PING)
        await connection.wait_closed()

    async with play(speak, ping_interval_seconds=0.02, ping_timeout_seconds=0.02) as acted:
        acted.pipeline.hold()
        await acted.until(lambda: acted.source.connected)
        await anyio.sleep(0.2)  # several pings' worth: a library that judged by pongs would have left
        held = acted.pipeline.others.get("realtime", 0)
        acted.pipeline.release()
        await acted.until(lambda: acted.pipeline.others.get("realtime") == 200)

    assert held <= 1
    assert [fact.reason for fact in acted.closed] == ["shutdown"]


async def test_peer_that_gave_up_while_nothing_was_read_is_a_gap_of_ours() -> None:
    """What it had sent is read all the same; that more may be missing is said, and whose fault it was."""

    async def speak(connection: ServerConnection) -> None:
        if not left.is_set():
            for _ in range(20):
                await connection.send(PING)
            await connection.close(1011, "the reader is too slow")
            left.set()
        await connection.wait_closed()

    left = anyio.Event()
    async with play(speak) as acted:
        acted.pipeline.hold()
        await acted.until(left.is_set)
        acted.pipeline.release()
        await acted.until(lambda: acted.closed)

    assert acted.closed[0] == StreamClosed(source="relay", reason="disconnected", code=1011, frames=20, gap="blocked")
    assert dict(acted.source.counters.gaps) == {"blocked": 1}


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "unauthorized"), (404, "not_found"), (429, "rate_limited"), (503, "server_error")]
)
async def test_refusals_are_told_apart_and_tried_again(status: int, reason: str) -> None:
    """What is refused today may be allowed tomorrow: a token can be renewed without a restart."""

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(HTTPStatus(status), "no\n") if len(seen) < 2 else None

    seen: list[int] = []

    def count(connection: ServerConnection, request: Request) -> Response | None:
        answer = admit(connection, request)
        seen.append(1)
        return answer

    async with play(listen, count) as acted:
        await acted.until(lambda: acted.source.connected)

    assert dict(acted.source.counters.attempts) == {reason: 2, "connected": 1}


async def test_token_is_read_anew_at_each_attempt(tmp_path: Path) -> None:
    """A token that was renewed on disk is used at the next attempt; one that is missing is an attempt that failed."""
    token = tmp_path / "token"
    sent: list[str] = []

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        sent.append(request.headers["Authorization"])
        if sent[-1] == "Bearer new":
            return None
        token.write_text("Bearer new")
        return connection.respond(HTTPStatus.UNAUTHORIZED, "old\n")

    async with play(listen, admit, headers={"Authorization": SecretRef(file=str(token))}) as acted:
        await acted.until(lambda: acted.source.counters.attempts["secret_missing"])
        token.write_text("Bearer old")
        await acted.until(lambda: acted.source.connected)

    assert sent == ["Bearer old", "Bearer new"]


async def test_nobody_listens() -> None:
    """A port that nobody listens on is refused, again and again, and stopping does not wait for it."""
    acted = Play(
        Connect(name="relay", kind="connect", url="ws://127.0.0.1:1", backoff_seconds=0.01, backoff_max_seconds=30)
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(acted.source.run)
        await acted.until(lambda: acted.source.counters.attempts["refused"] >= 3)
        with anyio.fail_after(5):
            await acted.source.stop()

    assert acted.told.facts == []


async def test_internal_error_ends_one_stream_and_not_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours costs a stream and is counted; the source goes on."""
    fed: list[Frame] = []

    def feed(pipeline: Pipeline, stream: Stream, frame: Frame) -> None:
        fed.append(frame)
        if len(fed) == 1:
            raise ZeroDivisionError
        honest(pipeline, stream, frame)

    honest = Pipeline.feed
    monkeypatch.setattr(Pipeline, "feed", feed)
    async with play(listen) as acted:
        await acted.until(lambda: acted.pipeline.others)

    assert dict(acted.source.counters.gaps) == {"internal_error": 1}
    assert [fact.reason for fact in acted.closed] == ["disconnected", "shutdown"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key in one file."""
    folder = tmp_path_factory.mktemp("tls")
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("openssl, which makes the certificate, is not installed")
    return folder


async def test_tls_is_verified(certificate: Path) -> None:
    """A certificate that nobody vouches for is refused; with its authority configured it is taken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    async with play(listen, tls=context) as stranger:
        await stranger.until(lambda: stranger.source.counters.attempts["certificate"] >= 2)
    async with play(listen, tls=context, ca_file=str(certificate / "cert.pem")) as friend:
        await friend.until(lambda: friend.source.connected)

    assert dict(friend.source.counters.attempts) == {"connected": 1}
    assert "connected" not in stranger.source.counters.attempts


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("wss://api.example/v1/realtime?model=gpt-realtime", None),
        ("wss://api.example/v1/realtime?call_id=rtc_1", "rtc_1"),
        ("wss://relay.example/?call_id=rtc_1&conversation=desk%201", "desk 1"),
    ],
)
def test_name_of_the_conversation(url: str, name: str | None) -> None:
    """A sideband is named after the call it listens to, unless the operator names it otherwise."""
    assert conversation_name(url) == name
