"""A Live session, the responses of its backend, and its decisions are each billed once, under their own models."""

from typing import Any, Final

import msgspec
import pytest

from steno.core import facts
from steno.core.billing.prices import parse
from steno.core.facts import Cost
from steno.core.stream import Stream
from tests.core.helpers import Event, Play, event, line_of
from tests.core.live.plays import backend, closed, delegated, response, started, used

TABLE: Final = parse(
    msgspec.json.encode(
        {
            "gpt-live-1": {"input_cost_per_minute": 0.05, "standby_cost_per_minute": 0.02},
            "gpt-5.6-sol": {
                "input_cost_per_token": 0.000004,
                "cache_creation_input_token_cost": 0.000005,
                "output_cost_per_token": 0.00002,
                "input_cost_per_token_priority": 0.000008,
                "output_cost_per_token_priority": 0.00004,
                "web_search_cost_per_query": 0.01,
            },
            "gpt-6-luna": {
                "input_cost_per_token": 0.000001,
                "output_cost_per_token": 0.000001,
                "input_cost_per_token_decisions": 0.0000001,
                "output_cost_per_token_decisions": 0,
            },
        }
    )
)
USAGE: Final = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
OTHER: Final = "tap/1/1"
KEY: Final = "relay/live_1"
TAP: Final = "tap/live_1"


def priced(*events: Event) -> Play:
    play = Play()
    play.pipeline.registry.prices = TABLE
    play.say(*events)
    return play


def bills(play: Play) -> list[tuple[str, str | None]]:
    """Facts that have a cost, and what it is."""
    costs = [(type(fact).__name__, getattr(fact, "cost", None)) for fact in play.facts]
    return [(name, cost.usd or cost.unpriced) for name, cost in costs if isinstance(cost, Cost)]


def summed(play: Play, key: str = KEY) -> dict[str, Any]:
    """The totals of a session, whether or not it is open."""
    states = {state.key: state for state in (*play.closed, *play.pipeline.registry.conversations.values())}
    found: dict[str, Any] = line_of(states[key])["totals"]
    return found


def totals(play: Play, key: str = KEY) -> tuple[str | None, dict[str, int]]:
    found = summed(play, key)
    return found["cost_usd"], found["unpriced"]


def decided(event_id: str = "event_1") -> Event:
    decision = {"model": "gpt-6-luna", "answers": [], "usage": USAGE}
    kind = {"type": "decision.completed", "decision": decision}
    return event("decision.event", event_id=event_id, trigger_id="trig_1", event=kind)


def worked(key: str = "resp_1", **members: Any) -> tuple[Event, Event]:
    """A response of the backend, from its beginning to its end."""
    return (
        backend("response.created", response=response(key)),
        backend("response.completed", response=response(key, "completed", usage=USAGE, **members)),
    )


def test_a_session_its_backend_and_its_decisions_are_billed_apart() -> None:
    """90 s of which 30 in standby; 10 x 4 + 5 x 20 millionths; 10 x 0.1 millionths."""
    play = priced(
        started(), used(60), delegated(), *worked(), decided(), used(90, active_seconds=60, paused_seconds=30)
    )
    play.say(closed(90, active_seconds=60, paused_seconds=30))

    assert bills(play) == [
        ("SessionMetered", "0.05"),
        ("ResponseFinished", "0.00014"),
        ("DecisionMade", "0.000001"),
        ("SessionMetered", "0.01"),
    ]
    assert totals(play) == ("0.060141", {})
    assert summed(play)["seconds"] == [{"model": "gpt-live-1", "seconds": "90"}]


@pytest.mark.parametrize("again", [worked()[1], closed(14)])
def test_what_comes_again_is_not_billed_again(again: Event) -> None:
    """Under whatever id of its event."""
    play = priced(started(), delegated(), *worked(), closed(14))
    before = totals(play)
    play.say(again)

    assert totals(play) == before == ("0.011806666667", {})


