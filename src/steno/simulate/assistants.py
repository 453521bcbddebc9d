"""Runs of an assistant in the frames of a relay: `{"event": ..., "data": ...}`.

`stream` is the entry point. Within the first 14 seconds of every connection there is a run of each kind: an answer, a
function call with its two streams, code that is run, a run that fails, a run that reaches its token limit.
"""

from collections.abc import Callable, Generator, Iterator
from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.assistants_objects import (
    Desk,
    Thread,
    message_delta,
    spend,
    step_delta,
    text_content,
    total,
)
from steno.simulate.assistants_scripts import ERRORS, OFFICES
from steno.simulate.steps import Step, pieces

_BUSY_UNTIL_SECONDS: Final = 14.0  # no run begins after it
_THREADS_MAX: Final = 3
_NEW_THREAD: Final = 0.4  # how likely a run opens a thread while there may be more
_CODE_TOOL: Final = {"type": "code_interpreter"}

PlayRun = Callable[[Desk, Thread], Iterator[Step]]
"""Plays one run on a thread."""


def stream(rng: Random, started_at: int) -> Iterator[Step]:
    """Yield the frames of one connection, 12 to 20 seconds of runs, that began at the Unix second `started_at`.

    The frames are a function of the state of `rng` and of `started_at` alone.
    """
    desk = Desk(rng, started_at, rng.choice(OFFICES))
    threads: list[Thread] = []
    runs: list[PlayRun] = [answer, call_function, run_code, run_out]
    rng.shuffle(runs)
    runs.insert(rng.randint(1, len(runs)), fail)
    desk.wait(0.1, 0.3)
    while runs or desk.now < _BUSY_UNTIL_SECONDS:
        thread = _pick(desk, threads)
        if thread not in threads:
            threads.append(thread)
            yield desk.emit("thread.created", thread.object)
        play = runs.pop(0) if runs else answer
        yield from play(desk, thread)
        desk.wait(0.2, 0.6)


def _pick(desk: Desk, threads: list[Thread]) -> Thread:
    """Return the thread of the next run: perhaps a new one while there are few, else one of the others."""
    if not threads or (len(threads) < _THREADS_MAX and desk.rng.random() < _NEW_THREAD):
        return desk.new_thread()
    thread = desk.rng.choice(threads)
    thread.prompt_tokens += desk.rng.randint(15, 45)  # the user's next message
    return thread


# The kinds of runs.


def answer(desk: Desk, thread: Thread) -> Iterator[Step]:
    """Play a run of one message."""
    run = desk.new_run(thread, [])
    yield from start(desk, run)
    usage = yield from write(desk, thread, run, desk.rng.choice(desk.office.answers))
    yield from complete(desk, run, [usage])


def call_function(desk: Desk, thread: Thread) -> Iterator[Step]:
    """Play a run that waits for a function's output: its stream ends, and a second one continues it."""
    call = desk.rng.choice(desk.office.calls)
    function = {"name": desk.office.function["name"], "arguments": compact(call.arguments)}
    run = desk.new_run(thread, [{"type": "function", "function": desk.office.function}])
    yield from start(desk, run)
    step, tool_call = yield from require_output(desk, run, function)
    desk.wait(0.2, 0.6)
    usage = yield from resume(desk, thread, run, step, tool_call, call.output)
    answered = yield from write(desk, thread, run, call.answer)
    yield from complete(desk, run, [usage, answered])


def run_code(desk: Desk, thread: Thread) -> Iterator[Step]:
    """Play a run that writes a program, has it executed, and answers from what it printed."""
    work = desk.rng.choice(desk.office.sums)
    run = desk.new_run(thread, [_CODE_TOOL])
    yield from start(desk, run)
    step = yield from begin_tools(desk, run)
    call_id = desk.ids.plain("call")
    begun = {"id": call_id, "type": "code_interpreter", "code_interpreter": {"input": "", "outputs": []}}
    yield desk.emit("thread.run.step.delta", step_delta(step, begun))
    for piece in pieces(work.code):
        desk.wait(0.01, 0.025)
        yield desk.emit("thread.run.step.delta", step_delta(step, _code({"input": piece})))
    desk.wait(0.3, 0.6)
    logs = {"type": "logs", "logs": work.printed}
    yield desk.emit("thread.run.step.delta", step_delta(step, _code({"outputs": [{"index": 0, **logs}]})))
    desk.wait(0.02, 0.05)
    usage = spend(thread, len(pieces(work.code)) + 6)
    yield end_step(desk, step, usage, [{"id": call_id, **_code({"input": work.code, "outputs": [logs]})}])
    thread.prompt_tokens += len(pieces(work.printed)) + 5
    answered = yield from write(desk, thread, run, work.answer)
    yield from complete(desk, run, [usage, answered])


