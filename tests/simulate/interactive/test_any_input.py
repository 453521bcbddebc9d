"""Whatever a client sends, a session goes on: it raises nothing, and all that it sends can be encoded."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from steno.simulate.interactive.beta import ALIASES, from_beta, to_beta
from steno.simulate.interactive.handlers import HANDLERS
from tests.simulate.interactive.plays import WEATHER, Play, done

SCALARS = st.none() | st.booleans() | st.integers(-5, 2**63) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.sampled_from(
    ["", "x", "realtime", "function", "message", "user", "assistant", "none", "auto", "inf", "input_text", "root"]
)
MEMBERS = st.sampled_from(
    [
        *("type", "session", "item", "item_id", "response", "audio", "input", "output", "tools", "tool_choice", "name"),
        *("instructions", "output_modalities", "content", "role", "text", "metadata", "conversation", "id", "call_id"),
        *("turn_detection", "format", "transcription", "parameters", "audio_end_ms", "event_id", "modalities", "voice"),
    ]
)
ANY = st.recursive(
    SCALARS | WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=3),
    max_leaves=5,
)
TYPES = st.sampled_from([*HANDLERS, *ALIASES])
EVENTS = st.builds(lambda kind, members: {**members, "type": kind}, TYPES, st.dictionaries(MEMBERS, ANY, max_size=3))
SENSIBLE = st.sampled_from(
    [
        {"type": "response.create"},
        {"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"]}},
        {"type": "response.cancel"},
        "tone",
        "silence",
        {"type": "input_audio_buffer.commit"},
        {"type": "input_audio_buffer.clear"},
        {"type": "session.update", "session": {"type": "realtime", "tools": [WEATHER], "tool_choice": "required"}},
        {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": []}},
        "advance",
    ]
)


def take(play: Play, given_input: Any) -> None:
    match given_input:
        case "advance":
            play.step()
        case "tone":
            play.speak(300)
        case "silence":
            play.speak(0, 700)
        case event:
            play.raw(msgspec.json.encode(event))


@given(st.lists(EVENTS | SENSIBLE | SENSIBLE, max_size=8))
def test_a_session_goes_on(inputs: list[Any]) -> None:
    play = Play()
    for each in inputs:
        take(play, each)
    play.rest()
    play.configure(tools=[], tool_choice="auto", max_output_tokens="inf")
    play.ask("response.cancel")

    assert done(play.ask("response.create"))["status"] == "completed"
    for event in play.sent:
        msgspec.json.encode(event)


@given(st.lists(EVENTS, max_size=6))
def test_a_session_of_the_beta_protocol_goes_on(inputs: list[Any]) -> None:
    play = Play()
    for event in inputs:
        play.session.receive(from_beta(event), ALIASES)
        play.rest()

    for sent in play.sent:
        msgspec.json.encode(to_beta(sent))


@given(st.lists(SENSIBLE, max_size=20))
def test_every_response_that_begins_ends_once(inputs: list[Any]) -> None:
    play = Play()
    for each in inputs:
        take(play, each)
    play.rest()

    begun = [event["response"]["id"] for event in play.sent if event["type"] == "response.created"]
    ended = [event["response"]["id"] for event in play.sent if event["type"] == "response.done"]
    assert sorted(begun) == sorted(ended)
    assert len(set(ended)) == len(ended)
