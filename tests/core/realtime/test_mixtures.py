"""Calls whose frames are mixed in any order: each keeps its own words, responses and sums."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from steno.core import facts
from tests.core.helpers import STREAM, Event, Play, voice_session
from tests.core.realtime.calls import begin, dialogue, of, said, turn, words

SECOND, TOLD = f"{STREAM}#2", "ambiguous_session"

CALLS: Final = {who: of(who, *voice_session()) for who in "ABC"}
FIRST_TURN: Final = next(
    number for number, frame in enumerate(voice_session()) if frame["type"] == "rate_limits.updated"
)


def alone(who: str) -> Any:
    play = Play()
    play.say(*CALLS[who])
    return play.state()


def merged(calls: Sequence[list[Event]], chance: random.Random) -> list[Event]:
    left = [list(call) for call in calls if call]
    frames = []
    while left:
        call = chance.choice(left)
        frames += [call.pop(0) for _ in range(min(len(call), chance.randrange(1, 6)))]
        left = [each for each in left if each]
    return frames


def responses(state: Any) -> list[str]:
    return [json.loads(raw)["id"] for raw in state.responses.objects]


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(2, 3), st.integers(0, 1_000_000))
def test_calls_that_have_spoken_are_separated_exactly(calls: int, seed: int) -> None:
    """In whatever order their frames are mixed: the responses, words and sums of each are those it has alone."""
    names = "ABC"[:calls]
    play = Play()
    for who in names:
        play.say(*CALLS[who][: FIRST_TURN + 1])
    play.say(*merged([CALLS[who][FIRST_TURN + 1 :] for who in names], random.Random(seed)))
    for key in play.open_keys:
        state: Any = play.state(key)
        who = state.session_id.split("_")[1][0]
        expected = alone(who)
        assert responses(state) == responses(expected), who
        assert sorted(words(state)) == sorted(words(expected))
        assert state.totals.tokens == expected.totals.tokens
    assert len(play.open_keys) == calls
    assert set(play.rejected) <= {TOLD, "unknown_item"}


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(2, 3), st.integers(0, 1_000_000))
def test_calls_that_are_mixed_from_their_first_turn_keep_their_answers(calls: int, seed: int) -> None:
    """No word is lost, and no answer is put among those to another caller.

    Nothing tells whose a question is whose words came before the first sign: one for each further caller at most.
    """
    names = "ABC"[:calls]
    play = Play()
    for who in names:
        play.say(*begin(who))
    turns = [[frame for number in (1, 2, 3) for frame in turn(who, number)] for who in names]
    play.say(*merged(turns, random.Random(seed)))
    texts = [[text for text in found if text] for found in said(play).values()]
    assert sorted(text for found in texts for text in found) == sorted(
        text for who in names for text in dialogue(who, 1, 2, 3)
    )
    answered = [{text[0] for text in found if "answers" in text} for found in texts]
    assert max(map(len, answered)) == 1
    strange = [text for found, whose in zip(texts, answered, strict=True) for text in found if text[0] not in whose]
    assert len(strange) < calls


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(0, 12), st.integers(0, 1_000_000))
def test_a_late_tail_leaves_both_sessions_exact(late: int, seed: int) -> None:
    """The last events of a session, mixed with the first ones of the session that replaced it."""
    first, second = CALLS["A"], CALLS["B"]
    place = len(first) - late
    play = Play()
    play.say(*first[:place], second[0], *merged([first[place:], second[1 : 1 + late]], random.Random(seed)))
    play.say(*second[1 + late :])
    for key, who in ((STREAM, "A"), (SECOND, "B")):
        state: Any = play.state(key)
        expected = alone(who)
        assert responses(state) == responses(expected)
        assert words(state) == words(expected)


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(2, 3), st.integers(0, 1_000_000))
def test_any_mixture_counts_each_frame_and_each_response_once(calls: int, seed: int) -> None:
    """Also where sessions are mixed before they have spoken. The same frames give the same facts."""
    frames = merged([CALLS[who] for who in "ABC"[:calls]], random.Random(seed))
    plays = [Play(), Play()]
    for play in plays:
        play.say(*frames)
    play = plays[0]
    assert play.emitted == plays[1].emitted
    pipeline = play.pipeline
    assert sum(pipeline.events.values()) + sum(pipeline.others.values()) + sum(play.rejected.values()) == len(frames)
    ended = Counter(fact.response_id for fact in play.facts if isinstance(fact, facts.ResponseFinished))
    assert ended == Counter(frame["response"]["id"] for frame in frames if frame["type"] == "response.done")
