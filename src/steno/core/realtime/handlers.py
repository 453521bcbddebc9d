"""Realtime conversations: sessions, what the user does, items, errors.

Responses, tools, transcription and playback have files of their own.

`HANDLERS` at the end is the state machine: which event does what.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from steno.core import facts, tools
from steno.core.conversation import NOTHING
from steno.core.facts import Content, Fact, content
from steno.core.frame import Frame
from steno.core.realtime import playback, responses, transcription
from steno.core.realtime.state import RealtimeConversation, content_of, parts_of
from steno.core.session import EXPIRED
from steno.core.vocabulary import closed, code, short
from steno.wire import RealtimeEvent, raw_object, realtime, realtime_client, sessions
from steno.wire.realtime_objects import AudioFormat, ClientSecret, RealtimeSessionCreateResponse, transcription_model

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
"""What an error means for what comes after it: nothing; the end of this session; no session will do better."""
LIMIT_KINDS: Final = frozenset({"requests", "tokens"})


# Sessions -------------------------------------------------------------------------------------------------


def session_told(
    state: RealtimeConversation,
    event: realtime.SessionCreated | realtime.SessionUpdated | sessions.SessionSeen,
    frame: Frame,
) -> Sequence[Fact]:
    """A session began, or its whole configuration was replaced."""
    session = event.session
    if session is None:
        return state.reject(event, "missing_object")
    first = state.session_id is None
    _configure(state, session)
    state.session = state.within_limit(raw_object(event, frame.payload))
    kind, expires_at = _kind_and_end(event, session)
    state.session_life.tell(session.id, kind, expires_at, frame.at)
    told = facts.SessionOpened if first else facts.SessionChanged
    return (
        told(
            session_id=session.id,
            model=short(session.model),
            expires_at=expires_at,
            kind=kind,
            instructions=content("instructions", session.instructions),
        ),
    )


def _kind_and_end(event: object, session: RealtimeSessionCreateResponse) -> tuple[str, float | None]:
    """Return what kind of session this is, and the Unix second at which it ends, or its client secret does."""
    secret = session.client_secret
    ends = secret.expires_at if isinstance(secret, ClientSecret) else None
    if isinstance(event, sessions.ClientSecretSeen):
        ends = event.expires_at
    if isinstance(event, sessions.SessionSeen) and ends:
        return "client_secret", ends
    transcribes = session.type == "transcription" or session.object == "realtime.transcription_session"
    return "transcription" if transcribes else "realtime", session.expires_at or None


def _configure(state: RealtimeConversation, session: RealtimeSessionCreateResponse) -> None:
    """Take over what later events are understood by: models and the format of the audio."""
    state.session_id = session.id or state.session_id or ""
    state.session_model = short(session.model) or state.session_model
    state.transcription_model = short(transcription_model(session))
    output = session.audio.output if session.audio else None
    told = output.format if output else session.output_audio_format
    state.audio_format = short(told.type if isinstance(told, AudioFormat) else told)


def conversation_created(
    state: RealtimeConversation, event: realtime.ConversationCreated, _frame: Frame
) -> Sequence[Fact]:
    """The id of the conversation, where a server tells it so early."""
    if event.conversation is not None:
        state.conversation_id = event.conversation.id or state.conversation_id
    return NOTHING


# What the user does ---------------------------------------------------------------------------------------


def speech_started(state: RealtimeConversation, event: realtime.SpeechStarted, frame: Frame) -> Sequence[Fact]:
    """The user speaks: whatever was waited for is not waited for any more."""
    state.turn.speech_started(frame.at)
    return (facts.SpeechStarted(item_id=event.item_id, audio_start_ms=event.audio_start_ms),)


def speech_stopped(state: RealtimeConversation, event: realtime.SpeechStopped, frame: Frame) -> Sequence[Fact]:
    """The user has spoken: from here on the caller waits."""
    duration = state.elapsed(state.turn.speech_stopped(frame.at), frame.at)
    return (facts.SpeechStopped(item_id=event.item_id, audio_end_ms=event.audio_end_ms, duration_seconds=duration),)


def input_committed(state: RealtimeConversation, event: realtime.InputCommitted, frame: Frame) -> Sequence[Fact]:
    """The user's words became an item; with push-to-talk this is where the wait begins."""
    state.turn.committed(event.item_id, frame.at)
    if event.item_id is not None:
        item = state.item(event.item_id)
        item.kind, item.role = "message", "user"
        state.transcript.place(event.item_id, event.previous_item_id)
    return (facts.InputCommitted(item_id=event.item_id),)


