"""What upstream says in the Live API: one Struct a type.

A Live session is spoken all the time: there are no turns, no items and no responses of the model that speaks. What was
said comes as fragments with their place on the server's clock (`start_ms`, `end_ms`: milliseconds since the session
began). Work is delegated: to the client, to a model of the Responses API, or to the Decisions API.

Source: the published types of the Live API; recordings of OpenAI; see `TypedEvent` for what all events share.
"""

from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from steno.wire import live_client
from steno.wire.base import Id, Index, Sign, TypedEvent, Vocabulary
from steno.wire.live_objects import (
    BackendEvent,
    ContextWindow,
    DecisionOutcome,
    Delegation,
    LiveError,
    LiveSession,
)
from steno.wire.usage import SessionUsage

# Sessions -------------------------------------------------------------------------------------------------


class _SessionEvent(TypedEvent, frozen=True):
    raw_member: ClassVar[str | None] = "session"
    session: LiveSession | None = None


class SessionStarted(_SessionEvent, frozen=True, tag="session.started"):
    """The first event of a session, on a primary websocket and on a sideband."""


class LiveSessionUpdated(_SessionEvent, frozen=True, tag="session.updated"):
    """The whole configuration that is now in force."""


class LiveSessionClosed(_SessionEvent, frozen=True, tag="session.closed"):
    """The session is over, and this is what it used. A connection that ends without it confirms no end."""

    reason: str | None = None
    usage: SessionUsage | None = None


class SessionPaused(TypedEvent, frozen=True, tag="session.paused"):
    """Nobody spoke for so long that the model stopped. Time costs less from now on."""


class SessionResumed(TypedEvent, frozen=True, tag="session.resumed"):
    """Speech has woken the model."""


class UsageUpdated(TypedEvent, frozen=True, tag="session.usage.updated"):
    """How long the session has lasted so far. Each report replaces the one before it."""

    usage: SessionUsage | None = None
    context_window: ContextWindow | None = None


class InputMuted(TypedEvent, frozen=True, tag="session.input_audio.muted"):
    """The model hears silence from now on."""


class InputUnmuted(TypedEvent, frozen=True, tag="session.input_audio.unmuted"):
    """The model hears the caller again."""


# The server's clock ---------------------------------------------------------------------------------------


class _TimedEvent(TypedEvent, frozen=True):
    start_ms: Index | None = None
    end_ms: Index | None = None


class InputTranscriptDelta(_TimedEvent, frozen=True, tag="session.input_transcript.delta"):
    """A piece of what the caller said."""

    delta: str | None = None


class OutputTranscriptDelta(_TimedEvent, frozen=True, tag="session.output_transcript.delta"):
    """A piece of what the model said."""

    delta: str | None = None


class OutputAudioDelta(_TimedEvent, frozen=True, tag="session.output_audio.delta"):
    """A piece of the model's audio, silence included. Only a sideband is sent its place on the clock."""


class InstructionsAppended(_TimedEvent, frozen=True, tag="session.instructions.appended"):
    """Instructions entered the session."""


class ThinkingAppended(_TimedEvent, frozen=True, tag="session.thinking.appended"):
    """What the model shall know and not say entered the session."""


class CommentaryAppended(_TimedEvent, frozen=True, tag="session.commentary.appended"):
    """What the model shall say entered the session."""


class FixturePlaying(TypedEvent, frozen=True, tag="session.output_audio.fixture.playing"):
    """Audio of the client's is about to be played in place of the model's."""


class FixturePlayed(TypedEvent, frozen=True, tag="session.output_audio.fixture.played"):
    """That audio was played."""


# Delegated work -------------------------------------------------------------------------------------------


class DelegationCreated(TypedEvent, frozen=True, tag="session.delegation.created"):
    """The model handed work on."""

    delegation: Delegation | None = None
    offset_ms: Index | None = None
    """Where on the server's clock."""


class BackendResponseEvent(TypedEvent, frozen=True, tag="response.event"):
    """An event of the Responses API, from the backend that the session delegates to."""

    raw_member: ClassVar[str | None] = "event"
    delegation_id: Id | None = None
    event: BackendEvent | None = None


class DecisionEvent(TypedEvent, frozen=True, tag="decision.event"):
    """An event of the Decisions API: for a delegation, or for a piece of a transcript that triggered it."""

    raw_member: ClassVar[str | None] = "event"
    delegation_id: Id | None = None
    trigger_id: Id | None = None
    event: DecisionOutcome | None = None


class DecisionItemCreated(TypedEvent, frozen=True, tag="decision.item.created"):
    """An item was added to what later decisions are made from."""


class DecisionItemDeleted(TypedEvent, frozen=True, tag="decision.item.deleted"):
    """Such an item was removed."""


# SIP, notices and errors ----------------------------------------------------------------------------------


class LiveDtmfReceived(TypedEvent, frozen=True, tag="transport.dtmf.received"):
    """The caller pressed a key. The key itself is not read: it may be part of a PIN."""


class DtmfSent(TypedEvent, frozen=True, tag="transport.dtmf.sent"):
    """A key was sent over SIP."""


class _TransportEvent(TypedEvent, frozen=True):
    session_id: Id | None = None


class TransportRinging(_TransportEvent, frozen=True, tag="transport.ringing"):
    """The telephone that the session called rings."""


class TransportAnswered(_TransportEvent, frozen=True, tag="transport.answered"):
    """Somebody answered the call of the session."""


class TransportFailed(_TransportEvent, frozen=True, tag="transport.failed"):
    """The call of the session could not be made."""

    error: LiveError | None = None


class LiveInfo(TypedEvent, frozen=True, tag="info"):
    """A notice, such as which events a page may receive."""

    code: str | None = None


class LiveErrorEvent(TypedEvent, frozen=True, tag="error"):
    """Something that was asked of upstream failed; the session goes on."""

    error: LiveError | None = None
    status: UnsetType = UNSET
    code: UnsetType = UNSET
    message: UnsetType = UNSET
    stream_id: UnsetType = UNSET


SERVER_EVENTS: Final[tuple[type[TypedEvent], ...]] = (
    SessionStarted, LiveSessionUpdated, LiveSessionClosed, SessionPaused, SessionResumed, UsageUpdated,
    InputMuted, InputUnmuted,
    InputTranscriptDelta, OutputTranscriptDelta, OutputAudioDelta,
    InstructionsAppended, ThinkingAppended, CommentaryAppended, FixturePlaying, FixturePlayed,
    DelegationCreated, BackendResponseEvent, DecisionEvent, DecisionItemCreated, DecisionItemDeleted,
    LiveDtmfReceived, DtmfSent, TransportRinging, TransportAnswered, TransportFailed,
    LiveInfo, LiveErrorEvent,
)  # fmt: skip
"""What upstream says; `session.input_audio.append` and `transport.dtmf.send` are among what clients say."""

VOCABULARY: Final = Vocabulary(
    typed=(*SERVER_EVENTS, *live_client.CLIENT_EVENTS),
    prefixes=("session.delegation.", "decision.", "transport."),
    signs=(
        Sign(member="session", inner="id", begins="live_", weight=4),
        Sign(member="error", inner="client_event_id", weight=2),
        Sign(member="client_event_id", weight=2),
        Sign(member="start_ms", weight=2),
        Sign(member="event_id", weight=2),
    ),
)
"""Realtime's events have an `event_id` as well: alone it tells neither."""
