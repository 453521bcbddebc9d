"""Conversations of responses: which event does what, and the handlers of steering, limits and errors."""

from collections.abc import Mapping, Sequence
from typing import Final

from steno.core import facts
from steno.core.facts import Content, Fact
from steno.core.frame import Frame
from steno.core.responses import lifecycle, output, requests
from steno.core.responses.output import Handler
from steno.core.responses.state import ResponsesConversation
from steno.core.routing import passed
from steno.core.session import EXPIRED
from steno.core.vocabulary import code, short
from steno.timestamps import SECOND
from steno.wire import Event, responses
from steno.wire import responses_output as events
from steno.wire.realtime_objects import ErrorDetail
from steno.wire.responses_base import ResponsesEvent
from steno.wire.responses_objects import RateLimitWindow

CONNECTION_LIMIT: Final = "websocket_connection_limit_reached"
EFFECTS: Final = {
    CONNECTION_LIMIT: "ends_session",
    "previous_response_not_found": "unknown",
    "rate_limit_exceeded": "unknown",
    "server_error": "unknown",
    "insufficient_quota": "final",
    "invalid_api_key": "final",
    "account_deactivated": "final",
    "billing_hard_limit_reached": "final",
}
"""The code of an error to what it means for what comes after it."""


# Steering -------------------------------------------------------------------------------------------------


def _numbered(state: ResponsesConversation, event: ResponsesEvent) -> None:
    """Take the number of an event that may be one of the response in progress."""
    response = state.response_of(event)
    if response is not None:
        response.numbers.take(event.sequence_number)


def steer_accepted(state: ResponsesConversation, event: responses.SteerAccepted, _frame: Frame) -> Sequence[Fact]:
    """Report that upstream took on input for a response in progress."""
    _numbered(state, event)
    steer = event.steer
    if steer is None:
        return state.reject(event, "missing_object")
    return (facts.SteerAccepted(steer_id=steer.id, response_id=steer.previous_response_id),)


def steer_pending(state: ResponsesConversation, event: responses.SteerPending, _frame: Frame) -> Sequence[Fact]:
    """Report that the successor of a steered response waits for its client."""
    _numbered(state, event)
    steer = event.steer
    if steer is None:
        return state.reject(event, "missing_object")
    return (
        facts.SteerPending(
            steer_id=steer.id,
            response_id=steer.previous_response_id,
            reason=short(event.reason),
            required=len(event.required_input or ()),
        ),
    )


def steer_failed(state: ResponsesConversation, event: responses.SteerFailed, _frame: Frame) -> Sequence[Fact]:
    """Report that upstream did not take on input for a response, or gave it back."""
    _numbered(state, event)
    steer = event.steer
    return (
        facts.SteerFailed(
            steer_id=steer.id if steer else None,
            response_id=steer.previous_response_id if steer else None,
            code=code(event.error),
        ),
    )


# Limits and errors ----------------------------------------------------------------------------------------


def error(state: ResponsesConversation, event: responses.ResponsesError, frame: Frame) -> Sequence[Fact]:
    """Report an error. It ends the response in progress on its lane, or refuses the request; or the connection ends."""
    detail = event.error or ErrorDetail(code=event.code, message=event.message)
    response = state.response_of(event)
    if response is not None:
        response.numbers.take(event.sequence_number)
        response.erred = (code(detail), frame.at)  # the object of a failed response may yet come
    else:
        state.take_request(event)
    state.expired |= detail.code == CONNECTION_LIMIT
    erred = facts.UpstreamErred(
        code=code(detail),
        kind=short(detail.type),
        message=None if detail.message is None else Content("message", detail.message),
        effect=EFFECTS.get(str(detail.code), "unknown"),
    )
    return (erred, *(state.session_life.end(EXPIRED) if state.expired else ()))


def rate_limits(_state: ResponsesConversation, event: responses.RateLimitsReported, frame: Frame) -> Sequence[Fact]:
    """Report what is left of each limit, in percent."""
    windows = event.rate_limits
    primary = (windows.primary if windows else None) or event.primary
    secondary = (windows.secondary if windows else None) or event.secondary
    named = (("primary", primary), ("secondary", secondary))
    return tuple([_limit(name, window, frame) for name, window in named if window is not None])


