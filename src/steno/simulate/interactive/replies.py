"""What the simulated model says, or which function it calls, from what it has read.

A function is called where `tool_choice` demands one, or where the caller's words have all the telling words of its
name: "what is the weather in Oslo" calls `get_weather`. After the output of a function it answers with words.
"""

import re
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.interactive.arguments import arguments
from steno.simulate.interactive.configuration import ResponseOptions
from steno.simulate.interactive.items import Entry

_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_NOT_TELLING: Final = frozenset(
    (
        *("a", "an", "the", "of", "for", "by", "to", "in", "on", "at", "my", "your", "all", "with", "and", "from"),
        *("get", "find", "fetch", "look", "up", "lookup", "list", "show", "read", "search", "check", "set", "do"),
        *("run", "call", "use", "tool", "function", "query", "info", "information", "data", "transfer", "handoff"),
    )
)
_SAID_MAX: Final = 160  # characters of what was read that are said again
_OPENINGS: Final = ("I see.", "All right.", "Thank you.", "Understood.")
_CLOSINGS: Final = (
    "What else can I do for you?",
    "Is there anything else?",
    "I am a simulation, so that is all I know about it.",
    "Let me know if you need more.",
)
GREETINGS: Final = ("Hello, this is the simulated model. How can I help?", "Good day! What can I do for you?")
"""What is said where nothing was read."""


class Words(msgspec.Struct, frozen=True):
    """An answer in words."""

    text: str


class Call(msgspec.Struct, frozen=True):
    """A call of a function."""

    name: str
    arguments: str
    """As JSON text."""


def reply(rng: Random, options: ResponseOptions, read: Sequence[Entry]) -> Words | Call:
    """Return what the model does after it has read `read`."""
    last = read[-1] if read else None
    asked = next((entry.said for entry in reversed(read) if entry.item.get("role") == "user"), "")
    found = last is not None and last.item["type"] == "function_call_output"
    tool = None if found and not options.own_tool_choice else _tool(options, asked, fresh=_is_fresh(read))
    if tool is not None:
        made = arguments(tool.get("parameters"), hint_of(asked))
        return Call(tool["name"], msgspec.json.encode(made).decode())
    if last is not None and found:
        return Words(after_output(rng, last.said))
    return Words(_words(rng, options, asked))


def _is_fresh(read: Sequence[Entry]) -> bool:
    """Return whether the caller spoke last: what was answered is not asked again."""
    ours = ("assistant", "function_call_output")
    kinds = (entry.item.get("role") or entry.item["type"] for entry in reversed(read))
    return next((kind for kind in kinds if kind == "user" or kind in ours), None) == "user"


def _tool(options: ResponseOptions, asked: str, *, fresh: bool) -> dict[str, Any] | None:
    """Return the function to call, or None."""
    functions = [tool for tool in options.tools if tool.get("type") == "function"]
    choice = options.tool_choice
    if isinstance(choice, dict):
        functions = [tool for tool in functions if tool["name"] == choice.get("name")]
        choice = "required"
    if not functions or choice == "none":
        return None
    named = next((tool for tool in functions if names(tool["name"], asked)), None)
    if choice == "required":
        return named or functions[0]
    return named if fresh else None


def names(tool: str, said: str) -> bool:
    """Return whether `said` names a tool: in full, or with all telling words of its name."""
    if tool.lower() in said.lower():
        return True
    telling = {word.lower() for word in _WORDS.findall(tool)} - _NOT_TELLING
    spoken = {word.lower() for word in _WORDS.findall(said)}
    return bool(telling) and all(any(each.startswith(word) for each in spoken) for word in telling)


def hint_of(asked: str) -> str:
    """Return a free text for the arguments of a call: the last name that the caller said, else a word."""
    found = [word for word in re.findall(r"\w+", asked)[1:] if word[0].isupper() and len(word) > 1]
    return found[-1] if found else "example"


def after_output(rng: Random, output: str) -> str:
    """Return an answer from the output of a function."""
    return f"Here is what I found: {_short(output)} {rng.choice(_CLOSINGS)}"


def _words(rng: Random, options: ResponseOptions, asked: str) -> str:
    if options.own_instructions:
        return f"{rng.choice(_OPENINGS)} As instructed: {_short(options.instructions)}"
    if not asked:
        return rng.choice(GREETINGS)
    return f"{rng.choice(_OPENINGS)} You said: {_short(asked)} {rng.choice(_CLOSINGS)}"


def _short(text: str) -> str:
    """Return `text` as a sentence on one line, cut where it is long."""
    line = " ".join(text.split())
    line = line if len(line) <= _SAID_MAX else f"{line[:_SAID_MAX]}..."
    return line if line.endswith((".", "?", "!")) else f"{line}."
