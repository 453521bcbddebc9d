"""What all conversations have: a key, times, totals, the life of a session, and the tool calls in progress."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

from msgspec import Struct

from steno.core.billing.claims import Claims
from steno.core.billing.prices import PriceTable, add_usd, usd_text
from steno.core.bounded import BoundedSet
from steno.core.facts import EventRejected, Fact, Tokens
from steno.core.memory import (
    BUCKET_BYTES,
    CONVERSATION_BYTES,
    ENDED_CALL_BYTES,
    Held,
    InProgress,
    MemoryAccount,
    text_bytes,
)
from steno.core.session import SessionLife
from steno.limits import ENDED_IDS, Limits
from steno.timestamps import Micros, seconds
from steno.wire import Event, name_of

BUCKETS: Final = 512
"""Different sums a conversation. Past it further models are summed as `other`. Real conversations have ten."""

NOTHING: Sequence[Fact] = ()
"""The facts of an event that only moved the state."""

DUPLICATE: Final = "duplicate"
"""Why an event that was delivered again is rejected. No fact is emitted: the first delivery has led to its facts."""

DUPLICATED: Sequence[Fact] = (EventRejected(event="", reason=DUPLICATE),)
"""What a handler returns for an event that came before under another name. It is counted, and this is not emitted."""

Bucket = tuple[str | None, str, str, bool]
"""Model, direction, modality, cached or not."""
K = TypeVar("K")
N = TypeVar("N", int, float)


NOTHING_COUNTED: Final[Mapping[Any, Any]] = MappingProxyType({})
"""What counts by a name begin as: most conversations count little, and an empty dict takes 64 bytes."""


def counted(counts: Mapping[K, N], name: K, more: N = 1) -> dict[K, N]:
    """Return `counts` with `more` added under `name`, changed in place but for the first time."""
    grown = counts if isinstance(counts, dict) else {}
    grown[name] = grown.get(name, 0) + more
    return grown


class Totals:
    """The sums over a conversation. They count what the limits on kept objects and texts dropped, too."""

    __slots__ = ("_memory", "cost", "interruptions", "responses", "run_steps", "runs", "seconds", "tokens", "unpriced")

    def __init__(self, memory: MemoryAccount | None = None) -> None:
        """Begin at zero, and charge `memory` for each model."""
        self._memory = memory or MemoryAccount()
        self.responses: Mapping[str, int] = NOTHING_COUNTED
        self.runs: Mapping[str, int] = NOTHING_COUNTED
        self.run_steps: Mapping[str, int] = NOTHING_COUNTED
        self.interruptions: Mapping[str, int] = NOTHING_COUNTED
        self.tokens: Mapping[Bucket, int] = NOTHING_COUNTED
        self.seconds: Mapping[str | None, float] = NOTHING_COUNTED
        self.cost = Decimal(0)
        """Sum in USD of all usages that have a price, exact."""
        self.unpriced: Mapping[str, int] = NOTHING_COUNTED
        """Usages without a price, by reason."""

    def add_tokens(self, buckets: Iterable[Tokens]) -> None:
        """Add the buckets of one usage."""
        for each in buckets:
            key = (each.model, each.direction, each.modality, each.cached)
            before = self.tokens.get(key)
            if before is None and len(self.tokens) >= BUCKETS:
                key = ("other", each.direction, each.modality, each.cached)
                before = self.tokens.get(key)
            if before is None:
                self._memory.charge(BUCKET_BYTES)
            self.tokens = counted(self.tokens, key, each.tokens)

    def add_seconds(self, model: str | None, seconds: float) -> None:
        """Add a usage that is billed by duration."""
        if model not in self.seconds and len(self.seconds) >= BUCKETS:
            model = "other"
        if model not in self.seconds:
            self._memory.charge(BUCKET_BYTES)
        self.seconds = counted(self.seconds, model, seconds)

    def add_cost(self, usd: Decimal) -> None:
        """Add the price of a usage."""
        self.cost = add_usd(self.cost, usd)

    def add_unpriced(self, reason: str) -> None:
        """Count a usage without a price; `reason` is from a closed list."""
        self.unpriced = counted(self.unpriced, reason)

    def cost_usd(self) -> str | None:
        """Return the price of all usages as a decimal string; None where one of them has no price."""
        return None if self.unpriced else usd_text(self.cost)

    def interrupt(self, reason: str) -> None:
        """Count a response that broke off; `reason` is from a closed list."""
        self.interruptions = counted(self.interruptions, reason)

    def buckets(self) -> tuple[Tokens, ...]:
        """Return the sums of tokens as buckets, in the order in which each was first counted."""
        return tuple(Tokens(*key, tokens) for key, tokens in self.tokens.items())


class OpenCall(Held):
    """A tool call that has not ended."""

    __slots__ = (
        "announced",
        "arguments",
        "called_at",
        "complete",
        "item_id",
        "kind",
        "name",
        "outcome",
        "owner",
        "run_at",
    )

    def __init__(self, kind: str, name: str | None, owner: str | None) -> None:
        """Begin a call of `kind` that the response, run or step `owner` makes."""
        super().__init__()
        self.kind = kind
        self.name = name
        self.owner = owner
        self.item_id: str | None = None
        """The item of the conversation that it is, where that is known."""
        self.announced = False
        """Whether the fact that it began was emitted. It waits for the tool's name, at most to its end."""
        self.complete = False
        """Whether upstream reported that its arguments are whole."""
        self.called_at: Micros | None = None
        """When it was complete, and its output was waited for."""
        self.run_at: Micros | None = None
        """When upstream was seen to run it, where no event says when it was complete."""
        self.arguments: str | None = None
        self.outcome: tuple[str, Micros | None] | None = None
        """How and when it ended, where that is known and its output is still to come."""

    def weight(self) -> int:
        """Return how many bytes its arguments take."""
        return text_bytes(self.arguments or "")