def _limit(name: str, window: RateLimitWindow, frame: Frame) -> Fact:
    used, resets_in = window.used_percent, window.reset_after_seconds
    if resets_in is None and window.reset_at is not None and frame.at is not None:
        resets_in = max(0.0, window.reset_at - frame.at / SECOND)
    return facts.RateLimitReported(
        kind=name,
        limit=100,
        remaining=None if used is None else max(0, 100 - used),
        reset_seconds=resets_in,
    )


HANDLERS: Final[Mapping[type[Event], Handler]] = {
    responses.Created: lifecycle.begun,
    responses.Queued: lifecycle.begun,
    responses.InProgress: lifecycle.begun,
    responses.Completed: lifecycle.ended,
    responses.Failed: lifecycle.ended,
    responses.Incomplete: lifecycle.ended,
    responses.Done: lifecycle.ended,
    responses.SteerAccepted: steer_accepted,
    responses.SteerPending: steer_pending,
    responses.SteerFailed: steer_failed,
    responses.ResponsesError: error,
    responses.RateLimitsReported: rate_limits,
    responses.ResponseMetadata: passed,
    responses.KeptAlive: passed,
    responses.ResponseCreate: requests.asked,
    responses.ResponseSteer: requests.steered,
    events.OutputItemAdded: output.item_added,
    events.OutputItemDone: output.item_done,
    events.ContentPartAdded: output.passed,
    events.ContentPartDone: output.text_done("message"),
    events.TextDelta: output.text_delta,
    events.TextDone: output.text_done("message"),
    events.AnnotationAdded: output.passed,
    events.RefusalDelta: output.text_delta,
    events.RefusalDone: output.text_done("message"),
    events.ReasoningDelta: output.reasoning_delta,
    events.ReasoningDone: output.text_done("reasoning"),
    events.SummaryPartAdded: output.passed,
    events.SummaryPartDone: output.summary_done,
    events.SummaryDelta: output.summary_delta,
    events.SummaryDone: output.summary_done,
    events.Compacting: output.passed,
    events.AudioDelta: output.audio_delta,
    events.AudioDone: output.passed,
    events.TranscriptDelta: output.transcript_delta,
    events.TranscriptDone: output.passed,
    events.ArgumentsDelta: output.call_delta,
    events.ArgumentsDone: output.call_done,
    events.McpArgumentsDelta: output.call_delta,
    events.McpArgumentsDone: output.call_done,
    events.InputDelta: output.call_delta,
    events.InputDone: output.call_done,
    events.CodeDelta: output.call_delta,
    events.CodeDone: output.call_done,
    events.PatchDelta: output.call_delta,
    events.PatchDone: output.call_done,
    events.CommandAdded: output.passed,
    events.CommandDelta: output.command_delta,
    events.CommandDone: output.command_done,
    events.CommandOutputDelta: output.passed,
    events.CommandOutputDone: output.passed,
    events.McpInProgress: output.call_runs,
    events.McpCompleted: output.returned("completed"),
    events.McpFailed: output.returned("failed"),
    events.ListInProgress: output.passed,
    events.ListCompleted: output.listed("completed"),
    events.ListFailed: output.listed("failed"),
    events.WebSearchInProgress: output.call_runs,
    events.WebSearchRuns: output.call_runs,
    events.WebSearchCompleted: output.returned("completed"),
    events.FileSearchInProgress: output.call_runs,
    events.FileSearchRuns: output.call_runs,
    events.FileSearchCompleted: output.returned("completed"),
    events.CodeInProgress: output.call_runs,
    events.CodeRuns: output.call_runs,
    events.CodeCompleted: output.returned("completed"),
    events.ImageInProgress: output.call_runs,
    events.ImageRuns: output.call_runs,
    events.ImagePartial: output.passed,
    events.ImageCompleted: output.returned("completed"),
}
"""Event to its handler. `passed` is a decision, not an omission: another event reports the same, and more."""
