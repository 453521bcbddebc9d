"""Recordings whose frames are lost, doubled, moved, or spread over several streams: sums and ends stay right."""

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
from steno.wire import assistants, realtime
from tests.conftest import DEEP
from tests.core.helpers import BEGIN, Play, line_of
from tests.core.responses.frames import connection
from tests.recordings import scenario_lines, timed
from tests.scenarios import catalogue
from tests.vocabulary import CLIENT_EVENTS, HANDLERS, NAMES, decode

NAMES_OF_RECORDINGS = ["voice", "assistants", "responses", *catalogue.SCENARIOS]
BILLED = (
    *(facts.ResponseFinished, facts.TranscriptionFinished, facts.RunFinished, facts.ToolCallsBilled),
    facts.DecisionMade,
)
SENT = {NAMES[kind] for kind in CLIENT_EVENTS}
CONNECTION = "responses"
"""The kind of session that a stream itself is."""
STREAMS = (facts.StreamOpened, facts.StreamClosed)


@cache
def recorded(name: str, seed: int) -> tuple[Frame, ...]:
    """The frames of a recording, without the ends of its streams."""
    if name == "responses":
        return tuple(
            Frame(msgspec.json.encode(event), BEGIN + 10_000 * number, event["type"] in SENT)
            for number, event in enumerate(connection())
        )
    if name in catalogue.SCENARIOS:
        return tuple(frame for frame in scenario_lines(name, seed) if isinstance(frame, Frame))
    return tuple(Frame(msgspec.json.encode(event), at) for at, event in timed(name, seed))


SHARES = st.sampled_from([0.0, 0.02, 0.3])


def disordered(name: str, seed: int, lost: float, doubled: float, moved: float) -> list[Frame]:
    """The frames of a recording, with shares of them lost, doubled, or moved."""
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


def sums(emitted: list[tuple[Origin, Fact]]) -> dict[tuple[str | None, Any], int]:
    """The tokens in the facts that report usage, by conversation and bucket."""
    added: Counter[tuple[str | None, Any]] = Counter()
    for origin, fact in emitted:
        if isinstance(fact, BILLED):
            for each in fact.tokens:
                added[origin.conversation, (each.model, each.direction, each.modality, each.cached)] += each.tokens
    return dict(added)


@settings(deadline=None)  # a busy machine is no fault
@given(st.sampled_from(NAMES_OF_RECORDINGS), st.integers(0, 10_000), SHARES, SHARES, SHARES)
def test_sums_hold_in_any_order_of_frames(name: str, seed: int, lost: float, doubled: float, moved: float) -> None:
    """Each frame counts once, tokens are the sum of those in facts, and each end is reported once."""
    frames = disordered(name, seed, lost, doubled, moved)
    play = fed(frames)
    pipeline = play.pipeline

    assert sum(pipeline.events.values()) + sum(pipeline.others.values()) + sum(play.rejected.values()) == len(frames)
    states = [*pipeline.registry.conversations.values(), *play.closed]
    held = {(state.key, bucket): tokens for state in states for bucket, tokens in state.totals.tokens.items()}
    assert held == sums(play.emitted)
    assert all(tokens > 0 for tokens in held.values())
    once = (
        facts.ResponseFinished,
        facts.RunFinished,
        facts.RunStepFinished,
        facts.ToolCallStarted,
        facts.ToolCallFinished,
    )
    for kind in once:
        ended = Counter(
            (origin.conversation, getattr(fact, fact.__struct_fields__[0]))
            for origin, fact in play.emitted
            if isinstance(fact, kind) and getattr(fact, fact.__struct_fields__[0]) is not None
        )
        assert all(times == 1 for times in ended.values()), kind


def fingerprint(value: Any, depth: int = 0) -> Any:
    """All that a conversation holds, in a form that can be compared."""
    if isinstance(value, dict):
        return tuple((key, fingerprint(inner, depth + 1)) for key, inner in value.items())
    if isinstance(value, list | tuple) or type(value).__name__ == "deque":
        return tuple(fingerprint(inner, depth + 1) for inner in value)
    if isinstance(value, str | int | float | bytes | None) or depth > 9:
        return value
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    held = {name: getattr(value, name) for name in slots if name != "__weakref__"} or getattr(value, "__dict__", {})
    kept = {name: inner for name, inner in held.items() if name not in NOTHING}
    return fingerprint(kept, depth + 1) if kept else repr(value)


