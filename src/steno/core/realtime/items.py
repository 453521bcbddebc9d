"""Items: what enters a conversation, its final form, and what upstream's item object says.

An item is reported up to four times: by `conversation.item.*` events, by `response.output_item.*` events, and in the
output of `response.done`. All of them end here.
"""

from collections.abc import Sequence

from steno.core import facts, tools
from steno.core.conversation import DUPLICATED, NOTHING
from steno.core.facts import Content, Fact
from steno.core.frame import Frame
from steno.core.realtime import calls
from steno.core.realtime.calls import CALL_KINDS
from steno.core.realtime.conversation_item import ConversationItem
from steno.core.realtime.in_progress import OpenResponse
from steno.core.realtime.names import are_two
from steno.core.realtime.state import RealtimeConversation
from steno.core.vocabulary import short
from steno.wire import realtime, realtime_client
from steno.wire.realtime_objects import Item

# Events ---------------------------------------------------------------------------------------------------


def item_added(state: RealtimeConversation, event: realtime.ItemAdded, frame: Frame) -> Sequence[Fact]:
    """Add an item: a message, a tool call, or the output of one."""
    item = event.item
    if item is None or item.id is None:
        return _without_id(state, event, frame)
    known = describe(state, item)
    if are_two(type(event), known.added_as):
        return DUPLICATED
    known.added_as = type(event)
    _belongs_to_response(state, item, known)
    known.placed |= state.transcript.place(item.id, event.previous_item_id)
    if item.role == "user" and any(part.type == "input_text" for part in item.content or ()):
        state.turn.typed()
    parts = parts_of(item)
    for index, text in parts:
        if text:
            state.transcript.write(known, index, text)
    added = facts.ItemAdded(
        item_id=item.id,
        kind=short(item.type),
        role=short(item.role),
        text=_content_in(item, parts) if item.type == "message" and parts else None,
    )
    begun = calls.of_conversation(state, item, known, frame.at, final=False)
    # A person is asked once the request is whole, which is in its final form. Beta has no event of that.
    whole = item.type != "mcp_approval_request" or isinstance(event, realtime.ItemCreated)
    return (added, *begun, *(_output(state, item, frame) if whole else NOTHING))


def _without_id(
    state: RealtimeConversation, event: realtime.ItemAdded | realtime.ItemDone, frame: Frame
) -> Sequence[Fact]:
    """Take what an item without an id says of a call. There is no item to add."""
    reported = _output(state, event.item, frame) if event.item is not None else NOTHING
    return reported or state.reject(event, "missing_object")


def _belongs_to_response(state: RealtimeConversation, item: Item, known: ConversationItem) -> None:
    """Note which response makes an item of the model, where a server has no `response.output_item.added` for it."""
    if item.status != "in_progress" or known.response_id is not None:
        return
    if (item.role == "assistant" or item.type in CALL_KINDS) and (only := state.only_response()):
        known.response_id, known.out_of_band = only.id, only.out_of_band
        known.ms_per_byte = state.ms_per_byte()


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
        return _without_id(state, event, frame)
    if _is_gone(state, item.id):
        return state.reject(event, "unknown_item")
    known = describe(state, item)
    begun = calls.of_conversation(state, item, known, frame.at, final=True)
    return (*begun, *_settle(state, known, item, frame), *_output(state, item, frame))


def item_create(state: RealtimeConversation, event: realtime_client.ItemCreate, frame: Frame) -> Sequence[Fact]:
    """Take the output of a tool call, or a decision about one, from the client's request.

    Other items are added by upstream's answer to it. Calls among them are history.
    """
    if event.item is None or event.item.type == "message":
        return NOTHING
    calls.created_by_client(state, event.item)
    return _output(state, event.item, frame)


def _output(state: RealtimeConversation, item: Item, frame: Frame) -> Sequence[Fact]:
    """Report what an item says of a tool call: its output, or that a person is asked or has decided about it."""
    if item.type == "mcp_approval_response":
        return calls.approval_given(state, item)
    if item.type == "mcp_approval_request":
        return calls.approval_requested(state, item)
    if item.type != "function_call_output":
        return NOTHING
    state.recall_arguments(item.call_id)
    return tools.finish(state, item.call_id, "completed", frame.at, item.output)


def item_deleted(state: RealtimeConversation, event: realtime.ItemDeleted, _frame: Frame) -> Sequence[Fact]:
    """Remove an item. A tool call that it is can have no output any more."""
    item = state.items.get(event.item_id) if event.item_id is not None else None
    if item is None:
        return state.reject(event, "unknown_item")
    state.recall_arguments(item.call_id)
    state.transcript.remove(item.id)
    state.deleted.add(item.id)
    return (facts.ItemDeleted(item_id=item.id), *tools.finish(state, item.call_id, "abandoned", None))


