"""What the user did: speech, keys of the telephone, turns that nobody answered. Pure."""

from typing import Final

from steno.view.shapes import Body, SpanMark
from steno.view.spans import Handlers, Spans, began_by_its_duration, bill, flat, note


def _speech_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("speech", body.get("item_id"), "user", at)
    span.detail |= flat(body, "item_id", "audio_start_ms")
    to.know(span, "item_id")


def _speech_stopped(to: Spans, at: float | None, body: Body) -> None:
    key = body.get("item_id")
    span = to.end("speech", key if to.find("speech", key) else None, "user", at, "stopped")
    span.detail |= flat(body, "item_id", "audio_end_ms", "duration_seconds")
    to.know(span, "item_id")
    began_by_its_duration(span, body)


def _committed(to: Spans, at: float | None, body: Body) -> None:
    """Mark the speech that was committed. With push-to-talk the commit is all that is known of it."""
    key = body.get("item_id")
    while to.uncommitted and to.uncommitted[-1].status == "committed":
        to.uncommitted.pop()
    span = to.uncommitted[-1] if to.uncommitted else None
    if span is None or (key is not None and span.detail.get("item_id") not in (None, key)):
        if key in to.silences:
            return
        span = to.end("speech", key, "user", at, "committed")
        span.detail |= flat(body, "item_id")
        to.know(span, "item_id")
    elif span.status is None:
        span = to.end("speech", span.detail.get("item_id"), "user", at, "committed")  # type: ignore[arg-type]  # an id
    span.status = "committed"
    span.marks.append(SpanMark("committed", at))


def _timed_out(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "note", "silence", body, "item_id")
    to.silences.add(body.get("item_id"))


def _transcribed(to: Spans, at: float | None, body: Body) -> None:
    """Let the speech have what its transcription cost; each further part of an item is a span of its own."""
    key = body.get("item_id")
    span = to.known("speech", key)
    if span is None or span.cost is not None:
        if not body.get("cost"):
            return
        span = to.end("speech", key, "user", at, "transcribed")
        span.detail |= flat(body, "item_id")
        to.know(span, "item_id")
    span.detail |= {f"transcription_{name}": value for name, value in flat(body, "status", "model", "seconds").items()}
    bill(span, body)


def _unanswered(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "unanswered", "not answered", body, "item_id", "ended_by", "waited_seconds")


HANDLERS: Final[Handlers] = {
    "speech.started": _speech_started,
    "speech.stopped": _speech_stopped,
    "input.committed": _committed,
    "input.timed_out": _timed_out,
    "transcription.finished": _transcribed,
    "turn.unanswered": _unanswered,
    "dtmf.received": note("a key of the telephone"),
    "item.deleted": note("an item was deleted", "item_id"),
}
