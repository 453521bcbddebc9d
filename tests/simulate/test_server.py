"""The provider over a real websocket: what it plays to each client, what it refuses, how it ends."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from steno.simulate import assistants, voice
from steno.simulate.server import Provider, plain_story, provider, url_of
from tests.processes import listening_ports

STARTED_AT = 1_790_000_000
TARGETS = ["/v1/realtime", "/v1/realtime?model=gpt-realtime&line=1", "/v1/assistants"]

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def fast(seed: int = 1, speed: float = 0.0) -> AsyncIterator[Provider]:
    async with provider(seed=seed, speed=speed, now=lambda: STARTED_AT) as simulated:
        yield simulated


async def listen(connection: ClientConnection) -> list[Any]:
    """Return the frames of a conversation, which must end with code 1000."""
    frames = [frame async for frame in connection]
    assert all(isinstance(frame, str) for frame in frames)
    assert connection.close_code == 1000
    return frames


async def hear(url: str) -> list[Any]:
    async with connect(url) as connection:
        return await listen(connection)


@pytest.mark.parametrize("speed", [0.0, float("inf"), 1e6])
async def test_a_connection_gets_the_conversation_of_its_seed(speed: float) -> None:
    async with fast(seed=7, speed=speed) as simulated:
        call = await hear(simulated.url("/v1/realtime?model=gpt-realtime&line=1"))
        work = await hear(simulated.url("/v1/assistants"))

    expected_call = voice.session(Random("7//v1/realtime?model=gpt-realtime&line=1/1"), STARTED_AT)
    expected_work = assistants.stream(Random("7//v1/assistants/1"), STARTED_AT)
    assert call == [msgspec.json.encode(step.event).decode() for step in expected_call]
    assert work == [msgspec.json.encode(step.event).decode() for step in expected_work]


async def test_the_second_connection_to_a_target_gets_another_conversation() -> None:
    async with fast() as simulated:
        first = await hear(simulated.url("/v1/realtime"))
        second = await hear(simulated.url("/v1/realtime"))

    assert first != second


async def test_the_order_in_which_targets_connect_does_not_matter() -> None:
    async with fast() as simulated:
        heard = {target: await hear(simulated.url(target)) for target in TARGETS}
    async with fast() as simulated:
        again = {target: await hear(simulated.url(target)) for target in reversed(TARGETS)}
    async with fast(seed=2) as simulated:
        other = {target: await hear(simulated.url(target)) for target in TARGETS}

    assert again == heard
    assert all(other[target] != heard[target] for target in TARGETS)


async def test_what_a_client_sends_changes_nothing() -> None:
    async with fast() as simulated:
        silent = await hear(simulated.url("/v1/realtime"))
    async with fast() as simulated, connect(simulated.url("/v1/realtime"), compression=None) as connection:
        await connection.send('{"type":"session.update"}')
        await connection.send(b"\xff" * 2_000_000)
        assert await listen(connection) == silent


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/realtime/", "/v1/responses/", "/?/v1/realtime"])
async def test_any_other_path_is_refused(path: str) -> None:
    async with fast() as simulated:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(simulated.url(path)):
                pass

    assert refused.value.response.status_code == 404


async def test_a_client_that_leaves_is_not_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async with fast(speed=1.0) as simulated:
        async with connect(simulated.url("/v1/realtime")) as polite:
            await polite.recv()
        async with connect(simulated.url("/v1/realtime")) as rude:
            await rude.recv()
            rude.transport.abort()
        async with connect(simulated.url("/v1/assistants")) as third:
            assert await third.recv()

    assert [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"] == []


async def test_leaving_closes_every_connection_as_going_away() -> None:
    async with fast(speed=1.0) as simulated:
        connection = await connect(simulated.url("/v1/realtime"))
        await connection.recv()
    async for _ in connection:
        pass

    assert connection.close_code == 1001


async def test_leaving_does_not_wait_for_a_silent_client() -> None:
    with anyio.fail_after(5):  # well under the time that a handshake may take
        async with fast() as simulated:
            silent = socket.create_connection(("127.0.0.1", simulated.port))
            await hear(simulated.url("/v1/realtime"))
    silent.close()

    assert simulated.port not in listening_ports(os.getpid())


async def test_a_port_that_is_taken_raises() -> None:
    async with fast() as first:
        with pytest.raises(OSError, match="in use"):
            async with provider(port=first.port):
                pass


def test_a_url_names_host_and_port() -> None:
    assert url_of("ws", "::1", 8080, "/v1/realtime") == "ws://[::1]:8080/v1/realtime"
    assert url_of("wss", "127.0.0.1", 443, "/x?y") == "wss://127.0.0.1:443/x?y"


@pytest.mark.parametrize(
    ("target", "plays"),
    [
        ("/v1/realtime", True),
        ("/v1/realtime?for=me", True),
        ("/v1/realtime?model=m&line=1", True),
        ("/v1/assistants", True),
        ("/v1/realtime?model=m", False),
        ("/v1/realtime?call_id=rtc_1", False),
        ("/v1/realtime?intent=transcription", False),
        ("/v1/threads", False),
        ("/v1/realtime?line=push", True),
        ("/v1/responses?line=1", True),
        ("/v1/responses", False),
        ("/v1/live/sessions?line=sip", True),
        ("/v1/live/sessions", False),
        ("/v1/live/sessions/live_1/attach?line=1", False),
    ],
)
def test_a_target_that_opens_a_session_plays_no_story(target: str, plays: bool) -> None:
    assert (plain_story(target) is not None) is plays
