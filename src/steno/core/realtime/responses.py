"""Responses: from `response.created` over deltas to `response.done`, whose object stands whatever came before it."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final

from steno.core import facts, tools
from steno.core.billing import costs, usage
from steno.core.conversation import NOTHING
from steno.core.facts import EventRejected, Fact
from steno.core.frame import Frame
from steno.core.realtime import items
from steno.core.realtime.state import OpenResponse, RealtimeConversation
from steno.core.vocabulary import RESPONSE_ENDS, closed, response_reason
from steno.wire import raw_object, realtime
from steno.wire.realtime_objects import RealtimeResponse, RealtimeResponseUsage, conversation_of

Handler = Callable[[RealtimeConversation, Any, Frame], Sequence[Fact]]
ResponseHandler = Callable[[RealtimeConversation, Any, Frame, OpenResponse], Sequence[Fact]]

FAILED: Final = "failed"


# The beginning --------------------------------------------------------------------------------------------


def created(state: RealtimeConversation, event: realtime.ResponseCreated, frame: Frame) -> Sequence[Fact]:
    """Open a response."""
    response = event.response
    if response is None or response.id is None:
        return state.reject(event, "missing_object")
    if response.id in state.open or response.id in state.ended_responses:
        return state.reject(event, "repeated")
    conversation_id = conversation_of(response)
    state.conversation_id = conversation_id or state.conversation_id
    raw = state.within_limit(raw_object(event, frame.payload))
    opened = OpenResponse(response.id, frame.at, state.model(response), raw)
    opened.out_of_band = response.conversation_id is None
    opened.conversation_id = conversation_id
    state.open[response.id] = opened
    return _started(state, opened, conversation_id)


def _started(state: RealtimeConversation, opened: OpenResponse, conversation_id: str | None) -> Sequence[Fact]:
    """Report that a response began, and which one is given up where too many are open."""
    started = facts.ResponseStarted(response_id=opened.id, conversation_id=conversation_id, model=opened.model)
    if len(state.open) <= state.limits.open_responses:
        return (started,)
    oldest = state.open.pop(next(iter(state.open)))
    return (started, facts.ResponseAbandoned(response_id=oldest.id, model=oldest.model))


def _unannounced(handler: Handler, state: RealtimeConversation, event: Any, frame: Frame) -> Sequence[Fact]:
    """Open the response that `event` names, and let `handler` go on.

    A client that joins in the middle of an answer is not sent its `response.created` again. When such a response began
    is unknown, so it has no durations. An event after the end of its response opens nothing.
    """
    key = event.response_id
    if not key or key in state.ended_responses:  # an empty id names no response
        return state.reject(event, "unknown_response")
    opened = state.open[key] = OpenResponse(key, None, state.session_model, b"")
    handled = handler(state, event, frame)
    if handled and type(handled[0]) is EventRejected:
        del state.open[key]
        return handled
    return (*_started(state, opened, None), *handled)


def _of_open_response(handler: ResponseHandler) -> Handler:
    """Give `handler` the open response that its event names, opened if it was not announced."""

    @wraps(handler)
    def handle(state: RealtimeConversation, event: Any, frame: Frame) -> Sequence[Fact]:
        response = state.open.get(event.response_id) if event.response_id else None
        if response is None:
            return _unannounced(handle, state, event, frame)
        return handler(state, event, frame, response)

    return handle


# Deltas ---------------------------------------------------------------------------------------------------

# Most events of a stream are deltas. Their two handlers look the response up themselves, since the call that
# `_of_open_response` puts around a handler would be the most expensive thing that they do.


def content_delta(
    state: RealtimeConversation,
    event: realtime.TextDelta | realtime.TranscriptDelta | realtime.ArgumentsDelta | realtime.McpArgumentsDelta,
    frame: Frame,
) -> Sequence[Fact]:
    """Add a piece of text, of a transcript, or of the arguments of a tool call."""
    response = state.open.get(event.response_id)  # type: ignore[arg-type]  # None is no key, and not found
    if response is None:
        return _unannounced(content_delta, state, event, frame)
    if event.item_id is None:
        return state.reject(event, "missing_id")
    if response.first_token_at is None:
        response.first_token_at = frame.at
    if event.delta:
        item = state.items.get(event.item_id)
        if item is None:
            item = items.begin_output(state, event.item_id, response)
        state.transcript.grow(item, event.content_index, event.delta)
    return NOTHING


def audio_delta(state: RealtimeConversation, event: realtime.AudioDelta, frame: Frame) -> Sequence[Fact]:
    """Measure a piece of speech. The first one may answer the turn."""
    response = state.open.get(event.response_id)  # type: ignore[arg-type]  # None is no key, and not found
    if response is None:
        return _unannounced(audio_delta, state, event, frame)
    if response.first_audio_at is None:
        response.first_audio_at = frame.at
        waited_since = state.turn.audio_began(out_of_band=response.out_of_band)
        response.turn_latency = state.elapsed(waited_since, frame.at)
    if event.delta:
        size = realtime.audio_bytes(event.delta)
        response.audio_bytes += size
        if event.item_id is not None:
            item = state.items.get(event.item_id)
            if item is None:
                item = items.begin_output(state, event.item_id, response)
            item.audio_bytes += size
    return NOTHING


# Parts and items ------------------------------------------------------------------------------------------


@_of_open_response
def part_done(
    state: RealtimeConversation,
    event: realtime.TextDone | realtime.TranscriptDone | realtime.ContentPartDone,
    _frame: Frame,
    response: OpenResponse,
) -> Sequence[Fact]:
    """Take the final text, or the final transcript, of a part."""
    if event.item_id is None:
        return state.reject(event, "missing_id")
    item = state.items.get(event.item_id) or items.begin_output(state, event.item_id, response)
    text = _text_of(event)
    return items.settle_parts(state, item, [] if text is None else [(event.content_index or 0, text)], "content")


def _text_of(event: realtime.TextDone | realtime.TranscriptDone | realtime.ContentPartDone) -> str | None:
    if isinstance(event, realtime.TextDone):
        return event.text
    if isinstance(event, realtime.TranscriptDone):
        return event.transcript
    part = event.part  # some servers leave the part out
    return (part.text if part.text is not None else part.transcript) if part else None


@_of_open_response
def arguments_done(
    state: RealtimeConversation,
    event: realtime.ArgumentsDone | realtime.McpArgumentsDone,
    frame: Frame,
    response: OpenResponse,
) -> Sequence[Fact]:
    """Take the final arguments of a tool call: the call is complete, and its output is waited for."""
    if event.item_id is None:
        return state.reject(event, "missing_id")
    item = state.items.get(event.item_id) or items.begin_output(state, event.item_id, response)
    call_id = event.call_id if isinstance(event, realtime.ArgumentsDone) else event.item_id
    tools.called(state, call_id, frame.at, event.arguments)
    parts = [] if event.arguments is None else [(0, event.arguments)]
    return items.settle_parts(state, item, parts, "arguments")


@_of_open_response
def output_item_added(
    state: RealtimeConversation, event: realtime.OutputItemAdded, _frame: Frame, response: OpenResponse
) -> Sequence[Fact]:
    """Add an item that the model began."""
    if event.item is None or event.item.id is None:
        return state.reject(event, "missing_object")
    return items.output_added(state, event.item, response)


@_of_open_response
def output_item_done(
    state: RealtimeConversation, event: realtime.OutputItemDone, frame: Frame, response: OpenResponse
) -> Sequence[Fact]:
    """Take the final form of an item of a response."""
    if event.item is None or event.item.id is None:
        return state.reject(event, "missing_object")
    return items.output_done(state, event.item, response.id, frame, out_of_band=response.out_of_band)


# The end --------------------------------------------------------------------------------------------------


def done(state: RealtimeConversation, event: realtime.ResponseDone, frame: Frame) -> Sequence[Fact]:
    """End a response. It need not have been seen to begin."""
    response = event.response
    if response is None:
        return state.reject(event, "missing_object")
    if response.id is not None and response.id in state.ended_responses:
        return state.reject(event, "repeated")
    opened = state.open.pop(response.id, None) if response.id is not None else None
    if response.id is not None:
        state.ended_responses.add(response.id)
    state.conversation_id = conversation_of(response) or state.conversation_id
    state.responses.add(raw_object(event, frame.payload))
    out_of_band = response.conversation_id is None
    settled = [
        fact
        for item in response.output or ()
        if item.id
        for fact in items.output_done(state, item, response.id, frame, out_of_band=out_of_band)
    ]
    return (*settled, *_finish(state, event, response, opened, frame))


def _finish(
    state: RealtimeConversation,
    event: realtime.ResponseDone,
    response: RealtimeResponse,
    opened: OpenResponse | None,
    frame: Frame,
) -> Sequence[Fact]:
    """Count an ended response. Report its end, and that it broke off, with the tool calls that are lost by that."""
    finished = _finished(state, event, response, opened or OpenResponse("", None, None, b""), frame)
    totals = state.totals
    totals.responses[finished.status] = totals.responses.get(finished.status, 0) + 1
    totals.add_tokens(finished.tokens)
    if finished.reason is None:
        return (finished,)
    cause = FAILED if finished.status == FAILED else finished.reason
    totals.interrupt(cause)
    interrupted = facts.ResponseInterrupted(
        response_id=response.id,
        reason=cause,
        code=finished.reason if cause == FAILED else None,
        model=finished.model,
    )
    return (finished, interrupted, *_abandoned_calls(state, response))


def _abandoned_calls(state: RealtimeConversation, response: RealtimeResponse) -> list[Fact]:
    """End the tool calls that a response broke off in: nobody runs half a call."""
    if response.id is None:
        return []
    complete = {items.call_id_of(item) for item in response.output or () if item.status == "completed"}
    broken = [key for key, call in state.calls.items() if call.owner == response.id and key not in complete]
    return [fact for key in broken for fact in tools.finish(state, key, "abandoned", None)]


def _finished(
    state: RealtimeConversation,
    event: realtime.ResponseDone,
    response: RealtimeResponse,
    opened: OpenResponse,
    frame: Frame,
) -> facts.ResponseFinished:
    status = closed(response.status, RESPONSE_ENDS)
    model = state.model(response)
    output = response.output or ()
    audio = response.audio.output if response.audio else None
    tokens = usage.of_response(_usage_of(event, response), model)
    return facts.ResponseFinished(
        response_id=response.id,
        status=status,
        reason=response_reason(status, response.status_details),
        conversation_id=conversation_of(response),
        model=model,
        items=len(output),
        output=tuple(content for item in output if (content := items.content_of(item)) is not None),
        audio_seconds=state.audio_seconds(opened.audio_bytes, audio, response.output_audio_format),
        duration_seconds=state.elapsed(opened.created_at, frame.at),
        time_to_first_token_seconds=state.elapsed(opened.created_at, opened.first_token_at),
        time_to_first_audio_seconds=state.elapsed(opened.created_at, opened.first_audio_at),
        turn_latency_seconds=opened.turn_latency,
        tokens=tokens,
        cost=costs.of_tokens(state, tokens),
        metadata=facts.metadata_content(response.metadata),
    )


def _usage_of(event: realtime.ResponseDone, response: RealtimeResponse) -> RealtimeResponseUsage | None:
    """Return the usage of a response. xAI puts an empty one into the response, and the true one beside it."""
    reported = response.usage
    if reported is None or reported.output_tokens is None:
        return event.usage or reported
    return reported
