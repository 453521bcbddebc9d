"""Recordings of real services: nothing in them is malformed, unknown or lost."""

import json
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.core import facts
from steno.core.conversation import Conversation
from steno.core.state import conversation_line
from steno.core.stream import Stream
from steno.core.usage import of_response, of_run
from steno.wire import assistants, decode, realtime
from steno.wire.realtime_objects import RealtimeResponseUsage
from tests.core.play import Play

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "corpus"
CORPUS = Path(os.environ.get("STENO_CORPUS", BESIDE))
OURS = ("rt-openai-*.jsonl", "rt-azure-*.jsonl", "asst-*.jsonl")
DIALECTS = ("rt-xai_*.jsonl", "rt-azurevoicelive_*.jsonl")
STEP_ENDS = {"completed", "failed", "cancelled", "expired"}
RUN_ENDS = STEP_ENDS | {"incomplete"}

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no recordings: {CORPUS} is no folder")


def files(*patterns: str) -> list[Path]:
    """Recordings of streams: what REST replies held is none."""
    found = sorted({file for pattern in patterns for file in CORPUS.glob(pattern)})
    return [file for file in found if not file.stem.endswith("_rest_objects")]


def each(*patterns: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("file", files(*patterns), ids=lambda file: file.stem)


class Replayed:
    """A recording that went through the pipeline, and its lines."""

    def __init__(self, file: Path) -> None:
        self.payloads = [line for line in file.read_bytes().splitlines() if line.strip()]
        self.events: list[dict[str, Any]] = [json.loads(line) for line in self.payloads]
        self.play = Play(timed=False)
        for payload in self.payloads:
            self.play.feed(payload)

    @property
    def stream(self) -> Stream:
        return self.play.stream

    @property
    def conversations(self) -> list[Conversation]:
        return [*self.play.closed, *self.play.pipeline.table.conversations.values()]

    def told(self, name: str) -> list[Any]:
        """A member of all conversations, in the order in which they were."""
        return [value for state in self.conversations for value in json.loads(conversation_line(state))[name]]

    def tokens(self) -> Counter[str]:
        sums: Counter[str] = Counter()
        for state in self.conversations:
            for bucket in state.totals.buckets():
                sums[bucket.direction] += bucket.tokens
        return +sums


@cache
def replayed(file: Path) -> Replayed:
    return Replayed(file)


def test_there_are_recordings() -> None:
    """A pattern that finds nothing proves nothing."""
    assert [len(files(pattern)) > 0 for pattern in (*OURS, *DIALECTS)] == [True] * 5


@each(*OURS)
def test_nothing_is_malformed_or_unknown_or_lost(file: Path) -> None:
    """Every frame is an event that is known, and counts."""
    told = replayed(file)
    assert (told.stream.malformed, told.stream.unknown) == ({}, {})
    pipeline = told.play.pipeline
    rejected = sum(told.play.rejected.values())
    assert sum(pipeline.events.values()) + rejected == told.stream.frames == len(told.payloads)


@each(*DIALECTS)
def test_what_is_unknown_in_a_dialect_is_counted(file: Path) -> None:
    """By type, and nothing of it is malformed."""
    told = replayed(file)
    types = [event["type"] for event in told.events]
    unknown = Counter(kind for kind, payload in zip(types, told.payloads, strict=True) if _is_unknown(payload))
    assert (told.stream.malformed, told.stream.unknown) == ({}, dict(unknown))
    assert sum(told.play.pipeline.others.values()) == unknown.total()


def _is_unknown(payload: bytes) -> bool:
    return type(decode(payload)).__name__ == "Unknown"


@each(*OURS, *DIALECTS)
def test_responses_are_those_of_the_recording(file: Path) -> None:
    """Member for member, in order, and each is told once."""
    told = replayed(file)
    expected = [event["response"] for event in told.events if event.get("type") == "response.done"]
    assert told.told("responses") == expected
    finished = told.play.of(facts.ResponseFinished)
    assert [fact.response_id for fact in finished if isinstance(fact, facts.ResponseFinished)] == [
        response["id"] for response in expected
    ]


@each("asst-*.jsonl")
def test_steps_and_runs_are_those_of_the_recording(file: Path) -> None:
    """Of each step the object that ended it, of each run and message the last."""
    told = replayed(file)
    steps = [event["data"] for event in told.events if _is_end(event, "thread.run.step", STEP_ENDS)]
    assert told.told("run_steps") == steps
    runs = {event["data"]["id"]: event["data"] for event in told.events if _is(event, "thread.run")}
    assert told.told("runs") == list(runs.values())
    messages = {event["data"]["id"]: event["data"] for event in told.events if _is(event, "thread.message")}
    assert told.told("messages") == list(messages.values())


def _is(event: dict[str, Any], kind: str) -> bool:
    return isinstance(event["data"], dict) and event["data"].get("object") == kind


def _is_end(event: dict[str, Any], kind: str, ends: set[str]) -> bool:
    return _is(event, kind) and event["data"]["status"] in ends


@each(*OURS, *DIALECTS)
def test_tokens_add_up_to_what_was_reported(file: Path) -> None:
    """Whatever buckets they stand in; a run's usage counts, its steps' does not."""
    told = replayed(file)
    expected: Counter[str] = Counter()
    for event in told.events:
        inputs, outputs = _reported(event)
        expected.update(input=inputs, output=outputs)
    assert told.tokens() == +expected


def _reported(event: dict[str, Any]) -> tuple[int, int]:
    """What an event says was used, read without any of the code under test."""
    match event:
        case {
            "type": "response.done",
            "response": {"usage": {"input_tokens": int(inputs), "output_tokens": int(outputs)}},
        }:
            return inputs, outputs
        case {"type": "response.done", "usage": {"input_tokens": int(inputs), "output_tokens": int(outputs)}}:
            return inputs, outputs
        case {"type": str(kind), "usage": {"input_tokens": int(inputs), "output_tokens": int(outputs)}} if (
            kind.endswith("transcription.completed")
        ):
            return inputs, outputs
        case {"data": {"object": "thread.run", "status": str(status), "usage": dict(usage)}} if status in RUN_ENDS:
            return usage["prompt_tokens"], usage["completion_tokens"]
        case _:
            return 0, 0


@each(*OURS)
def test_buckets_are_whole(file: Path) -> None:
    """Where upstream splits its input by modality, no token of it is left without one."""
    for payload in replayed(file).payloads:
        told = decode(payload)
        if isinstance(told, realtime.ResponseDone) and told.response and told.response.usage:
            assert _modalities(told.response.usage) <= {"text", "audio", "image"}
        if isinstance(told, assistants.RunEvent) and told.data:
            assert {bucket.modality for bucket in of_run(told.data.usage, None)} <= {"unknown"}


def _modalities(usage: RealtimeResponseUsage) -> set[str]:
    return {bucket.modality for bucket in of_response(usage, None)}


@each(*OURS, *DIALECTS)
def test_a_recording_twice_is_the_same_twice(file: Path) -> None:
    """State and facts are a function of the frames."""
    first, second = Replayed(file), replayed(file)
    assert first.play.told == second.play.told
    assert list(map(conversation_line, first.conversations)) == list(map(conversation_line, second.conversations))


@each("rt-*.jsonl", "asst-*.jsonl", "docs__*.jsonl", "live-*.jsonl", "responses__*.jsonl", "sessions-*.jsonl")
def test_whatever_was_recorded_goes_through(file: Path) -> None:
    """Other families' streams, examples that are not valid, bare objects: each line counts once."""
    told = Replayed(file)
    pipeline = told.play.pipeline
    sums = (pipeline.events, pipeline.others, told.play.rejected)
    assert sum(sum(each.values()) for each in sums) == told.stream.frames == len(told.payloads)
    for state in told.conversations:
        json.loads(conversation_line(state))


@settings(deadline=None)  # a busy machine is no fault
@given(st.data())
def test_a_damaged_recording_goes_through_too(data: st.DataObject) -> None:
    """Frames that are lost, doubled or out of order make no sum negative, and lose no count."""
    payloads = replayed(data.draw(st.sampled_from(files(*OURS, *DIALECTS)))).payloads
    chosen = data.draw(st.lists(st.sampled_from(payloads), max_size=60))
    play = Play(items=3, open_responses=2, kept_objects=2)
    for payload in chosen:
        play.feed(payload)
        play.wait(100)
    pipeline = play.pipeline
    sums = (pipeline.events, pipeline.others, play.rejected)
    assert sum(sum(each.values()) for each in sums) == len(chosen)
    for state in pipeline.table.conversations.values():
        assert all(tokens > 0 for tokens in state.totals.tokens.values())
        json.loads(conversation_line(state))
