"""Responses: from `response.created` over deltas to `response.done`, which stands whatever came before it.

The handlers of deltas are on the path of most events: they look two things up, write a piece, and say nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from steno.core import facts, tools
from steno.core.billing import costs, usage
from steno.core.conversation import NOTHING
from steno.core.facts import EventRejected, Fact
from steno.core.frame import Frame
from steno.core.realtime.state import (
    CALL_KINDS,
    ConversationItem,
    OpenResponse,
    RealtimeConversation,
    content_of,
    parts_of,
)
from steno.core.vocabulary import RESPONSE_ENDS, closed, code, response_reason, short
from steno.wire import raw_object, realtime
from steno.wire.realtime_objects import Item as WireItem
from steno.wire.realtime_objects import RealtimeResponse, conversation_of

FAILED: Final = "failed"


def created(state: RealtimeConversation, event: realtime.ResponseCreated, frame: Frame) -> Sequence[Fact]:
    """A response began."""
    response = event.response
    if response is None or response.id is None:
        return state.reject(event, "missing_object")
    if response.id in state.open or response.id in state.ended_responses:
        return state.reject(event, "repeated")
    state.conversation_id = conversation_of(response) or state.conversation_id
    raw = state.within_limit(raw_object(event, frame.payload))
    opened = OpenResponse(response.id, frame.at, state.model(response), raw)
    opened.out_of_band = response.conversation_id is None
    state.open[response.id] = opened
    return _started(state, opened, conversation_of(response))


def _started(state: RealtimeConversation, opened: OpenResponse, conversation_id: str | None) -> Sequence[Fact]:
    """Tell that a response began, and which one had to be given up where too many are open."""
    started = facts.ResponseStarted(response_id=opened.id, conversation_id=conversation_id, model=opened.model)
    if len(state.open) <= state.limits.open_responses:
        return (started,)
    oldest = state.open.pop(next(iter(state.open)))
    return (started, facts.ResponseAbandoned(response_id=oldest.id, model=oldest.model))


def _unannounced(
    handler: Callable[[RealtimeConversation, Any, Frame], Sequence[Fact]],
    state: RealtimeConversation,
    event: Any,
    frame: Frame,
) -> Sequence[Fact]:
    """Begin the response that `event` is about, and let `handler` go on.

    Its `response.created` was not seen: a client that joins in the middle of an answer is not sent it again. When
    it began is not known, and so it has no durations. What comes after its end begins nothing.
    """
    key = event.response_id
    if not key or key in state.ended_responses:  # an empty id is none
        return state.reject(event, "unknown_response")
    opened = state.open[key] = OpenResponse(key, None, state.session_model, b"")
    told = handler(state, event, frame)
    if told and type(told[0]) is EventRejected:
        del state.open[key]
        return told
    return (*_started(state, opened, None), *told)


# Deltas ---------------------------------------------------------------------------------------------------


def words_delta(
    state: RealtimeConversation, event: realtime.TextDelta | realtime.TranscriptDelta, frame: Frame
) -> Sequence[Fact]:
    """A piece of text, or of what is said."""
    response = state.open.get(event.response_id)  # type: ignore[arg-type]  # None is no key, and not found
    if response is None:
        return _unannounced(words_delta, state, event, frame)
    if event.item_id is None:
        return state.reject(event, "missing_id")
    if response.first_token_at is None:
        response.first_token_at = frame.at
    if event.delta:
        item = state.items.get(event.item_id) or _own_item(state, event.item_id, response)
        state.transcript.grow(item, event.content_index, event.delta)
    return NOTHING


def arguments_delta(
    state: RealtimeConversation, event: realtime.ArgumentsDelta | realtime.McpArgumentsDelta, frame: Frame
) -> Sequence[Fact]:
    """A piece of a call's arguments."""
    response = state.open.get(event.response_id)  # type: ignore[arg-type]  # likewise
    if response is None:
        return _unannounced(arguments_delta, state, event, frame)
    if event.item_id is None:
        return state.reject(event, "missing_id")
    if response.first_token_at is None:
        response.first_token_at = frame.at
    if event.delta:
        item = state.items.get(event.item_id) or _own_item(state, event.item_id, response)
        state.transcript.grow(item, 0, event.delta)
    return NOTHING


def audio_delta(state: RealtimeConversation, event: realtime.AudioDelta, frame: Frame) -> Sequence[Fact]:
    """A piece of speech: measured, and the answer to a turn if it is the first."""
    response = state.open.get(event.response_id)  # type: ignore[arg-type]  # likewise
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
            item = state.items.get(event.item_id) or _own_item(state, event.item_id, response)
            item.audio_bytes += size
    return NOTHING


def _own_item(state: RealtimeConversation, key: str, response: OpenResponse) -> ConversationItem:
    item = state.item(key)
    item.response_id = response.id
    item.out_of_band = response.out_of_band
    item.ms_per_byte = state.ms_per_byte()
    item.role = item.role or "assistant"
    return item


