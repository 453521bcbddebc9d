"""The HTTP side of the Responses API, and its websockets: on a real port."""

from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.simulate.clients import Event, request, send, simulated, until

pytestmark = pytest.mark.anyio

ASKED: dict[str, Any] = {"model": "gpt-5.6-sol", "input": "Good evening."}
FIRST = "response.created"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def events_of(body: bytes) -> list[Event]:
    """Return the data of server-sent events, whose names are their types."""
    found = []
    for block in body.decode().strip().split("\n\n"):
        name, data = block.split("\n")
        found.append(msgspec.json.decode(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


async def test_a_response_at_once_is_kept_and_can_be_forgotten() -> None:
    async with simulated() as running:
        created = await request(running, "POST", "/v1/responses", ASKED)
        target = f"/v1/responses/{created.json['id']}"
        shown = await request(running, "GET", target)
        deleted = await request(running, "DELETE", target)
        gone = await request(running, "GET", target)

    assert (created.status, created.json["status"]) == (200, "completed")
    assert shown.json == created.json
    assert deleted.json == {"id": created.json["id"], "object": "response", "deleted": True}
    assert (gone.status, gone.json["error"]["param"]) == (404, "response_id")


async def test_a_response_as_a_stream() -> None:
    async with simulated() as running:
        streamed = await request(running, "POST", "/v1/responses", {**ASKED, "stream": True})

    events = events_of(streamed.body)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert [events[0]["type"], events[-1]["type"]] == [FIRST, "response.completed"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert not any("stream_id" in event for event in events)


async def test_pauses_are_kept() -> None:
    async with simulated(speed=50.0) as running:
        streamed = await request(running, "POST", "/v1/responses", {**ASKED, "stream": True})

    assert events_of(streamed.body)[-1]["type"] == "response.completed"


async def test_what_is_refused_has_a_status() -> None:
    async with simulated(key="sk-right") as running:
        unknown = await request(running, "POST", "/v1/responses", ASKED, headers={"Authorization": "Bearer sk-wrong"})
        headers = {"Authorization": "Bearer sk-right"}
        gone = {**ASKED, "previous_response_id": "resp_gone"}
        missing = await request(running, "POST", "/v1/responses", gone, headers=headers)

    assert (unknown.status, unknown.json["error"]["code"]) == (401, "invalid_api_key")
    assert (missing.status, missing.json["error"]["code"]) == (400, "previous_response_not_found")


async def test_a_websocket_continues_what_was_created_by_http() -> None:
    async with simulated() as running:
        created = await request(running, "POST", "/v1/responses", ASKED)
        async with connect(running.url("/v1/responses")) as connection:
            await send(connection, "response.create", **ASKED, previous_response_id=created.json["id"])
            events = await until(connection, "response.completed")

    assert events[0]["response"]["previous_response_id"] == created.json["id"]


async def test_a_websocket_needs_the_key() -> None:
    async with simulated(key="sk-right") as running:
        with pytest.raises(InvalidStatus) as refused:
            await connect(running.url("/v1/responses"))

    assert refused.value.response.status_code == 401


async def test_connections_have_conversations_of_their_own() -> None:
    async with simulated() as running:
        heard = []
        for _ in range(2):
            async with connect(running.url("/v1/responses")) as connection:
                await send(connection, "response.create", **ASKED)
                heard.append((await until(connection, "response.completed"))[-1]["response"]["id"])

    assert heard[0] != heard[1]
