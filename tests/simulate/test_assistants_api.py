"""The HTTP side of the Assistants API: threads, runs, and their streams."""

import asyncio
import logging
from typing import Any

import msgspec
import pytest

from steno.simulate.server import Provider
from tests.simulate.clients import Event, Reply, request, simulated

pytestmark = pytest.mark.anyio

STOCK = {
    "type": "function",
    "function": {
        "name": "stock_of",
        "parameters": {"type": "object", "properties": {"article": {"type": "string"}}, "required": ["article"]},
    },
}
ANSWERED = [
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
    "done",
]
WAITING = [
    *ANSWERED[:5],
    "thread.run.step.delta",
    "thread.run.requires_action",
    "done",
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def post(running: Provider, path: str, body: Any = None) -> Any:
    reply = await request(running, "POST", path, body)
    assert reply.status == 200, reply.body
    return reply.json


async def prepared(running: Provider, text: str) -> tuple[str, dict[str, Any]]:
    """Make an assistant and a thread. Returns the path of the thread, and the body of a run on it."""
    assistant = await post(running, "/v1/assistants", {"model": "gpt-4o", "instructions": "Help.", "tools": [STOCK]})
    thread = await post(running, "/v1/threads", {"messages": [{"role": "user", "content": text}]})
    return f"/v1/threads/{thread['id']}", {"assistant_id": assistant["id"]}


def events(reply: Reply) -> list[Event]:
    """Return the events of a stream."""
    assert reply.headers["content-type"].startswith("text/event-stream")
    blocks = [block.split("\n") for block in reply.body.decode().split("\n\n")[:-1]]
    return [{"event": event.removeprefix("event: "), "data": data.removeprefix("data: ")} for event, data in blocks]


def kinds(found: list[Event]) -> list[str]:
    return list(dict.fromkeys(event["event"] for event in found))


def data_of(found: list[Event], kind: str) -> Any:
    return next(msgspec.json.decode(event["data"]) for event in found if event["event"] == kind)


@pytest.mark.parametrize("speed", [0.0, 40.0])
async def test_a_run_is_streamed_and_its_answer_is_kept(speed: float) -> None:
    async with simulated(speed=speed) as running:
        thread, run = await prepared(running, "Good morning")
        stream = events(await request(running, "POST", f"{thread}/runs", {**run, "stream": True}))
        messages = (await request(running, "GET", f"{thread}/messages")).json["data"]
        oldest = (await request(running, "GET", f"{thread}/messages?order=asc")).json["data"][0]
        completed = data_of(stream, "thread.run.completed")
        steps = (await request(running, "GET", f"{thread}/runs/{completed['id']}/steps")).json["data"]
        shown = (await request(running, "GET", f"{thread}/runs/{completed['id']}")).json

    assert kinds(stream) == ANSWERED
    assert stream[-1]["data"] == "[DONE]"
    assert completed == shown
    assert completed["usage"]["completion_tokens"] > 0
    assert messages[0] == data_of(stream, "thread.message.completed")
    assert "You said: Good morning" in messages[0]["content"][0]["text"]["value"]
    assert oldest["role"] == "user"
    assert [step["type"] for step in steps] == ["message_creation"]


async def test_a_function_is_called_and_its_output_is_answered_in_another_stream() -> None:
    async with simulated() as running:
        thread, asked = await prepared(running, "How is the stock of Gravel?")
        first = events(await request(running, "POST", f"{thread}/runs", {**asked, "stream": True}))
        run = data_of(first, "thread.run.requires_action")
        [call] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        submit = f"{thread}/runs/{run['id']}/submit_tool_outputs"
        busy = await request(running, "POST", f"{thread}/runs", asked)
        wrong = await request(running, "POST", submit, {"tool_outputs": [{"tool_call_id": "x", "output": "y"}]})
        outputs = [{"tool_call_id": call["id"], "output": "40 bags"}]
        second = events(await request(running, "POST", submit, {"tool_outputs": outputs, "stream": True}))
        again = await request(running, "POST", submit, {"tool_outputs": outputs})

    assert kinds(first) == WAITING
    assert call["function"] == {"name": "stock_of", "arguments": '{"article":"Gravel"}'}
    assert [busy.status, wrong.status, again.status] == [400, 400, 400]
    assert kinds(second)[:3] == ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"]
    assert "40 bags" in data_of(second, "thread.message.completed")["content"][0]["text"]["value"]
    assert kinds(second)[-2:] == ["thread.run.completed", "done"]


async def test_a_run_without_a_stream_is_over_at_once() -> None:
    async with simulated() as running:
        _, run = await prepared(running, "x")
        thread = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]}
        shown = await post(running, "/v1/threads/runs", {**run, "thread": thread, "model": "gpt-4.1"})

    assert (shown["status"], shown["model"], shown["instructions"]) == ("completed", "gpt-4.1", "Help.")


async def test_what_was_deleted_is_gone() -> None:
    async with simulated() as running:
        thread, run = await prepared(running, "x")
        assistant = f"/v1/assistants/{run['assistant_id']}"
        found = [(await request(running, "GET", path)).status for path in (thread, assistant)]
        gone = [await request(running, "DELETE", path) for path in (thread, assistant)]
        after = [(await request(running, "GET", path)).status for path in (thread, assistant)]
        lost = await request(running, "POST", f"{thread}/runs", run)

    assert found == [200, 200]
    assert [reply.json["deleted"] for reply in gone] == [True, True]
    assert [*after, lost.status] == [404, 404, 404]


@pytest.mark.parametrize(
    "body", [{}, {"role": "user"}, {"role": "king", "content": "x"}, {"role": "user", "content": [7]}]
)
async def test_a_message_needs_a_role_and_a_content(body: dict[str, Any]) -> None:
    async with simulated() as running:
        thread, _ = await prepared(running, "x")
        reply = await request(running, "POST", f"{thread}/messages", body)

    assert (reply.status, reply.json["error"]["param"]) == (400, "content")


async def test_a_client_that_leaves_does_not_stop_its_run() -> None:
    async with simulated(speed=20.0) as running:
        thread, run = await prepared(running, "Hello")
        body = msgspec.json.encode({**run, "stream": True})
        head = f"POST {thread}/runs HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        run_id = await first_run(running, head + body)
        shown = {"status": "in_progress"}
        while shown["status"] != "completed":
            shown = (await request(running, "GET", f"{thread}/runs/{run_id}")).json

    assert shown["status"] == "completed"


async def test_leaving_ends_a_stream(caplog: pytest.LogCaptureFixture) -> None:
    async with simulated(speed=0.01) as running:
        thread, run = await prepared(running, "Hello")
        body = msgspec.json.encode({**run, "stream": True})
        head = f"POST {thread}/runs HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(head + body)
        await reader.readuntil(b"thread.run.queued")

    assert b"[DONE]" not in await reader.read()
    writer.close()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def first_run(running: Provider, sent: bytes) -> str:
    """Send a request, read the first event of its stream, and leave. Returns the id of the run."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(sent)
    line = b""
    while not line.startswith(b"data: "):
        line = await reader.readline()
    writer.transport.abort()
    found: str = msgspec.json.decode(line.removeprefix(b"data: "))["id"]
    return found
