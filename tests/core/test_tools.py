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
    play.emitted.clear()
    return play


def ended(status: str = "completed", **members: Any) -> facts.ToolCallFinished:
    defaults: dict[str, Any] = {
        "call_id": "call_1",
        "kind": "function",
        "name": "look_up",
        "duration_seconds": None,
        "arguments": Content("arguments", "{}"),
        "output": None,
        **members,
    }
    arguments = defaults["arguments"]
    if arguments is not None and defaults["kind"] in {"function", "mcp"} and "arguments_whole" not in defaults:
        defaults["arguments_whole"] = arguments.text.endswith("}")
    return facts.ToolCallFinished(status=status, **defaults)


def output(call_id: str | None = "call_1", text: str | None = "12 degrees") -> Event:
    return {"id": "out_1", "type": "function_call_output", "call_id": call_id, "output": text}


def calls(emitted: list[Fact]) -> list[Fact]:
    return [fact for fact in emitted if isinstance(fact, facts.ToolCallStarted | facts.ToolCallFinished)]


# Functions ------------------------------------------------------------------------------------------------------


def test_call_lasts_from_its_last_argument_to_its_output() -> None:
    """The time that the model takes to write the arguments is not part of it."""
    play = begun()
    assert play.say(ADDED) == [STARTED]
    play.wait(300)
    assert play.say(event("response.function_call_arguments.done", **IDS, arguments='{"a":1}')) == []
    play.wait(50)
    play.say(event("response.output_item.done", response_id="resp_1", item=call("item_1", "call_1", '{"a":1}')))
    play.say(done(output=[call("item_1", "call_1", '{"a":1}')]))
    play.wait(1200)
    emitted = play.say(event("conversation.item.added", item=output()))
    assert emitted == [
        facts.ItemAdded(item_id="out_1", kind="function_call_output", role=None),
        ended(
            duration_seconds=1.25,
            arguments=Content("arguments", '{"a":1}'),
            output=Content("output", "12 degrees"),
        ),
    ]
    assert play.state().calls == {}


def test_output_that_a_client_sends_ends_the_call() -> None:
    """A tap sees it first. Upstream's acknowledgement leads to no further fact."""
    play = begun()
    play.say(ADDED, event("response.function_call_arguments.done", **IDS, arguments="{}"))
    play.wait(500)
    sent = event("conversation.item.create", item=output())
    assert play.say(sent, sent=True) == [ended(duration_seconds=0.5, output=Content("output", "12 degrees"))]
    play.wait(500)
    assert calls(play.say(event("conversation.item.added", item=output()))) == []
    assert play.say(event("conversation.item.done", item=output())) == []


def test_output_before_the_end_of_its_response_ends_the_call() -> None:
    """The end of the response does not begin the call again."""
    play = begun()
    play.say(ADDED, event("conversation.item.create", item=output()))
    play.say(event("conversation.item.done", item=output()))
    assert calls(play.say(done(output=[call("item_1", "call_1")]))) == []


def test_output_of_an_unknown_call_ends_nothing() -> None:
    """The call may have been made before the stream was joined. The output is an item like any."""
    play = begun()
    assert calls(play.say(event("conversation.item.added", item=output("call_9")))) == []
    assert calls(play.say(event("conversation.item.done", item=output(None)))) == []
    assert play.rejected == {}


def test_call_is_reported_once() -> None:
    """Although many events name it."""
    play = begun()
    final = call("item_1", "call_1")
    play.say(ADDED, ADDED, event("response.output_item.done", response_id="resp_1", item=final), done(output=[final]))
    assert calls(play.facts) == [STARTED]


def test_call_that_only_the_end_of_its_response_names_begins_there() -> None:
    """Its output is waited for since then."""
    play = begun()
    assert calls(play.say(done(output=[call("item_1", "call_1")]))) == [STARTED]
    play.wait(700)
    emitted = play.say(event("conversation.item.done", item=output()))
    assert emitted == [ended(duration_seconds=0.7, output=Content("output", "12 degrees"))]


def test_call_without_an_id_is_not_reported() -> None:
    """No output could name it."""
    play = begun()
    assert calls(play.say(done(output=[call("item_1", None)]))) == []


def test_incomplete_call_is_abandoned_with_its_response() -> None:
    """A complete call of the same response will be run, and stays open."""
    play = begun()
    second = event("response.output_item.added", response_id="resp_1", item=call("item_2", "call_2", ""))
    play.say(ADDED, second)
    complete, half = call("item_1", "call_1"), call("item_2", "call_2", '{"a', status="incomplete")
    emitted = calls(play.say(done(status="incomplete", output=[complete, half])))
    assert emitted == [ended("abandoned", call_id="call_2", arguments=Content("arguments", '{"a'))]
    assert list(play.state().calls) == ["call_1"]


def test_response_abandons_its_own_calls_alone() -> None:
    """Those of another response may be running."""
    play = begun()
    play.say(ADDED, created("resp_2"), done("resp_2", "cancelled"))
    assert list(play.state().calls) == ["call_1"]


