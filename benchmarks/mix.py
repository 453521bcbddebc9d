# ruff: noqa: INP001  # a module of scripts, in no package
"""Generated traffic for benchmarks: recorded lines whose payloads all differ, so that no cache flatters.

The same seed gives the same bytes. Of the frames 40 % are deltas of transcripts and texts of some 250 bytes, 25 % are
deltas of audio of some 8 KB, and 10 % are deltas of arguments. The rest are the objects around them: sessions, items,
responses with usage, transcriptions, tool calls, runs, steps and messages. Most sessions are spoken. Nothing here
imports steno: what is measured may be laid out in any way, and the simulator says the same lines again and again.
"""

from collections.abc import Iterable, Iterator
from itertools import cycle
from random import Random
from typing import Any, Final

from benchmarks.mix_assistants import assistants_stream
from benchmarks.traffic import RECEIVED, Traffic

MODELS: Final = ("gpt-realtime", "gpt-realtime-mini")
AUDIO_A_WORD: Final = 0.97
"""Deltas of audio for each word that is spoken."""
ARGUMENT_CHARACTERS: Final = 4
"""Of a delta of arguments."""


def lines(frames: int, seed: int = 1) -> Iterator[bytes]:
    """Yield the lines of a recording of at least `frames` frames: whole conversations, each on its own connection."""
    traffic = Traffic(Random(seed))
    written = 0
    for conversation in cycle((_voice, _text, _voice, assistants_stream, _voice, _voice)):
        if written >= frames:
            return
        conversation(traffic)
        written += len(traffic.lines)
        traffic.close()
        yield from traffic.take()


