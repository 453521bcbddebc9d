"""What can have happened: one frozen record a fact, in the past tense.

A fact holds identifiers, numbers, closed words and `Content`, never an upstream object. Who it is about, when,
and on which stream is its `Origin`. Durations are in seconds and None where the input carries no times.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from steno.timestamps import Micros

KINDS: Final = ("transcript", "text", "arguments", "output", "instructions", "user", "metadata", "message")
"""Kinds of words: what was said, what was written, what a tool was called with and what it gave, what a model is told
to be, who the end user is, what a client attached, and what upstream says of an error."""


class Content:
    """Words of people or models. No encoder knows this type: whoever writes it must apply a policy first."""

    __slots__ = ("kind", "text")

    def __init__(self, kind: str, text: str) -> None:
        """Hold `text`, which is of one of the `KINDS` that policies name."""
        self.kind = kind
        self.text = text

    def __eq__(self, other: object) -> bool:
        """Two contents are equal when they say the same."""
        return isinstance(other, Content) and (self.kind, self.text) == (other.kind, other.text)

    def __hash__(self) -> int:
        """Hash what is said."""
        return hash((self.kind, self.text))

    def __repr__(self) -> str:
        """Show the length, never the words: this may end up in a traceback."""
        return f"Content({self.kind!r}, {len(self.text)} characters)"


def content(kind: str, text: str | None) -> Content | None:
    """Return `text` as words of a `kind`; None where there are none."""
    return Content(kind, text) if text else None


def attached(metadata: Mapping[str, Any] | None) -> Content | None:
    """Return what a client attached to an object; None where that is nothing."""
    return Content("metadata", msgspec.json.encode(metadata).decode()) if metadata else None


class Origin(Struct, frozen=True, kw_only=True):
    """Whom a fact is about, when it was so, and what caused it."""

    at: Micros | None
    source: str
    stream: str | None
    conversation: str | None = None
    family: str | None = None
    event_id: str | None = None


class Tokens(Struct, frozen=True):
    """One disjoint bucket of tokens: `direction` input or output, `modality` text, audio, image or unknown."""

    model: str | None
    direction: str
    modality: str
    cached: bool
    tokens: int


class CostLine(Struct, frozen=True):
    """A quantity and its rate: so many tokens of a bucket, or so many seconds. Decimals are strings: exact."""

    rate: str
    """USD a token, a second or a minute."""
    per: str
    quantity: str
    direction: str | None = None
    modality: str | None = None
    cached: bool | None = None


class Cost(Struct, frozen=True, kw_only=True):
    """What a usage costs and how that is known, or why it has no price: one of `usd` and `unpriced`."""

    usd: str | None = None
    """A decimal string."""
    unpriced: str | None = None
    """no_price_list, no_model, unknown_model, unknown_modality, no_rate, no_usage."""
    model: str | None = None
    """The name that the rates were found under."""
    table_version: str | None = None
    lines: tuple[CostLine, ...] = ()


class Unpriced(Struct, frozen=True):
    """How many usages have no price for one reason."""

    reason: str
    usages: int


class Fact(Struct, frozen=True, kw_only=True):
    """Base of all facts."""


# Streams and frames ---------------------------------------------------------------------------------------


class StreamOpened(Fact, frozen=True):
    """A stream of frames began."""

    source: str


class StreamClosed(Fact, frozen=True):
    """A stream ended: with the websocket close code, or none when the connection broke off."""

    source: str
    reason: str
    """session_expired, disconnected, shutdown."""
    code: int | None
    frames: int
    gap: str | None = None
    """Why events may be missing: broken_off, closed, unresponsive, frame_too_big, blocked, internal_error."""


class FrameRejected(Fact, frozen=True):
    """A frame was no event."""

    reason: str
    bytes: int


class EventsMissed(Fact, frozen=True):
    """A sender that numbers its events left numbers out: so many never came."""

    missing: int


class EventRejected(Fact, frozen=True):
    """An event did not fit the state; it was left as it is."""

    event: str
    reason: str


# Conversations --------------------------------------------------------------------------------------------


class ConversationOpened(Fact, frozen=True):
    """The first event of a conversation was seen."""

    family: str


class ConversationClosed(Fact, frozen=True):
    """A conversation is over for steno: replaced, disconnected, session_expired, idle, evicted, shutdown."""

    family: str
    reason: str
    duration_seconds: float | None
    events: int
    responses: int
    runs: int
    tokens: tuple[Tokens, ...]
    cost_usd: str | None = "0"
    unpriced: tuple[Unpriced, ...] = ()


class SessionOpened(Fact, frozen=True):
    """Upstream told of a session: realtime, transcription, client_secret or chatkit."""

    session_id: str | None
    model: str | None
    expires_at: float | None
    kind: str = "realtime"
    instructions: Content | None = None
    """What the model is told to be and to do."""
    user: Content | None = None
    """Upstream's identifier of the end user: personal data."""
    metadata: Content | None = None
    """What the client attached to it, as JSON."""


