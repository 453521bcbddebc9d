"""Sessions, and the streams that carry them: ends, gaps, errors. Pure."""

from typing import Final

from steno.view.shapes import Body, Lane, Mark, characters
from steno.view.spans import Handler, Handlers, Spans, bill, flat, note

LASTING: Final[tuple[Lane, ...]] = ("session", "pause")
"""What has no end of its own where its connection just ends."""
_SESSION: Final = ("session_id", "kind", "model", "expires_at")


def _session_opened(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("session", body.get("session_id"), body.get("kind"), at)
    span.detail |= flat(body, *_SESSION)
    to.clock.bound(at, 0)


def _session_changed(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "session", "changed", body, *_SESSION)
    span = to.find("session", body.get("session_id"))
    if span is not None:
        span.detail |= flat(body, *_SESSION)


def _nears_end(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "session", "nears its end", body, "session_id", "kind", "seconds_left")


def _metered(to: Spans, _at: float | None, body: Body) -> None:
    """Add to what the session has cost. Its length is what was reported last."""
    key = body.get("session_id")
    span = to.find("session", key) or to.begin("session", key, None, None)
    span.detail |= flat(body, "model", "seconds", "context_window_ratio")
    for state in ("active_seconds", "paused_seconds"):
        if isinstance(more := body.get(state), float | int) and more:
            span.detail[state] = round((span.detail.get(state) or 0) + more, 6)  # type: ignore[operator]  # a number
    bill(span, body)


def _session_ends(status: str) -> Handler:
    def ended(to: Spans, at: float | None, body: Body) -> None:
        span = to.end("session", body.get("session_id"), body.get("kind"), at, body.get("status") or status)
        span.detail |= flat(body, "session_id", "kind", "reason", "model", "seconds", "usage_final")
        to.mark(at, "session", span.status or status, body, "session_id", "kind", "reason")
        to.end_all("pause", at, span.status)
        bill(span, body)

    return ended


def _conversation_closed(to: Spans, at: float | None, body: Body) -> None:
    """End the sessions and pauses: nothing more is heard of them."""
    for lane in LASTING:
        to.end_all(lane, at, body.get("reason"))


def _stream_closed(to: Spans, at: float | None, body: Body) -> None:
    if body.get("gap") is not None:
        to.mark(at, "gap", body["gap"], body, "reason", "code")


def _resumed(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "gap", "resumed", body, "seconds", "gap")


def _missed(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "missed", body.get("reason", "skipped"), body, "missing", "reason")


def _rejected(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "rejected", body.get("reason"), body, "event", "reason", "bytes")


def _error(to: Spans, at: float | None, body: Body) -> None:
    detail = flat(body, "code", "kind", "effect")
    message = body.get("message")
    if message is not None:
        detail |= {"message": to.texts.text(message), "message_characters": characters(message)}
    to.marks.append(Mark(at, "error", str(body.get("code")), detail))


HANDLERS: Final[Handlers] = {
    "session.opened": _session_opened,
    "session.changed": _session_changed,
    "session.metered": _metered,
    "session.nears_end": _nears_end,
    "session.expired": _session_ends("expired"),
    "session.cancelled": _session_ends("cancelled"),
    "session.finished": _session_ends("closed"),
    "conversation.closed": _conversation_closed,
    "stream.closed": _stream_closed,
    "stream.resumed": _resumed,
    "events.missed": _missed,
    "event.rejected": _rejected,
    "frame.rejected": _rejected,
    "facts.omitted": note("facts were left out", "omitted"),
    "upstream.erred": _error,
    "content.erased": note("texts were erased"),
    "daemon.call_attached": note("the call is followed", "call_id"),
    "daemon.call_released": note("the call is followed no more", "call_id"),
}
