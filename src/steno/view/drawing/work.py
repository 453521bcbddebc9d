"""Calls of tools, runs and their steps, and work that the model handed on. Pure."""

from typing import Final

from steno.view.shapes import Body
from steno.view.spans import Handlers, Spans, began_by_its_duration, bill, flat, note


def _call_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("tool", body.get("call_id"), body.get("name") or body.get("kind"), at)
    span.detail |= flat(body, "call_id", "kind", "name")


def _call_finished(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("tool", body.get("call_id"), body.get("name") or body.get("kind"), at, body.get("status"))
    began_by_its_duration(span, body)
    span.detail |= flat(body, "call_id", "kind", "name", "duration_seconds", "arguments_whole", "error")


def _run_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("run", body.get("run_id"), body.get("model"), at)
    span.detail |= flat(body, "run_id", "assistant_id", "model")


def _action_required(to: Spans, at: float | None, body: Body) -> None:
    to.mark(at, "note", "waits for the outputs of tools", body, "run_id", "calls")


def _run_finished(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("run", body.get("run_id"), body.get("model"), at, body.get("status"))
    began_by_its_duration(span, body)
    span.detail |= flat(body, "run_id", "model", "reason", "duration_seconds", "queue_seconds", "action_seconds")
    bill(span, body)


def _run_abandoned(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("run", body.get("run_id"), body.get("model"), at, "abandoned")
    bill(span, body)


def _step_started(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("step", body.get("step_id"), body.get("kind"), at)
    span.detail |= flat(body, "step_id", "run_id", "kind")


def _step_finished(to: Spans, at: float | None, body: Body) -> None:
    span = to.end("step", body.get("step_id"), body.get("kind"), at, body.get("status"))
    began_by_its_duration(span, body)
    names = ("step_id", "run_id", "kind", "reason", "duration_seconds", "prompt_tokens", "completion_tokens")
    span.detail |= flat(body, *names)


def _step_abandoned(to: Spans, at: float | None, body: Body) -> None:
    to.end("step", body.get("step_id"), None, at, "abandoned").detail |= flat(body, "step_id", "run_id")


def _delegated(to: Spans, at: float | None, body: Body) -> None:
    span = to.begin("delegation", body.get("delegation_id"), body.get("target"), at)
    span.detail |= flat(body, "delegation_id", "target", "response_id", "offset_ms")
    to.know(span, "delegation_id")
    to.clock.bound(at, body.get("offset_ms"))


def _delegation_finished(to: Spans, at: float | None, body: Body) -> None:
    key, status = body.get("delegation_id"), body.get("status")
    span = to.end("delegation", key, body.get("target"), at, status)
    began_by_its_duration(span, body)
    span.detail |= flat(body, "delegation_id", "target", "responses", "duration_seconds")
    to.know(span, "delegation_id")


def _decided(to: Spans, at: float | None, body: Body) -> None:
    """Let the delegation that a decision answers have its price; one that a trigger asked for is a moment."""
    key = body.get("delegation_id")
    span = to.find("delegation", key) or to.known("delegation", key) if key is not None else None
    if span is None:
        span = to.end("delegation", f"decision {body.get('trigger_id') or ''}", "decisions", at, "answered")
        span.begin = at
    span.detail |= flat(body, "trigger_id", "model", "answers", "refusals")
    bill(span, body)


HANDLERS: Final[Handlers] = {
    "tool_call.started": _call_started,
    "tool_call.finished": _call_finished,
    "tool_calls.billed": note("built-in tools were billed", "response_id", "kind", "calls"),
    "tools.listed": note("tools were listed", "item_id", "status"),
    "approval.requested": note("approval is asked for", "item_id", "name"),
    "approval.given": note("approval was decided", "request_id", "approved"),
    "run.started": _run_started,
    "run.action_required": _action_required,
    "run.finished": _run_finished,
    "run.abandoned": _run_abandoned,
    "run_step.started": _step_started,
    "run_step.finished": _step_finished,
    "run_step.abandoned": _step_abandoned,
    "delegation.opened": _delegated,
    "delegation.finished": _delegation_finished,
    "decision.made": _decided,
    "thread.created": note("the thread was created", "thread_id"),
    "thread.deleted": note("the thread was deleted", "thread_id"),
}
