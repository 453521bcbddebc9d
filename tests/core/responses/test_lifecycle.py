"""The life of a response: from its beginning to the object that ends it."""

import json
from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, EventRejected, Fact, Tokens
from tests.core.helpers import BEGIN, STREAM, UNPRICED, Event, Play
from tests.core.responses.frames import MODEL, Told, call, create, message, output_of, response, usage, whole

LANE = f"{STREAM}/default"


def of(told: list[Fact], kind: type[Any]) -> list[Any]:
    return [fact for fact in told if isinstance(fact, kind)]


def test_a_response_from_beginning_to_end() -> None:
    """Its conversation is its lane; its times run from its beginning."""
    play, told = Play(), Told()

    assert play.say(told.created()) == [
        facts.ConversationOpened(family="responses"),
        facts.ResponseStarted(response_id="resp_1", conversation_id=None, model=MODEL, in_flight=1),
    ]
    assert play.say(told.event("in_progress", response=response("resp_1"))) == []
    assert play.say(told.added(message(status="in_progress", content=[]))) == []
    play.wait(250)
    assert play.say(told.delta("Good ")) == [
        facts.ResponseOutputStarted(response_id="resp_1", model=MODEL, output="text", after_seconds=0.25)
    ]
    assert play.say(told.delta("day.")) == []
    assert play.say(told.about("output_text.done", "msg_1", content_index=0, text="Good day.")) == []
    assert play.say(told.done(message(text="Good day."))) == []
    play.wait(250)
    ended = told.ended("completed", message(text="Good day."), usage=usage(40, 5, cached=30, reasoning=2))
    finished, answered = play.say({**ended, "response": {**ended["response"], "service_tier": "default"}})

    assert finished == facts.ResponseFinished(
        response_id="resp_1",
        status="completed",
        reason=None,
        conversation_id=None,
        model=MODEL,
        items=1,
        output=(Content("text", "Good day."),),
        audio_seconds=None,
        duration_seconds=0.5,
        time_to_first_token_seconds=0.25,
        time_to_first_audio_seconds=None,
        turn_latency_seconds=None,
        tokens=(
            Tokens(MODEL, "input", "unknown", False, 10),
            Tokens(MODEL, "input", "unknown", True, 30),
            Tokens(MODEL, "output", "unknown", False, 5),
        ),
        cost=UNPRICED,
        service_tier="default",
        reasoning_tokens=2,
    )
    assert answered == facts.ChainAnswered(
        response_id="resp_1", model=MODEL, tool_rounds=0, responses=1, duration_seconds=0.5
    )
    line = play.line(LANE)
    assert (line["key"], line["family"], line["events"], line["rejected"]) == (LANE, "responses", 8, {})
    assert line["responses"] == [{**ended["response"], "service_tier": "default"}]
    assert line["transcript"] == [{"item_id": "msg_1", "role": "assistant", "text": "Good day.", "heard": None}]
    assert line["totals"]["responses"] == {"completed": 1}


@pytest.mark.parametrize(
    ("kind", "members", "status", "reason"),
    [
        ("completed", {}, "completed", None),
        ("failed", {"error": {"code": "server_error"}}, "failed", "server_error"),
        ("failed", {}, "failed", "unknown"),
        ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, "incomplete", "max_output_tokens"),
        ("incomplete", {"incomplete_details": {"reason": "steered"}}, "incomplete", "steered"),
        ("incomplete", {"incomplete_details": {"reason": "max_tokens"}}, "incomplete", "max_output_tokens"),
        ("incomplete", {"incomplete_details": {"reason": "new"}}, "incomplete", "other"),
        ("incomplete", {}, "incomplete", "unknown"),
        ("completed", {"status": "incomplete"}, "incomplete", "unknown"),
        ("done", {"status": "cancelled"}, "cancelled", "unknown"),
        ("done", {"status": None}, "completed", None),
        ("failed", {"status": None}, "failed", "unknown"),
    ],
)
def test_how_it_ended(kind: str, members: dict[str, Any], status: str, reason: str | None) -> None:
    """The object tells, and the name of the event where it does not."""
    play, told = Play(), Told()
    play.say(told.created())
    (finished,) = of(
        play.say(told.event(kind, response=response("resp_1", **{"status": kind, **members}))), facts.ResponseFinished
    )
    assert (finished.status, finished.reason) == (status, reason)
    broken = play.of(facts.ResponseInterrupted)
    cause = "failed" if status == "failed" else reason
    assert [fact.reason for fact in broken if isinstance(fact, facts.ResponseInterrupted)] == [cause] * bool(reason)


