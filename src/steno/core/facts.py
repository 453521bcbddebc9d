"""What can have happened: one frozen Struct a fact, in the past tense.

A fact holds identifiers, numbers, closed words and `Content`, never an upstream object. Its `Origin` says which
conversation and stream it is about, and when it happened. Durations are in seconds, and None where the input carries
no times.

Nothing that a fact holds leads back to it, so the collector need not look at any (`gc=False`): the newest are
remembered by the thousand for whoever looks at a conversation (`view/recent`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from steno.timestamps import Micros

KINDS: Final = ("transcript", "text", "arguments", "output", "instructions", "user", "metadata", "message")
"""The kinds of content: what was said, what was written, what a tool was called with and what it returned, the
instructions of a model, the identifier of the end user, what a client attached, and the message of an error."""


class Content:
    """A text of people or models. No encoder knows this type: whoever writes it must apply a content policy first."""

    __slots__ = ("kind", "text")

    def __init__(self, kind: str, text: str) -> None:
        """Hold `text`; `kind` is one of `KINDS`."""
        self.kind = kind
        self.text = text

    def __eq__(self, other: object) -> bool:
        """Compare kind and text."""
        return isinstance(other, Content) and (self.kind, self.text) == (other.kind, other.text)

    def __hash__(self) -> int:
        """Hash kind and text."""
        return hash((self.kind, self.text))

    def __repr__(self) -> str:
        """Show the length and never the text: this may end up in a traceback."""
        return f"Content({self.kind!r}, {len(self.text)} characters)"


def content(kind: str, text: str | None) -> Content | None:
    """Return `text` as content of a `kind`; None where it is empty."""
    return Content(kind, text) if text else None


def metadata_content(metadata: Mapping[str, Any] | None) -> Content | None:
    """Return what a client attached to an object as content, in JSON; None where that is nothing."""
    return Content("metadata", msgspec.json.encode(metadata).decode()) if metadata else None


class Origin(Struct, frozen=True, kw_only=True, gc=False):
    """Which conversation and stream a fact is about, when it happened, and which upstream event caused it."""

    at: Micros | None
    source: str
    stream: str | None
    conversation: str | None = None
    family: str | None = None
    event_id: str | None = None


class Tokens(Struct, frozen=True, gc=False):
    """One disjoint bucket of tokens: `direction` input or output, `modality` text, audio, image or unknown."""

    model: str | None
    direction: str
    modality: str
    cached: bool
    tokens: int


class CostLine(Struct, frozen=True, gc=False):
    """A quantity and its rate: the tokens of one bucket, or a duration. Decimals are exact strings."""

    rate: str
    """USD a token, a second or a minute."""
    per: str
    quantity: str
    direction: str | None = None
    modality: str | None = None
    cached: bool | None = None


UNPRICED: Final = (
    *("no_price_list", "no_model", "unknown_model", "unknown_modality", "no_rate", "no_usage", "duplicate_source"),
)
"""Why a usage has no price."""


class Cost(Struct, frozen=True, kw_only=True, gc=False):
    """The price of a usage and its calculation, or why there is no price: `usd` or `unpriced`."""

    usd: str | None = None
    """A decimal string."""
    unpriced: str | None = None
    """no_price_list, no_model, unknown_model, unknown_modality, no_rate, no_usage, duplicate_source."""
    model: str | None = None
    """The name under which the rates were found."""
    table_version: str | None = None
    lines: tuple[CostLine, ...] = ()


class Unpriced(Struct, frozen=True, gc=False):
    """How many usages have no price for one reason."""

    reason: str
    usages: int


class Fact(Struct, frozen=True, kw_only=True, gc=False):
    """Base of all facts.

    `tag` is the name of the fact in the audit log. It is a class attribute and not the `tag` of msgspec: that one would
    be written into every body, and a record has the name already.
    """

    tag: ClassVar = ""


# Streams and frames ---------------------------------------------------------------------------------------


class StreamOpened(Fact, frozen=True):
    """A stream of frames began."""

    tag: ClassVar = "stream.opened"
    source: str


class StreamResumed(Fact, frozen=True):
    """A stream follows another one to the same address: in between nothing was received."""

    tag: ClassVar = "stream.resumed"
    source: str
    former: str
    """The name of the stream before it."""
    seconds: float | None
    """From the end of the former to the beginning of this one."""
    gap: str | None
    """That of the former, see `stream.closed`; null where it came to its end in order."""


class StreamClosed(Fact, frozen=True):
    """A stream ended: with a websocket close code, or without one when the connection broke off."""

    tag: ClassVar = "stream.closed"
    source: str
    reason: str
    """session_expired, disconnected, shutdown."""
    code: int | None
    frames: int
    gap: str | None = None
    """Why events may be missing: broken_off, closed, unresponsive, frame_too_big, blocked, internal_error,
    truncated."""


REJECTED: Final = (
    # What was no event.
    *("not_utf8", "not_json", "not_object", "no_discriminator", "too_deep", "too_complex", "bad_identifier"),
    "bad_envelope",
    # What did not fit the state.
    *("repeated", "ended", "missing_object", "missing_id", "unknown_response", "unknown_item", "unknown_step"),
    *("unknown_message", "unexpected_direction", "no_conversation", "ambiguous_session"),
    # A mistake of ours.
    "internal_error",
)
"""Why a frame or an event is rejected."""


class FrameRejected(Fact, frozen=True):
    """A frame could not be decoded as an event."""

    tag: ClassVar = "frame.rejected"
    reason: str
    bytes: int


MISSING: Final = frozenset({"skipped", "queue_full", "disconnected", "frame_too_big", "unreadable", "other"})
"""Why events are missing: their sender left numbers out (`skipped`), or says that it dropped them, since there was no
room (`queue_full`) or no connection, they were too long, or it could not read them."""


class EventsMissed(Fact, frozen=True):
    """So many events are not here: their sender left numbers out, or dropped them; or steno could not read them."""

    tag: ClassVar = "events.missed"
    missing: int
    reason: str = "skipped"
    """skipped (numbers were left out), queue_full, disconnected, frame_too_big, unreadable, other."""


class EventRejected(Fact, frozen=True):
    """An event did not fit the state, which was left as it is."""

    tag: ClassVar = "event.rejected"
    event: str
    reason: str
    """Why, such as `unknown_response`; `ambiguous_session` where it may be of any of several sessions of its stream."""


class FactsOmitted(Fact, frozen=True):
    """An event led to more than 128 facts of one kind. The further ones are left out and counted here."""

    tag: ClassVar = "facts.omitted"
    facts: tuple[str, ...]
    """The names of the facts that were left out."""
    omitted: int
    """How many facts that are."""


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
    """realtime, transcription, translation, client_secret or chatkit."""
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

    Translation sessions are billed as a whole. `cost` is null where the usage of the session was billed bit by bit.
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


# What the user did ----------------------------------------------------------------------------------------


class SpeechStarted(Fact, frozen=True):
    """The user began to speak."""

    tag: ClassVar = "speech.started"
    item_id: str | None
    audio_start_ms: float | None


class SpeechStopped(Fact, frozen=True):
    """The user stopped speaking."""

    tag: ClassVar = "speech.stopped"
    item_id: str | None
    audio_end_ms: float | None
    duration_seconds: float | None


class InputCommitted(Fact, frozen=True):
    """The input of the user was committed as an item."""

    tag: ClassVar = "input.committed"
    item_id: str | None


class TurnUnanswered(Fact, frozen=True):
    """A turn of the user ended without an answer: none had begun when the user spoke again, or the session was over."""

    tag: ClassVar = "turn.unanswered"
    item_id: str | None
    """The item that the user's input became."""
    ended_by: str
    """speech (the user spoke again), session."""
    waited_seconds: float | None
    """From the end of what the user said; null where either time is not known, as of a session that fell silent."""


