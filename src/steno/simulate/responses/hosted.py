"""Output items of tools that the provider runs, of tools on other servers, and of shells that the client runs."""

import base64
from collections.abc import Callable
from typing import Final

import msgspec

from steno.simulate.responses.moves import Hosted, Remote
from steno.simulate.responses.objects import Object
from steno.simulate.responses.writing import Draft, Item
from steno.simulate.steps import pieces
from steno.simulate.tasks import Task

_CODE: Final = "total = sum(range(10))\nprint(total)"
_PRINTED: Final = "45\n"
_COMMAND: Final = "ls -a"
_IMAGE: Final = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
_FAILS: Final = {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "The server is busy."}]}
_FAILING: Final = "busy"
"""A server with this in its label fails."""


def run(draft: Draft, call: Hosted) -> Task:
    """Run a tool of the provider, or let the client run a shell."""
    draft.can_stop = False
    draft.spend(8)
    yield from RUNS[call.tool](draft, call.hint)


def _search_web(draft: Draft, hint: str) -> Task:
    begun = draft.begin_item("ws", "web_search_call")
    yield from _phases(draft, begun, "web_search_call", "searching")
    draft.searches += 1
    draft.end_item(begun, status="completed", action={"type": "search", "queries": [hint], "query": hint})


def _search_files(draft: Draft, hint: str) -> Task:
    begun = draft.begin_item("fs", "file_search_call", queries=[], results=None)
    yield from _phases(draft, begun, "file_search_call", "searching")
    draft.end_item(begun, status="completed", queries=[hint], results=None)


def _phases(draft: Draft, begun: Item, kind: str, working: str) -> Task:
    """Send the events of a tool that works for a while."""
    draft.emit(f"response.{kind}.in_progress", **begun.where)
    draft.emit(f"response.{kind}.{working}", **begun.where)
    yield draft.rng.uniform(0.4, 1.2)
    draft.emit(f"response.{kind}.completed", **begun.where)


def _run_code(draft: Draft, _hint: str) -> Task:
    container = draft.ids.new("cntr", draft.second())
    begun = draft.begin_item("ci", "code_interpreter_call", code="", container_id=container, outputs=None)
    draft.emit("response.code_interpreter_call.in_progress", **begun.where)
    for piece in pieces(_CODE):
        yield draft.rng.uniform(0.008, 0.02)
        draft.emit_delta("response.code_interpreter_call_code.delta", piece, **begun.where)
    draft.spend(len(pieces(_CODE)))
    draft.emit("response.code_interpreter_call_code.done", **begun.where, code=_CODE)
    draft.emit("response.code_interpreter_call.interpreting", **begun.where)
    yield draft.rng.uniform(0.3, 0.9)
    draft.emit("response.code_interpreter_call.completed", **begun.where)
    draft.end_item(begun, status="completed", code=_CODE, outputs=[{"type": "logs", "logs": _PRINTED}])


def _draw(draft: Draft, hint: str) -> Task:
    begun = draft.begin_item("ig", "image_generation_call", result=None)
    draft.emit("response.image_generation_call.in_progress", **begun.where)
    draft.emit("response.image_generation_call.generating", **begun.where)
    yield draft.rng.uniform(0.8, 1.6)
    partial = {"partial_image_b64": _IMAGE, "partial_image_index": 0}
    draft.emit("response.image_generation_call.partial_image", **begun.where, **partial)
    yield draft.rng.uniform(0.4, 0.8)
    draft.emit("response.image_generation_call.completed", **begun.where)
    draft.images += 1
    final = {"output_format": "png", "quality": "medium", "result": _IMAGE, "revised_prompt": hint}
    draft.end_item(begun, status="completed", **final)


def _local_shell(draft: Draft, _hint: str) -> Task:
    action: Object = {"type": "exec", "command": [], "env": {}}
    begun = draft.begin_item("lsh", "local_shell_call", action=action, call_id=draft.ids.call())
    yield draft.rng.uniform(0.05, 0.1)
    draft.end_item(begun, status="completed", action={**action, "command": _COMMAND.split()})


def _shell(draft: Draft, _hint: str) -> Task:
    action: Object = {"commands": [], "max_output_length": None, "timeout_ms": None}
    begun = draft.begin_item("sh", "shell_call", action=action, call_id=draft.ids.call(), environment=None)
    where, kind = {"command_index": 0, "output_index": begun.index}, "response.shell_call_command"
    draft.emit(f"{kind}.added", **where, command="")
    for piece in pieces(_COMMAND):
        yield draft.rng.uniform(0.008, 0.02)
        draft.emit_delta(f"{kind}.delta", piece, **where)
    draft.emit(f"{kind}.done", **where, command=_COMMAND)
    draft.end_item(begun, status="completed", action={**action, "commands": [_COMMAND]})


RUNS: Final[dict[str, Callable[[Draft, str], Task]]] = {
    "web_search": _search_web,
    "web_search_preview": _search_web,
    "file_search": _search_files,
    "code_interpreter": _run_code,
    "image_generation": _draw,
    "local_shell": _local_shell,
    "shell": _shell,
}
"""How each tool of the provider is run, by its type."""


def list_tools(draft: Draft, server: str) -> Task:
    """Ask a server for its tools."""
    begun = draft.begin_item("mcpl", "mcp_list_tools", None, server_label=server, tools=[])
    draft.emit("response.mcp_list_tools.in_progress", **begun.where)
    yield draft.rng.uniform(0.2, 0.5)
    draft.emit("response.mcp_list_tools.completed", **begun.where)
    schema = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    tool = {"annotations": None, "description": "Searches.", "input_schema": schema, "name": "search"}
    draft.end_item(begun, tools=[tool])


def call_server(draft: Draft, call: Remote) -> Task:
    """Call a tool on another server, or ask whether it may be called."""
    draft.can_stop = False
    named = {"arguments": call.arguments, "name": call.name, "server_label": call.server}
    draft.spend(len(pieces(call.arguments)))
    if call.asks:
        yield draft.rng.uniform(0.05, 0.1)
        draft.end_item(draft.begin_item("mcpr", "mcp_approval_request", None, **named))
        return
    known = {"approval_request_id": call.approved, "error": None, "output": None}
    begun = draft.begin_item("mcp", "mcp_call", **{**named, **known, "arguments": ""})
    draft.emit("response.mcp_call.in_progress", **begun.where)
    draft.emit_delta("response.mcp_call_arguments.delta", call.arguments, **begun.where)
    draft.emit("response.mcp_call_arguments.done", **begun.where, arguments=call.arguments)
    yield draft.rng.uniform(0.3, 1.0)
    fails = _FAILING in call.server
    draft.emit(f"response.mcp_call.{'failed' if fails else 'completed'}", **begun.where)
    found = None if fails else msgspec.json.encode({"found": 3}).decode()
    draft.end_item(
        begun,
        status="failed" if fails else "completed",
        arguments=call.arguments,
        error=_FAILS if fails else None,
        output=found,
    )
