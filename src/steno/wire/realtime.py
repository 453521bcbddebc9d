"""What upstream says in the Realtime API, GA and beta names: one Struct a type.

A beta event whose name alone differs is a subclass of the GA one, so that reducers treat both the same. Client
events, no name of which is used here, have a file of their own.
Source: `type` and members as in the published API and in recordings; see `TypedEvent` for what all share.
"""

from typing import Annotated, ClassVar, Final

from msgspec import UNSET, UnsetType

from steno.wire import realtime_client, sessions
from steno.wire.base import BareObject, Bounded, Id, Index, Number, Sign, TypedEvent, Vocabulary, Wire
from steno.wire.realtime_objects import (
    ContentPart,
    ErrorDetail,
    Item,
    RealtimeResponse,
    RealtimeSessionCreateResponse,
)
from steno.wire.usage import Usage

# Session and conversation ---------------------------------------------------------------------------------


class SessionCreated(TypedEvent, frozen=True, tag="session.created"):
    """The first event of a direct socket; a sideband socket does not get it."""

    raw_member: ClassVar[str | None] = "session"
    session: RealtimeSessionCreateResponse | None = None


class SessionUpdated(TypedEvent, frozen=True, tag="session.updated"):
    """The whole configuration that is now in force."""

    raw_member: ClassVar[str | None] = "session"
    session: RealtimeSessionCreateResponse | None = None


class TranscriptionSessionCreated(SessionCreated, frozen=True, tag="transcription_session.created"):
    """Beta: a session that only transcribes."""


class TranscriptionSessionUpdated(SessionUpdated, frozen=True, tag="transcription_session.updated"):
    """Beta: the configuration of a session that only transcribes."""


class SessionClosed(TypedEvent, frozen=True, tag="session.closed"):
    """A translation session is over. What it is billed by stands here, or nowhere."""

    reason: str | None = None
    session: RealtimeSessionCreateResponse | None = None
    usage: Usage | None = None


class _TranslationDelta(TypedEvent, frozen=True):
    start_ms: UnsetType = UNSET
    end_ms: UnsetType = UNSET


class TranslationInputDelta(_TranslationDelta, frozen=True, tag="session.input_transcript.delta"):
    """A piece of what a translation session heard. Not read."""


class TranslationOutputDelta(_TranslationDelta, frozen=True, tag="session.output_transcript.delta"):
    """A piece of what it says in the other language. Not read."""


class TranslationAudioDelta(_TranslationDelta, frozen=True, tag="session.output_audio.delta"):
    """A piece of its speech. Not read."""


class Conversation(Wire, frozen=True):
    """The conversation that a session speaks in."""

    id: Id | None = None


class ConversationCreated(TypedEvent, frozen=True, tag="conversation.created"):
    """Seen from compatible servers only: OpenAI tells the id in `response.created` first."""

    conversation: Conversation | None = None


# Items ----------------------------------------------------------------------------------------------------


class _ItemEvent(TypedEvent, frozen=True):
    item: Item | None = None
    previous_item_id: Id | None = None


class ItemAdded(_ItemEvent, frozen=True, tag="conversation.item.added"):
    """An item entered the conversation; the model's own ones are still empty."""


class ItemCreated(ItemAdded, frozen=True, tag="conversation.item.created"):
    """Beta name of `conversation.item.added`."""


class ItemDone(_ItemEvent, frozen=True, tag="conversation.item.done"):
    """The final form of an item. A spoken user turn gets here before its transcript does."""


class ItemRetrieved(_ItemEvent, frozen=True, tag="conversation.item.retrieved"):
    """The answer to a request for one item; with its audio, the largest frame of the protocol."""


class ItemTruncated(TypedEvent, frozen=True, tag="conversation.item.truncated"):
    """What was played of a spoken item ended at `audio_end_ms`; upstream dropped the rest and its transcript."""

    item_id: Id | None = None
    content_index: Index | None = None
    audio_end_ms: Number | None = None


class ItemDeleted(TypedEvent, frozen=True, tag="conversation.item.deleted"):
    """An item left the conversation."""

    item_id: Id | None = None