def run_out(desk: Desk, thread: Thread) -> Iterator[Step]:
    """Play a run whose answer needs more completion tokens than it may use: it ends as `incomplete`."""
    limit = desk.rng.choice((16, 20, 24))
    run = desk.new_run(thread, [], max_completion_tokens=limit)
    yield from start(desk, run)
    text = desk.rng.choice(desk.office.long_answers)
    usage = yield from write(desk, thread, run, text, tokens=limit)
    run |= {
        "status": "incomplete",
        "expires_at": None,
        "incomplete_details": {"reason": "max_completion_tokens"},
        "usage": usage,
    }
    yield desk.emit("thread.run.incomplete", run)
    yield done(desk)


def fail(desk: Desk, thread: Thread) -> Iterator[Step]:
    """Play a run that fails before or while it writes. A failed run is not charged."""
    code, why = desk.rng.choice(ERRORS)
    run = desk.new_run(thread, [])
    yield from start(desk, run)
    step, message = yield from begin_message(desk, run)
    said = pieces(desk.rng.choice(desk.office.long_answers)) if code == "server_error" else []
    text = yield from stream_text(desk, message, said[: desk.rng.randint(4, 9)])
    desk.wait(0.1, 0.3)
    yield cut_message(desk, message, text, "run_failed")
    failed = {
        "status": "failed",
        "failed_at": desk.second,
        "last_error": {"code": code, "message": why},
        "usage": total([]),
    }
    step |= failed
    yield desk.emit("thread.run.step.failed", step)
    run |= {**failed, "expires_at": None}
    yield desk.emit("thread.run.failed", run)
    yield done(desk)


# The run.


def start(desk: Desk, run: dict[str, Any]) -> Iterator[Step]:
    """Yield the events of a run up to `in_progress`."""
    yield desk.emit("thread.run.created", run)
    yield desk.emit("thread.run.queued", run)
    yield begin(desk, run)


def begin(desk: Desk, run: dict[str, Any]) -> Step:
    """Set a queued run to `in_progress` and return its event."""
    desk.wait(0.15, 0.4)
    run |= {"status": "in_progress", "started_at": desk.second}
    return desk.emit("thread.run.in_progress", run)


def require_output(
    desk: Desk, run: dict[str, Any], function: dict[str, Any]
) -> Generator[Step, None, tuple[dict[str, Any], dict[str, Any]]]:
    """Call a function: the stream of a run ends, until there is an output. Returns the step and the call."""
    step = yield from begin_tools(desk, run)
    call_id = desk.ids.plain("call")
    yield from ask(desk, step, call_id, function)
    tool_call = {"id": call_id, "type": "function", "function": function}
    run |= {
        "status": "requires_action",
        "required_action": {
            "type": "submit_tool_outputs",
            "submit_tool_outputs": {"tool_calls": [tool_call]},
        },
    }
    yield desk.emit("thread.run.requires_action", run)
    yield done(desk)
    return step, tool_call


def resume(
    desk: Desk, thread: Thread, run: dict[str, Any], step: dict[str, Any], tool_call: dict[str, Any], output: str
) -> Generator[Step, None, dict[str, Any]]:
    """Go on with the output of a function, in another stream. Returns the usage of the step that called it."""
    function = tool_call["function"]
    usage = spend(thread, len(pieces(function["arguments"])) + 9)
    yield end_step(desk, step, usage, [{**tool_call, "function": {**function, "output": output}}])
    run |= {"status": "queued", "required_action": None}
    yield desk.emit("thread.run.queued", run)
    yield begin(desk, run)
    thread.prompt_tokens += len(pieces(output)) + 5
    return usage


def complete(desk: Desk, run: dict[str, Any], usages: list[dict[str, Any]]) -> Iterator[Step]:
    """Complete a run. `usages` are those of its steps."""
    desk.wait(0.02, 0.06)
    run |= {
        "status": "completed",
        "expires_at": None,
        "completed_at": desk.second,
        "usage": total(usages),
    }
    yield desk.emit("thread.run.completed", run)
    yield done(desk)


