"""Tool calls: from the moment the model begins one to its output, or to nothing."""

from typing import Any

from steno.core import facts
from steno.core.facts import Content, Fact
from tests.core.helpers import Event, Play, call, created, done, event, run, session, step, step_delta

IDS = {"response_id": "resp_1", "item_id": "item_1", "call_id": "call_1"}
STARTED = facts.ToolCallStarted(call_id="call_1", kind="function", name="look_up")
ADDED = event("response.output_item.added", response_id="resp_1", item=call("item_1", "call_1", ""))


def begun(**limits: Any) -> Play:
    """A session in which one response has begun."""
    play = Play(**limits)
    play.say(session(), created())
    play.told.clear()
    return play


def ended(status: str = "completed", **members: Any) -> facts.ToolCallFinished:
    told: dict[str, Any] = {
        "call_id": "call_1",
        "kind": "function",
        "name": "look_up",
        "duration_seconds": None,
        "arguments": Content("arguments", "{}"),
        "output": None,
        **members,
    }
    arguments = told["arguments"]
    if arguments is not None and told["kind"] in {"function", "mcp"} and "arguments_whole" not in told:
        told["arguments_whole"] = arguments.text.endswith("}")
    return facts.ToolCallFinished(status=status, **told)


def output(call_id: str | None = "call_1", words: str | None = "12 degrees") -> Event:
    return {"id": "out_1", "type": "function_call_output", "call_id": call_id, "output": words}


def calls(told: list[Fact]) -> list[Fact]:
    return [fact for fact in told if isinstance(fact, facts.ToolCallStarted | facts.ToolCallFinished)]


# Functions ------------------------------------------------------------------------------------------------------


def test_a_call_lasts_from_its_last_argument_to_its_output() -> None:
    """What the model takes to write the arguments is the model's time."""
    play = begun()
    assert play.say(ADDED) == [STARTED]
    play.wait(300)
    assert play.say(event("response.function_call_arguments.done", **IDS, arguments='{"a":1}')) == []
    play.wait(50)
    play.say(event("response.output_item.done", response_id="resp_1", item=call("item_1", "call_1", '{"a":1}')))
    play.say(done(output=[call("item_1", "call_1", '{"a":1}')]))
    play.wait(1200)
    told = play.say(event("conversation.item.added", item=output()))
    assert told == [
        facts.ItemAdded(item_id="out_1", kind="function_call_output", role=None),
        ended(
            duration_seconds=1.25,
            arguments=Content("arguments", '{"a":1}'),
            output=Content("output", "12 degrees"),
        ),
    ]
    assert play.state().calls == {}


def test_an_output_is_seen_first_where_it_is_sent() -> None:
    """A tap sees the client send it; that upstream acknowledges it later says nothing more."""
    play = begun()
    play.say(ADDED, event("response.function_call_arguments.done", **IDS, arguments="{}"))
    play.wait(500)
    sent = event("conversation.item.create", item=output())
    assert play.say(sent, sent=True) == [ended(duration_seconds=0.5, output=Content("output", "12 degrees"))]
    play.wait(500)
    assert calls(play.say(event("conversation.item.added", item=output()))) == []
    assert play.say(event("conversation.item.done", item=output())) == []


def test_an_output_before_the_end_of_its_response_ends_the_call() -> None:
    """Recordings have it so; the response does not begin the call again."""
    play = begun()
    play.say(ADDED, event("conversation.item.create", item=output()))
    play.say(event("conversation.item.done", item=output()))
    assert calls(play.say(done(output=[call("item_1", "call_1")]))) == []


def test_an_output_of_no_call_that_is_known_says_nothing() -> None:
    """It may answer a call from before we came; it is an item like any."""
    play = begun()
    assert calls(play.say(event("conversation.item.added", item=output("call_9")))) == []
    assert calls(play.say(event("conversation.item.done", item=output(None)))) == []
    assert play.rejected == {}


def test_a_call_is_told_once_however_often_it_is_seen() -> None:
    """It stands in many events."""
    play = begun()
    whole = call("item_1", "call_1")
    play.say(ADDED, ADDED, event("response.output_item.done", response_id="resp_1", item=whole), done(output=[whole]))
    assert calls(play.facts) == [STARTED]


def test_a_call_that_only_the_end_of_its_response_names_begins_there() -> None:
    """Its output is waited for from then on."""
    play = begun()
    assert calls(play.say(done(output=[call("item_1", "call_1")]))) == [STARTED]
    play.wait(700)
    told = play.say(event("conversation.item.done", item=output()))
    assert told == [ended(duration_seconds=0.7, output=Content("output", "12 degrees"))]


