"""A response from its first event to its last: words or sound in deltas, a call of a function, the end, the usage.

An event is sent when it is due, so what was not sent when a response is cut short was not said: its items hold the
words that were sent, and its usage counts those.
"""

from collections.abc import Generator
from typing import Any

from steno.simulate.interactive.configuration import ResponseOptions
from steno.simulate.interactive.items import Entry, checked_item, entry_of
from steno.simulate.interactive.replies import Call, Words, reply
from steno.simulate.interactive.sound import sound_base64
from steno.simulate.interactive.state import Answer, State, base_tokens
from steno.simulate.steps import pieces
from steno.simulate.tasks import CancelledError, Task
from steno.simulate.voice_answers import TOKEN_MS, Cue, plan, within
from steno.simulate.voice_session import RATE_LIMITS_CHANCE, response_object
from steno.simulate.voice_usage import Ledger, no_usage

Outcome = tuple[str, dict[str, Any] | None]
"""The status of a response, and its details without their `type`."""

_COMPLETED: Outcome = ("completed", None)
_CUT: Outcome = ("incomplete", {"reason": "max_output_tokens"})
_PHASED = "gpt-realtime-2"  # models that mark their messages begin so


def begin_answer(s: State, options: ResponseOptions) -> None:
    """Begin a response. Raises `EventRefusedError` where its `input` is none."""
    read = _read(s, options)
    answer = Answer(s.new_id("resp"), options, [])
    if options.in_band:
        s.active = answer
    running = s.begin(_answer(s, answer, read))
    s.answers[answer.id] = (answer, running)


def cancel_answer(s: State, answer: Answer, reason: str) -> None:
    """Cut a response short. `reason` is `client_cancelled` or `turn_detected`."""
    _, running = s.answers[answer.id]
    s.interrupt(running, reason)


def _read(s: State, options: ResponseOptions) -> list[Entry] | None:
    """Return the items that a response reads in place of the conversation, or None."""
    if options.input is None:
        return None
    found: list[Entry] = []
    for n, value in enumerate(options.input):
        if value.get("type") == "item_reference":
            found.append(s.items.find(value.get("id"), "reference"))
        else:
            found.append(entry_of(checked_item(f"response.input[{n}]", value)))
    return found


def _answer(s: State, answer: Answer, given: list[Entry] | None) -> Task:
    s.emit("response.created", response=_response(s, answer, "in_progress", None, None))
    read = list(s.items) if given is None else given
    try:
        yield s.rng.uniform(0.35, 0.85)
        status, details = yield from _output(s, answer, read)
    except CancelledError as cancelled:
        status, details = "cancelled", {"reason": cancelled.args[0]}
    _end(s, answer, read, status, details)


def _output(s: State, answer: Answer, read: list[Entry]) -> Generator[float, None, Outcome]:
    replied = reply(s.rng, answer.options, read)
    if isinstance(replied, Call):
        return (yield from _call(s, answer, replied))
    if answer.options.output_modalities == ["text"]:
        return (yield from _write(s, answer, replied))
    return (yield from _speak(s, answer, replied))


# Messages.


def _write(s: State, answer: Answer, words: Words) -> Generator[float, None, Outcome]:
    """Send a message in writing."""
    said, outcome = _cut(pieces(words.text), answer.options.max_output_tokens)
    entry, where = _begin_message(s, answer, {"type": "text", "text": ""})
    sent: list[str] = []
    status = "incomplete"
    try:
        for piece in said:
            yield s.rng.uniform(0.02, 0.05)
            sent.append(piece)
            answer.text_tokens += 1
            s.emit_delta("response.output_text.delta", where, piece)
        yield 0.02
        status = outcome[0]
    finally:
        _finish_writing(s, answer, entry, where, "".join(sent), status)
    return outcome


