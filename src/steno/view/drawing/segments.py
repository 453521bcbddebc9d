"""Who spoke when in a session that is spoken all the time, and when nobody did. Pure.

A segment is reported after its end, with its place on upstream's clock.
"""

from typing import Final

from steno.view.shapes import Body, Lane, Span
from steno.view.spans import Handler, Handlers, Spans, began_by_its_duration, flat, note
from steno.view.upstream_clock import Place


def _segment(to: Spans, at: float | None, body: Body) -> None:
    said_by_model = body.get("role") == "assistant"
    lane: Lane = "voice" if said_by_model else "speech"
    span = to.end(lane, f"{lane} at {body.get('start_ms')}", "model" if said_by_model else "user", at, "finished")
    span.detail |= flat(body, "model", "start_ms", "end_ms", "double_talk_seconds", "turn_latency_seconds")
    to.clock.bound(at, body.get("end_ms"))
    to.clock.wait(body.get("start_ms"), body.get("end_ms"), _placing(span))


def _placing(span: Span) -> Place:
    def place(begin: float | None, end: float | None) -> None:
        span.begin, span.end = begin, span.end if end is None else end

    return place


def _context(to: Spans, at: float | None, body: Body) -> None:
    to.clock.bound(at, body.get("start_ms"))
    to.mark(at, "note", f"{body.get('kind')} for the model", body, "kind", "start_ms")


def _pause_begins(label: str) -> Handler:
    def begun(to: Spans, at: float | None, _body: Body) -> None:
        if to.find("pause", label) is None:
            to.begin("pause", label, label, at)

    return begun


def _pause_ends(label: str) -> Handler:
    def ended(to: Spans, at: float | None, body: Body) -> None:
        span = to.end("pause", label, label, at, "over")
        began_by_its_duration(span, {"duration_seconds": body.get("paused_seconds")})

    return ended


HANDLERS: Final[Handlers] = {
    "segment.finished": _segment,
    "context.appended": _context,
    "session.paused": _pause_begins("paused"),
    "session.resumed": _pause_ends("paused"),
    "input.muted": _pause_begins("muted"),
    "input.unmuted": _pause_ends("muted"),
    "call.rang": note("the telephone rings"),
    "call.answered": note("the call was answered", "ringing_seconds"),
    "call.failed": note("the call failed", "code"),
    "dtmf.sent": note("a key was sent"),
}
