"""Recordings of real services: nothing in them is malformed, unknown or lost."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.core import facts
from steno.core.billing.usage import measure
from steno.core.conversation import Conversation
from steno.core.export import conversation_line
from steno.core.stream import Stream
from steno.wire import assistants, realtime
from steno.wire.realtime_objects import RealtimeResponse, RealtimeSessionCreateResponse
from steno.wire.responses_objects import Response
from steno.wire.usage import Usage
from tests.core.helpers import Play, line_of
from tests.vocabulary import decode

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "corpus"
CORPUS = Path(os.environ.get("STENO_CORPUS", BESIDE))
RESPONSES = ("responses-ws__*.jsonl", "responses__*.jsonl")
OURS = ("rt-openai-*.jsonl", "rt-azure-*.jsonl", "asst-*.jsonl", *RESPONSES)
LIVE = ("live-*.jsonl", "live__*.jsonl")
DIALECTS = ("rt-xai_*.jsonl", "rt-azurevoicelive_*.jsonl")
REPLIES = ("sessions-*.jsonl", "docs__objects.jsonl", "asst-*_rest_objects.jsonl")
STEP_ENDS = {"completed", "failed", "cancelled", "expired"}
RUN_ENDS = STEP_ENDS | {"incomplete"}
RESPONSE_ENDS = {f"response.{end}" for end in ("done", "completed", "failed", "incomplete")}

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no recordings: {CORPUS} is no folder")


def files(*patterns: str) -> list[Path]:
    """Recordings of streams: what REST replies held is none."""
    return [file for file in matching(*patterns) if not file.stem.endswith("_rest_objects")]


def matching(*patterns: str) -> list[Path]:
    return sorted({file for pattern in patterns for file in CORPUS.glob(pattern)})


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
        return [*self.play.closed, *self.play.pipeline.registry.conversations.values()]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All conversations as `--state` writes them, in the order in which they were."""
        return [line_of(state) for state in self.conversations]

    def told(self, name: str) -> list[Any]:
        """A member of all conversations."""
        return [value for line in self.lines for value in line[name]]

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
    assert [len(matching(pattern)) > 0 for pattern in (*OURS, *LIVE, *DIALECTS, *REPLIES)] == [True] * 12


@each(*OURS, *LIVE)
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
    expected = [event["response"] for event in told.events if event.get("type") in RESPONSE_ENDS]
    assert told.told("responses") == expected
    finished = told.play.of(facts.ResponseFinished)
    assert [fact.response_id for fact in finished if isinstance(fact, facts.ResponseFinished)] == [
        response["id"] for response in expected
    ]


@each(*RESPONSES)
def test_responses_of_the_responses_api_are_in_its_family(file: Path) -> None:
    """Numbered or not, and nothing of them is out of place."""
    told = replayed(file)
    assert {line["family"] for line in told.lines} == {"responses"}
    assert told.play.rejected == {}


def test_every_example_of_the_responses_api_is_known() -> None:
    """A page of examples is no stream: what follows no beginning is of no response."""
    told = replayed(CORPUS / "docs__responses_stream.jsonl")
    assert (told.stream.malformed, told.stream.unknown) == ({}, {})
    assert told.play.rejected.keys() <= {"unknown_response", "repeated", "ended", "unexpected_direction"}
    assert {line["family"] for line in told.lines} == {"responses"}


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


# Objects, each as it came ---------------------------------------------------------------------------------------

