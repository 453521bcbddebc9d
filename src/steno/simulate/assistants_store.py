"""What clients of the Assistants API have made: assistants, threads with their messages, and runs."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.assistants import complete, require_output, resume, start, write
from steno.simulate.assistants_objects import Desk, Thread
from steno.simulate.assistants_scripts import OFFICES
from steno.simulate.bodies import RequestRefusedError
from steno.simulate.interactive.configuration import ResponseOptions
from steno.simulate.interactive.items import Entry
from steno.simulate.interactive.replies import Call, after_output, reply
from steno.simulate.steps import Step, pieces

KEPT_MAX: Final = 1_000
"""Assistants, threads, and messages and runs of a thread that are kept, the newest."""

Object = dict[str, Any]


class RunState(msgspec.Struct, eq=False):
    """A run, and what goes on with it."""

    desk: Desk
    object: Object
    steps: dict[str, Object]
    awaited: tuple[Object, Object] | None = None
    """The step and the call whose output it waits for."""


class ThreadState(msgspec.Struct, eq=False):
    """A thread with its messages, the oldest first, and its runs."""

    thread: Thread
    messages: dict[str, Object]
    runs: dict[str, RunState]


def keep(kept: dict[str, Any], identity: str, value: Any) -> None:
    """Keep a value. The oldest one goes where there are too many."""
    kept[identity] = value
    if len(kept) > KEPT_MAX:
        del kept[next(iter(kept))]


def find(kept: dict[str, Any], identity: str, what: str) -> Any:
    """Return what is kept under `identity`. Raises `RequestRefusedError`."""
    if identity not in kept:
        raise RequestRefusedError(404, f"No {what} found with id '{identity[:80]}'.")
    return kept[identity]


def text_of(message: Object) -> str:
    """Return the words of a message."""
    return " ".join(part["text"]["value"] for part in message["content"] if part.get("type") == "text")


def play(state: ThreadState, run: RunState) -> Iterator[Step]:
    """Play a new run: an answer, or the call of a function that the assistant has."""
    yield from start(run.desk, run.object)
    replied = reply(run.desk.rng, _options(run.object), _read(state))
    if isinstance(replied, Call):
        function = {"name": replied.name, "arguments": replied.arguments}
        run.awaited = yield from require_output(run.desk, run.object, function)
        return
    usage = yield from write(run.desk, state.thread, run.object, replied.text)
    yield from complete(run.desk, run.object, [usage])


def play_on(state: ThreadState, run: RunState, outputs: Any) -> Iterator[Step]:
    """Go on with the outputs of functions, as the client sent them. Raises `RequestRefusedError`."""
    step, tool_call = run.awaited or ({}, {})
    known = [each for each in outputs if isinstance(each, dict)] if isinstance(outputs, list) else []
    output = next((each.get("output") for each in known if each.get("tool_call_id") == tool_call.get("id")), None)
    if run.awaited is None or not isinstance(output, str):
        raise RequestRefusedError(400, "The run does not wait for these outputs.", None, "tool_outputs")
    run.awaited = None
    return _resumed(state, run, step, tool_call, output)


def _resumed(state: ThreadState, run: RunState, step: Object, tool_call: Object, output: str) -> Iterator[Step]:
    desk = run.desk
    usage = yield from resume(desk, state.thread, run.object, step, tool_call, output)
    answered = yield from write(desk, state.thread, run.object, after_output(desk.rng, output))
    yield from complete(desk, run.object, [usage, answered])


def _read(state: ThreadState) -> list[Entry]:
    return [Entry({"type": "message", "role": each["role"]}, text_of(each)) for each in state.messages.values()]


def _options(run: Object) -> ResponseOptions:
    """Return how the run is to be answered, in the terms of a voice session."""
    functions = [tool["function"] for tool in run["tools"] if isinstance(tool.get("function"), dict)]
    choice = run["tool_choice"]
    return ResponseOptions(
        model=run["model"],
        output_modalities=["text"],
        instructions="",
        own_instructions=False,
        tools=[{"type": "function", **each} for each in functions if isinstance(each.get("name"), str)],
        tool_choice=choice["function"] if isinstance(choice, dict) and "function" in choice else choice,
        own_tool_choice=False,
        max_output_tokens="inf",
        format={},
        voice="",
    )


def new_run(rng: Random, second: int, state: ThreadState, assistant: Object, asked: Object) -> RunState:
    """Return a queued run of `assistant` on a thread, with what the client asked for."""
    office = msgspec.structs.replace(
        OFFICES[0],
        model=str(asked.get("model") or assistant["model"]),
        instructions=str(asked.get("instructions") or assistant["instructions"] or ""),
    )
    desk = Desk(Random(rng.getrandbits(64)), second, office, assistant["id"])
    tools = asked.get("tools") or assistant["tools"]
    run = desk.new_run(state.thread, [tool for tool in tools if isinstance(tool, dict)])
    run |= {"metadata": asked.get("metadata") or {}, "tool_choice": asked.get("tool_choice") or "auto"}
    return RunState(desk, run, {})


def new_message(desk: Desk, state: ThreadState, asked: Object) -> Object:
    """Keep a message of the client, and return it. Raises `RequestRefusedError`."""
    content = asked.get("content")
    words = content if isinstance(content, str) else _words(content)
    if asked.get("role") not in ("user", "assistant") or words is None:
        raise RequestRefusedError(400, "A message has a 'role' (user, assistant) and a 'content'.", None, "content")
    message = {
        "id": desk.ids.plain("msg"),
        "object": "thread.message",
        "created_at": desk.second,
        "assistant_id": None,
        "thread_id": state.thread.object["id"],
        "run_id": None,
        "role": asked["role"],
        "content": [{"type": "text", "text": {"value": words, "annotations": []}}],
        "attachments": [],
        "metadata": asked.get("metadata") or {},
    }
    state.thread.prompt_tokens += len(pieces(words)) + 4
    keep(state.messages, message["id"], message)
    return message


def _words(content: Any) -> str | None:
    """Return the text of a content in parts, or None where it is no content."""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return None
    return " ".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
