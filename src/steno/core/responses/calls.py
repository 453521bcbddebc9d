"""Tool calls of responses: who runs each kind, what it is known by, and which event says that it returned.

Calls of two sorts are items of the output:

- Those that upstream runs (`web_search_call`, `mcp_call`, ...) return within their response: an event says that they
  were begun, one that they run, one that they returned, and the final form of the item has what they returned. They are
  known by their item.
- Those that the client runs (`function_call`, `computer_call`, ...) wait for an item with their output in the input of
  a later request. They are known by `call_id`. Where requests are not seen, a response that follows theirs shows that
  they were answered, but neither when nor by what. `shell_call` and `program` are of this sort, and where upstream runs
  them itself the output is an item of the same response.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from steno.core import facts, tools
from steno.core.conversation import NOTHING, Conversation
from steno.core.facts import Fact
from steno.core.responses.approving import ApprovingConversation
from steno.core.responses.item import ResponsesItem
from steno.core.responses.state import ResponsesConversation
from steno.core.vocabulary import code, short
from steno.timestamps import Micros
from steno.wire.realtime_objects import ErrorDetail
from steno.wire.responses_objects import InputItem, Response, ResponseItem

RUN_BY_CLIENT: Final = {
    "function_call": "function",
    "custom_tool_call": "custom",
    "computer_call": "computer",
    "shell_call": "shell",
    "local_shell_call": "local_shell",
    "apply_patch_call": "apply_patch",
    "tool_search_call": "tool_search",
    "program": "program",
}
"""What its client runs, but for a search of tools that says that upstream runs it: see `is_of_upstream`."""
RUN_BY_UPSTREAM: Final = {
    "mcp_call": "mcp",
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_interpreter",
    "image_generation_call": "image_generation",
}
KINDS: Final = {**RUN_BY_CLIENT, **RUN_BY_UPSTREAM}
"""Item types that are tool calls, and the kind of call."""
OUTPUTS: Final = frozenset(
    {
        *("function_call_output", "custom_tool_call_output", "computer_call_output", "local_shell_call_output"),
        *("shell_call_output", "apply_patch_call_output", "tool_search_output", "program_output"),
    }
)
"""Item types that are the output of a call."""
PROGRAM: Final = "program"
APPROVAL: Final = "mcp_approval_request"
_WITHIN: Final = frozenset(RUN_BY_UPSTREAM.values())
"""Kinds of calls that return within their response, or not at all."""
_NOT_ENDED: Final = frozenset({"failed", "incomplete", "in_progress"})
_NOTHING_SAID: Final = (b"", b"null")
_BRING_CUSTOM: Final = frozenset({"custom", "namespace", "tool_search"})
"""Kinds of tools by which a client declares its own custom ones."""


def key_of(item: ResponseItem) -> str | None:
    """Return what the call that an item is is known by."""
    return item.id or item.call_id if item.type in RUN_BY_UPSTREAM else item.call_id or item.id


def is_of_upstream(item: ResponseItem) -> bool:
    """Return whether upstream runs the call that an item is."""
    return item.type in RUN_BY_UPSTREAM or item.execution == "server"


# Beginning and end of one call ----------------------------------------------------------------------------


def begin(
    state: ResponsesConversation, item: ResponseItem, known: ResponsesItem, response_id: str | None, at: Micros | None
) -> Sequence[Fact]:
    """Begin the call that an item is, or learn more of it. `at` is when it was begun; None where that was not seen."""
    kind = KINDS.get(item.type or "")
    key = _renamed(state, item, known, response_id)
    if kind is None or key is None:
        return NOTHING
    known.call_id = key
    begun = tools.start(state, key, kind, item.name, response_id, known.id)
    if at is not None and is_of_upstream(item):
        runs(state, known, at)
    return begun


def _renamed(
    state: ResponsesConversation, item: ResponseItem, known: ResponsesItem, response_id: str | None
) -> str | None:
    """Return what the call of an item is known by from now on.

    The id of an item may be another one in each event; the call of a client may get another id when it is whole, and
    its output names that one. That of an earlier response is another call: some servers number items anew in each.
    """
    key, former = key_of(item), known.call_id
    if former is None or former == key or key is None:
        return key
    if is_of_upstream(item):
        return former
    call = state.calls.get(former)
    if key not in state.calls and key not in state.ended and call is not None and call.owner == response_id:
        state.calls[key] = state.calls.pop(former)
    return key


def runs(state: ResponsesConversation, known: ResponsesItem, at: Micros | None) -> None:
    """Note that upstream was seen to run a call."""
    call = state.calls.get(known.call_id) if known.call_id is not None else None
    if call is not None and call.run_at is None:
        call.run_at = at


def settle(state: Conversation, item: ResponseItem, key: str | None, at: Micros | None) -> Sequence[Fact]:
    """Take the final form of an item: a call, known by `key`, is complete, and has returned where upstream ran it."""
    if item.type in OUTPUTS:
        status = "failed" if item.status == "failed" else "completed"
        return tools.finish(state, item.call_id, status, at, put_out(item))
    if item.type not in KINDS or key is None:
        return NOTHING
    if not is_of_upstream(item):
        if item.status != "incomplete":
            tools.called(state, key, at, made_with(item))
        return NOTHING
    tools.called(state, key, None, made_with(item))
    if item.status == "incomplete":
        return tools.finish(state, key, "abandoned", None)
    status = "failed" if item.error is not None or item.status == "failed" else "completed"
    call = state.calls.get(key)
    if call is not None and call.outcome is not None:
        call.outcome = (status, call.outcome[1])
    return tools.finish(
        state, key, status, at, _returned(item), _error_code(item.error) if status == "failed" else None
    )


def _error_code(error: ErrorDetail | str | None) -> str:
    return code(error) if isinstance(error, ErrorDetail) else "unknown"


def _returned(item: ResponseItem) -> str | None:
    """Return what a call that upstream ran returned. An image is no text."""
    return text_of(item.outputs if item.type == "code_interpreter_call" else item.output)


def made_with(item: ResponseItem) -> str | None:
    """Return what a call was made with: arguments, input, code, or the action in JSON; None where it is not known."""
    match item.type:
        case "custom_tool_call":
            return item.input
        case "code_interpreter_call" | "program":
            return item.code
        case "file_search_call":
            return text_of(item.queries)
        case "apply_patch_call":
            return text_of(item.operation)
        case "function_call" | "mcp_call" | "tool_search_call":
            return text_of(item.arguments)
        case _:
            return text_of(item.action)


def put_out(item: ResponseItem) -> str | None:
    """Return what an item says that is the output of a call."""
    return text_of(item.result if item.type == "program_output" else item.output)


def text_of(raw: Raw) -> str | None:
    """Return the string that `raw` is; what is none as it stands, in JSON; None where it is absent or null."""
    written = bytes(raw)
    if written in _NOTHING_SAID:
        return None
    if written.startswith(b'"'):
        try:
            return msgspec.json.decode(written, type=str)
        except ValueError:  # half a character
            return None
    return written.decode(errors="replace")


# What a response, or a request, says of several ------------------------------------------------------------


def answered_by(state: ApprovingConversation, item: InputItem, at: Micros | None) -> Sequence[Fact]:
    """Take an item in the input of a request: the output of a call, or what a person decided."""
    if item.type in OUTPUTS:
        status = "failed" if item.status == "failed" else "completed"
        return tools.finish(state, item.call_id or item.id, status, at, text_of(item.output))
    if item.type != "mcp_approval_response":
        return NOTHING
    key = item.approval_request_id or item.id
    if key is None or not state.decisions.add(key):
        return NOTHING
    return (facts.ApprovalGiven(request_id=item.approval_request_id, approved=item.approve),)


def asked_or_listed(state: ApprovingConversation, item: ResponseItem) -> Sequence[Fact]:
    """Report that a call waits for a person, or that the tools of a server are listed: once for each item."""
    if item.type == APPROVAL:
        if item.id is not None and not state.requested.add(item.id):
            return NOTHING
        return (facts.ApprovalRequested(item_id=item.id, name=short(item.name)),)
    if item.type == "mcp_list_tools":
        return listed(state, item.id, "completed" if item.error is None else "failed")
    return NOTHING


def listed(state: ApprovingConversation, item_id: str | None, status: str) -> Sequence[Fact]:
    """Report that the tools of a server were listed, or could not be: once for each item."""
    if item_id is not None and not state.requested.add(item_id):
        return NOTHING
    return (facts.ToolsListed(item_id=item_id, status=status),)


def follow(state: ResponsesConversation, former: str) -> list[Fact]:
    """End the calls of a response that another one follows: they were answered, nobody saw when.

    A program goes on, with the calls that it makes, until a response has its output.
    """
    waiting = [
        key for key, call in state.calls.items() if call.owner == former and call.complete and call.kind != PROGRAM
    ]
    return [fact for key in waiting for fact in tools.finish(state, key, "completed", None)]


def end_with(state: ResponsesConversation, response: Response, *, broke_off: bool) -> list[Fact]:
    """End the calls of an ended response that nobody will answer; those that wait for their client stay.

    A call that returned has no further event to wait for. One whose final form was not seen is lost.
    """
    ended: list[Fact] = []
    for key, call in list(state.calls.items()):
        if call.owner != response.id:
            continue
        if call.outcome is not None:
            ended += tools.finish(state, key, *call.outcome)
        elif not call.complete or call.kind in _WITHIN or (broke_off and tools.is_half(call)):
            ended += tools.finish(state, key, "abandoned", None)
        elif call.kind == "custom" and _runs_custom(response):
            ended += tools.finish(state, key, "completed", None)
    return ended


def _runs_custom(response: Response) -> bool:
    """Return whether upstream runs the custom calls of a response: its tools are known, and none is a custom one.

    Some servers report what their own tools do as such calls.
    """
    declared = {tool.type for tool in response.tools or ()}
    return bool(declared) and not declared & _BRING_CUSTOM


def waits(state: ResponsesConversation, response: Response, seen: Sequence[str | None] = ()) -> bool:
    """Return whether a response, whose calls `end_with` has ended, waits for outputs or for a decision.

    `seen` are the types of the items that were seen of it.
    """
    if response.id is not None and any(call.owner == response.id for call in state.calls.values()):
        return True
    return APPROVAL in {kind for kind, _ in _listed(response, seen)}


def _listed(response: Response, seen: Sequence[str | None]) -> Iterator[tuple[str | None, ResponseItem | None]]:
    """Yield the type of each item of a response, and the item: those that its end lists, else those that were seen."""
    if response.output:
        yield from ((item.type, item) for item in response.output)
    else:
        yield from ((kind, None) for kind in seen)


def billed(response: Response, seen: Sequence[str | None] = ()) -> dict[str, int]:
    """Return how many calls of each kind a response has that ended and may be billed: see `billing.tools`.

    `seen` are the types of the items that were seen of it.
    """
    counts: dict[str, int] = {}
    search = _search(response)
    for name, item in _listed(response, seen):
        kind = RUN_BY_UPSTREAM.get(name or "")
        if kind is None or kind == "mcp" or (item is not None and item.status in _NOT_ENDED):
            continue
        if kind == "web_search":
            if item is not None and not _searched(item.action):
                continue
            kind = search
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def _search(response: Response) -> str:
    """Return which of the two tools for searches of the web a response has."""
    declared = {tool.type or "" for tool in response.tools or ()}
    older = {kind for kind in declared if kind.startswith("web_search_preview")}
    newer = {kind for kind in declared - older if kind.startswith("web_search")}
    return "web_search_preview" if older and not newer else "web_search"


class _Action(msgspec.Struct, frozen=True):
    type: str | None = None


def _searched(action: Raw) -> bool:
    """Return whether a search of the web did search, and did not only open a page. Older ones do not say it."""
    if bytes(action) in _NOTHING_SAID:
        return True
    try:
        return msgspec.json.decode(action, type=_Action).type in (None, "search")
    except ValueError:
        return True


def drawn_by(response: Response) -> str | None:
    """Return the model that draws the images of a response, where its tools name it."""
    return next((short(tool.model) for tool in response.tools or () if tool.type == "image_generation"), None)
