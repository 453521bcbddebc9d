"""Responses: from `response.created` over deltas to `response.done`, whose object stands whatever came before it."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final

from steno.core import facts
from steno.core.billing import costs, usage
from steno.core.billing.costs import Terms
from steno.core.conversation import DUPLICATED, NOTHING, counted
from steno.core.facts import Content, EventRejected, Fact
from steno.core.frame import Frame
from steno.core.realtime import calls, items
from steno.core.realtime.audio_formats import format_of
from steno.core.realtime.in_progress import OpenResponse
from steno.core.realtime.names import speaks_by
from steno.core.realtime.state import RealtimeConversation
from steno.core.transcript import PartName
from steno.core.vocabulary import RESPONSE_ENDS, closed, response_reason, short
from steno.wire import raw_object, realtime
from steno.wire.realtime_objects import RealtimeResponse, conversation_of
from steno.wire.usage import Usage

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
    opened = OpenResponse(response.id, frame.at, state.terms(state.model(response)), state.ms_per_byte(), raw)
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
    return (started, state.abandoned(oldest))


def unannounced(handler: Handler, state: RealtimeConversation, event: Any, frame: Frame) -> Sequence[Fact]:
    """Open the response that `event` names, and let `handler` go on.

    A client that joins in the middle of an answer is not sent its `response.created` again. When such a response began
    is unknown, so it has no durations. An event after the end of its response opens nothing.
    """
    key = event.response_id
    if not key or key in state.ended_responses:  # an empty id names no response
        return state.reject(event, "unknown_response")
    opened = state.open[key] = _unseen(state, key)
    handled = handler(state, event, frame)
    if handled and type(handled[0]) is EventRejected:
        del state.open[key]
        return handled
    return (*_started(state, opened, None), *handled)


def _unseen(state: RealtimeConversation, key: str) -> OpenResponse:
    """Return a response whose beginning was not seen, under what holds now."""
    return OpenResponse(key, None, state.terms(state.session_model), state.ms_per_byte(), b"")


def _of_open_response(handler: ResponseHandler) -> Handler:
    """Give `handler` the open response that its event names, opened if it was not announced."""

    @wraps(handler)
    def handle(state: RealtimeConversation, event: Any, frame: Frame) -> Sequence[Fact]:
        response = state.open.get(event.response_id) if event.response_id else None
        if response is None:
            return unannounced(handle, state, event, frame)
        return handler(state, event, frame, response)

    return handle


# Deltas ---------------------------------------------------------------------------------------------------

# Most events of a stream are deltas. Their handlers look the response up themselves, since the call that
# `_of_open_response` puts around a handler would be the most expensive thing that they do. There is one handler a name
# of the event, which knows its name without looking.


def text_deltas(name: PartName) -> Handler:
    """Return the handler of the deltas of text, or of a transcript, that are called `name`."""

    def content_delta(
        state: RealtimeConversation, event: realtime.TextDelta | realtime.TranscriptDelta, frame: Frame
    ) -> Sequence[Fact]:
        """Add a piece of text, or of a transcript."""
        response = state.open.get(event.response_id)  # type: ignore[arg-type]  # None is no key, and not found
        if response is None:
            return unannounced(content_delta, state, event, frame)
        if event.item_id is None:
            return state.reject(event, "missing_id")
        if not event.delta:
            return NOTHING
        item = state.items.get(event.item_id)
        if item is None:
            item = items.begin_output(state, event.item_id, response, "message")
        if not state.transcript.grow(item, event.content_index, event.delta, name):
            return DUPLICATED
        return NOTHING if response.has_text else _words_started(state, response, frame)

    return content_delta


def audio_deltas(name: PartName) -> Handler:
    """Return the handler of the deltas of speech that are called `name`."""

    def audio_delta(state: RealtimeConversation, event: realtime.AudioDelta, frame: Frame) -> Sequence[Fact]:
        """Measure a piece of speech. The first one may answer the turn."""
        response = state.open.get(event.response_id)  # type: ignore[arg-type]  # None is no key, and not found
        if response is None:
            return unannounced(audio_delta, state, event, frame)
        if not event.delta:
            return NOTHING
        if event.item_id is None:
            return _speech_of_no_item(state, response, event, name, frame)
        item = state.items.get(event.item_id)
        if item is None:
            item = items.begin_output(state, event.item_id, response, "message")
        index = event.content_index
        if (item.audio_name is not name or item.audio_index != index) and not speaks_by(item, index, name):
            return DUPLICATED
        size = realtime.audio_bytes(event.delta)
        response.audio_bytes += size
        item.audio_bytes += size
        return NOTHING if response.has_audio else _audio_started(state, response, frame)

    return audio_delta


def _speech_of_no_item(
    state: RealtimeConversation, response: OpenResponse, event: realtime.AudioDelta, name: PartName, frame: Frame
) -> Sequence[Fact]:
    """Measure a piece of speech that names no item."""
    if not speaks_by(response, event.content_index, name):
        return DUPLICATED
    response.audio_bytes += realtime.audio_bytes(event.delta or "")
    return NOTHING if response.has_audio else _audio_started(state, response, frame)


def _words_started(state: RealtimeConversation, response: OpenResponse, frame: Frame) -> Sequence[Fact]:
    """Report the first words of a response, which are an answer where it is one of the conversation."""
    if not response.out_of_band:
        state.turn.replied()
    return text_started(state, response, frame)


def text_started(state: RealtimeConversation, response: OpenResponse, frame: Frame) -> Sequence[Fact]:
    """Report the first text of a response."""
    response.has_text = True
    response.first_text_seconds = state.elapsed(response.created_at, frame.at)
    return (
        facts.ResponseOutputStarted(
            response_id=response.id,
            model=response.model,
            output="text",
            after_seconds=response.first_text_seconds,
        ),
    )


def _audio_started(state: RealtimeConversation, response: OpenResponse, frame: Frame) -> Sequence[Fact]:
    """Report the first audio of a response, and how long the caller had waited for it."""
    response.has_audio = True
    response.first_audio_seconds = state.elapsed(response.created_at, frame.at)
    waited_since = state.turn.audio_began(out_of_band=response.out_of_band)
    response.turn_latency = state.elapsed(waited_since, frame.at)
    return (
        facts.ResponseOutputStarted(
            response_id=response.id,
            model=response.model,
            output="audio",
            after_seconds=response.first_audio_seconds,
            turn_latency_seconds=response.turn_latency,
        ),
    )


# Parts and items ------------------------------------------------------------------------------------------


def parts_done(name: PartName | None) -> Handler:
    """Return the handler of the ends of parts whose event is called `name`; None where it has one name alone."""

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
        item = state.items.get(event.item_id) or items.begin_output(state, event.item_id, response, "message")
        item.response_id = item.response_id or response.id
        index, text = event.content_index or 0, _text_of(event)
        if text is None:
            return NOTHING
        known = item.parts.get(index)
        if known is not None and not known.settles_by(name):
            return DUPLICATED
        settled = items.settle_parts(state, item, [(index, text)], "content")
        if known is None and (part := item.parts.get(index)) is not None:
            part.settles_by(name)
        return settled

    return part_done


def audio_done(name: PartName) -> Handler:
    """Return the handler of the ends of speech that are called `name`. They change nothing but what is a duplicate."""

    def done_speaking(state: RealtimeConversation, event: realtime.AudioDone, _frame: Frame) -> Sequence[Fact]:
        item = state.items.get(event.item_id) if event.item_id else None
        if item is None:
            return NOTHING
        ended = item.audio_done
        if ended is not None and ended[0] == event.content_index and ended[1] is not name:
            return DUPLICATED
        item.audio_done = event.content_index, name
        return NOTHING

    return done_speaking


def _text_of(event: realtime.TextDone | realtime.TranscriptDone | realtime.ContentPartDone) -> str | None:
    if isinstance(event, realtime.TextDone):
        return event.text
    if isinstance(event, realtime.TranscriptDone):
        return event.transcript
    part = event.part  # some servers leave the part out
    return (part.text if part.text is not None else part.transcript) if part else None


@_of_open_response
def output_item_added(
    state: RealtimeConversation, event: realtime.OutputItemAdded, _frame: Frame, response: OpenResponse
) -> Sequence[Fact]:
    """Add an item that the model began."""
    if event.item is None or items.key_of(event.item) is None:
        return state.reject(event, "missing_object")
    return items.output_added(state, event.item, response)


def output_item_done(state: RealtimeConversation, event: realtime.OutputItemDone, frame: Frame) -> Sequence[Fact]:
    """Take the final form of an item of a response. Once that has ended, only that of a call not over is news."""
    late = event.response_id is not None and event.response_id in state.ended_responses
    if late and event.item is not None and calls.says_more(state, event.item):
        return items.output_done(state, event.item, event.response_id, frame, out_of_band=False)
    return _output_item_done(state, event, frame)


@_of_open_response
def _output_item_done(
    state: RealtimeConversation, event: realtime.OutputItemDone, frame: Frame, response: OpenResponse
) -> Sequence[Fact]:
    if event.item is None or items.key_of(event.item) is None:
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
    if not out_of_band and _answers_at_its_end(response, opened):
        state.turn.replied()
    settled = [
        fact
        for item in response.output or ()
        if items.key_of(item)
        for fact in items.output_done(state, item, response.id, frame, out_of_band=out_of_band)
    ]
    return (*settled, *_finish(state, event, response, opened, frame))


def _answers_at_its_end(response: RealtimeResponse, opened: OpenResponse | None) -> bool:
    """Return whether a response of which no delta was seen is an answer: it says something, or was spoken over."""
    if opened is not None and (opened.has_text or opened.has_audio):
        return False
    if response.status_details and response.status_details.reason == "turn_detected":
        return True  # its end may come before the speech that cut it off
    return any(item.type == "message" and items.says_anything(item) for item in response.output or ())


def _finish(
    state: RealtimeConversation,
    event: realtime.ResponseDone,
    response: RealtimeResponse,
    opened: OpenResponse | None,
    frame: Frame,
) -> Sequence[Fact]:
    """Count an ended response. Report its end, and that it broke off, with the tool calls that are lost by that."""
    finished = _finished(state, event, response, opened or _unseen(state, ""), frame)
    totals = state.totals
    totals.responses = counted(totals.responses, finished.status)
    if finished.reason is None:
        return (finished, *calls.end_with(state, response, broke_off=False))
    cause = FAILED if finished.status == FAILED else finished.reason
    totals.interrupt(cause)
    interrupted = facts.ResponseInterrupted(
        response_id=response.id,
        reason=cause,
        code=finished.reason if cause == FAILED else None,
        model=finished.model,
    )
    return (finished, interrupted, *calls.end_with(state, response, broke_off=True))


def _finished(
    state: RealtimeConversation,
    event: realtime.ResponseDone,
    response: RealtimeResponse,
    opened: OpenResponse,
    frame: Frame,
) -> facts.ResponseFinished:
    status = closed(response.status, RESPONSE_ENDS)
    model = short(response.model) or opened.model or state.session_model  # the session's may have changed since
    count, output = _output_of(state, response)
    bill = costs.bill(state, _usage_of(event, response), Terms(model, opened.prices), response.id)
    return facts.ResponseFinished(
        response_id=response.id,
        status=status,
        reason=response_reason(status, response.status_details),
        conversation_id=conversation_of(response),
        model=model,
        items=count,
        output=output,
        audio_seconds=_audio_seconds(state, response, opened),
        duration_seconds=state.elapsed(opened.created_at, frame.at),
        time_to_first_token_seconds=opened.first_text_seconds,
        time_to_first_audio_seconds=opened.first_audio_seconds,
        turn_latency_seconds=opened.turn_latency,
        tokens=bill.tokens,
        cost=bill.cost,
        metadata=facts.metadata_content(response.metadata),
    )


def _audio_seconds(state: RealtimeConversation, response: RealtimeResponse, opened: OpenResponse) -> float | None:
    """Return how long the speech of a response lasts, by its own format, else the session's when it began."""
    named = format_of(response.audio.output if response.audio else None, response.output_audio_format)
    ms_per_byte = state.ms_per_byte(named) if named else opened.ms_per_byte
    return round(opened.audio_bytes * ms_per_byte / 1000, 6) if opened.audio_bytes else None


def _output_of(state: RealtimeConversation, response: RealtimeResponse) -> tuple[int, tuple[Content, ...]]:
    """Return how many items a response has, and their content: what its end lists, else what was seen of it."""
    if response.output is not None:
        contents = [items.content_of(item) for item in response.output]
    else:
        contents = [items.content_seen(item) for item in items.seen_of(state, response.id)]
    return len(contents), tuple([content for content in contents if content is not None])


def _usage_of(event: realtime.ResponseDone, response: RealtimeResponse) -> Usage | None:
    """Return the usage of a response. xAI puts an empty one into the response, and the true one beside it."""
    reported = response.usage
    if event.usage is None:
        return reported
    return reported if usage.is_whole(reported) else event.usage