def test_a_session_whose_end_was_not_seen_is_billed_as_far_as_it_was_reported() -> None:
    """At least that; a response that did not end has no price."""
    play = priced(started(), used(30), delegated(), backend("response.created", response=response("resp_1")))
    play.close(code=None)

    assert bills(play) == [("SessionMetered", "0.025"), ("ResponseAbandoned", "no_usage")]
    (ended,) = play.of(facts.SessionFinished)
    assert isinstance(ended, facts.SessionFinished)
    assert (ended.seconds, ended.usage_final, ended.cost) == (30.0, False, None)


def test_a_session_of_which_nothing_was_reported_has_no_price() -> None:
    """Nobody knows how long it was, and that is not free."""
    play = priced(started())
    play.close(code=None)

    assert bills(play) == [("SessionFinished", "no_usage")]


def test_a_backend_is_billed_by_its_tier_its_cache_and_its_tools() -> None:
    """Searches as upstream reports them, or else those that ended and did search."""
    search = {"type": "web_search_call", "status": "completed"}
    items = [
        backend("response.output_item.done", item={**search, "id": "ws_1", "action": {"type": "search"}}),
        backend("response.output_item.done", item={**search, "id": "ws_2", "action": {"type": "open_page"}}),
        backend("response.output_item.done", item={**search, "id": "ws_3"}),
        backend("response.output_item.done", item={**search, "id": "ws_4", "status": "failed"}),
    ]
    begun, ended = worked(service_tier="priority")
    play = priced(started(), delegated(), begun, *items, ended)
    written = {
        **USAGE,
        "input_tokens_details": {"cache_write_tokens": 10},
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    play.say(backend("response.created", response=response("resp_2")))
    done = response("resp_2", "completed", usage=written, tool_usage={"web_search": {"num_requests": 3}})
    play.say(backend("response.completed", response=done))

    finished = [fact for fact in play.facts if isinstance(fact, facts.ResponseFinished)]
    assert [(fact.service_tier, fact.reasoning_tokens) for fact in finished[:1]] == [("priority", msgspec.UNSET)]
    assert [(fact.cache_writes, fact.reasoning_tokens) for fact in finished[1:]] == [
        ((facts.CacheWrite("30m", 10),), 2)
    ]
    assert bills(play) == [
        ("ResponseFinished", "0.00028"),
        ("ToolCallsBilled", "0.02"),
        ("ResponseFinished", "0.00015"),
        ("ToolCallsBilled", "0.03"),
    ]


# Several sources ------------------------------------------------------------------------------------------------


def both(play: Play, other: Stream, *events: Event) -> None:
    for each in events:
        play.say(each)
        play.say(each, on=other)


def test_a_session_that_a_proxy_and_a_sideband_follow_is_billed_once() -> None:
    """Its time, its backend and its decisions; the sideband goes on where the proxy has left."""
    play = priced()
    tap = play.open(OTHER, source="tap")
    both(play, tap, started(), used(15), delegated(), *worked(), decided(), used(30))
    play.close(code=None)
    play.say(used(60), *worked("resp_2"), closed(75), on=tap)

    assert totals(play) == ("0.025141", {})
    assert totals(play, TAP) == (None, {"duplicate_source": 3})
    assert [sum(each["tokens"] for each in summed(play, key)["tokens"]) for key in (KEY, TAP)] == [30, 15]
    assert [summed(play, key)["seconds"][0]["seconds"] for key in (KEY, TAP)] == ["30", "45"]


def test_a_sideband_that_comes_late_goes_on_from_what_was_billed() -> None:
    """Upstream reports the whole of the session to each."""
    play = priced(started(), used(30))
    play.close(code=None)
    tap = play.open(OTHER, source="tap")
    play.say(started(), used(45), closed(60), on=tap)

    assert totals(play, TAP) == ("0.025", {})
