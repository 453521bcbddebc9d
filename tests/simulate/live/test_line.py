"""The Live API on a real port: sessions, sidebands, calls by HTTP."""

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from steno.simulate.live.line import LiveSessions
from steno.simulate.server import Provider
from tests.simulate.clients import request, send, simulated, until

pytestmark = pytest.mark.anyio

SESSIONS = "/v1/live/sessions"
OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
CALL = {"session": {"model": "gpt-live-1"}, "transport": {"type": "webrtc", "sdp": OFFER}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def begin_call(running: Provider) -> str:
    reply = await request(running, "POST", SESSIONS, CALL)
    assert reply.status == 201, reply.body
    assert reply.json["transport"]["sdp"].startswith("v=0")
    return str(reply.json["session"]["id"])


async def test_a_session_over_a_websocket() -> None:
    async with simulated() as running, connect(running.url(SESSIONS)) as connection:
        await send(connection, "session.start", session={"model": "gpt-live-1"})
        started = await until(connection, "session.started")
        await send(connection, "session.commentary.append", content="Hello there.")
        await until(connection, "session.output_transcript.delta")
        await send(connection, "session.close")
        events = await until(connection, "session.closed")
        await connection.wait_closed()

    assert started[0]["session"]["id"].startswith("live_")
    assert all(list(event) == ["type", "delta"] for event in events if event["type"] == "session.output_audio.delta")
    assert connection.close_code == 1000


async def test_a_sideband_follows_a_call_to_its_end() -> None:
    async with simulated() as running:
        session_id = await begin_call(running)
        async with connect(running.url(f"{SESSIONS}/{session_id}/attach?graceful_close=true")) as connection:
            events = await until(connection, "session.closed")
            await connection.wait_closed()

    assert (events[0]["type"], events[0]["session"]["id"]) == ("session.started", session_id)
    sound = next(event for event in events if event["type"] == "session.output_audio.delta")
    assert list(sound) == ["type", "delta", "start_ms", "end_ms"]
    assert any(event["type"] == "session.input_audio.append" for event in events)
    assert events[-1]["reason"] == "remote_hangup"


async def test_a_sideband_of_a_session_learns_that_its_client_has_gone() -> None:
    async with simulated() as running:
        async with connect(running.url(SESSIONS)) as client:
            await send(client, "session.start", session={"model": "gpt-live-1"})
            (started,) = await until(client, "session.started")
            sideband = await connect(running.url(f"{SESSIONS}/{started['session']['id']}/attach"))
            await until(sideband, "session.started")
        (closed,) = await until(sideband, "session.closed")
        await sideband.wait_closed()

    assert closed["reason"] == "connection_lost"


async def test_a_call_is_hung_up_once() -> None:
    async with simulated(speed=1.0) as running:
        session_id = await begin_call(running)
        async with connect(running.url(f"{SESSIONS}/{session_id}/attach")) as connection:
            await until(connection, "session.started")
            first = await request(running, "POST", f"{SESSIONS}/{session_id}/hangup")
            closed = (await until(connection, "session.closed"))[-1]
        second = await request(running, "POST", f"{SESSIONS}/{session_id}/hangup")

    assert (first.status, closed["reason"]) == (200, "close_requested")
    assert (second.status, second.json["error"]["code"]) == (404, "session_id_not_found")


@pytest.mark.parametrize(
    ("path", "status"), [(f"{SESSIONS}/live_none/attach", 404), (f"{SESSIONS}/live_none/fork", 404)]
)
async def test_what_is_not_there_is_not_opened(path: str, status: int) -> None:
    async with simulated() as running:
        with pytest.raises(InvalidStatus) as refused:
            await connect(running.url(path))

    assert refused.value.response.status_code == status


async def test_a_session_needs_the_key() -> None:
    async with simulated(key="sk-right") as running:
        with pytest.raises(InvalidStatus) as refused:
            await connect(running.url(SESSIONS))

    assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "transport"),
        ({**CALL, "transport": {"type": "webrtc", "sdp": "?"}}, "transport.sdp"),
        ({**CALL, "session": {}}, "session.model"),
    ],
)
async def test_what_begins_no_call(body: object, param: str) -> None:
    async with simulated() as running:
        reply = await request(running, "POST", SESSIONS, body)

    assert (reply.status, reply.json["error"]["param"]) == (400, param)


async def test_the_oldest_call_ends_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LiveSessions, "MOST", 1)
    async with simulated(speed=1.0) as running:
        first = await begin_call(running)
        await begin_call(running)
        gone = await request(running, "POST", f"{SESSIONS}/{first}/hangup")

    assert gone.status == 404


@pytest.mark.parametrize("line", ["1", "sip"])
async def test_a_line_plays_a_story(line: str) -> None:
    async with simulated() as running, connect(running.url(f"{SESSIONS}?line={line}")) as connection:
        events = await until(connection, "session.closed")

    assert any(event["type"] == "transport.ringing" for event in events) is (line == "sip")
