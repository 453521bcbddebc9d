"""A simulated line on which callers hold a key to speak, and more goes wrong: what steno reads in it."""

import json
from collections import Counter
from random import Random

import msgspec
import pytest

from steno.core.facts import ToolCallFinished, UpstreamErred
from steno.simulate.server import plain_story
from steno.simulate.steps import Step
from steno.simulate.voice_push import MODEL, session
from tests.core.helpers import Play

STARTED_AT = 1_790_000_000


def steps(seed: int) -> list[Step]:
    return list(session(Random(seed), STARTED_AT))


@pytest.mark.parametrize("seed", range(6))
def test_what_goes_wrong_is_read(seed: int) -> None:
    """One tool call of three fails, one error comes, answers follow every turn, and nothing is rejected."""
    play = Play()
    for step in steps(seed):
        play.wait(round(step.after_seconds * 1000))
        play.feed(step.payload())
    called = [(fact.name, fact.status) for fact in play.facts if isinstance(fact, ToolCallFinished)]

    assert Counter(status for _, status in called) == {"completed": 2, "failed": 1}
    assert len({tool for tool, _ in called}) == 1
    assert [fact.code for fact in play.facts if isinstance(fact, UpstreamErred)] == ["input_audio_buffer_commit_empty"]
    assert play.line()["totals"]["responses"] == {"completed": 9}
    assert play.rejected == {}


def test_it_is_the_same_for_the_same_seed() -> None:
    assert msgspec.json.encode(steps(3)) == msgspec.json.encode(steps(3)) != msgspec.json.encode(steps(4))


def test_nobody_but_the_client_decides_who_speaks() -> None:
    events = [json.loads(step.payload()) for step in steps(1)]
    configured = [event["session"] for event in events if event["type"].startswith("session.")]

    assert [(each["model"], each["audio"]["input"]["turn_detection"]) for each in configured] == [(MODEL, None)] * 2
    assert not [event for event in events if "speech" in event["type"]]


def test_the_line_has_a_target_of_its_own() -> None:
    story = plain_story("/v1/realtime?line=push")

    assert story is not None
    assert story.make is session
