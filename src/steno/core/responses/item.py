"""An item of a conversation of responses: a message, reasoning, or a tool call."""

from typing import Any

from steno.core.transcript import Entry


class ResponsesItem(Entry):
    """An item, and its text by part."""

    __slots__ = ("call_id", "id", "is_done", "kind", "response_id", "role")

    def __init__(self, key: str | None, kind: str | None = None, role: str | None = None) -> None:
        """Begin the item `key`; None where its client gave it no id."""
        super().__init__()
        self.id = key
        self.kind = kind
        self.role = role
        self.is_done = False
        """Whether its final form came."""
        self.call_id: str | None = None
        """What the tool call is known by that it is."""
        self.response_id: str | None = None
        """The response that made it."""


def transcript_entry(item: ResponsesItem) -> dict[str, Any]:
    """Return a turn as `--state` shows it. What of it was read nobody knows."""
    return {"item_id": item.id, "role": item.role, "text": item.text(), "heard": None}
