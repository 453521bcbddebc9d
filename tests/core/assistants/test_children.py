"""What ends with a run: its open steps and their calls, once, however the run ended and whatever comes later."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, EventRejected, Fact
from steno.core.vocabulary import RUN_ENDS, STEP_ENDS
from tests.core.helpers import Event, Play, run, step, step_delta

THREAD = "relay/thread_1"
ENDS = facts.RunStepFinished | facts.ToolCallFinished | facts.RunFinished


def function(key: str = "call_1", **members: Any) -> Event:
    return {"id": key, "type": "function", "function": {"name": "weigh", "arguments": '{"crate": 4}'}, **members}


def ends(emitted: list[Fact]) -> list[tuple[str, str | None, str, float | None]]:
    """Which step, call or run ended, how, and after how long."""
    return [
        (type(fact).__name__, getattr(fact, fact.__struct_fields__[0]), fact.status, fact.duration_seconds)
        for fact in emitted
        if isinstance(fact, ENDS)
    ]


@pytest.mark.parametrize(
    ("status", "of_step", "of_call"),
    [
        ("completed", "completed", "completed"),
        ("failed", "failed", "failed"),
        ("cancelled", "cancelled", "abandoned"),
        ("expired", "expired", "abandoned"),
        ("incomplete", "cancelled", "abandoned"),
    ],
)
def test_run_ends_its_open_steps_and_calls(status: str, of_step: str, of_call: str) -> None:
    """Those of other runs go on. When they ended was not seen, so they have no durations."""
    play = Play()
    play.say(run("queued"), step("in_progress", named="created"), step_delta(function(index=0)))
    play.say(step("in_progress", "step_2", named="created", type="message_creation"))
    play.say(run("queued", "run_2"), step("in_progress", "step_9", named="created", run_id="run_2"))
    play.say(step_delta(function("call_9", index=0), key="step_9"))
    play.wait(600_000)

    emitted = play.say(run(status))
    assert ends(emitted) == [
        ("ToolCallFinished", "call_1", of_call, None),
        ("RunStepFinished", "step_1", of_step, None),
        ("RunStepFinished", "step_2", of_step, None),
        ("RunFinished", "run_1", status, 600.0),
    ]
    (call,) = [fact for fact in emitted if isinstance(fact, facts.ToolCallFinished)]
    assert (call.arguments, call.arguments_whole) == (Content("arguments", '{"crate": 4}'), True)
    state = play.state(THREAD)
    assert (list(state.open_runs), list(state.open_steps), list(state.calls)) == (["run_2"], ["step_9"], ["call_9"])
    line = play.line(THREAD)
    assert [each["id"] for each in line["run_steps"]] == ["step_1", "step_2"]
    assert line["totals"]["run_steps"] == {of_step: 2}
    assert play.rejected == {}


def test_every_end_of_a_run_is_an_end_of_its_steps() -> None:
    """The statuses above are all that there are, and no step ends otherwise."""
    for status in RUN_ENDS:
        play = Play()
        play.say(step("in_progress"), run(status))
        (ended,) = play.of(facts.RunStepFinished)
        assert isinstance(ended, facts.RunStepFinished)
        assert ended.status in STEP_ENDS


def test_what_comes_after_the_run_is_not_counted_again() -> None:
    """It is counted as out of place: an end as `repeated`, all else as `ended` or unknown."""
    play = Play()
    play.say(run("queued"), step("in_progress", named="created"), step_delta(function(index=0)), run("expired"))
    answered = function(function={"name": "weigh", "arguments": "{}", "output": "9 kg"})
    late = [
        (step("completed", step_details={"type": "tool_calls", "tool_calls": [answered]}), "repeated"),
        (step("expired"), "repeated"),
        (step("in_progress"), "ended"),
        (step_delta(function(index=0)), "unknown_step"),
        (step("in_progress", "step_2", named="created"), "ended"),
        (step_delta(function("call_2", index=0), key="step_2"), "unknown_step"),
        (run("cancelled"), "repeated"),
    ]
    for each, reason in late:
        assert play.say(each) == [EventRejected(event=each["event"], reason=reason)]
    assert len(ends(play.facts)) == 3
    assert play.line(THREAD)["totals"]["run_steps"] == {"expired": 1}


def test_late_end_of_a_step_that_was_not_seen_before_counts() -> None:
    """Nothing has ended it yet."""
    play = Play()
    play.say(run("completed"))
    play.emitted.clear()
    assert ends(play.say(step("completed", step_details={"type": "tool_calls", "tool_calls": [function()]}))) == [
        ("ToolCallFinished", "call_1", "completed", None),
        ("RunStepFinished", "step_1", "completed", None),
    ]


def test_calls_that_a_run_waits_for_end_with_it() -> None:
    """Although no step names them. How long they were waited for is not how long they took."""
    play = Play()
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [function(), function("call_2")]}}
    play.say(run("queued"), run("requires_action", required_action=action))
    play.wait(600_000)
    assert ends(play.say(run("expired"))) == [
        ("ToolCallFinished", "call_1", "abandoned", None),
        ("ToolCallFinished", "call_2", "abandoned", None),
        ("RunFinished", "run_1", "expired", 600.0),
    ]


def test_step_that_names_no_run_is_open_until_its_thread_closes() -> None:
    """No run can end it."""
    play = Play()
    play.say(step("in_progress", run_id=None), run("completed"))
    assert list(play.state(THREAD).open_steps) == ["step_1"]
    play.say(step("in_progress", "step_2", run_id=None))
    assert play.of(facts.RunStepFinished) == []
    play.close(shutdown=True)
    assert len(play.of(facts.RunStepAbandoned)) == 2


def test_deleted_thread_gives_up_what_it_left_open() -> None:
    """Upstream ends nothing of it any more. The reply to its deletion is all that is heard of that."""
    play = Play()
    play.say(run("queued"), step("in_progress"), step_delta(function(index=0)))
    play.emitted.clear()
    deleted = {"id": "thread_1", "object": "thread.deleted", "deleted": True}
    assert [type(fact) for fact in play.say(deleted)] == [
        facts.ToolCallFinished,
        facts.RunStepAbandoned,
        facts.RunAbandoned,
        facts.ThreadDeleted,
    ]
    assert play.say(deleted) == [facts.ThreadDeleted(thread_id="thread_1")]
    assert play.say({"id": None, "object": "thread.deleted"}) == [
        EventRejected(event="thread.deleted", reason="missing_object")
    ]


def test_steps_of_a_run_that_was_given_up_end_with_it_all_the_same() -> None:
    """Past the limit of open runs the oldest is abandoned. Upstream ends it yet."""
    play = Play(open_responses=1)
    play.say(run("queued"), step("in_progress"), run("queued", "run_2"))
    unknown = facts.Cost(unpriced="no_usage")
    assert play.of(facts.RunAbandoned) == [facts.RunAbandoned(run_id="run_1", model="gpt-4o", cost=unknown)]
    assert ends(play.say(run("failed"))) == [
        ("RunStepFinished", "step_1", "failed", None),
        ("RunFinished", "run_1", "failed", None),
    ]
