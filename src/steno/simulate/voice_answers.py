"""A model's answer as it is sent: deltas of text and of sound side by side, and the arguments of functions.

Sound is sent faster than it is played, text a little ahead of its sound. Either may be cut off.
"""

from random import Random
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from steno.simulate.steps import audio_base64, pieces
from steno.simulate.voice_scripts import HOLDING_LINES, Lookup
from steno.simulate.voice_session import OpenResponse, VoiceSession

TOKEN_MS: Final = 50
"""Milliseconds of spoken audio in one output token."""

_CHUNK_MS: Final = 200  # of audio in one delta
_WORD_SECONDS: Final = 0.25


class Cue(NamedTuple):
    """A delta of an answer: the second it is due, and either text or sound."""

    at: float
    text: str
    audio_ms: int

    @property
    def tokens(self) -> int:
        """The output tokens that it counts as."""
        return self.audio_ms // TOKEN_MS if self.audio_ms else 1


class Seeded(Protocol):
    """A session, as far as the pace of its speech is concerned."""

    rng: Random


def plan(s: Seeded, text: str, first_audio_at: float) -> list[Cue]:
    """Return the deltas of an answer that says `text`: text a little ahead of its sound, sound faster than it plays."""
    audio_ms = round((len(text.split()) * _WORD_SECONDS + 0.2) * 1000) // TOKEN_MS * TOKEN_MS
    faster = s.rng.uniform(2.2, 2.8)
    said = pieces(text)
    gap = audio_ms / 1000 / faster / len(said) * 0.8
    texts = [Cue(first_audio_at - 0.03 + n * gap, piece, 0) for n, piece in enumerate(said)]
    sound = [
        Cue(first_audio_at + start / 1000 / faster, "", min(_CHUNK_MS, audio_ms - start))
        for start in range(0, audio_ms, _CHUNK_MS)
    ]
    return sorted(texts + sound)


def within(tokens: int, cues: list[Cue]) -> list[Cue]:
    """Return the first `tokens` of an answer exactly. The last piece of sound is shortened to fit."""
    kept: list[Cue] = []
    for cue in cues:
        left = tokens - sum(before.tokens for before in kept)
        if left <= 0:
            break
        kept.append(cue._replace(audio_ms=min(cue.audio_ms, left * TOKEN_MS)))
    return kept


def sound_ms(cues: list[Cue]) -> int:
    """Return the length of an answer's sound in milliseconds."""
    return sum(cue.audio_ms for cue in cues)


def speak(
    s: VoiceSession,
    response: OpenResponse,
    cues: list[Cue],
    *,
    phase: str,
    status: str = "completed",
    closes_at: float = 0.0,
) -> float:
    """Send a spoken message from its first event to its last. Returns when its response may end."""
    index = _begin_message(s, response, cues, phase)
    closes_at = max(cues[-1].at + 0.02, closes_at)
    transcript = "".join(cue.text for cue in cues)
    _finish_message(s, closes_at, response, index, transcript, status=status)
    return closes_at + 0.008


def _begin_message(s: VoiceSession, response: OpenResponse, cues: list[Cue], phase: str) -> int:
    """Send a message of a response without its end: the item, its part, the deltas. Returns its output index."""
    at = cues[0].at - 0.01
    item: dict[str, Any] = {
        "id": s.new_id("item", at),
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    if s.setup.phased:
        item["phase"] = phase
    index = s.add_output_item(at, response, item)
    where = _part(response, index)
    s.send(at + 0.002, "response.content_part.added", **where, part={"type": "audio", "transcript": ""})
    played_ms = 0
    for cue in cues:
        if cue.audio_ms:
            sound = audio_base64(played_ms, cue.audio_ms)
            s.send(cue.at, "response.output_audio.delta", **where, delta=sound)
            played_ms += cue.audio_ms
        else:
            s.send_delta(cue.at, "response.output_audio_transcript.delta", where, cue.text)
    response.audio_tokens += played_ms // TOKEN_MS
    response.text_tokens += sum(1 for cue in cues if not cue.audio_ms)
    return index


def _finish_message(
    s: VoiceSession, at: float, response: OpenResponse, index: int, transcript: str, *, status: str
) -> None:
    where = _part(response, index)
    s.send(at, "response.output_audio.done", **where)
    s.send(at + 0.001, "response.output_audio_transcript.done", **where, transcript=transcript)
    part = {"type": "audio", "transcript": transcript}
    s.send(at + 0.002, "response.content_part.done", **where, part=part)
    content = [{"type": "output_audio", "transcript": transcript}]
    s.finish_output_item(at + 0.003, response, index, status=status, content=content)


def _part(response: OpenResponse, index: int) -> dict[str, Any]:
    return {
        "response_id": response.id,
        "item_id": response.output[index]["id"],
        "output_index": index,
        "content_index": 0,
    }


# Function calls.


def call_function(s: VoiceSession, response: OpenResponse, lookup: Lookup, at: float) -> tuple[str, float]:
    """Send a function call. Returns its id and when its response may end.

    Newer models say a holding line first. Its item ends only after the arguments have begun.
    """
    if not s.setup.phased:
        return _call_item(s, response, lookup, at)
    line = s.rng.choice(HOLDING_LINES)
    cues = plan(s, line, at + 0.03)
    message = _begin_message(s, response, cues, "commentary")
    call_id, called_at = _call_item(s, response, lookup, cues[-1].at + 0.005)
    _finish_message(s, called_at - 0.012, response, message, line, status="completed")
    return call_id, called_at


def _call_item(s: VoiceSession, response: OpenResponse, lookup: Lookup, at: float) -> tuple[str, float]:
    call_id, name = s.new_call_id(), s.setup.script.tool["name"]
    item: dict[str, Any] = {
        "id": s.new_id("item", at),
        "type": "function_call",
        "status": "in_progress",
        "name": name,
        "call_id": call_id,
        "arguments": "",
    }
    index = s.add_output_item(at, response, item)
    where = {
        "response_id": response.id,
        "item_id": item["id"],
        "output_index": index,
        "call_id": call_id,
    }
    arguments = msgspec.json.encode(lookup.arguments).decode()
    at += 0.004
    for piece in pieces(arguments):
        s.send_delta(at, "response.function_call_arguments.delta", where, piece)
        at += s.rng.uniform(0.012, 0.025)
        response.text_tokens += 1
    at += 0.015
    s.send(at, "response.function_call_arguments.done", **where, name=name, arguments=arguments)
    s.finish_output_item(at + 0.001, response, index, status="completed", arguments=arguments)
    return call_id, at + 0.006
