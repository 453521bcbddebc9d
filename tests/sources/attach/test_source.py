"""A source that follows calls: real sockets, a provider on loopback that knows some calls and ends them otherwise."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import msgspec
import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from steno.attachments import AttachRequest, RefusedError
from steno.config import AttachSource as Config
from steno.config import SecretRef
from steno.core.facts import PlaybackStarted, ResponseFinished, SessionOpened, StreamClosed
from steno.output_errors import OutputErrors
from steno.sources.attach import call as calls
from steno.sources.attach import register
from steno.sources.attach.journal import Journal
from steno.sources.attach.register import Attachments
from steno.sources.attach.source import AttachSource
from steno.sources.stream_session import StreamSessions
from tests.sources.helpers import PING, Stage, counted, server, until

pytestmark = pytest.mark.anyio

UNKNOWN = b'{"error":{"type":"invalid_request_error","code":"%b_id_not_found","message":"No session"}}'

Talk = Callable[[ServerConnection], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def stay(connection: ServerConnection) -> None:
    await connection.send(PING)
    await connection.wait_closed()


async def hang_up(connection: ServerConnection) -> None:
    await connection.send(PING)


class Provider:
    """Knows calls by their ids, and what each does once it is joined."""

    def __init__(self, known: dict[str, Talk]) -> None:
        self.url = ""
        self.known = known
        self.refused: dict[str, Response] = {}
        self.asked: Counter[str] = Counter()
        self.targets: list[str] = []
        self.tokens: list[str | None] = []
        self.keys: list[str | None] = []

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        call_id = named_by(request.path)
        self.asked[call_id] += 1
        self.targets.append(request.path)
        self.tokens.append(request.headers.get("Authorization"))
        self.keys.append(request.headers.get("api-key"))
        if call_id in self.refused:
            return self.refused[call_id]
        if call_id in self.known:
            return None
        code = b"session" if call_id.startswith("live_") else b"call"
        return refusal(connection, HTTPStatus.NOT_FOUND, UNKNOWN % code)

    async def talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        await self.known[named_by(connection.request.path)](connection)


def named_by(target: str) -> str:
    """Return the id of the call, or of the Live session, that is asked for."""
    parts = urlsplit(target)
    return parse_qs(parts.query)["call_id"][0] if "call_id=" in parts.query else parts.path.split("/")[-2]


def refusal(connection: ServerConnection, status: HTTPStatus, body: bytes = b"") -> Response:
    response = connection.respond(status, "")
    response.body = body
    response.headers["Content-Length"] = str(len(body))  # the first of two would count
    return Response(status, "", type(response.headers)({"Content-Length": str(len(body))}), body)


class Play:
    """A source with quick waits, its register, and what came of it."""

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        self.stage = Stage()
        self.noted: list[tuple[str, str, dict[str, object]]] = []
        journal = Journal(folder, OutputErrors())
        self.desk = Attachments(self.stage.clock.now, journal, self._note)
        sessions = StreamSessions(self.stage.pipeline, self.stage.clock, attachments=self.desk)
        self.source = AttachSource(config, sessions)

    def _note(self, fact: str, source: str, call_id: str, body: dict[str, object]) -> None:
        self.noted.append((fact, call_id, body))

    async def attach(self, call_id: str, **labels: str) -> bool:
        return (await self.desk.attach(AttachRequest(call_id, labels), "control"))[1]

    @property
    def states(self) -> dict[str, tuple[str, str | None]]:
        """Call to its state and the reason of its problem."""
        return {
            each.call_id: (each.state, each.problem.reason if each.problem else None)
            for each in self.desk.listed().attachments
        }

    @property
    def released(self) -> list[tuple[str, object]]:
        """The calls that are followed no more, and why."""
        return [(call_id, body["reason"]) for fact, call_id, body in self.noted if fact == "call_released"]

    @property
    def closed(self) -> list[StreamClosed]:
        return self.stage.closed


def configured(url: str, **more: object) -> Config:
    values = {"backoff_seconds": 0.01, "backoff_max_seconds": 0.02, **more}
    return Config(name="calls", kind="attach", url=url, **values)  # type: ignore[arg-type]  # a play names them


@asynccontextmanager
async def played(
    known: dict[str, Talk] | None = None, folder: Path | None = None, **more: object
) -> AsyncIterator[tuple[Play, Provider]]:
    provider = Provider(known or {})
    async with server(provider.talk, provider.admit) as provider.url:
        play = Play(configured(provider.url, **more), folder)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.source.run)
            await until(lambda: play.source.ready)
            yield play, provider
            await play.source.stop()


# A call -----------------------------------------------------------------------------------------------------


async def test_a_call_is_followed_to_its_end() -> None:
    """Its conversation has its id, a close in order is its end, and both are recorded."""
    go_on = anyio.Event()

    async def talk(connection: ServerConnection) -> None:
        await connection.send(PING)
        await go_on.wait()

    async with played({"rtc_1": talk}) as (play, _):
        new = await play.attach("rtc_1", desk="berlin")
        await until(lambda: play.stage.fed)
        named = [stream.conversation for stream in play.stage.pipeline.streams.values()]
        during, listed = play.states, play.desk.listed().attachments[0]
        gauge = play.source.counters.numbers()["steno_attachments"]
        go_on.set()
        await until(lambda: play.released)

    assert (new, named, during) == (True, ["rtc_1"], {"rtc_1": ("following", None)})
    assert (listed.labels, listed.by, listed.frames, listed.source) == ({"desk": "berlin"}, "control", 1, "calls")
    assert gauge == {("connecting",): 0, ("following",): 1, ("waiting",): 0}
    assert play.noted == [
        ("call_attached", "rtc_1", {"by": "control", "labels": {"desk": "berlin"}, "resumed": False}),
        ("call_released", "rtc_1", {"reason": "call_ended", "frames": 1}),
    ]
    assert play.closed == [StreamClosed(source="calls", reason="disconnected", code=1000, frames=1)]
    assert (play.states, counted(play.source.counters.ended)) == ({}, {"call_ended": 1})


async def test_a_connection_that_breaks_off_is_made_again_until_the_call_is_not_known() -> None:
    """The provider's own word ends it. The gaps are there, and all frames are counted."""
    provider_forgets = 3

    async def break_off(connection: ServerConnection) -> None:
        await connection.send(PING)
        await until(lambda: play.stage.fed == provider.asked["rtc_1"])
        if provider.asked["rtc_1"] == provider_forgets:
            del provider.known["rtc_1"]
        connection.transport.abort()

    async with played({"rtc_1": break_off}) as (play, provider):
        await play.attach("rtc_1")
        await until(lambda: play.released)

    assert play.noted[-1] == ("call_released", "rtc_1", {"reason": "call_ended", "frames": 3})
    assert [fact.gap for fact in play.closed] == ["broken_off"] * 3
    assert counted(play.source.counters.attempts) == {"connected": 3, "not_found": 1}