def test_the_end_alone_is_enough() -> None:
    """When it began is unknown then, and so is how long it took."""
    play = Play()
    finished, _ = play.say(Told().ended("completed", message()))[1:]
    assert isinstance(finished, facts.ResponseFinished)
    assert (finished.duration_seconds, finished.items) == (None, 1)


def test_what_goes_on_was_begun() -> None:
    """A client that joins late is not told of the beginning: it has no time."""
    play, told = Play(), Told()
    started = play.say(told.event("in_progress", response=response("resp_1")))[1]
    assert isinstance(started, facts.ResponseStarted)
    play.wait(100)
    (output,) = play.say(told.delta("Hi"))
    assert isinstance(output, facts.ResponseOutputStarted)
    assert output.after_seconds is None


def test_a_response_ends_once() -> None:
    """Whatever comes of it after that."""
    play, told = Play(), Told()
    ended = told.ended("completed", message())
    play.say(told.created(), ended)
    assert play.say(ended) == [EventRejected(event="response.completed", reason="repeated")]
    assert play.say(told.created()) == [EventRejected(event="response.created", reason="repeated")]
    progress = told.event("in_progress", response=response("resp_1"))
    assert play.say(progress) == [EventRejected(event="response.in_progress", reason="ended")]
    assert play.say(told.delta("x")) == [EventRejected(event="response.output_text.delta", reason="unknown_response")]
    assert len(play.line(LANE)["responses"]) == 1


def test_an_event_without_its_object_is_none() -> None:
    """Nor is one whose response has no id begun."""
    play, told = Play(), Told()
    play.say(told.created())
    for kind in ("created", "completed"):
        assert play.say(told.event(kind)) == [EventRejected(event=f"response.{kind}", reason="missing_object")]
    assert play.say(told.event("created", response={"object": "response"})) == [
        EventRejected(event="response.created", reason="missing_object")
    ]


def test_a_bare_object_is_a_response() -> None:
    """As the reply to a request holds it: begun, or ended."""
    play = Play()
    (_, started) = play.say(response("resp_1", "queued"))
    assert isinstance(started, facts.ResponseStarted)
    finished = play.say(response("resp_1", "completed", output=[message()], usage=usage(3, 4)))[0]
    assert isinstance(finished, facts.ResponseFinished)
    assert play.line(LANE)["responses"] == [response("resp_1", "completed", output=[message()], usage=usage(3, 4))]


@pytest.mark.parametrize("output", [{"output": []}, {"output": None}])
def test_an_end_that_lists_nothing_has_what_was_seen(output: dict[str, Any]) -> None:
    """The backend of an agent leaves the output out: its items, words and calls are those that came."""
    play, told = Play(), Told()
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
    play.say(told.created(), told.done(message(text="Hi")), told.done(search, 1), told.added(call(arguments=""), 2))
    play.say(told.delta("{}", "function_call_arguments", "fc_1"), told.done(call(), 2))
    said = play.say(told.ended("completed", usage=usage(5, 6), **output))
    (finished,) = of(said, facts.ResponseFinished)
    assert (finished.items, finished.output) == (3, (Content("text", "Hi"), Content("arguments", "{}")))
    assert [(fact.kind, fact.calls) for fact in of(said, facts.ToolCallsBilled)] == [("web_search", 1)]
    assert of(said, facts.ChainAnswered) == []
    assert [fact.status for fact in of(play.close(), facts.ToolCallFinished)] == ["abandoned"]


def test_a_named_conversation_goes_on_on_another_stream() -> None:
    """With the response that was in progress, and the request that was not answered."""
    play = Play(conversation="desk-7")
    told = Told()
    play.say(create(generate=False), sent=True)
    play.say(told.created(), told.delta("Good "), create(), told.added(message()))
    play.close()
    play.stream = play.open(f"relay/{BEGIN}/2", "desk-7")
    play.say(told.delta("day"), told.ended("completed", message(text="Good day")))
    assert (play.of(facts.DeltasDiffered), play.rejected) == ([], {"unexpected_direction": 1})


