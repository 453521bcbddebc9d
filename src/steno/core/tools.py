"""Tool calls: from the moment the model begins one, over the complete call, to its output."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw

from steno.core.conversation import NOTHING, Conversation, EndedCall, OpenCall
from steno.core.facts import Content, Fact, ToolCallFinished, ToolCallStarted
from steno.core.vocabulary import TOOL_KINDS, closed, short
from steno.timestamps import Micros

_JSON: Final = msgspec.json.Decoder(Raw)
"""Checks JSON and builds nothing of it."""
TAKES_JSON = frozenset({"function", "mcp"})
"""Kinds of calls whose arguments are JSON. Others take code, or nothing."""


def start(
    state: Conversation,
    call_id: str | None,
    kind: str | None,
    name: str | None,
    owner: str | None,
    item_id: str | None = None,
    *,
    announce: bool = True,
) -> Sequence[Fact]:
    """Begin a call, or learn more of one that is known. Past the limit of open calls the oldest is abandoned.

    Args:
        state: the conversation that the call is made in.
        call_id: what the call is known by.
        kind: the kind of tool.
        name: the name of the tool, where this event has it.
        owner: the response, run or step that makes the call.
        item_id: the item of the conversation that it is.
        announce: whether the fact that it began is due now. Else it waits for the name.
    """
    if call_id is None or call_id in state.ended:
        return NOTHING
    call = state.calls.get(call_id)
    abandoned: Sequence[Fact] = NOTHING
    if call is None:
        call = state.calls[call_id] = OpenCall(closed(kind, TOOL_KINDS), short(name), owner)
        if len(state.calls) > state.limits.open_responses:
            abandoned = finish(state, next(iter(state.calls)), "abandoned", None)
    call.name = call.name or short(name)
    call.owner = call.owner or owner
    call.item_id = call.item_id or item_id
    begun = _announce(call_id, call) if announce or call.name is not None else NOTHING
    return (*abandoned, *begun) if abandoned else begun


def _announce(call_id: str, call: OpenCall) -> Sequence[Fact]:
    """Report that a call began, unless that was reported before."""
    if call.announced:
        return NOTHING
    call.announced = True
    return (ToolCallStarted(call_id=call_id, kind=call.kind, name=call.name),)


def called(state: Conversation, call_id: str | None, at: Micros | None, arguments: str | None) -> None:
    """Note that a call is complete: its output is waited for since then. Arguments that are too long are not kept."""
    if call_id is not None and (call := state.calls.get(call_id)):
        call.complete = True
        call.called_at = at if call.called_at is None else call.called_at
        if arguments is not None:
            call.arguments = arguments if len(arguments) <= state.limits.object_bytes else None
            state.calls.weigh(call_id)


def returned(state: Conversation, call_id: str | None, status: str, at: Micros | None) -> None:
    """Note how and when a call ended. Its output comes in a later event, which finishes it."""
    if call_id is not None and (call := state.calls.get(call_id)):
        call.outcome = (status, at)


def finish(
    state: Conversation,
    call_id: str | None,
    status: str,
    at: Micros | None,
    output: str | None = None,
    error: str | None = None,
) -> Sequence[Fact]:
    """End a call as completed, failed or abandoned. One that is unknown, or has ended, leads to no fact.

    What `returned` noted stands before `status` and `at`. `error` is the code of a failure.
    """
    call = state.calls.pop(call_id, None) if call_id is not None else None
    if call is None or call_id is None:
        return NOTHING
    state.ended.add(call_id)
    status, at = call.outcome or (status, at)
    state.log_call(EndedCall(call_id, call.kind, call.name, status))
    return (
        *_announce(call_id, call),
        ToolCallFinished(
            call_id=call_id,
            kind=call.kind,
            name=call.name,
            status=status,
            duration_seconds=None if status == "abandoned" else state.elapsed(_since(call), at),
            arguments=None if call.arguments is None else Content("arguments", call.arguments),
            output=None if output is None else Content("output", output),
            arguments_whole=_is_json(call.arguments) if call.kind in TAKES_JSON else None,
            error=error,
        ),
    )


def _since(call: OpenCall) -> Micros | None:
    return call.run_at if call.called_at is None else call.called_at


def is_half(call: OpenCall) -> bool:
    """Return whether a call broke off in its arguments, or is not known to be complete."""
    return not call.complete or (call.kind in TAKES_JSON and _is_json(call.arguments) is False)


def _is_json(arguments: str | None) -> bool | None:
    """Return whether `arguments` are valid JSON: a call that was cut off leaves half a text. None stays None."""
    if arguments is None:
        return None
    try:
        _JSON.decode(arguments)
    except (ValueError, RecursionError):
        return False
    return True


def finish_all(state: Conversation, owner: str | None, status: str, at: Micros | None) -> list[Fact]:
    """End all calls of one response or step, or all of the conversation where `owner` is None."""
    open_calls = [call_id for call_id, call in state.calls.items() if owner is None or call.owner == owner]
    return [fact for call_id in open_calls for fact in finish(state, call_id, status, at)]
