"""The unmodified `openai` SDK against a scripted provider, with and without the tap."""

import asyncio
import collections
import gc
import json
from collections.abc import Callable
from typing import Any

import pytest
import websockets.sync.client
from openai import AsyncOpenAI, OpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection, RealtimeConnection

from steno_tap import Tap
from tests.provider import Provider
from tests.servers import Steno, shapes

MakeTap = Callable[..., Tap]
KEY = "sk-secret-of-the-application"


def both_directions(steno: Steno) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"received": [], "sent": []}
    for line in steno.lines:
        if "text" in line:
            found[line["dir"]].append(line["text"])
    return found


def as_it_was(provider: Provider) -> dict[str, list[str]]:
    return {"received": provider.sent, "sent": provider.received}


def namespace(client: Any, name: str) -> Any:
    return client.beta.realtime if name == "beta" else client.realtime


@pytest.mark.parametrize("name", ["realtime", "beta"])
def test_sync_connection(make_tap: MakeTap, steno: Steno, name: str) -> None:
    tap = make_tap(steno.url, conversation="till-7")
    with Provider() as provider:
        client = OpenAI(api_key=KEY, base_url=f"http://{provider.host}", websocket_base_url=f"ws://{provider.host}")
        with namespace(client, name).connect(model="gpt-realtime") as opened:
            connection = tap(opened)
            assert connection is opened
            assert connection.recv().type == "session.created"
            connection.session.update(session={"instructions": "Be brief."})
            assert json.loads(connection.recv_bytes())["type"] == "session.updated"
            connection.response.create()
            seen = []
            for event in connection:
                seen.append(event.type)
                if event.type == "response.done":
                    break

    assert seen == ["response.created", *["response.output_audio_transcript.delta"] * 2, "response.done"]
    assert tap.close()
    steno.settled()
    assert both_directions(steno) == as_it_was(provider)
    assert shapes(steno.lines)[-1] == {"dir": "close", "code": 1000, "reason": ""}
    assert steno.pushes[0].query == {"conversation": "till-7"}
    assert KEY not in str(steno.pushes)


@pytest.mark.parametrize("name", ["realtime", "beta"])
def test_async_connection(make_tap: MakeTap, steno: Steno, name: str) -> None:
    tap = make_tap(steno.url)

    async def talk(provider: Provider) -> list[str]:
        client = AsyncOpenAI(
            api_key=KEY, base_url=f"http://{provider.host}", websocket_base_url=f"ws://{provider.host}"
        )
        seen = []
        async with namespace(client, name).connect(model="gpt-realtime") as opened:
            connection = tap(opened)
            await connection.session.update(session={"instructions": "Be brief."})
            await connection.send({"type": "response.create"})
            async for event in connection:
                seen.append(event.type)
                if event.type == "response.done":
                    break
        await client.close()
        return seen

    with Provider() as provider:
        seen = asyncio.run(talk(provider))

    assert seen[:2] == ["session.created", "session.updated"]
    assert tap.close()
    steno.settled()
    assert both_directions(steno) == as_it_was(provider)
    assert shapes(steno.lines)[-1] == {"dir": "close", "code": 1000, "reason": ""}


def test_the_end_by_the_provider_is_reported_with_its_code(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)
    with Provider(close_after=1) as provider:
        client = OpenAI(api_key=KEY, base_url=f"http://{provider.host}", websocket_base_url=f"ws://{provider.host}")
        connection = tap(client.realtime.connect(model="gpt-realtime").enter())
        connection.response.create()
        with pytest.raises(websockets.exceptions.ConnectionClosedError):
            collections.deque(connection, maxlen=0)
        connection.close()

    assert tap.close()
    steno.settled()
    assert shapes(steno.lines)[-1] == {"dir": "close", "code": 4000, "reason": "session is over"}
    assert [line["dir"] for line in steno.lines].count("close") == 1


def test_the_sdk_reconnects_and_each_connection_is_pushed(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)
    with Provider(close_after=1) as first:
        client = OpenAI(api_key=KEY, base_url=f"http://{first.host}", websocket_base_url=f"ws://{first.host}")
        manager = client.realtime.connect(model="gpt-realtime", on_reconnecting=lambda _: None, initial_delay=0.01)
        connection = tap(manager.enter())
        before = connection._connection
        connection._connection = connection._make_ws({}, {})
        before.close()
        assert connection.recv().type == "session.created"
        connection.close()

    assert tap.close()
    steno.settled()
    assert [shapes(push.lines)[-1]["dir"] for push in steno.pushes] == ["close"]
    assert both_directions(steno)["received"] == first.sent[-1:]


def test_the_connection_stays_what_it_is(make_tap: MakeTap) -> None:
    tap = make_tap()
    with Provider() as provider:
        client = OpenAI(api_key=KEY, base_url=f"http://{provider.host}", websocket_base_url=f"ws://{provider.host}")
        connection = tap(tap(client.realtime.connect(model="gpt-realtime").enter()))
        assert type(connection) is RealtimeConnection
        assert type(connection._connection) is websockets.sync.client.ClientConnection
        connection.close()

        async def asynchronous() -> None:
            other = AsyncOpenAI(
                api_key=KEY, base_url=f"http://{provider.host}", websocket_base_url=f"ws://{provider.host}"
            )
            async with other.realtime.connect(model="gpt-realtime") as opened:
                assert type(tap(opened)) is AsyncRealtimeConnection
            await other.close()

        asyncio.run(asynchronous())


def test_a_bare_connection_of_websockets(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)
    with Provider() as provider, websockets.sync.client.connect(f"ws://{provider.host}") as opened:
        connection = tap(opened)
        connection.recv()
        with pytest.raises(TimeoutError):
            connection.recv(timeout=0.01)
        connection.send(bytearray(b'{"type":"session.update","session":{}}'))
        connection.send(['{"type":"response', '.create"}'])  # fragments, which are used up when they are sent
        connection.recv()

    assert tap.close()
    steno.settled()
    kinds = [(line["dir"], line.get("reason")) for line in steno.lines]
    assert kinds[:3] == [("received", None), ("sent", None), ("gap", "unreadable")]
    assert kinds[-1] == ("close", "")


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_connection_that_dies_with_its_loop_ends_its_conversation(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)

    async def die(provider: Provider) -> None:
        client = AsyncOpenAI(
            api_key=KEY, base_url=f"http://{provider.host}", websocket_base_url=f"ws://{provider.host}"
        )
        connection = tap(await client.realtime.connect(model="gpt-realtime").enter())
        await connection.recv()

    with Provider() as provider:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(die(provider))
        loop.close()
        gc.collect()

        steno.settled()
        assert both_directions(steno)["received"] == provider.sent
        assert shapes(steno.lines)[-1] == {"dir": "close", "code": None, "reason": ""}
