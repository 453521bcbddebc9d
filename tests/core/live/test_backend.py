"""The responses of a backend in a Live session: plays."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, Cost, Tokens
from steno.core.live.delegation import WAIT_BYTES
from tests.core.helpers import NO_USAGE, UNPRICED, Event, Play, event
from tests.core.live.plays import USAGE, backend, closed, delegated, response, started

KEY = "relay/live_1"
BACKEND = "gpt-5.6-sol"


def play(*events: Any, **limits: Any) -> Play:
    """A session that has begun."""
    begun = Play(**limits)
    begun.say(started(), *events)
    begun.emitted.clear()
    return begun


def finished(key: str = "resp_1", **changes: Any) -> facts.ResponseFinished:
    """A response that ended."""
    values: dict[str, Any] = {
        "status": "completed",
        "reason": None,
        "conversation_id": None,
        "model": BACKEND,
        "items": 0,
        "output": (),
        "audio_seconds": None,
        "duration_seconds": 0.0,
        "time_to_first_token_seconds": None,
        "time_to_first_audio_seconds": None,
        "turn_latency_seconds": None,
        "tokens": (
            Tokens(BACKEND, "input", "unknown", False, 10),
            Tokens(BACKEND, "output", "unknown", False, 5),
        ),
        "cost": UNPRICED,
        **changes,
    }
    return facts.ResponseFinished(response_id=key, **values)


def begun(key: str = "resp_1", model: str | None = BACKEND) -> facts.ResponseStarted:
    """A response that began."""
    return facts.ResponseStarted(response_id=key, conversation_id=None, model=model)


def created(key: str = "resp_1", delegation: str | None = "item_1", **members: Any) -> Event:
    """The beginning of a response."""
    return backend("response.created", delegation, response=response(key, **members))


def completed(key: str = "resp_1", delegation: str | None = "item_1", **members: Any) -> Event:
    """The end of a response."""
    return backend("response.completed", delegation, response=response(key, "completed", usage=USAGE, **members))


def item(kind: str, step: str = "output_item.done", /, **members: Any) -> Event:
    """An item of a response."""
    return backend(f"response.{step}", item={"type": kind, **members})


def function_call(key: str = "call_1", **members: Any) -> Event:
    """A call of a function, whole."""
    return item("function_call", id=f"fc_{key}", call_id=key, name="forecast", arguments="{}", **members)


def answered(responses: int, duration: float = 0.0, status: str = "answered") -> facts.DelegationFinished:
    """The end of the delegation."""
    return facts.DelegationFinished(
        delegation_id="item_1", target="responses", status=status, responses=responses, duration_seconds=duration
    )


def test_a_response_answers_its_delegation() -> None:
    """It has its own model, its own tokens, and what its items say: its object comes without them."""
    told = play(delegated())
    assert told.say(created()) == [begun()]
    told.wait(500)
    assert told.say(
        backend("response.in_progress", response=response("resp_1")),
        backend("response.output_text.delta", delta="It "),
        backend("response.output_text.delta", delta="rains."),
    ) == [facts.ResponseOutputStarted(response_id="resp_1", model=BACKEND, output="text", after_seconds=0.5)]
    told.say(item("message", id="msg_1", content=[{"type": "output_text", "text": "It rains."}]))
    ended = response("resp_1", "completed", usage=USAGE, further={"a": 1})
    assert told.say(backend("response.completed", response=ended)) == [
        finished(
            items=1,
            output=(Content("text", "It rains."),),
            duration_seconds=0.5,
            time_to_first_token_seconds=0.5,
        ),
        answered(1, 0.5),
    ]
    assert told.line(KEY)["responses"] == [ended]
    assert told.line(KEY)["totals"]["responses"] == {"completed": 1}


def test_a_tool_round_is_one_delegation() -> None:
    """The client's output may come before the end of the response that asked for it."""
    told = play(delegated(), created())
    assert told.say(item("function_call", "output_item.added", id="fc_1", call_id="call_1", name="forecast")) == [
        facts.ToolCallStarted(call_id="call_1", kind="function", name="forecast")
    ]
    told.say(function_call())
    told.wait(250)
    output = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    (over,) = told.say(event("response.item.create", item=output), event("response.create"), sent=True)
    assert isinstance(over, facts.ToolCallFinished)
    assert (over.status, over.duration_seconds, over.output) == ("completed", 0.25, Content("output", "rain"))
    assert [type(fact) for fact in told.say(completed())] == [facts.ResponseFinished]
    assert [type(fact) for fact in told.say(created("resp_2"), completed("resp_2"))] == [
        facts.ResponseStarted,
        facts.ResponseFinished,
        facts.DelegationFinished,
    ]
    assert told.line(KEY)["delegations"][0]["responses"] == 2


