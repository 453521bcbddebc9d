"""Realtime conversations: sessions, what the user does, items, playback, errors. Responses have their own file.

`HANDLERS` at the end is the state machine: which event does what.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from steno.core import costs, facts, responses, tools, usage
from steno.core.conversation import NOTHING, PARTS
from steno.core.facts import Content, Fact
from steno.core.frame import Frame
from steno.core.realtime_state import RealtimeConversation, parts_of
from steno.core.session import EXPIRED
from steno.core.words import closed, code, short
from steno.wire import RealtimeEvent, realtime, sessions, whole
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
    kept = whole(event, frame.payload)
    state.session = kept if len(kept) <= state.limits.object_bytes else b""
    kind, expires_at = _kind_and_end(event, session)
    state.session_life.tell(session.id, kind, expires_at, frame.at)
    told = facts.SessionOpened if first else facts.SessionChanged
    return (told(session_id=session.id, model=short(session.model), expires_at=expires_at, kind=kind),)


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
    state.audio_format = told.type if isinstance(told, AudioFormat) else told


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
    state.turn_at = None
    state.spoken = False
    state.speech_started_at = frame.at
    return (facts.SpeechStarted(item_id=event.item_id, audio_start_ms=event.audio_start_ms),)


def speech_stopped(state: RealtimeConversation, event: realtime.SpeechStopped, frame: Frame) -> Sequence[Fact]:
    """The user has spoken: from here on the caller waits."""
    duration = state.elapsed(state.speech_started_at, frame.at)
    state.speech_started_at = None
    state.turn_at = frame.at
    state.spoken = True
    return (facts.SpeechStopped(item_id=event.item_id, audio_end_ms=event.audio_end_ms, duration_seconds=duration),)


def input_committed(state: RealtimeConversation, event: realtime.InputCommitted, frame: Frame) -> Sequence[Fact]:
    """The user's words became an item; with push-to-talk this is where the wait begins."""
    if not state.spoken and (event.item_id is None or event.item_id != state.silence):
        state.turn_at = frame.at
    state.spoken = False
    if event.item_id is not None:
        item = state.item(event.item_id)
        item.kind, item.role = "message", "user"
        state.place(event.item_id, event.previous_item_id)
    return (facts.InputCommitted(item_id=event.item_id),)


def input_timed_out(state: RealtimeConversation, event: realtime.InputTimeout, _frame: Frame) -> Sequence[Fact]:
    """The user said nothing."""
    state.silence = event.item_id
    return (facts.InputTimedOut(item_id=event.item_id),)


def dtmf_received(_state: RealtimeConversation, _event: realtime.DtmfReceived, _frame: Frame) -> Sequence[Fact]:
    """The user pressed a key."""
    return (facts.DtmfReceived(),)


# Transcription --------------------------------------------------------------------------------------------


def transcription_delta(
    state: RealtimeConversation, event: realtime.TranscriptionDelta, _frame: Frame
) -> Sequence[Fact]:
    """A piece of what the user said."""
    if event.item_id is None:
        return state.reject(event, "missing_id")
    if event.delta:
        state.grow(state.item(event.item_id), event.content_index, event.delta)
    return NOTHING


def transcription_completed(
    state: RealtimeConversation, event: realtime.TranscriptionCompleted, _frame: Frame
) -> Sequence[Fact]:
    """What the user said. The last one of a part stands; the usage of a part counts once.

    That the deltas led to other words is not told: in recordings they begin with a space which the whole has not.
    """
    if event.item_id is None:
        return state.reject(event, "missing_id")
    item = state.item(event.item_id)
    item.kind, item.role = item.kind or "message", item.role or "user"
    index = event.content_index or 0
    text = event.transcript or ""
    again = index in item.transcribed
    before = item.parts[index].read() if index in item.parts else ""
    state.write(item, index, text)
    if event.status == "in_progress":
        return NOTHING
    if again and before == text:
        return state.reject(event, "repeated")
    item.transcribed.add(min(index, PARTS))
    return (_transcribed(state, event.item_id, text, None if again else event.usage, counted=again),)


