"""Recordings out of order: lost, doubled, overtaken or cut in two, their frames leave books that add up."""

import random
from collections import Counter
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.core import facts
from steno.core.facts import Fact, Origin
from steno.core.frame import Frame
from steno.core.realtime.handlers import passed
from steno.wire import assistants, realtime
from tests.core.helpers import BEGIN, Play, line_of
from tests.recordings import scenario_lines, timed
from tests.scenarios import catalogue
from tests.vocabulary import HANDLERS, NAMES, decode

NAMES_OF_RECORDINGS = ["voice", "assistants", *catalogue.SCENARIOS]
BILLED = (facts.ResponseFinished, facts.TranscriptionFinished, facts.RunFinished)
STREAMS = (facts.StreamOpened, facts.StreamClosed)


@cache
def recorded(name: str, seed: int) -> tuple[Frame, ...]:
    """The frames of a recording, where it ends left out."""
    if name in catalogue.SCENARIOS:
        return tuple(told for told in scenario_lines(name, seed) if isinstance(told, Frame))
    return tuple(Frame(msgspec.json.encode(event), at) for at, event in timed(name, seed))


SHARES = st.sampled_from([0.0, 0.02, 0.3])


def disordered(name: str, seed: int, lost: float, doubled: float, moved: float) -> list[Frame]:
    """The frames of a recording, shares of them lost, doubled, or in the place of others."""
    chance = random.Random(f"{name}/{seed}/{lost}/{doubled}/{moved}")
    frames = recorded(name, seed % 3 + 1)
    kept = [frame for frame in frames for _ in range((chance.random() >= lost) + (chance.random() < doubled))]
    for _ in range(int(len(kept) * moved)):
        kept.insert(chance.randrange(len(kept)), kept.pop(chance.randrange(len(kept))))
    return kept


def fed(frames: list[Frame]) -> Play:
    play = Play(timed=False)
    for frame in frames:
        play.pipeline.feed(play.stream, frame)
    return play


def sums(told: list[tuple[Origin, Fact]]) -> dict[tuple[str | None, Any], int]:
    """The tokens of all facts that bill some, by conversation and bucket."""
    added: Counter[tuple[str | None, Any]] = Counter()
    for origin, fact in told:
        if isinstance(fact, BILLED):
            for each in fact.tokens:
                added[origin.conversation, (each.model, each.direction, each.modality, each.cached)] += each.tokens
    return dict(added)


@settings(deadline=None)  # a busy machine is no fault
@given(st.sampled_from(NAMES_OF_RECORDINGS), st.integers(0, 10_000), SHARES, SHARES, SHARES)
def test_whatever_the_order_the_books_add_up(name: str, seed: int, lost: float, doubled: float, moved: float) -> None:
    """Each frame counts once; what a conversation used is the sum of what was told; each end is told once."""
    frames = disordered(name, seed, lost, doubled, moved)
    play = fed(frames)
    pipeline = play.pipeline

    assert sum(pipeline.events.values()) + sum(pipeline.others.values()) + sum(play.rejected.values()) == len(frames)
    states = [*pipeline.registry.conversations.values(), *play.closed]
    held = {(state.key, bucket): tokens for state in states for bucket, tokens in state.totals.tokens.items()}
    assert held == sums(play.told)
    assert all(tokens > 0 for tokens in held.values())
    for kind in (facts.ResponseFinished, facts.RunFinished, facts.RunStepFinished, facts.ToolCallFinished):
        ended = Counter(
            (origin.conversation, getattr(fact, fact.__struct_fields__[0]))
            for origin, fact in play.told
            if isinstance(fact, kind) and getattr(fact, fact.__struct_fields__[0]) is not None
        )
        assert all(times == 1 for times in ended.values()), kind