# Transcription of what the user said -----------------------------------------------------------------------


class _TranscriptionEvent(TypedEvent, frozen=True):
    item_id: Id | None = None
    content_index: Index | None = None


class TranscriptionDelta(_TranscriptionEvent, frozen=True, tag="conversation.item.input_audio_transcription.delta"):
    """A piece of a transcript."""

    delta: str | None = None


class TranscriptionCompleted(
    _TranscriptionEvent, frozen=True, tag="conversation.item.input_audio_transcription.completed"
):
    """A transcript. May come late, twice, or growing: the last one of an item stands."""

    transcript: str | None = None
    usage: Usage | None = None
    status: str | None = None
    """Not OpenAI's: servers that send growing transcripts say `in_progress` until the last."""


class TranscriptionSegment(_TranscriptionEvent, frozen=True, tag="conversation.item.input_audio_transcription.segment"):
    """One speaker's part of a transcript."""

    id: Id | None = None
    text: str | None = None
    speaker: str | None = None
    start: Number | None = None
    end: Number | None = None


class TranscriptionFailed(_TranscriptionEvent, frozen=True, tag="conversation.item.input_audio_transcription.failed"):
    """There will be no transcript of this item; the item itself is not affected."""

    error: ErrorDetail | None = None
    usage: Usage | None = None
    """Not documented. Where a server reports one, it counts."""


# Input audio ----------------------------------------------------------------------------------------------


class SpeechStarted(TypedEvent, frozen=True, tag="input_audio_buffer.speech_started"):
    """The user began to speak; `item_id` is the item that this will become."""

    item_id: Id | None = None
    audio_start_ms: Number | None = None


class SpeechStopped(TypedEvent, frozen=True, tag="input_audio_buffer.speech_stopped"):
    """The user stopped speaking, as far as the voice detector can tell."""

    item_id: Id | None = None
    audio_end_ms: Number | None = None


class InputCommitted(TypedEvent, frozen=True, tag="input_audio_buffer.committed"):
    """The input became an item. These come in the order of what was said; transcripts do not."""

    item_id: Id | None = None
    previous_item_id: Id | None = None


class InputCleared(TypedEvent, frozen=True, tag="input_audio_buffer.cleared"):
    """The input was thrown away."""


class InputTimeout(TypedEvent, frozen=True, tag="input_audio_buffer.timeout_triggered"):
    """The user said nothing for so long that the model was asked to speak."""

    item_id: Id | None = None
    audio_start_ms: Number | None = None
    audio_end_ms: Number | None = None


class DtmfReceived(TypedEvent, frozen=True, tag="input_audio_buffer.dtmf_event_received"):
    """A key was pressed on a telephone (SIP). Has no `event_id`; the key itself is not read: it may be a PIN."""

    received_at: Number | None = None


# Playback (WebRTC and SIP) --------------------------------------------------------------------------------


class _PlaybackEvent(TypedEvent, frozen=True):
    response_id: Id | None = None


class PlaybackStarted(_PlaybackEvent, frozen=True, tag="output_audio_buffer.started"):
    """The caller begins to hear a response."""


class PlaybackStopped(_PlaybackEvent, frozen=True, tag="output_audio_buffer.stopped"):
    """All of a response was played; comes after `response.done`."""


class PlaybackCleared(_PlaybackEvent, frozen=True, tag="output_audio_buffer.cleared"):
    """The rest of a response will not be heard."""


# Responses ------------------------------------------------------------------------------------------------


class ResponseCreated(TypedEvent, frozen=True, tag="response.created"):
    """A response began."""

    raw_member: ClassVar[str | None] = "response"
    response: RealtimeResponse | None = None


class ResponseDone(TypedEvent, frozen=True, tag="response.done"):
    """A response ended, whatever its status. This object stands, whatever the deltas said."""

    raw_member: ClassVar[str | None] = "response"
    response: RealtimeResponse | None = None
    usage: Usage | None = None
    """Not OpenAI's: xAI puts the usage here and an empty one into the response."""


class _OutputEvent(TypedEvent, frozen=True):
    response_id: Id | None = None
    item_id: Id | None = None
    output_index: Index | None = None


