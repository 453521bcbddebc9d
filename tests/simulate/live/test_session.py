"""A session of the Live API over a websocket: what each client event gives."""

from random import Random
from typing import Any

import pytest

from steno.simulate.live.session import LiveSession
from steno.simulate.voice_scripts import HOLDING_LINES
from tests.simulate.live.live_plays import (
    DECISIONS,
    FORECAST,
    QUESTION,
    RESPONSES,
    SCRIPT,
    STARTED_AT,
    Event,
    Play,
    of,
    text_of,
)
from tests.simulate.shapes import recorded, shapes


def test_a_session_starts() -> None:
    (started,) = Play(delegation={"type": "responses"}, store=True).begun

    session = started["session"]
    assert list(started) == ["event_id", "type", "session"]
    assert session["id"].startswith("live_")
    assert session["expires_at"] == STARTED_AT + 7_200
    assert (session["status"], session["store"], session["input"]) == ("active", True, [])
    assert session["delegation"]["responses"]["model"] == "gpt-5.6-sol"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "session.start", "session": {"model": "gpt-live-1"}}, "session_already_started"),
        ({"type": "session.start"}, "session_already_started"),
        ({"type": "session.update"}, "missing_required_parameter"),
        ({"type": "session.update", "session": {"delegation": {"type": "decisions"}}}, "invalid_value"),
        ({"type": "session.update", "session": {"model": "gpt-live-1.1"}}, "unknown_parameter"),
        ({"type": "session.input_audio.append", "audio": "?"}, "invalid_value"),
        ({"type": "session.commentary.append", "content": "x", "delegation_id": "item_none"}, "delegation_not_found"),
        ({"type": "transport.dtmf.send", "event": "1"}, "invalid_value"),
        ({"type": "transport.dtmf.send", "event": "x"}, "invalid_value"),
        ({"type": "decision.create", "event_id": "d"}, "invalid_value"),
        ({"type": "response.create"}, "invalid_value"),
        ({"type": "session.hear"}, "invalid_value"),
        ({"type": None}, "missing_required_parameter"),
    ],
)
def test_what_is_refused(event: Event, code: str) -> None:
    play = Play()

    (refused,) = play.send(**{"kind": event.pop("type"), "event_id": "mine", **event})

    assert refused["type"] == "error"
    own = event.get("event_id", "mine")
    assert (refused["error"]["code"], refused["error"]["client_event_id"]) == (code, own)


def test_nothing_is_taken_in_before_the_start() -> None:
    session = LiveSession(Random(7), STARTED_AT)
    session.receive({"type": "session.close"})
    session.receive({"type": "session.start", "session": {"voice": "x"}})
    session.receive("[")

    assert [event["error"]["code"] for event in session.take()] == [
        "session_not_started",
        "unknown_parameter",
        "invalid_json",
    ]


def test_a_session_closes_with_what_it_has_used() -> None:
    play = Play()
    play.speak(3_000)

    (closed,) = play.send("session.close", event_id="bye")

    assert (closed["reason"], closed["client_event_id"], closed["session"]["status"]) == (
        "close_requested",
        "bye",
        "active",
    )
    assert closed["usage"]["seconds"] >= 4.0
    assert play.session.ended
    assert play.session.due() is None


# What is said.


def test_a_question_is_delegated_and_what_follows_is_answered() -> None:
    play = Play()
    first, second = play.speak(), play.speak()

    assert text_of(first, "input") == SCRIPT.lookups[0].caller
    assert text_of(second, "input") == SCRIPT.exchanges[1].caller
    assert text_of(second, "output") == SCRIPT.exchanges[1].agent
    assert [len(of(events, "session.delegation.created")) for events in (first, second)] == [1, 0]
    for event in of(second, "session.output_transcript.delta"):
        assert event["end_ms"] - event["start_ms"] == 200
        assert event["start_ms"] >= of(second, "session.input_transcript.delta")[-1]["end_ms"]


def test_the_usage_is_reported_now_and_then_and_grows() -> None:
    play = Play()
    events = [event for _ in range(12) for event in play.speak(2_000)]

    reported = of(events, "session.usage.updated")
    seconds = [event["usage"]["seconds"] for event in reported]
    ratios = [event["context_window"]["usage_ratio"] for event in reported]
    assert seconds == sorted(set(seconds))
    assert len(seconds) >= 2
    assert ratios == sorted(ratios)


def test_who_is_muted_is_not_heard() -> None:
    play = Play()

    assert [event["type"] for event in play.send("session.input_audio.mute")] == ["session.input_audio.muted"]
    assert text_of(play.speak(), "input") == ""
    assert [event["type"] for event in play.send("session.input_audio.unmute")] == ["session.input_audio.unmuted"]
    assert text_of(play.speak(), "input") != ""


def test_a_fixture_is_played() -> None:
    events = Play().send("session.output_audio.fixture.play", audio="AAAA", event_id="f")

    kinds = [event["type"] for event in events]
    assert kinds == ["session.output_audio.fixture.playing", "session.output_audio.fixture.played"]
    assert {event["client_event_id"] for event in events} == {"f"}


# Delegations.