def begins(lines: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Yield the first `most` frames of each connection, and its end."""
    number = 0
    for line in lines:
        if not line.startswith(RECEIVED):
            number = 0
            yield line
        elif number < most:
            number += 1
            yield line


def session_lines(frames: int, seed: int = 1) -> Iterator[bytes]:
    """Yield the lines of one spoken session of at least `frames` frames, with about as much of each kind as the mix."""
    traffic = Traffic(Random(seed))
    session = _session(traffic, "audio")
    written = 0
    while written < frames:
        _turn(traffic, session)
        written += len(traffic.lines)
        yield from traffic.take()


# Single kinds --------------------------------------------------------------------------------------------


def transcript_deltas(count: int) -> Iterator[bytes]:
    """Yield the lines of a spoken answer that goes on for `count` deltas of its transcript."""
    traffic, where = _answering()
    for _ in range(count):
        _transcribed(traffic, where, traffic.word())
    yield from traffic.take()


def audio_deltas(count: int) -> Iterator[bytes]:
    """Yield the lines of a spoken answer that goes on for `count` deltas of audio."""
    traffic, where = _answering()
    for _ in range(count):
        _sounded(traffic, where)
    yield from traffic.take()


def responses(count: int) -> Iterator[bytes]:
    """Yield the lines of a session with `count` spoken responses: no deltas, but all around them."""
    traffic = Traffic(Random(count))
    session = _session(traffic, "audio")
    for _ in range(count):
        response = _created(traffic, session)
        item = _message(traffic, response)
        said = traffic.words(12, 44)
        item["content"] = [{"type": "output_audio", "transcript": "".join(said)}]
        _item_done(traffic, response, item, "completed")
        _done(traffic, response, [item], len(said))
    yield from traffic.take()


def _answering() -> tuple[Traffic, dict[str, Any]]:
    """Return a session in the midst of a spoken answer, and which part a delta belongs to."""
    traffic = Traffic(Random(0))
    response = _created(traffic, _session(traffic, "audio"))
    where = _part_added(traffic, response, _message(traffic, response), {"type": "audio", "transcript": ""})
    return traffic, where


# Realtime -------------------------------------------------------------------------------------------------


def _voice(t: Traffic) -> None:
    """Add a voice session of some turns."""
    session = _session(t, "audio")
    for _ in range(t.rng.randint(3, 7)):
        _turn(t, session)


def _turn(t: Traffic, session: dict[str, Any]) -> None:
    """Add a spoken turn; some are cut off by the caller, some have a tool call."""
    _caller_speaks(t)
    if t.rng.random() < 4 / 9:
        _call_tool(t, session)
    _speak(t, session, cut_off=t.rng.random() < 1 / 6)
    t.send("rate_limits.updated", rate_limits=_rate_limits(t))


def _text(t: Traffic) -> None:
    """Add a session that is typed."""
    session = _session(t, "text")
    for _ in range(t.rng.randint(2, 4)):
        question = [{"type": "input_text", "text": "".join(t.words(4, 30))}]
        _item(t, {"id": t.id("item"), "type": "message", "status": "completed", "role": "user", "content": question})
        if t.rng.random() < 1 / 3:
            _call_tool(t, session)
        _write(t, session)


def _session(t: Traffic, modality: str) -> dict[str, Any]:
    """Add the beginning of a session, and return the session."""
    session = {
        "type": "realtime",
        "object": "realtime.session",
        "id": t.id("sess"),
        "model": t.rng.choice(MODELS),
        "output_modalities": [modality],
        "instructions": "".join(t.words(40, 200)).strip(),
        "tools": [t.tool() for _ in range(t.rng.randint(0, 3))],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "truncation": "auto",
        "expires_at": t.second + 3_600,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "transcription": {"model": "gpt-4o-mini-transcribe", "language": None},
                "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "marin", "speed": 1.0},
        },
    }
    t.send("session.created", session=session)
    t.send("session.updated", session=session)
    return session


def _item(t: Traffic, item: dict[str, Any]) -> None:
    """Add an item that is complete from the start."""
    previous = t.id("item")
    t.send("conversation.item.added", previous_item_id=previous, item=item)
    t.send("conversation.item.done", previous_item_id=previous, item=item)


def _caller_speaks(t: Traffic) -> None:
    """Add a spoken turn of the caller, and its transcription."""
    item_id, began = t.id("item"), t.rng.randint(0, 600_000)
    said = t.words(2, 8)
    t.send("input_audio_buffer.speech_started", audio_start_ms=began, item_id=item_id)
    t.send("input_audio_buffer.speech_stopped", audio_end_ms=began + t.rng.randint(400, 6_000), item_id=item_id)
    t.send("input_audio_buffer.committed", previous_item_id=None, item_id=item_id)
    content = [{"type": "input_audio", "transcript": None}]
    _item(t, {"id": item_id, "type": "message", "status": "completed", "role": "user", "content": content})
    where = {"item_id": item_id, "content_index": 0}
    kind = "conversation.item.input_audio_transcription"
    for word in said:
        t.send(f"{kind}.delta", **where, delta=word, obfuscation=t.id("x"))
    heard = t.rng.randint(5, 80)
    usage = {"type": "tokens", "total_tokens": heard + len(said), "input_tokens": heard, "output_tokens": len(said)}
    details = {"text_tokens": 0, "audio_tokens": heard}
    t.send(f"{kind}.completed", **where, transcript="".join(said), usage={**usage, "input_token_details": details})


def _speak(t: Traffic, session: dict[str, Any], *, cut_off: bool) -> None:
    """Add a spoken answer; where the caller cuts it off, it ends as cancelled and is truncated."""
    said = t.words(12, 44)
    response = _created(t, session)
    item = _message(t, response)
    where = _part_added(t, response, item, {"type": "audio", "transcript": ""})
    for word in said:
        _transcribed(t, where, word)
        if t.rng.random() < AUDIO_A_WORD:
            _sounded(t, where)
    transcript = "".join(said)
    t.send("response.output_audio.done", **where)
    t.send("response.output_audio_transcript.done", **where, transcript=transcript)
    t.send("response.content_part.done", **where, part={"type": "audio", "transcript": transcript})
    item["content"] = [{"type": "output_audio", "transcript": transcript}]
    _item_done(t, response, item, "incomplete" if cut_off else "completed")
    _done(t, response, [item], len(said), cut_off=cut_off)
    if cut_off:
        end = t.rng.randint(100, 5_000)
        t.send("conversation.item.truncated", item_id=item["id"], content_index=0, audio_end_ms=end)


def _transcribed(t: Traffic, where: dict[str, Any], word: str) -> None:
    t.send("response.output_audio_transcript.delta", **where, delta=word, obfuscation=t.id("x"))


def _sounded(t: Traffic, where: dict[str, Any]) -> None:
    t.send("response.output_audio.delta", **where, delta=t.audio())


def _write(t: Traffic, session: dict[str, Any]) -> None:
    """Add a written answer."""
    written = t.words(15, 45)
    response = _created(t, session)
    item = _message(t, response)
    where = _part_added(t, response, item, {"type": "text", "text": ""})
    for word in written:
        t.send("response.output_text.delta", **where, delta=word, obfuscation=t.id("x"))
    text = "".join(written)
    t.send("response.output_text.done", **where, text=text)
    t.send("response.content_part.done", **where, part={"type": "text", "text": text})
    item["content"] = [{"type": "output_text", "text": text}]
    _item_done(t, response, item, "completed")
    _done(t, response, [item], len(written))


def _call_tool(t: Traffic, session: dict[str, Any]) -> None:
    """Add a response that calls a function, and the output that the client sends."""
    response, call_id, name = _created(t, session), t.id("call"), t.id("tool")
    item = {"id": t.id("item"), "type": "function_call", "status": "in_progress", "name": name, "call_id": call_id}
    item["arguments"] = ""
    _item_added(t, response, item)
    where = {"response_id": response["id"], "item_id": item["id"], "output_index": 0, "call_id": call_id}
    arguments = t.arguments()
    for start in range(0, len(arguments), ARGUMENT_CHARACTERS):
        delta = arguments[start : start + ARGUMENT_CHARACTERS]
        t.send("response.function_call_arguments.delta", **where, delta=delta, obfuscation=t.id("x"))
    t.send("response.function_call_arguments.done", **where, name=name, arguments=arguments)
    item["arguments"] = arguments
    _item_done(t, response, item, "completed")
    _done(t, response, [item], len(arguments) // 4)
    output = t.arguments()
    _item(t, {"id": t.id("item"), "type": "function_call_output", "call_id": call_id, "output": output})


def _created(t: Traffic, session: dict[str, Any]) -> dict[str, Any]:
    """Add `response.created`, and return the response."""
    response = {
        "object": "realtime.response",
        "id": t.id("resp"),
        "status": "in_progress",
        "status_details": None,
        "output": [],
        "conversation_id": f"conv_{session['id']}",
        "output_modalities": session["output_modalities"],
        "max_output_tokens": "inf",
        "audio": {"output": session["audio"]["output"]},
        "usage": None,
        "metadata": {"turn": t.id("turn")},
    }
    t.send("response.created", response=response)
    return response


def _message(t: Traffic, response: dict[str, Any]) -> dict[str, Any]:
    """Add the beginning of a message of the model, and return its item."""
    item: dict[str, Any] = {"id": t.id("item"), "type": "message", "status": "in_progress", "role": "assistant"}
    item["content"] = []
    _item_added(t, response, item)
    return item


def _item_added(t: Traffic, response: dict[str, Any], item: dict[str, Any]) -> None:
    t.send("response.output_item.added", response_id=response["id"], output_index=0, item=item)
    t.send("conversation.item.added", previous_item_id=t.id("item"), item=item)


def _item_done(t: Traffic, response: dict[str, Any], item: dict[str, Any], status: str) -> None:
    item["status"] = status
    t.send("conversation.item.done", previous_item_id=t.id("item"), item=item)
    t.send("response.output_item.done", response_id=response["id"], output_index=0, item=item)


def _part_added(t: Traffic, response: dict[str, Any], item: dict[str, Any], part: dict[str, str]) -> dict[str, Any]:
    """Add the beginning of a content part, and return the members that say which one a delta belongs to."""
    where = {"response_id": response["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}
    t.send("response.content_part.added", **where, part=part)
    return where


def _done(
    t: Traffic, response: dict[str, Any], output: list[dict[str, Any]], words: int, *, cut_off: bool = False
) -> None:
    """Add `response.done` with its usage."""
    status = "cancelled" if cut_off else "completed"
    details = {"type": "cancelled", "reason": "turn_detected"} if cut_off else None
    done = {**response, "status": status, "status_details": details, "output": output, "usage": _usage(t, words)}
    t.send("response.done", response=done)


def _usage(t: Traffic, words: int) -> dict[str, Any]:
    read, heard, spoken = t.rng.randint(100, 4_000), t.rng.randint(0, 2_000), words * 3
    cached = t.rng.randint(0, read)
    return {
        "total_tokens": read + heard + words + spoken,
        "input_tokens": read + heard,
        "output_tokens": words + spoken,
        "input_token_details": {
            "text_tokens": read,
            "audio_tokens": heard,
            "image_tokens": 0,
            "cached_tokens": cached,
            "cached_tokens_details": {"text_tokens": cached, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": words, "audio_tokens": spoken},
    }


def _rate_limits(t: Traffic) -> list[dict[str, Any]]:
    limits = (("requests", 5_000), ("tokens", 40_000))
    return [
        {"name": name, "limit": limit, "remaining": t.rng.randint(0, limit), "reset_seconds": t.rng.random()}
        for name, limit in limits
    ]
