"""A source that connects: real sockets, real servers that behave well and badly."""

import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import get_args

import anyio
import anyio.lowlevel
import msgspec
import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from steno.config import Connect, SecretRef
from steno.core.facts import Fact, StreamClosed, StreamOpened, StreamResumed
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.pipeline import Pipeline
from steno.sources import connect
from steno.sources.backoff import Backoff
from steno.sources.connect import ConnectSource
from steno.sources.connect_errors import FATAL, NAMES
from steno.sources.protocols import Problem
from steno.sources.recording import Gap
from steno.sources.websocket import conversation_name
from tests.sources.helpers import PATIENCE_SECONDS, PING, Admit, Handler, Stage, counted, send_one, server, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Play:
    """A source, and what came of it."""

    def __init__(self, config: Connect) -> None:
        self.stage = Stage()
        self.source = ConnectSource(config, self.stage.sessions)

    @property
    def facts(self) -> list[Fact]:
        return self.stage.facts

    @property
    def closed(self) -> list[StreamClosed]:
        return self.stage.closed

    @property
    def attempts(self) -> dict[str, float]:
        return counted(self.source.counters.attempts)

    @property
    def gaps(self) -> dict[Gap, float]:
        return counted(self.source.counters.gaps)


@asynccontextmanager
async def played(
    handle: Handler, admit: Admit | None = None, tls: ssl.SSLContext | None = None, **more: object
) -> AsyncIterator[Play]:
    """Let a source with quick waits read what `handle` sends, and stop it at the end."""
    async with server(handle, admit, tls) as url:
        values = {"url": url, "backoff_seconds": 0.01, "backoff_max_seconds": 0.02, **more}
        play = Play(Connect(name="relay", kind="connect", **values))  # type: ignore[arg-type]  # a play names them
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.source.run)
            yield play
            await play.source.stop()


async def test_reads_and_goes_away() -> None:
    """Frames are fed. When the source stops, the peer gets 1001 and the stream is shut down."""
    codes: list[int | None] = []

    async def handle(connection: ServerConnection) -> None:
        await send_one(connection)
        codes.append(connection.close_code)

    async with played(handle) as play:
        before = play.source.ready
        await until(lambda: play.stage.fed)
        connected = play.source.ready

    assert (before, connected, play.source.ready) == (False, True, False)
    assert codes == [1001]
    assert play.facts == [
        StreamOpened(source="relay"),
        StreamClosed(source="relay", reason="shutdown", code=1001, frames=1),
    ]
    assert (play.source.counters.open, play.gaps, play.attempts) == (0, {}, {"connected": 1})


def test_every_reason_stands_at_zero_from_the_start() -> None:
    """A rare one raises an alert when it comes first: what was never there cannot increase."""
    numbers = Play(Connect(name="relay", kind="connect", url="ws://127.0.0.1:1")).source.counters.numbers()

    assert numbers["steno_stream_gaps_total"] == {(gap,): 0 for gap in get_args(Gap)}
    assert numbers["steno_connect_attempts_total"] == {(reason,): 0 for reason in ("connected", *NAMES)}


async def test_connects_again_after_a_session_that_ended() -> None:
    """A clean close is no gap, and a new stream begins soon."""

    async def handle(connection: ServerConnection) -> None:
        await connection.send(PING)

    async with played(handle) as play:
        await until(lambda: len(play.closed) >= 3)

    assert [(fact.reason, fact.code) for fact in play.closed[:3]] == [("disconnected", 1000)] * 3
    assert play.gaps == {}


class Waits(Backoff):
    """Waits that take no time, and what the source reported in between."""

    def __init__(self, first: float, most: float) -> None:
        super().__init__(first, most)
        self.reported: list[str] = []

    def succeeded(self) -> None:
        self.reported.append("succeeded")

    def wait(self, retry_after: float | None = None, *, slowly: bool = False) -> float:
        self.reported.append("wait")
        return 0


