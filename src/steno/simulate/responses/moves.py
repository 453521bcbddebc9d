"""What the simulated model does with what it has read: it calls tools, answers, refuses or fails.

Who writes decides. A tool is called where `tool_choice` demands it, or where the user's words name it: a function or a
custom tool by its name, a server by its label, and the tools of the provider by the words in `HOSTED`. "Please refuse"
is refused, and "please fail" fails.
"""

import re
from collections.abc import Sequence
from random import Random
from typing import Final

import msgspec

from steno.simulate.interactive.configuration import ResponseOptions
from steno.simulate.interactive.items import Entry
from steno.simulate.interactive.replies import Call, hint_of, names, reply
from steno.simulate.responses.objects import Object
from steno.simulate.responses.request import Asked

HOSTED: Final[dict[str, tuple[str, ...]]] = {
    "web_search": ("web",),
    "web_search_preview": ("web",),
    "file_search": ("files", "documents"),
    "code_interpreter": ("code", "compute"),
    "image_generation": ("image", "picture"),
    "shell": ("shell",),
    "local_shell": ("shell",),
}
"""The words by which a tool of the provider is called."""
_WORDS: Final = re.compile(r"\w+")
_REFUSAL: Final = "I cannot help with that."
_FAILURE: Final = ("server_error", "The simulated model stopped before it could answer.")
_RUN_BY_CLIENT: Final = ("shell", "local_shell")


class Say(msgspec.Struct, frozen=True):
    """A message."""

    text: str


class Refuse(msgspec.Struct, frozen=True):
    """A message that is a refusal."""

    text: str


class Function(msgspec.Struct, frozen=True):
    """A call of a function."""

    name: str
    arguments: str


class Custom(msgspec.Struct, frozen=True):
    """A call of a custom tool, whose input is free text."""

    name: str
    input: str


class Hosted(msgspec.Struct, frozen=True):
    """A call of a tool of the provider."""

    tool: str
    hint: str


class Remote(msgspec.Struct, frozen=True):
    """A call of a tool on another server, or the question whether it may be called."""

    server: str
    name: str
    arguments: str
    asks: bool
    approved: str | None = None
    """The id of the question that was answered with yes."""


class Fail(msgspec.Struct, frozen=True):
    """The response fails."""

    code: str
    message: str


Move = Say | Refuse | Function | Custom | Hosted | Remote | Fail


def moves(rng: Random, asked: Asked, read: Sequence[Entry]) -> list[Move]:
    """Return what the model does in one response, in order. The last move ends it."""
    last = read[-1] if read else None
    said = next((entry.said for entry in reversed(read) if entry.item.get("role") == "user"), "")
    approval = _approved(read)
    if approval:
        return [approval, Say(_answer(rng, asked, read))]
    if last is None or last.item.get("role") != "user":
        return [Say(_answer(rng, asked, read))]
    words = said.lower()
    if "please fail" in words:
        return [Fail(*_FAILURE)]
    if "please refuse" in words:
        return [Refuse(_REFUSAL)]
    found = _tools(asked, said)
    if found and _waits(found[-1]):
        return found
    return [*found, _say_or_call(rng, asked, read)]


def _waits(move: Move) -> bool:
    """Return whether the response ends with a move that the client has to answer."""
    match move:
        case Hosted(tool):
            return tool in _RUN_BY_CLIENT
        case Remote():
            return move.asks
        case _:
            return isinstance(move, Custom)


def _tools(asked: Asked, said: str) -> list[Move]:
    """Return the calls of tools that the words name, the last of them being one that the client answers."""
    found: list[Move] = []
    if asked.tool_choice == "none":
        return found
    for tool in asked.tools:
        move = _call(tool, said)
        if move is not None:
            found.append(move)
            if _waits(move):
                break
    return found


def _call(tool: Object, said: str) -> Move | None:
    """Return the call of a tool that is no function, where the words name it."""
    kind, hint = str(tool.get("type")), hint_of(said)
    if kind == "custom" and names(str(tool.get("name")), said):
        return Custom(str(tool.get("name")), said)
    if kind == "mcp" and names(str(tool.get("server_label")), said):
        made = msgspec.json.encode({"query": hint}).decode()
        asks = tool.get("require_approval", "always") != "never"
        return Remote(str(tool.get("server_label")), "search", made, asks)
    if not set(_WORDS.findall(said.lower())).isdisjoint(HOSTED.get(kind, ())):
        return Hosted(kind, hint)
    return None


def _approved(read: Sequence[Entry]) -> Remote | None:
    """Return the call that the client has just approved of."""
    last = read[-1].item if read else {}
    if last.get("type") != "mcp_approval_response" or last.get("approve") is not True:
        return None
    wanted = last.get("approval_request_id")
    for entry in reversed(read):
        item = entry.item
        if item["type"] == "mcp_approval_request" and item["id"] == wanted:
            return Remote(item["server_label"], item["name"], item["arguments"], asks=False, approved=str(wanted))
    return None


def _say_or_call(rng: Random, asked: Asked, read: Sequence[Entry]) -> Move:
    replied = reply(rng, _options(asked), read)
    return Function(replied.name, replied.arguments) if isinstance(replied, Call) else Say(replied.text)


def _answer(rng: Random, asked: Asked, read: Sequence[Entry]) -> str:
    """Return an answer in words, where no tool is to be called."""
    replied = reply(rng, msgspec.structs.replace(_options(asked), tools=[], tool_choice="none"), read)
    return "" if isinstance(replied, Call) else replied.text


def _options(asked: Asked) -> ResponseOptions:
    """Return how a response is to be made, in the terms of a voice session."""
    functions = [tool for tool in asked.tools if tool.get("type") == "function" and isinstance(tool.get("name"), str)]
    return ResponseOptions(
        model=asked.model,
        output_modalities=["text"],
        instructions=asked.instructions,
        own_instructions=False,
        tools=functions,
        tool_choice=asked.tool_choice,
        own_tool_choice=False,
        max_output_tokens="inf",
        format={},
        voice="",
    )