async def test_a_call_that_is_not_there_yet_is_asked_for_until_it_is() -> None:
    """A webhook comes while the call rings."""
    async with played() as (play, provider):
        await play.attach("rtc_1")
        await until(lambda: provider.asked["rtc_1"] >= 4)
        waiting = play.states
        provider.known["rtc_1"] = stay
        await until(lambda: play.stage.fed)
        followed = play.states

    assert waiting["rtc_1"][1] == "not_found"
    assert (followed, play.released) == ({"rtc_1": ("following", None)}, [])


async def test_a_call_that_never_comes_is_let_go() -> None:
    async with played(start_seconds=0.05) as (play, provider):
        await play.attach("rtc_none")
        await until(lambda: play.released)

    assert (play.released, play.states) == ([("rtc_none", "call_not_found")], {})
    assert counted(play.source.counters.ended) == {"call_not_found": 1}
    assert provider.asked["rtc_none"] >= 2


async def test_an_answer_of_somebody_else_does_not_end_a_call() -> None:
    """A gateway that is set up anew answers 404 in its own words: the call may be alive."""

    async def break_off(connection: ServerConnection) -> None:
        provider.refused["rtc_1"] = refusal(connection, HTTPStatus.NOT_FOUND, b"<html>no route</html>")
        connection.transport.abort()

    async with played({"rtc_1": break_off}) as (play, provider):
        await play.attach("rtc_1")
        await until(lambda: provider.asked["rtc_1"] >= 4)
        meanwhile = play.states
        provider.known["rtc_1"] = stay
        del provider.refused["rtc_1"]
        await until(lambda: play.stage.fed)

    assert (meanwhile["rtc_1"][1], play.released) == ("not_found", [])


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "unauthorized"), (403, "unauthorized"), (429, "rate_limited"), (503, "server_error")]
)
async def test_a_refusal_keeps_the_call_visible_with_its_reason(status: int, reason: str) -> None:
    """It is logged once, tried again, and followed when it is mended."""
    with capture_logs() as logs:
        async with played({"rtc_1": stay}) as (play, provider):
            async with server(stay, lambda connection, _: refusal(connection, HTTPStatus(status))) as refusing:
                await play.source.reconfigure(configured(refusing))
                await play.attach("rtc_1", desk="berlin")
                await until(lambda: play.source.counters.attempts[reason] >= 3)
                refused = play.states
            await play.source.reconfigure(configured(provider.url))
            await until(lambda: play.stage.fed)
            mended = play.states

    assert (refused, mended) == ({"rtc_1": ("waiting", reason)}, {"rtc_1": ("following", None)})
    said = [line for line in logs if line["event"] == "cannot connect" and line["reason"] == reason]
    assert [(line["call_id"], line["label_desk"]) for line in said] == [("rtc_1", "berlin")]


