"""What each record adds to a timeline: a span begins or ends, gets a mark, or a moment is marked beside them. Pure.

`HANDLERS` is the table. A record that is not in it is not drawn.
"""

from collections.abc import Callable, Mapping
from typing import Final

from steno.view.shapes import Body, Flat, Lane, Mark, MarkKind, Span, SpanMark, Texts, characters


class Spans:
    """The spans and marks of one conversation so far."""

    def __init__(self, texts: Texts) -> None:
        """Begin empty; texts in details are what `texts` shows."""
        self.spans: list[Span] = []
        self.marks: list[Mark] = []
        self.texts = texts
        self.uncommitted: list[Span] = []
        """Speech that was not committed when it was looked at last, the newest last."""
        self.silences: set[Flat] = set()
        """Items that hold nothing but silence."""
        self._open: dict[Lane, dict[str | None, Span]] = {}
        self._known: dict[tuple[Lane, Flat], Span] = {}
        self._ids: dict[str, int] = {}

    def add(self, at: float | None, fact: str, body: Body) -> None:
        """Take in one record."""
        handler = HANDLERS.get(fact)
        if handler is not None:
            handler(self, at, body)

    def begin(self, lane: Lane, key: str | None, label: str | None, at: float | None) -> Span:
        """Begin a span; what it is known by may come again."""
        name = f"{lane}:{key or ''}"
        number = self._ids[name] = self._ids.get(name, 0) + 1
        span = Span(id=name if number == 1 and key else f"{name}#{number}", lane=lane, label=label or lane, begin=at)
        self.spans.append(span)
        self._open.setdefault(lane, {})[key] = span
        if lane == "speech":
            self.uncommitted.append(span)
        return span

    def find(self, lane: Lane, key: str | None) -> Span | None:
        """Return the span that is under way; where nothing names one, the only one of the lane."""
        under_way = self._open.get(lane, {})
        return under_way.get(_name(under_way, key))

    def end(self, lane: Lane, key: str | None, label: str | None, at: float | None, status: str | None) -> Span:
        """End a span. One whose beginning is not among the records is added."""
        span = self.find(lane, key) or self.begin(lane, key, label, None)
        under_way = self._open[lane]
        del under_way[_name(under_way, key)]
        span.end, span.status = at, status
        span.label = label or span.label
        return span

    def end_all(self, lane: Lane, at: float | None, status: str | None) -> None:
        """End all spans of a lane that are under way."""
        for key in list(self._open.get(lane, ())):
            self.end(lane, key, None, at, status)

    def know(self, span: Span, member: str) -> None:
        """Let a span be found by a member of its details, once it has ended too."""
        self._known[span.lane, span.detail.get(member)] = span

    def known(self, lane: Lane, key: Flat) -> Span | None:
        """Return the span that was known by `key` last."""
        return self._known.get((lane, key))

    def mark(self, at: float | None, kind: MarkKind, label: object, body: Body, *members: str) -> None:
        """Mark a moment, with some members of the record."""
        self.marks.append(Mark(at, kind, str(label), flat(body, *members)))


def _name(under_way: Mapping[str | None, Span], key: str | None) -> str | None:
    """Return what a span of a lane is under way by: `key`, or the only name where there is none."""
    return next(iter(under_way)) if key is None and None not in under_way and len(under_way) == 1 else key


def flat(body: Body, *members: str) -> dict[str, Flat]:
    """Return those members that are known and no object."""
    return {name: body[name] for name in members if isinstance(body.get(name), str | float | int | bool)}


def _began_by_its_duration(span: Span, body: Body) -> None:
    """Let a span whose beginning is not among the records begin where its duration says."""
    lasted = body.get("duration_seconds")
    if span.begin is None and span.end is not None and isinstance(lasted, float | int) and 0 <= lasted <= span.end:
        span.begin = round(span.end - lasted, 6)


# Speech ---------------------------------------------------------------------------------------------------


def _speech_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("speech", body.get("item_id"), "user", at)
    span.detail |= flat(body, "item_id", "audio_start_ms")
    to.know(span, "item_id")


def _speech_stopped(to: Spans, at: float | None, body: Body) -> None:
    key = body.get("item_id")
    span = to.end("speech", key if to.find("speech", key) else None, "user", at, "stopped")
    span.detail |= flat(body, "item_id", "audio_end_ms", "duration_seconds")
    to.know(span, "item_id")
    _began_by_its_duration(span, body)


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
    _bill(span, body)


def _unanswered(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "unanswered", "not answered", body, "item_id", "ended_by", "waited_seconds")


# Responses ------------------------------------------------------------------------------------------------


def _response_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("response", body.get("response_id"), body.get("model"), at)
    span.detail |= flat(body, "response_id", "conversation_id", "model")
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
    _began_by_its_duration(span, body)
    measures = ("duration_seconds", "time_to_first_token_seconds", "time_to_first_audio_seconds")
    names = ("response_id", "conversation_id", "model", "reason", "items", "audio_seconds", "turn_latency_seconds")
    span.detail |= flat(body, *names, *measures)
    to.know(span, "response_id")
    _bill(span, body)


def _interrupted(to: Spans, at: float | None, body: Body) -> None:
    """Mark where a response broke off: its end stands in a record of the same moment, before or after this one."""
    key = body.get("response_id")
    span = to.find("response", key) or to.known("response", key)
    if span is None:
        span = to.end("response", key, body.get("model"), at, "interrupted")
    span.marks.append(SpanMark("interrupted", at))
    span.detail |= flat(body, "reason", "code")


