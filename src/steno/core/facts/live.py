"""What can have happened in sessions that are spoken all the time: who spoke when, and what work was delegated.

Milliseconds are those of upstream's clock, since the session began.
"""

from typing import ClassVar

from steno.core.facts.base import Content, Cost, Fact, Tokens

# The time of a session ------------------------------------------------------------------------------------


class SessionMetered(Fact, frozen=True):
    """Upstream reported how long a session has lasted so far. Each report replaces the one before it.

    `active_seconds` and `paused_seconds` are what this report adds to all before it, and so is `cost`. It is null where
    nothing is added, and where the price is not known and was said to be unknown before.
    """

    tag: ClassVar = "session.metered"
    session_id: str | None
    model: str | None
    seconds: float
    active_seconds: float
    paused_seconds: float
    cost: Cost | None
    context_window_ratio: float | None = None
    """How full the context of the model is, from 0 to 1; null where upstream does not say."""


class SessionPaused(Fact, frozen=True):
    """Nobody spoke for so long that upstream stopped the model. Time costs less from then on."""

    tag: ClassVar = "session.paused"
    session_id: str | None


class SessionResumed(Fact, frozen=True):
    """Speech woke the model of a session that was paused."""

    tag: ClassVar = "session.resumed"
    session_id: str | None
    paused_seconds: float | None
    """How long it was paused, by the times of receipt; null where the pause was not seen to begin."""


class InputMuted(Fact, frozen=True):
    """The model hears silence in place of the caller from then on."""

    tag: ClassVar = "input.muted"


class InputUnmuted(Fact, frozen=True):
    """The model hears the caller again."""

    tag: ClassVar = "input.unmuted"


class ContextAppended(Fact, frozen=True):
    """Words of the client to the model entered a session: instructions, thinking (unsaid), commentary (to be said)."""

    tag: ClassVar = "context.appended"
    kind: str
    start_ms: int | None


# Speech ---------------------------------------------------------------------------------------------------


class SegmentFinished(Fact, frozen=True):
    """The user or the model spoke without a pause of more than 0.7 s, and then was silent for longer.

    It is reported once twice that time has passed on upstream's clock, since words come late; or with the session.
    """

    tag: ClassVar = "segment.finished"
    role: str
    """user or assistant."""
    model: str | None
    """The model that speaks in the session."""
    start_ms: int | None
    """Null, as the next, where upstream gives the words no place on its clock."""
    end_ms: int | None
    transcript: Content | None
    double_talk_seconds: float
    """How long of it the other one spoke as well."""
    turn_latency_seconds: float | None
    """Of the first segment of the model behind one of the user: from the end of that to its own beginning."""


# Delegated work -------------------------------------------------------------------------------------------


class DelegationOpened(Fact, frozen=True):
    """The model that speaks handed work on: to the client, to a model of the Responses API, to the Decisions API."""

    tag: ClassVar = "delegation.opened"
    delegation_id: str | None
    target: str
    """client, responses, decisions, other."""
    response_id: str | None
    """The first response that works on it, where upstream names one."""
    offset_ms: int | None


class DelegationFinished(Fact, frozen=True):
    """Work that was handed on ended: answered, failed; orphaned where nobody had answered it when the session ended.

    The client's is answered when it adds commentary for it, a backend's when a response has ended and calls no tool of
    the client's.
    """

    tag: ClassVar = "delegation.finished"
    delegation_id: str | None
    target: str
    status: str
    responses: int
    """How many responses were made for it."""
    duration_seconds: float | None
    """From its beginning to its answer, by the times of receipt; null where it was orphaned."""


class DecisionMade(Fact, frozen=True):
    """The Decisions API answered: for a delegation, or for a piece of a transcript that triggered it."""

    tag: ClassVar = "decision.made"
    delegation_id: str | None
    trigger_id: str | None
    model: str | None
    answers: int
    refusals: int
    """How many of the answers are refusals."""
    tokens: tuple[Tokens, ...]
    cost: Cost | None


# Telephony ------------------------------------------------------------------------------------------------


class CallRang(Fact, frozen=True):
    """The telephone that a session called rang."""

    tag: ClassVar = "call.rang"
    session_id: str | None


class CallAnswered(Fact, frozen=True):
    """Somebody answered the call of a session."""

    tag: ClassVar = "call.answered"
    session_id: str | None
    ringing_seconds: float | None
    """How long it rang; null where that was not seen."""


class CallFailed(Fact, frozen=True):
    """The call of a session could not be made."""

    tag: ClassVar = "call.failed"
    session_id: str | None
    code: str


class DtmfSent(Fact, frozen=True):
    """A key was sent over SIP. Which key is not recorded: it may be part of a PIN."""

    tag: ClassVar = "dtmf.sent"