class SessionChanged(Fact, frozen=True):
    """The configuration of a session was replaced, or the session is told of again."""

    session_id: str | None
    model: str | None
    expires_at: float | None
    kind: str = "realtime"
    instructions: Content | None = None
    """What the model is told to be and to do."""
    user: Content | None = None
    """Upstream's identifier of the end user: personal data."""
    metadata: Content | None = None
    """What the client attached to it, as JSON."""


class SessionNearsEnd(Fact, frozen=True):
    """A session ends in so many seconds, 300 and 60, by the deadline that upstream gave it."""

    session_id: str | None
    kind: str
    seconds_left: int


class SessionExpired(Fact, frozen=True):
    """A session reached its deadline, or upstream says that it has expired."""

    session_id: str | None
    kind: str


class SessionCancelled(Fact, frozen=True):
    """Upstream says that a session was cancelled."""

    session_id: str | None
    kind: str


# What the user did ----------------------------------------------------------------------------------------


class SpeechStarted(Fact, frozen=True):
    """The user began to speak."""

    item_id: str | None
    audio_start_ms: float | None


class SpeechStopped(Fact, frozen=True):
    """The user stopped speaking."""

    item_id: str | None
    audio_end_ms: float | None
    duration_seconds: float | None


class InputCommitted(Fact, frozen=True):
    """What the user said became an item."""

    item_id: str | None


class InputTimedOut(Fact, frozen=True):
    """The user said nothing for as long as the session allows."""

    item_id: str | None


class DtmfReceived(Fact, frozen=True):
    """The user pressed a key; which one is not told."""


class TranscriptionFinished(Fact, frozen=True):
    """What the user said was written down, or could not be: completed or failed."""

    item_id: str | None
    status: str
    code: str | None
    model: str | None
    transcript: Content | None
    seconds: float | None
    tokens: tuple[Tokens, ...]
    cost: Cost | None = None


# Items ----------------------------------------------------------------------------------------------------


class ItemAdded(Fact, frozen=True):
    """An item entered the conversation."""

    item_id: str | None
    kind: str | None
    role: str | None
    text: Content | None = None
    """The words that it came with: what was typed. Speech is written down later, and calls are told as calls."""


class ItemTruncated(Fact, frozen=True):
    """A spoken item was cut off at `audio_end_ms`: the caller heard no more."""

    item_id: str | None
    audio_end_ms: float | None
    generated_ms: float | None = None
    """How long the speech was that upstream made; None where no audio was seen."""
    heard: Content | None = None
    """The words that were heard, by proportion; None where that cannot be told."""


class ItemDeleted(Fact, frozen=True):
    """An item was removed."""

    item_id: str | None


# Responses ------------------------------------------------------------------------------------------------


class ResponseStarted(Fact, frozen=True):
    """A response began."""

    response_id: str | None
    conversation_id: str | None
    model: str | None


class ResponseFinished(Fact, frozen=True):
    """A response ended: completed, cancelled, failed, incomplete. One for each `response.done`."""

    response_id: str | None
    status: str
    reason: str | None
    """turn_detected, client_cancelled, max_output_tokens, content_filter, or the code of a failure."""
    conversation_id: str | None
    model: str | None
    items: int
    output: tuple[Content, ...]
    audio_seconds: float | None
    duration_seconds: float | None
    time_to_first_token_seconds: float | None
    time_to_first_audio_seconds: float | None
    turn_latency_seconds: float | None
    tokens: tuple[Tokens, ...]
    cost: Cost | None = None
    metadata: Content | None = None
    """What the client attached to it, as JSON."""


class ResponseInterrupted(Fact, frozen=True):
    """A response broke off before its end, and why."""

    response_id: str | None
    reason: str
    """turn_detected, client_cancelled, max_output_tokens, content_filter, failed, unknown, other."""
    model: str | None
    code: str | None = None
    """What the failure was called."""


class ResponseAbandoned(Fact, frozen=True):
    """A response will never be heard of again: its conversation closed, or too many were open."""

    response_id: str | None
    model: str | None


class DeltasDiffered(Fact, frozen=True):
    """The deltas of an item did not add up to the terminal object, which stands."""

    item_id: str | None
    members: tuple[str, ...]


class PlaybackStarted(Fact, frozen=True):
    """The caller began to hear a response. With a latency when this, not an audio delta, answered the turn."""

    response_id: str | None
    model: str | None
    turn_latency_seconds: float | None


class PlaybackStopped(Fact, frozen=True):
    """The caller has heard all of a response."""

    response_id: str | None


class PlaybackCleared(Fact, frozen=True):
    """The rest of a response was not heard."""

    response_id: str | None
    played_seconds: float | None = None
    """How long it was played."""


# Tools ----------------------------------------------------------------------------------------------------


class ToolCallStarted(Fact, frozen=True):
    """A tool is being called: function, mcp, code_interpreter, file_search."""

    call_id: str | None
    kind: str
    name: str | None


class ToolCallFinished(Fact, frozen=True):
    """A tool call is over: completed, failed, abandoned. The duration runs from the call to its output."""

    call_id: str | None
    kind: str
    name: str | None
    status: str
    duration_seconds: float | None
    arguments: Content | None
    output: Content | None
    arguments_whole: bool | None = None
    """Whether the arguments are JSON; those that were cut off are not. For code, which is none, it says nothing."""
    error: str | None = None
    """The code of a failure, where upstream tells one."""


