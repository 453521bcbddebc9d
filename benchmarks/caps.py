# ruff: noqa: INP001  # a module of scripts, in no package
"""States at their limits, and the event that each makes dear: what is full, how it is filled, what comes then.

`benchmarks/work.py` measures what the event costs there, beside the same event where nothing is full; a test counts the
steps of both. The limits are the defaults.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from steno.limits import LANES, Limits

LIMITS: Final = Limits()


class Cap(Struct, frozen=True):
    """A limit: what fills a state up to it, and the event whose cost is measured, by its number."""

    fill: Callable[[], Iterator[bytes]]
    event: Callable[[int], bytes]


def _bytes(event: dict[str, Any]) -> bytes:
    return msgspec.json.encode(event)


def _typed(kind: str, **members: Any) -> bytes:
    return _bytes({"type": kind, **members})


def _paired(kind: str, **members: Any) -> bytes:
    return _bytes({"event": f"thread.{kind}", "data": {"thread_id": "thread_1", **members}})


def _cloud(subject: str, event: dict[str, Any], **members: Any) -> bytes:
    envelope = {"specversion": "1.0", "source": "//caps", "subject": subject, **members}
    return _bytes({**envelope, "data": event})


OPENING: Final = (
    _typed("session.created", session={"id": "sess_1"}),
    _typed("response.created", response={"id": "resp_1", "status": "in_progress"}),
    _paired("run.created", id="run_1", status="in_progress"),
)
"""What is open before, at the limit and far from it."""


def _delta(item: str, text: str) -> bytes:
    members = {"response_id": "resp_1", "item_id": item, "content_index": 0, "delta": text}
    return _typed("response.output_text.delta", **members)


def _item(key: str, previous: str | None = None, text: str = "") -> bytes:
    content = [{"type": "output_text", "text": text}]
    item = {"id": key, "type": "message", "role": "assistant", "content": content}
    return _typed("conversation.item.added", item=item, previous_item_id=previous)


def _items(text: str = "") -> Iterator[bytes]:
    return (_item(f"item_{number}", text=text) for number in range(LIMITS.items))


def _done(key: str, model: str = "m") -> bytes:
    usage = {"input_tokens": 7, "output_tokens": 5}
    return _typed("response.done", response={"id": key, "status": "completed", "model": model, "usage": usage})


def _call(number: int) -> bytes:
    item = {"id": f"call_{number}", "call_id": f"call_{number}", "type": "function_call", "name": "f"}
    return _typed("response.output_item.added", response_id="resp_1", item=item)


def _message(number: int) -> bytes:
    text = {"value": "hello"}
    return _paired(
        "message.completed", id=f"msg_{number}", status="completed", content=[{"type": "text", "text": text}]
    )


def _words(role: str, start: int, end: int) -> bytes:
    return _typed(f"session.{role}_transcript.delta", delta="hi", start_ms=start, end_ms=end)


def _delegation(number: int) -> bytes:
    return _typed("session.delegation.created", delegation={"id": f"item_{number}", "target": "client"})


def _backend(number: int) -> bytes:
    response = {"id": f"resp_{number}", "status": "in_progress"}
    return _typed(
        "response.event", delegation_id=f"item_{number}", event={"type": "response.created", "response": response}
    )


def _many(make: Callable[[int], bytes], count: int) -> Callable[[], Iterator[bytes]]:
    """Return what fills a state with so many events, numbered below zero: none of them comes again."""
    return lambda: (make(-number) for number in range(1, count + 1))


def _crowded() -> Iterator[bytes]:
    """Fill the transcript: many items with a few words each, half of which the newest one, a long one, pushes out."""
    words = " hello there"
    yield from _items(words)
    room = LIMITS.transcript_bytes - LIMITS.items // 2 * len(words)
    yield _delta(f"item_{LIMITS.items - 1}", "x" * room)


def _numbered(key: str, kind: str, status: str, lane: str, **members: Any) -> bytes:
    response = {"id": key, "object": "response", "status": status, **members}
    return _typed(f"response.{kind}", response=response, sequence_number=0, stream_id=lane)


def _laned(lane: str) -> Callable[[int], bytes]:
    """Return what begins a response of a conversation of upstream's; the lane may have its number."""
    named = {"conversation": {"id": "conv_1"}}
    return lambda number: _numbered(f"r{number}", "created", "in_progress", lane.format(number), **named)


