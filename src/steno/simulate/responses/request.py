"""A request for a response: what it may say, and the items of its input.

The members that have an effect here are checked. Others are taken as they are, so that a client of a later version is
served too.
"""

from typing import Any, Final

import msgspec

from steno.simulate.interactive.checks import (
    Check,
    array,
    either,
    flag,
    nullable,
    one_of,
    text,
    thing,
    whole,
    wrong_type,
)
from steno.simulate.interactive.errors import EventRefusedError, invalid_value, missing
from steno.simulate.interactive.items import Entry
from steno.simulate.responses.objects import Object, snapshot_of
from steno.simulate.steps import pieces

INPUT_ITEMS_MAX: Final = 4_000
"""Items in the input of one request."""
_TIERS: Final = ("auto", "default", "flex", "priority", "scale")
_OUTPUTS: Final = ("output", "arguments", "input")
_SHOWN: Final = (
    *("instructions", "max_output_tokens", "max_tool_calls", "parallel_tool_calls", "previous_response_id"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier"),
    *("store", "temperature", "tool_choice", "tools", "top_p", "truncation", "metadata", "user"),
)
"""Members of a request that its response shows as they were sent."""
_CHECKS: Final[dict[str, Check]] = {
    "model": text,
    "input": nullable(either(str, text, array(thing, INPUT_ITEMS_MAX))),
    "instructions": nullable(text),
    "previous_response_id": nullable(text),
    "conversation": nullable(either(str, text, thing)),
    "stream_id": nullable(text),
    "generate": nullable(flag),
    "stream": nullable(flag),
    "store": nullable(flag),
    "background": nullable(flag),
    "max_output_tokens": nullable(whole(16, 1_000_000)),
    "prompt_cache_options": nullable(thing),
    "reasoning": nullable(thing),
    "service_tier": nullable(one_of(*_TIERS)),
    "text": nullable(thing),
    "tools": nullable(array(thing, 128)),
    "tool_choice": nullable(either(str, text, thing)),
    "metadata": nullable(thing),
}


class Asked(msgspec.Struct, frozen=True):
    """A request that was checked."""

    model: str
    read: list[Entry]
    """The items of its own input."""
    tools: list[Object]
    tool_choice: str | Object
    instructions: str
    previous_response_id: str | None
    conversation_id: str | None
    lane: str | None
    """The lane of a websocket that it was sent on, where it names one."""
    generates: bool
    """Whether the model is to run: a request may only warm up."""
    stored: bool
    max_output_tokens: int | None
    reasons: bool
    summary: bool
    tier: str
    ttl: str | None
    """How long what it writes to the cache is kept, where it says so."""
    shown: Object
    """The members that the response shows."""


def asked_of(body: Object) -> Asked:
    """Return a request. Raises `EventRefusedError`."""
    known = {name: _CHECKS[name](name, value) for name, value in body.items() if name in _CHECKS}
    model = known.get("model")
    if not model:
        raise missing("model")
    if known.get("background"):
        raise invalid_value("background", "A response cannot be created in the background here.")
    conversation = known.get("conversation")
    if conversation and known.get("previous_response_id"):
        raise EventRefusedError("mutually_exclusive_parameters", "Give 'conversation' or 'previous_response_id'.")
    reasoning = known.get("reasoning") or {}
    return Asked(
        model=model,
        read=entries_of("input", known.get("input") or []),
        tools=known.get("tools") or [],
        tool_choice=known.get("tool_choice") or "auto",
        instructions=known.get("instructions") or "",
        previous_response_id=known.get("previous_response_id"),
        conversation_id=str(conversation.get("id")) if isinstance(conversation, dict) else conversation,
        lane=known.get("stream_id"),
        generates=known.get("generate") is not False,
        stored=known.get("store") is not False,
        max_output_tokens=known.get("max_output_tokens"),
        reasons=reasoning.get("effort", _effort(model)) not in (None, "none", "minimal"),
        summary=bool(reasoning.get("summary")),
        tier=known.get("service_tier") or "auto",
        ttl=(known.get("prompt_cache_options") or {}).get("ttl"),
        shown=_shown(known | {name: body[name] for name in _SHOWN if name in body}, model, reasoning),
    )


def _effort(model: str) -> str | None:
    return "medium" if model.startswith("gpt-5") else None


def _shown(known: Object, model: str, reasoning: Object) -> Object:
    shown = {name: known[name] for name in _SHOWN if known.get(name) is not None}
    plain = {"context": "all_turns", "effort": _effort(model), "mode": "standard", "summary": None}
    form = {"format": {"type": "text"}, "verbosity": "medium"} | (known.get("text") or {})
    return shown | {"model": snapshot_of(model), "reasoning": plain | reasoning, "text": form}


def entries_of(path: str, given: str | list[Object]) -> list[Entry]:
    """Return the items of an input, as the model reads them. Raises `EventRefusedError`."""
    if isinstance(given, str):
        return [_entry({"type": "message", "role": "user"}, given)]
    return [entry_of(f"{path}[{n}]", value) for n, value in enumerate(given)]


def entry_of(path: str, value: Object) -> Entry:
    """Return an item. The outputs of all kinds of tools read alike. Raises `EventRefusedError`."""
    kind = text(f"{path}.type", value.get("type", "message"))
    if kind == "message":
        role = one_of("user", "assistant", "system", "developer")(f"{path}.role", value.get("role"))
        return _entry({"type": "message", "role": role}, _words(f"{path}.content", value.get("content")))
    if kind.endswith("_output"):
        call_id = text(f"{path}.call_id", value.get("call_id", value.get("id")))
        return _entry({"type": "function_call_output", "call_id": call_id}, _plain(value.get("output")))
    said = next((_plain(value[name]) for name in _OUTPUTS if name in value), "")
    return _entry({**value, "type": kind}, said)


def _entry(read: Object, said: str) -> Entry:
    return Entry(read, said, text_tokens=len(pieces(said)) + 4)


def _words(path: str, content: Any) -> str:
    """Return the words of a message: of its text, or of its parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise wrong_type(path, "a string or an array", content)
    parts = [thing(f"{path}[{n}]", part) for n, part in enumerate(content)]
    return " ".join(str(part.get("text") or part.get("refusal") or "") for part in parts).strip()


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