def _response_abandoned(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("response", body.get("response_id"), body.get("model"), at, "abandoned")
    span.detail |= flat(body, "response_id")
    to.know(span, "response_id")
    _bill(span, body)


def _bill(span: Span, body: Body) -> None:
    span.tokens = list(body.get("tokens") or ())
    cost = body.get("cost")
    span.cost = {name: cost.get(name) for name in ("usd", "unpriced", "model", "lines")} if cost else None


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


# Tools, runs, steps ---------------------------------------------------------------------------------------


def _call_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("tool", body.get("call_id"), body.get("name") or body.get("kind"), at)
    span.detail |= flat(body, "call_id", "kind", "name")


def _call_finished(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("tool", body.get("call_id"), body.get("name") or body.get("kind"), at, body.get("status"))
    _began_by_its_duration(span, body)
    span.detail |= flat(body, "call_id", "kind", "name", "duration_seconds", "arguments_whole", "error")


def _run_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("run", body.get("run_id"), body.get("model"), at)
    span.detail |= flat(body, "run_id", "assistant_id", "model")


def _action_required(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "note", "waits for the outputs of tools", body, "run_id", "calls")


def _run_finished(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("run", body.get("run_id"), body.get("model"), at, body.get("status"))
    _began_by_its_duration(span, body)
    span.detail |= flat(body, "run_id", "model", "reason", "duration_seconds", "queue_seconds", "action_seconds")
    _bill(span, body)


def _run_abandoned(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("run", body.get("run_id"), body.get("model"), at, "abandoned")
    _bill(span, body)


def _step_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("step", body.get("step_id"), body.get("kind"), at)
    span.detail |= flat(body, "step_id", "run_id", "kind")


def _step_finished(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("step", body.get("step_id"), body.get("kind"), at, body.get("status"))
    _began_by_its_duration(span, body)
    names = ("step_id", "run_id", "kind", "reason", "duration_seconds", "prompt_tokens", "completion_tokens")
    span.detail |= flat(body, *names)


def _step_abandoned(to: Spans, at: float | None, body: Body) -> None:
    to.end("step", body.get("step_id"), None, at, "abandoned").detail |= flat(body, "step_id", "run_id")


# Sessions and streams -------------------------------------------------------------------------------------

_SESSION: Final = ("session_id", "kind", "model", "expires_at")


def _session_opened(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("session", body.get("session_id"), body.get("kind"), at)
    span.detail |= flat(body, *_SESSION)


def _session_changed(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "session", "changed", body, *_SESSION)
    span = to.find("session", body.get("session_id"))
    if span is not None:
        span.detail |= flat(body, *_SESSION)


def _nears_end(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "session", "nears its end", body, "session_id", "kind", "seconds_left")


def _session_ends(status: str) -> "Handler":
    def ended(to: Spans, at: float | None, body: Body) -> None:
        span = to.end("session", body.get("session_id"), body.get("kind"), at, body.get("status") or status)
        span.detail |= flat(body, "session_id", "kind", "reason", "model", "seconds")
        to.mark(at, "session", span.status or status, body, "session_id", "kind", "reason")
        _bill(span, body)

    return ended


def _conversation_closed(to: Spans, at: float | None, body: Body) -> None:
    """End the sessions: nothing more is heard of them."""
    to.end_all("session", at, body.get("reason"))


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


def _note(label: str, *members: str) -> "Handler":
    return lambda to, at, body: to.mark(at, "note", label, body, *members)


Handler = Callable[[Spans, float | None, Body], None]

HANDLERS: Final[Mapping[str, Handler]] = {
    "speech.started": _speech_started,
    "speech.stopped": _speech_stopped,
    "input.committed": _committed,
    "input.timed_out": _timed_out,
    "transcription.finished": _transcribed,
    "turn.unanswered": _unanswered,
    "dtmf.received": _note("a key of the telephone"),
    "response.started": _response_started,
    "response.output_started": _output_started,
    "response.finished": _response_finished,
    "response.interrupted": _interrupted,
    "response.abandoned": _response_abandoned,
    "playback.started": _playback_started,
    "playback.stopped": _playback_stopped,
    "playback.cleared": _playback_cleared,
    "item.truncated": _truncated,
    "item.deleted": _note("an item was deleted", "item_id"),
    "deltas.differed": _note("the deltas differed from the final text", "item_id"),
    "tool_call.started": _call_started,
    "tool_call.finished": _call_finished,
    "tool_calls.billed": _note("built-in tools were billed", "response_id", "kind", "calls"),
    "tools.listed": _note("tools were listed", "item_id", "status"),
    "approval.requested": _note("approval is asked for", "item_id", "name"),
    "approval.given": _note("approval was decided", "request_id", "approved"),
    "run.started": _run_started,
    "run.action_required": _action_required,
    "run.finished": _run_finished,
    "run.abandoned": _run_abandoned,
    "run_step.started": _step_started,
    "run_step.finished": _step_finished,
    "run_step.abandoned": _step_abandoned,
    "session.opened": _session_opened,
    "session.changed": _session_changed,
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
    "facts.omitted": _note("facts were left out", "omitted"),
    "upstream.erred": _error,
    "thread.created": _note("the thread was created", "thread_id"),
    "thread.deleted": _note("the thread was deleted", "thread_id"),
    "content.erased": _note("texts were erased"),
    "daemon.call_attached": _note("the call is followed", "call_id"),
    "daemon.call_released": _note("the call is followed no more", "call_id"),
}
"""What each record does."""