# Parts and items ------------------------------------------------------------------------------------------


_PartDone = realtime.TextDone | realtime.TranscriptDone | realtime.ContentPartDone


def part_done(state: RealtimeConversation, event: _PartDone, frame: Frame) -> Sequence[Fact]:
    """The whole text of a part, or all that is said in it."""
    response = state.open.get(event.response_id) if event.response_id else None
    if response is None:
        return _unannounced(part_done, state, event, frame)
    if event.item_id is None:
        return state.reject(event, "missing_id")
    item = state.items.get(event.item_id) or _own_item(state, event.item_id, response)
    text = _words_of(event)
    return _settle(state, item, [] if text is None else [(event.content_index or 0, text)], "content")


def _words_of(event: _PartDone) -> str | None:
    if isinstance(event, realtime.TextDone):
        return event.text
    if isinstance(event, realtime.TranscriptDone):
        return event.transcript
    part = event.part  # some servers leave the part out
    return (part.text if part.text is not None else part.transcript) if part else None


def arguments_done(
    state: RealtimeConversation, event: realtime.ArgumentsDone | realtime.McpArgumentsDone, frame: Frame
) -> Sequence[Fact]:
    """All arguments of a call: it is made, and its output is waited for."""
    response = state.open.get(event.response_id) if event.response_id else None
    if response is None:
        return _unannounced(arguments_done, state, event, frame)
    if event.item_id is None:
        return state.reject(event, "missing_id")
    item = state.items.get(event.item_id) or _own_item(state, event.item_id, response)
    call_id = event.call_id if isinstance(event, realtime.ArgumentsDone) else event.item_id
    tools.called(state, call_id, frame.at, event.arguments)
    return _settle(state, item, [] if event.arguments is None else [(0, event.arguments)], "arguments")


def passed(_state: RealtimeConversation, _event: object, _frame: Frame) -> Sequence[Fact]:
    """An event that says nothing which another does not say better."""
    return NOTHING


def output_item_added(state: RealtimeConversation, event: realtime.OutputItemAdded, frame: Frame) -> Sequence[Fact]:
    """The model began an item."""
    response = state.open.get(event.response_id) if event.response_id else None
    if response is None:
        return _unannounced(output_item_added, state, event, frame)
    if event.item is None or event.item.id is None:
        return state.reject(event, "missing_object")
    return _begin(state, event.item, response.id)


def output_item_done(state: RealtimeConversation, event: realtime.OutputItemDone, frame: Frame) -> Sequence[Fact]:
    """The final form of an item of a response."""
    response = state.open.get(event.response_id) if event.response_id else None
    if response is None:
        return _unannounced(output_item_done, state, event, frame)
    if event.item is None or event.item.id is None:
        return state.reject(event, "missing_object")
    return _end_output(state, event.item, response.id, frame, out_of_band=response.out_of_band)


def _begin(state: RealtimeConversation, told: WireItem, response_id: str | None) -> Sequence[Fact]:
    """Note an item of a response, and the call that it may be."""
    item = describe(state, told)
    item.response_id = response_id
    item.ms_per_byte = state.ms_per_byte()
    opened = state.open.get(response_id) if response_id else None
    item.out_of_band = opened is not None and opened.out_of_band
    return start_call(state, told, response_id)


def _end_output(
    state: RealtimeConversation, told: WireItem, response_id: str | None, frame: Frame, *, out_of_band: bool
) -> Sequence[Fact]:
    """Take the final form of an item of a response, which need not have been seen to begin."""
    item = describe(state, told)
    item.response_id = response_id
    item.out_of_band = out_of_band
    return (*start_call(state, told, response_id), *_end(state, item, told, frame))


def describe(state: RealtimeConversation, told: WireItem) -> ConversationItem:
    """Take over what an upstream item says about itself, but for its words."""
    item = state.item(told.id or "")
    item.kind = short(told.type) or item.kind
    item.role = short(told.role) or item.role
    return item


def start_call(state: RealtimeConversation, told: WireItem, response_id: str | None) -> Sequence[Fact]:
    """Note that an item is a call of a tool, if it is one."""
    if told.type not in CALL_KINDS:
        return NOTHING
    return tools.start(state, call_key(told), CALL_KINDS[told.type], told.name, response_id)


def call_key(told: WireItem) -> str | None:
    """Return what names the call that an item is: MCP calls are known by their item."""
    return told.id if told.type == "mcp_call" else told.call_id


def end_item(state: RealtimeConversation, told: WireItem, frame: Frame) -> Sequence[Fact]:
    """Take the final form of an item for what the deltas built."""
    return _end(state, describe(state, told), told, frame)


