"""What each client event does to a session. A handler takes the state and the event, and raises `EventRefusedError`."""

from collections.abc import Callable
from typing import Any, Final

from steno.simulate.interactive.answers import begin_answer, cancel_answer
from steno.simulate.interactive.checks import nullable, text, whole
from steno.simulate.interactive.configuration import response_options, updated
from steno.simulate.interactive.errors import EventRefusedError, invalid_value, missing
from steno.simulate.interactive.items import checked_item, entry_of
from steno.simulate.interactive.sound import sound_base64
from steno.simulate.interactive.state import State, base_tokens
from steno.simulate.interactive.turns import append, clear_output, commit
from steno.simulate.voice_answers import TOKEN_MS

Event = dict[str, Any]
Handler = Callable[[State, Event], None]

_COMMIT_MS_MIN: Final = 100
_ANSWERS_MAX: Final = 16  # responses at the same time


def required(event: Event, name: str) -> Any:
    """Return a member that an event has to have. Raises `EventRefusedError`."""
    if name not in event:
        raise missing(name)
    return event[name]


# The session.


def update_session(s: State, event: Event) -> None:
    """Change the configuration."""
    configuration = updated(s.configuration, required(event, "session"))
    s.ledger.read(base_tokens(configuration) - base_tokens(s.configuration))
    s.configuration = configuration
    s.emit("session.updated", session=configuration)


# The caller's sound.


def append_audio(s: State, event: Event) -> None:
    """Take in sound. It has no answer of its own."""
    append(s, text("audio", required(event, "audio")))


def commit_audio(s: State, _event: Event) -> None:
    """Make an item of the sound that was appended."""
    length_ms = s.hearing.buffered_ms
    if length_ms < _COMMIT_MS_MIN:
        message = f"The buffer has {length_ms} ms of audio; at least {_COMMIT_MS_MIN} ms are needed."
        raise EventRefusedError("input_audio_buffer_commit_empty", message)
    item_id = s.speech_id if s.hearing.speaking else s.new_id("item")
    s.hearing.forget()
    commit(s, item_id, length_ms)


def clear_audio(s: State, _event: Event) -> None:
    """Forget the sound that was appended."""
    s.hearing.forget()
    s.emit("input_audio_buffer.cleared")


def clear_output_audio(s: State, _event: Event) -> None:
    """Stop what the caller hears. It is for calls, whose sound the service plays."""
    if not s.call_id:
        raise invalid_value("type", "'output_audio_buffer.clear' is for calls over WebRTC and SIP.")
    clear_output(s)


# Items.


def create_item(s: State, event: Event) -> None:
    """Add an item of the client."""
    item = checked_item("item", required(event, "item"))
    if item["type"] == "function_call_output" and not s.items.has_call(item["call_id"]):
        message = f"No function was called as '{item['call_id'][:80]}'."
        raise EventRefusedError("invalid_tool_call_id", message, "item.call_id")
    previous = nullable(text)("previous_item_id", event.get("previous_item_id"))
    s.add_whole_item(entry_of(item), previous)


def delete_item(s: State, event: Event) -> None:
    """Remove an item."""
    entry = s.items.find(required(event, "item_id"), "delete")
    s.items.remove(entry)
    s.ledger.forget(entry.text_tokens, entry.audio_tokens)
    s.emit("conversation.item.deleted", item_id=entry.item["id"])


def retrieve_item(s: State, event: Event) -> None:
    """Show an item, with the sound of the model. That of the caller is not kept."""
    entry = s.items.find(required(event, "item_id"), "retrieve")
    item = dict(entry.item)
    if item.get("role") == "assistant" and entry.audio_ms:
        sound = sound_base64(s.configuration["audio"]["output"]["format"]["type"], 0, entry.audio_ms)
        item["content"] = [{**part, "audio": sound} for part in item["content"]]
    s.emit("conversation.item.retrieved", item=item)


def truncate_item(s: State, event: Event) -> None:
    """Cut a spoken message to what was heard of it. Its transcript goes."""
    entry = s.items.find(required(event, "item_id"), "truncate")
    content_index = whole(0, 1_000)("content_index", event.get("content_index", 0))
    audio_end_ms = whole(0, 2**31)("audio_end_ms", required(event, "audio_end_ms"))
    if entry.item.get("role") != "assistant":
        raise invalid_value("item_id", "Only messages of the assistant can be truncated.")
    if audio_end_ms > entry.audio_ms:
        message = f"The audio has {entry.audio_ms} ms, which is less than {audio_end_ms} ms."
        raise invalid_value("audio_end_ms", message)
    heard_tokens = audio_end_ms // TOKEN_MS
    s.ledger.forget(entry.text_tokens, entry.audio_tokens - heard_tokens)
    entry.audio_ms, entry.audio_tokens, entry.text_tokens = audio_end_ms, heard_tokens, 0
    entry.item |= {"content": [{"type": "output_audio", "transcript": None}]}
    where = {"item_id": entry.item["id"], "content_index": content_index}
    s.emit("conversation.item.truncated", **where, audio_end_ms=audio_end_ms)


# Responses.


def create_response(s: State, event: Event) -> None:
    """Begin a response."""
    if s.transcribes:
        raise invalid_value("type", "A transcription session has no responses.")
    options = response_options(s.configuration, event.get("response"))
    if s.active and options.in_band:
        message = f"The response {s.active.id} is in progress. Wait until it is done before you create another one."
        raise EventRefusedError("conversation_already_has_active_response", message)
    if len(s.answers) >= _ANSWERS_MAX:
        raise invalid_value("response", f"There may be {_ANSWERS_MAX} responses at the same time.")
    begin_answer(s, options)


def cancel_response(s: State, event: Event) -> None:
    """Cut a response short: the one that is named, or that of the conversation."""
    wanted = nullable(text)("response_id", event.get("response_id"))
    answer = s.active if wanted is None else s.answers.get(wanted, (None, None))[0]
    if answer is None:
        raise EventRefusedError("response_cancel_not_active", "There is no such response in progress.")
    cancel_answer(s, answer, "client_cancelled")


HANDLERS: Final[dict[str, Handler]] = {
    "session.update": update_session,
    "input_audio_buffer.append": append_audio,
    "input_audio_buffer.commit": commit_audio,
    "input_audio_buffer.clear": clear_audio,
    "output_audio_buffer.clear": clear_output_audio,
    "conversation.item.create": create_item,
    "conversation.item.retrieve": retrieve_item,
    "conversation.item.truncate": truncate_item,
    "conversation.item.delete": delete_item,
    "response.create": create_response,
    "response.cancel": cancel_response,
}
"""Client events by type."""
