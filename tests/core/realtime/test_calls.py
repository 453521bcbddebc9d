"""Tool calls, whichever of their events a server sends: each begins once and ends once, with what is known of it."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, EventRejected, Fact
from steno.limits import ID_CHARACTERS_MAX
from tests.core.helpers import Event, Play, call, created, done, event, message, session

IDS: Event = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0}
WHOLE = '{"plate": "B 12"}'
STARTED = facts.ToolCallStarted(call_id="call_1", kind="function", name="find_car")
REMOTE = facts.ToolCallStarted(call_id="mcp_1", kind="mcp", name="search")
ABOUT_CALLS = facts.ToolCallStarted | facts.ToolCallFinished | facts.ApprovalRequested | facts.ApprovalGiven


def begun(*responses: str, **limits: Any) -> Play:
    """A session in which responses have begun; one, where none is named."""
    play = Play(**limits)
    play.say(session(), *(created(each) for each in responses or ("resp_1",)))
    play.emitted.clear()
    return play


def finished(status: str = "completed", **members: Any) -> facts.ToolCallFinished:
    defaults: dict[str, Any] = {
        "call_id": "call_1",
        "kind": "function",
        "name": "find_car",
        "duration_seconds": None,
        "arguments": Content("arguments", WHOLE),
        "output": None,
        **members,
    }
    arguments = defaults["arguments"]
    whole = None if arguments is None else arguments.text.endswith("}")
    return facts.ToolCallFinished(status=status, **{"arguments_whole": whole, **defaults})


def remote(status: str = "completed", **members: Any) -> facts.ToolCallFinished:
    return finished(status, **{"call_id": "mcp_1", "kind": "mcp", "name": "search", "arguments": None, **members})


def whole(**members: Any) -> Event:
    """The end of the arguments of a function call, with the members that are given."""
    return event("response.function_call_arguments.done", **{"call_id": "call_1", "arguments": WHOLE, **members})


def piece(text: str = WHOLE, **members: Any) -> Event:
    return event("response.function_call_arguments.delta", delta=text, **members)


def answer(call_id: str = "call_1") -> Event:
    """What the client sends when its tool has run."""
    item = {"type": "function_call_output", "call_id": call_id, "output": "grey"}
    return event("conversation.item.create", item=item)


ANSWERED: Event = {"output": Content("output", "grey")}


def calls(emitted: list[Fact]) -> list[Fact]:
    return [fact for fact in emitted if isinstance(fact, ABOUT_CALLS)]


# Arguments alone ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ids",
    [
        IDS,
        {"response_id": "resp_1"},
        {"item_id": "item_1", "output_index": 0},
        {"response_id": "", "item_id": "", "output_index": 0},
        {"response_id": None, "item_id": None, "output_index": None},
        {},
    ],
)
def test_call_is_known_by_the_end_of_its_arguments(ids: Event) -> None:
    """With whichever ids: it lasts from there to its output. The end of the response does not end it."""
    play = begun()
    assert play.say(whole(name="find_car", **ids)) == [STARTED]
    play.wait(100)
    (ended,) = play.say(done(output=None))
    assert isinstance(ended, facts.ResponseFinished)
    assert (ended.items, ended.output) == (1, (Content("arguments", WHOLE),))
    play.wait(600)
    assert play.say(answer(), sent=True) == [finished(duration_seconds=0.7, **ANSWERED)]
    assert calls(play.close()) == []
    assert play.rejected == {}


def test_call_without_ids_belongs_to_the_only_open_response() -> None:
    """It ends with that one. Among several, or without any, it belongs to the session."""
    broken: Event = {"status": "cancelled", "output": None}
    for responses, ended in ((["resp_1"], 1), (["resp_1", "resp_2"], 0)):
        play = begun(*responses)
        play.say(piece('{"pla', call_id="call_1"), whole(name="find_car", arguments='{"pla'))
        assert len(calls(play.say(done(**broken)))) == ended
    play = Play()
    play.say(session())
    assert play.say(whole(name="find_car")) == [STARTED]
    assert calls(play.close()) == [finished("abandoned")]


def test_call_is_known_by_its_deltas_alone() -> None:
    """When it was complete is unknown then, and so is its duration. Its name too: it begins with what is known last."""
    play = begun()
    play.say(piece('{"plate"', **IDS, call_id="call_1"), piece(': "B 12"}', **IDS, call_id="call_1"))
    play.wait(200)
    nameless = facts.ToolCallStarted(call_id="call_1", kind="function", name=None)
    assert calls(play.say(done(output=None))) == [nameless]
    play.wait(200)
    assert play.say(answer(), sent=True) == [finished(name=None, **ANSWERED)]


@pytest.mark.parametrize("ending", ["output", "deleted", "closed", "response"])
def test_arguments_of_a_call_are_those_that_its_deltas_brought(ending: str) -> None:
    """Where no event has them whole, however the call ends. Those that are too long are not kept."""
    for text, kept in ((WHOLE, Content("arguments", WHOLE)), ("x" * 1025, None)):
        play = begun(object_bytes=1024)
        play.say(piece(text, **IDS, call_id="call_1"))
        match ending:
            case "output":
                play.say(answer(), sent=True)
            case "deleted":
                play.say(event("conversation.item.deleted", item_id="item_1"))
            case "response":
                play.say(done(status="failed", output=None))
            case _:
                play.close()
        (ended,) = play.of(facts.ToolCallFinished)
        assert isinstance(ended, facts.ToolCallFinished)
        assert ended.arguments == kept


def test_deltas_that_name_the_call_alone_grow_its_item() -> None:
    """One that is known, or else one of its own."""
    play = begun()
    play.say(piece('{"plate"', **IDS, call_id="call_1"), piece(': "B', call_id="call_1"))
    play.say(piece("{", call_id="call_2"), piece("}", call_id="call_2"))
    texts = {key: item.text() for key, item in play.state().items.items()}
    assert texts == {"item_1": '{"plate": "B', "call_2": "{}"}
    assert play.rejected == {}


def test_name_that_comes_later_is_in_both_facts() -> None:
    """The fact that the call began waits for it; its duration does not."""
    play = begun()
    assert play.say(whole(**IDS)) == []
    play.wait(300)
    assert calls(play.say(done(output=[call("item_1", "call_1", WHOLE, name="find_car")]))) == [STARTED]
    assert play.say(answer(), sent=True) == [finished(duration_seconds=0.3, **ANSWERED)]


def test_call_that_is_answered_before_its_name_comes_has_none() -> None:
    """Both facts are due then."""
    play = begun()
    play.say(whole(**IDS))
    nameless = facts.ToolCallStarted(call_id="call_1", kind="function", name=None)
    assert play.say(answer(), sent=True) == [nameless, finished(name=None, duration_seconds=0.0, **ANSWERED)]
    assert calls(play.say(done(output=[call("item_1", "call_1", WHOLE, name="find_car")]))) == []


def test_call_id_may_come_with_the_last_event() -> None:
    """Without it no output could name the call."""
    play = begun()
    ids: Event = {**IDS, "name": "find_car", "arguments": WHOLE}
    assert calls(play.say(piece(**IDS), event("response.function_call_arguments.done", **ids))) == []
    assert calls(play.say(done(output=[call("item_1", "call_1", WHOLE, name="find_car")]))) == [STARTED]


def test_arguments_after_the_end_of_their_response_are_a_call() -> None:
    """Unless the call is known to be complete. Deltas then are late, as all deltas."""
    play = begun()
    play.say(done(output=None))
    assert play.say(whole(name="find_car", **IDS)) == [STARTED]
    for late in (whole(name="find_car", **IDS), piece(**IDS, call_id="call_1"), piece(call_id="call_1")):
        assert play.say(late) == [EventRejected(event=late["type"], reason="unknown_response")]
    assert play.say(answer(), sent=True) == [finished(duration_seconds=0.0, **ANSWERED)]
    assert play.say(whole(**IDS)) == [EventRejected(event=whole()["type"], reason="unknown_response")]


@pytest.mark.parametrize("key", [None, ""])
def test_item_of_a_call_may_have_no_id(key: str | None) -> None:
    """Its call has one. So may the output of it, which is no item then."""
    item = call(str(key), "call_1", WHOLE, name="find_car") | {"id": key}
    for report in (
        event("response.output_item.added", response_id="resp_1", item=item),
        event("response.output_item.done", response_id="resp_1", item=item),
        done(output=[item]),
    ):
        play = begun()
        assert calls(play.say(report)) == [STARTED]
        said = {"type": "function_call_output", "call_id": "call_1", "output": "grey"}
        (ended,) = play.say(event("conversation.item.added", item=said))
        assert isinstance(ended, facts.ToolCallFinished)
        again = event("conversation.item.done", item=said)
        assert play.say(again) == [EventRejected(event=again["type"], reason="missing_object")]


def test_item_after_the_end_of_its_response_is_a_call() -> None:
    """Unless it is known. All other items are late then."""
    play = begun()
    play.say(done(output=None))
    late = event("response.output_item.done", response_id="resp_1", item=call("x", "call_1", WHOLE, name="find_car"))
    assert play.say(late) == [STARTED]
    assert play.say(late) == [EventRejected(event=late["type"], reason="unknown_response")]
    assert play.say(answer(), sent=True) == [finished(duration_seconds=0.0, **ANSWERED)]


def test_arguments_that_name_nothing_are_rejected() -> None:
    """Neither a call nor an item."""
    play = begun()
    for stray, reason in (
        (event("response.function_call_arguments.done", arguments="{}"), "unknown_response"),
        (event("response.function_call_arguments.done", arguments="{}", item_id="item_1"), "unknown_response"),
        (event("response.function_call_arguments.done", arguments="{}", response_id="resp_1"), "missing_id"),
        (event("response.mcp_call_arguments.done", arguments="{}", response_id="resp_1", item_id=""), "missing_id"),
        (piece("{", item_id="item_1"), "unknown_response"),
        (piece("{", response_id="resp_1"), "missing_id"),
    ):
        assert play.say(stray) == [EventRejected(event=stray["type"], reason=reason)]
    assert (play.state().items, play.state().calls) == ({}, {})


def test_call_under_a_new_item_is_the_same_call() -> None:
    """It is one call, and one item of the response."""
    play = begun()
    added = call("item_1", "call_1", "", name="find_car", status="in_progress")
    final = call("item_1b", "call_1", WHOLE, name="find_car")
    play.say(event("response.output_item.added", response_id="resp_1", item=added), whole(**IDS))
    play.wait(400)
    play.say(event("response.output_item.done", response_id="resp_1", item=final))
    (ended,) = play.say(done(output=None))
    assert isinstance(ended, facts.ResponseFinished)
    assert (ended.items, ended.output) == (1, (Content("arguments", WHOLE),))
    play.say(answer(), sent=True)
    assert calls(play.facts) == [STARTED, finished(duration_seconds=0.4, **ANSWERED)]


# What a response made that lists nothing --------------------------------------------------------------------------


@pytest.mark.parametrize("output", [{"output": None}, {}])
def test_response_that_lists_no_output_has_what_was_seen(output: Event) -> None:
    """Its messages and calls, in the order in which each was first seen, and not those of others."""
    play = begun("resp_1", "resp_2")
    spoken = {"response_id": "resp_1", "item_id": "item_0", "output_index": 0, "content_index": 0}
    play.say(event("response.output_audio_transcript.delta", **spoken, delta="One "))
    play.say(event("response.output_audio_transcript.done", **spoken, transcript="One second."))
    play.say(event("response.output_text.delta", **{**spoken, "item_id": "item_9", "response_id": "resp_2"}, delta="x"))
    play.say(
        whole(name="find_car", **IDS), event("response.output_text.delta", **{**spoken, "item_id": "w"}, delta="y")
    )
    play.say(event("response.content_part.done", **{**spoken, "item_id": "empty"}, part={"text": ""}))
    terminal = done()
    del terminal["response"]["output"]
    terminal["response"] |= output
    ended = play.say(terminal)[-1]
    assert isinstance(ended, facts.ResponseFinished)
    said = (Content("transcript", "One second."), Content("arguments", WHOLE), Content("text", "y"))
    assert (ended.items, ended.output) == (4, said)
    assert [turn["text"] for turn in play.line()["transcript"]] == ["One second.", "x", "y", ""]


def test_output_that_is_listed_stands() -> None:
    """Even an empty one. A response without an id has no output that could be seen."""
    for terminal in (done(output=[]), done(None, output=None)):
        play = begun()
        play.say(event("response.output_text.done", **IDS, content_index=0, text="Hello"))
        (ended,) = play.say(terminal)
        assert isinstance(ended, facts.ResponseFinished)
        assert (ended.items, ended.output) == (0, ())


def test_items_of_the_conversation_are_those_of_the_only_response() -> None:
    """A server may have no `response.output_item.*`. What the user says meanwhile is none of them."""
    play = begun()
    for key, role in (("item_1", "assistant"), ("user_1", "user")):
        item = {"id": key, "type": "message", "role": role, "status": "in_progress", "content": []}
        play.say(event("conversation.item.added", item=item))
    play.say(event("conversation.item.done", item=message("item_1", "Hello")))
    ended = play.say(done(output=None))[-1]
    assert isinstance(ended, facts.ResponseFinished)
    assert (ended.items, ended.output) == (1, (Content("text", "Hello"),))


# MCP --------------------------------------------------------------------------------------------------------------


def mcp(name: str, **members: Any) -> Event:
    return event(f"response.mcp_call.{name}", **{"item_id": "mcp_1", "output_index": 0, **members})


def mcp_item(**members: Any) -> Event:
    return {"id": "mcp_1", "type": "mcp_call", "server_label": "docs", "name": "search", "arguments": "{}", **members}


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_mcp_call_is_known_by_its_own_events(status: str) -> None:
    """No item follows: it ends with its response, and lasted until upstream said that it was over."""
    play = begun()
    play.say(mcp("in_progress"))
    play.wait(800)
    play.say(mcp(status))
    play.wait(100)
    nameless = facts.ToolCallStarted(call_id="mcp_1", kind="mcp", name=None)
    emitted = play.say(done(output=None))
    assert calls(emitted) == [nameless, remote(status, name=None, duration_seconds=0.8)]
    (ended,) = [fact for fact in emitted if isinstance(fact, facts.ResponseFinished)]
    assert (ended.items, ended.output) == (1, ())
    play.say(mcp("in_progress"), mcp(status))
    assert calls(play.close()) == []


def test_mcp_call_is_known_by_its_arguments() -> None:
    """Upstream runs it after that. What never ended is abandoned with the session."""
    play = begun()
    ids: Event = {"response_id": "resp_1", "item_id": "mcp_1", "output_index": 0}
    play.say(event("response.mcp_call_arguments.delta", **ids, delta="{}"))
    play.say(event("response.mcp_call_arguments.done", **ids, arguments="{}"), done(output=None))
    play.wait(500)
    assert calls(play.close())[-1] == remote("abandoned", name=None, arguments=Content("arguments", "{}"))


def test_end_of_an_mcp_call_alone_is_a_call() -> None:
    """Its beginning was not seen, and its duration is unknown. It ends with the session where no response is open."""
    play = Play()
    play.say(session())
    assert play.say(mcp("failed"), mcp("failed", item_id=None)) == []
    nameless = facts.ToolCallStarted(call_id="mcp_1", kind="mcp", name=None)
    assert calls(play.close()) == [nameless, remote("failed", name=None)]


@pytest.mark.parametrize("kind", ["response.output_item.done", "conversation.item.done"])
def test_item_brings_the_name_and_the_output_of_an_mcp_call(kind: str) -> None:
    """The call lasted from `in_progress` to `completed`, whenever its item comes."""
    play = begun()
    play.say(mcp("in_progress"))
    play.wait(800)
    play.say(mcp("completed"))
    play.wait(100)
    final = event(kind, item=mcp_item(output="found"), response_id="resp_1")
    given: Event = {"arguments": Content("arguments", "{}"), "output": Content("output", "found")}
    assert calls(play.say(final)) == [REMOTE, remote(duration_seconds=0.8, **given)]
    assert calls(play.say(done(output=[mcp_item(output="found")]))) == []


def test_mcp_call_that_only_its_output_shows_has_no_duration() -> None:
    """The output of the response lists it when all is over."""
    play = begun()
    given: Event = {"arguments": Content("arguments", "{}"), "output": Content("output", "found")}
    assert calls(play.say(done(output=[mcp_item(output="found")]))) == [REMOTE, remote(**given)]


# Items of the conversation alone ----------------------------------------------------------------------------------

REQUEST = {"id": "ask_1", "type": "mcp_approval_request", "server_label": "docs", "name": "search", "arguments": "{}"}
DECISION = {"id": "say_1", "type": "mcp_approval_response", "approval_request_id": "ask_1", "approve": True}
ASKED = facts.ApprovalRequested(item_id="ask_1", name="search")
GIVEN = facts.ApprovalGiven(request_id="ask_1", approved=True)


def test_mcp_call_of_the_conversation_alone_lasts_as_long_as_its_item_is_in_progress() -> None:
    """It has its arguments from the beginning, since it was approved with them. Without them it has no duration."""
    for arguments, duration in (("{}", 1.4), ("", None)):
        play = begun()
        play.say(event("conversation.item.added", item=mcp_item(arguments=arguments)))
        play.wait(1400)
        play.say(event("conversation.item.done", item=mcp_item(output="found")))
        given: Event = {"arguments": Content("arguments", "{}"), "output": Content("output", "found")}
        assert calls(play.facts) == [REMOTE, remote(duration_seconds=duration, **given)]


@pytest.mark.parametrize("added", [True, False])
def test_mcp_call_after_an_approval_is_known_by_the_conversation(*, added: bool) -> None:
    """Its response is over by then. Request and decision are reported once, whichever events repeat them."""
    play = begun()
    asked = [event(f"response.output_item.{name}", response_id="resp_1", item=REQUEST) for name in ("added", "done")]
    assert calls(play.say(*asked, done(output=[REQUEST]))) == [ASKED]
    create = event("conversation.item.create", item={**DECISION, "id": None})
    assert calls(play.say(create, sent=True)) == [GIVEN]
    play.say(*(event(f"conversation.item.{name}", item=DECISION) for name in ("added", "done")))
    item = mcp_item(approval_request_id="ask_1", output=None, error=None)
    if added:
        play.say(event("conversation.item.added", item=item))
        play.say(mcp("in_progress"))
        play.wait(1400)
        play.say(mcp("completed"))
        play.wait(100)
    play.say(event("conversation.item.done", item={**item, "output": "found"}))
    given: Event = {"arguments": Content("arguments", "{}"), "output": Content("output", "found")}
    duration: Event = {"duration_seconds": 1.4} if added else {}
    assert calls(play.facts) == [ASKED, GIVEN, REMOTE, remote(**given, **duration)]


def test_approved_call_may_end_under_its_old_response() -> None:
    """That response is over. Its item brings the name and the output all the same, once."""
    play = begun()
    play.say(event("response.output_item.done", response_id="resp_1", item=REQUEST), done(output=None))
    play.say(event("conversation.item.create", item=DECISION), sent=True)
    play.say(mcp("in_progress"))
    play.wait(700)
    play.say(mcp("completed"))
    late = event("response.output_item.done", response_id="resp_1", item=mcp_item(output="found"))
    given: Event = {"arguments": Content("arguments", "{}"), "output": Content("output", "found")}
    assert calls(play.say(late)) == [REMOTE, remote(duration_seconds=0.7, **given)]
    assert play.say(late) == [EventRejected(event=late["type"], reason="unknown_response")]


def test_call_in_progress_is_known_by_the_conversation() -> None:
    """It is complete when its item is."""
    play = begun()
    item = call("item_1", "call_1", "", name="find_car", status="in_progress")
    assert calls(play.say(event("conversation.item.created", item=item))) == [STARTED]
    final = {**item, "status": "completed", "arguments": WHOLE}
    play.say(event("conversation.item.done", item=final), done(output=None))
    play.wait(900)
    assert play.say(answer(), sent=True) == [finished(duration_seconds=0.9, **ANSWERED)]


HISTORY = [
    call("item_1", "call_1", WHOLE, name="find_car"),
    {"id": "out_1", "type": "function_call_output", "call_id": "call_1", "output": "grey"},
    mcp_item(output="found"),
    mcp_item(error={"type": "http_error", "code": 502}),
]


@pytest.mark.parametrize("name", ["added", "created", "done"])
@pytest.mark.parametrize("item", HISTORY, ids=lambda item: item["type"])
def test_history_is_no_call(item: Event, name: str) -> None:
    """Whether or not the client is heard that restores it, and although upstream repeats it."""
    for heard in (True, False):
        play = begun()
        if heard:
            play.say(event("conversation.item.create", item=item), sent=True)
        play.say(event(f"conversation.item.{name}", item=item), event("conversation.item.done", item=item))
        assert calls(play.facts + play.close()) == []


def test_history_that_looks_alive_is_no_call_where_the_client_is_heard() -> None:
    """Some servers repeat an item as in progress. The request of a client for approval is none."""
    play = begun()
    old = [{**call("item_1", "call_1", "", name="find_car"), "status": "in_progress"}, mcp_item(), REQUEST]
    for item in old:
        play.say(event("conversation.item.create", item=item), sent=True)
        play.say(event("conversation.item.added", item=item), event("conversation.item.done", item=item))
    play.say(event("conversation.item.create", item={"type": "function_call"}), sent=True)
    play.say(event("conversation.item.create"), sent=True)
    assert calls(play.facts + play.close()) == []


def test_decision_of_an_old_conversation_is_history() -> None:
    """A client restores the request, the decision and the call. A request that upstream made is still open."""
    play = begun()
    for item in (REQUEST, DECISION, mcp_item(approval_request_id=REQUEST["id"], output="found")):
        play.say(event("conversation.item.create", item=item), sent=True)
        play.say(event("conversation.item.added", item=item), event("conversation.item.done", item=item))
    assert calls(play.facts + play.close()) == []

    play = begun()
    play.say(event("conversation.item.done", item=REQUEST))
    play.say(event("conversation.item.create", item=REQUEST), sent=True)
    assert calls(play.say(event("conversation.item.create", item=DECISION), sent=True)) == [GIVEN]


def test_client_that_repeats_an_open_call_does_not_end_it() -> None:
    """Its output is still to come."""
    play = begun()
    play.say(whole(name="find_car", **IDS))
    play.say(event("conversation.item.create", item=call("x", "call_1", WHOLE)), sent=True)
    assert play.say(answer(), sent=True) == [finished(duration_seconds=0.0, **ANSWERED)]


def test_request_by_its_beta_name_is_whole() -> None:
    """That dialect has no event of its end."""
    play = begun()
    assert calls(play.say(event("conversation.item.added", item=REQUEST))) == []
    play = begun()
    assert calls(play.say(event("conversation.item.created", item=REQUEST))) == [ASKED]
    assert calls(play.say(event("conversation.item.done", item=REQUEST))) == []


def test_decisions_without_a_request_are_told_apart_by_their_item() -> None:
    """One that has no id at all cannot be."""
    play = begun()
    loose = [{**DECISION, "approval_request_id": None, "id": key} for key in ("a", "b", "a", None)]
    play.say(*(event("conversation.item.create", item=item) for item in loose), sent=True)
    assert calls(play.facts) == [facts.ApprovalGiven(request_id=None, approved=True)] * 2


# The end of a parent ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "output", "left"),
    [
        (WHOLE, "cancelled", None, True),
        (WHOLE, "cancelled", [], True),
        (WHOLE, "cancelled", [call("item_1", "call_1", WHOLE)], True),
        (WHOLE, "cancelled", [call("item_1", "call_1", WHOLE, status="incomplete")], False),
        (WHOLE, "completed", [call("item_1", "call_1", WHOLE, status="incomplete")], False),
        (WHOLE, "failed", [message("item_2", "Hm")], False),
        ('{"pla', "cancelled", None, False),
        ('{"pla', "completed", None, True),
        (None, "incomplete", None, True),
    ],
)
def test_ended_response_abandons_what_is_not_complete(
    arguments: str | None, status: str, output: list[Event] | None, *, left: bool
) -> None:
    """By its output; where it has none, by what was seen. A complete call is run, and waits for its output."""
    play = begun()
    play.say({**whole(name="find_car", **IDS), "arguments": arguments})
    play.say(done(status=status, output=output))
    assert ("call_1" in play.state().calls) is left
    assert len(calls(play.facts + play.close())) == 2


def test_calls_that_only_began_are_abandoned_with_their_response() -> None:
    """Their arguments broke off. An output that comes for all that is too late."""
    play = begun()
    play.say(piece('{"pla', **IDS, call_id="call_1"))
    nameless = facts.ToolCallStarted(call_id="call_1", kind="function", name=None)
    emitted = calls(play.say(done(status="cancelled", output=None)))
    assert emitted == [nameless, finished("abandoned", name=None, arguments=Content("arguments", '{"pla'))]
    assert play.say(answer(), sent=True) == []


def test_deleted_item_ends_its_call() -> None:
    """No output can be added to a call that is not in the conversation."""
    play = begun()
    play.say(whole(name="find_car", **IDS))
    deleted = event("conversation.item.deleted", item_id="item_1")
    assert play.say(deleted) == [facts.ItemDeleted(item_id="item_1"), finished("abandoned")]
    assert calls(play.say(answer(), sent=True)) == []


def test_deleted_item_does_not_come_back() -> None:
    """Its final form and its response may name it still. A client may add it again."""
    play = begun()
    gone = message("item_1", "Nobody")
    play.say(event("response.output_item.added", response_id="resp_1", item={**gone, "content": []}))
    play.say(event("conversation.item.deleted", item_id="item_1"))
    done_events = [
        event("response.output_item.done", response_id="resp_1", item=gone),
        event("conversation.item.done", item=gone),
    ]
    rejected = EventRejected(event="conversation.item.done", reason="unknown_item")
    assert play.say(*done_events) == [rejected]
    play.say(done(output=[gone]))
    assert play.line()["transcript"] == []
    play.say(event("conversation.item.added", item=gone), event("conversation.item.done", item=gone))
    assert [turn["text"] for turn in play.line()["transcript"]] == ["Nobody"]


def test_session_that_replaces_another_under_its_name_ends_its_calls() -> None:
    """Its responses too: upstream knows nothing of them in the new session. The same session may be reported again."""
    play = Play(conversation="rtc_1")
    play.say(session("sess_1"), created(), whole(name="find_car", **IDS))
    again = play.open("relay/1790000000000000/2", "rtc_1")
    play.say(session("sess_1"), on=again)
    assert list(play.state("relay/rtc_1").calls) == ["call_1"]
    last = play.open("relay/1790000000000000/3", "rtc_1")
    play.emitted.clear()
    emitted = play.say(session("sess_2"), on=last)
    unknown = facts.Cost(unpriced="no_usage")
    assert emitted[:2] == [
        facts.ResponseAbandoned(response_id="resp_1", model="gpt-realtime", cost=unknown),
        finished("abandoned"),
    ]
    assert [type(fact) for fact in emitted[2:]] == [facts.SessionChanged]


def test_session_that_expired_ends_its_calls() -> None:
    """A conversation with a name goes on without it."""
    play = Play(conversation="rtc_1")
    play.say(session(), created(), whole(name="find_car", **IDS))
    play.emitted.clear()
    play.close(expired=True)
    assert [type(fact) for fact in play.facts] == [
        facts.SessionExpired,
        facts.ResponseAbandoned,
        facts.ToolCallFinished,
        facts.StreamClosed,
    ]
    assert play.open_keys == ["relay/rtc_1"]


# Any part of the protocol -----------------------------------------------------------------------------------------


def function_call() -> list[Event]:
    """All that a server may send of a function call, in the order of GA, but for the end of its response."""
    begun_item = call("item_1", "call_1", "", name="find_car", status="in_progress")
    final = call("item_1", "call_1", WHOLE, name="find_car")
    return [
        event("response.output_item.added", response_id="resp_1", item=begun_item),
        event("conversation.item.added", item=begun_item),
        piece('{"plate": ', **IDS, call_id="call_1"),
        piece('"B 12"}', **IDS, call_id="call_1"),
        whole(name="find_car", **IDS),
        event("conversation.item.done", item=final),
        event("response.output_item.done", response_id="resp_1", item=final),
    ]


def mcp_call() -> list[Event]:
    """The same of an MCP call."""
    ids = {"response_id": "resp_1", "item_id": "mcp_1", "output_index": 0}
    added, final = mcp_item(arguments=""), mcp_item(output="found")
    return [
        event("response.output_item.added", response_id="resp_1", item=added),
        event("conversation.item.added", item=added),
        event("response.mcp_call_arguments.delta", **ids, delta="{}"),
        event("response.mcp_call_arguments.done", **ids, arguments="{}"),
        mcp("in_progress"),
        mcp("completed"),
        event("conversation.item.done", item=final),
        event("response.output_item.done", response_id="resp_1", item=final),
    ]


def subsets(events: list[Event]) -> list[list[Event]]:
    """Every choice of the events but none at all, in their order."""
    size = len(events)
    return [[each for bit, each in enumerate(events) if mask >> bit & 1] for mask in range(1, 1 << size)]


@pytest.mark.parametrize("output", [None, [], [call("item_1", "call_1", WHOLE, name="find_car")]])
def test_any_part_of_a_function_call_is_one_call(output: list[Event] | None) -> None:
    """It is completed when it is answered, with its arguments, and with its name where one of the events has it.

    The final item of the conversation alone is what history looks like.
    """
    for chosen in subsets(function_call()):
        if [each["type"] for each in chosen] == ["conversation.item.done"] and not output:
            continue
        play = begun()
        play.say(*chosen, done(output=output))
        play.wait(500)
        play.say(answer(), sent=True)
        play.close()
        start, end = calls(play.facts)
        assert isinstance(start, facts.ToolCallStarted)
        assert isinstance(end, facts.ToolCallFinished)
        named = output or any("delta" not in each["type"] for each in chosen)
        assert (start.call_id, start.kind, start.name) == ("call_1", "function", "find_car" if named else None)
        assert (end.name, end.status) == (start.name, "completed")
        complete = output or any("done" in each["type"] for each in chosen)
        assert end.duration_seconds == (0.5 if complete else None)


@pytest.mark.parametrize("output", [None, [], [mcp_item(output="found")]])
def test_any_part_of_an_mcp_call_is_one_call(output: list[Event] | None) -> None:
    """It is completed where one of the events says so, and abandoned with the session where none does."""
    for chosen in subsets(mcp_call()):
        kinds = {each["type"] for each in chosen}
        if kinds == {"conversation.item.done"} and not output:
            continue
        play = begun()
        for each in chosen:
            play.wait(100)
            play.say(each)
        play.say(done(output=output))
        play.close()
        start, end = calls(play.facts)
        assert isinstance(start, facts.ToolCallStarted)
        assert isinstance(end, facts.ToolCallFinished)
        named = output or any("item" in kind for kind in kinds)
        assert (start.call_id, start.kind, start.name) == ("mcp_1", "mcp", "search" if named else None)
        over = {"response.mcp_call.completed", "conversation.item.done", "response.output_item.done"}
        assert (end.name, end.status) == (start.name, "completed" if output or kinds & over else "abandoned")
        made = kinds & {"response.mcp_call_arguments.done", "response.mcp_call.in_progress"}
        assert (end.duration_seconds is not None) == bool(made and (output or kinds & over))


# What an attacker sends -------------------------------------------------------------------------------------------


def test_open_calls_are_bounded_and_each_ends_once() -> None:
    """Whatever events they are known by."""
    play = begun(open_responses=4)
    for number in range(50):
        play.say(piece("{", call_id=f"call_{number}"), whole(call_id=f"call_{number}x"))
        play.say(mcp("in_progress", item_id=f"mcp_{number}"))
        item = call(f"item_{number}", f"call_{number}y", "", status="in_progress")
        play.say(event("conversation.item.added", item=item))
        assert len(play.state().calls) <= 4
    play.close()
    started = [fact.call_id for fact in play.facts if isinstance(fact, facts.ToolCallStarted)]
    ended = [fact.call_id for fact in play.facts if isinstance(fact, facts.ToolCallFinished)]
    assert len(set(started)) == len(started) == 200
    assert sorted(map(str, started)) == sorted(map(str, ended))


def test_ids_are_bounded() -> None:
    """A longer one makes the frame malformed."""
    play = begun()
    play.say(whole(name="find_car", call_id="c" * (ID_CHARACTERS_MAX + 1)))
    assert (play.rejected, play.state().calls) == ({"bad_identifier": 1}, {})