def _transcribed(
    state: RealtimeConversation,
    item_id: str,
    text: str,
    told: realtime.TranscriptionUsage | None,
    *,
    counted: bool,
) -> Fact:
    """Note what a transcription used, unless that was `counted` before."""
    model = state.transcription_model
    tokens = usage.of_transcription(told, model)
    state.totals.add_tokens(tokens)
    duration = float(told.seconds) if told and told.seconds is not None and told.seconds >= 0 else None
    cost = costs.of_tokens(state, tokens)
    if duration is not None:
        state.totals.add_seconds(model, duration)
        cost = costs.of_seconds(state, model, duration)
    elif told is None and not counted:
        cost = costs.of_nothing_told(state)
    return facts.TranscriptionFinished(
        item_id=item_id,
        status="completed",
        code=None,
        model=model,
        transcript=Content("transcript", text),
        seconds=duration,
        tokens=tokens,
        cost=cost,
    )


def transcription_failed(
    state: RealtimeConversation, event: realtime.TranscriptionFailed, _frame: Frame
) -> Sequence[Fact]:
    """What the user said will not be known."""
    return (
        facts.TranscriptionFinished(
            item_id=event.item_id,
            status="failed",
            code=code(event.error),
            model=state.transcription_model,
            transcript=None,
            seconds=None,
            tokens=(),
            cost=None,
        ),
    )


# Items ----------------------------------------------------------------------------------------------------


