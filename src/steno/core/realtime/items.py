"""Items: what enters a conversation, its final form, and what upstream's item object says.

An item is reported up to four times: by `conversation.item.*` events, by `response.output_item.*` events, and in the
output of `response.done`. All of them end here.
"""

from collections.abc import Sequence
from typing import Final

from steno.core import facts, tools
from steno.core.conversation import NOTHING
from steno.core.facts import Content, Fact
from steno.core.frame import Frame
from steno.core.realtime.state import ConversationItem, OpenResponse, RealtimeConversation
from steno.core.vocabulary import code, short
from steno.wire import realtime, realtime_client
from steno.wire.realtime_objects import Item

CALL_KINDS: Final = {"function_call": "function", "mcp_call": "mcp"}
"""Item types that are tool calls, and the kind of call."""


# Events ---------------------------------------------------------------------------------------------------


def item_added(state: RealtimeConversation, event: realtime.ItemAdded, frame: Frame) -> Sequence[Fact]:
    """Add an item: a message, a tool call, or the output of one."""
    item = event.item
    if item is None or item.id is None:
        return state.reject(event, "missing_object")
    describe(state, item)
    state.transcript.place(item.id, event.previous_item_id)
    if item.role == "user" and any(part.type == "input_text" for part in item.content or ()):
        state.turn.typed()
    for index, text in parts_of(item):
        if text:
            state.transcript.write(state.item(item.id), index, text)
    added = facts.ItemAdded(
        item_id=item.id,
        kind=short(item.type),
        role=short(item.role),
        text=content_of(item) if item.type == "message" else None,
    )
    return (added, *_output(state, event, frame))


def item_retrieved(state: RealtimeConversation, event: realtime.ItemRetrieved, _frame: Frame) -> Sequence[Fact]:
    """Take the text of an item that a client asked for, where it has none here."""
    item = event.item
    if item is None or item.id is None:
        return state.reject(event, "missing_object")
    known = state.items.get(item.id)
    if known is not None and not known.length():
        for index, text in parts_of(item):
            state.transcript.write(known, index, text)
    return NOTHING


def item_done(state: RealtimeConversation, event: realtime.ItemDone, frame: Frame) -> Sequence[Fact]:
    """Take the final form of an item. That of a spoken user message has no text yet; what there is stays."""
    item = event.item
    if item is None or item.id is None:
        return state.reject(event, "missing_object")
    return (*_settle(state, describe(state, item), item, frame), *_output(state, event, frame))


def item_create(state: RealtimeConversation, event: realtime_client.ItemCreate, frame: Frame) -> Sequence[Fact]:
    """Take the output of a tool call from the client's request. Other items are added by upstream's answer to it."""
    return _output(state, event, frame) if event.item and event.item.type == "function_call_output" else NOTHING


def _output(
    state: RealtimeConversation,
    event: realtime.ItemAdded | realtime.ItemDone | realtime_client.ItemCreate,
    frame: Frame,
) -> Sequence[Fact]:
    """Report what an item says of a tool call: its output, or that a person is asked or has decided about it."""
    item = event.item
    if item is None:
        return NOTHING
    if item.type == "mcp_approval_response" and not isinstance(event, realtime.ItemDone):
        return (facts.ApprovalGiven(request_id=item.approval_request_id, approved=item.approve),)
    if item.type == "mcp_approval_request" and isinstance(event, realtime.ItemDone):
        return (facts.ApprovalRequested(item_id=item.id, name=short(item.name)),)
    if item.type != "function_call_output":
        return NOTHING
    return tools.finish(state, item.call_id, "completed", frame.at, item.output)


def item_deleted(state: RealtimeConversation, event: realtime.ItemDeleted, _frame: Frame) -> Sequence[Fact]:
    """Remove an item."""
    if event.item_id is None or event.item_id not in state.items:
        return state.reject(event, "unknown_item")
    state.transcript.remove(event.item_id)
    return (facts.ItemDeleted(item_id=event.item_id),)


# Items of a response --------------------------------------------------------------------------------------


def begin_output(state: RealtimeConversation, key: str, response: OpenResponse) -> ConversationItem:
    """Return the item `key` that a delta of `response` names first."""
    item = state.item(key)
    item.response_id = response.id
    item.out_of_band = response.out_of_band
    item.ms_per_byte = state.ms_per_byte()
    item.role = item.role or "assistant"
    return item


