"""Each response is billed once: warm-ups, those that were steered or cut off, those in flight, and their tools."""

from typing import Any, Final

import msgspec
import pytest

from steno.core.billing.prices import parse
from steno.core.facts import Cost
from tests.core.helpers import Event, Play, line_of

TABLE: Final = parse(
    msgspec.json.encode(
        {
            "gpt-5": {
                "input_cost_per_token": 0.000001,
                "cache_read_input_token_cost": 0.0000001,
                "output_cost_per_token": 0.00001,
                "input_cost_per_token_flex": 0.0000005,
                "output_cost_per_token_flex": 0.000005,
                "web_search_cost_per_query": 0.01,
                "file_search_cost_per_1k_calls": 2.5,
            },
            "painter": {"input_cost_per_token": 0.000005, "output_cost_per_image_token": 0.00003},
        }
    )
)
USAGE: Final = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 15,
}
"""6 x 1 + 4 x 0.1 + 5 x 10 millionths."""
WARMED: Final = {"input_tokens": 10, "output_tokens": 0, "total_tokens": 10}


def response(key: str, status: str = "in_progress", **members: Any) -> Event:
    return {"id": key, "object": "response", "status": status, "model": "gpt-5", "output": [], "usage": None, **members}


def created(key: str = "resp_1", lane: str | None = None, **members: Any) -> Event:
    return {"type": "response.created", "response": response(key, **members), "sequence_number": 0, "stream_id": lane}


def ended(key: str = "resp_1", status: str = "completed", lane: str | None = None, **members: Any) -> Event:
    whole = response(key, status, **{"usage": USAGE, **members})
    return {"type": f"response.{status}", "response": whole, "sequence_number": 1, "stream_id": lane}


def priced() -> Play:
    play = Play()
    play.pipeline.registry.prices = TABLE
    return play


def bills(play: Play) -> list[tuple[str, str | None]]:
    """Facts that have a cost, and what it is."""
    costs = [(type(fact).__name__, getattr(fact, "cost", None)) for fact in play.facts]
    return [(name, cost.usd or cost.unpriced) for name, cost in costs if isinstance(cost, Cost)]


def totals(play: Play) -> dict[str, tuple[int, str | None, dict[str, int]]]:
    """The tokens of each conversation, its cost, and what has none."""
    found = {}
    for state in (*play.closed, *play.pipeline.registry.conversations.values()):
        line = line_of(state)["totals"]
        found[state.key] = (sum(each["tokens"] for each in line["tokens"]), line["cost_usd"], line["unpriced"])
    return found


def test_a_response_is_billed_when_it_ends() -> None:
    """Also one that comes again."""
    play = priced()
    play.say(created(), ended(), ended())

    assert bills(play) == [("ResponseFinished", "0.0000564")]
    assert totals(play) == {"relay/1790000000000000/1/default": (15, "0.0000564", {})}


@pytest.mark.parametrize(
    ("tier", "named", "usd"),
    [
        ("auto", "default", "0.00006"),
        ("auto", "flex", "0.00003"),
        ("flex", None, "0.00003"),
        ("flex", "scale", "no_rate"),
    ],
)
def test_the_tier_that_served_it_is_the_one_of_its_end(tier: str, named: str | None, usd: str) -> None:
    """What was asked for may have been another one."""
    play = priced()
    used = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    play.say(created(service_tier=tier), ended(service_tier=named, usage=used))

    assert bills(play) == [("ResponseFinished", usd)]


def test_a_warm_up_is_billed_and_is_no_answer() -> None:
    """It reads its input into the cache."""
    play = priced()
    play.say({"type": "response.create", "model": "gpt-5", "generate": False, "input": "Hello"}, sent=True)
    play.say(created(), ended(usage=WARMED), created("resp_2"), ended("resp_2"))

    assert bills(play) == [("ResponseFinished", "0.00001"), ("ResponseFinished", "0.0000564")]
    (state,) = play.pipeline.registry.conversations.values()
    assert dict(state.totals.responses) == {"completed": 1}


