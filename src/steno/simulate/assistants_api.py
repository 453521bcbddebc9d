"""The HTTP side of the Assistants API: assistants, threads, messages, and runs with their streams of events.

The objects and the order of events are those of the stories in `assistants`. A run that is not streamed is over at
once.
"""

import math
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random
from typing import Any

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from steno.simulate.access import Access
from steno.simulate.assistants_objects import Desk
from steno.simulate.assistants_scripts import OFFICES
from steno.simulate.assistants_store import (
    Object,
    RunState,
    ThreadState,
    find,
    keep,
    new_message,
    new_run,
    play,
    play_on,
)
from steno.simulate.bodies import Endpoint, RequestRefusedError, guarded, json_of
from steno.simulate.steps import Step


class AssistantsApi:
    """The endpoints of one provider, and what was made by them."""

    def __init__(self, access: Access, rng: Random, now: Callable[[], int], speed: float) -> None:
        """`now` returns the Unix second, `speed` divides every pause."""
        self._access = access
        self._rng = rng
        self._now = now
        self._speed = speed
        self._assistants: dict[str, Object] = {}
        self._threads: dict[str, ThreadState] = {}

    def routes(self) -> list[Route]:
        """Return the routes of the endpoints."""
        thread, run = "/v1/threads/{thread_id}", "/v1/threads/{thread_id}/runs/{run_id}"
        endpoints: list[tuple[str, str, Endpoint]] = [
            ("POST", "/v1/assistants", self.create_assistant),
            ("GET", "/v1/assistants/{assistant_id}", self.get_assistant),
            ("DELETE", "/v1/assistants/{assistant_id}", self.delete_assistant),
            ("POST", "/v1/threads", self.create_thread),
            ("POST", "/v1/threads/runs", self.create_thread_and_run),
            ("GET", thread, self.get_thread),
            ("DELETE", thread, self.delete_thread),
            ("POST", f"{thread}/messages", self.create_message),
            ("GET", f"{thread}/messages", self.list_messages),
            ("POST", f"{thread}/runs", self.create_run),
            ("GET", run, self.get_run),
            ("GET", f"{run}/steps", self.list_steps),
            ("POST", f"{run}/submit_tool_outputs", self.submit_tool_outputs),
        ]
        return [Route(path, guarded(self._access, each), methods=[method]) for method, path, each in endpoints]

    def _desk(self) -> Desk:
        return Desk(self._rng, self._now(), OFFICES[0])

    # Assistants.

    async def create_assistant(self, request: Request) -> Response:
        """Keep an assistant."""
        asked, desk = await json_of(request), self._desk()
        assistant = {
            "id": desk.ids.plain("asst"),
            "object": "assistant",
            "created_at": desk.second,
            "name": asked.get("name"),
            "description": asked.get("description"),
            "model": str(asked.get("model", OFFICES[0].model)),
            "instructions": asked.get("instructions"),
            "tools": asked["tools"] if isinstance(asked.get("tools"), list) else [],
            "tool_resources": {},
            "metadata": asked.get("metadata") or {},
            "top_p": 1.0,
            "temperature": 1.0,
            "response_format": "auto",
        }
        keep(self._assistants, assistant["id"], assistant)
        return JSONResponse(assistant)

    async def get_assistant(self, request: Request) -> Response:
        """Show an assistant."""
        return JSONResponse(find(self._assistants, request.path_params["assistant_id"], "assistant"))

    async def delete_assistant(self, request: Request) -> Response:
        """Forget an assistant."""
        return _deleted(self._assistants, request.path_params["assistant_id"], "assistant")

    # Threads and messages.

    def _new_thread(self, asked: Object) -> ThreadState:
        desk = self._desk()
        state = ThreadState(desk.new_thread(), {}, {})
        state.thread.object["metadata"] = asked.get("metadata") or {}
        for message in asked.get("messages") or []:
            new_message(desk, state, message if isinstance(message, dict) else {})
        keep(self._threads, state.thread.object["id"], state)
        return state

    def _thread(self, request: Request) -> ThreadState:
        found: ThreadState = find(self._threads, request.path_params["thread_id"], "thread")
        return found

    async def create_thread(self, request: Request) -> Response:
        """Keep a thread."""
        return JSONResponse(self._new_thread(await json_of(request)).thread.object)

    async def get_thread(self, request: Request) -> Response:
        """Show a thread."""
        return JSONResponse(self._thread(request).thread.object)

    async def delete_thread(self, request: Request) -> Response:
        """Forget a thread."""
        return _deleted(self._threads, request.path_params["thread_id"], "thread")

    async def create_message(self, request: Request) -> Response:
        """Add a message to a thread."""
        asked = await json_of(request)
        return JSONResponse(new_message(self._desk(), self._thread(request), asked))

    async def list_messages(self, request: Request) -> Response:
        """Show the messages of a thread, the newest first unless asked otherwise."""
        messages = list(self._thread(request).messages.values())
        return _list(messages if request.query_params.get("order") == "asc" else messages[::-1])

    # Runs.

    async def create_thread_and_run(self, request: Request) -> Response:
        """Keep a thread, and run an assistant on it."""
        asked = await json_of(request)
        thread = asked.get("thread")
        return self._run(self._new_thread(thread if isinstance(thread, dict) else {}), asked)

    async def create_run(self, request: Request) -> Response:
        """Run an assistant on a thread."""
        asked = await json_of(request)
        return self._run(self._thread(request), asked)

    def _run(self, state: ThreadState, asked: Object) -> Response:
        assistant = find(self._assistants, str(asked.get("assistant_id")), "assistant")
        if any(run.awaited for run in state.runs.values()):
            raise RequestRefusedError(400, "The thread has a run that waits for outputs of its functions.")
        run = new_run(self._rng, self._now(), state, assistant, asked)
        keep(state.runs, run.object["id"], run)
        return self._answer(state, run, play(state, run), streamed=asked.get("stream") is True)

    async def submit_tool_outputs(self, request: Request) -> Response:
        """Go on with the outputs of functions."""
        asked, state = await json_of(request), self._thread(request)
        run = self._found_run(request)
        steps = play_on(state, run, asked.get("tool_outputs"))
        return self._answer(state, run, steps, streamed=asked.get("stream") is True)

    def _found_run(self, request: Request) -> RunState:
        found: RunState = find(self._thread(request).runs, request.path_params["run_id"], "run")
        return found

    async def get_run(self, request: Request) -> Response:
        """Show a run."""
        return JSONResponse(self._found_run(request).object)

    async def list_steps(self, request: Request) -> Response:
        """Show the steps of a run that have ended."""
        return _list(list(self._found_run(request).steps.values()))

    def _answer(self, state: ThreadState, run: RunState, steps: Iterator[Step], *, streamed: bool) -> Response:
        if streamed:
            return StreamingResponse(self._stream(state, run, steps), media_type="text/event-stream")
        for step in steps:
            _remember(state, run, step)
        return JSONResponse(run.object)

    async def _stream(self, state: ThreadState, run: RunState, steps: Iterator[Step]) -> AsyncIterator[bytes]:
        """Yield the events of a run as time passes. Where the client leaves, the run goes on without it."""
        due = anyio.current_time()
        try:
            for step in steps:
                if 0 < self._speed < math.inf:
                    due += step.after_seconds / self._speed
                await anyio.sleep_until(due)
                _remember(state, run, step)
                yield _server_sent(step)
        finally:
            for step in steps:
                _remember(state, run, step)


def _remember(state: ThreadState, run: RunState, step: Step) -> None:
    """Keep what an event of a run completes."""
    event, data = step.event["event"], step.event["data"]
    if event == "thread.message.completed":
        keep(state.messages, data["id"], data)
    elif event == "thread.run.step.completed":
        keep(run.steps, data["id"], data)


def _server_sent(step: Step) -> bytes:
    data = step.event["data"]
    encoded = data.encode() if isinstance(data, str) else msgspec.json.encode(data)
    return b"event: %b\ndata: %b\n\n" % (step.event["event"].encode(), encoded)


def _list(objects: list[Object]) -> Response:
    ids = [each["id"] for each in objects]
    ends: dict[str, Any] = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    return JSONResponse({"object": "list", "data": objects, **ends, "has_more": False})


def _deleted(kept: dict[str, Any], identity: str, what: str) -> Response:
    find(kept, identity, what)
    del kept[identity]
    return JSONResponse({"id": identity, "object": f"{what}.deleted", "deleted": True})
