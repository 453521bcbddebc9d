"""Calls that are played to those who only listen."""

from random import Random

import pytest

from steno.simulate.live import story
from tests.simulate.live.live_plays import STARTED_AT, Event, of

STORIES = {"webrtc": story.webrtc, "sip": story.sip}
every_story = pytest.mark.parametrize("name", STORIES)


def events(name: str, seed: int = 1) -> list[Event]:
    return [step.event for step in STORIES[name](Random(seed), STARTED_AT)]


@every_story
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_call_from_its_start_to_its_end(name: str, seed: int) -> None:
    steps = list(STORIES[name](Random(seed), STARTED_AT))
    came = [step.event for step in steps]

    assert 18 < sum(step.after_seconds for step in steps) < 40
    assert came[0]["type"] == "session.started"
    assert (came[-1]["type"], came[-1]["reason"]) == ("session.closed", "remote_hangup")
    delegations = [event["delegation"]["id"] for event in of(came, "session.delegation.created")]
    ended = {
        event["delegation_id"]
        for event in of(came, "response.event")
        if event["event"]["type"] == "response.output_text.done"
    }
    assert ended == set(delegations)
    assert len(delegations) == 2


@every_story
def test_a_story_is_a_function_of_its_seed(name: str) -> None:
    assert events(name) == events(name)
    assert events(name) != events(name, seed=2)


@every_story
def test_the_caller_speaks_while_the_voice_does(name: str) -> None:
    def spoken(side: str) -> set[int]:
        return {event["start_ms"] for event in of(events(name), f"session.{side}_transcript.delta")}

    assert spoken("input") & spoken("output")


def test_a_session_from_a_browser_pauses() -> None:
    came = events("webrtc")

    assert [len(of(came, f"session.{kind}")) for kind in ("paused", "resumed")] == [1, 1]
    usage = came[-1]["usage"]
    assert usage["paused_seconds"] == 4
    assert usage["active_seconds"] + usage["paused_seconds"] == usage["seconds"]


def test_a_telephone_rings_is_answered_and_has_keys() -> None:
    came = events("sip")

    kinds = [event["type"] for event in came if event["type"].startswith("transport.")]
    assert kinds == ["transport.ringing", "transport.answered", "transport.dtmf.received"]
    assert "paused_seconds" not in came[-1]["usage"]
