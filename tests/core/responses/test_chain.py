"""Chains: which response follows which, what is billed once more, tool rounds, warm-ups, gaps."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Fact
from tests.core.helpers import Play
from tests.core.responses.frames import MODEL, Told, call, create, message, output_of, response, usage, whole

CALLED = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"}


def of(told: list[Fact], kind: type[Any]) -> list[Any]:
    return [fact for fact in told if isinstance(fact, kind)]


def resent(told: list[Fact]) -> list[tuple[str, int, int]]:
    return [(fact.previous_response_id, fact.tokens, fact.cached_tokens) for fact in of(told, facts.ContextResent)]


def test_a_response_is_billed_for_what_came_before_once_more() -> None:
    """The input and the output of the one before, without its reasoning, which no model is shown again."""
    play = Play()
    play.say(*whole("resp_1", usage=usage(100, 50, reasoning=20)))
    following = whole("resp_2", usage=usage(180, 10, cached=128), previous_response_id="resp_1")
    assert of(play.say(*following), facts.ContextResent) == [
        facts.ContextResent(
            response_id="resp_2", previous_response_id="resp_1", model=MODEL, tokens=130, cached_tokens=128
        )
    ]


def test_what_was_dropped_from_the_context_is_not_sent_again() -> None:
    """After a compaction there is less of it: at most the input."""
    play = Play()
    play.say(*whole("resp_1", usage=usage(9000, 500)))
    assert resent(play.say(*whole("resp_2", usage=usage(400, 10, cached=390)))) == [("resp_1", 400, 390)]


def test_what_is_not_reported_is_not_made_up() -> None:
    """Neither of the one before, nor of this one."""
    play = Play()
    play.say(*whole("resp_1", usage=None))
    assert resent(play.say(*whole("resp_2", usage=usage(400, 10)))) == []
    assert resent(play.say(*whole("resp_3", usage=None))) == []
    assert resent(play.say(*whole("resp_4", usage=usage(5, 5), previous_response_id="resp_x"))) == []


@pytest.mark.parametrize(
    ("said", "follows"),
    [
        ("Another question", False),
        ([{"role": "user", "content": "Another question"}], False),
        ([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Another"}]}], False),
        ([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, {"role": "user"}], True),
        ([{"role": "user", "content": "Hi"}, CALLED, output_of()], True),
        ([{"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}], True),
        ([{"type": "item_reference", "id": "msg_1"}], True),
        (None, False),
    ],
)
def test_a_request_that_names_nothing_follows_where_it_repeats(said: Any, follows: bool) -> None:
    """A client may send all of its context again: what a model made shows it. Else it begins anew."""
    play = Play()
    play.say(create("Hi"), sent=True)
    play.say(*whole("resp_1", usage=usage(100, 50)))
    play.say(create(said), sent=True)
    assert bool(resent(play.say(*whole("resp_2", usage=usage(200, 50))))) is follows


def test_where_requests_are_not_seen_the_lane_is_the_chain() -> None:
    """Another lane has its own, and a conversation of upstream's as a whole."""
    play = Play()
    play.say(*whole("resp_1", lane="a", usage=usage(100, 50)))
    assert resent(play.say(*whole("resp_2", lane="b", usage=usage(200, 50)))) == []
    assert resent(play.say(*whole("resp_3", lane="a", usage=usage(200, 50)))) == [("resp_1", 150, 0)]
    for n, lane in enumerate("ab"):
        told = Told(f"resp_c{n}", lane, conversation={"id": "conv_1"})
        said = play.say(told.created(), told.ended("completed", message(f"m{n}"), usage=usage(70, 30)))
        assert resent(said) == ([("resp_c0", 70, 0)] if n else [])


def test_the_rounds_of_tools_before_an_answer() -> None:
    """And how long all of it took, from the first request."""
    play = Play()
    play.say(create("Weather?"), sent=True)
    for n in (1, 2):
        play.wait(1000)
        one = call(f"fc_{n}", f"call_{n}")
        said = play.say(*whole(f"resp_{n}", one))
        assert of(said, facts.ChainAnswered) == []
        play.wait(1000)
        play.say(create([output_of(f"call_{n}")], previous_response_id=f"resp_{n}"), sent=True)
    play.wait(1000)
    said = play.say(*whole("resp_3", previous_response_id="resp_2"))
    assert of(said, facts.ChainAnswered) == [
        facts.ChainAnswered(response_id="resp_3", model=MODEL, tool_rounds=2, responses=3, duration_seconds=5.0)
    ]
    said = play.say(*whole("resp_4", previous_response_id="resp_3"))
    assert of(said, facts.ChainAnswered) == [
        facts.ChainAnswered(response_id="resp_4", model=MODEL, tool_rounds=0, responses=1, duration_seconds=0.0)
    ]