SESSION_EVENTS = {
    "session.created",
    "session.updated",
    "transcription_session.created",
    "transcription_session.updated",
}
RESPONSE_EVENTS = RESPONSE_ENDS | {"response.created", "response.queued", "response.in_progress"}
SHOWN = {
    "realtime.response": ("responses", "unfinished"),
    "response": ("responses", "unfinished"),
    "realtime.session": ("session",),
    "realtime.transcription_session": ("session",),
    "thread.run": ("runs",),
    "thread.run.step": ("run_steps", "unfinished"),
    "thread.message": ("messages",),
}
"""Where `--state` shows an upstream object, by what it says it is."""
NOT_SHOWN = {
    "thread": "a fact tells of it; it has an id, and settings that no run obeys without repeating them",
    "thread.message.delta": "the message that it is a piece of is shown",
    "thread.run.step.delta": "the step that it is a piece of is shown",
    "realtime.conversation": "its id is shown as `conversation_id`; it has nothing else",
    "realtime.item": "the response that made it is shown, and the words of all items as the transcript",
}
"""What the recordings hold besides, and why `--state` has no place for it."""
SECRETS = {"client_secret", "credential"}
"""The members of the recordings that hold a secret."""


def carried(event: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The object that an event carries or is, and what it is."""
    match event:
        case {"event": _, "data": {"object": str(kind)} as whole}:
            return kind, whole
        case {"type": str(name), "response": {"object": str(kind)} as whole} if name in RESPONSE_EVENTS:
            return kind, whole
        case {"type": str(kind), "session": dict(whole)} if kind in SESSION_EVENTS:
            return "realtime.session", whole  # some servers leave `object` out
        case {"value": _, "session": dict(whole)}:
            return "realtime.session", whole
        case {"object": str(kind)}:
            return kind, event
        case _:
            return None


def shown(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """All objects of a kind that `--state` shows."""
    found = (line[place] for line in lines for place in SHOWN[kind])
    return [whole for told in found for whole in (told if isinstance(told, list) else [told]) if whole is not None]


def masked(value: Any) -> Any:
    """An object without its secrets."""
    if isinstance(value, list):
        return [masked(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {name: "***" if name in SECRETS and member is not None else masked(member) for name, member in value.items()}


def objects(file: Path) -> list[tuple[bytes, str, dict[str, Any]]]:
    """What is shown of a recording: the frame, what it carries, and the object."""
    payloads = [line for line in file.read_bytes().splitlines() if line.strip()]
    found = ((payload, carried(json.loads(payload))) for payload in payloads)
    return [(payload, *told) for payload, told in found if told is not None and told[0] in SHOWN]


each_with_objects = pytest.mark.parametrize(
    "file", [file for file in matching("*.jsonl") if objects(file)], ids=lambda file: file.stem
)


@each_with_objects
def test_each_object_is_shown_as_it_came(file: Path) -> None:
    """By itself: member for member, known or not, nested or not, whatever it is and whoever sent it."""
    for payload, kind, whole in objects(file):
        play = Play(timed=False)
        play.feed(payload)
        lines = [line_of(state) for state in play.pipeline.registry.conversations.values()]
        assert shown(lines, kind) == [masked(whole)]
        assert play.stream.malformed == {}


def test_no_kind_of_object_is_forgotten() -> None:
    """All that say what they are have a place in `--state`, or a reason why they have none."""
    events = [json.loads(line) for file in matching("*.jsonl") for line in file.read_bytes().splitlines() if line]
    places = [place for event in events for place in (event, *event.values()) if isinstance(place, dict)]
    kinds = {place["object"] for place in places if isinstance(place.get("object"), str)}
    assert kinds == SHOWN.keys() | NOT_SHOWN.keys()


@each(*OURS, *DIALECTS, "sessions-*.jsonl")
def test_sessions_are_the_last_of_the_recording(file: Path) -> None:
    """Of each session, the object that upstream sent last; some servers name it only in the first."""
    told = replayed(file)
    last: dict[str, dict[str, Any]] = {}
    for event in told.events:
        match carried(event):
            case "realtime.session", whole:
                last[whole.get("id") or next(reversed(last))] = whole
    assert [line["session"] for line in told.lines if line["session"]] == [masked(whole) for whole in last.values()]


@pytest.mark.parametrize("file", matching("asst-*_rest_objects.jsonl"), ids=lambda file: file.stem)
def test_replies_are_those_of_the_recording(file: Path) -> None:
    """Asked for again and again: of each object the last; of threads the facts."""
    told = replayed(file)
    for kind in ("thread.run", "thread.run.step", "thread.message"):
        last = {event["id"]: event for event in told.events if event["object"] == kind}
        assert {whole["id"]: whole for whole in shown(told.lines, kind) if whole["object"] == kind} == last
    threads = [fact.thread_id for fact in told.play.facts if isinstance(fact, facts.ThreadCreated)]
    assert threads == [event["id"] for event in told.events if event["object"] == "thread"]
    assert (told.stream.malformed, told.stream.unknown, told.play.rejected) == ({}, {}, {})


# Words ----------------------------------------------------------------------------------------------------------


@each(*OURS, *DIALECTS)
def test_final_transcripts_are_those_of_the_recording(file: Path) -> None:
    """Of each turn the words of its last whole; of one that a recording leaves off, the deltas."""
    told = replayed(file)
    grown: dict[str, str] = {}
    wholes: dict[str, str] = {}
    for event in told.events:
        if _reasons(event):
            continue
        for key, words in _wholes(event):
            wholes[key] = words or wholes.get(key, "")
        if event.get("type", "").endswith(("transcript.delta", "text.delta", "transcription.delta")):
            grown[event["item_id"]] = grown.get(event["item_id"], "") + event["delta"]
    expected = {key: wholes.get(key) or grown.get(key, "") for key in wholes.keys() | grown.keys()}
    assert {turn["item_id"]: turn["text"] for turn in told.told("transcript")} == expected


def _reasons(event: dict[str, Any]) -> bool:
    """Whether an event is one of the reasoning, which is no turn."""
    part = event.get("part") or {}
    return "reasoning" in event.get("type", "") or part.get("type") in ("reasoning_text", "summary_text")


def _wholes(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The turns that an event tells whole, and their words, read without any of the code under test."""
    match event:
        case {"type": str(kind), "item_id": str(key), "transcript": str(words)} if kind.endswith(
            ("transcription.completed", "transcript.done")
        ):
            yield key, words
        case {"type": str(kind), "item_id": str(key), "text": str(words)} if kind.endswith("text.done"):
            yield key, words
        case {"type": str(kind), "item_id": str(key), "part": dict(part)} if kind.endswith("part.done"):
            yield key, _words([part])
        case {"item": {"type": "message", "id": str(key), "content": list(content)}}:
            yield key, _words(content)
        case {"type": str(kind), "response": {"output": list(items)}} if kind in RESPONSE_ENDS:
            yield from ((item["id"], _words(item["content"])) for item in items if item["type"] == "message")
        case {"data": {"object": "thread.message", "id": str(key), "content": list(content)}}:
            yield key, _words(content)


def _words(content: list[dict[str, Any]]) -> str:
    """The words of all parts; a thread's stand one level deeper."""
    told = (part.get("text") or part.get("transcript") or "" for part in content)
    return "".join(words["value"] if isinstance(words, dict) else words for words in told)


# The library's types --------------------------------------------------------------------------------------------

TYPES: dict[str, type[msgspec.Struct]] = {
    "realtime.response": RealtimeResponse,
    "realtime.session": RealtimeSessionCreateResponse,
    "realtime.transcription_session": RealtimeSessionCreateResponse,
    "response": Response,
    "thread.run": assistants.ThreadRun,
    "thread.run.step": assistants.RunStepObject,
}
UNDECLARED: dict[type[msgspec.Struct], set[str]] = {
    RealtimeResponse: {
        "output[].phase",  # commentary or answer: the words are the same
    },
    RealtimeSessionCreateResponse: {
        # Settings that say nothing of what happens in the conversation.
        "include", "prompt", "tracing", "truncation",
        # Another provider's WebRTC reply: what its client connects with.
        "ice_servers", "session_id", "audio_input_config", "audio_output_config",
        # Azure Voice Live: the avatar, and finer detection of turns.
        "animation", "avatar", "input_audio_echo_cancellation", "input_audio_sampling_rate",
        "input_audio_transcription.custom_speech", "input_audio_transcription.phrase_list",
        "output_audio_timestamp_types", "truncation_strategy", "turn_detection.appended_text_after_truncation",
        "turn_detection.auto_truncate", "turn_detection.end_of_utterance_detection",
        "turn_detection.speech_duration_ms",
        # xAI: how audio is carried, and the form of a tool that Chat Completions has.
        "audio.input.transport", "audio.output.transport", "enable_noise_suppression", "enable_phonetic_spelling",
        "keep_context", "tools[].function",
    },
    Response: {
        # What was asked for, and how: nothing here depends on it.
        "input", "instructions", "frequency_penalty", "max_output_tokens", "max_tool_calls", "parallel_tool_calls",
        "presence_penalty", "prompt_cache_key", "prompt_cache_retention", "reasoning", "reasoning_effort",
        "safety_identifier", "store", "temperature", "text", "tool_choice", "top_logprobs", "top_p", "truncation",
        "user", "tools[].description", "tools[].format", "tools[].name", "tools[].parameters", "tools[].strict",
        # What a text cites, and how likely it was.
        "output[].content[].annotations", "output[].content[].logprobs",
        # Upstream's clock.
        "completed_at", "created_at",
    },
    assistants.ThreadRun: {
        # How the model was asked: nothing here depends on it.
        "file_ids", "max_completion_tokens", "max_prompt_tokens", "parallel_tool_calls", "reasoning_effort",
        "response_format", "temperature", "tool_choice", "tool_resources", "top_p", "truncation_strategy",
    },
    assistants.RunStepObject: {
        # What a tool found or drew: only its call is read.
        "step_details.tool_calls[].code_interpreter.outputs", "step_details.tool_calls[].file_search",
    },
}  # fmt: skip
"""Members that recordings have and the types do not, and why: they stay in the bytes that are kept."""


def undeclared(value: Any, told: Any, path: str = "") -> Iterator[str]:
    """The members of `value` that the type `told` does not declare, at any depth."""
    for marked in get_args(told) if get_origin(told) in (Union, UnionType) else (told,):
        part = get_args(marked)[0] if get_origin(marked) is Annotated else marked
        if isinstance(value, list) and get_origin(part) is tuple:
            yield from (name for element in value for name in undeclared(element, get_args(part)[0], f"{path}[]"))
        if isinstance(value, dict) and isinstance(part, type) and issubclass(part, msgspec.Struct):
            declared = {field.encode_name: field.type for field in msgspec.structs.fields(part)}
            for name, member in value.items():
                place = f"{path}.{name}" if path else name
                yield from undeclared(member, declared[name], place) if name in declared else [place]


def test_types_declare_all_that_recordings_hold() -> None:
    """But for what is named here, all of which was recorded."""
    found: dict[type[msgspec.Struct], set[str]] = {kind: set() for kind in UNDECLARED}
    for file in matching("*.jsonl"):
        for _, name, whole in objects(file):
            if name in TYPES:
                found[TYPES[name]].update(undeclared(whole, TYPES[name]))
    assert found == UNDECLARED


# Sums -----------------------------------------------------------------------------------------------------------


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
            "type": str(kind),
            "response": {"usage": {"input_tokens": int(inputs), "output_tokens": int(outputs)}},
        } if kind in RESPONSE_ENDS:
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
            assert {bucket.modality for bucket in measure(told.data.usage, None).tokens} <= {"unknown"}