class _PartEvent(_OutputEvent, frozen=True):
    content_index: Index | None = None


class OutputItemAdded(TypedEvent, frozen=True, tag="response.output_item.added"):
    """The model began an item. Several may be open at once."""

    response_id: Id | None = None
    output_index: Index | None = None
    item: Item | None = None


class OutputItemDone(TypedEvent, frozen=True, tag="response.output_item.done"):
    """The final form of an item of a response."""

    response_id: Id | None = None
    output_index: Index | None = None
    item: Item | None = None


class ContentPartAdded(_PartEvent, frozen=True, tag="response.content_part.added"):
    """The model began a part of a message."""

    part: ContentPart | None = None


class ContentPartDone(_PartEvent, frozen=True, tag="response.content_part.done"):
    """The final form of a part of a message."""

    part: ContentPart | None = None


class TextDelta(_PartEvent, frozen=True, tag="response.output_text.delta"):
    """A piece of text."""

    delta: str | None = None


class TextDone(_PartEvent, frozen=True, tag="response.output_text.done"):
    """The whole text of a part."""

    text: str | None = None


class TranscriptDelta(_PartEvent, frozen=True, tag="response.output_audio_transcript.delta"):
    """A piece of what the model says, as text."""

    delta: str | None = None


class TranscriptDone(_PartEvent, frozen=True, tag="response.output_audio_transcript.done"):
    """All that the model says in a part, as text."""

    transcript: str | None = None


class AudioDelta(_PartEvent, frozen=True, tag="response.output_audio.delta"):
    """A piece of speech: base64, measured and never decoded or kept."""

    delta: str | None = None


def audio_bytes(delta: str) -> int:
    """Return how many bytes of audio the base64 text `delta` codes, told from its length."""
    size = len(delta) * 3 // 4 - delta.count("=", -2)
    return size if size > 0 else 0  # noqa: FURB136  # `max` is a call on the path of each delta


class AudioDone(_PartEvent, frozen=True, tag="response.output_audio.done"):
    """The last piece of speech of a part has been sent."""


class _ArgumentsDelta(_OutputEvent, frozen=True):
    content_index: ClassVar = None  # the arguments of a call are one part; the delta of any text names its part
    delta: str | None = None


class ArgumentsDelta(_ArgumentsDelta, frozen=True, tag="response.function_call_arguments.delta"):
    """A piece of a function call's arguments."""

    call_id: Id | None = None


class ArgumentsDone(_OutputEvent, frozen=True, tag="response.function_call_arguments.done"):
    """The arguments of a function call; cut-off JSON when the response was cut off."""

    call_id: Id | None = None
    name: str | None = None
    arguments: str | None = None


class BetaTextDelta(TextDelta, frozen=True, tag="response.text.delta"):
    """Beta name of `response.output_text.delta`."""


class BetaTextDone(TextDone, frozen=True, tag="response.text.done"):
    """Beta name of `response.output_text.done`."""


class BetaTranscriptDelta(TranscriptDelta, frozen=True, tag="response.audio_transcript.delta"):
    """Beta name of `response.output_audio_transcript.delta`."""


class BetaTranscriptDone(TranscriptDone, frozen=True, tag="response.audio_transcript.done"):
    """Beta name of `response.output_audio_transcript.done`."""


class BetaAudioDelta(AudioDelta, frozen=True, tag="response.audio.delta"):
    """Beta name of `response.output_audio.delta`."""


class BetaAudioDone(AudioDone, frozen=True, tag="response.audio.done"):
    """Beta name of `response.output_audio.done`."""


# MCP ------------------------------------------------------------------------------------------------------


class _McpListEvent(TypedEvent, frozen=True):
    item_id: Id | None = None


class McpListToolsInProgress(_McpListEvent, frozen=True, tag="mcp_list_tools.in_progress"):
    """The tools of a server are being fetched."""


class McpListToolsCompleted(_McpListEvent, frozen=True, tag="mcp_list_tools.completed"):
    """The tools of a server are known."""


class McpListToolsFailed(_McpListEvent, frozen=True, tag="mcp_list_tools.failed"):
    """The tools of a server could not be fetched."""