def test_what_upstream_runs_is_no_round_of_tools() -> None:
    """Nor is a response that broke off an answer."""
    play = Play()
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}
    answered = of(play.say(*whole("resp_1", search, message())), facts.ChainAnswered)
    assert [fact.tool_rounds for fact in answered] == [0]
    told = Told("resp_2")
    broke_off = told.ended("incomplete", message("m2"), incomplete_details={"reason": "max_output_tokens"})
    assert of(play.say(told.created(), broke_off), facts.ChainAnswered) == []
    said = play.say(*whole("resp_3", message("m3"), previous_response_id="resp_2"))
    assert [(fact.tool_rounds, fact.responses) for fact in of(said, facts.ChainAnswered)] == [(0, 2)]


def test_an_approval_is_waited_for() -> None:
    """Until a person decides there is no answer."""
    play = Play()
    asked = {"id": "mcpr_1", "type": "mcp_approval_request", "name": "pay", "arguments": "{}", "server_label": "bank"}
    said = play.say(*whole("resp_1", asked))
    assert of(said, facts.ApprovalRequested) == [facts.ApprovalRequested(item_id="mcpr_1", name="pay")]
    assert of(said, facts.ChainAnswered) == []
    decided = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    again = create([decided, decided], previous_response_id="resp_1")
    assert of(play.say(again, sent=True), facts.ApprovalGiven) == [
        facts.ApprovalGiven(request_id="mcpr_1", approved=True)
    ]


@pytest.mark.parametrize(
    ("ended", "after"),
    [
        (lambda told: told.ended("completed", message()), "answer"),
        (lambda told: told.ended("completed", call()), "tool_calls"),
        (lambda told: told.ended("incomplete", incomplete_details={"reason": "steered"}), "cut_off"),
    ],
)
def test_the_gap_before_the_next_response(ended: Any, after: str) -> None:
    """To its request, or to its beginning where requests are not seen."""
    for seen in (True, False):
        play, told = Play(), Told()
        play.say(told.created(), ended(told))
        play.wait(300)
        if seen:
            play.say(create([output_of()], previous_response_id="resp_1"), sent=True)
        play.wait(50)
        begun = play.say(Told("resp_2", previous_response_id="resp_1").created())
        (started,) = of(begun, facts.ResponseStarted)
        assert (started.gap_seconds, started.gap_after) == (0.3 if seen else 0.35, after)
        assert started.previous_response_id == "resp_1"


def test_a_warm_up_is_no_answer() -> None:
    """It is billed, and what follows it follows what came before it."""
    play = Play()
    play.say(*whole("resp_1", usage=usage(100, 50)))
    play.say(create([], generate=False, previous_response_id="resp_1"), sent=True)
    play.wait(100)
    warm = Told("resp_w", previous_response_id="resp_1")
    said = play.say(warm.created(), warm.ended("completed", usage=usage(160, 0)))
    (finished,) = of(said, facts.ResponseFinished)
    assert (finished.warm_up, sum(each.tokens for each in finished.tokens)) == (True, 160)
    assert of(said, facts.ChainAnswered) == []
    play.wait(100)
    said = play.say(*whole("resp_2", usage=usage(170, 5, cached=160), previous_response_id="resp_w"))
    (started,) = of(said, facts.ResponseStarted)
    assert (started.gap_seconds, started.gap_after) == (0.2, "answer")
    assert resent(said) == [("resp_w", 160, 160)]
    (state,) = play.pipeline.registry.conversations.values()
    assert state.totals.responses == {"completed": 2}