def _modalities(usage: Usage) -> set[str]:
    return {bucket.modality for bucket in measure(usage, None).tokens}


# Live -----------------------------------------------------------------------------------------------------------


ENDS = {"response.completed", "response.failed", "response.incomplete"}


@each(*LIVE)
def test_live_objects_are_those_of_the_recording(file: Path) -> None:
    """Member for member: the session that upstream sent last, and each response of a backend that ended."""
    told = replayed(file)
    (line,) = told.lines
    inner = [event["event"] for event in told.events if event["type"] == "response.event"]
    assert line["session"] == [event["session"] for event in told.events if "session" in event][-1]
    assert line["responses"] == [event["response"] for event in inner if event["type"] in ENDS]
    assert told.play.rejected == {}


@each(*LIVE)
def test_live_seconds_are_the_last_that_were_reported(file: Path) -> None:
    """Each report replaces the one before it. None of the recordings has an end that upstream confirms."""
    told = replayed(file)
    (line,) = told.lines
    reported = [event["usage"]["seconds"] for event in told.events if event["type"] == "session.usage.updated"]
    assert [float(each["seconds"]) for each in line["totals"]["seconds"]] == reported[-1:]
    assert [line["usage"]["seconds"], line["usage"]["usage_final"]] == [
        str(int(reported[-1])) if reported else None,
        False,
    ]