def _lane(number: int) -> bytes:
    return _numbered(f"r{number}", "created", "in_progress", f"l{number}")


def _chained(number: int) -> bytes:
    return _numbered(f"r{number}", "completed", "completed", "a", usage={"input_tokens": 7, "output_tokens": 5})


_FULL_TEXT: Final = "x" * (LIMITS.transcript_bytes // LIMITS.items)

CAPS: Final[Mapping[str, Cap]] = {
    "transcript_bytes, newest item": Cap(_crowded, lambda _: _delta("item_1999", " hello there")),
    "transcript_bytes, oldest item": Cap(lambda: _items(_FULL_TEXT), lambda _: _delta("item_0", " hello there")),
    "transcript_bytes, final texts": Cap(lambda: _items(_FULL_TEXT), lambda number: _item(f"new_{number}", text="hi")),
    "items, placed behind an early one": Cap(_items, lambda number: _item(f"new_{number}", f"item_{1_500 + number}")),
    "items, playback": Cap(_items, lambda _: _typed("output_audio_buffer.stopped", response_id="resp_9")),
    "duplicates_window": Cap(
        _many(lambda number: _typed("input_audio_buffer.cleared", event_id=f"e{number}"), LIMITS.duplicates_window),
        lambda number: _typed("input_audio_buffer.cleared", event_id=f"e{number}"),
    ),
    "kept_objects, responses": Cap(
        _many(lambda number: _done(f"r{number}"), 2 * LIMITS.kept_objects), lambda number: _done(f"r{number}")
    ),
    "kept_objects, messages": Cap(_many(_message, 3 * LIMITS.kept_objects), _message),
    "open_responses": Cap(
        _many(lambda number: _typed("response.created", response={"id": f"r{number}"}), LIMITS.open_responses),
        lambda number: _typed("response.created", response={"id": f"r{number}"}),
    ),
    "open_responses, tool calls": Cap(_many(_call, 3 * LIMITS.open_responses), _call),
    "open_responses, on one lane": Cap(_many(_laned("a"), LIMITS.open_responses), _laned("a")),
    "open_responses, on lanes of their own": Cap(_many(_laned("l{}"), 2 * LIMITS.open_responses), _laned("l{}")),
    "lanes of a connection": Cap(_many(_lane, 3 * LANES), _lane),
    "responses that may be followed": Cap(_many(_chained, 2 * LIMITS.kept_objects), _chained),
    "items, segments": Cap(
        lambda: (_words("input", 1_000 * number, 1_000 * number + 1) for number in range(LIMITS.items)),
        lambda number: _words("input", 3_000_000 + 1_000 * number, 3_000_000 + 1_000 * number + 1),
    ),
    "pieces of speech": Cap(
        lambda: (_words("input", 10 * number, 10 * number + 1) for number in range(200)),
        lambda number: _words("output", 5 * number, 2_000 + 5 * number),
    ),
    "open_responses, delegations": Cap(_many(_delegation, 3 * LIMITS.open_responses), _delegation),
    "open_responses, backends": Cap(_many(_backend, 3 * LIMITS.open_responses), _backend),
    "models of a conversation": Cap(
        _many(lambda number: _done(f"r{number}", f"m{number}"), 600), lambda number: _done(f"r{number}", f"m{number}")
    ),
    "label_values": Cap(
        _many(lambda number: _typed("error", error={"code": f"c{number}"}), 2 * LIMITS.label_values),
        lambda number: _typed("error", error={"code": f"c{number}"}),
    ),
    "conversations": Cap(
        _many(lambda number: _cloud(f"s{number}", {"type": "error"}, id=str(number)), LIMITS.conversations),
        lambda number: _cloud(f"s{number}", {"type": "error"}, id=str(number)),
    ),
    "unknown types": Cap(_many(lambda number: _typed(f"x.{number}"), 100), lambda number: _typed(f"x.{number}")),
    "senders of numbered events": Cap(
        _many(lambda number: _cloud("s", {"type": "x"}, id="1", source=f"//{number}", sequence="7"), 1_100),
        lambda number: _cloud("s", {"type": "x"}, id="1", source=f"//{number}", sequence="7"),
    ),
}
"""Each limit that a stream can reach, by its name."""