async def test_a_server_that_accepts_and_breaks_off_is_not_asked_without_a_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The waits grow until the call is given up."""
    monkeypatch.setattr(calls, "GIVEN_UP_SECONDS", 0.3)

    async def break_off(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with played({"rtc_1": break_off}, backoff_seconds=0.05, backoff_max_seconds=10.0) as (play, provider):
        await play.attach("rtc_1")
        await until(lambda: play.released)

    assert play.released == [("rtc_1", "given_up")]
    assert provider.asked["rtc_1"] <= 30


async def test_a_call_is_released() -> None:
    """The provider gets a close in order, and the others go on."""
    codes: list[int | None] = []

    async def talk(connection: ServerConnection) -> None:
        await stay(connection)
        codes.append(connection.close_code)

    async with played({"rtc_1": talk, "rtc_2": stay}) as (play, _):
        await play.attach("rtc_1")
        await play.attach("rtc_2")
        await until(lambda: play.stage.fed == 2)
        shown = await play.desk.release("rtc_1", "http")
        await until(lambda: codes)
        await until(lambda: play.source.counters.open == 1)
        with pytest.raises(RefusedError) as again:
            await play.desk.release("rtc_1", "http")
        states = play.states

    assert (shown.state, shown.frames, codes, again.value.code) == ("ended", 1, [1001], "not_followed")
    assert states == {"rtc_2": ("following", None)}
    assert play.noted[2] == ("call_released", "rtc_1", {"reason": "released", "frames": 1, "by": "http"})
    assert counted(play.source.counters.ended) == {"released": 1}


async def test_a_call_is_released_while_it_is_waited_for() -> None:
    async with played(backoff_seconds=3600.0, backoff_max_seconds=3600.0) as (play, provider):
        await play.attach("rtc_1")
        await until(lambda: play.states["rtc_1"][0] == "waiting")
        await play.desk.release("rtc_1", "control")
        await until(lambda: counted(play.source.counters.ended))

    assert (play.released, provider.asked["rtc_1"]) == ([("rtc_1", "released")], 1)


# Many calls -------------------------------------------------------------------------------------------------


async def test_another_configuration_keeps_the_connections() -> None:
    """A sideband repeats nothing: who leaves misses something. The next attempts are made by the new one."""
    async with played({"rtc_1": stay}) as (play, provider):
        await play.attach("rtc_1")
        await until(lambda: play.stage.fed)
        async with server(provider.talk, provider.admit) as other:
            await play.source.reconfigure(configured(f"{other}/azure?api-version=2"))
            provider.known["rtc_2"] = stay
            await play.attach("rtc_2")
            await until(lambda: play.stage.fed == 2)
            open_streams = play.source.counters.open
            await play.source.stop()

    assert provider.targets == ["/?call_id=rtc_1", "/azure?api-version=2&call_id=rtc_2"]
    assert open_streams == 2


async def test_the_key_is_read_again_at_every_attempt(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("Bearer one")
    async with played(headers={"Authorization": SecretRef(file=str(key))}) as (play, provider):
        await play.attach("rtc_1")
        await until(lambda: provider.tokens)
        key.write_text("Bearer two")
        await until(lambda: "Bearer two" in provider.tokens)
        key.unlink()
        await until(lambda: play.states["rtc_1"] == ("waiting", "secret_missing"))

    assert provider.tokens[0] == "Bearer one"


async def test_a_thousand_calls_and_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one beyond the limit is refused; the others are followed, and leave in order."""
    monkeypatch.setattr(register, "ATTACH_RATE", 1e9)
    async with played({f"rtc_{number}": stay for number in range(1002)}) as (play, _):
        for number in range(1000):
            await play.attach(f"rtc_{number}")
        with pytest.raises(RefusedError) as refused:
            await play.attach("rtc_1000")
        await until(lambda: play.stage.fed == 1000)
        await play.desk.release("rtc_7", "control")
        one_more = await play.attach("rtc_1001")
        await until(lambda: play.stage.fed == 1001)

    assert (refused.value.code, one_more) == ("too_many_calls", True)
    assert Counter(fact.reason for fact in play.closed) == {"shutdown": 1001}


