"""What can have happened to conversations and sessions."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from steno.core.facts.base import Content, Cost, Fact, Tokens, Unpriced

# Conversations --------------------------------------------------------------------------------------------


class ConversationOpened(Fact, frozen=True):
    """The first event of a conversation was seen."""

    tag: ClassVar = "conversation.opened"
    family: str


class ConversationClosed(Fact, frozen=True):
    """steno closed a conversation: replaced, disconnected, session_expired, idle, evicted, shutdown."""

    tag: ClassVar = "conversation.closed"
    family: str
    reason: str
    duration_seconds: float | None
    events: int
    responses: int
    runs: int
    tokens: tuple[Tokens, ...]
    cost_usd: str | None = "0"
    unpriced: tuple[Unpriced, ...] = ()
    complete: bool = True
    """Whether its beginning was seen: the sums are then those of all of it."""


class _SessionReported(Fact, frozen=True):
    """What upstream reports of a session."""

    session_id: str | None
    model: str | None
    expires_at: float | None
    kind: str = "realtime"
    """realtime, transcription, translation, client_secret, chatkit or live."""
    instructions: Content | None = None
    """The instructions of the model."""
    user: Content | None = None
    """Upstream's identifier of the end user: personal data."""
    metadata: Content | None = None
    """The metadata that the client attached, as JSON."""


class SessionOpened(_SessionReported, frozen=True):
    """Upstream reported a session for the first time."""

    tag: ClassVar = "session.opened"


class SessionChanged(_SessionReported, frozen=True):
    """Upstream replaced the configuration of a session, or reported the session again."""

    tag: ClassVar = "session.changed"


class SessionNearsEnd(Fact, frozen=True):
    """A session ends in 300 or 60 seconds, by the deadline that upstream reported."""

    tag: ClassVar = "session.nears_end"
    session_id: str | None
    kind: str
    seconds_left: int


class SessionExpired(Fact, frozen=True):
    """A session reached its deadline, or upstream reported that it expired."""

    tag: ClassVar = "session.expired"
    session_id: str | None
    kind: str


class SessionCancelled(Fact, frozen=True):
    """Upstream reported that a session was cancelled."""

    tag: ClassVar = "session.cancelled"
    session_id: str | None
    kind: str


class SessionFinished(Fact, frozen=True):
    """Upstream closed a session (closed), or one that is billed as a whole ended without that (abandoned).

    Translation sessions and Live sessions are billed as a whole. `cost` is null where the usage of the session was
    billed bit by bit.
    """

    tag: ClassVar = "session.finished"
    session_id: str | None
    kind: str
    status: str
    reason: str | None
    """Why upstream closed it, where it says so."""
    model: str | None
    seconds: float | None
    tokens: tuple[Tokens, ...]
    cost: Cost | None
    usage_final: bool | UnsetType = UNSET
    """Of a Live session: whether `seconds` is what upstream reported with its end. Else it lasted at least so long."""
