"""What can have happened to streams, frames and events."""

from typing import ClassVar, Final

from steno.core.facts.base import Fact

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