class EndedCall(Struct, frozen=True):
    """A tool call that ended: which tool it was, and how it ended."""

    call_id: str
    kind: str
    name: str | None
    status: str


class Exported(Struct, frozen=True, kw_only=True):
    """What `--state` shows of a conversation that not all families have. Objects are bytes as upstream sent them."""

    responses: Sequence[bytes] = ()
    """Terminal response objects, in the order in which they ended."""
    runs: Sequence[bytes] = ()
    run_steps: Sequence[bytes] = ()
    messages: Sequence[bytes] = ()
    decisions: Sequence[bytes] = ()
    """What a Decisions API answered. Left out where there is none, as `further` is."""
    transcript: Sequence[Mapping[str, Any]] = ()
    """`item_id`, `role`, `text` and `heard` of each turn, in the order of the conversation."""
    speech: Sequence[Mapping[str, Any]] = ()
    """What is known of the model's speech: `item_id`, `generated_ms`, `heard_ms`, `heard_how`."""
    further: Mapping[str, Any] = {}
    """Members of the line that other families do not have: numbers, words and ids."""


class Conversation:
    """The reduced state of one session or thread: what the families have in common."""

    __slots__ = (
        "_ended",
        "_repeated",
        "_unidentified",
        "call_id",
        "calls",
        "claims",
        "closed_reason",
        "conversation_id",
        "events",
        "expired",
        "key",
        "last_at",
        "last_stream",
        "limits",
        "look_at",
        "memory",
        "named",
        "names",
        "number",
        "opened_at",
        "opened_by",
        "rejected",
        "seen",
        "session",
        "session_life",
        "shared",
        "source",
        "stream",
        "superseded",
        "tool_log",
        "totals",
    )

    family = ""
    """The name of its family."""
    unique_usages: ClassVar[bool] = False
    """Whether the ids of its usages are unique, whatever the session."""
    begun_by: ClassVar[tuple[type[Event], ...]] = ()
    """The kinds of events that upstream begins one with."""
    is_session = False
    """Whether it is a session that a stream carries: its stream's end is the session's end."""

    def __init__(self, key: str, source: str, stream: str, limits: Limits, *, named: bool) -> None:
        """Begin the conversation `key` of `source` on `stream`. A `named` one outlives its streams."""
        self.key = key
        self.source = source
        self.stream = self.last_stream = stream
        self.limits = limits
        self.claims: Claims | None = None
        """What says by which prices usage is billed, and whose where another source follows it. Set by the registry."""
        self.names: tuple[str, ...] = ()
        """Under which ids of a session or call `claims` know it."""
        self.named = named
        self.number = 0
        """Its place among the conversations that were opened: 1 is the first."""
        self.opened_at: Micros | None = None
        self.last_at: Micros | None = None
        self.closed_reason: str | None = None
        self.look_at: Micros | None = None
        """The whole second at which the registry looks what is due of it; see `deadlines`."""
        self.shared = False
        """Whether its stream mixes it with other sessions: then it ends when it is idle, as a named one does."""
        self.superseded = False
        """Whether another session has followed it on its stream, and it is about to end as `replaced`."""
        self.conversation_id: str | None = None
        self.call_id: str | None = None
        self.session: bytes = b""
        """The raw object of the session; empty where none was reported, or it is too long to be kept."""
        self.session_life = SessionLife(self.family)
        self.expired = False
        """Whether upstream said that the session reached its longest duration."""
        self.events = 0
        self.rejected: dict[str, int] = {}
        """What was out of place, by reason."""
        self.memory = MemoryAccount()
        """What it is charged for in the memory of all conversations."""
        self.memory.charge(CONVERSATION_BYTES)
        self.totals = Totals(self.memory)
        self.calls: InProgress[str, OpenCall] = InProgress(self.memory)
        self.tool_log: deque[EndedCall] | tuple[()] = ()
        """The newest tool calls that ended."""
        self._ended: BoundedSet | None = None
        self.seen = BoundedSet(limits.duplicates_window, self.memory)
        """Identities of the newest events, by which a second delivery is recognised."""
        self.opened_by: type[Event] | None = None
        """The kind of its first event; of the first one of the server, where that begins a session and its client spoke
        before."""
        self._repeated: tuple[str, type[Event] | None] = ("", None)
        """The identity that came again last, and the kind of event that had it."""
        self._unidentified = False
        """Whether identities tell its events not apart."""

    @property
    def ended(self) -> BoundedSet:
        """Ids of the newest tool calls that ended. Many conversations have none: it is made when it is asked for."""
        if self._ended is None:
            self._ended = BoundedSet(ENDED_IDS, self.memory)
        return self._ended

    @property
    def prices(self) -> PriceTable | None:
        """What usage that begins from now on is priced by: the same for all."""
        return self.claims.prices if self.claims else None

    @property
    def complete(self) -> bool:
        """Whether its beginning was seen, so that its totals are those of all of it."""
        return self.opened_by is not None and issubclass(self.opened_by, self.begun_by)

    @property
    def session_name(self) -> str | None:
        """Upstream's id of its session, which no other session has; None where it is unknown or there is no session."""
        return None

    @property
    def billed_model(self) -> str | None:
        """The model that the usages of the session are billed by; None where it is unknown or there is no session."""
        return None

    @property
    def context_window_ratio(self) -> float | None:
        """How full the context of its model is, as upstream reported last; None where it does not."""
        return None

    def elapsed(self, since: Micros | None, until: Micros | None) -> float | None:
        """Return the seconds from `since` to `until`; None where either is unknown, or where they run backwards.

        Times of receipt never run backwards. Those that an envelope or a recording states may: such a duration is
        dropped, and counted in `rejected`.
        """
        lasted = seconds(since, until)
        if lasted is None or lasted >= 0:
            return lasted
        self.note("negative_duration")
        return None

    def delivered_again(self, identity: str, kind: type[Event]) -> bool:
        """Return whether an event of `kind`, whose `identity` was seen before, is a second delivery.

        Some servers give all events one id. An identity that events of two kinds have identifies none: from then on no
        event of the conversation is a duplicate by its identity.
        """
        other = self.opened_by if self.events == len(self.seen) == 1 else None  # it was its first event that had it
        if self._repeated[0] == identity:
            other = self._repeated[1]
        self._repeated = (identity, kind)
        if other is not None and not (issubclass(kind, other) or issubclass(other, kind)):
            self._unidentified = True
        return not self._unidentified

    def note(self, reason: str) -> None:
        """Count something that was out of place."""
        self.rejected[reason] = self.rejected.get(reason, 0) + 1

    def reject(self, event: Event, reason: str) -> Sequence[Fact]:
        """Return that `event` did not fit the state, counted by its reason."""
        self.note(reason)
        return (EventRejected(event=name_of(type(event)), reason=reason),)

    def log_call(self, ended: EndedCall) -> None:
        """Note a tool call that ended."""
        most = self.limits.kept_objects
        if not most:
            return
        log = self.tool_log = self.tool_log or deque()
        log.append(ended)
        self.memory.charge(ENDED_CALL_BYTES + text_bytes(ended.call_id))
        if len(log) > most:
            self.memory.charge(-ENDED_CALL_BYTES - text_bytes(log.popleft().call_id))

    def keep_session(self, raw: bytes) -> None:
        """Keep `raw`, the object of the session as it came, in place of the one before; too long a one is not kept."""
        raw = self.within_limit(raw)
        self.memory.charge(len(raw) - len(self.session))
        self.session = raw

    def within_limit(self, raw: bytes) -> bytes:
        """Return `raw`, an object as it came, or nothing where it is too long to be kept."""
        return raw if len(raw) <= self.limits.object_bytes else b""

    def ending(self, seconds: int, now: Micros) -> list[str]:
        """Return the kind of each session or run whose deadline is at most `seconds` away."""
        return [self.session_life.kind] if self.session_life.ends_within(seconds, now) else []

    def exported(self) -> "Exported":
        """Return what `--state` shows of it beside what all conversations have."""
        return Exported()

    def unfinished(self) -> list[bytes]:
        """Return the raw objects of what has begun and not ended."""
        return []

    def unbilled(self) -> int:
        """Return how many things have begun whose usage is still to be reported."""
        return 0

    def dropped_objects(self) -> int:
        """Return how many raw objects could not be kept."""
        return 0

    def erase_content(self) -> None:
        """Drop all texts of people and models, and the raw objects that hold them. Totals, ids and times stay."""
        self.keep_session(b"")
        for key, call in self.calls.items():
            call.arguments = None
            self.calls.weigh(key)

    def session_over(self, at: Micros | None) -> Sequence[Fact]:  # noqa: ARG002  # families have a use for it
        """Return the facts of what nobody will answer, since upstream or its client ended the session."""
        return NOTHING

    def stream_over(self, stream: str) -> Sequence[Fact]:  # noqa: ARG002  # families have a use for it
        """Give up what ended with a stream that the conversation outlives. Return the facts of that."""
        return NOTHING

    def broke_off(self) -> None:
        """Note that its stream broke off, so that something may have come unseen."""

    def abandon(self) -> list[Fact]:
        """Give up what is in progress, since no further event will come. Return the facts of that."""
        return []
