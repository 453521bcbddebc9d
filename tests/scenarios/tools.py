"""Scenarios of tools in voice sessions: calls that are cut, calls without an output, and calls of MCP servers."""

from typing import Any, Final

from steno.simulate.steps import pieces
from steno.simulate.voice_answers import call_function
from steno.simulate.voice_session import OpenResponse, VoiceSession
from steno.simulate.voice_turns import hand_over
from tests.scenarios.scenario import LINE, Scenario, answer_in_writing, part_of, type_in, voice_scenario


def _call(s: VoiceSession) -> str:
    """Send a response with only a function call. Returns the id of the call."""
    response = s.begin_response(s.now)
    call_id, called_at = call_function(s, response, s.setup.script.lookups[0], s.now + 0.3)
    s.end_response(called_at, response, "completed")
    s.now = called_at + 0.05
    return call_id


def tool_only_response(s: VoiceSession) -> None:
    """A response only calls a function, without text or sound; another one answers."""
    type_in(s, LINE)
    call_id = _call(s)
    hand_over(s, call_id, '{"ok":true}')
    answer_in_writing(s, "Yes.")


def interleaved_items(s: VoiceSession) -> None:
    """One response has two open items: a comment, and a function call that begins before it ends."""
    type_in(s, LINE)
    _call(s)


def tool_that_never_answers(s: VoiceSession) -> None:
    """A function is called and its output never arrives: the caller hangs up."""
    type_in(s, LINE)
    _call(s)


def output_before_the_end(s: VoiceSession) -> None:
    """The output of a call enters the conversation before the response of the call is done."""
    type_in(s, LINE)
    response = s.begin_response(s.now)
    call_id, called_at = call_function(s, response, s.setup.script.lookups[0], s.now + 0.3)
    s.now = called_at
    hand_over(s, call_id, '{"ok":true}')
    s.end_response(s.now + 0.1, response, "completed")


def arguments_cut_by_cancellation(s: VoiceSession) -> None:
    """A response is cancelled during a function call: the arguments break off, the item is incomplete."""
    type_in(s, LINE)
    response = s.begin_response(s.now)
    name, call_id = s.setup.script.tool["name"], s.new_call_id()
    begun = {"name": name, "call_id": call_id, "arguments": ""}
    index = _begin_item(s, response, "function_call", **begun)
    where = {**_place(response, index), "call_id": call_id}
    cut = '{"night":"Fri'
    kind = "response.function_call_arguments"
    _stream_arguments(s, response, f"{kind}.delta", where, cut)
    s.send(s.now, f"{kind}.done", **where, name=name, arguments=cut)
    s.finish_output_item(s.now + 0.001, response, index, status="incomplete", arguments=cut)
    s.end_response(s.now + 0.003, response, "cancelled", {"reason": "turn_detected"})


# MCP: the service itself calls the tool, and no response follows automatically ---------------------------------

_SERVER: Final = "ledger"
_TOOL: Final = "find_invoice"
_ARGUMENTS: Final = '{"number":"417"}'


def mcp_tools_listed(s: VoiceSession) -> None:
    """The tools of an MCP server are listed, in an item of the conversation."""
    _list_tools(s, "completed")


def mcp_tools_not_listed(s: VoiceSession) -> None:
    """The tools of an MCP server cannot be listed."""
    _list_tools(s, "failed")


def _list_tools(s: VoiceSession, outcome: str) -> None:
    item: dict[str, Any] = {"id": s.new_id("mcpl", s.now), "type": "mcp_list_tools", "server_label": _SERVER}
    tool = {"name": _TOOL, "description": "Find an invoice.", "input_schema": {"type": "object"}, "annotations": None}
    tools = [tool] if outcome == "completed" else []
    s.items.append(item["id"])
    s.send(s.now, "conversation.item.added", previous_item_id=None, item={**item, "tools": []})
    s.send(s.now + 0.01, "mcp_list_tools.in_progress", item_id=item["id"])
    s.send(s.now + 0.4, "conversation.item.done", previous_item_id=None, item={**item, "tools": tools})
    s.send(s.now + 0.401, f"mcp_list_tools.{outcome}", item_id=item["id"])
    s.now += 0.5