def test_a_response_that_made_nothing_was_a_warm_up() -> None:
    """Where the request was not seen. One that was asked for output made none, and is an answer."""
    play = Play()
    (finished,) = of(
        play.say(*[Told().created(), Told().ended("completed", usage=usage(50, 0))]), facts.ResponseFinished
    )
    assert finished.warm_up is True
    play.say(create(), sent=True)
    told = Told("resp_2")
    (finished,) = of(play.say(told.created(), told.ended("completed", usage=usage(50, 0))), facts.ResponseFinished)
    assert not finished.warm_up


def test_responses_in_flight_on_a_connection() -> None:
    """Over all of its lanes, whichever conversations they are about."""
    play = Play()
    told = [Told(f"resp_{n}", f"agent_{n}") for n in range(16)]
    in_flight = [fact.in_flight for each in told for fact in of(play.say(each.created()), facts.ResponseStarted)]
    assert in_flight == list(range(1, 17))
    play.say(*(each.ended() for each in told[:10]))
    (started,) = of(play.say(Told("resp_x", "agent_1").created()), facts.ResponseStarted)
    assert (started.in_flight, started.stream_id) == (7, "agent_1")


def test_calls_that_a_following_response_shows_to_be_answered() -> None:
    """Nobody saw when: where requests are not seen."""
    play = Play()
    play.say(*whole("resp_1", call()))
    play.wait(500)
    said = play.say(Told("resp_2", previous_response_id="resp_1").created())
    assert [(fact.status, fact.duration_seconds) for fact in of(said, facts.ToolCallFinished)] == [("completed", None)]


# Steering -------------------------------------------------------------------------------------------------------

STEER = {"id": "steer_1", "previous_response_id": "resp_1"}


def test_a_response_is_steered() -> None:
    """It ends as such, and a successor goes on."""
    play, told = Play(), Told()
    play.say(create("Write"), sent=True)
    play.say(told.created(), told.delta("Once "))
    steer = {"type": "response.steer", "previous_response_id": "resp_1", "input": "Shorter!"}
    assert play.say(steer, sent=True) == [
        facts.ItemAdded(item_id=None, kind="message", role="user", text=facts.Content("text", "Shorter!"))
    ]
    accepted = told.event("steer.accepted", steer=STEER)
    assert play.say(accepted) == [facts.SteerAccepted(steer_id="steer_1", response_id="resp_1")]
    assert play.say(told.delta("upon")) == []
    said = play.say(told.ended("incomplete", message(text="Once upon"), incomplete_details={"reason": "steered"}))
    (finished,) = of(said, facts.ResponseFinished)
    assert (finished.status, finished.reason) == ("incomplete", "steered")
    said = play.say(*whole("resp_2", previous_response_id="resp_1"))
    assert [fact.previous_response_id for fact in of(said, facts.ResponseStarted)] == ["resp_1"]
    assert [(fact.responses, fact.tool_rounds) for fact in of(said, facts.ChainAnswered)] == [(2, 0)]
    (line,) = [play.line(key) for key in play.open_keys]
    assert [(turn["role"], turn["text"]) for turn in line["transcript"]] == [
        ("user", "Write"),
        ("assistant", "Once upon"),
        ("user", "Shorter!"),
        ("assistant", "Hi."),
    ]
    assert line["rejected"] == {}


def test_a_steer_that_waits_or_fails() -> None:
    """It says for how much, or why."""
    play, told = Play(), Told()
    play.say(told.created())
    needed = [{"type": "function_call_output", "call_id": "call_1", "name": "x"}, {"type": "mcp_approval_response"}]
    pending = told.event("steer.pending", steer=STEER, reason="waiting_for_required_input", required_input=needed)
    assert play.say(pending) == [
        facts.SteerPending(steer_id="steer_1", response_id="resp_1", reason="waiting_for_required_input", required=2)
    ]
    failed = told.event(
        "steer.failed",
        steer={"previous_response_id": "resp_1", "input": "x"},
        error={"type": "invalid_request_error", "code": "too_many_pending_steers", "message": "No."},
    )
    assert play.say(failed) == [facts.SteerFailed(steer_id=None, response_id="resp_1", code="too_many_pending_steers")]
    for kind in ("accepted", "pending"):
        (rejected,) = play.say(told.event(f"steer.{kind}"))
        assert isinstance(rejected, facts.EventRejected)
    assert play.say(told.event("steer.failed")) == [facts.SteerFailed(steer_id=None, response_id=None, code="unknown")]
    assert response("resp_1")["id"] == "resp_1"
