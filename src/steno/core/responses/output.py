"""Events of the output of a response: deltas, parts, items, and what becomes of the calls that upstream runs.

None of them names its response: it is the one in progress on their lane. Each handler looks the number of its event up
first, since one that is delivered again changes nothing.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final

from steno.core import facts, tools
from steno.core.conversation import DUPLICATED, NOTHING
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.responses import calls, items
from steno.core.responses.in_progress import OpenResponse
from steno.core.responses.item import ResponsesItem
from steno.core.responses.state import ResponsesConversation
from steno.core.transcript import PARTS
from steno.wire import responses_output as output
from steno.wire.responses_base import OfItem, ResponsesEvent

Handler = Callable[[ResponsesConversation, Any, Frame], Sequence[Fact]]
ResponseHandler = Callable[[ResponsesConversation, Any, Frame, OpenResponse], Sequence[Fact]]
ItemHandler = Callable[[ResponsesConversation, Any, Frame, ResponsesItem], Sequence[Fact]]

UNKNOWN_RESPONSE: Final = "unknown_response"


def of_open_response(handler: ResponseHandler) -> Handler:
    """Give `handler` the response in progress on the lane of its event, once for each number of an event."""

    @wraps(handler)
    def handle(state: ResponsesConversation, event: ResponsesEvent, frame: Frame) -> Sequence[Fact]:
        response = state.response_of(event)
        if response is None:
            return state.reject(event, UNKNOWN_RESPONSE)
        if not response.numbers.is_new(event.sequence_number):
            return DUPLICATED
        return handler(state, event, frame, response)

    return handle


@of_open_response
def passed(
    _state: ResponsesConversation, _event: ResponsesEvent, _frame: Frame, _response: OpenResponse
) -> Sequence[Fact]:
    """Do nothing but take its number: another event reports the same, and more."""
    return NOTHING


# Deltas ---------------------------------------------------------------------------------------------------


def text_delta(
    state: ResponsesConversation, event: output.TextDelta | output.RefusalDelta, frame: Frame
) -> Sequence[Fact]:
    """Add a piece of text, or of a refusal. Most events of a stream come here: nothing is done without need."""
    response = state.speaking
    if response is None or response.lane != event.stream_id or response.stream != state.last_stream:
        response = state.response_of(event)
        if response is None:
            return state.reject(event, UNKNOWN_RESPONSE)
    numbers = response.numbers
    if event.sequence_number == numbers.expected is not None:
        numbers.expected += 1
        numbers.run += 1
    elif not numbers.is_new(event.sequence_number):
        return DUPLICATED
    if not event.delta:
        return NOTHING
    item = state.items.get(event.item_id) if event.item_id is not None else None
    if item is None:
        item = _item_of(state, event, response, "message")
        if item is None:
            return state.reject(event, "missing_id")
    state.transcript.grow(item, event.content_index, event.delta)
    return NOTHING if response.has_text else text_started(state, response, frame)


def text_started(state: ResponsesConversation, response: OpenResponse, frame: Frame) -> Sequence[Fact]:
    """Report the first text of a response, or the first piece of what a call is made with."""
    response.has_text = True
    response.first_text_seconds = state.elapsed(response.created_at, frame.at)
    return (_started(response, "text", response.first_text_seconds),)


def _started(response: OpenResponse, kind: str, after: float | None) -> Fact:
    model = response.terms.model
    return facts.ResponseOutputStarted(response_id=response.id, model=model, output=kind, after_seconds=after)


def _item_of(state: ResponsesConversation, event: OfItem, response: OpenResponse, kind: str) -> ResponsesItem | None:
    """Return the item that an event names by its id, or by its place in the output; None where it names none."""
    key = items.key_at(state, response, event.item_id, event.output_index)
    if key is None:
        return None
    return state.items.get(key) or items.begin_output(state, key, response, kind)


def of_item(kind: str) -> Callable[[ItemHandler], Handler]:
    """Give a handler the item of its event, which is of `kind` where it is new."""

    def decorate(handler: ItemHandler) -> Handler:
        @of_open_response
        @wraps(handler)
        def handle(state: ResponsesConversation, event: OfItem, frame: Frame, response: OpenResponse) -> Sequence[Fact]:
            item = _item_of(state, event, response, kind)
            return state.reject(event, "missing_id") if item is None else handler(state, event, frame, item)

        return handle

    return decorate


@of_open_response
def call_delta(
    state: ResponsesConversation, event: output.CallDelta, frame: Frame, response: OpenResponse
) -> Sequence[Fact]:
    """Add a piece of what a call is made with."""
    return _grow(state, event, 0, frame, response)


@of_open_response
def command_delta(
    state: ResponsesConversation, event: output.CommandDelta, frame: Frame, response: OpenResponse
) -> Sequence[Fact]:
    """Add a piece of a command of a shell call."""
    return _grow(state, event, event.command_index or 0, frame, response)


def _grow(
    state: ResponsesConversation,
    event: output.CallDelta | output.CommandDelta,
    index: int,
    frame: Frame,
    response: OpenResponse,
) -> Sequence[Fact]:
    item = _item_of(state, event, response, "call")
    if item is None:
        return state.reject(event, "missing_id")
    if not event.delta:
        return NOTHING
    state.transcript.grow(item, index, event.delta)
    return NOTHING if response.has_text else text_started(state, response, frame)


@of_item("reasoning")
def reasoning_delta(
    state: ResponsesConversation, event: output.ReasoningDelta, _frame: Frame, item: ResponsesItem
) -> Sequence[Fact]:
    """Add a piece of reasoning. It is no output that anybody waits for."""
    if event.delta:
        state.transcript.grow(item, event.content_index, event.delta)
    return NOTHING


@of_item("reasoning")
def summary_delta(
    state: ResponsesConversation, event: output.SummaryDelta, _frame: Frame, item: ResponsesItem
) -> Sequence[Fact]:
    """Add a piece of the summary of reasoning."""
    if event.delta:
        state.transcript.grow(item, _summary(event.summary_index), event.delta)
    return NOTHING


def _summary(index: int | None) -> int:
    return min(items.SUMMARY + (index or 0), PARTS)  # of those past the last nothing is kept


@of_open_response
def audio_delta(
    state: ResponsesConversation, event: output.AudioDelta, frame: Frame, response: OpenResponse
) -> Sequence[Fact]:
    """Report the first piece of speech."""
    if response.has_audio or not event.delta:
        return NOTHING
    response.has_audio = True
    response.first_audio_seconds = state.elapsed(response.created_at, frame.at)
    return (_started(response, "audio", response.first_audio_seconds),)


@of_open_response
def transcript_delta(
    state: ResponsesConversation, event: output.TranscriptDelta, frame: Frame, response: OpenResponse
) -> Sequence[Fact]:
    """Report the first word of speech. Its text is in the final form of the item, which no delta names."""
    return NOTHING if response.has_text or not event.delta else text_started(state, response, frame)


# Parts and items ------------------------------------------------------------------------------------------


def text_done(kind: str) -> Handler:
    """Return the handler of the ends of parts, of an item of `kind` where it is new."""

    @of_item(kind)
    def part_done(
        state: ResponsesConversation,
        event: output.TextDone | output.RefusalDone | output.ContentPartDone | output.ReasoningDone,
        _frame: Frame,
        item: ResponsesItem,
    ) -> Sequence[Fact]:
        """Take the final text of a part."""
        text = _text_of(event)
        if text is None:
            return NOTHING
        return items.settle_parts(state, item, [(event.content_index or 0, text)], "content")

    return part_done


def _text_of(
    event: output.TextDone | output.RefusalDone | output.ContentPartDone | output.ReasoningDone,
) -> str | None:
    if isinstance(event, output.RefusalDone):
        return event.refusal
    if isinstance(event, output.ContentPartDone):
        return items.text_of_part(event.part) if event.part else None
    return event.text


@of_item("reasoning")
def summary_done(
    state: ResponsesConversation,
    event: output.SummaryDone | output.SummaryPartDone,
    _frame: Frame,
    item: ResponsesItem,
) -> Sequence[Fact]:
    """Take the final text of a part of the summary."""
    text = event.text if isinstance(event, output.SummaryDone) else event.part.text if event.part else None
    if text is None:
        return NOTHING
    return items.settle_parts(state, item, [(_summary(event.summary_index), text)], "content")


@of_open_response
def item_added(
    state: ResponsesConversation, event: output.OutputItemAdded, frame: Frame, response: OpenResponse
) -> Sequence[Fact]:
    """Add an item that the model began."""
    item = event.item
    key = items.key_of(item) if item else None
    if item is None or key is None:
        return state.reject(event, "missing_object")
    if response.put(event.output_index, key):
        state.open.weigh(response.id)
    return items.output_added(state, item, response, frame.at)


@of_open_response
def item_done(
    state: ResponsesConversation, event: output.OutputItemDone, frame: Frame, response: OpenResponse
) -> Sequence[Fact]:
    """Take the final form of an item."""
    item = event.item
    key = items.key_of(item) if item else None
    if item is None or key is None:
        return state.reject(event, "missing_object")
    key = items.key_at(state, response, key, event.output_index, item.type) or key
    if response.put(event.output_index, key):
        state.open.weigh(response.id)
    return items.output_done(state, key, item, response, frame.at)


# Calls ----------------------------------------------------------------------------------------------------


@of_item("call")
def call_done(
    state: ResponsesConversation,
    event: output.ArgumentsDone | output.McpArgumentsDone | output.InputDone | output.CodeDone | output.PatchDone,
    frame: Frame,
    item: ResponsesItem,
) -> Sequence[Fact]:
    """Take what a call is made with: it is complete, and what it returns is waited for."""
    made = _made(event)
    tools.called(state, item.call_id, frame.at, made)
    return items.settle_parts(state, item, [(0, made)], "arguments") if made is not None and item.grew else NOTHING


def _made(
    event: output.ArgumentsDone | output.McpArgumentsDone | output.InputDone | output.CodeDone | output.PatchDone,
) -> str | None:
    match event:
        case output.InputDone():
            return event.input
        case output.CodeDone():
            return event.code
        case output.PatchDone():
            return event.diff
        case _:
            return event.arguments


@of_item("call")
def command_done(
    state: ResponsesConversation, event: output.CommandDone, _frame: Frame, item: ResponsesItem
) -> Sequence[Fact]:
    """Take a command of a shell call."""
    if event.command is None:
        return NOTHING
    return items.settle_parts(state, item, [(event.command_index or 0, event.command)], "arguments")


@of_item("call")
def call_runs(
    state: ResponsesConversation, _event: output.CallBegun | output.CallRuns, frame: Frame, item: ResponsesItem
) -> Sequence[Fact]:
    """Note that upstream runs a call."""
    calls.runs(state, item, frame.at)
    return NOTHING


def returned(status: str) -> Handler:
    """Return the handler of events that say that a call ended with `status`. What it returned is in its item."""

    @of_item("call")
    def call_returned(
        state: ResponsesConversation,
        _event: output.CallCompleted | output.CallFailed,
        frame: Frame,
        item: ResponsesItem,
    ) -> Sequence[Fact]:
        tools.returned(state, item.call_id, status, frame.at)
        return NOTHING

    return call_returned


def listed(status: str) -> Handler:
    """Return the handler of events that say how the fetching of the tools of a server ended."""

    @of_open_response
    def tools_listed(
        state: ResponsesConversation,
        event: output.ListCompleted | output.ListFailed,
        _frame: Frame,
        _response: OpenResponse,
    ) -> Sequence[Fact]:
        return calls.listed(state, event.item_id, status)

    return tools_listed