def fingerprint(value: Any, depth: int = 0) -> Any:
    """All that is held, as something that can be compared."""
    if isinstance(value, dict):
        return tuple((key, fingerprint(inner, depth + 1)) for key, inner in value.items())
    if isinstance(value, list | tuple) or type(value).__name__ == "deque":
        return tuple(fingerprint(inner, depth + 1) for inner in value)
    if isinstance(value, str | int | float | bytes | None) or depth > 9:
        return value
    if hasattr(value, "__dict__"):
        return fingerprint({name: inner for name, inner in vars(value).items() if name not in NOTHING}, depth + 1)
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return fingerprint({name: getattr(value, name) for name in slots}, depth + 1) if slots else repr(value)


CONFIRMING = (
    realtime.ItemDone,
    realtime.OutputItemDone,
    realtime.ContentPartDone,
    realtime.TextDone,
    realtime.TranscriptDone,
    realtime.ArgumentsDone,
    assistants.RunQueued,
    assistants.StepInProgress,
    assistants.MessageInProgress,
    assistants.StreamDone,
)
"""Events whose object, or text, is mostly the one that is known by then."""

NOTHING = {"events", "last_at", "last_stream", "limits", "prices", "seen"}
"""What every event moves, and what none does."""


@pytest.mark.parametrize("name", NAMES_OF_RECORDINGS)
def test_every_event_moves_the_state_says_a_fact_or_is_counted_with_a_reason(name: str) -> None:
    """But for those that another event says better, and those that confirm what is known already."""
    play = Play(timed=False)
    for frame in recorded(name, 1):
        before = [fingerprint(state) for state in play.pipeline.registry.conversations.values()]
        counted = (len(play.told), dict(play.rejected), dict(play.pipeline.others), play.stream.unknown.copy())
        play.pipeline.feed(play.stream, frame)
        after = [fingerprint(state) for state in play.pipeline.registry.conversations.values()]
        now = (len(play.told), dict(play.rejected), dict(play.pipeline.others), play.stream.unknown.copy())
        assert before != after or counted != now or _says_nothing(frame), frame.payload


def _says_nothing(frame: Frame) -> bool:
    """Tell whether a frame is passed over by decision, brings nothing, or may confirm what the deltas built."""
    event = decode(frame.payload)
    while type(event) not in NAMES:
        event = event.event  # type: ignore[union-attr]  # what is no event counts with a reason
    return HANDLERS[type(event)] is passed or isinstance(event, CONFIRMING) or _is_empty(event)  # type: ignore[index]


def _is_empty(event: Any) -> bool:
    """Tell whether an event has no content, or such as stands in the whole object alone."""
    if isinstance(event, assistants.StepDeltaEvent):
        told: Any = event.data
        calls = told.delta.step_details.tool_calls
        return all(call.code_interpreter is not None and not call.code_interpreter.input for call in calls)
    return getattr(event, "delta", None) == "" or (
        isinstance(event, realtime.RateLimitsUpdated) and not event.rate_limits
    )


@settings(deadline=None)  # a busy machine is no fault
@given(st.sampled_from(["voice", "assistants"]), st.integers(1, 3), st.lists(st.integers(1, 400), max_size=4))
def test_a_conversation_that_is_cut_and_resumed_is_the_whole(name: str, seed: int, cuts: list[int]) -> None:
    """Under one name it goes on where it was: the same state and facts, but for the streams'."""
    frames = [frame for frame in recorded(name, seed) if b'"event":"done"' not in frame.payload]  # it names no thread
    told = []
    for places in ([], cuts):
        play = Play(conversation="call-1")
        for number, frame in enumerate(frames):
            if number in places:
                play.close()
                play.stream = play.open(f"relay/{BEGIN}/{number + 2}", "call-1")
            play.now = frame.at
            play.pipeline.feed(play.stream, frame)
        states = [{**line_of(state), "stream": None} for state in play.pipeline.registry.conversations.values()]
        said = [(origin.at, origin.conversation, fact) for origin, fact in play.told if not isinstance(fact, STREAMS)]
        told.append((states, said))

    whole, resumed = told
    assert resumed == whole