# Errors ---------------------------------------------------------------------------------------------------------

QUOTA = {"type": "error", "error": {"code": "insufficient_quota", "type": "x", "message": "No."}, "status": 429}
ERRED = facts.UpstreamErred(code="insufficient_quota", kind="x", message=Content("message", "No."), effect="final")


def test_an_error_ends_the_response_that_nothing_else_ends() -> None:
    """It has failed by then, which is known with the next one, or at the end."""
    play = Play()
    play.say(Told().created())
    play.wait(100)
    assert play.say(QUOTA) == [ERRED]
    play.wait(900)
    finished, broken, started = play.say(Told("resp_2").created())
    assert isinstance(finished, facts.ResponseFinished)
    assert (finished.status, finished.reason, finished.duration_seconds) == ("failed", "insufficient_quota", 0.1)
    assert isinstance(broken, facts.ResponseInterrupted)
    assert isinstance(started, facts.ResponseStarted)
    play.say(QUOTA)
    assert [fact.response_id for fact in of(play.close(), facts.ResponseFinished)] == ["resp_2"]


def test_an_error_is_one_with_the_failure_that_follows() -> None:
    """One response failed, once."""
    play, told = Play(), Told()
    play.say(told.created(), {**QUOTA, "sequence_number": next(told.numbers)})
    (finished,) = of(play.say(told.ended("failed", error={"code": "insufficient_quota"})), facts.ResponseFinished)
    assert (finished.status, finished.reason) == ("failed", "insufficient_quota")
    assert of(play.close(), facts.ResponseFinished) == []


def test_an_error_without_a_response_refuses_the_request() -> None:
    """The next response is not that one's."""
    play = Play()
    play.say(create(previous_response_id="resp_0", generate=False), sent=True)
    missing = {"type": "error", "error": {"code": "previous_response_not_found", "message": "Gone."}, "status": 400}
    (erred,) = play.say(missing)
    assert isinstance(erred, facts.UpstreamErred)
    assert (erred.code, erred.effect) == ("previous_response_not_found", "unknown")
    play.say(create(), sent=True)
    (finished, _) = play.say(*whole("resp_1", usage=usage(1, 1)))[1:]
    assert isinstance(finished, facts.ResponseFinished)
    assert not finished.warm_up


def test_as_a_server_sent_event_an_error_is_flat() -> None:
    """Its code and message stand beside its type."""
    play = Play()
    erred = play.say({"type": "error", "code": "ERR", "message": "Gone.", "param": None, "sequence_number": 1})[1]
    assert erred == facts.UpstreamErred(code="ERR", kind=None, message=Content("message", "Gone."), effect="unknown")


# What breaks off ------------------------------------------------------------------------------------------------


def test_what_a_stream_leaves_open_is_abandoned() -> None:
    """What it used is unknown."""
    play = Play()
    play.say(Told().created())
    abandoned, closed, _ = play.close(code=None)
    assert isinstance(abandoned, facts.ResponseAbandoned)
    assert (abandoned.response_id, abandoned.cost) == ("resp_1", facts.Cost(unpriced="no_usage"))
    assert isinstance(closed, facts.ConversationClosed)
    assert (closed.cost_usd, closed.unpriced) == (None, (facts.Unpriced("no_usage", 1),))


def test_too_many_open_responses() -> None:
    """The oldest is given up; that it ends is reported all the same."""
    play, first = Play(open_responses=2), Told("resp_1", "a")
    play.say(first.created(conversation="conv_1"))
    play.say(*(Told(f"resp_{n}", f"l{n}").created(conversation="conv_1") for n in (2, 3)))
    assert [fact.response_id for fact in of(play.facts, facts.ResponseAbandoned)] == ["resp_1"]
    assert [fact.status for fact in of(play.say(first.ended()), facts.ResponseFinished)] == ["completed"]