async def test_server_that_accepts_and_closes_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """A close right after the handshake is a failure: the waits grow, where the library's own begin anew."""
    made: list[Waits] = []

    def make(first: float, most: float) -> Waits:
        made.append(Waits(first, most))
        return made[-1]

    async def handle(connection: ServerConnection) -> None:
        await connection.close(1013, "try again later")

    monkeypatch.setattr(connect, "Backoff", make)
    async with played(handle) as play:
        await until(lambda: len(play.closed) >= 5)
        reported = [set(waits.reported) for waits in made]

    assert reported == [{"wait"}]
    assert play.gaps == {"closed": len([fact for fact in play.closed if fact.code == 1013])}


async def test_session_that_reached_its_longest_duration_is_no_gap() -> None:
    """1001 with upstream's reason is the end of a session, not a failure."""

    async def handle(connection: ServerConnection) -> None:
        await connection.send(PING)
        await connection.close(1001, "Your session hit the maximum duration of 60 minutes.")

    async with played(handle) as play:
        await until(lambda: play.closed)

    assert play.closed[0] == StreamClosed(source="relay", reason="session_expired", code=1001, frames=1)
    assert play.gaps == {}


async def test_what_lies_between_two_connections_is_said() -> None:
    """How long nothing was received, and after which stream."""

    async def handle(connection: ServerConnection) -> None:
        await connection.send(PING)
        if len(play.closed) == 0:
            connection.transport.abort()

    async with played(handle) as play:
        await until(lambda: len(play.closed) >= 3)

    resumed = [fact for fact in play.facts if isinstance(fact, StreamResumed)]
    assert resumed[0].former.endswith("/1")
    assert (resumed[0].gap, resumed[1].gap) == ("broken_off", None)
    assert resumed[0].seconds is not None
    assert 0 <= resumed[0].seconds < PATIENCE_SECONDS


