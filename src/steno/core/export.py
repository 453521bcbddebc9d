"""What the state of a conversation looks like when it is written out: the lines of `--state`.

These lines are the operator's explicit request: they show words. Upstream's objects stand there as upstream sent
them, members that nobody knows included; secrets are masked.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw

from steno.core.assistants.state import ThreadConversation
from steno.core.conversation import Conversation
from steno.core.realtime.state import ConversationItem, RealtimeConversation
from steno.core.stream import Stream
from steno.wire import mask

CONVERSATION_SCHEMA: Final = "steno.conversation/1"
STREAM_SCHEMA: Final = "steno.stream/1"


def conversation_line(state: Conversation) -> bytes:
    """Return `state` as one line of JSON, newline included."""
    realtime = state if isinstance(state, RealtimeConversation) else None
    thread = state if isinstance(state, ThreadConversation) else None
    return _line(
        {
            "schema": CONVERSATION_SCHEMA,
            "key": state.key,
            "family": state.family,
            "stream": state.stream,
            "open": state.closed_reason is None,
            "closed_reason": state.closed_reason,
            "conversation_id": state.conversation_id,
            "call_id": state.call_id,
            "session": _object(state.session) if state.session else None,
            "responses": _objects(realtime.responses.objects if realtime else ()),
            "runs": _objects(thread.runs.objects.values() if thread else ()),
            "run_steps": _objects(thread.run_steps.objects if thread else ()),
            "messages": _objects(thread.message_objects.objects.values() if thread else ()),
            "unfinished": _objects(state.unfinished()),
            "transcript": _spoken(realtime) if realtime else _written(thread) if thread else [],
            "speech": _speech(realtime) if realtime else [],
            "tools": list(state.tool_log),
            "totals": _totals(state),
            "rejected": state.rejected,
            "events": state.events,
        }
    )


def stream_line(stream: Stream) -> bytes:
    """Return what was counted on `stream` as one line of JSON, newline included."""
    return _line(
        {
            "schema": STREAM_SCHEMA,
            "stream": stream.name,
            "frames": stream.frames,
            "events": stream.events,
            "unknown": stream.unknown,
            "malformed": stream.malformed,
        }
    )


def _line(members: dict[str, Any]) -> bytes:
    """Return a line without secrets: one may be spoken, or stand in a name."""
    return mask(msgspec.json.encode(members)) + b"\n"


def _object(whole: bytes) -> Raw:
    return Raw(mask(whole))  # apart, so that one without secrets stays as it came


def _objects(wholes: Iterable[bytes]) -> list[Raw]:
    return [_object(whole) for whole in wholes]


def _turns(state: RealtimeConversation) -> list[ConversationItem]:
    """Return the items that are somebody's turn, in the order of the conversation."""
    items = (state.items[key] for key in state.order)
    return [item for item in items if item.kind == "message" and not item.out_of_band]


def _spoken(state: RealtimeConversation) -> list[dict[str, Any]]:
    return [
        {"item_id": item.id, "role": item.role, "text": item.text(), "heard": _heard(item)[0]} for item in _turns(state)
    ]


def _speech(state: RealtimeConversation) -> list[dict[str, Any]]:
    """What is known of the model's speech: how long it was, how much of it was played, and how `heard` is known."""
    return [
        {
            "item_id": item.id,
            "generated_ms": item.generated_ms,
            "heard_ms": item.heard_ms,
            "heard_how": _heard(item)[1],
        }
        for item in _turns(state)
        if item.role == "assistant" and (item.spoken or item.audio_bytes)
    ]


def _heard(item: ConversationItem) -> tuple[str | None, str]:
    """Return what the caller heard of a turn, and how that is known: the model's turns alone are heard."""
    return item.heard() if item.role == "assistant" else (None, "unknown")


def _written(state: ThreadConversation) -> list[dict[str, Any]]:
    return [
        {"item_id": key, "role": message.role, "text": message.text(), "heard": None}
        for key, message in state.messages.items()
    ]


def _totals(state: Conversation) -> dict[str, Any]:
    totals = state.totals
    return {
        "tokens": totals.buckets(),
        "seconds": [{"model": model, "seconds": seconds_text(value)} for model, value in totals.seconds.items()],
        "cost_usd": totals.cost_usd(),
        "unpriced": totals.unpriced,
        "responses": totals.responses,
        "runs": totals.runs,
        "run_steps": totals.run_steps,
        "interruptions": totals.interruptions,
        "dropped_objects": state.dropped_objects(),
    }


def seconds_text(value: float) -> str:
    """Return `value` as a decimal string: `3` and `3.25`, never `3.0`."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
