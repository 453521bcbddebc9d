"""Scenarios that no server should send: frames that are not events, members of wrong types, floods of names."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from steno.simulate.steps import RawStep, Step
from steno.simulate.voice_session import VoiceSession
from tests.scenarios.scenario import LINE, Scenario, scenario, type_in, voice_scenario

_BRACKETS: Final = 201
"""One more than the limit on nesting."""
_OBJECTS: Final = 100_000
"""With the commas between them, the limit on elements."""
_NAME_BYTES: Final = 20_000
_UNKNOWN_TYPES: Final = 5_000

_MALFORMED: Final[dict[str, bytes]] = {
    "not_utf8": b'{"type":"error","error":{"message":"\xff\xfe"}}',
    "not_json": b'{"type":"response.done","response":{',
    "not_object": b'["response.done"]',
    "no_discriminator": b'{"event_id":"event_1","response":{"id":"resp_1"}}',
    "too_deep": b'{"type":"ping","deep":' + b"[" * (_BRACKETS - 1) + b"]" * (_BRACKETS - 1) + b"}",
    "too_complex": b'{"type":"ping","many":[' + b"{}," * _OBJECTS + b"{}]}",
    "bad_identifier": b'{"type":"conversation.item.deleted","event_id":"event_2","item_id":417}',
    "bad_envelope": b'{"specversion":"1.0","type":"example","data":{"type":"ping"}}',
}
"""A frame for each reason of `Malformed`."""


def malformed_frames(_rng: Random, _started_at: int) -> Iterator[Step]:
    """Frames that are not events, one for each reason that there is, in the order of the reasons."""
    for frame in _MALFORMED.values():
        yield RawStep(0.1, {}, frame)


def drifted_members(s: VoiceSession) -> None:
    """Members have unexpected types: they read as absent, and the rest of each event is used."""
    item_id = type_in(s, LINE)
    response: dict[str, Any] = {"id": s.new_id("resp", s.now), "status": "completed", "output": "none"}
    usage = {"total_tokens": "9", "input_tokens": 5, "output_tokens": -4, "input_token_details": [1]}
    s.send(s.now, "conversation.item.truncated", item_id=item_id, content_index="0", audio_end_ms="soon")
    s.send(s.now + 0.1, "rate_limits.updated", rate_limits={"name": "tokens"})
    s.send(s.now + 0.2, "response.done", response={**response, "metadata": [1, 2], "usage": usage})


def identifiers_of_wrong_types(_rng: Random, _started_at: int) -> Iterator[Step]:
    """Identifying members have a wrong type, so that nothing of these events can be used."""
    for event in (
        {"type": "response.created", "response": {"id": 417, "status": "in_progress"}},
        {"type": "response.done", "event_id": ["event_1"], "response": {"id": "resp_1"}},
        {"event": "thread.run.created", "data": {"id": {"run": 1}, "object": "thread.run", "thread_id": "thread_1"}},
    ):
        yield Step(0.1, event)


def nested_brackets(rng: Random, _started_at: int) -> Iterator[Step]:
    """A member that is not read nests deeper than the limit, in an event that is otherwise valid."""
    deep: Any = rng.random()
    for _ in range(_BRACKETS - 1):
        deep = [deep]
    yield Step(0.1, {"type": "input_audio_buffer.cleared", "event_id": "event_1", "note": deep})


def long_type_name(rng: Random, _started_at: int) -> Iterator[Step]:
    """The name of an event type is 20 kB long."""
    yield Step(0.1, {"type": "".join(rng.choices("abcdefgh.", k=_NAME_BYTES)), "event_id": "event_1"})


def many_unknown_types(rng: Random, _started_at: int) -> Iterator[Step]:
    """A flood of 5,000 events, each of another unknown type."""
    salt = rng.randrange(1 << 32)
    for n in range(_UNKNOWN_TYPES):
        yield Step(0.001, {"type": f"noise.{salt:08x}.{n}", "event_id": f"event_{n}"})


def deltas_for_unknown_responses(s: VoiceSession) -> None:
    """Deltas name responses and items that never began."""
    members: dict[str, dict[str, Any]] = {
        "response.output_text.delta": {"delta": "Yes"},
        "response.output_audio.delta": {"delta": "AAAA"},
        "response.function_call_arguments.done": {"arguments": "{}", "call_id": "call_none"},
        "response.output_item.done": {"item": {"id": "item_none", "type": "message"}},
    }
    for n, (kind, member) in enumerate(members.items()):
        where = {"response_id": f"resp_none_{n}", "item_id": "item_none", "output_index": 0, "content_index": 0}
        s.send(s.now + 0.1 * n, kind, **where, **member)
    s.send(s.now + 1, "conversation.item.truncated", item_id="item_none", content_index=0, audio_end_ms=100)


def indices_out_of_this_world(s: VoiceSession) -> None:
    """Indices and times are negative or very large."""
    item_id = type_in(s, LINE)
    kind = "conversation.item.input_audio_transcription.delta"
    for n, index in enumerate((-1, 2**31, 2**63, 300)):
        s.send(s.now + 0.1 * n, kind, item_id=item_id, content_index=index, delta="Yes")
    s.send(s.now + 1, "conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=-1e300)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    scenario(malformed_frames),
    voice_scenario(drifted_members),
    scenario(identifiers_of_wrong_types),
    scenario(nested_brackets),
    scenario(long_type_name),
    scenario(many_unknown_types),
    voice_scenario(deltas_for_unknown_responses),
    voice_scenario(indices_out_of_this_world),
)