class ToolsListed(Fact, frozen=True):
    """The tools of an MCP server were fetched, or could not be: completed, failed."""

    item_id: str | None
    status: str


class ApprovalRequested(Fact, frozen=True):
    """The model waits for a person to approve an MCP call."""

    item_id: str | None
    name: str | None


class ApprovalGiven(Fact, frozen=True):
    """An MCP call was approved, or was not."""

    request_id: str | None
    approved: bool | None


# Limits and errors ----------------------------------------------------------------------------------------


class RateLimitReported(Fact, frozen=True):
    """Upstream told what is left of a limit."""

    kind: str
    limit: float | None
    remaining: float | None
    reset_seconds: float | None


class UpstreamErred(Fact, frozen=True):
    """Upstream reported an error."""

    code: str
    kind: str | None
    message: Content | None
    effect: str = "unknown"
    """benign, ends_session, final, unknown."""


# Assistants -----------------------------------------------------------------------------------------------


class ThreadCreated(Fact, frozen=True):
    """A thread was made."""

    thread_id: str


class RunStarted(Fact, frozen=True):
    """A run was first seen."""

    run_id: str
    assistant_id: str | None
    model: str | None
    instructions: Content | None = None
    """What the model is told to be and to do."""
    metadata: Content | None = None
    """What the client attached to it, as JSON."""


class RunActionRequired(Fact, frozen=True):
    """A run waits for the outputs of its tools."""

    run_id: str
    calls: int


class RunFinished(Fact, frozen=True):
    """A run ended: completed, cancelled, failed, incomplete, expired. One for each ended run."""

    run_id: str
    status: str
    reason: str | None
    """The code of a failure, or why it is incomplete."""
    model: str | None
    duration_seconds: float | None
    tokens: tuple[Tokens, ...]
    cost: Cost | None = None
    queue_seconds: float | None = None
    """From its first sight to its first work."""
    action_seconds: float | None = None
    """How long it waited for the outputs of its tools, all times added up."""


class RunAbandoned(Fact, frozen=True):
    """A run had not ended when its thread was closed, or too many were open; upstream may yet end it."""

    run_id: str


class RunStepAbandoned(Fact, frozen=True):
    """A step had not ended when its thread was closed, or too many were open."""

    step_id: str
    run_id: str | None


class RunStepStarted(Fact, frozen=True):
    """A step was first seen."""

    step_id: str
    run_id: str | None
    kind: str


class RunStepFinished(Fact, frozen=True):
    """A step ended: completed, cancelled, failed, expired. One for each ended step."""

    step_id: str
    run_id: str | None
    kind: str
    status: str
    reason: str | None
    duration_seconds: float | None
    prompt_tokens: int | None
    completion_tokens: int | None


class MessageFinished(Fact, frozen=True):
    """A message is whole, or broke off: completed, incomplete."""

    message_id: str
    run_id: str | None
    role: str | None
    status: str
    text: Content


NAMES: Final[dict[type[Fact], str]] = {
    StreamOpened: "stream.opened",
    StreamClosed: "stream.closed",
    FrameRejected: "frame.rejected",
    EventsMissed: "events.missed",
    EventRejected: "event.rejected",
    ConversationOpened: "conversation.opened",
    ConversationClosed: "conversation.closed",
    SessionOpened: "session.opened",
    SessionChanged: "session.changed",
    SessionNearsEnd: "session.nears_end",
    SessionExpired: "session.expired",
    SessionCancelled: "session.cancelled",
    SpeechStarted: "speech.started",
    SpeechStopped: "speech.stopped",
    InputCommitted: "input.committed",
    InputTimedOut: "input.timed_out",
    DtmfReceived: "dtmf.received",
    TranscriptionFinished: "transcription.finished",
    ItemAdded: "item.added",
    ItemTruncated: "item.truncated",
    ItemDeleted: "item.deleted",
    ResponseStarted: "response.started",
    ResponseFinished: "response.finished",
    ResponseInterrupted: "response.interrupted",
    ResponseAbandoned: "response.abandoned",
    DeltasDiffered: "deltas.differed",
    PlaybackStarted: "playback.started",
    PlaybackStopped: "playback.stopped",
    PlaybackCleared: "playback.cleared",
    ToolCallStarted: "tool_call.started",
    ToolCallFinished: "tool_call.finished",
    ToolsListed: "tools.listed",
    ApprovalRequested: "approval.requested",
    ApprovalGiven: "approval.given",
    RateLimitReported: "rate_limit.reported",
    UpstreamErred: "upstream.erred",
    ThreadCreated: "thread.created",
    RunStarted: "run.started",
    RunActionRequired: "run.action_required",
    RunFinished: "run.finished",
    RunAbandoned: "run.abandoned",
    RunStepStarted: "run_step.started",
    RunStepAbandoned: "run_step.abandoned",
    RunStepFinished: "run_step.finished",
    MessageFinished: "message.finished",
}
"""The name that each fact has in the audit log."""
