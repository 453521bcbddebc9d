"""Replies that pass the proxy as plain HTTP: what is read of them, and what is left alone. Real sockets."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from structlog.testing import capture_logs

from steno.config.sources import ProxySource as Config
from steno.core.facts import ChainAnswered, Fact, ResponseFinished, RunFinished, SessionOpened, ToolCallFinished
from steno.output_errors import OutputErrors
from steno.sources.proxy.source import ProxySource
from steno.sources.recorder import Recorder
from steno.sources.recording import is_reply
from tests.sources.helpers import Stage, counted, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


RUN = {"id": "run_7", "object": "thread.run", "thread_id": "thread_7", "model": "talker-2", "status": "completed"}
ENDED = {**RUN, "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}
SESSION = {"type": "realtime", "object": "realtime.session", "id": "sess_7", "model": "talker-2", "expires_at": 0}
SECRET = {"value": "ek_not_to_be_kept", "expires_at": 1_900_000_000, "session": SESSION}


def event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


EVENTS = (
    event("thread.run.created", {**RUN, "status": "queued"})
    + b": keep-alive\n\n"
    + event("thread.run.in_progress", {**RUN, "status": "in_progress"})
    + event("thread.run.completed", ENDED)
    + b"event: done\ndata: [DONE]\n\n"
)
RESPONSE = {
    "id": "resp_7",
    "object": "response",
    "status": "completed",
    "model": "talker-2",
    "output": [],
    "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
}
BEGUN = {"type": "response.created", "response": {**RESPONSE, "status": "in_progress"}, "sequence_number": 0}
DONE = {"type": "response.completed", "response": RESPONSE, "sequence_number": 1}
STREAM = "Content-Type: text/event-stream; charset=utf-8"
OBJECT = "Content-Type: application/json"


class Play:
    """A provider that gives one answer, the proxy before it, and what became of it."""

    def __init__(self, answer: bytes, recorder: Recorder | None = None) -> None:
        self.answer = answer
        self.hangs_up = True
        """Whether the provider closes the connection after its answer; otherwise it waits for the other side."""
        self.stage = Stage(recorder)
        self.source: ProxySource

    async def provide(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        await writer.drain()
        if not self.hangs_up:
            await reader.read()
        writer.close()

    async def ask(self, path: str, method: str = "POST") -> bytes:
        """Return all that the proxy answers to a request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.source.port)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer not-to-be-kept\r\nContent-Length: 0\r\n\r\n"
        )
        writer.write(head.encode())
        answer = await reader.read()
        writer.close()
        await until(lambda: not self.source._connections)
        return answer.partition(b"\r\n\r\n")[2]

    def facts(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.stage.facts if isinstance(fact, kind)]

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The calls that are to be followed, and who asked for it."""
        return [(call.call_id, call.by) for call in self.stage.sessions.attachments.listed().attachments]

    @property
    def gaps(self) -> list[str | None]:
        return [each.gap for each in self.stage.closed]

    @property
    def unfed(self) -> dict[str, float]:
        return counted(self.source.counters.unfed)


@asynccontextmanager
async def playing(
    answer: bytes, frame_bytes: int = 1 << 24, attach: str | None = "calls", recorder: Recorder | None = None
) -> AsyncIterator[Play]:
    play = Play(answer, recorder)
    server = await asyncio.start_server(play.provide, "127.0.0.1", 0)
    async with server, anyio.create_task_group() as tasks:
        upstream = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        table = Config(
            name="front", kind="proxy", listen="127.0.0.1:0", upstream=upstream, frame_bytes=frame_bytes, attach=attach
        )
        shelf = play.stage.sessions.attachments.shelf("calls")
        shelf.configured, shelf.most = True, 2
        play.source = ProxySource(table, play.stage.sessions)
        tasks.start_soon(play.source.run)
        await until(lambda: play.source.ready)
        yield play
        await play.source.stop()


def reply(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "\r\n")).encode() + body


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    text = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return f"HTTP/1.1 200 OK\r\n{STREAM}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + text + b"0\r\n\r\n"


RUNS = "/v1/threads/thread_7/runs"
PATHS = (RUNS, "/v1/threads/runs?x=1", "/openai/threads/t/runs/r/submit_tool_outputs?api-version=1", "/threads/runs/")


@pytest.mark.parametrize("path", PATHS)
async def test_a_stream_of_events_is_read_along(path: str) -> None:
    """Under every path that has one, and it passes as it came."""
    async with playing(reply(EVENTS, STREAM)) as play:
        passed = await play.ask(path)

    (finished,) = play.facts(RunFinished)
    assert isinstance(finished, RunFinished)
    assert (passed, finished.run_id, finished.status) == (EVENTS, "run_7", "completed")
    assert (len(play.stage.closed), play.gaps, play.unfed) == (1, [None], {})


IN_PROGRESS = {"id": "resp_7", "object": "response", "model": "gpt-5.6", "status": "in_progress", "output": []}
WHOLE = {**IN_PROGRESS, "status": "completed", "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}}


def responses(*names: str) -> bytes:
    """Return the events of a response, as server-sent events."""
    events = [
        event(f"response.{name}", {"type": f"response.{name}", "sequence_number": n, "response": object_})
        for n, (name, object_) in enumerate(zip(names, (IN_PROGRESS, IN_PROGRESS, WHOLE), strict=True))
    ]
    return b"".join(events)


@pytest.mark.parametrize(
    "path", ["/v1/responses", "/openai/v1/responses/?api-version=1", "/backend-api/codex/responses"]
)
@pytest.mark.parametrize(
    "answer",
    [
        reply(responses("created", "in_progress", "completed"), STREAM),
        reply(json.dumps(WHOLE).encode(), OBJECT),
    ],
    ids=["stream", "object"],
)
async def test_a_response_that_is_made_over_http_is_read_along(path: str, answer: bytes) -> None:
    """As a stream of events, or as one object."""
    async with playing(answer) as play:
        passed = await play.ask(path)

    (finished,) = play.facts(ResponseFinished)
    assert isinstance(finished, ResponseFinished)
    assert answer.endswith(passed)
    assert (finished.response_id, finished.status, sum(each.tokens for each in finished.tokens)) == (
        *("resp_7", "completed"),
        7,
    )
    assert (len(play.stage.closed), play.gaps, play.unfed) == (1, [None], {})


CALL = {"type": "function_call", "id": "fc_7", "call_id": "call_7", "name": "look_up", "arguments": "{}"}


def said_of_recordings(folder: Path) -> list[list[bool]]:
    """Return which lines say that their stream is a reply."""
    return [[is_reply(line) for line in path.read_bytes().splitlines()] for path in folder.iterdir()]


async def test_a_loop_over_http_is_one_conversation(tmp_path: Path) -> None:
    """Of which each reply is a stream, and says so in its recording. A call waits for the reply that goes on."""
    asking = {**WHOLE, "output": [CALL]}
    further = {**WHOLE, "id": "resp_8", "previous_response_id": "resp_7"}
    recorder = Recorder(tmp_path, OutputErrors())
    events = event("response.completed", {"type": "response.completed", "sequence_number": 1, "response": asking})
    async with playing(reply(events, STREAM), recorder=recorder) as play:
        await play.ask("/v1/responses")
        conversations = list(play.stage.pipeline.registry.conversations)
        play.answer = reply(json.dumps(further).encode(), OBJECT)
        await play.ask("/v1/responses")

        assert list(play.stage.pipeline.registry.conversations) == conversations == ["front/resp_7"]
    (ended,) = play.facts(ToolCallFinished)
    (answer,) = play.facts(ChainAnswered)
    assert isinstance(ended, ToolCallFinished)
    assert isinstance(answer, ChainAnswered)
    assert (ended.status, answer.tool_rounds, len(play.stage.closed)) == ("completed", 1, 2)
    assert said_of_recordings(tmp_path) == [[True, False]] * 2


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/responses/resp_7", "GET"),
        ("/v1/responses", "GET"),
        ("/v1/responses/resp_7/cancel", "POST"),
        ("/v1/responses/input_tokens", "POST"),
    ],
)
async def test_a_response_that_is_asked_for_again_is_not_billed_again(path: str, method: str) -> None:
    async with playing(reply(json.dumps(WHOLE).encode(), OBJECT)) as play:
        await play.ask(path, method)

    assert (play.facts(ResponseFinished), play.stage.closed) == ([], [])


@pytest.mark.parametrize("path", ["/v1/responses", "/openai/v1/responses/?x=1"])
@pytest.mark.parametrize("separators", [(",", ":"), None])
async def test_a_stream_whose_events_name_themselves(path: str, separators: tuple[str, str] | None) -> None:
    """However they are spaced."""
    events = b"".join(
        f"event: {each['type']}\ndata: {json.dumps(each, separators=separators)}\n\n".encode() for each in (BEGUN, DONE)
    )
    async with playing(reply(events, STREAM)) as play:
        passed = await play.ask(path)

    (finished,) = play.facts(ResponseFinished)
    assert isinstance(finished, ResponseFinished)
    assert (passed, finished.response_id, finished.status) == (events, "resp_7", "completed")
    assert (play.gaps, play.unfed) == ([None], {})


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_it_may_come_in_any_parts(size: int) -> None:
    async with playing(chunked(EVENTS, size)) as play:
        await play.ask(RUNS)

    assert [each.frames for each in play.stage.closed] == [4]
    assert len(play.facts(RunFinished)) == 1


async def test_it_may_be_compressed() -> None:
    packed = gzip.compress(EVENTS)
    async with playing(reply(packed, STREAM, "Content-Encoding: gzip")) as play:
        passed = await play.ask(RUNS)

    assert (passed, len(play.facts(RunFinished)), play.unfed) == (packed, 1, {})


async def test_one_that_breaks_off_has_a_gap() -> None:
    """The event that is not complete is not read."""
    whole = reply(EVENTS, STREAM)
    async with playing(whole[: whole.index(b"event: thread.run.completed") + 60]) as play:
        await play.ask(RUNS)

    assert ([each.frames for each in play.stage.closed], play.gaps) == ([2], ["broken_off"])
    assert play.facts(RunFinished) == []


async def test_an_event_that_is_too_long_passes_and_is_counted() -> None:
    long = event("thread.message.created", {"id": "msg_7", "content": "x" * 5000})
    async with playing(reply(long + EVENTS, STREAM), frame_bytes=1024) as play:
        passed = await play.ask(RUNS)

    assert (passed, play.unfed, play.gaps) == (long + EVENTS, {"frame_too_big": 1}, ["frame_too_big"])
    assert len(play.facts(RunFinished)) == 1


UNREADABLE = [
    ((b"x", STREAM, "Content-Encoding: br"), []),
    ((b"no gzip", STREAM, "Content-Encoding: gzip"), ["broken_off"]),
    ((gzip.compress(b" " * (1 << 24)), STREAM, "Content-Encoding: gzip"), ["broken_off"]),
    ((b"x", OBJECT, "Content-Encoding: zstd"), []),
    ((b"no gzip", OBJECT, "Content-Encoding: gzip"), []),
]


@pytest.mark.parametrize(("answer", "gaps"), UNREADABLE)
async def test_what_cannot_be_read_passes_and_is_counted(answer: tuple[bytes, str, str], gaps: list[str]) -> None:
    """Of an object no stream was begun yet."""
    async with playing(reply(*answer)) as play:
        passed = await play.ask(RUNS)

    assert (passed, play.unfed, play.gaps) == (answer[0], {"encoding": 1}, gaps)
    assert play.source.budget.held == 0


@pytest.mark.parametrize("kind", [STREAM, OBJECT])
async def test_what_finds_no_memory_passes_and_is_counted(kind: str) -> None:
    """All that waits for its end shares a budget, which is whole again afterwards."""
    body = b"data: " + b"x" * 3000
    async with playing(reply(body, kind)) as play:
        play.source.budget.limit = 2000
        passed = await play.ask(RUNS)

    assert (passed, play.unfed, play.source.budget.held) == (body, {"memory": 1}, 0)


# Objects --------------------------------------------------------------------------------------------------

OBJECTS = [
    ("POST", "/v1/realtime/client_secrets", SECRET),
    ("POST", "/v1/realtime/sessions", SESSION),
    (
        "POST",
        "/openai/v1/realtime/transcription_sessions",
        {"id": "sess_8", "object": "realtime.transcription_session"},
    ),
    ("POST", "/v1/chatkit/sessions", {"id": "cksess_7", "object": "chatkit.session", "status": "active"}),
    ("POST", "/v1/chatkit/sessions/cksess_7/cancel", {"id": "cksess_7", "object": "chatkit.session"}),
    ("GET", "/v1/threads/thread_7/runs/run_7", ENDED),
    ("POST", "/openai/v1/responses", RESPONSE),
]


@pytest.mark.parametrize(("method", "path", "body"), OBJECTS)
async def test_an_object_that_is_known_is_one_frame(method: str, path: str, body: dict[str, object]) -> None:
    """Its stream ends with it, in order."""
    async with playing(reply(json.dumps(body).encode(), OBJECT)) as play:
        await play.ask(path, method)

    assert [(each.frames, each.gap) for each in play.stage.closed] == [(1, None)]


async def test_the_session_of_a_client_secret_is_known_and_its_key_is_not_kept() -> None:
    async with playing(reply(json.dumps(SECRET).encode(), OBJECT)) as play:
        await play.ask("/v1/realtime/client_secrets")

    assert play.facts(SessionOpened)
    assert "not_to_be_kept" not in repr(play.stage.facts)


LEFT_ALONE = [
    ("/v1/models", reply(b'{"object":"list","data":[]}', OBJECT)),
    ("/v1/threads/thread_7/messages", reply(b'{"object":"list","data":[]}', OBJECT)),
    ("/v1/chat/completions", reply(EVENTS, STREAM)),
    ("/v1/responses", reply(b'{"object":"response.compaction"}', OBJECT)),
    ("/v1/threads/thread_7/runs", reply(b'{"object":"thread.run"', OBJECT)),
    ("/v1/threads/thread_7/runs", reply(json.dumps(ENDED).encode(), "Content-Type: text/plain")),
    ("/v1/threads/thread_7/runs", reply(json.dumps(ENDED).encode(), OBJECT, status="429 Slow Down")),
    ("/v1/threads/thread_7/runs", reply(b"[" * 100_000, OBJECT)),
    ("/v1/realtime/client_secrets", reply(b'{"value":"ek_1","expires_at":1}', OBJECT)),
]


@pytest.mark.parametrize(("path", "answer"), LEFT_ALONE)
async def test_what_is_none_of_our_business_is_left_alone(path: str, answer: bytes) -> None:
    async with playing(answer) as play:
        passed = await play.ask(path)

    assert passed == answer.partition(b"\r\n\r\n")[2]
    assert (play.stage.facts, play.unfed, play.source.budget.held) == ([], {}, 0)


# Calls ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "calls"),
    [
        ("/v1/realtime/calls/rtc_7", ["rtc_7"]),
        ("https://api.provider.example/openai/v1/realtime/calls/rtc_7?webrtcfilter=on", ["rtc_7"]),
        ("/v1/realtime/calls/", []),
        ("/v1/realtime/calls/rtc_7/hangup", []),
        ("/v1/realtime/calls/" + "x" * 129, []),
        ("/v1/realtime/calls/rtc%0a7", []),
    ],
)
async def test_a_call_that_is_created_is_followed(place: str, calls: list[str]) -> None:
    """By the configured source, and with nothing of the request but its id."""
    answer = reply(b"v=0\r\n", "Content-Type: application/sdp", f"Location: {place}", status="201 Created")
    async with playing(answer) as play:
        passed = await play.ask("/v1/realtime/calls")

    assert (passed, play.calls, play.stage.facts) == (b"v=0\r\n", [(call_id, "proxy") for call_id in calls], [])


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1/realtime/calls", "POST", "200 OK"),
        ("/v1/realtime/calls", "GET", "201 Created"),
        ("/v1/files", "POST", "201 Created"),
    ],
)
async def test_other_replies_name_no_call(path: str, method: str, status: str) -> None:
    async with playing(reply(b"", "Location: /v1/realtime/calls/rtc_7", status=status)) as play:
        await play.ask(path, method)

    assert play.calls == []


LIVE = b'{"session":{"id":"live_7"},"transport":{"type":"webrtc","sdp":"v=0"}}'


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/live/sessions", reply(LIVE, OBJECT)),
        ("/openai/v1/live/sessions/?api-version=1", reply(LIVE, OBJECT, status="201 Created")),
        ("/v1/live/sessions/live_6/fork", reply(LIVE, OBJECT)),
        ("/v1/live/sessions", reply(gzip.compress(LIVE), OBJECT, "Content-Encoding: gzip")),
    ],
)
async def test_a_live_session_that_is_created_is_followed(path: str, answer: bytes) -> None:
    """Its id stands in the body, of which nothing else is read."""
    async with playing(answer) as play:
        passed = await play.ask(path)

    assert (answer.endswith(passed), play.calls, play.stage.facts) == (True, [("live_7", "proxy")], [])


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("/v1/live/sessions", "GET", LIVE),
        ("/v1/live/sessions/live_7/hangup", "POST", LIVE),
        ("/v1/live/sessions", "POST", b'{"session":{"id":7}}'),
        ("/v1/live/sessions", "POST", b'{"session":{"id":"live 7"}}'),
        ("/v1/live/sessions", "POST", b'{"session":null}'),
        ("/v1/live/sessions", "POST", b"[" * 5000),
        ("/v1/live/sessions", "POST", b""),
    ],
)
async def test_other_bodies_name_no_live_session(path: str, method: str, body: bytes) -> None:
    async with playing(reply(body, OBJECT)) as play:
        passed = await play.ask(path, method)

    assert (passed, play.calls, play.stage.closed, play.unfed) == (body, [], [], {})


async def test_a_creation_that_breaks_off_names_no_live_session() -> None:
    async with playing(reply(LIVE, OBJECT)[:-1]) as play:
        await play.ask("/v1/live/sessions")

    assert play.calls == []


CREATED = reply(b"v=0", "Location: /v1/realtime/calls/rtc_7", status="201 Created")


async def test_no_call_is_followed_where_no_source_is_named() -> None:
    async with playing(CREATED, attach=None) as play:
        passed = await play.ask("/v1/realtime/calls")

    assert (passed, play.calls) == (b"v=0", [])


@pytest.mark.parametrize("fault", ["full", "mistake"])
async def test_a_call_that_cannot_be_followed_is_not_cut(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why not is logged: the register is full, or it fails."""

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    with capture_logs() as logs:
        async with playing(CREATED) as play:
            play.stage.sessions.attachments.shelf("calls").most = 0
            if fault == "mistake":
                monkeypatch.setattr(play.stage.sessions.attachments, "attach", fail)
            passed = await play.ask("/v1/realtime/calls")
            await until(lambda: not play.source._asking)

    told = [(line["event"], line.get("reason")) for line in logs if "not followed" in line["event"]]
    expected = {
        "full": ("a call is not followed", "too_many_calls"),
        "mistake": ("internal error: a call is not followed", None),
    }
    assert (passed, play.calls, told) == (b"v=0", [], [expected[fault]])


@pytest.mark.parametrize(("events", "gap"), [(EVENTS, None), (EVENTS.partition(b"event: done")[0], "broken_off")])
async def test_a_client_that_hangs_up_once_the_stream_is_over_breaks_nothing_off(
    events: bytes, gap: str | None
) -> None:
    head = f"HTTP/1.1 200 OK\r\n{STREAM}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    async with playing(head + b"%x\r\n%b\r\n" % (len(events), events)) as play:
        play.hangs_up = False
        reader, writer = await asyncio.open_connection("127.0.0.1", play.source.port)
        writer.write(b"POST /v1/threads/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(events)
        writer.close()
        await until(lambda: play.gaps)

    assert play.gaps == [gap]
    assert len(play.facts(RunFinished)) == 1