class InputTimedOut(Fact, frozen=True):
    """The user said nothing until the idle timeout of the session."""

    tag: ClassVar = "input.timed_out"
    item_id: str | None


class DtmfReceived(Fact, frozen=True):
    """The user pressed a key on a telephone. Which key is not recorded: it may be part of a PIN."""

    tag: ClassVar = "dtmf.received"


class TranscriptionFinished(Fact, frozen=True):
    """The transcription of user speech ended: completed, failed; abandoned where neither came."""

    tag: ClassVar = "transcription.finished"
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

    tag: ClassVar = "item.added"
    item_id: str | None
    kind: str | None
    role: str | None
    text: Content | None = None
    """The text that a message came with: what was typed. Speech is transcribed later, and tool calls have facts of
    their own."""


class ItemTruncated(Fact, frozen=True):
    """A spoken item was cut off at `audio_end_ms`. The caller did not hear the rest."""

    tag: ClassVar = "item.truncated"
    item_id: str | None
    audio_end_ms: float | None
    generated_ms: float | None = None
    """Length of the speech that upstream generated; null where no audio was seen."""
    heard: Content | None = None
    """The part of the transcript that was heard, estimated from the played share of the speech; null where the share is
    not known."""


class ItemDeleted(Fact, frozen=True):
    """An item was deleted from the conversation."""

    tag: ClassVar = "item.deleted"
    item_id: str | None