def output_added(state: RealtimeConversation, item: Item, response: OpenResponse) -> Sequence[Fact]:
    """Add an item of `response`, and the tool call that it may be."""
    known = describe(state, item)
    known.response_id = response.id
    known.out_of_band = response.out_of_band
    known.ms_per_byte = state.ms_per_byte()
    return _start_call(state, item, response.id)


def output_done(
    state: RealtimeConversation, item: Item, response_id: str | None, frame: Frame, *, out_of_band: bool
) -> Sequence[Fact]:
    """Take the final form of an item of a response. It need not have been seen to begin."""
    known = describe(state, item)
    known.response_id = response_id
    known.out_of_band = out_of_band
    return (*_start_call(state, item, response_id), *_settle(state, known, item, frame))


def call_id_of(item: Item) -> str | None:
    """Return the id of the tool call that an item is. MCP calls are known by their item."""
    return item.id if item.type == "mcp_call" else item.call_id


def _start_call(state: RealtimeConversation, item: Item, response_id: str | None) -> Sequence[Fact]:
    if item.type not in CALL_KINDS:
        return NOTHING
    return tools.start(state, call_id_of(item), CALL_KINDS[item.type], item.name, response_id)


# The final form -------------------------------------------------------------------------------------------


def describe(state: RealtimeConversation, item: Item) -> ConversationItem:
    """Take over what upstream's item says of itself, but for its text. Return the item of the conversation."""
    known = state.item(item.id or "")
    known.kind = short(item.type) or known.kind
    known.role = short(item.role) or known.role
    return known


def settle_parts(
    state: RealtimeConversation,
    known: ConversationItem,
    parts: Sequence[tuple[int, str]],
    member: str,
    further: Sequence[int] = (),
) -> Sequence[Fact]:
    """Replace what the deltas of an item built by its final text, and report it if they had led elsewhere."""
    differs = state.transcript.settle(known, parts, further)
    return (facts.DeltasDiffered(item_id=known.id, members=(member,)),) if differs else NOTHING


def _settle(state: RealtimeConversation, known: ConversationItem, item: Item, frame: Frame) -> Sequence[Fact]:
    """Take the final form `item` of a `known` one: its text, and the end of the tool call that it may be."""
    known.spoken = known.spoken or any(part.transcript is not None for part in item.content or ())
    if item.type in CALL_KINDS and item.arguments is not None:
        tools.called(state, call_id_of(item), frame.at, item.arguments)
    finished: Sequence[Fact] = NOTHING
    if item.type == "mcp_call" and _has_ended(state, item):
        error = code(item.error) if item.error else None
        finished = tools.finish(state, item.id, "failed" if error else "completed", frame.at, item.output, error)
    member = "arguments" if item.type in CALL_KINDS else "content"
    return (*settle_parts(state, known, parts_of(item), member, _further(known, item)), *finished)


def _has_ended(state: RealtimeConversation, item: Item) -> bool:
    """Return whether an MCP call is over, by its item or by an event before that."""
    call = state.calls.get(item.id) if item.id else None
    return item.output is not None or item.error is not None or (call is not None and call.outcome is not None)


def _further(known: ConversationItem, item: Item) -> list[int]:
    """Return the parts of `known` that its final form does not have; none where that has no content at all."""
    return [index for index in known.parts if index >= len(item.content)] if item.content else []


# Content --------------------------------------------------------------------------------------------------


def parts_of(item: Item) -> list[tuple[int, str]]:
    """Return the text of upstream's item by part. A spoken part that is not transcribed yet is left out."""
    if item.type in CALL_KINDS:
        return [] if item.arguments is None else [(0, item.arguments)]
    if item.type == "function_call_output":
        return [] if item.output is None else [(0, item.output)]
    parts = enumerate(item.content or ())
    texts = ((index, part.text if part.text is not None else part.transcript) for index, part in parts)
    return [(index, text) for index, text in texts if text is not None]


def content_of(item: Item) -> Content | None:
    """Return the text of upstream's item as content of the kind that policies know; None where it is empty."""
    text = "".join(text for _, text in parts_of(item))
    if not text:
        return None
    if item.type in CALL_KINDS:
        return Content("arguments", text)
    if item.type == "function_call_output":
        return Content("output", text)
    spoken = any(part.transcript is not None for part in item.content or ())
    return Content("transcript" if spoken else "text", text)