def test_oldest_call_is_abandoned_past_the_limit() -> None:
    """A client that never answers does not fill the memory."""
    play = begun(open_responses=2)
    items = [call(f"item_{number}", f"call_{number}") for number in range(3)]
    emitted = calls(play.say(done(output=items)))
    started = [facts.ToolCallStarted(call_id=f"call_{number}", kind="function", name="look_up") for number in range(3)]
    assert emitted == [*started[:2], ended("abandoned", call_id="call_0"), started[2]]
    assert list(play.state().calls) == ["call_1", "call_2"]


def test_arguments_that_are_too_long_are_not_kept() -> None:
    """The call is reported without them."""
    play = begun(object_bytes=1024)
    play.say(done(output=[call("item_1", "call_1", "x" * 1025)]))
    assert play.say(event("conversation.item.done", item=output())) == [
        ended(duration_seconds=0.0, arguments=None, output=Content("output", "12 degrees"))
    ]


def test_time_zero_is_a_time() -> None:
    """A duration is measured from it."""
    play = begun()
    play.now = 0
    play.say(ADDED, event("response.function_call_arguments.done", **IDS, arguments="{}"))
    play.wait(100)
    play.say(event("response.output_item.done", response_id="resp_1", item=call("item_1", "call_1")))
    emitted = play.say(event("conversation.item.done", item=output(text=None)))
    assert emitted == [ended(duration_seconds=0.1)]


# MCP ------------------------------------------------------------------------------------------------------------


def remote(**members: Any) -> Event:
    return {"id": "mcp_1", "type": "mcp_call", "name": "search", "server_label": "web", "arguments": "{}", **members}


def mcp(status: str = "completed", **members: Any) -> facts.ToolCallFinished:
    return ended(status, **{"call_id": "mcp_1", "kind": "mcp", "name": "search", **members})


def test_mcp_call_is_known_by_its_item() -> None:
    """Upstream runs it and reports its end. The output is in the item that follows."""
    play = begun()
    added = event("response.output_item.added", response_id="resp_1", item=remote(arguments=""))
    assert play.say(added) == [facts.ToolCallStarted(call_id="mcp_1", kind="mcp", name="search")]
    ids = {"response_id": "resp_1", "item_id": "mcp_1", "output_index": 0}
    play.say(event("response.mcp_call_arguments.done", **ids, arguments="{}"))
    play.say(event("response.mcp_call.in_progress", item_id="mcp_1"))
    play.wait(900)
    assert play.say(event("response.mcp_call.completed", item_id="mcp_1")) == []
    play.wait(100)
    final = event("response.output_item.done", response_id="resp_1", item=remote(output="found"))
    assert play.say(final) == [mcp(duration_seconds=0.9, output=Content("output", "found"))]
    assert play.say(final) == []


def test_failed_mcp_call_is_reported() -> None:
    """By its event, or by the error in its item. That one does not say how long it took."""
    play = begun()
    play.say(event("response.output_item.added", response_id="resp_1", item=remote()))
    assert play.say(event("response.mcp_call.failed", item_id="mcp_1")) == []
    assert calls(play.close()) == [mcp("failed", arguments=None)]
    play = begun()
    error = {"type": "http_error", "code": 502, "message": "No."}
    emitted = calls(play.say(event("response.output_item.done", response_id="resp_1", item=remote(error=error))))
    assert emitted == [
        facts.ToolCallStarted(call_id="mcp_1", kind="mcp", name="search"),
        mcp("failed", error="502"),
    ]


def test_listed_tools_and_approvals_are_reported() -> None:
    """One fact each, whichever events repeat it."""
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
    data = {"name": members.pop("name", None), "arguments": members.pop("arguments", None)}
    return {"type": "function", **members, "function": data}


def test_calls_of_a_step_grow_by_index() -> None:
    """Only the first delta of a call has its id, and several calls grow at once."""
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
    emitted = calls(play.say(step("cancelled")))
    assert emitted == [
        ended("abandoned", arguments=Content("arguments", '{"a":1}')),
        ended("abandoned", call_id="call_2", arguments=Content("arguments", '{"b":2}')),
    ]


def test_call_of_a_step_lasts_from_requires_action_to_the_end_of_the_step() -> None:
    """A second stream reports that end."""
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
    emitted = calls(play.say(step("completed", step_details={"type": "tool_calls", "tool_calls": [answered]})))
    assert emitted == [ended(duration_seconds=2.0, output=Content("output", "12 degrees"))]


def test_kinds_of_calls_are_a_closed_list() -> None:
    """Code and search have no output in text. An unknown kind is `other`."""
    play = Play()
    code = {"id": "call_1", "type": "code_interpreter", "code_interpreter": {"input": "1+1", "outputs": []}}
    search = {"id": "call_2", "type": "file_search", "file_search": {}}
    odd = {"id": "call_3", "type": "bing_grounding"}
    details = {"type": "tool_calls", "tool_calls": [code, search, odd]}
    emitted = calls(play.say(step("failed", step_details=details)))
    kinds = {"call_1": "code_interpreter", "call_2": "file_search", "call_3": "other"}
    expected: list[Fact] = []
    for key, kind in kinds.items():
        arguments = Content("arguments", "1+1") if kind == "code_interpreter" else None
        expected.append(facts.ToolCallStarted(call_id=key, kind=kind, name=None))
        expected.append(ended("failed", call_id=key, kind=kind, name=None, arguments=arguments))
    assert emitted == expected