def test_a_response_that_was_steered_and_its_successor_are_billed_each() -> None:
    """It ends with what it used up to then."""
    play = priced()
    steered: dict[str, Any] = {"incomplete_details": {"reason": "steered"}}
    play.say(created(), ended(status="incomplete", **steered), created("resp_2"), ended("resp_2"))

    assert bills(play) == [("ResponseFinished", "0.0000564")] * 2


@pytest.mark.parametrize("usage", [None, {"input_tokens": 10}])
def test_a_response_that_reports_no_usage_has_no_price(usage: Event | None) -> None:
    """Whatever ended it: nobody counted, and that is not free."""
    play = priced()
    play.say(created(), ended(status="failed", error={"code": "server_error", "message": "..."}, usage=usage))
    play.say(created("resp_2"))
    play.close(code=None)

    assert bills(play) == [("ResponseFinished", "no_usage"), ("ResponseAbandoned", "no_usage")]


def test_responses_in_flight_are_billed_each_to_its_lane() -> None:
    """Sixteen may be in progress at once."""
    play = priced()
    lanes = [(f"lane_{number}", f"resp_{number}") for number in range(16)]
    play.say(*(created(key, lane) for lane, key in lanes), *(ended(key, lane=lane) for lane, key in reversed(lanes)))

    assert totals(play) == {f"relay/1790000000000000/1/{lane}": (15, "0.0000564", {}) for lane, _ in lanes}


def test_tools_of_a_response_are_billed_beside_it() -> None:
    """By what upstream reports, else by what it lists; images by the model that its tools name."""
    output = [
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
        {"type": "web_search_call", "id": "ws_2", "status": "completed", "action": {"type": "open_page"}},
        {"type": "file_search_call", "id": "fs_1", "status": "completed"},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed"},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"},
    ]
    tools = [{"type": "web_search"}, {"type": "image_generation", "model": "painter"}]
    drawn = {"input_tokens": 10, "input_tokens_details": {"text_tokens": 10}, "output_tokens": 100}
    images = {"image_gen": {**drawn, "output_tokens_details": {"image_tokens": 100}}}
    play = priced()
    play.say(created(), ended(output=output, tools=tools, tool_usage=images))

    assert bills(play) == [
        ("ResponseFinished", "0.0000564"),
        ("ToolCallsBilled", "0.01"),
        ("ToolCallsBilled", "0.0025"),
        ("ToolCallsBilled", "0.00305"),
    ]


# More than once -------------------------------------------------------------------------------------------------


def test_a_response_that_two_sources_see_is_billed_to_the_first() -> None:
    """Also by a source that comes when it is over, and with its tools."""
    play = priced()
    tools: dict[str, Any] = {"tool_usage": {"web_search": {"num_requests": 1}}}
    play.say(created(), ended(**tools))
    tap = play.open("tap/1/1", source="tap")
    play.say(created(), ended(**tools), created("resp_2"), ended("resp_2"), on=tap)
    play.say(created("resp_2"), ended("resp_2"))

    assert totals(play) == {
        "relay/1790000000000000/1/default": (15, None, {"duplicate_source": 1}),
        "tap/1/1/default": (15, None, {"duplicate_source": 2}),
    }
    assert [bill for bill in bills(play) if bill[1] != "duplicate_source"] == [
        ("ResponseFinished", "0.0000564"),
        ("ToolCallsBilled", "0.01"),
        ("ResponseFinished", "0.0000564"),
    ]


def test_a_response_that_is_fetched_anew_was_billed() -> None:
    """Its events come again on a later connection of the same source."""
    play = priced()
    play.say(created(), ended())
    play.close(code=None)
    later = play.open("relay/1790000000000000/2")
    play.say(created(), ended(), on=later)

    assert [bill for _, bill in bills(play)] == ["0.0000564", "duplicate_source"]


def test_a_response_that_broke_off_is_billed_where_it_is_fetched() -> None:
    """Its end was not seen before."""
    play = priced()
    play.say(created())
    play.close(code=None)
    later = play.open("relay/1790000000000000/2")
    play.say(ended(), on=later)

    assert bills(play) == [("ResponseAbandoned", "no_usage"), ("ResponseFinished", "0.0000564")]
