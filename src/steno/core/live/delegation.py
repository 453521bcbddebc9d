"""Work that a Live session has delegated and that is not answered yet, and the responses that are made for it."""

from collections.abc import Mapping

from msgspec import Struct

from steno.core.billing.costs import Terms
from steno.core.conversation import NOTHING_COUNTED
from steno.core.facts import Content
from steno.core.memory import Held
from steno.timestamps import Micros


class OpenDelegation(Held):
    """A delegation that was not answered yet."""

    __slots__ = ("id", "offset_ms", "opened_at", "responses", "target")

    def __init__(self, key: str, target: str, opened_at: Micros | None, offset_ms: int | None) -> None:
        """Begin the delegation `key` to a `target`: client, responses, decisions, other."""
        super().__init__()
        self.id = key
        self.target = target
        self.opened_at = opened_at
        self.offset_ms = offset_ms
        """Where on upstream's clock."""
        self.responses = 0
        """How many responses were begun for it."""


class EndedDelegation(Struct, frozen=True):
    """A delegation that ended: how, and after how long."""

    delegation_id: str
    target: str
    status: str
    responses: int
    offset_ms: int | None
    duration_seconds: float | None


class BackendWork(Held):
    """A response in progress of the model that a session delegates to."""

    __slots__ = (
        "created_at",
        "delegation_id",
        "fees",
        "first_text_seconds",
        "has_text",
        "id",
        "is_round",
        "items",
        "raw",
        "said",
        "said_bytes",
        "terms",
    )

    def __init__(self, key: str, delegation_id: str | None, created_at: Micros | None, terms: Terms) -> None:
        """Begin the response `key`; `created_at` is None where its beginning was not seen."""
        super().__init__()
        self.id = key
        self.delegation_id = delegation_id
        self.created_at = created_at
        self.terms = terms
        self.raw = b""
        """Its object as it came last."""
        self.items = 0
        self.is_round = False
        """Whether it calls a tool of the client's: then another response follows, with the output."""
        self.fees: Mapping[str, int] = NOTHING_COUNTED
        """Calls of tools of upstream's own that ended, by their kind."""
        self.said: list[Content] = []
        """What its items say. The object that ends it has none of them."""
        self.said_bytes = 0
        self.has_text = False
        self.first_text_seconds: float | None = None

    def weight(self) -> int:
        """Return how many bytes it holds: its object, and what its items say."""
        return len(self.raw) + self.said_bytes
