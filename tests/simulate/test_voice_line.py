"""Sessions over real websockets: what a target opens, for whom, and in which protocol."""

import logging

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from steno.simulate.server import Provider
from tests.simulate.clients import Event, request, send, simulated, until
from tests.simulate.interactive.plays import silence, tone

pytestmark = pytest.mark.anyio

MODEL = "/v1/realtime?model=gpt-realtime"
OFFER = b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
BETA = {"OpenAI-Beta": "realtime=v1"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ask(connection: ClientConnection, text: str) -> Event:
    """Ask in writing, and return the response."""
    content = [{"type": "input_text", "text": text}]
    await send(connection, "conversation.item.create", item={"type": "message", "role": "user", "content": content})
    await send(connection, "response.create")
    response: Event = (await until(connection, "response.done"))[-1]["response"]
    return response


@pytest.mark.parametrize("speed", [0.0, 40.0])
async def test_a_client_is_answered(speed: float) -> None:
    async with simulated(speed=speed) as running, connect(running.url(MODEL)) as connection:
        [created] = await until(connection, "session.created")
        response = await ask(connection, "Is it Tuesday?")

    assert created["session"]["model"] == "gpt-realtime"
    assert "You said: Is it Tuesday?" in response["output"][0]["content"][0]["transcript"]


async def test_the_same_seed_and_input_give_the_same_frames() -> None:
    async def play(seed: int) -> list[Event]:
        async with simulated(seed=seed) as running, connect(running.url(MODEL)) as connection:
            events = await until(connection, "session.created")
            await send(connection, "input_audio_buffer.append", audio=tone(600))
            await send(connection, "input_audio_buffer.append", audio=silence(600))
            return events + await until(connection, "response.done")

    assert await play(7) == await play(7)
    assert await play(7) != await play(8)


async def test_an_answer_takes_its_time() -> None:
    """At the beginning of an answer of four seconds the client still can cancel it."""
    async with simulated(speed=1.0) as running, connect(running.url(MODEL)) as connection:
        await send(connection, "response.create", response={"instructions": "so " * 60})
        await until(connection, "response.output_audio.delta")
        await send(connection, "response.cancel")
        response = (await until(connection, "response.done"))[-1]["response"]

    assert response["status"] == "cancelled"


async def test_garbage_does_not_end_a_session() -> None:
    async with simulated() as running, connect(running.url(MODEL)) as connection:
        await until(connection, "session.created")
        for frame in ("\N{SNOWMAN}", b"\x00\xff", "[]", '{"type":"x"}'):
            await connection.send(frame)
            await until(connection, "error")

        assert (await ask(connection, "Still there?"))["status"] == "completed"


async def test_other_sessions_go_on_beside_one_that_does_not_read() -> None:
    async with simulated() as running:
        silent = await connect(running.url(MODEL), max_queue=1)
        for _ in range(40):
            await send(silent, "response.create", response={"conversation": "none"})
        async with connect(running.url(MODEL)) as connection:
            with anyio.fail_after(10):
                assert (await ask(connection, "Hello"))["status"] == "completed"
        silent.transport.abort()


# Protocols.


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["realtime"], "realtime"),
        (["openai-agents-sdk.0.1", "openai-insecure-api-key.sk-1", "realtime"], "realtime"),
        (["openai-insecure-api-key.sk-1"], None),
        ([], None),
    ],
)
async def test_only_the_subprotocol_realtime_is_accepted(offered: list[str], chosen: str | None) -> None:
    subprotocols = [Subprotocol(each) for each in offered] or None
    async with simulated() as running, connect(running.url(MODEL), subprotocols=subprotocols) as connection:
        await until(connection, "session.created")

        assert connection.subprotocol == chosen
        assert connection.response is not None
        assert "sk-1" not in str(connection.response.headers)


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [(BETA, None), (None, [Subprotocol("realtime"), Subprotocol("openai-beta.realtime-v1")])],
)
async def test_who_asks_for_beta_gets_it(
    headers: dict[str, str] | None, subprotocols: list[Subprotocol] | None
) -> None:
    async with (
        simulated() as running,
        connect(running.url(MODEL), additional_headers=headers, subprotocols=subprotocols) as connection,
    ):
        [created] = await until(connection, "session.created")
        await connection.send("no event")
        [error] = await until(connection, "error")
        await send(connection, "session.update", session={"modalities": ["text"]})
        [updated] = await until(connection, "session.updated")
        await send(connection, "response.create")
        kinds = {event["type"] for event in await until(connection, "response.done")}

    assert created["session"]["modalities"] == ["audio", "text"]
    assert error["error"]["code"] == "invalid_json"
    assert updated["session"]["modalities"] == ["text"]
    assert {"response.text.delta", "conversation.item.created"} <= kinds


async def test_beta_can_be_switched_off() -> None:
    async with (
        simulated(beta=False) as running,
        connect(running.url(MODEL), additional_headers=BETA) as connection,
    ):
        [error] = await until(connection, "error")
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()

    assert error["error"]["code"] == "beta_api_shape_disabled"
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        4000,
        "invalid_request_error.beta_api_shape_disabled",
    )