# Responses ------------------------------------------------------------------------------------------------


class ResponseStarted(Fact, frozen=True):
    """A response began."""

    tag: ClassVar = "response.started"
    response_id: str | None
    conversation_id: str | None
    model: str | None


class ResponseOutputStarted(Fact, frozen=True):
    """A response brought its first text, transcript or argument, or its first audio. Each at most once a response.

    It is reported when it happens. What becomes of the response later does not change how long it was waited for.
    """

    tag: ClassVar = "response.output_started"
    response_id: str | None
    model: str | None
    output: str
    """text (a word, or a piece of a call's arguments) or audio."""
    after_seconds: float | None
    """From `response.created`; null where that, or its time, was not seen."""
    turn_latency_seconds: float | None = None


class ResponseFinished(Fact, frozen=True):
    """A response ended: completed, cancelled, failed, incomplete. Each `response.done` leads to exactly one."""

    tag: ClassVar = "response.finished"
    response_id: str | None
    status: str
    reason: str | None
    """turn_detected, client_cancelled, max_output_tokens, content_filter, or the code of a failure."""
    conversation_id: str | None
    model: str | None
    items: int
    """How many items its end lists; where the list is null, how many were seen."""
    output: tuple[Content, ...]
    """What those items say."""
    audio_seconds: float | None
    duration_seconds: float | None
    time_to_first_token_seconds: float | None
    time_to_first_audio_seconds: float | None
    turn_latency_seconds: float | None
    tokens: tuple[Tokens, ...]
    cost: Cost | None = None
    metadata: Content | None = None
    """The metadata that the client attached, as JSON."""


class ResponseInterrupted(Fact, frozen=True):
    """A response broke off before its end."""

    tag: ClassVar = "response.interrupted"
    response_id: str | None
    reason: str
    """turn_detected, client_cancelled, max_output_tokens, content_filter, failed, unknown, other."""
    model: str | None
    code: str | None = None
    """The code of a failure."""


class ResponseAbandoned(Fact, frozen=True):
    """A response had not ended when its conversation closed, or when too many were open. Its usage is unknown."""

    tag: ClassVar = "response.abandoned"
    response_id: str | None
    model: str | None
    cost: Cost | None = None


class DeltasDiffered(Fact, frozen=True):
    """The deltas of an item did not add up to the terminal object. The terminal object stands."""

    tag: ClassVar = "deltas.differed"
    item_id: str | None
    members: tuple[str, ...]


class PlaybackStarted(Fact, frozen=True):
    """The caller began to hear a response. On a stream that carries no audio this may answer the turn."""

    tag: ClassVar = "playback.started"
    response_id: str | None
    model: str | None
    turn_latency_seconds: float | None


class PlaybackStopped(Fact, frozen=True):
    """The playback of a response reached its end."""

    tag: ClassVar = "playback.stopped"
    response_id: str | None


class PlaybackCleared(Fact, frozen=True):
    """The playback of a response was cut off. The caller did not hear the rest."""

    tag: ClassVar = "playback.cleared"
    response_id: str | None
    played_seconds: float | None = None
    """How long it was played."""


# Tools ----------------------------------------------------------------------------------------------------


class ToolCallStarted(Fact, frozen=True):
    """The model began a tool call: function, mcp, code_interpreter, file_search.

    It waits for the name of the tool where a later event has that, at most to the end of its response or of the call.
    """

    tag: ClassVar = "tool_call.started"
    call_id: str | None
    kind: str
    name: str | None


class ToolCallFinished(Fact, frozen=True):
    """A tool call ended: completed, failed, abandoned. The duration runs from the complete call to its output.

    It is null where either was not seen. A call that will not be answered is abandoned when that is known: with its
    response, step, run or item, or with its session.
    """

    tag: ClassVar = "tool_call.finished"
    call_id: str | None
    kind: str
    name: str | None
    status: str
    duration_seconds: float | None
    arguments: Content | None
    output: Content | None
    arguments_whole: bool | None = None
    """Whether the arguments are valid JSON: those that were cut off are not. Null for code, which is not JSON."""
    error: str | None = None
    """The code of a failure, where upstream reports one."""