def _end(state: RealtimeConversation, item: ConversationItem, told: WireItem, frame: Frame) -> Sequence[Fact]:
    item.spoken = item.spoken or any(part.transcript is not None for part in told.content or ())
    if told.type in CALL_KINDS and told.arguments is not None:
        tools.called(state, call_key(told), frame.at, told.arguments)
    finished: Sequence[Fact] = NOTHING
    if told.type == "mcp_call" and _has_ended(state, told):
        error = code(told.error) if told.error else None
        finished = tools.finish(state, told.id, "failed" if error else "completed", frame.at, told.output, error)
    further = _further(item, told)
    return (*_settle(state, item, parts_of(told), _member(told), further), *finished)


def _has_ended(state: RealtimeConversation, told: WireItem) -> bool:
    """Tell whether an MCP call is over: by what its item holds, or by what was said before."""
    call = state.calls.get(told.id) if told.id else None
    return told.output is not None or told.error is not None or (call is not None and call.outcome is not None)


def _further(item: ConversationItem, told: WireItem) -> list[int]:
    """Return the parts of `item` that its final form does not have. One without any content tells nothing."""
    return [index for index in item.parts if index >= len(told.content)] if told.content else []


def _member(told: WireItem) -> str:
    return "arguments" if told.type in CALL_KINDS else "content"


def _settle(
    state: RealtimeConversation,
    item: ConversationItem,
    parts: list[tuple[int, str]],
    member: str,
    further: Sequence[int] = (),
) -> Sequence[Fact]:
    """Replace what the deltas built by the final text, and report it if they had led elsewhere."""
    differs = state.transcript.settle(item, parts, further)
    return (facts.DeltasDiffered(item_id=item.id, members=(member,)),) if differs else NOTHING


# The end --------------------------------------------------------------------------------------------------


def done(state: RealtimeConversation, event: realtime.ResponseDone, frame: Frame) -> Sequence[Fact]:
    """A response ended; it need not have been seen to begin."""
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
    output = [told for told in response.output or () if told.id]
    apart = response.conversation_id is None
    items = [fact for told in output for fact in _end_output(state, told, response.id, frame, out_of_band=apart)]
    return (*items, *_finish(state, event, response, opened, frame))


def _finish(
    state: RealtimeConversation,
    event: realtime.ResponseDone,
    response: RealtimeResponse,
    opened: OpenResponse | None,
    frame: Frame,
) -> Sequence[Fact]:
    finished = _finished(state, event, response, opened or OpenResponse("", None, None, b""), frame)
    totals = state.totals
    totals.responses[finished.status] = totals.responses.get(finished.status, 0) + 1
    totals.add_tokens(finished.tokens)
    if finished.reason is None:
        return (finished,)
    cause = FAILED if finished.status == FAILED else finished.reason
    totals.interrupt(cause)
    return (
        finished,
        facts.ResponseInterrupted(
            response_id=response.id,
            reason=cause,
            code=finished.reason if cause == FAILED else None,
            model=finished.model,
        ),
        *_abandoned_calls(state, response),
    )


def _abandoned_calls(state: RealtimeConversation, response: RealtimeResponse) -> list[Fact]:
    """End the calls that a response broke off in: nobody will run half a call."""
    if response.id is None:
        return []
    whole_calls = {call_key(item) for item in response.output or () if item.status == "completed"}
    mine = [key for key, call in state.calls.items() if call.owner == response.id and key not in whole_calls]
    return [fact for key in mine for fact in tools.finish(state, key, "abandoned", None)]


def _finished(
    state: RealtimeConversation,
    event: realtime.ResponseDone,
    response: RealtimeResponse,
    opened: OpenResponse,
    frame: Frame,
) -> facts.ResponseFinished:
    status = closed(response.status, RESPONSE_ENDS)
    model = state.model(response)
    told = response.usage
    if told is None or told.output_tokens is None:  # xAI: an empty one, and the true one beside the response
        told = event.usage or told
    output = response.output or ()
    audio = response.audio.output if response.audio else None
    tokens = usage.of_response(told, model)
    return facts.ResponseFinished(
        response_id=response.id,
        status=status,
        reason=response_reason(status, response.status_details),
        conversation_id=conversation_of(response),
        model=model,
        items=len(output),
        output=tuple(content for item in output if (content := content_of(item)) is not None),
        audio_seconds=state.audio_seconds(opened.audio_bytes, audio, response.output_audio_format),
        duration_seconds=state.elapsed(opened.created_at, frame.at),
        time_to_first_token_seconds=state.elapsed(opened.created_at, opened.first_token_at),
        time_to_first_audio_seconds=state.elapsed(opened.created_at, opened.first_audio_at),
        turn_latency_seconds=opened.turn_latency,
        tokens=tokens,
        cost=costs.of_tokens(state, tokens),
        metadata=facts.metadata_content(response.metadata),
    )
