"""Responses, what was heard of them, and how they follow each other. Pure."""

from typing import Final

from steno.view.shapes import Body, Span, SpanMark
from steno.view.spans import Handlers, Spans, began_by_its_duration, bill, flat, note


def _response_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("response", body.get("response_id"), body.get("model"), at)
    follows = ("previous_response_id", "stream_id", "in_flight", "gap_seconds", "gap_after")
    span.detail |= flat(body, "response_id", "conversation_id", "model", *follows)
    to.know(span, "response_id")


def _output_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.find("response", body.get("response_id"))
    if span is None:
        span = to.begin("response", body.get("response_id"), body.get("model"), None)
        after = body.get("after_seconds")
        if at is not None and isinstance(after, float | int) and 0 <= after <= at:
            span.begin = round(at - after, 6)
    span.marks.append(SpanMark("first_audio" if body.get("output") == "audio" else "first_token", at))
    span.detail |= flat(body, "turn_latency_seconds")


def _response_finished(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("response", body.get("response_id"), body.get("model"), at, body.get("status"))
    began_by_its_duration(span, body)
    measures = ("duration_seconds", "time_to_first_token_seconds", "time_to_first_audio_seconds")
    names = ("response_id", "conversation_id", "model", "reason", "items", "audio_seconds", "turn_latency_seconds")
    kinds = ("service_tier", "reasoning_tokens", "warm_up")
    span.detail |= flat(body, *names, *kinds, *measures)
    to.know(span, "response_id")
    bill(span, body)


def _interrupted(to: Spans, at: float | None, body: Body) -> None:
    """Mark where a response broke off: its end stands in a record of the same moment, before or after this one."""
    key = body.get("response_id")
    span = _response(to, body)
    if span is None:
        span = to.end("response", key, body.get("model"), at, "interrupted")
    span.marks.append(SpanMark("interrupted", at))
    span.detail |= flat(body, "reason", "code")


def _response_abandoned(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("response", body.get("response_id"), body.get("model"), at, "abandoned")
    span.detail |= flat(body, "response_id")
    to.know(span, "response_id")
    bill(span, body)


def _playback_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("playback", body.get("response_id"), "playback", at)
    span.detail |= flat(body, "response_id", "turn_latency_seconds")


def _playback_stopped(to: Spans, at: float | None, body: Body) -> None:
    to.end("playback", body.get("response_id"), "playback", at, "stopped").detail |= flat(body, "response_id")


def _playback_cleared(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("playback", body.get("response_id"), "playback", at, "cleared")
    span.marks.append(SpanMark("interrupted", at))
    span.detail |= flat(body, "response_id", "played_seconds")


def _truncated(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "truncated", "cut off", body, "item_id", "audio_end_ms", "generated_ms")


# How they follow each other -------------------------------------------------------------------------------


def _response(to: Spans, body: Body) -> Span | None:
    """Return the response of a record, under way or ended."""
    key = body.get("response_id")
    return to.find("response", key) or to.known("response", key)


def _steered(to: Spans, at: float | None, body: Body) -> None:
    span = _response(to, body)
    if span is None:
        to.mark(at, "note", "steered", body, "response_id", "steer_id")
    else:
        span.marks.append(SpanMark("steered", at))


def _resent(to: Spans, at: float | None, body: Body) -> None:
    """Let a response have how much of its input was the context of the one before it."""
    span = _response(to, body)
    if span is None:
        to.mark(at, "note", "context was sent again", body, "response_id", "tokens", "cached_tokens")
        return
    span.detail |= {f"resent_{name}": value for name, value in flat(body, "tokens", "cached_tokens").items()}


def _chain_answered(to: Spans, at: float | None, body: Body) -> None:
    """Let the response that answers a chain have what the chain took."""
    span = _response(to, body)
    if span is None:
        to.mark(at, "note", "the chain was answered", body, "response_id", "tool_rounds", "responses")
        return
    span.detail |= flat(body, "tool_rounds")
    span.detail |= {f"chain_{each}": body.get(each) for each in flat(body, "responses", "duration_seconds")}


def _refused(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "refused", "the model refused", body, "response_id", "item_id")


HANDLERS: Final[Handlers] = {
    "response.started": _response_started,
    "response.output_started": _output_started,
    "response.finished": _response_finished,
    "response.interrupted": _interrupted,
    "response.abandoned": _response_abandoned,
    "response.refused": _refused,
    "steer.accepted": _steered,
    "steer.pending": note("a steered response waits for input", "response_id", "reason", "required"),
    "steer.failed": note("steering failed", "response_id", "code"),
    "context.resent": _resent,
    "chain.answered": _chain_answered,
    "playback.started": _playback_started,
    "playback.stopped": _playback_stopped,
    "playback.cleared": _playback_cleared,
    "item.truncated": _truncated,
    "deltas.differed": note("the deltas differed from the final text", "item_id"),
}
