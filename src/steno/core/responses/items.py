"""Items of responses: what deltas bring, their final form, and what upstream's item object says.

An item is reported up to four times: when it begins, by the ends of its parts, by its own end, and in the output of the
response. The last of these stands.
"""

from collections.abc import Sequence
from typing import Final

from steno.core import facts
from steno.core.conversation import NOTHING
from steno.core.facts import Content, Fact
from steno.core.responses import calls
from steno.core.responses.in_progress import OpenResponse
from steno.core.responses.item import ResponsesItem
from steno.core.responses.state import ResponsesConversation
from steno.core.vocabulary import short
from steno.timestamps import Micros
from steno.wire.responses_objects import Part, Response, ResponseItem

SUMMARY: Final = 128
"""The first part of the summary of reasoning, behind those of the reasoning itself."""


_OF_ONE_TEXT: Final = frozenset({"function_call", "custom_tool_call", "mcp_call", "code_interpreter_call"})
"""Calls that are made with one text, which deltas bring."""


def key_of(item: ResponseItem) -> str | None:
    """Return what an item is kept under: its id, or that of its call where a server gives it none."""
    return item.id or item.call_id


def begin_output(
    state: ResponsesConversation, key: str, response: OpenResponse, kind: str | None = None
) -> ResponsesItem:
    """Return the item `key` that an event of `response` names first."""
    item = state.item(key)
    item.response_id = response.id
    item.kind = item.kind or kind
    item.role = item.role or "assistant"
    return item


def key_at(
    state: ResponsesConversation, response: OpenResponse, key: str | None, place: int | None, kind: str | None = None
) -> str | None:
    """Return what the item is kept under that an event names `key`, at a place of the output; None where neither tells.

    Some gateways give each event an id of its own. Where an id is not known the place tells, unless the item there is
    over, or not of `kind`: some servers give all items one place.
    """
    known = _at(state, response, key, place)
    if known is None or (key is not None and (known.is_done or not _may_be(known, kind))):
        return key
    return known.id


def key_in_output(state: ResponsesConversation, response: OpenResponse, item: ResponseItem, place: int) -> str:
    """Return what an item is kept under that stands at a place of the output of an ended response. It has an id."""
    key = key_of(item) or ""
    known = _at(state, response, key, place)
    return key if known is None or not _may_be(known, item.type) else known.id or key


def _at(
    state: ResponsesConversation, response: OpenResponse, key: str | None, place: int | None
) -> ResponsesItem | None:
    """Return the item at a place of the output, where `key` is not known."""
    if place is None or key in state.items:
        return None
    return state.items.get(response.places.get(place, ""))


def _may_be(known: ResponsesItem, kind: str | None) -> bool:
    return kind is None or known.kind in (None, kind)


def output_added(
    state: ResponsesConversation, item: ResponseItem, response: OpenResponse, at: Micros | None
) -> Sequence[Fact]:
    """Add an item of `response`, and the tool call that it may be."""
    known = describe(state, key_of(item) or "", item, response.id)
    return calls.begin(state, item, known, response.id, at)


def output_done(
    state: ResponsesConversation, key: str, item: ResponseItem, response: OpenResponse, at: Micros | None
) -> Sequence[Fact]:
    """Take the final form of an item of a response, kept under `key`. It need not have been seen to begin."""
    known = describe(state, key, item, response.id or None)
    known.is_done = True
    if item.type in calls.KINDS:
        begun = calls.begin(state, item, known, response.id or None, None)
        # The call itself keeps what it was made with: here it is only held against the deltas, where any came.
        differed = settle_parts(state, known, parts_of(item), "arguments") if known.grew else NOTHING
        return (*begun, *differed, *calls.settle(state, item, known.call_id, at))
    differed = settle_parts(state, known, parts_of(item), "content")
    if item.type == "message":
        return (*differed, *_refused(state, item, known, response))
    return (*differed, *calls.settle(state, item, known.call_id, at), *calls.asked_or_listed(state, item))


def describe(state: ResponsesConversation, key: str, item: ResponseItem, response_id: str | None) -> ResponsesItem:
    """Take over what upstream's item says of itself, but for its text. Return the item of the conversation."""
    known = state.item(key)
    known.kind = short(item.type) or known.kind
    known.role = short(item.role) or known.role
    known.response_id = response_id
    return known


def settle_parts(
    state: ResponsesConversation, known: ResponsesItem, parts: Sequence[tuple[int, str]], member: str
) -> Sequence[Fact]:
    """Replace what the deltas of an item built by its final text, and report it if they had led elsewhere."""
    differs = state.transcript.settle(known, parts)
    return (facts.DeltasDiffered(item_id=known.id, members=(member,)),) if differs else NOTHING


def _refused(
    state: ResponsesConversation, item: ResponseItem, known: ResponsesItem, response: OpenResponse
) -> Sequence[Fact]:
    """Report that a message is a refusal, once for each item."""
    if not any(part.refusal for part in _content(item)) or not state.requested.add(f"refused {known.id}"):
        return NOTHING
    model = response.terms.model
    return (facts.ResponseRefused(response_id=response.id or None, item_id=known.id, model=model),)


# Content --------------------------------------------------------------------------------------------------


def _content(item: ResponseItem) -> tuple[Part, ...]:
    return item.content if isinstance(item.content, tuple) else ()


def text_of_part(part: Part) -> str | None:
    """Return the text of a part: what was written, or how it was refused."""
    return part.text if part.refusal is None else part.refusal


def parts_of(item: ResponseItem) -> list[tuple[int, str]]:
    """Return the text of upstream's item by part.

    What a call of a shell or a patch was made with is an object of several texts: deltas bring some of them, and none
    is held against the whole.
    """
    if item.type in calls.KINDS:
        made = calls.made_with(item)
        return [] if made is None or item.type not in _OF_ONE_TEXT else [(0, made)]
    parts = [(index, text_of_part(part)) for index, part in enumerate(_content(item))]
    parts += [(SUMMARY + index, part.text) for index, part in enumerate(item.summary or ())]
    return [(index, text) for index, text in parts if text is not None]


def content_of(item: ResponseItem) -> Content | None:
    """Return the text of upstream's item as content of the kind that policies know; None where it is empty."""
    if item.type in calls.KINDS:
        return facts.content("arguments", calls.made_with(item))
    if item.type in calls.OUTPUTS:
        return facts.content("output", calls.put_out(item))
    return facts.content("text", "".join(text for _, text in parts_of(item)))


def seen_of(state: ResponsesConversation, opened: OpenResponse) -> list[ResponsesItem]:
    """Return the items that were seen of a response, for where its end does not list them."""
    return [item for key in opened.places.values() if (item := state.items.get(key)) is not None]


def contents(state: ResponsesConversation, response: Response, opened: OpenResponse) -> list[Content | None]:
    """Return the content of each item of a response: of those that its end lists, else of those that were seen."""
    if response.output:
        return [content_of(item) for item in response.output]
    return [_content_seen(state, item) for item in seen_of(state, opened)]


def _content_seen(state: ResponsesConversation, item: ResponsesItem) -> Content | None:
    """Return the text that was seen of an item; None where it is empty."""
    if item.kind not in calls.KINDS:
        return facts.content("text", item.text())
    call = state.calls.get(item.call_id) if item.call_id is not None else None
    return facts.content("arguments", item.text() or (call.arguments if call else None))