def test_a_connection_ends_after_an_hour() -> None:
    """The first request shows that there is one. Its deadline runs from its first event."""
    play = Play()
    limits = {"type": "codex.rate_limits", "rate_limits": {"primary": {"used_percent": 7, "reset_after_seconds": 9}}}
    assert play.say(limits)[1:] == [facts.RateLimitReported(kind="primary", limit=100, remaining=93, reset_seconds=9)]
    play.wait(1000)
    (opened, _) = play.say(create(), sent=True)
    assert isinstance(opened, facts.SessionOpened)
    assert play.now is not None
    assert (opened.kind, opened.session_id, opened.expires_at) == (
        "responses",
        STREAM,
        play.now / 1_000_000 - 1 + 3600,
    )
    play.say(*whole())
    play.wait(3_300_000)
    assert play.tick() == [facts.SessionNearsEnd(session_id=STREAM, kind="responses", seconds_left=300)]
    play.say(Told("resp_2").created())
    over = {"type": "error", "error": {"code": "websocket_connection_limit_reached", "message": "60 min."}}
    erred, expired = play.say(over)
    assert isinstance(erred, facts.UpstreamErred)
    assert erred.effect == "ends_session"
    assert expired == facts.SessionExpired(session_id=STREAM, kind="responses")
    told = play.close()
    assert [(fact.response_id, fact.status) for fact in of(told, facts.ResponseFinished)] == [("resp_2", "failed")]
    assert [fact.reason for fact in of(told, facts.ConversationClosed)] == ["session_expired"]


# Another id in each event ---------------------------------------------------------------------------------------


def test_a_gateway_gives_each_event_ids_of_its_own() -> None:
    """The numbers tell which response it is, and the places which item: both keep the id that they had first."""
    play, told = Play(), Told()
    search: Event = {"type": "web_search_call", "action": {"type": "search", "query": "x"}}
    text = message(text="Hi you")
    play.say(
        told.created(),
        told.event("in_progress", response=response("resp_b")),
        told.added({**search, "id": "ws_a"}),
        told.event("web_search_call.completed", item_id="ws_b", output_index=0),
        told.done({**search, "id": "ws_c", "status": "completed"}),
        told.added({**text, "id": "msg_a", "content": []}, 1),
        *(told.delta(piece, item=f"msg_{piece}", output_index=1) for piece in ("Hi ", "you")),
        told.done({**text, "id": "msg_c"}, 1),
        told.event("completed", response=response("resp_c", "completed", output=[{**search, "id": "ws_d"}, text])),
    )
    assert [fact.response_id for fact in of(play.facts, facts.ResponseStarted)] == ["resp_1"]
    assert [fact.response_id for fact in of(play.facts, facts.ResponseFinished)] == ["resp_1"]
    assert [fact.call_id for fact in of(play.facts, facts.ToolCallStarted)] == ["ws_a"]
    assert [fact.call_id for fact in of(play.facts, facts.ToolCallFinished)] == ["ws_a"]
    assert of(play.facts, facts.DeltasDiffered) == []
    line = play.line(LANE)
    assert ([(turn["item_id"], turn["text"]) for turn in line["transcript"]]) == [("msg_a", "Hi you")]
    assert ([each["id"] for each in line["responses"]], line["unfinished"], line["rejected"]) == (["resp_c"], [], {})


def test_an_id_that_is_new_is_another_response_where_the_numbers_do_not_go_on() -> None:
    """Its beginning was lost."""
    play, told = Play(), Told()
    play.say(told.created(), told.delta("a"))
    later = {"type": "response.in_progress", "sequence_number": 1, "response": response("resp_2")}
    assert [fact.response_id for fact in of(play.say(later), facts.ResponseStarted)] == ["resp_2"]


def test_a_place_that_all_items_have_tells_nothing() -> None:
    """Neither of one that is over, nor of one of another kind."""
    play, told = Play(), Told()
    play.say(told.created(), told.added(call()), told.done(message("msg_1", "One")), told.done(message("msg_2", "Two")))
    play.say(told.ended("completed", call(), message("msg_1", "One"), message("msg_2", "Two")))
    assert [turn["item_id"] for turn in play.line(LANE)["transcript"]] == ["msg_1", "msg_2"]
    assert of(play.facts, facts.DeltasDiffered) == []