CONFIRMING = (
    realtime.ItemDone,
    realtime.OutputItemDone,
    realtime.ContentPartDone,
    realtime.TextDone,
    realtime.TranscriptDone,
    realtime.ArgumentsDone,
    realtime.TranscriptionSegment,
    realtime.McpCallInProgress,
    assistants.RunQueued,
    assistants.StepInProgress,
    assistants.MessageInProgress,
    assistants.StreamDone,
)
"""Events whose object, or text, is usually known before; a segment says once that there are words."""

NOTHING = {"events", "last_at", "last_stream", "limits", "prices", "seen"}
"""Attributes that every event moves, and those that none does."""


@pytest.mark.deep
@pytest.mark.parametrize("name", NAMES_OF_RECORDINGS if DEEP else NAMES_OF_RECORDINGS[3:])
def test_every_event_has_an_effect(name: str) -> None:
    """It moves the state, leads to a fact, or is counted, unless another event repeats it or it confirms the state."""
    play = Play(timed=False)
    for frame in recorded(name, 1):
        before = [fingerprint(state) for state in play.pipeline.registry.conversations.values()]
        counted = (len(play.emitted), dict(play.rejected), dict(play.pipeline.others), dict(play.stream.unknown))
        play.pipeline.feed(play.stream, frame)
        after = [fingerprint(state) for state in play.pipeline.registry.conversations.values()]
        now = (len(play.emitted), dict(play.rejected), dict(play.pipeline.others), dict(play.stream.unknown))
        assert before != after or counted != now or _repeats(frame), frame.payload


def _repeats(frame: Frame) -> bool:
    """Return whether a frame is passed over by decision, is empty, or may confirm what the deltas built."""
    event = decode(frame.payload)
    while type(event) not in NAMES:
        event = event.event  # type: ignore[union-attr]  # what is no event counts with a reason
    return HANDLERS[type(event)].__name__ == "passed" or isinstance(event, CONFIRMING) or _is_empty(event)  # type: ignore[index]


def _is_empty(event: Any) -> bool:
    """Return whether an event has no content, or content that the raw object alone holds."""
    if isinstance(event, assistants.StepDeltaEvent):
        data: Any = event.data
        calls = data.delta.step_details.tool_calls
        return all(call.code_interpreter is not None and not call.code_interpreter.input for call in calls)
    return getattr(event, "delta", None) == "" or (
        isinstance(event, realtime.RateLimitsUpdated) and not event.rate_limits
    )


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.sampled_from(["voice", "assistants", "responses"]), st.integers(1, 3), st.lists(st.integers(1, 400), max_size=4)
)
def test_resumed_conversation_equals_an_uncut_one(name: str, seed: int, cuts: list[int]) -> None:
    """Under one name, over several streams: the same state and facts, but for those of the streams.

    A connection of the Responses API is a session of its own.
    """
    frames = [
        frame for frame in recorded(name, seed) if b'"event":"done"' not in frame.payload
    ]  # `done` names no thread
    outcomes = []
    for places in ([], cuts):
        play = Play(conversation="call-1")
        for number, frame in enumerate(frames):
            if number in places:
                play.close()
                play.stream = play.open(f"relay/{BEGIN}/{number + 2}", "call-1")
            play.now = frame.at
            play.pipeline.feed(play.stream, frame)
        states = [{**line_of(state), "stream": None} for state in play.pipeline.registry.conversations.values()]
        emitted = [
            (origin.at, origin.conversation, fact)
            for origin, fact in play.emitted
            if not isinstance(fact, STREAMS) and getattr(fact, "kind", None) != CONNECTION
        ]
        outcomes.append((states, emitted))

    uncut, resumed = outcomes
    assert resumed == uncut
