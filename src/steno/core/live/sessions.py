"""The life of a Live session: its configuration, its time, its pauses, its calls, and its end."""

from collections.abc import Sequence
from typing import Final

from steno.core import facts
from steno.core.billing import costs, sessions
from steno.core.conversation import NOTHING
from steno.core.facts import Content, Fact, content
from steno.core.frame import Frame
from steno.core.live.state import LIVE, LiveConversation
from steno.core.session import CLOSED, EXPIRED
from steno.core.vocabulary import SESSION_ENDS, closed, code, short
from steno.wire import live, raw_object
from steno.wire.live_client import LiveClientEvent
from steno.wire.live_objects import LiveSession

EFFECTS: Final = {
    "insufficient_quota": "final",
    "invalid_api_key": "final",
    "account_deactivated": "final",
    "billing_hard_limit_reached": "final",
}
"""The code of an error to what it means: that no further session will do better."""


# Its configuration ----------------------------------------------------------------------------------------


def reported(
    state: LiveConversation, event: live.SessionStarted | live.LiveSessionUpdated, frame: Frame
) -> Sequence[Fact]:
    """Take the configuration of a session, which replaces the one before it."""
    session = event.session
    if session is None:
        return state.reject(event, "missing_object")
    raw = state.within_limit(raw_object(event, frame.payload))
    if raw and raw == state.session and isinstance(event, live.SessionStarted):
        return NOTHING  # each connection that follows a session is told of it
    kind = facts.SessionOpened if state.session_life.status is None else facts.SessionChanged
    if isinstance(event, live.SessionStarted) and issubclass(state.opened_by or type(event), LiveClientEvent):
        state.opened_by = live.SessionStarted  # its client spoke first
    _configure(state, session, raw, frame)
    return (
        kind(
            session_id=session.id,
            model=short(session.model),
            expires_at=session.expires_at or None,
            kind=LIVE,
            instructions=content("instructions", session.instructions),
            user=content("user", session.safety_identifier),
        ),
    )


def _configure(state: LiveConversation, session: LiveSession, raw: bytes, frame: Frame) -> None:
    state.session_id = session.id or state.session_id
    state.model = short(session.model) or state.model
    state.keep_session(raw)
    state.session_life.report(session.id, LIVE, session.expires_at or None, frame.at)
    if state.session_life.status != CLOSED:
        state.metered()


# Its time -------------------------------------------------------------------------------------------------


def usage_updated(state: LiveConversation, event: live.UsageUpdated, _frame: Frame) -> Sequence[Fact]:
    """Take how long a session has lasted so far, and how full its context is."""
    ratio = event.context_window.usage_ratio if event.context_window else None
    state.context_ratio = state.context_ratio if ratio is None else ratio
    return _metered(state, event, ratio)


def _metered(
    state: LiveConversation, event: live.UsageUpdated | live.LiveSessionClosed, ratio: float | None = None
) -> Sequence[Fact]:
    """Bill what a report adds to the time of the session. Return the fact of that; none where it says nothing."""
    meter = state.metered()
    increase = sessions.report(state, meter, event.usage, state.session_id)
    if increase is None:
        return NOTHING
    state.reported_seconds = increase.seconds
    return (
        facts.SessionMetered(
            session_id=state.session_id,
            model=meter.terms.model,
            seconds=increase.seconds,
            active_seconds=increase.active_seconds,
            paused_seconds=increase.paused_seconds,
            cost=increase.cost,
            context_window_ratio=ratio,
        ),
    )


def paused(state: LiveConversation, _event: live.SessionPaused, frame: Frame) -> Sequence[Fact]:
    """Note that the model stopped, since nobody spoke."""
    state.paused_at = frame.at
    return (facts.SessionPaused(session_id=state.session_id),)


def resumed(state: LiveConversation, _event: live.SessionResumed, frame: Frame) -> Sequence[Fact]:
    """Note that speech woke the model."""
    lasted = state.elapsed(state.paused_at, frame.at)
    state.paused_at = None
    return (facts.SessionResumed(session_id=state.session_id, paused_seconds=lasted),)


def muted(_state: LiveConversation, _event: live.InputMuted, _frame: Frame) -> Sequence[Fact]:
    """Report that the model hears silence."""
    return (facts.InputMuted(),)


def unmuted(_state: LiveConversation, _event: live.InputUnmuted, _frame: Frame) -> Sequence[Fact]:
    """Report that the model hears the caller again."""
    return (facts.InputUnmuted(),)


# Its end --------------------------------------------------------------------------------------------------


def ended(state: LiveConversation, event: live.LiveSessionClosed, frame: Frame) -> Sequence[Fact]:
    """Take that a session is over, why, and what it used in the end."""
    if state.session_life.status == CLOSED:
        return state.reject(event, "repeated")
    if event.session is not None:
        _configure(state, event.session, state.within_limit(raw_object(event, frame.payload)), frame)
    metered = _metered(state, event)
    state.usage_final = bool(metered)
    over = [*state.finish_speech(), *state.orphan_delegations()]
    if event.reason == "expired":
        state.expired = True
        over += state.session_life.end(EXPIRED)
    state.session_life.close()
    return (*metered, *over, _finished(state, event))


def _finished(state: LiveConversation, event: live.LiveSessionClosed) -> Fact:
    unknown = state.reported_seconds is None
    return facts.SessionFinished(
        session_id=state.session_id,
        kind=LIVE,
        status=CLOSED,
        reason=closed(event.reason, SESSION_ENDS) if event.reason else None,
        model=state.model,
        seconds=state.reported_seconds,
        tokens=(),
        cost=costs.of_no_usage(state, state.session_id) if unknown else None,
        usage_final=state.usage_final,
    )


# SIP and errors -------------------------------------------------------------------------------------------


def ringing(state: LiveConversation, _event: live.TransportRinging, frame: Frame) -> Sequence[Fact]:
    """Note that the telephone that the session calls rings."""
    state.ringing_at = frame.at
    return (facts.CallRang(session_id=state.session_id),)


def answered(state: LiveConversation, _event: live.TransportAnswered, frame: Frame) -> Sequence[Fact]:
    """Report that somebody answered the call."""
    rang = state.elapsed(state.ringing_at, frame.at)
    state.ringing_at = None
    return (facts.CallAnswered(session_id=state.session_id, ringing_seconds=rang),)


def failed(state: LiveConversation, event: live.TransportFailed, _frame: Frame) -> Sequence[Fact]:
    """Report that the call could not be made."""
    state.ringing_at = None
    return (facts.CallFailed(session_id=state.session_id, code=code(event.error)),)


def dtmf_received(_state: LiveConversation, _event: live.LiveDtmfReceived, _frame: Frame) -> Sequence[Fact]:
    """Report that the caller pressed a key."""
    return (facts.DtmfReceived(),)


def dtmf_sent(_state: LiveConversation, _event: object, _frame: Frame) -> Sequence[Fact]:
    """Report that a key was sent."""
    return (facts.DtmfSent(),)


def error(_state: LiveConversation, event: live.LiveErrorEvent, _frame: Frame) -> Sequence[Fact]:
    """Report an error."""
    detail = event.error
    message = detail.message if detail else None
    named = code(detail)
    return (
        facts.UpstreamErred(
            code=named,
            kind=short(detail.type) if detail else None,
            message=None if message is None else Content("message", message),
            effect=EFFECTS.get(named, "unknown"),
        ),
    )
