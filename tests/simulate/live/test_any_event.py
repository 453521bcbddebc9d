"""Whatever a client sends, a Live session goes on: it raises nothing, and all that it sends can be encoded."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from steno.simulate.live.handlers import HANDLERS
from tests.simulate.live.live_plays import DECISIONS, RESPONSES, Play, of

MEMBERS = st.sampled_from(
    [
        *("session", "audio", "content", "delegation_id", "item", "event", "event_id", "item_id", "delegation", "type"),
        *("responses", "decisions", "questions", "tools", "model", "triggers", "output", "call_id", "choices", "name"),
    ]
)
WORDS = st.sampled_from(["", "x", "client", "responses", "decisions", "function_call_output", "message", "5"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**63) | WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=3),
    max_leaves=5,
)
QUESTIONS = st.lists(
    st.builds(
        lambda kind, more: {"type": kind, **more},
        st.sampled_from(["choice", "predicate", "score", "x"]),
        st.dictionaries(st.sampled_from(["choices", "levels", "name"]), ANY, max_size=2),
    ),
    max_size=3,
)
TRIGGER = {"type": "decisions", "event_type": "session.input_transcript.delta"}
TYPES = st.sampled_from([kind for kind in HANDLERS if kind != "session.close"])
EVENTS = st.builds(lambda kind, members: {**members, "type": kind}, TYPES, st.dictionaries(MEMBERS, ANY, max_size=3))
CONFIGURATIONS = st.fixed_dictionaries(
    {"type": st.sampled_from(["client", "responses", "decisions"])},
    optional={
        "responses": st.dictionaries(MEMBERS, ANY, max_size=3),
        "decisions": st.dictionaries(st.sampled_from(["model", "questions"]), ANY | QUESTIONS, max_size=2),
    },
)
STARTS = st.sampled_from([{}, {"delegation": RESPONSES}, {"delegation": DECISIONS}]) | st.fixed_dictionaries(
    {"delegation": CONFIGURATIONS},
    optional={"triggers": ANY | st.builds(lambda asked: [{**TRIGGER, "decisions": {"questions": asked}}], QUESTIONS)},
)


@given(STARTS, st.lists(EVENTS | st.sampled_from(["speak", "go on"]), max_size=8))
def test_a_session_goes_on_and_closes_once(start: dict[str, Any], inputs: list[Any]) -> None:
    play = Play(**start)
    if play.begun[0]["type"] == "error":
        play.send("session.start", session={"model": "gpt-live-1"})
    came = list(play.begun)
    for each in inputs:
        if each == "speak":
            came += play.speak()
        elif each == "go on":
            came += play.rest()
        else:
            play.session.receive(msgspec.json.encode(each))
            came += play.session.take()
    came += play.rest()
    came += play.send("session.close")

    msgspec.json.encode(came)
    assert len(of(came, "session.closed")) == 1
    seconds = [event["usage"]["seconds"] for event in came if "usage" in event]
    assert seconds == sorted(seconds)