async def test_a_mistake_of_ours_at_one_call_is_no_other_calls_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    async with played({"rtc_1": stay, "rtc_2": stay}) as (play, _):
        begin = StreamSessions.begin

        def fail(sessions: StreamSessions, *args: object) -> object:
            if args[2] == "rtc_1":
                raise KeyError("made up")
            return begin(sessions, *args)  # type: ignore[arg-type]  # what the source gave

        monkeypatch.setattr(StreamSessions, "begin", fail)
        with capture_logs() as logs:
            await play.attach("rtc_1")
            await play.attach("rtc_2")
            await until(lambda: play.stage.fed)
            await until(lambda: play.states["rtc_1"] == ("waiting", "internal_error"))
        states = play.states["rtc_2"]
        monkeypatch.undo()
        await until(lambda: play.stage.fed == 2)

    assert states == ("following", None)
    assert "internal error: this call is followed again, the others go on" in [line["event"] for line in logs]


# Over a restart ---------------------------------------------------------------------------------------------


async def test_the_next_daemon_goes_on(tmp_path: Path) -> None:
    """A daemon that stops leaves its calls. The next one follows them, and says so; what is over is not begun again."""
    async with played({"rtc_1": stay, "rtc_2": hang_up}, tmp_path) as (play, _):
        await play.attach("rtc_1", desk="berlin")
        await play.attach("rtc_2")
        await until(lambda: play.released == [("rtc_2", "call_ended")])
        await until(lambda: play.stage.fed == 2)
    async with played({"rtc_1": stay}, tmp_path) as (again, provider):
        await until(lambda: again.stage.fed)
        listed = again.desk.listed().attachments

    assert [fact.reason for fact in play.closed] == ["disconnected", "shutdown"]
    assert [(each.call_id, each.labels, each.by) for each in listed] == [("rtc_1", {"desk": "berlin"}, "control")]
    assert again.noted == [("call_attached", "rtc_1", {"by": "control", "labels": {"desk": "berlin"}, "resumed": True})]
    assert provider.asked == {"rtc_1": 1}