@each(*LIVE)
def test_live_tokens_are_those_of_the_backends(file: Path) -> None:
    told = replayed(file)
    ended = [event["event"]["response"]["usage"] for event in told.events if event.get("event", {}).get("type") in ENDS]
    expected = Counter(input=sum(u["input_tokens"] for u in ended), output=sum(u["output_tokens"] for u in ended))
    assert told.tokens() == +expected


@each(*LIVE)
def test_live_words_are_those_of_the_recording(file: Path) -> None:
    """Of both speakers all fragments in order, whatever segments they stand in, and no time without words."""
    (line,) = replayed(file).lines
    for role, kind in (("user", "session.input_transcript.delta"), ("assistant", "session.output_transcript.delta")):
        fragments = [event for event in replayed(file).events if event["type"] == kind]
        turns = [turn for turn in line["transcript"] if turn["role"] == role]
        assert "".join(turn["text"] for turn in turns) == "".join(event["delta"] for event in fragments)
        assert turns[0]["start_ms"] == fragments[0]["start_ms"]
        assert turns[-1]["end_ms"] == fragments[-1]["end_ms"]


@pytest.mark.parametrize(
    ("name", "segments", "double_talk"),
    [
        (
            "live__pydantic_delegated_tool_round",
            [("user", 600, 4000), ("assistant", 4000, 5600), ("assistant", 6400, 9400)],
            "0",
        ),
        ("live__pydantic_sideband_webrtc_call", [("user", 600, 3000), ("assistant", 2400, 3400)], "0.6"),
        (
            "live-real__travizm_gpt_live_session",
            [("user", 600, 4800), ("assistant", 4800, 5800), ("assistant", 6800, 7400)],
            "0",
        ),
    ],
)
def test_live_segments_follow_from_the_clock_of_the_server(
    name: str, segments: list[tuple[str, int, int]], double_talk: str
) -> None:
    """As read by hand: a pause of 0.8 s and more stands between two things that the model says."""
    (line,) = replayed(CORPUS / f"{name}.jsonl").lines
    assert [(turn["role"], turn["start_ms"], turn["end_ms"]) for turn in line["transcript"]] == segments
    assert line["double_talk_seconds"] == double_talk


@each(*OURS, *LIVE, *DIALECTS)
def test_a_recording_twice_is_the_same_twice(file: Path) -> None:
    """State and facts are a function of the frames."""
    first, second = Replayed(file), replayed(file)
    assert first.play.emitted == second.play.emitted
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
    payloads = replayed(data.draw(st.sampled_from(files(*OURS, *LIVE, *DIALECTS)))).payloads
    chosen = data.draw(st.lists(st.sampled_from(payloads), max_size=60))
    play = Play(items=3, open_responses=2, kept_objects=2)
    for payload in chosen:
        play.feed(payload)
        play.wait(100)
    pipeline = play.pipeline
    sums = (pipeline.events, pipeline.others, play.rejected)
    assert sum(sum(each.values()) for each in sums) == len(chosen)
    for state in pipeline.registry.conversations.values():
        assert all(tokens > 0 for tokens in state.totals.tokens.values())
        json.loads(conversation_line(state))
