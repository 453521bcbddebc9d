"""What can have happened to responses, up to what the caller heard of them."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from steno.core.facts.base import CacheWrite, Content, Cost, Fact, Tokens

# Responses ------------------------------------------------------------------------------------------------


class ResponseStarted(Fact, frozen=True):
    """A response began."""

    tag: ClassVar = "response.started"
    response_id: str | None
    conversation_id: str | None
    model: str | None
    previous_response_id: str | UnsetType = UNSET
    """The response that it follows, where upstream names one; else absent, as are the next three where they are not
    known."""
    stream_id: str | UnsetType = UNSET
    """The lane of its connection."""
    in_flight: int | UnsetType = UNSET
    """How many responses are in progress on its connection, itself included."""
    gap_seconds: float | UnsetType = UNSET
    """From the end of the response before it to its request, or to its beginning where requests are not seen."""
    gap_after: str | UnsetType = UNSET
    """What that one was: tool_calls (outputs of tools were waited for) or answer."""


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
    service_tier: str | UnsetType = UNSET
    """The service tier that it was served by, as upstream names it; absent where it names none."""
    cache_writes: tuple[CacheWrite, ...] | UnsetType = UNSET
    """What of the tokens was written to the prompt cache; absent where nothing was."""
    warm_up: bool | UnsetType = UNSET
    """True where no output was asked for: it only prepared a context. Else absent. It is no answer."""
    reasoning_tokens: int | UnsetType = UNSET
    """How many of the tokens of the output were reasoning; absent where upstream does not report it."""


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
