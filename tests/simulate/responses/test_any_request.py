"""Whatever a client sends on a connection of the Responses API, it goes on, and what it sends keeps its form."""

from collections import defaultdict
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.simulate.responses.plays import CITY, Event, Play, outcome

TERMINAL = ("response.completed", "response.incomplete", "response.failed")
MEMBERS = st.sampled_from(
    [
        *("input", "tools", "tool_choice", "previous_response_id", "conversation", "stream_id", "model", "generate"),
        *("max_output_tokens", "reasoning", "text", "metadata", "service_tier", "prompt_cache_options", "instructions"),
        *("type", "role", "content", "name", "id", "call_id", "output", "arguments", "server_label", "parameters"),
    ]
)
WORDS = st.sampled_from(
    ["", "x", "message", "user", "function", "mcp", "web_search", "required", "none", "flex", "web"]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**63) | WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=3),
    max_leaves=5,
)
REQUESTS = st.builds(
    lambda kind, members: {"model": "gpt-5.6-sol", "input": "Hello.", **members, "type": kind},
    st.sampled_from(["response.create", "response.create", "response.steer", "response.cancel"]),
    st.dictionaries(MEMBERS, ANY, max_size=3),
)
SENSIBLE = st.sampled_from(
    [
        {"type": "response.create", "model": "gpt-5.6-sol", "input": "What is the temperature?", "tools": [CITY]},
        {"type": "response.create", "model": "gpt-4o-mini", "input": "Hello.", "stream_id": "a"},
        {"type": "response.create", "model": "gpt-4o", "input": "Hello.", "conversation": "c"},
        {"type": "response.create", "model": "gpt-5.6-sol", "generate": False},
        "steer",
        "advance",
        "rest",
    ]
)


def take(play: Play, given_input: Any, came: list[Event]) -> None:
    match given_input:
        case "advance":
            play.session.advance()
        case "rest":
            came += play.rest()
        case "steer":
            begun = [event["response"]["id"] for event in came if event["type"] == "response.created"]
            if begun:
                play.session.receive({"type": "response.steer", "previous_response_id": begun[-1], "input": "More."})
        case event:
            play.session.receive(msgspec.json.encode(event))
    came += play.session.take()


@given(st.lists(REQUESTS | SENSIBLE, max_size=8))
def test_a_connection_goes_on(inputs: list[Any]) -> None:
    play, came = Play(), []  # type: tuple[Play, list[Event]]
    for each in inputs:
        take(play, each, came)
    came += play.rest()

    for event in came:
        msgspec.json.encode(event)
    last = play.ask(input="Hello.", stream_id="a lane of its own")
    assert outcome(last)["status"] == "completed"


@given(st.lists(SENSIBLE, max_size=16))
def test_every_response_that_begins_ends_once_and_counts_its_events(inputs: list[Any]) -> None:
    play, came = Play(), []  # type: tuple[Play, list[Event]]
    for each in inputs:
        take(play, each, came)
    came += play.rest()

    begun = [event["response"]["id"] for event in came if event["type"] == "response.created"]
    ended = [event["response"]["id"] for event in came if event["type"] in TERMINAL]
    assert sorted(begun) == sorted(ended)
    lanes: dict[Any, list[int]] = defaultdict(list)
    for event in came:
        if event["type"] == "response.created":
            assert event["sequence_number"] == 0
            lanes[event.get("stream_id")].clear()
        if event["type"] not in {"error", "response.steer.failed"}:
            lanes[event.get("stream_id")].append(event["sequence_number"])
    for numbers in lanes.values():
        assert numbers == list(range(len(numbers)))