def input_timed_out(state: RealtimeConversation, event: realtime.InputTimeout, _frame: Frame) -> Sequence[Fact]:
    """The user said nothing."""
    state.turn.timed_out(event.item_id)
    return (facts.InputTimedOut(item_id=event.item_id),)


def dtmf_received(_state: RealtimeConversation, _event: realtime.DtmfReceived, _frame: Frame) -> Sequence[Fact]:
    """The user pressed a key."""
    return (facts.DtmfReceived(),)


# Items ----------------------------------------------------------------------------------------------------


def item_added(state: RealtimeConversation, event: realtime.ItemAdded, frame: Frame) -> Sequence[Fact]:
    """An item entered the conversation: a turn, a call, or the output of one."""
    told = event.item
    if told is None or told.id is None:
        return state.reject(event, "missing_object")
    responses.describe(state, told)
    state.transcript.place(told.id, event.previous_item_id)
    if told.role == "user" and any(part.type == "input_text" for part in told.content or ()):
        state.turn.typed()
    for index, text in parts_of(told):
        if text:
            state.transcript.write(state.item(told.id), index, text)
    return (
        facts.ItemAdded(
            item_id=told.id,
            kind=short(told.type),
            role=short(told.role),
            text=content_of(told) if told.type == "message" else None,
        ),
        *_output(state, event, frame),
    )


def item_retrieved(state: RealtimeConversation, event: realtime.ItemRetrieved, _frame: Frame) -> Sequence[Fact]:
    """An item as upstream has it: tells the words of one that has none here."""
    told = event.item
    if told is None or told.id is None:
        return state.reject(event, "missing_object")
    item = state.items.get(told.id)
    if item is not None and not item.length():
        for index, text in parts_of(told):
            state.transcript.write(item, index, text)
    return NOTHING


def item_done(state: RealtimeConversation, event: realtime.ItemDone, frame: Frame) -> Sequence[Fact]:
    """The final form of an item. A spoken user turn has no words yet; those it has are kept."""
    told = event.item
    if told is None or told.id is None:
        return state.reject(event, "missing_object")
    return (*responses.end_item(state, told, frame), *_output(state, event, frame))


def item_create(state: RealtimeConversation, event: realtime_client.ItemCreate, frame: Frame) -> Sequence[Fact]:
    """The client asks for an item; upstream's answer adds it, but an output is seen here first."""
    told = event.item
    return _output(state, event, frame) if told and told.type == "function_call_output" else NOTHING


def _output(state: RealtimeConversation, event: Any, frame: Frame) -> Sequence[Fact]:
    told = event.item
    if told is None:
        return NOTHING
    if told.type == "mcp_approval_response" and not isinstance(event, realtime.ItemDone):
        return (facts.ApprovalGiven(request_id=told.approval_request_id, approved=told.approve),)
    if told.type == "mcp_approval_request" and isinstance(event, realtime.ItemDone):
        return (facts.ApprovalRequested(item_id=told.id, name=short(told.name)),)
    if told.type != "function_call_output":
        return NOTHING
    return tools.finish(state, told.call_id, "completed", frame.at, told.output)


def item_deleted(state: RealtimeConversation, event: realtime.ItemDeleted, _frame: Frame) -> Sequence[Fact]:
    """An item is no part of the conversation any more."""
    if event.item_id is None or event.item_id not in state.items:
        return state.reject(event, "unknown_item")
    state.transcript.remove(event.item_id)
    return (facts.ItemDeleted(item_id=event.item_id),)


# MCP, limits, errors --------------------------------------------------------------------------------------


def mcp_call_completed(state: RealtimeConversation, event: realtime.McpCallCompleted, frame: Frame) -> Sequence[Fact]:
    """An MCP call returned; what it returned is in the item that follows."""
    tools.returned(state, event.item_id, "completed", frame.at)
    return NOTHING


def mcp_call_failed(state: RealtimeConversation, event: realtime.McpCallFailed, frame: Frame) -> Sequence[Fact]:
    """An MCP call failed; with which error is in the item that follows."""
    tools.returned(state, event.item_id, "failed", frame.at)
    return NOTHING


def tools_listed(
    _state: RealtimeConversation, event: realtime.McpListToolsCompleted | realtime.McpListToolsFailed, _frame: Frame
) -> Sequence[Fact]:
    """The tools of an MCP server are known, or could not be fetched."""
    status = "completed" if isinstance(event, realtime.McpListToolsCompleted) else "failed"
    return (facts.ToolsListed(item_id=event.item_id, status=status),)


