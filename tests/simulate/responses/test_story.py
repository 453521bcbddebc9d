"""An agent at work, as it is played to those who only listen."""

from random import Random

import pytest

from steno.simulate.responses import story
from tests.simulate.responses.plays import STARTED_AT, Event, outcome

TERMINAL = ("response.completed", "response.incomplete", "response.failed")


def events(seed: int = 1) -> list[Event]:
    return [step.event for step in story.session(Random(seed), STARTED_AT)]


def lane(came: list[Event], name: str | None) -> list[Event]:
    """Return the responses of a lane that have ended."""
    mine = [event for event in came if event.get("stream_id") == name]
    return [event["response"] for event in mine if event["type"] in TERMINAL]


def test_a_story_is_a_function_of_its_seed() -> None:
    assert events() == events()
    assert events() != events(2)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_two_lanes_have_what_a_day_brings(seed: int) -> None:
    steps = list(story.session(Random(seed), STARTED_AT))
    came = [step.event for step in steps]
    work, review = lane(came, None), lane(came, "review")

    assert 10 < sum(step.after_seconds for step in steps) < 25
    assert [each["status"] for each in work] == [*["completed"] * 5, "incomplete", "completed"]
    assert [each["status"] for each in review] == ["completed", "completed", "incomplete", "failed"]
    assert work[0]["usage"]["total_tokens"] == 0
    kinds = [each["type"] for response in work[1:] for each in response["output"] if each["type"] != "reasoning"]
    assert kinds == ["function_call", "custom_tool_call", "function_call", "message", "message", "message"]
    assert [outcome(came[-2:-1])["status"], came[-1]["error"]["code"]] == ["completed", "previous_response_not_found"]


def test_a_lane_is_one_chain_that_is_read_from_the_cache() -> None:
    came = events()
    for responses in (lane(came, None), lane(came, "review")):
        assert [each["previous_response_id"] for each in responses[1:]] == [each["id"] for each in responses[:-1]]
    cached = [each["usage"]["input_tokens_details"]["cached_tokens"] for each in lane(came, None)[1:]]
    assert cached[0] == 0
    assert min(cached[1:]) >= 1_024


def test_tiers_are_served_as_asked() -> None:
    came = events()

    assert {each["service_tier"] for each in lane(came, None)} == {"default"}
    assert {each["service_tier"] for each in lane(came, "review")} == {"flex"}
