"""What the caller says: speech becomes an item, is transcribed, and is answered.

Nobody listens to the sound, so the words are made up. Where the client declared functions, every second utterance names
one, so that a client without a keyboard sees a call too.
"""

import base64
import binascii
from typing import Any, Final

from steno.simulate.interactive.answers import begin_answer, cancel_answer
from steno.simulate.interactive.configuration import response_options
from steno.simulate.interactive.errors import invalid_value
from steno.simulate.interactive.hearing import Started
from steno.simulate.interactive.items import Entry
from steno.simulate.interactive.state import State
from steno.simulate.steps import pieces
from steno.simulate.tasks import Task
from steno.simulate.voice_scripts import SCRIPTS
from steno.simulate.voice_usage import transcription_usage

TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"


def append(s: State, encoded: str) -> None:
    """Take in sound of the caller, as base64. Raises `EventRefusedError`."""
    try:
        audio = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise invalid_value("audio", "'audio' has to be base64.") from None
    heard_by = s.configuration["audio"]["input"]
    for heard in s.hearing.append(heard_by["format"]["type"], audio, heard_by["turn_detection"]):
        if isinstance(heard, Started):
            speech_started(s, heard.start_ms)
        else:
            speech_stopped(s, heard.end_ms, heard.length_ms)


def speech_started(s: State, start_ms: int) -> None:
    """Say that the caller speaks. What is being answered is cut short, if the session has it so."""
    s.speech_id = s.new_id("item")
    s.emit("input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=s.speech_id)
    if not _detector(s).get("interrupt_response", True):
        return
    if s.active:
        cancel_answer(s, s.active, "turn_detected")
    clear_output(s)


def speech_stopped(s: State, end_ms: int, length_ms: int, line: str | None = None) -> None:
    """Say that the caller has spoken, for `length_ms`; answer. `line` is what was said, where that is known."""
    s.emit("input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=s.speech_id)
    commit(s, s.speech_id, length_ms, line)
    if _detector(s).get("create_response", True) and not s.transcribes and s.active is None:
        begin_answer(s, response_options(s.configuration, None))


def _detector(s: State) -> dict[str, Any]:
    return s.configuration["audio"]["input"]["turn_detection"] or {}


def commit(s: State, item_id: str, length_ms: int, line: str | None = None) -> None:
    """Make an item of what the caller said, and have it transcribed where the session has it so."""
    s.utterances += 1
    said = line or _line(s)
    s.emit("input_audio_buffer.committed", previous_item_id=s.items.last_id, item_id=item_id)
    item = {"id": item_id, "type": "message", "status": "completed", "role": "user"}
    entry = Entry({**item, "content": [{"type": "input_audio", "transcript": None}]}, said, audio_ms=length_ms)
    s.add_whole_item(entry)
    entry.audio_tokens = s.ledger.hear(length_ms)
    transcription = s.configuration["audio"]["input"]["transcription"]
    if transcription:
        s.begin(_transcribe(s, entry, transcription["model"] or ""))


def _line(s: State) -> str:
    """Return what a caller says whose words nobody knows."""
    tools = [tool["name"] for tool in s.configuration.get("tools", []) if tool.get("type") == "function"]
    if tools and s.utterances % 2 == 0:
        return f"Please use {tools[(s.utterances // 2 - 1) % len(tools)]} for me."
    return s.rng.choice(s.rng.choice(SCRIPTS).exchanges).caller


def _transcribe(s: State, entry: Entry, model: str) -> Task:
    """Send the transcript of what was said. It runs beside the answer."""
    where = {"item_id": entry.item["id"], "content_index": 0}
    yield s.rng.uniform(0.05, 0.3)
    # As on the wire: the deltas of this model begin with a space that the transcript does not have.
    for piece in pieces(f" {entry.said}" if model == "gpt-realtime-whisper" else entry.said):
        s.emit_delta(f"{TRANSCRIPTION}.delta", where, piece)
        yield s.rng.uniform(0.01, 0.06)
    yield s.rng.uniform(0.05, 0.2)
    entry.item |= {"content": [{"type": "input_audio", "transcript": entry.said}]}
    usage = transcription_usage(model, entry.said, entry.audio_ms, entry.audio_tokens)
    s.emit(f"{TRANSCRIPTION}.completed", **where, transcript=entry.said, usage=usage)


def clear_output(s: State) -> None:
    """Stop what the caller hears, in a call."""
    if s.playing:
        playing, s.playing = s.playing, None
        s.emit("output_audio_buffer.cleared", response_id=playing.id)
