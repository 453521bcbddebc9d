"""Realtime conversations: which event does what, and the handlers of sessions, user input, MCP, limits and errors.

Items, responses, transcription and playback have modules of their own. `turn` decides whose turn it is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from steno.core import facts
from steno.core.conversation import DUPLICATED, NOTHING
from steno.core.facts import Content, Fact, content
from steno.core.frame import Frame
from steno.core.realtime import (
    arguments,
    calls,
    items,
    metered,
    names,
    playback,
    responses,
    transcription,
)
from steno.core.realtime.metered import TRANSLATION
from steno.core.realtime.state import RealtimeConversation
from steno.core.routing import passed
from steno.core.session import EXPIRED
from steno.core.vocabulary import closed, code, short
from steno.wire import Event, raw_object, realtime, realtime_client, sessions
from steno.wire.realtime_objects import AudioFormat, ClientSecret, RealtimeSessionCreateResponse, transcription_of

Handler = Callable[[RealtimeConversation, Any, Frame], Sequence[Fact]]

SESSION_EXPIRED: Final = "session_expired"
EFFECTS: Final = {
    "response_cancel_not_active": "benign",
    "conversation_already_has_active_response": "benign",
    "input_audio_buffer_commit_empty": "benign",
    SESSION_EXPIRED: "ends_session",
    "beta_api_shape_disabled": "final",
    "insufficient_quota": "final",
    "invalid_api_key": "final",
    "account_deactivated": "final",
    "billing_hard_limit_reached": "final",
}
"""The code of an error to what it means for what comes after it: nothing, the end of this session, or that no further
session will do better."""
LIMIT_KINDS: Final = frozenset({"requests", "tokens"})


# Sessions -------------------------------------------------------------------------------------------------


def session_reported(
    state: RealtimeConversation,
    event: realtime.SessionCreated | realtime.SessionUpdated | sessions.SessionSeen,
    frame: Frame,
) -> Sequence[Fact]:
    """Take the configuration of a session, which replaces the one before it."""
    session = event.session
    if session is None:
        return state.reject(event, "missing_object")
    raw = state.within_limit(raw_object(event, frame.payload))
    if raw and raw == state.session and names.are_two(type(event), state.session_as):
        return DUPLICATED
    gone = _replaced(state, event)
    reported = facts.SessionOpened if state.session_id is None else facts.SessionChanged
    if reported is facts.SessionOpened:
        _note_beginning(state, type(event))
    _configure(state, session)
    state.keep_session(raw)
    state.session_as = type(event)
    kind, expires_at = _kind_and_end(event, session)
    state.session_life.report(session.id, kind, expires_at, frame.at)
    if kind == TRANSLATION and not isinstance(event, sessions.SessionSeen):
        metered.began(state)
    return (
        *gone,
        reported(
            session_id=session.id,
            model=short(session.model),
            expires_at=expires_at,
            kind=kind,
            instructions=content("instructions", session.instructions),
        ),
    )


def _note_beginning(state: RealtimeConversation, kind: type[Event]) -> None:
    """Note that a session begins here whose client spoke first: some send their settings as soon as they may."""
    first = state.opened_by
    unheard = not state.items and not state.open and state.conversation_id is None
    if unheard and first is not None and issubclass(first, realtime_client.ClientEvent):
        state.opened_by = kind


def _replaced(
    state: RealtimeConversation, event: realtime.SessionCreated | realtime.SessionUpdated | sessions.SessionSeen
) -> Sequence[Fact]:
    """Give up what the session before left open, where `event` is about another one under the same name."""
    key = event.session.id if event.session else None
    if isinstance(event, sessions.SessionSeen) or not key or not state.session_id or key == state.session_id:
        return NOTHING
    state.expired = False
    return state.abandon() if isinstance(event, realtime.SessionCreated) else metered.give_up(state)


def _kind_and_end(event: object, session: RealtimeSessionCreateResponse) -> tuple[str, float | None]:
    """Return the kind of a session, and the Unix second at which it ends, or its client secret does."""
    secret = session.client_secret
    ends = secret.expires_at if isinstance(secret, ClientSecret) else None
    if isinstance(event, sessions.ClientSecretSeen):
        ends = event.expires_at
    if isinstance(event, sessions.SessionSeen) and ends:
        return "client_secret", ends
    return _kind(session), session.expires_at or None


def _kind(session: RealtimeSessionCreateResponse) -> str:
    output = session.audio.output if session.audio else None
    if session.type == TRANSLATION or (session.type is None and output and output.language):
        return TRANSLATION
    transcribes = session.type == "transcription" or session.object == "realtime.transcription_session"
    return "transcription" if transcribes else "realtime"


def _configure(state: RealtimeConversation, session: RealtimeSessionCreateResponse) -> None:
    """Note what later events are understood by: the models, and the format of the audio."""
    state.session_id = session.id or state.session_id or ""
    state.session_model = short(session.model) or state.session_model
    transcription_settings = transcription_of(session)
    state.transcribes = transcription_settings is not None
    state.transcription_model = short(transcription_settings.model if transcription_settings else None)
    output = session.audio.output if session.audio else None
    audio_format = output.format if output else session.output_audio_format
    state.audio_format = short(audio_format.type if isinstance(audio_format, AudioFormat) else audio_format)


def conversation_created(
    state: RealtimeConversation, event: realtime.ConversationCreated, _frame: Frame
) -> Sequence[Fact]:
    """Note the id of the conversation, where a server reports it before the first response."""
    if event.conversation is not None:
        state.conversation_id = event.conversation.id or state.conversation_id
    return NOTHING


# User input -----------------------------------------------------------------------------------------------


def speech_started(state: RealtimeConversation, event: realtime.SpeechStarted, frame: Frame) -> Sequence[Fact]:
    """Note that the user began to speak."""
    unanswered = state.unanswered("speech", frame.at)
    state.turn.speech_started(frame.at)
    state.spoken_item = event.item_id
    return (*unanswered, facts.SpeechStarted(item_id=event.item_id, audio_start_ms=event.audio_start_ms))


def speech_stopped(state: RealtimeConversation, event: realtime.SpeechStopped, frame: Frame) -> Sequence[Fact]:
    """Note that the user stopped speaking."""
    duration = state.elapsed(state.turn.speech_stopped(frame.at), frame.at)
    return (facts.SpeechStopped(item_id=event.item_id, audio_end_ms=event.audio_end_ms, duration_seconds=duration),)


def input_committed(state: RealtimeConversation, event: realtime.InputCommitted, frame: Frame) -> Sequence[Fact]:
    """Add the item that the input of the user became."""
    state.turn.committed(event.item_id, frame.at)
    if event.item_id is not None:
        item = state.item(event.item_id)
        item.kind, item.role = "message", "user"
        item.placed |= state.transcript.place(event.item_id, event.previous_item_id)
    return (facts.InputCommitted(item_id=event.item_id), *transcription.committed(state, event.item_id))


def input_timed_out(state: RealtimeConversation, event: realtime.InputTimeout, _frame: Frame) -> Sequence[Fact]:
    """Note that the user said nothing until the idle timeout."""
    state.turn.timed_out(event.item_id)
    return (facts.InputTimedOut(item_id=event.item_id),)


def dtmf_received(_state: RealtimeConversation, _event: realtime.DtmfReceived, _frame: Frame) -> Sequence[Fact]:
    """Report that the user pressed a key."""
    return (facts.DtmfReceived(),)


# MCP, limits, errors --------------------------------------------------------------------------------------


def tools_listed(
    _state: RealtimeConversation, event: realtime.McpListToolsCompleted | realtime.McpListToolsFailed, _frame: Frame
) -> Sequence[Fact]:
    """Report that the tools of an MCP server were listed, or could not be."""
    status = "completed" if isinstance(event, realtime.McpListToolsCompleted) else "failed"
    return (facts.ToolsListed(item_id=event.item_id, status=status),)


def rate_limits_updated(
    _state: RealtimeConversation, event: realtime.RateLimitsUpdated, _frame: Frame
) -> Sequence[Fact]:
    """Report what is left of each limit."""
    return tuple(
        facts.RateLimitReported(
            kind=closed(limit.name, LIMIT_KINDS),
            limit=limit.limit,
            remaining=limit.remaining,
            reset_seconds=limit.reset_seconds,
        )
        for limit in event.rate_limits or ()
    )


def error(state: RealtimeConversation, event: realtime.RealtimeError, _frame: Frame) -> Sequence[Fact]:
    """Report an error. The one that says so ends the session."""
    detail = event.error
    state.expired |= detail is not None and detail.code == SESSION_EXPIRED
    message = detail.message if detail else None
    erred = facts.UpstreamErred(
        code=code(detail),
        kind=short(detail.type) if detail else None,
        message=None if message is None else Content("message", message),
        effect=EFFECTS.get(str(detail.code) if detail else "", "unknown"),
    )
    return (erred, *(state.session_life.end(EXPIRED) if state.expired else ()))


HANDLERS: Final[Mapping[type[Event], Handler]] = {
    realtime.SessionCreated: session_reported,
    realtime.SessionUpdated: session_reported,
    realtime.SessionClosed: metered.session_closed,
    realtime.TranslationInputDelta: passed,
    realtime.TranslationOutputDelta: passed,
    realtime.TranslationAudioDelta: passed,
    realtime.TranscriptionSessionCreated: session_reported,
    realtime.TranscriptionSessionUpdated: session_reported,
    sessions.SessionSeen: session_reported,
    sessions.ClientSecretSeen: session_reported,
    realtime.ConversationCreated: conversation_created,
    realtime.SpeechStarted: speech_started,
    realtime.SpeechStopped: speech_stopped,
    realtime.InputCommitted: input_committed,
    realtime.InputCleared: passed,
    realtime.InputTimeout: input_timed_out,
    realtime.DtmfReceived: dtmf_received,
    realtime.TranscriptionDelta: transcription.transcription_delta,
    realtime.TranscriptionCompleted: transcription.transcription_completed,
    realtime.TranscriptionSegment: transcription.transcription_segment,
    realtime.TranscriptionFailed: transcription.transcription_failed,
    realtime.ItemAdded: items.item_added,
    realtime.ItemCreated: items.item_added,
    realtime.ItemDone: items.item_done,
    realtime.ItemRetrieved: items.item_retrieved,
    realtime.ItemTruncated: playback.item_truncated,
    realtime.ItemDeleted: items.item_deleted,
    realtime.PlaybackStarted: playback.playback_started,
    realtime.PlaybackStopped: playback.playback_stopped,
    realtime.PlaybackCleared: playback.playback_cleared,
    realtime.ResponseCreated: responses.created,
    realtime.ResponseDone: responses.done,
    realtime.OutputItemAdded: responses.output_item_added,
    realtime.OutputItemDone: responses.output_item_done,
    realtime.ContentPartAdded: passed,
    realtime.ContentPartDone: responses.parts_done(None),
    realtime.TextDelta: responses.text_deltas(names.TEXT),
    realtime.BetaTextDelta: responses.text_deltas(names.BETA_TEXT),
    realtime.TextDone: responses.parts_done(names.TEXT),
    realtime.BetaTextDone: responses.parts_done(names.BETA_TEXT),
    realtime.TranscriptDelta: responses.text_deltas(names.TRANSCRIPT),
    realtime.BetaTranscriptDelta: responses.text_deltas(names.BETA_TRANSCRIPT),
    realtime.TranscriptDone: responses.parts_done(names.TRANSCRIPT),
    realtime.BetaTranscriptDone: responses.parts_done(names.BETA_TRANSCRIPT),
    realtime.AudioDelta: responses.audio_deltas(names.AUDIO),
    realtime.BetaAudioDelta: responses.audio_deltas(names.BETA_AUDIO),
    realtime.AudioDone: responses.audio_done(names.AUDIO),
    realtime.BetaAudioDone: responses.audio_done(names.BETA_AUDIO),
    realtime.ArgumentsDelta: arguments.arguments_delta,
    realtime.ArgumentsDone: arguments.arguments_done,
    realtime.McpListToolsInProgress: passed,
    realtime.McpListToolsCompleted: tools_listed,
    realtime.McpListToolsFailed: tools_listed,
    realtime.McpArgumentsDelta: arguments.arguments_delta,
    realtime.McpArgumentsDone: arguments.arguments_done,
    realtime.McpCallInProgress: calls.mcp_in_progress,
    realtime.McpCallCompleted: calls.mcp_completed,
    realtime.McpCallFailed: calls.mcp_failed,
    realtime.RateLimitsUpdated: rate_limits_updated,
    realtime.RealtimeError: error,
    realtime_client.SessionUpdate: passed,
    realtime_client.TranscriptionSessionUpdate: passed,
    realtime_client.InputAppend: passed,
    realtime_client.TranslationAppend: metered.translation_appended,
    realtime_client.TranslationClose: passed,
    realtime_client.InputCommit: passed,
    realtime_client.InputClear: passed,
    realtime_client.PlaybackClear: passed,
    realtime_client.ItemCreate: items.item_create,
    realtime_client.ItemRetrieve: passed,
    realtime_client.ItemTruncate: passed,
    realtime_client.ItemDelete: passed,
    realtime_client.ResponseCreate: passed,
    realtime_client.ResponseCancel: passed,
}
"""Event to its handler. `passed` is a decision, not an omission: another event reports the same, and more."""