async def test_many_calls_that_go_on_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart asks the provider for 100 calls a second, and not for all at once."""
    bounds: list[float] = []

    def uniform(_: float, most: float) -> float:
        bounds.append(most)
        return 0.0

    known: dict[str, Talk] = {f"rtc_{number}": stay for number in range(50)}
    async with played(known, tmp_path) as (play, _):
        for call_id in known:
            await play.attach(call_id)
        await until(lambda: play.stage.fed == 50)
    monkeypatch.setattr("random.uniform", uniform)
    async with played(known, tmp_path) as (again, _):
        await until(lambda: again.stage.fed == 50)
        await again.attach("rtc_none")

    assert bounds == [0.5] * 50 + [0.0]


async def test_a_call_that_waits_for_its_turn_can_be_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with played({"rtc_1": stay}, tmp_path) as (play, _):
        await play.attach("rtc_1")
    monkeypatch.setattr("random.uniform", lambda *_: 3600.0)
    async with played({"rtc_1": stay}, tmp_path) as (again, provider):
        await again.desk.release("rtc_1", "http")
        await until(lambda: counted(again.source.counters.ended))

    assert (again.released, provider.asked) == ([("rtc_1", "released")], Counter())


async def test_a_call_at_which_our_code_always_fails_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("made up")

    monkeypatch.setattr(calls, "GIVEN_UP_SECONDS", 0.05)
    monkeypatch.setattr(StreamSessions, "begin", fail)
    async with played({"rtc_1": stay}) as (play, _):
        await play.attach("rtc_1")
        await until(lambda: play.released)

    assert play.released == [("rtc_1", "given_up")]


async def test_a_source_that_is_made_anew_goes_on_with_its_calls() -> None:
    async with played({"rtc_1": stay}) as (play, provider):
        await play.attach("rtc_1")
        await until(lambda: play.stage.fed)
        await play.source.stop()
        with pytest.raises(RefusedError) as refused:
            await play.attach("rtc_2")
        anew = AttachSource(configured(provider.url), play.source._sessions)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anew.run)
            await until(lambda: play.stage.fed == 2)
            await anew.stop()

    assert refused.value.code == "unavailable"
    assert [body.get("resumed") for fact, _, body in play.noted] == [False]


async def test_stopped_before_it_runs() -> None:
    play = Play(configured("ws://127.0.0.1:1"))
    await play.source.stop()
    await play.source.run()

    assert not play.source.ready


# What a sideband carries ------------------------------------------------------------------------------------

SESSION = {"object": "realtime.session", "type": "realtime", "id": "sess_1", "model": "gpt-realtime"}
USAGE = {
    "total_tokens": 9,
    "input_tokens": 4,
    "output_tokens": 5,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 2, "audio_tokens": 3},
}
RESPONSE = {"object": "realtime.response", "id": "resp_1", "conversation_id": "conv_1", "output": []}


def said(number: int, kind: str, **members: object) -> bytes:
    return msgspec.json.encode({"type": kind, "event_id": f"event_{number}", **members})


async def test_a_call_that_is_joined_again_is_the_same_conversation() -> None:
    """No `session.created` comes, and no audio: the model is that of `session.updated`, and audio is not measured."""

    async def talk(connection: ServerConnection) -> None:
        if provider.asked["rtc_1"] == 1:
            await connection.send(said(1, "session.updated", session=SESSION))
            await until(lambda: SessionOpened in map(type, play.stage.facts))
            connection.transport.abort()
            return
        await connection.send(said(2, "input_audio_buffer.speech_stopped", audio_end_ms=100, item_id="item_1"))
        await connection.send(said(3, "response.created", response={**RESPONSE, "status": "in_progress"}))
        await connection.send(said(4, "output_audio_buffer.started", response_id="resp_1"))
        done = {**RESPONSE, "status": "completed", "usage": USAGE}
        await connection.send(said(5, "response.done", response=done))

    async with played({"rtc_1": talk}) as (play, provider):
        await play.attach("rtc_1")
        await until(lambda: play.released)
        keys = list(play.stage.pipeline.registry.conversations)

    finished = next(fact for fact in play.stage.facts if isinstance(fact, ResponseFinished))
    started = next(fact for fact in play.stage.facts if isinstance(fact, PlaybackStarted))
    assert keys == ["calls/rtc_1"]
    assert (finished.model, finished.audio_seconds, finished.time_to_first_audio_seconds) == (
        "gpt-realtime",
        None,
        None,
    )
    assert started.turn_latency_seconds is not None
    assert [fact.gap for fact in play.closed] == ["broken_off", None]


async def test_a_call_whose_model_nobody_said_has_none() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(said(1, "response.done", response={**RESPONSE, "status": "completed", "usage": USAGE}))

    async with played({"rtc_1": talk}) as (play, _):
        await play.attach("rtc_1")
        await until(lambda: play.released)

    finished = next(fact for fact in play.stage.facts if isinstance(fact, ResponseFinished))
    assert (finished.model, {tokens.model for tokens in finished.tokens}) == (None, {None})


# Live sessions ----------------------------------------------------------------------------------------------


async def test_a_live_session_is_followed_beside_calls() -> None:
    """By the same source: its id says where."""
    async with played({"rtc_1": stay, "live_1": stay}) as (play, provider):
        await play.source.reconfigure(configured(f"{provider.url}/v1/realtime"))
        await play.attach("rtc_1")
        await play.attach("live_1")
        await until(lambda: play.stage.fed == 2)
        named = {stream.conversation for stream in play.stage.pipeline.streams.values()}

    assert sorted(provider.targets) == [
        "/v1/live/sessions/live_1/attach?graceful_close=true",
        "/v1/realtime?call_id=rtc_1",
    ]
    assert named == {"rtc_1", "live_1"}


async def test_a_live_session_is_asked_for_again_after_a_close_in_order() -> None:
    """The session may go on: it is over when the provider knows it no more."""

    async def close(connection: ServerConnection) -> None:
        await connection.send(PING)
        await until(lambda: play.stage.fed == provider.asked["live_1"])
        if provider.asked["live_1"] == 2:
            del provider.known["live_1"]

    async with played({"live_1": close}) as (play, provider):
        await play.attach("live_1")
        await until(lambda: play.released)

    assert play.noted[-1] == ("call_released", "live_1", {"reason": "call_ended", "frames": 2})
    assert counted(play.source.counters.attempts) == {"connected": 2, "not_found": 1}
    assert [fact.gap for fact in play.closed] == [None, None]


async def test_a_live_session_that_says_nothing_any_more_is_over() -> None:
    """A gateway may accept what it does not follow, and close it in order."""

    async def close(connection: ServerConnection) -> None:
        if provider.asked["live_1"] == 1:
            await connection.send(PING)

    async with played({"live_1": close}) as (play, provider):
        await play.attach("live_1")
        await until(lambda: play.released)

    assert play.released == [("live_1", "call_ended")]
    assert counted(play.source.counters.attempts) == {"connected": 2}


async def test_who_leaves_a_live_session_does_not_end_it() -> None:
    """Released and asked for again, it is followed again."""
    async with played({"live_1": stay}) as (play, provider):
        await play.attach("live_1")
        await until(lambda: play.stage.fed)
        await play.desk.release("live_1", "control")
        await until(lambda: counted(play.source.counters.ended))
        again = await play.attach("live_1")
        await until(lambda: play.stage.fed == 2)

    assert (again, provider.asked["live_1"], play.released) == (True, 2, [("live_1", "released")])


async def test_the_key_of_azure_stands_in_a_header_of_its_own(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("not-to-be-kept")
    async with played({"live_1": stay}, headers={"api-key": SecretRef(file=str(key))}) as (play, provider):
        await play.source.reconfigure(
            configured(f"{provider.url}/openai/v1/live/sessions", headers={"api-key": SecretRef(file=str(key))})
        )
        await play.attach("live_1")
        await until(lambda: play.stage.fed)

    assert provider.targets == ["/openai/v1/live/sessions/live_1/attach?graceful_close=true"]
    assert provider.keys == ["not-to-be-kept"]
