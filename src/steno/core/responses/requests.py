"""What a client says: requests for responses, with what their input brings, and input for one in progress."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from steno.core import facts
from steno.core.conversation import NOTHING
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.responses import calls
from steno.core.responses.in_progress import Request
from steno.core.responses.item import ResponsesItem
from steno.core.responses.state import ResponsesConversation
from steno.core.vocabulary import short
from steno.limits import LIST_ELEMENTS
from steno.timestamps import SECOND
from steno.wire import responses
from steno.wire.responses_objects import InputItem, Part, conversation_id_of

SESSION: Final = "responses"
"""The kind of session that a connection is."""
SESSION_SECONDS: Final = 3_600
"""How long upstream keeps a connection."""
PEOPLE: Final = frozenset({"user", "system", "developer"})
"""Who a client speaks for."""

_ITEM: Final = msgspec.json.Decoder(InputItem)
_ELEMENTS: Final = msgspec.json.Decoder(list[Raw])
_PARTS: Final = msgspec.json.Decoder(list[Part])


def asked(state: ResponsesConversation, event: responses.ResponseCreate, frame: Frame) -> Sequence[Fact]:
    """Take a request for a response: what it follows, and the outputs and decisions that its input brings."""
    former = state.response_of(event)
    failed = state.give_up(former) if former is not None and former.erred is not None else NOTHING
    begun = _session_begun(state, event)
    items = list(_items(state, event.input))
    named = event.previous_response_id or conversation_id_of(event.conversation)
    follows = named is not None or any(_was_made(item) for item in items)
    warms_up = event.generate is False
    state.add_request(Request(state.last_stream, event.stream_id, frame.at, follows=follows, warms_up=warms_up))
    return (*failed, *begun, *_brought(state, event.input, items, frame))


def steered(state: ResponsesConversation, event: responses.ResponseSteer, frame: Frame) -> Sequence[Fact]:
    """Take input for a response in progress. What upstream makes of it follows."""
    return _brought(state, event.input, list(_items(state, event.input)), frame)


def _session_begun(state: ResponsesConversation, event: responses.ResponseCreate) -> Sequence[Fact]:
    """Report that a stream is a connection that upstream keeps for a time, once."""
    if state.connection is None:
        return NOTHING
    (stream, begun_at), state.connection = state.connection, None
    expires_at = None if begun_at is None else begun_at / SECOND + SESSION_SECONDS
    state.session_life.report(stream, SESSION, expires_at, begun_at)
    return (facts.SessionOpened(session_id=stream, model=short(event.model), expires_at=expires_at, kind=SESSION),)


# Input ----------------------------------------------------------------------------------------------------


def _items(state: ResponsesConversation, raw: Raw) -> Iterator[InputItem]:
    """Yield the newest items of the input of a request. One that cannot be read is counted."""
    if _start(raw) != b"[":
        return
    for element in _ELEMENTS.decode(raw)[-LIST_ELEMENTS:]:
        try:
            yield _ITEM.decode(element)
        except ValueError:
            state.note("unreadable_input")


def _start(raw: Raw) -> bytes:
    """Return the first byte of a value, which tells its type."""
    return bytes(memoryview(raw)[:1])


def _was_made(item: InputItem) -> bool:
    """Return whether an item of the input is one that a model made, or the output of a call."""
    return item.role == "assistant" or (item.type is not None and item.type != "message")


def _brought(state: ResponsesConversation, raw: Raw, items: Sequence[InputItem], frame: Frame) -> Sequence[Fact]:
    """Report what the input of a request brings that is new: outputs of calls, decisions, and what people say."""
    brought = [fact for item in items for fact in calls.answered_by(state, item, frame.at)]
    text = calls.text_of(raw) if not items and _start(raw) == b'"' else None
    said = [("user", text)] if text else [(item.role or "user", _text_in(item.content)) for item in _new(items)]
    return (*brought, *(_said(state, role, words) for role, words in said if words))


def _new(items: Sequence[InputItem]) -> Sequence[InputItem]:
    """Return what people say behind all that a model made: what stands before that was sent before."""
    first = next((place for place in range(len(items), 0, -1) if not _is_of_people(items[place - 1])), 0)
    return items[first:]


def _is_of_people(item: InputItem) -> bool:
    return item.role in PEOPLE and item.type in (None, "message")


def _text_in(content: Raw) -> str | None:
    """Return the text of a message in the input, which is a text or a list of parts."""
    start = _start(content)
    if start == b'"':
        return calls.text_of(content)
    try:
        return "".join(part.text for part in _PARTS.decode(content) if part.text) if start == b"[" else None
    except ValueError:  # a part of another form
        return None


def _said(state: ResponsesConversation, role: str, text: str) -> Fact:
    """Add what somebody says to the transcript. Its client gives it no id."""
    item = ResponsesItem(None, "message", short(role))
    state.add_said(item)
    state.transcript.write(item, 0, text)
    return facts.ItemAdded(item_id=None, kind="message", role=item.role, text=facts.content("text", text))