def test_a_call_without_an_id_is_none() -> None:
    """No output could ever name it."""
    play = begun()
    assert calls(play.say(done(output=[call("item_1", None)]))) == []


def test_half_a_call_is_given_up_with_its_response() -> None:
    """Nobody will run it. A call that was whole will be run all the same."""
    play = begun()
    second = event("response.output_item.added", response_id="resp_1", item=call("item_2", "call_2", ""))
    play.say(ADDED, second)
    whole, half = call("item_1", "call_1"), call("item_2", "call_2", '{"a', status="incomplete")
    told = calls(play.say(done(status="incomplete", output=[whole, half])))
    assert told == [ended("abandoned", call_id="call_2", arguments=Content("arguments", '{"a'))]
    assert list(play.state().calls) == ["call_1"]


def test_a_response_takes_only_its_own_calls_with_it() -> None:
    """Another's may be running."""
    play = begun()
    play.say(ADDED, created("resp_2"), done("resp_2", "cancelled"))
    assert list(play.state().calls) == ["call_1"]


def test_too_many_calls_give_up_the_oldest() -> None:
    """A client that never answers must not fill the memory."""
    play = begun(open_responses=2)
    items = [call(f"item_{number}", f"call_{number}") for number in range(3)]
    told = calls(play.say(done(output=items)))
    started = [facts.ToolCallStarted(call_id=f"call_{number}", kind="function", name="look_up") for number in range(3)]
    assert told == [*started[:2], ended("abandoned", call_id="call_0"), started[2]]
    assert list(play.state().calls) == ["call_1", "call_2"]


def test_arguments_that_are_too_long_are_not_kept() -> None:
    """The call is told without them."""
    play = begun(object_bytes=1024)
    play.say(done(output=[call("item_1", "call_1", "x" * 1025)]))
    assert play.say(event("conversation.item.done", item=output())) == [
        ended(duration_seconds=0.0, arguments=None, output=Content("output", "12 degrees"))
    ]


def test_the_first_microsecond_is_a_time_like_any() -> None:
    """Nothing is measured from a time that happens to be nought."""
    play = begun()
    play.now = 0
    play.say(ADDED, event("response.function_call_arguments.done", **IDS, arguments="{}"))
    play.wait(100)
    play.say(event("response.output_item.done", response_id="resp_1", item=call("item_1", "call_1")))
    told = play.say(event("conversation.item.done", item=output(words=None)))
    assert told == [ended(duration_seconds=0.1)]


# MCP ------------------------------------------------------------------------------------------------------------


def remote(**members: Any) -> Event:
    return {"id": "mcp_1", "type": "mcp_call", "name": "search", "server_label": "web", "arguments": "{}", **members}


def mcp(status: str = "completed", **members: Any) -> facts.ToolCallFinished:
    return ended(status, **{"call_id": "mcp_1", "kind": "mcp", "name": "search", **members})


def test_an_mcp_call_is_known_by_its_item() -> None:
    """It is upstream who runs it, and who says when it is over; what it returned is in the item after that."""
    play = begun()
    added = event("response.output_item.added", response_id="resp_1", item=remote(arguments=""))
    assert play.say(added) == [facts.ToolCallStarted(call_id="mcp_1", kind="mcp", name="search")]
    ids = {"response_id": "resp_1", "item_id": "mcp_1", "output_index": 0}
    play.say(event("response.mcp_call_arguments.done", **ids, arguments="{}"))
    play.say(event("response.mcp_call.in_progress", item_id="mcp_1"))
    play.wait(900)
    assert play.say(event("response.mcp_call.completed", item_id="mcp_1")) == []
    play.wait(100)
    whole = event("response.output_item.done", response_id="resp_1", item=remote(output="found"))
    assert play.say(whole) == [mcp(duration_seconds=0.9, output=Content("output", "found"))]
    assert play.say(whole) == []


def test_an_mcp_call_that_fails() -> None:
    """By its event, or by the error in its item."""
    play = begun()
    play.say(event("response.output_item.added", response_id="resp_1", item=remote()))
    assert play.say(event("response.mcp_call.failed", item_id="mcp_1")) == []
    assert calls(play.close()) == [mcp("failed", arguments=None)]
    play = begun()
    error = {"type": "http_error", "code": 502, "message": "No."}
    told = calls(play.say(event("response.output_item.done", response_id="resp_1", item=remote(error=error))))
    assert told == [
        facts.ToolCallStarted(call_id="mcp_1", kind="mcp", name="search"),
        mcp("failed", duration_seconds=0.0, error="502"),
    ]


