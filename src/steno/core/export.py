"""The lines of `--state`: what a conversation and a stream look like when they are written out.

The operator asked for these lines, so they show content whatever the policy of the audit log. Upstream's objects stand
there as upstream sent them, unknown members included; secrets are masked.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Raw

from steno.core.conversation import Conversation
from steno.core.stream import Stream
from steno.wire import mask

CONVERSATION_SCHEMA: Final = "steno.conversation/1"
STREAM_SCHEMA: Final = "steno.stream/1"
OBJECTS: Final = ("responses", "runs", "run_steps", "messages", "decisions", "unfinished")
"""Members of a conversation's line that are lists of upstream's objects."""


def conversation_line(state: Conversation) -> bytes:
    """Return `state` as one line of JSON, newline included."""
    return written(snapshot(state))


def snapshot(state: Conversation) -> dict[str, Any]:
    """Return the members of the line of `state` as they are now, its objects as bytes: nothing of it changes later."""
    exported = state.exported()
    return {
        "schema": CONVERSATION_SCHEMA,
        "key": state.key,
        "family": state.family,
        "stream": state.stream,
        "open": state.closed_reason is None,
        "closed_reason": state.closed_reason,
        "conversation_id": state.conversation_id,
        "call_id": state.call_id,
        "session": state.session,
        "responses": list(exported.responses),
        "runs": list(exported.runs),
        "run_steps": list(exported.run_steps),
        "messages": list(exported.messages),
        **({"decisions": list(exported.decisions)} if exported.decisions else {}),
        "unfinished": state.unfinished(),
        "transcript": exported.transcript,
        "speech": exported.speech,
        **exported.further,
        "tools": list(state.tool_log),
        "totals": totals_of(state),
        "rejected": dict(state.rejected),
        "events": state.events,
    }


def written(members: dict[str, Any]) -> bytes:
    """Return what `snapshot` returned as one line of JSON, newline included, without secrets. For any thread."""
    objects: dict[str, Any] = {name: [_object(raw) for raw in members[name]] for name in OBJECTS if name in members}
    session = members["session"]
    return _line({**members, **objects, "session": _object(session) if session else None})


def stream_line(stream: Stream) -> bytes:
    """Return what was counted on `stream` as one line of JSON, newline included."""
    return _line(
        {
            "schema": STREAM_SCHEMA,
            "stream": stream.name,
            "frames": stream.frames,
            "events": stream.events,
            "unknown": dict(stream.unknown),
            "malformed": dict(stream.malformed),
        }
    )


def _line(members: dict[str, Any]) -> bytes:
    """Return a line without secrets. A secret may be spoken, or stand in a name."""
    return mask(msgspec.json.encode(members)) + b"\n"


def _object(raw: bytes) -> Raw:
    return Raw(mask(raw))  # by itself, so that an object without secrets stays as it came


def totals_of(state: Conversation) -> dict[str, Any]:
    """Return the member `totals` of a conversation's line."""
    totals = state.totals
    return {
        "tokens": totals.buckets(),
        "seconds": [{"model": model, "seconds": seconds_text(value)} for model, value in totals.seconds.items()],
        "cost_usd": totals.cost_usd(),
        "unpriced": dict(totals.unpriced),
        "complete": state.complete,
        "responses": dict(totals.responses),
        "runs": dict(totals.runs),
        "run_steps": dict(totals.run_steps),
        "interruptions": dict(totals.interruptions),
        "dropped_objects": state.dropped_objects(),
    }


def seconds_text(value: float | Decimal) -> str:
    """Return `value` as a decimal string: `3` and `3.25`, never `3.0`."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