def done(desk: Desk) -> Step:
    """Return the event that ends the stream."""
    return desk.emit("done", "[DONE]")


# Its steps.


def begin_tools(desk: Desk, run: dict[str, Any]) -> Generator[Step, None, dict[str, Any]]:
    """Open a step of tool calls without any call yet. Returns the step."""
    desk.wait(0.3, 0.6)
    step = desk.new_step(run, {"type": "tool_calls", "tool_calls": []})
    yield from _open_step(desk, step)
    return step


def _open_step(desk: Desk, step: dict[str, Any]) -> Iterator[Step]:
    yield desk.emit("thread.run.step.created", step)
    yield desk.emit("thread.run.step.in_progress", step)


def end_step(
    desk: Desk, step: dict[str, Any], usage: dict[str, Any], tool_calls: list[dict[str, Any]] | None = None
) -> Step:
    """Complete a step, with the calls that it made. Returns its event."""
    step |= {"status": "completed", "completed_at": desk.second, "usage": usage}
    if tool_calls is not None:
        step["step_details"] = {"type": "tool_calls", "tool_calls": tool_calls}
    return desk.emit("thread.run.step.completed", step)


def ask(desk: Desk, step: dict[str, Any], call_id: str, function: dict[str, Any]) -> Iterator[Step]:
    """Yield the deltas of a function call: first its name, then its arguments piece by piece."""
    begun = {"name": function["name"], "arguments": "", "output": None}
    call = {"id": call_id, "type": "function", "function": begun}
    yield desk.emit("thread.run.step.delta", step_delta(step, call))
    for piece in pieces(function["arguments"]):
        desk.wait(0.01, 0.03)
        call = {"type": "function", "function": {"arguments": piece}}
        yield desk.emit("thread.run.step.delta", step_delta(step, call))
    desk.wait(0.02, 0.05)


def _code(members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "code_interpreter", "code_interpreter": members}


def compact(arguments: dict[str, str]) -> str:
    """Return the arguments of a function as JSON text."""
    return msgspec.json.encode(arguments).decode()


# Its messages.


def write(
    desk: Desk, thread: Thread, run: dict[str, Any], text: str, tokens: int | None = None
) -> Generator[Step, None, dict[str, Any]]:
    """Play a step with one message, cut off after `tokens` where they are given. Returns the step's usage."""
    step, message = yield from begin_message(desk, run)
    said = yield from stream_text(desk, message, pieces(text)[:tokens])
    desk.wait(0.02, 0.06)
    if tokens is None:
        message |= {"status": "completed", "completed_at": desk.second, "content": text_content(said)}
        yield desk.emit("thread.message.completed", message)
    else:
        yield cut_message(desk, message, said, "max_tokens")
    usage = spend(thread, len(pieces(said)))
    yield end_step(desk, step, usage)
    return usage


def begin_message(desk: Desk, run: dict[str, Any]) -> Generator[Step, None, tuple[dict[str, Any], dict[str, Any]]]:
    """Open a step and its message. Returns both."""
    desk.wait(0.3, 0.6)
    message_id = desk.ids.plain("msg")
    details = {"type": "message_creation", "message_creation": {"message_id": message_id}}
    step = desk.new_step(run, details)
    yield from _open_step(desk, step)
    message = desk.new_message(run, message_id)
    yield desk.emit("thread.message.created", message)
    yield desk.emit("thread.message.in_progress", message)
    return step, message


def stream_text(desk: Desk, message: dict[str, Any], said: list[str]) -> Generator[Step, None, str]:
    """Yield the deltas of a text in pieces. Returns the complete text."""
    for n, piece in enumerate(said):
        desk.wait(0.02, 0.05)
        yield desk.emit("thread.message.delta", message_delta(message, piece, first=n == 0))
    return "".join(said)


def cut_message(desk: Desk, message: dict[str, Any], said: str, reason: str) -> Step:
    """End a message as incomplete for `reason`, with the text `said`. Returns its event."""
    message |= {
        "status": "incomplete",
        "incomplete_details": {"reason": reason},
        "incomplete_at": desk.second,
        "content": text_content(said),
    }
    return desk.emit("thread.message.incomplete", message)
