"""Tool calls of a voice session: which of many events says that one began, was complete, and returned.

A function call is known by its `call_id`, whatever items it is reported under; an MCP call by the id of its item.
Upstream has up to six ways to report one, and no server uses all of them: the item of a response, its arguments by
deltas, their end, the events of an MCP call, the item of the conversation, and the output of `response.done`. Whichever
comes first begins the call. A call that a client puts into a conversation is history, and is none of these.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from steno.core import facts, tools
from steno.core.conversation import NOTHING, OpenCall
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.realtime.conversation_item import ConversationItem
from steno.core.realtime.state import RealtimeConversation
from steno.core.vocabulary import code, short
from steno.timestamps import Micros
from steno.wire import realtime
from steno.wire.realtime_objects import Item, RealtimeResponse

CALL_KINDS: Final = {"function_call": "function", "mcp_call": "mcp"}
"""Item types that are tool calls, and the kind of call."""


def call_id_of(item: Item) -> str | None:
    """Return the id of the tool call that an item is. MCP calls are known by their item."""
    return item.id if item.type == "mcp_call" else item.call_id


# Items ----------------------------------------------------------------------------------------------------


def of_response(
    state: RealtimeConversation, item: Item, known: ConversationItem, response_id: str | None
) -> Sequence[Fact]:
    """Begin the tool call that an item of a response is."""
    if item.type not in CALL_KINDS:
        return NOTHING
    return _begin(state, item, known, response_id)


def of_conversation(
    state: RealtimeConversation, item: Item, known: ConversationItem, at: Micros | None, *, final: bool
) -> Sequence[Fact]:
    """Begin the tool call that an item of the conversation is, where it is under way. Else it is history."""
    if item.type not in CALL_KINDS or not _is_live(state, item, final=final):
        return NOTHING
    begun = _begin(state, item, known, known.response_id)
    call = state.calls.get(item.id) if item.type == "mcp_call" and item.id is not None else None
    if call is not None and item.arguments and not final and call.run_at is None:
        call.run_at = at  # an approved call, which has its arguments from the beginning
    return begun


def _is_live(state: RealtimeConversation, item: Item, *, final: bool) -> bool:
    """Return whether an item of the conversation is a call that is made now.

    A call that is known, or that was approved in this conversation, is. Any other one must be seen in progress: a
    client may restore an old conversation, and upstream repeats those items as it repeats its own.
    """
    if call_id_of(item) in state.calls:
        return True
    if item.approval_request_id is not None and item.approval_request_id in state.approvals:
        return True
    if final:
        return False
    return item.status == "in_progress" or (item.type == "mcp_call" and item.status is None and not _returned(item))


def _begin(state: RealtimeConversation, item: Item, known: ConversationItem, response_id: str | None) -> Sequence[Fact]:
    key = call_id_of(item)
    known.call_id = key or known.call_id
    return tools.start(state, key, CALL_KINDS[item.type or ""], item.name, response_id, known.id)


def says_more(state: RealtimeConversation, item: Item) -> bool:
    """Return whether the final form of an item is that of a call which is not known to be complete, or not over.

    An approved call goes on after its response.
    """
    key = call_id_of(item) if item.type in CALL_KINDS else None
    if key is None or key in state.ended:
        return False
    call = state.calls.get(key)
    return call is None or item.type == "mcp_call" or not call.complete


def settle(state: RealtimeConversation, item: Item, frame: Frame) -> Sequence[Fact]:
    """Take the final form of an item that is a call: its arguments, and the end of an MCP call."""
    if item.type not in CALL_KINDS:
        return NOTHING
    key = call_id_of(item)
    over = item.type == "mcp_call" and _is_over(state, item)
    if item.arguments is not None:
        # With the output in it, this form does not say when the call was complete.
        tools.called(state, key, None if over else frame.at, item.arguments)
    if not over:
        return NOTHING
    error = code(item.error) if item.error else None
    return tools.finish(state, key, "failed" if error else "completed", frame.at, item.output, error)


def _returned(item: Item) -> bool:
    return item.output is not None or item.error is not None


def _is_over(state: RealtimeConversation, item: Item) -> bool:
    """Return whether an MCP call is over, by its item or by an event before that."""
    call = state.calls.get(item.id) if item.id else None
    return _returned(item) or (call is not None and call.outcome is not None)


def created_by_client(state: RealtimeConversation, item: Item) -> None:
    """Note what a client puts into the conversation: a call is history, and no event begins it any more.

    So is a request for approval, with the decision about it: upstream alone asks.
    """
    if item.type == "mcp_approval_request" and item.id is not None and state.approvals.add(item.id):
        state.decisions.add(item.id)
    key = call_id_of(item) if item.type in CALL_KINDS else None
    if key is not None and key not in state.calls:
        state.ended.add(key)


# MCP ------------------------------------------------------------------------------------------------------


def mcp_in_progress(state: RealtimeConversation, event: realtime.McpCallInProgress, frame: Frame) -> Sequence[Fact]:
    """Note that an MCP call is under way."""
    begun = _remote(state, event.item_id)
    tools.called(state, event.item_id, frame.at, None)
    return begun


def mcp_completed(state: RealtimeConversation, event: realtime.McpCallCompleted, frame: Frame) -> Sequence[Fact]:
    """Note that an MCP call returned. Its output is in the item that follows, if one does."""
    begun = _remote(state, event.item_id)
    tools.returned(state, event.item_id, "completed", frame.at)
    return begun


def mcp_failed(state: RealtimeConversation, event: realtime.McpCallFailed, frame: Frame) -> Sequence[Fact]:
    """Note that an MCP call failed. Its error is in the item that follows, if one does."""
    begun = _remote(state, event.item_id)
    tools.returned(state, event.item_id, "failed", frame.at)
    return begun


def _remote(state: RealtimeConversation, item_id: str | None) -> Sequence[Fact]:
    """Begin the MCP call of an item that may be unknown. Its name is, until an item tells it."""
    if not item_id:
        return NOTHING
    item = state.items.get(item_id)
    if item is None and item_id not in state.ended:
        item = state.item(item_id)
        item.role = "assistant"
        only = state.only_response()
        item.response_id = only.id if only else None
    if item is not None:
        item.kind = item.kind or "mcp_call"
        item.call_id = item.call_id or item_id
    return tools.start(state, item_id, "mcp", None, item.response_id if item else None, item_id, announce=False)


def approval_requested(state: RealtimeConversation, item: Item) -> Sequence[Fact]:
    """Report that an MCP call waits for a person, once for each request."""
    if item.id is not None and not state.approvals.add(item.id):
        return NOTHING
    return (facts.ApprovalRequested(item_id=item.id, name=short(item.name)),)


def approval_given(state: RealtimeConversation, item: Item) -> Sequence[Fact]:
    """Report what a person decided, once for each request. A decision about no request is not known again."""
    key = item.approval_request_id or item.id
    if key is None or not state.decisions.add(key):
        return NOTHING
    return (facts.ApprovalGiven(request_id=item.approval_request_id, approved=item.approve),)


# The end of a response ------------------------------------------------------------------------------------


def end_with(state: RealtimeConversation, response: RealtimeResponse, *, broke_off: bool) -> list[Fact]:
    """End the calls of an ended response that will not be answered any more.

    An MCP call that returned has no further event to wait for. Nobody runs half a call: one that is incomplete, or
    that is not known to be complete where the response broke off, is abandoned. All others wait for their output.
    """
    if response.id is None:
        return []
    output = {call_id_of(item): item.status for item in response.output} if response.output else None
    ended: list[Fact] = []
    for key, call in list(state.calls.items()):
        if call.owner != response.id:
            continue
        state.recall_arguments(key)
        if call.outcome is not None:
            ended += tools.finish(state, key, *call.outcome)
        elif _is_lost(call, output, key, broke_off=broke_off):
            ended += tools.finish(state, key, "abandoned", None)
        else:
            ended += tools.start(state, key, None, None, None)
    return ended


def _is_lost(call: OpenCall, output: Mapping[str | None, str | None] | None, key: str, *, broke_off: bool) -> bool:
    """Return whether the end of its response says that a call is not complete; without `output`, what was seen does."""
    if output is None:
        return broke_off and tools.is_half(call)
    return output.get(key) == "incomplete" or (broke_off and output.get(key) != "completed")
