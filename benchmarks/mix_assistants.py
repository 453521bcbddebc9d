# ruff: noqa: INP001  # a module of scripts, in no package
"""The part of the mix that is a stream of the Assistants API: runs on a thread, with their steps and messages."""

from collections.abc import Callable
from typing import Any

from benchmarks.traffic import Traffic


def assistants_stream(t: Traffic) -> None:
    """Add runs on one thread: each may call a tool, and then writes a message."""
    thread_id = t.id("thread")
    t.emit("thread.created", {"id": thread_id, "object": "thread", "created_at": t.second, "metadata": {}})
    for _ in range(t.rng.randint(2, 4)):
        _run(t, thread_id)


def _run(t: Traffic, thread_id: str) -> None:
    run = {
        "id": t.id("run"),
        "object": "thread.run",
        "created_at": t.second,
        "assistant_id": t.id("asst"),
        "thread_id": thread_id,
        "started_at": None,
        "expires_at": t.second + 600,
        "required_action": None,
        "last_error": None,
        "model": "gpt-4o",
        "instructions": "".join(t.words(20, 100)).strip(),
        "tools": [{"type": "function", "function": t.tool()}],
        "metadata": {"turn": t.id("turn")},
        "usage": None,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }
    for status, kind in (("queued", "created"), ("queued", "queued"), ("in_progress", "in_progress")):
        t.emit(f"thread.run.{kind}", {**run, "status": status})
    if t.rng.random() < 1 / 3:
        _in_step(t, run, "tool_calls", _tool_calls)
    _in_step(t, run, "message_creation", _message_creation)
    t.emit("thread.run.completed", {**run, "status": "completed", "completed_at": t.second, "usage": _run_usage(t)})


def _in_step(
    t: Traffic, run: dict[str, Any], kind: str, work: Callable[[Traffic, dict[str, Any], str], dict[str, Any]]
) -> None:
    """Add a step around what `work` adds; that returns the details with which the step is completed."""
    step = {
        "id": t.id("step"),
        "object": "thread.run.step",
        "created_at": t.second,
        "run_id": run["id"],
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "type": kind,
        "status": "in_progress",
        "step_details": {"type": kind},
        "usage": None,
    }
    t.emit("thread.run.step.created", step)
    t.emit("thread.run.step.in_progress", step)
    details = work(t, run, step["id"])
    ended = {"status": "completed", "completed_at": t.second, "step_details": details, "usage": _run_usage(t)}
    t.emit("thread.run.step.completed", {**step, **ended})


def _tool_calls(t: Traffic, run: dict[str, Any], step_id: str) -> dict[str, Any]:
    arguments, output = t.arguments(), t.arguments()
    function: dict[str, Any] = {"name": t.id("tool"), "arguments": "", "output": None}
    call: dict[str, Any] = {"id": t.id("call"), "type": "function", "function": function}
    pieces: list[dict[str, Any]] = [call]
    pieces += [{"type": "function", "function": {"arguments": word}} for word in t.words(3, 8)]
    for piece in pieces:
        details = {"type": "tool_calls", "tool_calls": [{"index": 0, **piece}]}
        t.emit(
            "thread.run.step.delta",
            {"id": step_id, "object": "thread.run.step.delta", "delta": {"step_details": details}},
        )
    asked = {**call, "function": {**function, "arguments": arguments}}
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [asked]}}
    t.emit("thread.run.requires_action", {**run, "status": "requires_action", "required_action": action})
    t.emit("thread.run.queued", {**run, "status": "queued", "started_at": t.second})
    t.emit("thread.run.in_progress", {**run, "status": "in_progress", "started_at": t.second})
    answered = {**asked, "function": {**function, "arguments": arguments, "output": output}}
    return {"type": "tool_calls", "tool_calls": [answered]}


def _message_creation(t: Traffic, run: dict[str, Any], _step_id: str) -> dict[str, Any]:
    message = {
        "id": t.id("msg"),
        "object": "thread.message",
        "created_at": t.second,
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "run_id": run["id"],
        "status": "in_progress",
        "role": "assistant",
        "content": [],
        "metadata": {},
    }
    t.emit("thread.message.created", message)
    t.emit("thread.message.in_progress", message)
    written = t.words(10, 50)
    for word in written:
        content = [{"index": 0, "type": "text", "text": {"value": word, "annotations": []}}]
        t.emit(
            "thread.message.delta",
            {"id": message["id"], "object": "thread.message.delta", "delta": {"content": content}},
        )
    content = [{"type": "text", "text": {"value": "".join(written), "annotations": []}}]
    t.emit("thread.message.completed", {**message, "status": "completed", "content": content})
    return {"type": "message_creation", "message_creation": {"message_id": message["id"]}}


def _run_usage(t: Traffic) -> dict[str, Any]:
    read, written = t.rng.randint(100, 4_000), t.rng.randint(5, 400)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_token_details": {"cached_tokens": t.rng.randint(0, read)},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