class ToolsListed(Fact, frozen=True):
    """The list of an MCP server's tools was fetched: completed, failed."""

    tag: ClassVar = "tools.listed"
    item_id: str | None
    status: str


class ApprovalRequested(Fact, frozen=True):
    """An MCP call waits for the approval of a person."""

    tag: ClassVar = "approval.requested"
    item_id: str | None
    name: str | None


class ApprovalGiven(Fact, frozen=True):
    """A person approved or refused an MCP call."""

    tag: ClassVar = "approval.given"
    request_id: str | None
    approved: bool | None


# Limits and errors ----------------------------------------------------------------------------------------


class RateLimitReported(Fact, frozen=True):
    """Upstream reported what is left of a rate limit."""

    tag: ClassVar = "rate_limit.reported"
    kind: str
    limit: float | None
    remaining: float | None
    reset_seconds: float | None


class UpstreamErred(Fact, frozen=True):
    """Upstream reported an error."""

    tag: ClassVar = "upstream.erred"
    code: str
    kind: str | None
    message: Content | None
    effect: str = "unknown"
    """What the error means for what comes after it: benign, ends_session, final, unknown."""


# Assistants -----------------------------------------------------------------------------------------------


class ThreadCreated(Fact, frozen=True):
    """A thread was created."""

    tag: ClassVar = "thread.created"
    thread_id: str


class ThreadDeleted(Fact, frozen=True):
    """A thread was deleted."""

    tag: ClassVar = "thread.deleted"
    thread_id: str


class RunStarted(Fact, frozen=True):
    """A run was first seen."""

    tag: ClassVar = "run.started"
    run_id: str
    assistant_id: str | None
    model: str | None
    instructions: Content | None = None
    """The instructions of the model."""
    metadata: Content | None = None
    """The metadata that the client attached, as JSON."""


class RunActionRequired(Fact, frozen=True):
    """A run waits for the outputs of its tool calls."""

    tag: ClassVar = "run.action_required"
    run_id: str
    calls: int


class RunFinished(Fact, frozen=True):
    """A run ended: completed, cancelled, failed, incomplete, expired. Each ended run leads to exactly one."""

    tag: ClassVar = "run.finished"
    run_id: str
    status: str
    reason: str | None
    """The code of a failure, or why the run is incomplete."""
    model: str | None
    duration_seconds: float | None
    tokens: tuple[Tokens, ...]
    cost: Cost | None = None
    queue_seconds: float | None = None
    """From the first event of the run to its first `in_progress`."""
    action_seconds: float | None = None
    """How long the run waited for the outputs of its tool calls, all waits added up."""


class RunAbandoned(Fact, frozen=True):
    """A run had not ended when its thread was closed, or when too many were open. Upstream may end it yet.

    Its usage is unknown.
    """

    tag: ClassVar = "run.abandoned"
    run_id: str
    model: str | None = None
    cost: Cost | None = None


class RunStepAbandoned(Fact, frozen=True):
    """A step had not ended when its thread was closed, or when too many were open."""

    tag: ClassVar = "run_step.abandoned"
    step_id: str
    run_id: str | None


class RunStepStarted(Fact, frozen=True):
    """A step was first seen."""

    tag: ClassVar = "run_step.started"
    step_id: str
    run_id: str | None
    kind: str


class RunStepFinished(Fact, frozen=True):
    """A step ended: completed, cancelled, failed, expired. Each ended step leads to exactly one.

    A step that its run left open ends with the run, and has no duration: upstream did not report when it ended.
    """

    tag: ClassVar = "run_step.finished"
    step_id: str
    run_id: str | None
    kind: str
    status: str
    reason: str | None
    duration_seconds: float | None
    prompt_tokens: int | None
    completion_tokens: int | None


class MessageFinished(Fact, frozen=True):
    """A message ended: completed, incomplete."""

    tag: ClassVar = "message.finished"
    message_id: str
    run_id: str | None
    role: str | None
    status: str
    text: Content


def _tagged(base: type[Fact]) -> Iterator[type[Fact]]:
    """Yield the facts among the subclasses of `base`, in the order of their definition."""
    for kind in base.__subclasses__():
        if kind.tag:
            yield kind
        yield from _tagged(kind)


NAMES: Final[dict[type[Fact], str]] = {kind: kind.tag for kind in _tagged(Fact)}
"""Each fact and its name in the audit log."""