def test_the_end_of_an_mcp_call_that_nobody_knows_says_nothing() -> None:
    """It began before we came."""
    play = begun()
    assert play.say(event("response.mcp_call.completed", item_id="mcp_1"), event("response.mcp_call.failed")) == []


def test_tools_that_are_listed_and_approved() -> None:
    """What a server offers, and what a person allows, is told."""
    play = begun()
    play.say(event("mcp_list_tools.in_progress", item_id="list_1"))
    wanted = {"id": "ask_1", "type": "mcp_approval_request", "name": "pay", "server_label": "bank", "arguments": "{}"}
    given = {"id": "say_1", "type": "mcp_approval_response", "approval_request_id": "ask_1", "approve": False}
    play.say(event("mcp_list_tools.completed", item_id="list_1"), event("mcp_list_tools.failed", item_id="list_2"))
    play.say(event("conversation.item.added", item=wanted), event("conversation.item.done", item=wanted))
    play.say(event("conversation.item.added", item=given), event("conversation.item.done", item=given))
    kinds = facts.ToolsListed | facts.ApprovalRequested | facts.ApprovalGiven
    assert [fact for fact in play.facts if isinstance(fact, kinds)] == [
        facts.ToolsListed(item_id="list_1", status="completed"),
        facts.ToolsListed(item_id="list_2", status="failed"),
        facts.ApprovalRequested(item_id="ask_1", name="pay"),
        facts.ApprovalGiven(request_id="ask_1", approved=False),
    ]


# Steps of a run -------------------------------------------------------------------------------------------------


def function(**members: Any) -> Event:
    told = {"name": members.pop("name", None), "arguments": members.pop("arguments", None)}
    return {"type": "function", **members, "function": told}


def test_the_calls_of_a_step_grow_by_index() -> None:
    """Only the first piece names a call; several grow at once."""
    play = Play()
    play.say(step("in_progress", named="created"))
    pieces = [
        function(index=0, id="call_1", name="look_up", arguments=""),
        function(index=1, id="call_2", name="look_up", arguments='{"b'),
        function(index=0, arguments='{"a'),
        function(index=1, arguments='":2}'),
        function(index=0, arguments='":1}'),
    ]
    assert calls(play.say(*(step_delta(piece) for piece in pieces))) == [
        STARTED,
        facts.ToolCallStarted(call_id="call_2", kind="function", name="look_up"),
    ]
    told = calls(play.say(step("cancelled")))
    assert told == [
        ended("abandoned", arguments=Content("arguments", '{"a":1}')),
        ended("abandoned", call_id="call_2", arguments=Content("arguments", '{"b":2}')),
    ]


def test_a_run_that_waits_for_outputs_waits_since_then() -> None:
    """Until the step that made the calls ends, which a second stream tells."""
    play = Play()
    play.say(step("in_progress", named="created"), step_delta(function(index=0, id="call_1", name="look_up")))
    asked = function(id="call_1", name="look_up", arguments="{}")
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [asked]}}
    assert play.say(run("requires_action", required_action=action)) == [
        facts.RunStarted(run_id="run_1", assistant_id=None, model="gpt-4o"),
        facts.RunActionRequired(run_id="run_1", calls=1),
    ]
    play.wait(2000)
    answered = {**asked, "function": {**asked["function"], "output": "12 degrees"}}
    told = calls(play.say(step("completed", step_details={"type": "tool_calls", "tool_calls": [answered]})))
    assert told == [ended(duration_seconds=2.0, output=Content("output", "12 degrees"))]


def test_the_kinds_of_calls_are_a_closed_list() -> None:
    """Code and search have no output that is words; a kind of tomorrow is `other`."""
    play = Play()
    code = {"id": "call_1", "type": "code_interpreter", "code_interpreter": {"input": "1+1", "outputs": []}}
    search = {"id": "call_2", "type": "file_search", "file_search": {}}
    odd = {"id": "call_3", "type": "bing_grounding"}
    details = {"type": "tool_calls", "tool_calls": [code, search, odd]}
    told = calls(play.say(step("failed", step_details=details)))
    kinds = {"call_1": "code_interpreter", "call_2": "file_search", "call_3": "other"}
    expected: list[Fact] = []
    for key, kind in kinds.items():
        arguments = Content("arguments", "1+1") if kind == "code_interpreter" else None
        expected.append(facts.ToolCallStarted(call_id=key, kind=kind, name=None))
        expected.append(ended("failed", call_id=key, kind=kind, name=None, arguments=arguments))
    assert told == expected
