"""The responses that a later request may continue: those that were stored, and those of one connection."""

from typing import Final

import msgspec

from steno.simulate.interactive.errors import EventRefusedError
from steno.simulate.interactive.items import Entry
from steno.simulate.responses.objects import Object, ResponseIds
from steno.simulate.responses.request import Asked

KEPT_MAX: Final = 1_000
"""Responses that are kept, the newest, and conversations."""


class Kept(msgspec.Struct, eq=False):
    """What a response leaves for the one that continues it."""

    object: Object
    read: list[Entry]
    """All that the model had read when it ended, its own output too."""
    ids: ResponseIds
    cached: int = 0
    """Tokens that are in the cache."""
    offered: frozenset[str] = frozenset()
    """Servers whose tools were listed."""


class Store:
    """Responses by id, and the last one of each conversation."""

    def __init__(self, behind: "Store | None" = None) -> None:
        """Look in the store `behind` for what is not found here."""
        self._behind = behind
        self._kept: dict[str, Kept] = {}
        self._conversations: dict[str, Kept] = {}

    def keep(self, kept: Kept, asked: Asked) -> None:
        """Keep a response that has ended: for all, or for this connection alone."""
        response_id = kept.object["id"]
        _put(self._kept, response_id, kept)
        if asked.conversation_id:
            _put(self._conversations, asked.conversation_id, kept)
        if asked.stored and self._behind:
            self._behind.keep(kept, asked)

    def before(self, asked: Asked) -> Kept | None:
        """Return what a request continues, or None where it begins anew. Raises `EventRefusedError`."""
        if asked.conversation_id:
            return self.last_of(asked.conversation_id)
        if asked.previous_response_id is None:
            return None
        found = self.find(asked.previous_response_id)
        if found is None:
            message = f"There is no response '{asked.previous_response_id[:80]}' to continue."
            raise EventRefusedError("previous_response_not_found", message, "previous_response_id")
        return found

    def last_of(self, conversation_id: str) -> Kept | None:
        """Return the last response of a conversation, or None."""
        found = self._conversations.get(conversation_id)
        return found or (self._behind.last_of(conversation_id) if self._behind else None)

    def find(self, response_id: str) -> Kept | None:
        """Return a response that has ended, or None."""
        found = self._kept.get(response_id)
        return found or (self._behind.find(response_id) if self._behind else None)

    def forget(self, response_id: str) -> None:
        """Forget a response."""
        self._kept.pop(response_id, None)


def _put(kept: dict[str, Kept], name: str, value: Kept) -> None:
    kept.pop(name, None)
    kept[name] = value
    if len(kept) > KEPT_MAX:
        del kept[next(iter(kept))]