class McpArgumentsDelta(_ArgumentsDelta, frozen=True, tag="response.mcp_call_arguments.delta"):
    """A piece of an MCP call's arguments."""


class McpArgumentsDone(_OutputEvent, frozen=True, tag="response.mcp_call_arguments.done"):
    """The arguments of an MCP call."""

    arguments: str | None = None


class _McpCallEvent(TypedEvent, frozen=True):
    """These name no response: it follows from the item."""

    item_id: Id | None = None
    output_index: Index | None = None


class McpCallInProgress(_McpCallEvent, frozen=True, tag="response.mcp_call.in_progress"):
    """An MCP call is under way."""


class McpCallCompleted(_McpCallEvent, frozen=True, tag="response.mcp_call.completed"):
    """An MCP call returned."""


class McpCallFailed(_McpCallEvent, frozen=True, tag="response.mcp_call.failed"):
    """An MCP call failed."""


# Limits and errors ----------------------------------------------------------------------------------------


class RateLimit(Wire, frozen=True):
    """What is left of one limit: `requests` or `tokens`."""

    name: str | None = None
    limit: Number | None = None
    remaining: Number | None = None
    reset_seconds: Number | None = None


class RateLimitsUpdated(TypedEvent, frozen=True, tag="rate_limits.updated"):
    """What is left of the limits. GA sends it now and then, after `response.done`; Azure never."""

    rate_limits: Annotated[tuple[RateLimit, ...], Bounded] | None = None


class RealtimeError(TypedEvent, frozen=True, tag="error"):
    """Something that was asked of upstream failed; the session goes on unless the code says otherwise."""

    error: ErrorDetail | None = None
    status: UnsetType = UNSET
    code: UnsetType = UNSET
    message: UnsetType = UNSET
    stream_id: UnsetType = UNSET


SERVER_EVENTS: Final[tuple[type[TypedEvent], ...]] = (
    SessionCreated, SessionUpdated, SessionClosed, TranscriptionSessionCreated, TranscriptionSessionUpdated,
    TranslationInputDelta, TranslationOutputDelta, TranslationAudioDelta,
    ConversationCreated, ItemAdded, ItemCreated, ItemDone, ItemRetrieved, ItemTruncated, ItemDeleted,
    TranscriptionDelta, TranscriptionCompleted, TranscriptionSegment, TranscriptionFailed,
    SpeechStarted, SpeechStopped, InputCommitted, InputCleared, InputTimeout, DtmfReceived,
    PlaybackStarted, PlaybackStopped, PlaybackCleared,
    ResponseCreated, ResponseDone, OutputItemAdded, OutputItemDone, ContentPartAdded, ContentPartDone,
    TextDelta, TextDone, TranscriptDelta, TranscriptDone, AudioDelta, AudioDone, ArgumentsDelta, ArgumentsDone,
    BetaTextDelta, BetaTextDone, BetaTranscriptDelta, BetaTranscriptDone, BetaAudioDelta, BetaAudioDone,
    McpListToolsInProgress, McpListToolsCompleted, McpListToolsFailed, McpArgumentsDelta, McpArgumentsDone,
    McpCallInProgress, McpCallCompleted, McpCallFailed,
    RateLimitsUpdated, RealtimeError,
)  # fmt: skip
"""What upstream says: the GA types, and the beta names that differ."""

VOCABULARY: Final = Vocabulary(
    typed=(*SERVER_EVENTS, *realtime_client.CLIENT_EVENTS),
    objects={
        "realtime.session": BareObject(sessions.SessionSeen, "session"),
        "realtime.transcription_session": BareObject(sessions.SessionSeen, "session"),
        "realtime.response": BareObject(ResponseDone, "response", in_progress=ResponseCreated),
    },
    client_secret=sessions.ClientSecretSeen,
    signs=(
        Sign(member="event_id", weight=2),
        Sign(member="session", inner="object", begins="realtime.", weight=4),
        Sign(member="response", inner="object", begins="realtime.", weight=2),
        Sign(member="response", event="response.create", weight=2),
        Sign(member="response_id", weight=1),
    ),
)