async def test_a_session_for_transcription() -> None:
    async with simulated() as running, connect(running.url("/v1/realtime?intent=transcription")) as connection:
        [created] = await until(connection, "session.created")
        await send(connection, "input_audio_buffer.append", audio=tone(600))
        await send(connection, "input_audio_buffer.append", audio=silence(600))
        events = await until(connection, "conversation.item.input_audio_transcription.completed")

    deltas = [event["delta"] for event in events if event["type"].endswith(".delta")]
    assert created["session"]["type"] == "transcription"
    assert "".join(deltas) == events[-1]["transcript"]
    assert events[-1]["usage"]["type"] == "tokens"


# Keys.


async def status(running: Provider, path: str, **options: object) -> tuple[int, str]:
    """Return the status and the body of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(running.url(path), **options)  # type: ignore[arg-type]  # headers or subprotocols
    return refused.value.response.status_code, (refused.value.response.body or b"").decode()


async def test_a_key_is_demanded_where_there_is_one() -> None:
    async with simulated(key="sk-right") as running:
        none = await status(running, MODEL)
        wrong = await status(running, MODEL, additional_headers={"Authorization": "Bearer sk-wrong"})
        browser = await status(running, MODEL, subprotocols=["realtime", "openai-insecure-api-key.sk-wrong"])
        for headers in ({"Authorization": "Bearer sk-right"}, {"api-key": "sk-right"}):
            async with connect(running.url(MODEL), additional_headers=headers) as connection:
                await until(connection, "session.created")

    assert {none[0], wrong[0], browser[0]} == {401}
    assert '"invalid_api_key"' in wrong[1]
    assert "sk-" not in none[1] + wrong[1] + browser[1]


async def test_keys_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    offered = [Subprotocol("realtime"), Subprotocol("openai-insecure-api-key.sk-right")]
    async with simulated(key="sk-right") as running:
        async with connect(running.url(MODEL), subprotocols=offered) as connection:
            await until(connection, "session.created")
        await status(running, MODEL, additional_headers={"Authorization": "Bearer sk-wrong"})

    of_the_server = [record for record in caplog.records if record.name != "websockets.client"]
    assert [record for record in of_the_server if "sk-" in record.getMessage()] == []


async def test_a_key_for_sessions_opens_what_it_was_made_for() -> None:
    clock = [1_790_000_000]
    session = {"type": "realtime", "model": "gpt-realtime-mini", "output_modalities": ["text"]}
    async with simulated(key="sk-right", now=lambda: clock[0]) as running:
        right = {"Authorization": "Bearer sk-right"}
        made = await request(running, "POST", "/v1/realtime/client_secrets", {"session": session}, headers=right)
        offered = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{made.json['value']}")]
        async with connect(running.url(MODEL), subprotocols=offered) as connection:
            [created] = await until(connection, "session.created")
        clock[0] = made.json["expires_at"]
        late = await status(running, MODEL, subprotocols=offered)

    assert created["session"]["model"] == "gpt-realtime-mini"
    assert created["session"]["output_modalities"] == ["text"]
    assert late[0] == 401


async def test_a_key_for_sessions_that_nobody_made_opens_nothing() -> None:
    async with simulated() as running:
        refused = await status(running, MODEL, additional_headers={"Authorization": "Bearer ek_made_up"})

    assert refused[0] == 401


# Sidebands.


async def begin_call(running: Provider) -> str:
    """Begin a call, and return the target of its sideband."""
    reply = await request(running, "POST", "/v1/realtime/calls", OFFER, headers={"Content-Type": "application/sdp"})
    return f"/v1/realtime?call_id={reply.headers['location'].rpartition('/')[2]}"


async def test_a_sideband_follows_a_call_to_its_end() -> None:
    async with simulated() as running:
        target = await begin_call(running)
        async with connect(running.url(target)) as connection:
            events = [frame async for frame in connection]
            code = connection.close_code
        ended = await status(running, target)

    kinds = {frame.split('"')[3] for frame in map(str, events)}
    assert code == 1000
    assert {"output_audio_buffer.started", "output_audio_buffer.stopped", "rate_limits.updated"} <= kinds
    assert "response.output_audio.done" in kinds
    assert not {"session.created", "response.output_audio.delta"} & kinds
    assert ended[0] == 404


async def test_all_sidebands_of_a_call_see_the_same_but_for_errors() -> None:
    async with simulated(speed=1.0) as running:
        target = await begin_call(running)
        async with connect(running.url(target)) as first, connect(running.url(target)) as second:
            await send(first, "session.update", session={"type": "realtime", "output_modalities": ["text"]})
            seen = [(await until(each, "session.updated"))[-1] for each in (first, second)]
            await first.send("garbage")
            await until(first, "error")
            await send(first, "session.update", session={"type": "realtime", "instructions": "Again."})
            after = await until(second, "session.updated")

    assert seen[0] == seen[1]
    assert "error" not in {event["type"] for event in after}


async def test_hanging_up_closes_the_sidebands() -> None:
    async with simulated(speed=1.0) as running:
        target = await begin_call(running)
        call = target.rpartition("=")[2]
        async with connect(running.url(target)) as connection:
            hung_up = await request(running, "POST", f"/v1/realtime/calls/{call}/hangup")
            with anyio.fail_after(10):
                async for _ in connection:
                    pass
            code = connection.close_code

    assert (hung_up.status, code) == (200, 1000)


async def test_a_sideband_of_no_call_is_refused() -> None:
    async with simulated() as running:
        unknown = await status(running, "/v1/realtime?call_id=rtc_none")
        both = await status(running, "/v1/realtime?call_id=rtc_none&model=m")

    assert unknown[0] == 404
    assert '"call_id_not_found"' in unknown[1]
    assert both[0] == 400