def _finish_writing(s: State, answer: Answer, entry: Entry, where: dict[str, Any], text: str, status: str) -> None:
    s.emit("response.output_text.done", **where, text=text)
    s.emit("response.content_part.done", **where, part={"type": "text", "text": text})
    entry.said = text
    entry.item |= {"status": status, "content": [{"type": "output_text", "text": text}]}
    _finish_item(s, answer, entry, where["output_index"])


def _speak(s: State, answer: Answer, words: Words) -> Generator[float, None, Outcome]:
    """Send a spoken message: its words a little ahead of its sound."""
    cues, outcome = plan(s, words.text, 0.05), _COMPLETED
    limit = answer.options.max_output_tokens
    if isinstance(limit, int) and sum(cue.tokens for cue in cues) > limit:
        cues, outcome = within(limit, cues), _CUT
    entry, where = _begin_message(s, answer, {"type": "audio", "transcript": ""})
    sent: list[Cue] = []
    at, status = 0.0, "incomplete"
    try:
        for cue in cues:
            yield max(cue.at - at, 0.0)
            at = cue.at
            sent.append(cue)
            _send_cue(s, answer, where, cue)
        yield 0.02
        status = outcome[0]
    finally:
        _finish_speaking(s, answer, entry, where, sent, status)
    return outcome


def _send_cue(s: State, answer: Answer, where: dict[str, Any], cue: Cue) -> None:
    if not cue.audio_ms:
        answer.text_tokens += 1
        s.emit_delta("response.output_audio_transcript.delta", where, cue.text)
        return
    sound = sound_base64(answer.options.format["type"], answer.audio_ms, cue.audio_ms)
    s.emit("response.output_audio.delta", **where, delta=sound)
    answer.audio_ms += cue.audio_ms
    answer.audio_tokens += cue.audio_ms // TOKEN_MS
    if s.call_id and answer.playing_since is None:
        answer.playing_since, s.playing = s.now, answer
        s.emit("output_audio_buffer.started", response_id=answer.id)


def _finish_speaking(
    s: State, answer: Answer, entry: Entry, where: dict[str, Any], sent: list[Cue], status: str
) -> None:
    transcript = "".join(cue.text for cue in sent)
    s.emit("response.output_audio.done", **where)
    s.emit("response.output_audio_transcript.done", **where, transcript=transcript)
    s.emit("response.content_part.done", **where, part={"type": "audio", "transcript": transcript})
    entry.said, entry.audio_ms, entry.audio_tokens = transcript, answer.audio_ms, answer.audio_tokens
    entry.item |= {"status": status, "content": [{"type": "output_audio", "transcript": transcript}]}
    _finish_item(s, answer, entry, where["output_index"])


def _begin_message(s: State, answer: Answer, part: dict[str, Any]) -> tuple[Entry, dict[str, Any]]:
    """Begin a message with one part. Returns its entry, and where its deltas belong."""
    item: dict[str, Any] = {"id": s.new_id("item"), "type": "message", "status": "in_progress", "role": "assistant"}
    item["content"] = []
    if answer.options.model.startswith(_PHASED):
        item["phase"] = "final_answer"
    entry, index = _begin_item(s, answer, item)
    where = {"response_id": answer.id, "item_id": item["id"], "output_index": index, "content_index": 0}
    s.emit("response.content_part.added", **where, part=part)
    return entry, where


# Calls of functions.


def _call(s: State, answer: Answer, call: Call) -> Generator[float, None, Outcome]:
    """Call a function."""
    said, outcome = _cut(pieces(call.arguments), answer.options.max_output_tokens)
    item: dict[str, Any] = {"id": s.new_id("item"), "type": "function_call", "status": "in_progress"}
    item |= {"name": call.name, "call_id": s.new_call_id(), "arguments": ""}
    entry, index = _begin_item(s, answer, item)
    where = {"response_id": answer.id, "item_id": item["id"], "output_index": index, "call_id": item["call_id"]}
    sent: list[str] = []
    status = "incomplete"
    try:
        for piece in said:
            yield s.rng.uniform(0.012, 0.025)
            sent.append(piece)
            answer.text_tokens += 1
            s.emit_delta("response.function_call_arguments.delta", where, piece)
        yield 0.015
        status = outcome[0]
    finally:
        _finish_call(s, answer, entry, where, "".join(sent), status)
    return outcome


