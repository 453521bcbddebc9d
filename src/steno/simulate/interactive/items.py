"""The items of a conversation, in order: messages, function calls and their outputs."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from steno.simulate.interactive.checks import Check, anything, array, flag, members, nullable, one_of, text, thing
from steno.simulate.interactive.errors import EventRefusedError, invalid_value
from steno.simulate.steps import pieces

ITEMS_MAX: Final = 4_000
"""Items of one conversation."""
_PARTS: Final = {
    "user": ("input_text", "input_audio", "input_image"),
    "system": ("input_text",),
    "assistant": ("output_text", "output_audio"),
}
_PART_MEMBERS: Final[dict[str, Check]] = {
    "type": text,
    "text": text,
    "audio": text,
    "transcript": nullable(text),
    "image_url": text,
    "detail": text,
}
_COMMON: Final[dict[str, Check]] = {"id": text, "type": text, "object": text, "status": text}
_KINDS: Final[dict[str, tuple[dict[str, Check], tuple[str, ...]]]] = {
    "message": (
        {"role": one_of(*_PARTS), "content": array(members(_PART_MEMBERS, ("type",)), 1_000), "phase": text},
        ("role", "content"),
    ),
    "function_call": ({"name": text, "call_id": text, "arguments": text}, ("name", "arguments")),
    "function_call_output": ({"call_id": text, "output": text}, ("call_id", "output")),
    "mcp_approval_response": (
        {"approval_request_id": text, "approve": flag, "reason": nullable(text)},
        ("approval_request_id", "approve"),
    ),
    "mcp_call": (dict.fromkeys(("name", "arguments", "server_label", "output", "error"), anything), ("name",)),
}


class Entry(msgspec.Struct, eq=False):
    """An item, and what is known of it beside its members."""

    item: dict[str, Any]
    said: str = ""
    """Its text or what was said in it, whether or not there is a transcript."""
    text_tokens: int = 0
    audio_tokens: int = 0
    audio_ms: int = 0
    """The length of its sound, in milliseconds."""


def checked_item(path: str, value: Any) -> dict[str, Any]:
    """Return an item of a client with its members in the order of the wire. Raises `EventRefusedError`."""
    kind = one_of(*_KINDS)(f"{path}.type", thing(path, value).get("type"))
    known, required = _KINDS[kind]
    item: dict[str, Any] = members({**_COMMON, **known}, required)(path, value)
    if kind == "message":
        item["content"] = [
            _checked_part(f"{path}.content[{n}]", part, item["role"]) for n, part in enumerate(item["content"])
        ]
    status = {"status": item.get("status", "completed")} if kind in ("message", "function_call") else {}
    ordered = {"id": item.get("id", ""), "type": kind, **status}
    return ordered | {name: item[name] for name in known if name in item}


def _checked_part(path: str, part: dict[str, Any], role: str) -> dict[str, Any]:
    """Return a part of a message without its sound, which is not shown."""
    kind = one_of(*_PARTS[role])(f"{path}.type", part["type"])
    if kind.endswith("_text"):
        return {"type": kind, "text": text(f"{path}.text", part.get("text"))}
    if kind.endswith("_audio"):
        return {"type": kind, "transcript": part.get("transcript")}
    return {"type": kind, **{name: part[name] for name in ("image_url", "detail") if name in part}}


def said_in(item: dict[str, Any]) -> str:
    """Return the words of an item."""
    if item["type"] == "message":
        return " ".join(part.get("text") or part.get("transcript") or "" for part in item["content"]).strip()
    return str(item.get("output") or item.get("arguments") or "")


def entry_of(item: dict[str, Any]) -> Entry:
    """Return the entry of an item of a client."""
    said = said_in(item)
    return Entry(item, said, text_tokens=len(pieces(said)) + 4)


class Items:
    """The items of one conversation, in order."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __iter__(self) -> Iterator[Entry]:
        """Iterate in the order of the conversation."""
        return iter(self._entries)

    @property
    def last_id(self) -> str | None:
        """The id of the last item."""
        return self._entries[-1].item["id"] if self._entries else None

    def find(self, item_id: Any, what: str) -> Entry:
        """Return the entry with `item_id`. Raises `EventRefusedError`; `what` is what was to be done."""
        wanted = text("item_id", item_id)
        found = self._first(lambda entry: bool(entry.item["id"] == wanted))
        if found is None:
            code = f"item_{what}_invalid_item_id"
            raise EventRefusedError(code, f"There is no item '{wanted[:80]}' in the conversation.", "item_id")
        return found

    def has_call(self, call_id: str) -> bool:
        """Return whether a function was called under `call_id`."""
        call = ("function_call", call_id)
        return self._first(lambda entry: (entry.item["type"], entry.item.get("call_id")) == call) is not None

    def _first(self, suits: Callable[[Entry], bool]) -> Entry | None:
        return next((entry for entry in self._entries if suits(entry)), None)

    def place(self, previous: Any, item_id: str) -> int:
        """Return where an item goes: at the end, or after `previous` (`root`: first). Raises `EventRefusedError`."""
        if any(entry.item["id"] == item_id for entry in self._entries):
            raise invalid_value("item.id", f"There is an item '{item_id[:80]}' already.")
        if len(self._entries) >= ITEMS_MAX:
            raise invalid_value("item", f"A conversation has up to {ITEMS_MAX} items.")
        if previous is None:
            return len(self._entries)
        if previous == "root":
            return 0
        for n, entry in enumerate(self._entries):
            if entry.item["id"] == previous:
                return n + 1
        raise invalid_value("previous_item_id", "There is no item with the id that 'previous_item_id' has.")

    def insert(self, place: int, entry: Entry) -> str | None:
        """Insert an entry at a place. Returns the id of the item before it."""
        self._entries.insert(place, entry)
        return self._entries[place - 1].item["id"] if place else None

    def remove(self, entry: Entry) -> None:
        """Remove an entry."""
        self._entries.remove(entry)

    def before(self, entry: Entry) -> str | None:
        """Return the `previous_item_id` of an item that is done. As on the wire it is null for the second one."""
        place = next((n for n, each in enumerate(self._entries) if each is entry), 0)
        return self._entries[place - 1].item["id"] if place > 1 else None