def _is_gone(state: RealtimeConversation, key: str | None) -> bool:
    """Return whether the item `key` was deleted, and not added again."""
    return key is not None and key in state.deleted and key not in state.items


def key_of(item: Item) -> str | None:
    """Return what an item is kept under: its id, or that of its call where a server gives the item none."""
    return item.id or (item.call_id if item.type == "function_call" else None)


# Items of a response --------------------------------------------------------------------------------------


def begin_output(
    state: RealtimeConversation, key: str, response: OpenResponse, kind: str | None = None
) -> ConversationItem:
    """Return the item `key` that an event of `response` names first."""
    item = state.item(key)
    item.response_id = response.id
    item.out_of_band = response.out_of_band
    item.ms_per_byte = state.ms_per_byte()
    item.kind = item.kind or kind
    item.role = item.role or "assistant"
    return item


def output_added(state: RealtimeConversation, item: Item, response: OpenResponse) -> Sequence[Fact]:
    """Add an item of `response`, and the tool call that it may be."""
    known = describe(state, item)
    known.response_id = response.id
    known.out_of_band = response.out_of_band
    known.ms_per_byte = state.ms_per_byte()
    return calls.of_response(state, item, known, response.id)


def output_done(
    state: RealtimeConversation, item: Item, response_id: str | None, frame: Frame, *, out_of_band: bool
) -> Sequence[Fact]:
    """Take the final form of an item of a response. It need not have been seen to begin."""
    if _is_gone(state, key_of(item)):
        return NOTHING
    known = describe(state, item)
    known.response_id = response_id
    known.out_of_band = out_of_band
    begun = calls.of_response(state, item, known, response_id)
    return (*begun, *_settle(state, known, item, frame), *_output(state, item, frame))


def seen_of(state: RealtimeConversation, response_id: str | None) -> list[ConversationItem]:
    """Return the items that a response was seen to make, for where its end does not list them.

    A call that was reported under two items is one.
    """
    made = [item for item in state.items.values() if response_id is not None and item.response_id == response_id]
    return list({item.call_id or item.id: item for item in made}.values())


# The final form -------------------------------------------------------------------------------------------


def describe(state: RealtimeConversation, item: Item) -> ConversationItem:
    """Take over what upstream's item says of itself, but for its text. Return the item of the conversation."""
    known = state.item(key_of(item) or "")
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
    known.spoken = known.spoken or _is_spoken(item)
    finished = calls.settle(state, item, frame)
    member = "arguments" if item.type in CALL_KINDS else "content"
    return (*settle_parts(state, known, parts_of(item), member, _further(known, item)), *finished)


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
    return [
        (index, text)
        for index, part in enumerate(item.content or ())
        if (text := part.transcript if part.text is None else part.text) is not None
    ]


def _is_spoken(item: Item) -> bool:
    """Return whether a part of upstream's item is a transcript."""
    for part in item.content or ():  # noqa: SIM110  # `any` makes a generator, for one part most often
        if part.transcript is not None:
            return True
    return False


def says_anything(item: Item) -> bool:
    """Return whether upstream's item, a message, has any text."""
    for part in item.content or ():  # noqa: SIM110  # as in `_is_spoken`
        if part.transcript if part.text is None else part.text:
            return True
    return False


def content_of(item: Item) -> Content | None:
    """Return the text of upstream's item as content of the kind that policies know; None where it is empty."""
    return _content_in(item, parts_of(item))


def _content_in(item: Item, parts: Sequence[tuple[int, str]]) -> Content | None:
    """Return what `content_of` does, of `parts` that `parts_of` has returned."""
    text = parts[0][1] if len(parts) == 1 else "".join([text for _, text in parts])
    if not text:
        return None
    if item.type in CALL_KINDS:
        return Content("arguments", text)
    if item.type == "function_call_output":
        return Content("output", text)
    return Content("transcript" if _is_spoken(item) else "text", text)


def content_seen(item: ConversationItem) -> Content | None:
    """Return the text that was seen of an item; None where it is empty."""
    text = item.text()
    if not text:
        return None
    if item.call_id is not None or item.kind in CALL_KINDS:
        return Content("arguments", text)
    if item.kind == "function_call_output":
        return Content("output", text)
    return Content("transcript" if item.was_spoken() else "text", text)
