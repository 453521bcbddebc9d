"""The arguments of a tool call as events of their own: by deltas, and whole.

They may be all that a server sends of a call, with or without the ids of response, item and output. The `call_id` then
says which call it is, and the only response in progress which response makes it.
"""

from collections.abc import Sequence

from steno.core import tools
from steno.core.conversation import NOTHING
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.realtime import items
from steno.core.realtime.conversation_item import ConversationItem
from steno.core.realtime.in_progress import OpenResponse
from steno.core.realtime.responses import text_started, unannounced
from steno.core.realtime.state import RealtimeConversation
from steno.wire import realtime

ArgumentsEvent = (
    realtime.ArgumentsDelta | realtime.McpArgumentsDelta | realtime.ArgumentsDone | realtime.McpArgumentsDone
)


def arguments_delta(
    state: RealtimeConversation, event: realtime.ArgumentsDelta | realtime.McpArgumentsDelta, frame: Frame
) -> Sequence[Fact]:
    """Add a piece of the arguments of a tool call."""
    response = state.open.get(event.response_id)  # type: ignore[arg-type]  # None is no key, and not found
    item = state.items.get(event.item_id)  # type: ignore[arg-type]  # likewise
    if response is None or item is None or item.call_id is None:
        return _first_delta(state, event, frame)
    if not event.delta:
        return NOTHING
    state.transcript.grow(item, None, event.delta)
    return NOTHING if response.has_text else text_started(state, response, frame)


def _first_delta(
    state: RealtimeConversation, event: realtime.ArgumentsDelta | realtime.McpArgumentsDelta, frame: Frame
) -> Sequence[Fact]:
    """Begin the call that a delta names first, or find the one that it names by its `call_id` alone."""
    response = _response_of(state, event)
    if response is None:
        return unannounced(arguments_delta, state, event, frame)
    key = _item_key(state, event)
    if key is None:
        return state.reject(event, "missing_id")
    item = state.items.get(key) or items.begin_output(state, key, response)
    begun = _begin(state, event, item, response)
    if not event.delta:
        return begun
    state.transcript.grow(item, None, event.delta)
    return begun if response.has_text else (*begun, *text_started(state, response, frame))


def arguments_done(
    state: RealtimeConversation, event: realtime.ArgumentsDone | realtime.McpArgumentsDone, frame: Frame
) -> Sequence[Fact]:
    """Take the final arguments of a tool call: the call is complete, and its output is waited for."""
    response = _response_of(state, event)
    if response is None and not _says_more(state, event):
        return unannounced(arguments_done, state, event, frame)
    key = _item_key(state, event)
    if key is None:
        return state.reject(event, "missing_id")
    item = state.items.get(key) or (items.begin_output(state, key, response) if response else state.item(key))
    begun = _begin(state, event, item, response)
    tools.called(state, item.call_id, frame.at, event.arguments)
    parts = [] if event.arguments is None else [(0, event.arguments)]
    return (*begun, *items.settle_parts(state, item, parts, "arguments"))


def _begin(
    state: RealtimeConversation, event: ArgumentsEvent, item: ConversationItem, response: OpenResponse | None
) -> Sequence[Fact]:
    """Begin the call of `item`. A function call without a `call_id` waits for the event that has one."""
    owner = response.id if response else None
    item.response_id = item.response_id or owner
    remote = isinstance(event, (realtime.McpArgumentsDelta, realtime.McpArgumentsDone))
    item.kind = item.kind or ("mcp_call" if remote else "function_call")
    item.call_id = _call_id(event) or item.call_id or ""
    name = event.name if isinstance(event, realtime.ArgumentsDone) else None
    key = item.call_id or None
    return tools.start(state, key, "mcp" if remote else "function", name, owner, item.id, announce=False)


def _call_id(event: ArgumentsEvent) -> str | None:
    if isinstance(event, (realtime.ArgumentsDelta, realtime.ArgumentsDone)):
        return event.call_id or None
    return event.item_id or None


def _response_of(state: RealtimeConversation, event: ArgumentsEvent) -> OpenResponse | None:
    """Return the open response that an event is about. Without an id of it: that of its call, else the only one."""
    if event.response_id:
        return state.open.get(event.response_id)
    key = _call_id(event)
    if key is None or key in state.ended:
        return None
    call = state.calls.get(key)
    if call is not None and call.owner is not None:
        return state.open.get(call.owner)
    return state.only_response()


def _says_more(state: RealtimeConversation, event: realtime.ArgumentsDone | realtime.McpArgumentsDone) -> bool:
    """Return whether arguments without an open response are those of a call that is not known to be complete.

    Its response ended before them, or is not known. A response that is new is opened instead.
    """
    key = _call_id(event)
    if key is None or key in state.ended or (event.response_id and event.response_id not in state.ended_responses):
        return False
    call = state.calls.get(key)
    return call is None or not call.complete


def _item_key(state: RealtimeConversation, event: ArgumentsEvent) -> str | None:
    """Return the item of the call: the event's own, else the one that its call is known by, else a made-up one."""
    if event.item_id:
        return event.item_id
    key = _call_id(event)
    call = state.calls.get(key) if key else None
    return (call.item_id if call else None) or key