def item_added(state: RealtimeConversation, event: realtime.ItemAdded, frame: Frame) -> Sequence[Fact]:
    """An item entered the conversation: a turn, a call, or the output of one."""
    told = event.item
    if told is None or told.id is None:
        return state.reject(event, "missing_object")
    responses.describe(state, told)
    state.place(told.id, event.previous_item_id)
    if told.role == "user" and any(part.type == "input_text" for part in told.content or ()):
        state.turn_at = None  # what was typed is answered next, not what was said before
    for index, text in parts_of(told):
        if text:
            state.write(state.item(told.id), index, text)
    return (
        facts.ItemAdded(item_id=told.id, kind=short(told.type), role=short(told.role)),
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
            state.write(item, index, text)
    return NOTHING


def item_done(state: RealtimeConversation, event: realtime.ItemDone, frame: Frame) -> Sequence[Fact]:
    """The final form of an item. A spoken user turn has no words yet; those it has are kept."""
    told = event.item
    if told is None or told.id is None:
        return state.reject(event, "missing_object")
    return (*responses.end_item(state, told, frame), *_output(state, event, frame))


def item_create(state: RealtimeConversation, event: realtime.ItemCreate, frame: Frame) -> Sequence[Fact]:
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


def item_truncated(state: RealtimeConversation, event: realtime.ItemTruncated, _frame: Frame) -> Sequence[Fact]:
    """The caller heard no more of an item than this."""
    item = state.items.get(event.item_id) if event.item_id else None
    if item is None:
        return state.reject(event, "unknown_item")
    item.heard_ms = event.audio_end_ms
    heard, _ = item.heard()
    told = facts.ItemTruncated(
        item_id=item.id,
        audio_end_ms=event.audio_end_ms,
        generated_ms=item.generated_ms,
        heard=None if heard is None else Content("transcript", heard),
    )
    return (told,)


def item_deleted(state: RealtimeConversation, event: realtime.ItemDeleted, _frame: Frame) -> Sequence[Fact]:
    """An item is no part of the conversation any more."""
    if event.item_id is None or event.item_id not in state.items:
        return state.reject(event, "unknown_item")
    state.remove(event.item_id)
    return (facts.ItemDeleted(item_id=event.item_id),)


# Playback -------------------------------------------------------------------------------------------------


def playback_started(state: RealtimeConversation, event: realtime.PlaybackStarted, frame: Frame) -> Sequence[Fact]:
    """The caller hears a response; where no audio is carried, this is what answers the turn."""
    response = state.open.get(event.response_id) if event.response_id else None
    answers = not state.carries_audio and not (response and response.out_of_band)
    latency = responses.answer(state, frame.at) if answers else None
    if event.response_id is not None and frame.at is not None:
        state.playing_since[event.response_id] = frame.at
        if len(state.playing_since) > state.limits.open_responses:
            del state.playing_since[next(iter(state.playing_since))]
    if response is not None and latency is not None:
        response.turn_latency, latency = latency, None  # told when it ended: what is cut off is not averaged in
    return (
        facts.PlaybackStarted(response_id=event.response_id, model=state.session_model, turn_latency_seconds=latency),
    )


def playback_stopped(state: RealtimeConversation, event: realtime.PlaybackStopped, _frame: Frame) -> Sequence[Fact]:
    """The caller heard all of a response."""
    if event.response_id is not None:
        state.playing_since.pop(event.response_id, None)
    for item in state.items.values():
        if item.response_id is not None and item.response_id == event.response_id:
            item.heard_whole = item.heard_ms is None
    return (facts.PlaybackStopped(response_id=event.response_id),)


def playback_cleared(state: RealtimeConversation, event: realtime.PlaybackCleared, frame: Frame) -> Sequence[Fact]:
    """The rest of a response is not heard: what was, is told by how long it played."""
    since = state.playing_since.pop(event.response_id, None) if event.response_id else None
    played = state.elapsed(since, frame.at)
    left = None if played is None else played * 1000
    for item in state.items.values():
        if item.response_id is not None and item.response_id == event.response_id and item.kind == "message":
            generated = item.generated_ms
            item.heard_ms = left if generated is None or left is None else min(left, generated)
            left = 0 if generated is None or left is None else max(left - generated, 0)
            item.heard_ms = 0.0 if item.heard_ms is None else item.heard_ms
    return (facts.PlaybackCleared(response_id=event.response_id, played_seconds=played),)


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
    realtime.TranscriptionDelta: transcription_delta,
    realtime.TranscriptionCompleted: transcription_completed,
    realtime.TranscriptionSegment: responses.passed,
    realtime.TranscriptionFailed: transcription_failed,
    realtime.ItemAdded: item_added,
    realtime.ItemCreated: item_added,
    realtime.ItemDone: item_done,
    realtime.ItemRetrieved: item_retrieved,
    realtime.ItemTruncated: item_truncated,
    realtime.ItemDeleted: item_deleted,
    realtime.PlaybackStarted: playback_started,
    realtime.PlaybackStopped: playback_stopped,
    realtime.PlaybackCleared: playback_cleared,
    realtime.ResponseCreated: responses.created,
    realtime.ResponseDone: responses.done,
    realtime.OutputItemAdded: responses.output_item_added,
    realtime.OutputItemDone: responses.output_item_done,
    realtime.ContentPartAdded: responses.passed,
    realtime.ContentPartDone: responses.part_done,
    realtime.TextDelta: responses.words_delta,
    realtime.BetaTextDelta: responses.words_delta,
    realtime.TextDone: responses.text_done,
    realtime.BetaTextDone: responses.text_done,
    realtime.TranscriptDelta: responses.words_delta,
    realtime.BetaTranscriptDelta: responses.words_delta,
    realtime.TranscriptDone: responses.transcript_done,
    realtime.BetaTranscriptDone: responses.transcript_done,
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
    realtime.SessionUpdate: responses.passed,
    realtime.TranscriptionSessionUpdate: responses.passed,
    realtime.InputAppend: responses.passed,
    realtime.InputCommit: responses.passed,
    realtime.InputClear: responses.passed,
    realtime.PlaybackClear: responses.passed,
    realtime.ItemCreate: item_create,
    realtime.ItemRetrieve: responses.passed,
    realtime.ItemTruncate: responses.passed,
    realtime.ItemDelete: responses.passed,
    realtime.ResponseCreate: responses.passed,
    realtime.ResponseCancel: responses.passed,
}
"""What each event does. `passed` is a decision, not an omission: another event says the same and more."""