def test_a_responses_model_calls_a_function_and_its_answer_is_said() -> None:
    play = Play(delegation=RESPONSES)

    asked = play.speak()
    delegation = of(asked, "session.delegation.created")[0]["delegation"]
    inner = [event["event"] for event in of(asked, "response.event")]
    completed = inner[-1]["response"]
    call = next(
        event["item"] for event in inner if event["type"] == "response.output_item.done" and "call_id" in event["item"]
    )
    given = {"type": "function_call_output", "call_id": call["call_id"], "output": "14 degrees"}
    assert play.send("response.item.create", item=given) == []
    answered = play.send("response.create") + play.rest()

    assert text_of(asked, "input") == "Please use lookup_forecast for me."
    assert text_of(asked, "output") in HOLDING_LINES
    assert delegation["response_id"] == completed["id"]
    assert call["name"] == FORECAST["name"]
    assert (completed["output"], completed["tools"], completed["instructions"]) == ([], [], None)
    assert completed["usage"]["total_tokens"] > 0
    second = of(answered, "response.event")[-1]
    assert second["delegation_id"] == delegation["id"]
    assert second["event"]["response"]["previous_response_id"] == completed["id"]
    assert "14 degrees" in text_of(answered, "output")


def test_the_backend_may_be_asked_without_a_delegation() -> None:
    play = Play(delegation={"type": "responses"})
    play.send("response.item.create", item={"role": "user", "content": "What time is it?"})
    events = play.send("response.create") + play.rest()

    assert {"delegation_id" in event for event in of(events, "response.event")} == {False}
    assert "What time is it?" in text_of(events, "output")


def test_a_client_answers_what_was_delegated_to_it() -> None:
    play = Play()
    delegation = of(play.speak(), "session.delegation.created")[0]["delegation"]

    thinking = play.send("session.thinking.append", content="Asking.", delegation_id=delegation["id"])
    spoken = play.send("session.commentary.append", content="It is ready.", delegation_id=delegation["id"])

    assert delegation["target"] == "client"
    assert [event["type"] for event in thinking] == ["session.thinking.appended"]
    assert [event["type"] for event in spoken] == ["session.commentary.appended"]
    assert text_of(play.rest(), "output") == "It is ready."


def test_questions_are_decided() -> None:
    play = Play(delegation=DECISIONS)
    events = play.speak()

    (decided,) = of(events, "decision.event")
    assert decided["delegation_id"] == of(events, "session.delegation.created")[0]["delegation"]["id"]
    decision = decided["event"]["decision"]
    assert decision["answers"][0]["name"] == QUESTION["name"]
    assert 0 <= decision["answers"][0]["probability"] <= 1
    assert decision["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ({"type": "choice", "choices": [{"value": "a"}, {"value": "b"}]}, {"choice": "a"}),
        ({"type": "score", "levels": [{"label": "low"}, {"label": "high"}]}, {"type": "score"}),
        ({"type": "choice"}, {"choice": False}),
        ({"type": "riddle"}, {"type": "refusal"}),
    ],
)
def test_each_kind_of_question_has_an_answer(question: Event, answer: Event) -> None:
    play = Play(delegation={"type": "decisions", "decisions": {"model": "m", "questions": [question]}})

    (decided,) = play.send("decision.create", event_id="now")

    (given,) = decided["event"]["decision"]["answers"]
    assert answer.items() <= given.items()
    assert decided["source_event_id"] == "now"


def test_a_trigger_decides_of_each_utterance() -> None:
    trigger = {
        "event_type": "session.input_transcript.delta",
        "type": "decisions",
        "decisions": {"questions": [QUESTION]},
    }
    play = Play(triggers=[trigger])
    events = play.speak()

    (decided,) = of(events, "decision.event")
    assert decided["source_event_id"] == of(events, "session.input_transcript.delta")[-1]["event_id"]
    assert "delegation_id" not in decided


def test_items_for_decisions_are_added_and_removed() -> None:
    play = Play(delegation=DECISIONS)
    (created,) = play.send("decision.item.create", item={"type": "message", "role": "user", "content": "x"})
    (deleted,) = play.send("decision.item.delete", item_id=created["item"]["id"])

    assert deleted["item_id"] == created["item"]["id"]


def test_a_session_is_updated() -> None:
    play = Play(delegation=RESPONSES)
    change = {"type": "responses", "responses": {"instructions": "Be brief."}}

    (updated,) = play.send("session.update", session={"delegation": change, "triggers": []})

    backend = updated["session"]["delegation"]["responses"]
    assert (backend["instructions"], backend["tools"], updated["session"]["triggers"]) == ("Be brief.", [FORECAST], [])


# The form.


@pytest.mark.parametrize("kind", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_every_format_of_sound(kind: str) -> None:
    play = Play(audio={"format": {"type": kind, "rate": 24_000}})
    play.send("session.commentary.append", content="Hello.")

    assert len({event["delta"] for event in of(play.rest(), "session.output_audio.delta")}) == 1


def test_events_have_the_members_of_recorded_ones_in_their_order() -> None:
    real = shapes((event["type"], event) for event in _known(recorded("live__*.jsonl", "live-real__*.jsonl")))
    play = Play(
        instructions="Help.",
        audio={"format": {"type": "audio/pcm", "rate": 24_000}},
        delegation={"type": "responses", "responses": {"model": "m", "instructions": "i", "tools": [FORECAST]}},
    )
    events = play.begun + [event for _ in range(6) for event in play.speak(2_000)]
    events += play.send("session.commentary.append", content="x")
    ours = shapes((event["type"], event) for event in _known(events))

    compared = {path for path in set(real) & set(ours) if "tools:function" not in path}
    assert len({path[0] for path in compared}) == 9
    assert {path: ours[path] - real[path] for path in compared if not ours[path] <= real[path]} == {}


def _known(events: list[Event]) -> list[Event]:
    """Return events without what is inside of a backend's: that is compared elsewhere."""
    bare: list[Event] = []
    for event in events:
        kept: dict[str, Any] = {**event, "event": {}} if "event" in event else event
        bare.append(kept)
    return bare