def test_a_sideband_does_not_see_the_output_of_a_call() -> None:
    """The response that follows shows that there was one."""
    told = play(delegated(), created(), function_call(), completed())
    told.wait(1_000)
    first, second = told.say(created("resp_2"))
    assert isinstance(first, facts.ToolCallFinished)
    assert (first.status, first.duration_seconds, first.output) == ("completed", 1.0, None)
    assert second == begun("resp_2")


def test_a_call_that_is_never_answered() -> None:
    """Neither is its delegation."""
    told = play(delegated(), created(), function_call(), completed())
    over = told.close()
    assert [fact.status for fact in over if isinstance(fact, facts.ToolCallFinished)] == ["abandoned"]
    assert [fact.status for fact in over if isinstance(fact, facts.DelegationFinished)] == ["orphaned"]


def test_a_call_that_upstream_runs_itself() -> None:
    """Its output is in the item, and what it costs is billed by the call."""
    told = play(delegated(), created())
    told.say(item("web_search_call", "output_item.added", id="ws_1", status="in_progress"))
    told.wait(800)
    (over,) = told.say(item("web_search_call", id="ws_1", status="completed", action={"type": "search"}))
    assert isinstance(over, facts.ToolCallFinished)
    assert (over.kind, over.status, over.duration_seconds) == ("web_search", "completed", 0.8)
    billed = [fact for fact in told.say(completed()) if isinstance(fact, facts.ToolCallsBilled)]
    assert [(fact.kind, fact.calls) for fact in billed] == [("web_search", 1)]


def test_a_shell_that_upstream_runs_waits_for_nobody() -> None:
    """Its output is an item of the same response."""
    told = play(delegated(), created(), item("shell_call", id="sh_1", call_id="call_1", action={}))
    told.say(item("shell_call_output", id="so_1", call_id="call_1", output=[]))
    assert told.say(completed())[-1] == answered(1)


def test_a_person_is_asked() -> None:
    """A response that asks is followed by another one."""
    told = play(delegated(), created())
    assert told.say(item("mcp_approval_request", id="mcpr_1", name="pay")) == [
        facts.ApprovalRequested(item_id="mcpr_1", name="pay")
    ]
    assert [type(fact) for fact in told.say(completed())] == [facts.ResponseFinished]
    decision = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    assert told.say(event("response.item.create", item=decision), sent=True) == [
        facts.ApprovalGiven(request_id="mcpr_1", approved=True)
    ]
    assert told.say(item("mcp_list_tools", id="mcpl_1")) == [facts.ToolsListed(item_id="mcpl_1", status="completed")]


@pytest.mark.parametrize(
    ("kind", "members", "status", "reason", "cause"),
    [
        (
            "incomplete",
            {"incomplete_details": {"reason": "max_output_tokens"}},
            *["incomplete", *["max_output_tokens"] * 2],
        ),
        ("incomplete", {"incomplete_details": {"reason": "boredom"}}, "incomplete", "other", "other"),
        ("incomplete", {}, "incomplete", "unknown", "unknown"),
        ("failed", {"error": {"code": "server_error", "message": "Oh."}}, "failed", "server_error", "failed"),
        ("failed", {}, "failed", "unknown", "failed"),
    ],
)
def test_a_response_that_breaks_off_fails_its_delegation(
    kind: str, members: dict[str, Any], status: str, reason: str, cause: str
) -> None:
    """And nobody answers its calls."""
    told = play(delegated(), created(), function_call())
    ended = response("resp_1", kind, usage=USAGE, **members)
    first, second, third, fourth = told.say(backend(f"response.{kind}", response=ended))
    assert first == finished(status=status, reason=reason, items=1, output=(Content("arguments", "{}"),))
    assert second == facts.ResponseInterrupted(
        response_id="resp_1", reason=cause, model=BACKEND, code=reason if kind == "failed" else None
    )
    assert isinstance(third, facts.ToolCallFinished)
    assert third.status == "abandoned"
    assert fourth == answered(1, status="failed")


def test_a_response_that_a_connection_joined() -> None:
    """When it began is not known."""
    told = play()
    assert told.say(backend("response.in_progress", None, response=response("resp_1", model="m"))) == [begun(model="m")]
    assert told.say(completed(delegation=None)) == [finished(duration_seconds=None)]
    assert told.say(completed("resp_2", service_tier="flex")) == [
        begun("resp_2"),
        finished("resp_2", duration_seconds=None, service_tier="flex"),
    ]


def test_what_is_used_otherwise_is_told() -> None:
    """What was written to the cache, and what the model thought."""
    usage = {
        "input_tokens": 805,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 805},
        "output_tokens": 19,
        "output_tokens_details": {"reasoning_tokens": 7},
        "total_tokens": 824,
    }
    told = play(created()).say(backend("response.completed", response=response("resp_1", "completed", usage=usage)))
    (ended,) = told
    assert isinstance(ended, facts.ResponseFinished)
    assert (ended.cache_writes, ended.reasoning_tokens) == (
        (facts.CacheWrite("unknown", 805),),
        7,
    ) or ended.cache_writes