# Lost, doubled, late --------------------------------------------------------------------------------------------


def test_an_event_that_comes_again_changes_nothing() -> None:
    """Its number tells, once the response is known to count."""
    play, told = Play(), Told()
    pieces = [told.created(), told.added(message(content=[])), told.delta("Good "), told.delta("day")]
    for each in pieces:
        play.say(each)
        play.say(each)
    assert play.line(LANE)["rejected"] == {"repeated": 1, "duplicate": 3}
    play.say(told.ended("completed", message(text="Good day")))
    assert of(play.facts, facts.DeltasDiffered) == []


def test_numbers_of_another_response_are_its_own() -> None:
    """Each begins at 0."""
    play = Play()
    for key in ("resp_1", "resp_2"):
        told = Told(key)
        play.say(told.created(), told.delta("a", item=key), told.delta("b", item=key), told.ended())
    assert play.line(LANE)["rejected"] == {}


def test_a_server_that_does_not_count_has_no_duplicates() -> None:
    """Some give all events one number, or none."""
    for number in (0, 7, None):
        play, told = Play(), Told()
        events = [told.created(), told.added(message(content=[])), *(told.delta("a") for _ in range(4))]
        play.say(*({**each, "sequence_number": number} for each in events))
        ended = {**told.ended("completed", message(text="aaaa")), "sequence_number": number}
        play.say(ended)
        assert (of(play.facts, facts.DeltasDiffered), play.rejected) == ([], {})


def test_what_comes_late_is_news() -> None:
    """The order of the words is that of the terminal object, and that the deltas had led elsewhere is reported."""
    play, told = Play(), Told()
    begun, first, second, third = told.created(), told.delta("a"), told.delta("b"), told.delta("c")
    play.say(begun, first, third, second, second)
    assert play.rejected == {"duplicate": 1}
    play.say(told.ended("completed", message(text="abc")))
    assert of(play.facts, facts.DeltasDiffered) == [facts.DeltasDiffered(item_id="msg_1", members=("content",))]
    assert play.line(LANE)["transcript"][0]["text"] == "abc"


def test_what_is_lost_is_made_up_for_by_the_end() -> None:
    """All of its items are in the object."""
    play, told = Play(), Told()
    play.say(told.created())
    for _ in range(5):
        told.delta("lost")
    ended = told.ended("completed", message(text="Hi"), call())
    finished = of(play.say(ended), facts.ResponseFinished)[0]
    assert (finished.items, [each.text for each in finished.output]) == (2, ["Hi", "{}"])
    assert [fact.name for fact in of(play.facts, facts.ToolCallStarted)] == ["look_up"]


def test_objects_are_kept_whole_and_bounded() -> None:
    """Member for member, known or not; too long a one is counted."""
    play, told = Play(object_bytes=1024), Told()
    play.say(told.created(), told.ended("completed", message(), new={"deep": [1.10]}))
    play.say(Told("resp_2").ended("completed", message(text="x" * 2000)))
    line = play.line(LANE)
    assert [each["new"] for each in line["responses"]] == [{"deep": [1.10]}]
    assert line["totals"]["dropped_objects"] == 1


def test_content_can_be_erased() -> None:
    """Texts, objects and arguments; totals stay."""
    play, told = Play(), Told()
    play.say(told.created(), told.delta("secret words"))
    play.say(*whole("resp_2", message(text="other words"), lane="b", usage=usage(3, 4)))
    for state in play.pipeline.registry.conversations.values():
        state.erase_content()
        line = json.dumps(play.line(state.key))
        assert "words" not in line


def test_what_a_request_answers_is_over() -> None:
    """The output of a call comes in the input of the next request."""
    play, told = Play(), Told()
    play.say(create("Weather?"), sent=True)
    play.say(told.created(), told.added(call(arguments="")), told.done(call()), told.ended("completed", call()))
    play.wait(700)
    brought = play.say(create([output_of()], previous_response_id="resp_1"), sent=True)
    (over,) = of(brought, facts.ToolCallFinished)
    assert (over.status, over.duration_seconds, over.output) == ("completed", 0.7, Content("output", "21 degrees"))