@pytest.mark.parametrize(
    ("code", "reason", "problem"),
    [
        (4000, "invalid_request_error.beta_api_shape_disabled", "invalid_request"),
        (1008, "not you", "policy_violation"),
    ],
)
async def test_what_will_end_so_again_is_tried_slowly_and_said(
    code: int, reason: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []
    wait = Backoff.wait

    def noted(backoff: Backoff, retry_after: float | None = None, *, slowly: bool = False) -> float:
        waits.append(slowly)
        return wait(backoff, retry_after, slowly=slowly)

    async def handle(connection: ServerConnection) -> None:
        await connection.close(code, reason)

    monkeypatch.setattr(Backoff, "wait", noted)
    with capture_logs() as lines:
        async with played(handle) as play:
            await until(lambda: len(waits) >= 3)
            found = play.source.problem

    assert found == Problem(problem, f"close code {code}, {reason}")
    assert all(waits)
    (line, *_) = [each for each in lines if each["event"] == "the server closes what it accepts"]
    assert (line["reason"], line["detail"], line["advice"]) == (problem, f"close code {code}, {reason}", FATAL[problem])


async def test_a_refusal_says_its_status_and_code() -> None:
    def refuse(connection: ServerConnection, _request: Request) -> Response:
        body = '{"error":{"code":"invalid_api_key","message":"Incorrect API key provided: sk-live"}}'
        return connection.respond(HTTPStatus.UNAUTHORIZED, body)

    async with played(send_one, refuse) as play:
        await until(lambda: play.source.problem)
        found = play.source.problem

    assert found == Problem("unauthorized", "HTTP 401, invalid_api_key")


async def test_a_file_of_certificates_that_is_missing_is_no_trouble_of_the_network(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    async with played(send_one, url="wss://127.0.0.1:1", ca_file=str(missing)) as play:
        await until(lambda: play.source.problem)
        first = play.source.problem
        missing.write_text("none")
        await until(lambda: play.source.problem != first)
        second = play.source.problem

    assert first == Problem("ca_file", f"{missing}: ca_file: cannot be read: no such file or directory")
    assert second == Problem("ca_file", f"{missing}: ca_file: holds no certificates in PEM")


async def test_a_header_whose_value_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "token"
    async with played(send_one, headers={"Authorization": SecretRef(file=str(file))}) as play:
        await until(lambda: play.source.problem)
        found = play.source.problem
        file.write_text("Bearer one")
        await until(lambda: play.source.ready)

    message = "cannot be read: no such file or directory"
    assert found == Problem("secret_missing", f"{file}: headers.Authorization: {message}")


async def test_connection_that_breaks_off_is_a_gap() -> None:
    """Without a close frame there is no code, and events may have been missed."""

    async def handle(connection: ServerConnection) -> None:
        await connection.send(PING)
        connection.transport.abort()

    async with played(handle) as play:
        await until(lambda: play.closed)

    assert play.closed[0] == StreamClosed(source="relay", reason="disconnected", code=None, frames=1, gap="broken_off")
    assert play.gaps["broken_off"] >= 1


async def test_frame_over_the_limit_is_a_gap_with_a_reason() -> None:
    """A message that is too long ends the connection with 1009."""

    async def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):  # the reader leaves in the middle
            await connection.send(b"x" * 70_000)
            await connection.wait_closed()

    async with played(handle, frame_bytes=65_536) as play:
        await until(lambda: play.closed)

    assert play.closed[0].code == 1009
    assert play.gaps["frame_too_big"] >= 1


async def test_peer_that_went_silent_is_left() -> None:
    """A connection whose other end neither answers a ping nor sends is broken off, and made again."""

    async def handle(connection: ServerConnection) -> None:
        connection.transport.pause_reading()  # no pong will come
        await over.wait()
        connection.transport.abort()

    over = anyio.Event()
    async with played(handle, ping_interval_seconds=0.05, ping_timeout_seconds=0.05) as play:
        await until(lambda: play.gaps.get("unresponsive", 0) >= 2)
        over.set()

    assert play.closed[0] == StreamClosed(
        source="relay", reason="disconnected", code=None, frames=0, gap="unresponsive"
    )


async def test_a_source_that_is_cancelled_waits_for_no_answer_to_its_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for the drain is over then: the other end has had its time to answer."""

    async def handle(connection: ServerConnection) -> None:
        await connection.send(PING)
        connection.transport.pause_reading()  # no close frame will be seen, nor answered
        await over.wait()
        connection.transport.abort()

    over = anyio.Event()
    monkeypatch.setattr("steno.sources.websocket.CLOSE_SECONDS", 2 * PATIENCE_SECONDS)
    monkeypatch.setattr("steno.sources.dialing.CLOSE_SECONDS", 2 * PATIENCE_SECONDS)
    async with server(handle) as url:
        play = Play(Connect(name="relay", kind="connect", url=url))
        with anyio.fail_after(PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(play.source.run)
                await until(lambda: play.stage.fed)
                tasks.start_soon(play.source.stop)
                await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        over.set()

    assert play.gaps == {}
    assert [fact.reason for fact in play.closed] == ["shutdown"]


async def test_peer_that_gave_up_while_nothing_was_read_is_a_gap_of_ours() -> None:
    """What it had sent is read all the same. That more may be missing is reported, with the reason on our side."""

    async def handle(connection: ServerConnection) -> None:
        if not left.is_set():
            for _ in range(20):
                await connection.send(PING)
            await connection.close(1011, "the reader is too slow")
            left.set()
        await connection.wait_closed()

    left = anyio.Event()
    async with played(handle) as play:
        play.stage.pipeline.hold()
        await until(left.is_set)
        play.stage.pipeline.release()
        await until(lambda: play.closed)

    assert play.closed[0] == StreamClosed(source="relay", reason="disconnected", code=1011, frames=20, gap="blocked")
    assert play.gaps == {"blocked": 1}


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "unauthorized"), (404, "not_found"), (429, "rate_limited"), (503, "server_error")]
)
async def test_refusals_have_reasons_and_are_tried_again(status: int, reason: str) -> None:
    """What is refused today may be allowed tomorrow: a token can be renewed without a restart."""

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(HTTPStatus(status), "no\n") if len(seen) < 2 else None

    seen: list[int] = []

    def count(connection: ServerConnection, request: Request) -> Response | None:
        answer = admit(connection, request)
        seen.append(1)
        return answer

    async with played(send_one, count) as play:
        await until(lambda: play.source.ready)

    assert play.attempts == {reason: 2, "connected": 1}


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

    async with played(send_one, admit, headers={"Authorization": SecretRef(file=str(token))}) as play:
        await until(lambda: "secret_missing" in play.attempts)
        token.write_text("Bearer old")
        await until(lambda: play.source.ready)

    assert sent == ["Bearer old", "Bearer new"]


async def test_nobody_listens() -> None:
    """A port without a listener refuses, again and again. To stop does not take the time until the next attempt."""
    play = Play(
        Connect(name="relay", kind="connect", url="ws://127.0.0.1:1", backoff_seconds=0.01, backoff_max_seconds=30)
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(play.source.run)
        await until(lambda: play.attempts.get("refused", 0) >= 3)
        await play.source.stop()

    assert play.facts == []


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
    async with played(send_one) as play:
        await until(lambda: play.stage.fed)

    assert play.gaps == {"internal_error": 1}
    assert [fact.reason for fact in play.closed] == ["disconnected", "shutdown"]


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
    """A certificate of an unknown authority is refused; with its authority configured it is accepted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    async with played(send_one, tls=context) as unknown:
        await until(lambda: unknown.attempts.get("certificate", 0) >= 2)
    async with played(send_one, tls=context, ca_file=str(certificate / "cert.pem")) as known:
        await until(lambda: known.source.ready)
        expiry = known.source.counters.numbers()["steno_upstream_certificate_expiry_timestamp_seconds"][()]

    assert known.attempts == {"connected": 1}
    assert "connected" not in unknown.attempts
    dates = await anyio.run_process(["openssl", "x509", "-in", certificate / "cert.pem", "-noout", "-enddate"])
    assert expiry == ssl.cert_time_to_seconds(dates.stdout.decode().strip().removeprefix("notAfter="))


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


# Calls during a handshake ----------------------------------------------------------------------------------


class SlowServer:
    """A server that finishes no handshake before `go_on`."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.go_on = anyio.Event()

    async def admit(self, connection: ServerConnection, request: Request) -> None:
        self.reached.set()
        await self.go_on.wait()


async def test_stop_while_it_connects() -> None:
    """A server that says nothing holds up no stop: the handshake ends with it, and leaves no task and no stream."""
    slow = SlowServer()
    async with server(send_one, slow.admit) as url:
        play = Play(Connect(name="relay", kind="connect", url=url, open_timeout_seconds=60.0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.source.run)
            await slow.reached.wait()
            await play.source.stop()
        assert not slow.go_on.is_set()  # the source has ended before its server went on
        slow.go_on.set()

    assert (play.facts, play.attempts) == ([], {})


async def test_reconfigured_while_it_connects() -> None:
    """The connection that was under way is left for one to the new URL."""
    slow = SlowServer()
    async with server(send_one, slow.admit) as one, server(send_one) as two, anyio.create_task_group() as tasks:
        config = Connect(name="relay", kind="connect", url=one, backoff_seconds=0.01)
        play = Play(config)
        tasks.start_soon(play.source.run)
        await slow.reached.wait()
        await play.source.reconfigure(msgspec.structs.replace(config, url=f"{two}?call_id=rtc_1"))
        slow.go_on.set()
        await until(lambda: play.stage.fed)
        streams = [stream.conversation for stream in play.stage.pipeline.streams.values()]
        await play.source.stop()

    assert (streams, len(play.closed), play.attempts) == (["rtc_1"], 1, {"connected": 2})


async def test_a_stream_that_cannot_begin_breaks_its_connection_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would read it."""
    gone = anyio.Event()

    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()
        gone.set()

    def fail(*_: object) -> None:
        raise KeyError

    async with server(wait) as url:
        play = Play(Connect(name="relay", kind="connect", url=url))
        monkeypatch.setattr(play.stage.sessions, "begin", fail)
        with pytest.raises(KeyError):
            await play.source.run()
        await gone.wait()
