"""Scenarios of Assistants streams: contradictory ends, runs in several streams, members left out."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from steno.simulate.assistants import (
    ask,
    begin_message,
    begin_tools,
    complete,
    cut_message,
    done,
    end_step,
    start,
    stream_text,
    write,
)
from steno.simulate.assistants_objects import Desk, Thread, spend, step_delta, text_content, total
from steno.simulate.assistants_scripts import OFFICES
from steno.simulate.steps import Cut, Step, pieces
from tests.scenarios.scenario import Scenario, scenario, thread_scenario

_TEXT: Final = "Done, it is booked."
_TOOL: Final[dict[str, Any]] = {"name": "stock_of", "arguments": '{"site":"Ashby"}'}


# Contradictory ends --------------------------------------------------------------------------


def run_completed_says_incomplete(desk: Desk, thread: Thread) -> Iterator[Step]:
    """`thread.run.completed` has a run whose status is `incomplete`: the status counts."""
    run = desk.new_run(thread, [], max_completion_tokens=4)
    yield from start(desk, run)
    usage = yield from write(desk, thread, run, _TEXT, tokens=4)
    details = {"reason": "max_completion_tokens"}
    run |= {"status": "incomplete", "expires_at": None, "incomplete_details": details, "usage": usage}
    yield desk.emit("thread.run.completed", run)
    yield done(desk)


def completed_with_incomplete_details(desk: Desk, thread: Thread) -> Iterator[Step]:
    """A run has the status `completed` and details of why it would be incomplete."""
    run = desk.new_run(thread, [])
    yield from start(desk, run)
    usage = yield from write(desk, thread, run, _TEXT)
    run["incomplete_details"] = {"reason": "max_prompt_tokens"}
    yield from complete(desk, run, [usage])


def message_incomplete(desk: Desk, thread: Thread) -> Iterator[Step]:
    """The content filter ends a message; the run that wrote it is incomplete as well."""
    run = desk.new_run(thread, [])
    yield from start(desk, run)
    step, message = yield from begin_message(desk, run)
    said = yield from stream_text(desk, message, pieces(_TEXT)[:3])
    yield cut_message(desk, message, said, "content_filter")
    usage = spend(thread, 3)
    yield end_step(desk, step, usage)
    details = {"reason": "content_filter"}
    run |= {"status": "incomplete", "expires_at": None, "incomplete_details": details, "usage": usage}
    yield desk.emit("thread.run.incomplete", run)
    yield done(desk)


def run_cancelled(desk: Desk, thread: Thread) -> Iterator[Step]:
    """A run is cancelled while it writes: first `cancelling`, then its message, its step and the run end."""
    run = desk.new_run(thread, [])
    yield from start(desk, run)
    step, message = yield from begin_message(desk, run)
    said = yield from stream_text(desk, message, pieces(_TEXT)[:2])
    run["status"] = "cancelling"
    yield desk.emit("thread.run.cancelling", run)
    desk.wait(0.2, 0.4)
    yield cut_message(desk, message, said, "run_cancelled")
    ended = {"status": "cancelled", "cancelled_at": desk.second, "usage": spend(thread, 2)}
    step |= ended
    yield desk.emit("thread.run.step.cancelled", step)
    run |= {**ended, "expires_at": None}
    yield desk.emit("thread.run.cancelled", run)
    yield done(desk)


def run_expired(desk: Desk, thread: Thread) -> Iterator[Step]:
    """Nobody submits the output of a tool: ten minutes later the run expires, from `requires_action`."""
    run, step, _ = yield from _stop_for_a_tool(desk, thread)
    desk.wait(600, 601)
    step["status"] = "expired"
    yield desk.emit("thread.run.step.expired", step)
    run |= {"status": "expired", "required_action": None, "expires_at": None, "usage": total([])}
    yield desk.emit("thread.run.expired", run)


def error_without_done(desk: Desk, thread: Thread) -> Iterator[Step]:
    """A stream ends with an error, one level deeper than documented, and without `done`."""
    run = desk.new_run(thread, [])
    yield from start(desk, run)
    message = "The simulated server had an error while it processed your request."
    error = {"message": message, "type": "server_error", "param": None, "code": None}
    yield desk.emit("error", {"error": error})


def failed_by_a_tool(desk: Desk, thread: Thread) -> Iterator[Step]:
    """An Azure run fails by a tool and with a code that no other server has."""
    run = desk.new_run(thread, [{"type": "bing_grounding", "bing_grounding": {"search_configurations": []}}])
    yield from start(desk, run)
    last_error = {"code": "tool_user_error", "message": "The simulated connection was not found."}
    run |= {"status": "failed", "failed_at": desk.second, "expires_at": None, "last_error": last_error}
    yield desk.emit("thread.run.failed", {**run, "usage": total([])})
    yield done(desk)


# Streams that are not one run --------------------------------------------------------------


def step_across_streams(desk: Desk, thread: Thread) -> Iterator[Step]:
    """A step is created in one stream and completed in the next one."""
    run, step, call_id = yield from _stop_for_a_tool(desk, thread)
    yield Cut(0.0, {})
    desk.wait(0.3, 0.6)
    usage = spend(thread, 14)
    call = {"id": call_id, "type": "function", "function": {**_TOOL, "output": '{"in_stock":42}'}}
    yield end_step(desk, step, usage, [call])
    run |= {"status": "queued", "required_action": None}
    yield desk.emit("thread.run.queued", run)
    run["status"] = "in_progress"
    yield desk.emit("thread.run.in_progress", run)
    answered = yield from write(desk, thread, run, "There are 42.")
    yield from complete(desk, run, [usage, answered])


def interleaved_threads(rng: Random, started_at: int) -> Iterator[Step]:
    """Two threads share one stream: their events alternate, and deltas name no thread."""
    desk = Desk(rng, started_at, rng.choice(OFFICES))
    runs = [_written(desk, desk.new_thread(), text) for text in ("It is done.", "It is late.")]
    while runs:
        for run in tuple(runs):
            step = next(run, None)
            if step is None:
                runs.remove(run)
            else:
                yield step


def _written(desk: Desk, thread: Thread, text: str) -> Iterator[Step]:
    run = desk.new_run(thread, [])
    yield from start(desk, run)
    usage = yield from write(desk, thread, run, text)
    yield from complete(desk, run, [usage])


def interleaved_tool_calls(desk: Desk, thread: Thread) -> Iterator[Step]:
    """Three calls of one step grow side by side: each delta has the index, only the first has the name."""
    run = desk.new_run(thread, [{"type": "function", "function": desk.office.function}])
    yield from start(desk, run)
    step = yield from begin_tools(desk, run)
    sites = ("Ashby", "Weston", "Millgate")
    calls = [_call(desk, site) for site in sites]
    for index, call in enumerate(calls):
        begun = {"name": call["function"]["name"], "arguments": "", "output": None}
        yield desk.emit("thread.run.step.delta", step_delta(step, {"index": index, **call, "function": begun}))
    for pieces_at_once in zip(*(pieces(call["function"]["arguments"]) for call in calls), strict=True):
        for index, piece in enumerate(pieces_at_once):
            desk.wait(0.01, 0.02)
            grown = {"index": index, "type": "function", "function": {"arguments": piece}}
            yield desk.emit("thread.run.step.delta", step_delta(step, grown))
    yield desk.emit("thread.run.requires_action", _require(run, calls))
    yield done(desk)


def _call(desk: Desk, site: str) -> dict[str, Any]:
    arguments = f'{{"site":"{site}"}}'
    return {"id": desk.ids.plain("call"), "type": "function", "function": {**_TOOL, "arguments": arguments}}


def _require(run: dict[str, Any], calls: list[dict[str, Any]]) -> dict[str, Any]:
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
    run |= {"status": "requires_action", "required_action": action}
    return run


def _stop_for_a_tool(desk: Desk, thread: Thread) -> Any:
    """Play a run up to where it waits for its tool. Returns the run, its step and the id of the call."""
    run = desk.new_run(thread, [{"type": "function", "function": desk.office.function}])
    yield from start(desk, run)
    step = yield from begin_tools(desk, run)
    call_id = desk.ids.plain("call")
    yield from ask(desk, step, call_id, _TOOL)
    yield desk.emit(
        "thread.run.requires_action", _require(run, [{"id": call_id, "type": "function", "function": _TOOL}])
    )
    yield done(desk)
    return run, step, call_id


# Members left out, and what only the end has -------------------------------------------------------------


def sparse_run(desk: Desk, thread: Thread) -> Iterator[Step]:
    """An older server: a run without instructions and without `parallel_tool_calls`."""
    run = desk.new_run(thread, [])
    del run["parallel_tool_calls"]
    run["instructions"] = None
    yield from start(desk, run)
    usage = yield from write(desk, thread, run, _TEXT)
    yield from complete(desk, run, [usage])


def results_only_at_the_end(desk: Desk, thread: Thread) -> Iterator[Step]:
    """A file search has no results in its deltas: only the completed step has them."""
    run = desk.new_run(thread, [{"type": "file_search"}])
    yield from start(desk, run)
    step = yield from begin_tools(desk, run)
    call_id = desk.ids.plain("call")
    ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
    empty = {"id": call_id, "type": "file_search", "file_search": {"ranking_options": ranking, "results": []}}
    yield desk.emit("thread.run.step.delta", step_delta(step, empty))
    desk.wait(0.4, 0.8)
    found = [{"file_id": "file-1", "file_name": "stock.md", "score": 0.83}]
    complete_call = {**empty, "file_search": {"ranking_options": ranking, "results": found}}
    usage = spend(thread, 12)
    yield end_step(desk, step, usage, [complete_call])
    yield from complete(desk, run, [usage])


def message_deltas_that_differ(desk: Desk, thread: Thread) -> Iterator[Step]:
    """The deltas of a message add up to another text than the completed message has."""
    run = desk.new_run(thread, [])
    yield from start(desk, run)
    step, message = yield from begin_message(desk, run)
    yield from stream_text(desk, message, pieces("Done, it is"))
    message |= {"status": "completed", "completed_at": desk.second, "content": text_content(_TEXT)}
    yield desk.emit("thread.message.completed", message)
    usage = spend(thread, 6)
    yield end_step(desk, step, usage)
    yield from complete(desk, run, [usage])


def bare_objects(desk: Desk, thread: Thread) -> Iterator[Step]:
    """A relay forwards the bodies of replies: a thread, an ended run, messages without a status."""
    run = desk.new_run(thread, [])
    ended = {**run, "status": "completed", "expires_at": None, "usage": spend(thread, 6)}
    yield Step(0.1, thread.object)
    yield Step(0.2, ended)
    for role, text in (("user", "Is it booked?"), ("assistant", _TEXT)):
        message = desk.new_message(run, desk.ids.plain("msg")) | {"role": role, "content": text_content(text)}
        yield Step(0.1, {name: value for name, value in message.items() if name != "status"})


SCENARIOS: Final[tuple[Scenario, ...]] = (
    thread_scenario(run_completed_says_incomplete),
    thread_scenario(completed_with_incomplete_details),
    thread_scenario(message_incomplete),
    thread_scenario(run_cancelled),
    thread_scenario(run_expired),
    thread_scenario(error_without_done, (1000, "")),
    thread_scenario(failed_by_a_tool),
    thread_scenario(step_across_streams),
    scenario(interleaved_threads),
    thread_scenario(interleaved_tool_calls),
    thread_scenario(sparse_run),
    thread_scenario(results_only_at_the_end),
    thread_scenario(message_deltas_that_differ),
    thread_scenario(bare_objects),
)
