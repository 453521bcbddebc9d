"""What the user can have done, and what can have happened to the items of a conversation."""

from typing import ClassVar

from steno.core.facts.base import Content, Cost, Fact, Tokens

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
