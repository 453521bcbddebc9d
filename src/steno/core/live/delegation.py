"""Work that a Live session has delegated and that is not answered yet, and the responses that are made for it."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from steno.core.billing.costs import Terms
from steno.core.conversation import NOTHING_COUNTED
from steno.core.facts import Content
from steno.core.memory import Held, text_bytes
from steno.core.responses.in_progress import Numbers
from steno.timestamps import Micros

WAIT_BYTES: Final = 64
"""What a response waits for, besides its id."""


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
        "first_text_seconds",
        "has_text",
        "id",
        "items",
        "listed",
        "numbers",
        "raw",
        "said",
        "said_bytes",
        "terms",
        "waits_bytes",
        "waits_for",
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
        self.numbers = Numbers()
        """Which of its events came: two connections bring each twice."""
        self.items = 0
        self.waits_for: set[str] = set()
        """Calls that the client has to answer, and requests for approval: another response follows."""
        self.waits_bytes = 0
        self.said: list[Content] = []
        """What its items say. The object that ends it has none of them."""
        self.said_bytes = 0
        self.listed: Mapping[str, int] = NOTHING_COUNTED
        """The kind of a tool to how many of its calls ended that are billed by the call."""
        self.has_text = False
        self.first_text_seconds: float | None = None

    def weight(self) -> int:
        """Return how many bytes it holds: its object, what its items say, and the ids of what it waits for."""
        return len(self.raw) + self.said_bytes + self.waits_bytes

    def wait_for(self, key: str) -> None:
        """Wait for a call or an approval."""
        if key not in self.waits_for:
            self.waits_for.add(key)
            self.waits_bytes += WAIT_BYTES + text_bytes(key)

    def wait_no_more_for(self, key: str) -> None:
        """Wait for a call no more."""
        if key in self.waits_for:
            self.waits_for.remove(key)
            self.waits_bytes -= WAIT_BYTES + text_bytes(key)