def test_what_does_not_fit() -> None:
    told = play(created())

    def rejected(reason: str) -> list[facts.Fact]:
        return [facts.EventRejected(event="response.event", reason=reason)]

    assert told.say(created()) == rejected("repeated")
    told.say(completed())
    assert told.say(created()) == rejected("repeated")
    assert told.say(completed()) == rejected("repeated")
    assert told.say(backend("response.in_progress", response=response("resp_1"))) == rejected("ended")
    for kind in ("created", "in_progress", "completed"):
        assert told.say(backend(f"response.{kind}")) == rejected("missing_object")
    assert told.say(backend("response.output_item.done")) == rejected("missing_object")
    assert told.say(event("response.event")) == rejected("missing_object")
    assert told.say(event("response.event", event={})) == rejected("missing_object")


def test_what_says_nothing_new() -> None:
    told = play(delegated())
    assert told.say(backend("response.content_part.added"), backend("response.output_text.delta", delta="a")) == []
    assert told.say(item("message", "output_item.added", id="msg_1"), item("message", id="msg_1")) == []
    assert told.say(backend("response.output_item.added")) == []
    assert told.say(event("response.item.create"), event("response.item.create", item={"type": "message"})) == []


def test_an_error_of_the_backend() -> None:
    assert play().say(backend("error", code="rate_limit_exceeded", message="Slow down.")) == [
        facts.UpstreamErred(code="rate_limit_exceeded", kind=None, message=Content("message", "Slow down."))
    ]
    assert play().say(backend("error")) == [facts.UpstreamErred(code="unknown", kind=None, message=None)]


def test_a_response_that_never_ends() -> None:
    """It goes on after the session, whose connection may bring its end; else what it used is unknown."""
    told = play(created())
    told.say(closed(1))
    assert told.line(KEY)["unfinished"] == [response("resp_1")]
    abandoned = facts.ResponseAbandoned(response_id="resp_1", model=BACKEND, cost=NO_USAGE)
    assert abandoned in told.close()


def test_open_responses_have_a_limit() -> None:
    told = play(created("resp_1", None), open_responses=1)
    assert told.say(created("resp_2", None)) == [
        begun("resp_2"),
        facts.ResponseAbandoned(response_id="resp_1", model=BACKEND, cost=Cost(unpriced="no_usage")),
    ]
    assert told.say(completed("resp_1", None)) == [facts.EventRejected(event="response.event", reason="repeated")]


def test_what_a_response_says_has_a_limit() -> None:
    """Further items are counted, and their words left out."""
    told = play(created(), object_bytes=1024)
    for number in range(3):
        told.say(item("message", id=f"msg_{number}", content=[{"type": "output_text", "text": "x" * 500}]))
    (ended,) = told.say(completed())
    assert isinstance(ended, facts.ResponseFinished)
    assert (ended.items, len(ended.output)) == (3, 2)


def test_erased_content_is_gone() -> None:
    told = play(created(), item("message", id="msg_1", content=[{"type": "output_text", "text": "secret"}]))
    told.state(KEY).erase_content()
    (ended,) = told.say(completed())
    assert isinstance(ended, facts.ResponseFinished)
    assert ended.output == ()


def test_two_connections_bring_each_event_of_a_backend_twice() -> None:
    """What it says, and what its tools cost, counts once."""
    told = play(delegated())
    side = told.open("relay/1/2")
    told.say(started(), on=side)
    numbered = [
        created(),
        item("message", id="msg_1", content=[{"type": "output_text", "text": "It rains."}]),
        item("web_search_call", id="ws_1", status="completed"),
        completed(),
    ]
    for number, each in enumerate(numbered):
        each["event"]["sequence_number"] = number
        told.say(each)
        told.say(each, on=side)
    (ended,) = told.of(facts.ResponseFinished)
    assert isinstance(ended, facts.ResponseFinished)
    assert (ended.items, ended.output) == (2, (Content("text", "It rains."),))
    assert [fact.calls for fact in told.of(facts.ToolCallsBilled) if isinstance(fact, facts.ToolCallsBilled)] == [1]
    assert told.line(KEY)["rejected"] == {"repeated": 2, "duplicate": 2}


def test_what_a_response_waits_for_is_charged_for() -> None:
    """The ids of its calls, until their outputs come."""
    said = play(delegated(), backend("response.created", response=response("resp_1")))
    work = said.state(KEY).backend["resp_1"]

    def grows(*items: Event) -> int:
        before: int = work.held
        said.say(*(backend("response.output_item.done", item=item) for item in items))
        after: int = work.held
        return after - before

    calls = [{"type": "shell_call", "id": f"sh_{n}", "call_id": f"{n}" * 300, "status": "incomplete"} for n in range(9)]
    outputs = [{"type": "shell_call_output", "call_id": call["call_id"]} for call in calls]
    assert grows(*calls, *calls) == 9 * (300 + WAIT_BYTES)
    assert grows(*outputs, *outputs) == -9 * (300 + WAIT_BYTES)