def _finish_call(s: State, answer: Answer, entry: Entry, where: dict[str, Any], arguments: str, status: str) -> None:
    s.emit("response.function_call_arguments.done", **where, name=entry.item["name"], arguments=arguments)
    entry.item |= {"status": status, "arguments": arguments}
    _finish_item(s, answer, entry, where["output_index"])


def _cut(said: list[str], limit: int | str) -> tuple[list[str], Outcome]:
    """Return the pieces that a response may have by its token limit."""
    if isinstance(limit, int) and len(said) > limit:
        return said[:limit], _CUT
    return said, _COMPLETED


# What all items and all responses have in common.


def _begin_item(s: State, answer: Answer, item: dict[str, Any]) -> tuple[Entry, int]:
    entry, index = Entry(item), len(answer.output)
    answer.output.append(item)
    s.emit("response.output_item.added", response_id=answer.id, output_index=index, item=dict(item))
    if answer.options.in_band:
        s.add_item(entry)
    return entry, index


def _finish_item(s: State, answer: Answer, entry: Entry, index: int) -> None:
    entry.text_tokens = answer.text_tokens
    if answer.options.in_band:
        s.finish_item(entry)
    s.emit("response.output_item.done", response_id=answer.id, output_index=index, item=dict(entry.item))


def _end(s: State, answer: Answer, read: list[Entry], status: str, details: dict[str, Any] | None) -> None:
    """Send `response.done` with the usage, and after some responses `rate_limits.updated`."""
    del s.answers[answer.id]
    if s.active is answer:
        s.active = None
    s.hearing.listen()
    usage = _usage(s, answer, read)
    typed = None if details is None else {"type": status, **details}
    s.emit("response.done", response=_response(s, answer, status, typed, usage))
    limits = s.ledger.rate_limits(s.now, usage)
    if not s.rate_limits_sent or s.rng.random() < RATE_LIMITS_CHANCE:
        s.rate_limits_sent = True
        s.emit("rate_limits.updated", rate_limits=limits)
    if s.playing is answer:
        s.begin(_play_on(s, answer))


def _usage(s: State, answer: Answer, read: list[Entry]) -> dict[str, Any]:
    """Return the usage of a response, and enter it in the session's account where it belongs to the conversation."""
    options = answer.options
    if not answer.output:  # it was cut short before the model wrote anything
        return no_usage()
    own = base_tokens({"instructions": options.instructions, "tools": options.tools})
    if not options.in_band or options.input is not None:
        apart = Ledger(own + sum(entry.text_tokens for entry in read))
        return apart.respond(answer.text_tokens, answer.audio_tokens)
    more = own - base_tokens(s.configuration)
    s.ledger.read(more)
    usage = s.ledger.respond(answer.text_tokens, answer.audio_tokens)
    s.ledger.read(-more)
    return usage


def _play_on(s: State, answer: Answer) -> Task:
    """Let the caller hear the rest of a response, in a call."""
    yield max((answer.playing_since or 0.0) + answer.audio_ms / 1000 - s.now, 0.0)
    if s.playing is answer:
        s.playing = None
        s.emit("output_audio_buffer.stopped", response_id=answer.id)


def _response(
    s: State, answer: Answer, status: str, details: dict[str, Any] | None, usage: dict[str, Any] | None
) -> dict[str, Any]:
    options = answer.options
    return response_object(
        response_id=answer.id,
        status=status,
        details=details,
        output=[dict(item) for item in answer.output],
        conversation_id=s.conversation_id if options.in_band else None,
        output_modalities=list(options.output_modalities),
        max_output_tokens=options.max_output_tokens,
        audio={"format": options.format, "voice": options.voice},
        usage=usage,
        metadata=options.metadata,
    )