def rate_limits_updated(
    _state: RealtimeConversation, event: realtime.RateLimitsUpdated, _frame: Frame
) -> Sequence[Fact]:
    """What is left of the limits."""
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
    """Something failed, or the session is over."""
    told = event.error
    state.expired |= told is not None and told.code == SESSION_EXPIRED
    message = told.message if told else None
    erred = facts.UpstreamErred(
        code=code(told),
        kind=short(told.type) if told else None,
        message=None if message is None else Content("message", message),
        effect=EFFECTS.get(str(told.code) if told else "", "unknown"),
    )
    return (erred, *(state.session_life.end(EXPIRED) if state.expired else ()))


HANDLERS: Final[Mapping[type[RealtimeEvent], Handler]] = {
    realtime.SessionCreated: session_told,
    realtime.SessionUpdated: session_told,
    realtime.TranscriptionSessionCreated: session_told,
    realtime.TranscriptionSessionUpdated: session_told,
    sessions.SessionSeen: session_told,
    sessions.ClientSecretSeen: session_told,
    realtime.ConversationCreated: conversation_created,
    realtime.SpeechStarted: speech_started,
    realtime.SpeechStopped: speech_stopped,
    realtime.InputCommitted: input_committed,
    realtime.InputCleared: responses.passed,
    realtime.InputTimeout: input_timed_out,
    realtime.DtmfReceived: dtmf_received,
    realtime.TranscriptionDelta: transcription.transcription_delta,
    realtime.TranscriptionCompleted: transcription.transcription_completed,
    realtime.TranscriptionSegment: responses.passed,
    realtime.TranscriptionFailed: transcription.transcription_failed,
    realtime.ItemAdded: item_added,
    realtime.ItemCreated: item_added,
    realtime.ItemDone: item_done,
    realtime.ItemRetrieved: item_retrieved,
    realtime.ItemTruncated: playback.item_truncated,
    realtime.ItemDeleted: item_deleted,
    realtime.PlaybackStarted: playback.playback_started,
    realtime.PlaybackStopped: playback.playback_stopped,
    realtime.PlaybackCleared: playback.playback_cleared,
    realtime.ResponseCreated: responses.created,
    realtime.ResponseDone: responses.done,
    realtime.OutputItemAdded: responses.output_item_added,
    realtime.OutputItemDone: responses.output_item_done,
    realtime.ContentPartAdded: responses.passed,
    realtime.ContentPartDone: responses.part_done,
    realtime.TextDelta: responses.words_delta,
    realtime.BetaTextDelta: responses.words_delta,
    realtime.TextDone: responses.part_done,
    realtime.BetaTextDone: responses.part_done,
    realtime.TranscriptDelta: responses.words_delta,
    realtime.BetaTranscriptDelta: responses.words_delta,
    realtime.TranscriptDone: responses.part_done,
    realtime.BetaTranscriptDone: responses.part_done,
    realtime.AudioDelta: responses.audio_delta,
    realtime.BetaAudioDelta: responses.audio_delta,
    realtime.AudioDone: responses.passed,
    realtime.BetaAudioDone: responses.passed,
    realtime.ArgumentsDelta: responses.arguments_delta,
    realtime.ArgumentsDone: responses.arguments_done,
    realtime.McpListToolsInProgress: responses.passed,
    realtime.McpListToolsCompleted: tools_listed,
    realtime.McpListToolsFailed: tools_listed,
    realtime.McpArgumentsDelta: responses.arguments_delta,
    realtime.McpArgumentsDone: responses.arguments_done,
    realtime.McpCallInProgress: responses.passed,
    realtime.McpCallCompleted: mcp_call_completed,
    realtime.McpCallFailed: mcp_call_failed,
    realtime.RateLimitsUpdated: rate_limits_updated,
    realtime.RealtimeError: error,
    realtime_client.SessionUpdate: responses.passed,
    realtime_client.TranscriptionSessionUpdate: responses.passed,
    realtime_client.InputAppend: responses.passed,
    realtime_client.InputCommit: responses.passed,
    realtime_client.InputClear: responses.passed,
    realtime_client.PlaybackClear: responses.passed,
    realtime_client.ItemCreate: item_create,
    realtime_client.ItemRetrieve: responses.passed,
    realtime_client.ItemTruncate: responses.passed,
    realtime_client.ItemDelete: responses.passed,
    realtime_client.ResponseCreate: responses.passed,
    realtime_client.ResponseCancel: responses.passed,
}
"""What each event does. `passed` is a decision, not an omission: another event says the same and more."""