def mcp_call_completed(s: VoiceSession) -> None:
    """A tool of an MCP server is called and returns; its events name no response."""
    type_in(s, LINE)
    _mcp_call(s, "completed", output='{"due":"Friday"}', error=None)
    answer_in_writing(s, "Friday.")


def mcp_call_failed(s: VoiceSession) -> None:
    """A tool of an MCP server fails, and the item has the error."""
    type_in(s, LINE)
    error = {"type": "http_error", "code": 503, "message": "The simulated ledger is closed."}
    _mcp_call(s, "failed", output=None, error=error)


def mcp_approval(s: VoiceSession) -> None:
    """A call of an MCP server must be approved: it is requested, granted, and then made."""
    type_in(s, LINE)
    response = s.begin_response(s.now)
    asked = {"server_label": _SERVER, "name": _TOOL, "arguments": _ARGUMENTS}
    index = _begin_item(s, response, "mcp_approval_request", **asked)
    s.finish_output_item(s.now, response, index, status="completed")
    s.end_response(s.now + 0.002, response, "completed")
    request_id = response.output[index]["id"]
    s.now += 0.8
    granted = {"id": s.new_id("item", s.now), "type": "mcp_approval_response", "approval_request_id": request_id}
    s.add_client_item(s.now, {**granted, "approve": True, "reason": None})
    s.now += 0.01
    _mcp_call(s, "completed", output='{"due":"Friday"}', error=None, approval_request_id=request_id)


def _mcp_call(s: VoiceSession, outcome: str, **ends: Any) -> None:
    response = s.begin_response(s.now)
    begun = {"server_label": _SERVER, "name": _TOOL, "arguments": "", "approval_request_id": None}
    index = _begin_item(s, response, "mcp_call", **begun)
    where = _place(response, index)
    _stream_arguments(s, response, "response.mcp_call_arguments.delta", where, _ARGUMENTS)
    s.send(s.now, "response.mcp_call_arguments.done", **where, arguments=_ARGUMENTS)
    of_item = {"item_id": where["item_id"], "output_index": index}
    s.send(s.now + 0.01, "response.mcp_call.in_progress", **of_item)
    s.now += 0.6
    s.send(s.now, f"response.mcp_call.{outcome}", **of_item)
    s.finish_output_item(s.now + 0.001, response, index, arguments=_ARGUMENTS, status="completed", **ends)
    s.end_response(s.now + 0.003, response, "completed")
    s.now += 0.05


# Items of a response --------------------------------------------------------------------------------------


def _begin_item(s: VoiceSession, response: OpenResponse, kind: str, **members: Any) -> int:
    s.now += 0.3
    item = {"id": s.new_id("item", s.now), "type": kind, "status": "in_progress", **members}
    index = s.add_output_item(s.now, response, item)
    s.now += 0.004
    return index


def _place(response: OpenResponse, index: int) -> dict[str, Any]:
    return {member: value for member, value in part_of(response, index).items() if member != "content_index"}


def _stream_arguments(
    s: VoiceSession, response: OpenResponse, kind: str, where: dict[str, Any], arguments: str
) -> None:
    for piece in pieces(arguments):
        s.send_delta(s.now, kind, where, piece)
        s.now += s.rng.uniform(0.012, 0.025)
        response.text_tokens += 1
    s.now += 0.015


SCENARIOS: Final[tuple[Scenario, ...]] = (
    voice_scenario(tool_only_response, output_modalities=("text",)),
    voice_scenario(interleaved_items, phased=True, model="gpt-realtime-2.1"),
    voice_scenario(tool_that_never_answers, (1000, "")),
    voice_scenario(output_before_the_end),
    voice_scenario(arguments_cut_by_cancellation),
    voice_scenario(mcp_tools_listed),
    voice_scenario(mcp_tools_not_listed),
    voice_scenario(mcp_call_completed, output_modalities=("text",)),
    voice_scenario(mcp_call_failed),
    voice_scenario(mcp_approval),
)
