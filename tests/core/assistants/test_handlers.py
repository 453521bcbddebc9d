"""Threads: their runs, steps and messages, over several streams and beside other threads."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, EventRejected, Tokens
from tests.core.helpers import (
    NO_USAGE,
    UNPRICED,
    Event,
    Play,
    assistants_streams,
    note,
    note_delta,
    pair,
    run,
    step,
    step_delta,
    text_parts,
)

THREAD = "relay/thread_1"
OPENED = facts.ConversationOpened(family="assistants")
USAGE = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
TOKENS = (
    Tokens("gpt-4o", "input", "unknown", False, 50),
    Tokens("gpt-4o", "output", "unknown", False, 20),
)


def begun(**limits: Any) -> Play:
    """A thread with a run and a step of it in progress."""
    play = queued(**limits)
    play.say(step("in_progress", named="created"))
    play.emitted.clear()
    return play


def queued(**limits: Any) -> Play:
    """A thread with a run that has made no step."""
    play = Play(**limits)
    play.say(run("queued", named="created"))
    play.emitted.clear()
    return play


def run_finished(status: str, **members: Any) -> facts.RunFinished:
    defaults = {"run_id": "run_1", "reason": None, "model": "gpt-4o", "duration_seconds": 0.0, "tokens": ()}
    return facts.RunFinished(status=status, **{**defaults, "cost": NO_USAGE, **members})


def step_finished(status: str, **members: Any) -> facts.RunStepFinished:
    defaults = {"step_id": "step_1", "run_id": "run_1", "kind": "tool_calls", "reason": None, "duration_seconds": 0.0}
    return facts.RunStepFinished(
        status=status, **{**defaults, "prompt_tokens": None, "completion_tokens": None, **members}
    )


def note_finished(text: str, status: str = "completed") -> facts.MessageFinished:
    return facts.MessageFinished(
        message_id="msg_1", run_id="run_1", role="assistant", status=status, text=Content("text", text)
    )


def written(play: Play, key: str = THREAD) -> list[str]:
    return [turn["text"] for turn in play.line(key)["transcript"]]


# A whole thread -------------------------------------------------------------------------------------------------


def test_two_runs_lead_to_one_fact_a_step() -> None:
    """A step that began in one stream ends in another, and the thread is one."""
    play = Play()
    for each in assistants_streams():
        if each["event"] == "thread.run.step.completed" and play.stream.name.endswith("/1"):
            play.stream = play.open("relay/1790000000000000/2")
            play.emitted.pop()
        play.say(each)
        play.wait(100)
    arguments = Content("arguments", '{"a": 1}')
    assert play.facts == [
        OPENED,
        facts.ThreadCreated(thread_id="thread_1"),
        facts.RunStarted(run_id="run_1", assistant_id=None, model="gpt-4o"),
        facts.RunStepStarted(step_id="step_1", run_id="run_1", kind="tool_calls"),
        facts.ToolCallStarted(call_id="call_1", kind="function", name="add"),
        facts.RunActionRequired(run_id="run_1", calls=1),
        facts.ToolCallFinished(
            call_id="call_1",
            kind="function",
            name="add",
            status="completed",
            duration_seconds=0.2,
            arguments=arguments,
            output=Content("output", "2"),
            arguments_whole=True,
        ),
        step_finished("completed", duration_seconds=0.6, prompt_tokens=50, completion_tokens=20),
        facts.RunStepStarted(step_id="step_2", run_id="run_1", kind="message_creation"),
        note_finished("It is two."),
        step_finished(
            "completed",
            step_id="step_2",
            kind="message_creation",
            duration_seconds=0.6,
            prompt_tokens=50,
            completion_tokens=20,
        ),
        run_finished(
            "completed", duration_seconds=1.9, queue_seconds=0.2, action_seconds=0.3, tokens=TOKENS, cost=UNPRICED
        ),
        facts.RunStarted(run_id="run_2", assistant_id=None, model="gpt-4o"),
        run_finished("failed", run_id="run_2", reason="rate_limit_exceeded", duration_seconds=0.1),
        facts.UpstreamErred(code="server_error", kind="server_error", message=Content("message", "Gone.")),
    ]
    assert (play.rejected, play.open_keys) == ({}, [THREAD])
    line = play.line(THREAD)
    assert [each["status"] for each in line["runs"]] == ["completed", "failed"]
    assert [each["id"] for each in line["run_steps"]] == ["step_1", "step_2"]
    assert [each["status"] for each in line["messages"]] == ["completed"]
    assert (line["stream"], line["events"]) == ("relay/1790000000000000/1", len(assistants_streams()))
    assert sum(each["tokens"] for each in line["totals"]["tokens"]) == 70


# Runs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "members", "reason"),
    [
        ("completed", {}, None),
        ("completed", {"incomplete_details": {"reason": "max_tokens"}}, None),
        ("cancelled", {}, None),
        ("expired", {}, None),
        ("failed", {"last_error": {"code": "server_error", "message": "No."}}, "server_error"),
        ("failed", {"last_error": {"code": "a sentence, not a code!"}}, "other"),
        ("failed", {}, "unknown"),
        ("incomplete", {"incomplete_details": {"reason": "max_prompt_tokens"}}, "max_prompt_tokens"),
        ("incomplete", {}, "unknown"),
    ],
)
def test_run_ends_once(status: str, members: Event, reason: str | None) -> None:
    """With its reason and its usage. Later events of it are rejected."""
    play = queued()
    play.wait(500)
    ended = run(status, usage=USAGE, **members)
    assert play.say(ended) == [run_finished(status, reason=reason, duration_seconds=0.5, tokens=TOKENS, cost=UNPRICED)]
    assert play.say(ended) == [EventRejected(event=f"thread.run.{status}", reason="repeated")]
    assert play.say(run("in_progress")) == [EventRejected(event="thread.run.in_progress", reason="ended")]
    line = play.line(THREAD)
    assert (line["totals"]["runs"], line["runs"]) == ({status: 1}, [ended["data"]])
    assert [each["tokens"] for each in line["totals"]["tokens"]] == [50, 20]


def test_status_of_the_object_decides_before_the_name_of_the_event() -> None:
    """A run that is completed by name and incomplete by status was recorded."""
    play = queued()
    details = {"reason": "max_completion_tokens"}
    assert play.say(run("incomplete", named="completed", incomplete_details=details)) == [
        run_finished("incomplete", reason="max_completion_tokens")
    ]


def test_name_of_the_event_decides_where_there_is_no_status() -> None:
    """A run, a step and a message that ended do not stay open."""
    play = begun()
    play.say(note("in_progress", named="created"))
    emitted = play.say(note(None, named="completed"), step(None, named="failed"), run(None, named="completed"))
    assert emitted == [note_finished(""), step_finished("failed"), run_finished("completed")]


def test_run_that_was_not_seen_to_begin_has_no_duration() -> None:
    """It may have waited for long before."""
    play = Play()
    assert play.say(run("in_progress")) == [
        OPENED,
        facts.RunStarted(run_id="run_1", assistant_id=None, model="gpt-4o"),
    ]
    assert play.say(run("cancelling")) == []
    assert play.say(run("cancelled")) == [run_finished("cancelled", duration_seconds=None)]
    play = Play()
    assert play.say(run("completed", assistant_id="asst_1")) == [
        OPENED,
        facts.RunStarted(run_id="run_1", assistant_id="asst_1", model="gpt-4o"),
        run_finished("completed", duration_seconds=None),
    ]


def test_unknown_status_is_no_end() -> None:
    """The run goes on until a known one."""
    play = queued()
    assert play.say(run("paused")) == []
    assert play.say(run("completed")) == [run_finished("completed")]


def test_run_that_requires_action_goes_on() -> None:
    """Each wait is reported with its number of calls, and the waits are added up."""
    play = queued()
    play.wait(500)
    for _ in range(2):
        play.say(run("in_progress"))
        assert play.say(run("requires_action")) == [facts.RunActionRequired(run_id="run_1", calls=0)]
        play.wait(250)
        assert play.say(run("queued")) == []
    assert play.say(run("expired")) == [
        run_finished("expired", duration_seconds=1.0, queue_seconds=0.5, action_seconds=0.5)
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("thread.run.created", {"thread_id": "thread_1"}),
        ("thread.run.step.created", {"thread_id": "thread_1"}),
        ("thread.message.created", {"thread_id": "thread_1"}),
        ("thread.run.created", None),
        ("thread.created", None),
    ],
)
def test_object_without_an_id_is_rejected(name: str, data: Any) -> None:
    """The reason depends on whether the thread of the stream is known."""
    play = begun()
    assert play.say({"event": name, "data": data}) == [EventRejected(event=name, reason="missing_object")]
    stranger = play.open("relay/1790000000000000/2")
    play.emitted.clear()
    if data is None:
        assert play.say({"event": name, "data": data}, on=stranger) == [
            EventRejected(event=name, reason="no_conversation")
        ]


# Steps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "expired"])
def test_step_ends_once(status: str) -> None:
    """Its usage is reported and not added to the totals: that of the run includes it."""
    play = begun()
    play.wait(300)
    error = {"code": "server_error", "message": "No."} if status == "failed" else None
    ended = step(status, usage=USAGE, last_error=error)
    reason = "server_error" if status == "failed" else None
    assert play.say(ended) == [
        step_finished(status, reason=reason, duration_seconds=0.3, prompt_tokens=50, completion_tokens=20)
    ]
    assert play.say(ended) == [EventRejected(event=f"thread.run.step.{status}", reason="repeated")]
    assert play.say(step("in_progress")) == [EventRejected(event="thread.run.step.in_progress", reason="ended")]
    line = play.line(THREAD)
    assert (line["run_steps"], line["totals"]["run_steps"], line["totals"]["tokens"]) == (
        [ended["data"]],
        {status: 1},
        [],
    )


def test_step_may_end_in_its_first_event() -> None:
    """It began in another stream."""
    play = Play()
    assert play.say(step("completed", type="unknown")) == [
        OPENED,
        facts.RunStepStarted(step_id="step_1", run_id="run_1", kind="other"),
        step_finished("completed", kind="other", duration_seconds=None),
    ]


def test_step_in_progress_is_unfinished() -> None:
    """Its run stands among the runs, whatever its status."""
    play = begun()
    line = play.line(THREAD)
    assert line["unfinished"] == [step("in_progress")["data"]]
    assert [each["status"] for each in line["runs"]] == ["queued"]
    play.say(step("cancelled"))
    assert play.line(THREAD)["unfinished"] == []


def code(text: str, **members: Any) -> Event:
    return {"id": "call_1", "type": "code_interpreter", "code_interpreter": {"input": text}, **members}


@pytest.mark.parametrize(("final", "differs"), [("1+1", False), ("1+2", True)])
def test_step_whose_deltas_led_elsewhere_is_reported(final: str, differs: bool) -> None:
    """Its last object stands."""
    play = begun()
    play.say(step_delta(code("1+", index=0)), step_delta({**code("1", index=0), "id": None}))
    play.emitted.clear()
    play.say(step("completed", step_details={"type": "tool_calls", "tool_calls": [code(final)]}))
    expected = facts.DeltasDiffered(item_id="step_1", members=("arguments",))
    assert play.of(facts.DeltasDiffered) == ([expected] if differs else [])
    [call] = play.of(facts.ToolCallFinished)
    assert isinstance(call, facts.ToolCallFinished)
    assert call.arguments == Content("arguments", final)


def test_code_that_is_too_long_is_not_kept() -> None:
    """Nor is it compared with what the step ends with."""
    play = begun(object_bytes=1024)
    play.say(step_delta(code("x" * 1000, index=0)), step_delta(code("y" * 100, index=0)))
    play.say(step_delta(code("z", index=256)))
    assert [text.length for text in play.state(THREAD).open_steps["step_1"].texts.values()] == [1000]
    play.say(step("completed", step_details={"type": "tool_calls", "tool_calls": [code("x" * 1000 + "y" * 100)]}))
    assert play.of(facts.DeltasDiffered) == []


# Messages -------------------------------------------------------------------------------------------------------


def test_message_grows_and_is_replaced() -> None:
    """Its parts stand in order. Deltas that led elsewhere are reported."""
    play = begun()
    play.say(note("in_progress", named="created"), note_delta("two", index=1), note_delta("One "))
    assert written(play) == ["One two"]
    final = note("completed", content=text_parts("One ", "two"))
    assert play.say(final) == [note_finished("One two")]
    play = begun()
    play.say(note("in_progress", named="created"), note_delta("One"), note_delta("two", index=1))
    assert play.say(note("completed", content=text_parts("One"))) == [
        facts.DeltasDiffered(item_id="msg_1", members=("content",)),
        note_finished("One"),
    ]
    assert (written(play), play.state(THREAD).transcript.characters) == (["One"], 3)


def test_incomplete_message_has_its_text() -> None:
    """A refusal is text, an image is not."""
    play = begun()
    content = [{"type": "image_file", "image_file": {}}, {"type": "refusal", "refusal": "No."}]
    assert play.say(note("incomplete", content=content)) == [note_finished("No.", "incomplete")]


def test_message_ends_once() -> None:
    """Later events of it are rejected, but for the message of a REST list, which has no status."""
    play = begun()
    play.say(note("completed", content=text_parts("Hi")))
    assert play.say(note_delta("!"), note("completed"), note("in_progress"), note_delta("!")) == [
        EventRejected(event="thread.message.delta", reason="no_conversation"),
        EventRejected(event="thread.message.completed", reason="repeated"),
        EventRejected(event="thread.message.in_progress", reason="ended"),
        EventRejected(event="thread.message.delta", reason="ended"),
    ]
    bare = {"id": "msg_1", "object": "thread.message", "thread_id": "thread_1", "content": text_parts("Hi!")}
    assert play.say(bare) == []
    assert written(play) == ["Hi!"]


def test_delta_of_an_unknown_object_is_rejected() -> None:
    """Deltas name neither thread nor run."""
    play = begun()
    assert play.say(step_delta(key="step_9"), note_delta("Hi", "msg_9")) == [
        EventRejected(event="thread.run.step.delta", reason="no_conversation"),
        EventRejected(event="thread.message.delta", reason="no_conversation"),
    ]
    assert play.say(pair("thread.message.delta"), {"event": "thread.message.delta", "data": None}) == [
        EventRejected(event="thread.message.delta", reason="no_conversation"),
        EventRejected(event="thread.message.delta", reason="no_conversation"),
    ]
    assert play.rejected == {"no_conversation": 4}


def test_delta_without_content_changes_nothing() -> None:
    """It is not rejected either."""
    play = begun()
    play.say(note("in_progress", named="created"))
    pieces: list[Event | None] = [None, {}, {"content": [{}]}]
    empty = [pair("thread.message.delta", id="msg_1", delta=piece) for piece in pieces]
    assert play.say(*empty, pair("thread.run.step.delta", id="step_1"), step_delta({})) == []
    assert written(play) == [""]


# Errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({"error": {"type": "server_error", "code": None, "message": "No."}}, "server_error", "No."),
        ({"type": "server_error", "code": "quota", "message": "No."}, "quota", "No."),
        ({}, "unknown", None),
        (None, "unknown", None),
    ],
)
def test_error_may_be_nested_a_level_deeper(data: Any, code: str, message: str | None) -> None:
    """It is on the wire, and is not in the published form."""
    play = begun()
    [emitted] = play.say({"event": "error", "data": data})
    assert isinstance(emitted, facts.UpstreamErred)
    assert (emitted.code, emitted.message) == (code, None if message is None else Content("message", message))


def test_end_of_a_stream_is_not_the_end_of_a_thread() -> None:
    """It leads to no fact, and is rejected on a stream without a thread."""
    play = Play()
    over = {"event": "done", "data": "[DONE]"}
    assert play.say(over) == [EventRejected(event="done", reason="no_conversation")]
    play.say(run("queued"))
    assert play.say(over) == []
    assert play.close() == [facts.StreamClosed(source="relay", reason="disconnected", code=1000, frames=3)]
    assert play.open_keys == [THREAD]


# Beside each other ----------------------------------------------------------------------------------------------


def test_two_threads_on_one_stream_do_not_mix() -> None:
    """A delta belongs to the thread of its message, whichever thread was named last."""
    play = Play()
    second = {"thread_id": "thread_2", "run_id": "run_2"}
    play.say(note("in_progress", named="created"), note("in_progress", "msg_2", named="created", **second))
    play.say(note_delta("one"), note_delta("two", "msg_2"), note_delta(" and"))
    play.say(step("in_progress", named="created"), step("in_progress", "step_2", named="created", **second))
    play.say(step_delta(code("a", index=0)), step_delta({**code("b", index=0), "id": "call_2"}, key="step_2"))
    assert (written(play), written(play, "relay/thread_2")) == (["one and"], ["two"])
    origins = [origin.conversation for origin, fact in play.emitted if isinstance(fact, facts.ToolCallStarted)]
    assert origins == [THREAD, "relay/thread_2"]
    assert play.rejected == {}


def test_id_in_two_threads_belongs_to_the_last_one() -> None:
    """Also after the other is closed."""
    play = Play(idle_seconds=10)
    play.say(note("in_progress", named="created"))
    play.wait(5_000)
    play.say(note("in_progress", named="created", thread_id="thread_2"))
    play.wait(7_000)
    play.tick()
    assert play.open_keys == ["relay/thread_2"]
    assert play.say(note_delta("Hi")) == []
    assert written(play, "relay/thread_2") == ["Hi"]


def test_closed_thread_is_not_found_by_its_open_messages_and_steps() -> None:
    """Deltas of those are rejected until an event names the thread again."""
    play = Play(idle_seconds=10)
    play.say(step("in_progress", named="created"), note("in_progress", named="created"))
    play.say(step("in_progress", "step_2", named="created", thread_id="thread_2"))
    play.say(step("completed"), step("in_progress"))
    play.wait(11_000)
    play.tick()
    play.say(run("queued", thread_id="thread_3"))
    emitted = play.say(step_delta(code("a", index=0)), note_delta("Hi"), step_delta(key="step_2"))
    assert emitted == [
        EventRejected(event="thread.run.step.delta", reason="no_conversation"),
        EventRejected(event="thread.message.delta", reason="no_conversation"),
        EventRejected(event="thread.run.step.delta", reason="no_conversation"),
    ]
    play.say(note("in_progress"))
    assert play.say(note_delta("Hi")) == []
    assert written(play) == ["Hi"]


# Limits ---------------------------------------------------------------------------------------------------------


def test_state_of_a_thread_is_bounded() -> None:
    """In objects, open runs and steps, messages, and characters. The oldest go first."""
    play = Play(kept_objects=2, open_responses=2, items=2, transcript_bytes=1024)
    for number in range(4):
        key = str(number)
        play.say(run("queued", f"run_{key}"), step("in_progress", f"step_{key}", named="created"))
        play.say(note("in_progress", f"msg_{key}", named="created"), note_delta("x" * 300, f"msg_{key}"))
    state = play.state(THREAD)
    assert (list(state.open_runs), list(state.open_steps)) == (["run_2", "run_3"], ["step_2", "step_3"])
    assert (list(state.messages), state.transcript.characters) == (["msg_2", "msg_3"], 600)
    line = play.line(THREAD)
    assert [each["id"] for each in line["runs"]] == ["run_2", "run_3"]
    assert [each["id"] for each in line["messages"]] == ["msg_2", "msg_3"]
    assert line["totals"]["dropped_objects"] == 4
    assert play.say(note_delta("x", "msg_0")) == [EventRejected(event="thread.message.delta", reason="unknown_message")]
    assert play.say(step_delta(key="step_0")) == [EventRejected(event="thread.run.step.delta", reason="unknown_step")]
    play.say(note_delta("y" * 700, "msg_3"))
    assert (written(play), state.transcript.characters) == (["", "x" * 300 + "y" * 700], 1000)


def test_object_that_grew_too_long_removes_the_older_one() -> None:
    """The older one is not true any more."""
    play = Play(object_bytes=1024)
    play.say(run("queued"))
    play.say(run("completed", instructions="x" * 1024), step("in_progress", metadata={"a": "x" * 1024}))
    line = play.line(THREAD)
    assert (line["runs"], line["unfinished"], line["totals"]["dropped_objects"]) == ([], [], 1)
