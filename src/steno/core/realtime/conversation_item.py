"""An item of a realtime conversation: what it says, how long its speech is, and how much of that was heard."""

from typing import Any

from steno.core.realtime.audio_formats import MS_PER_BYTE
from steno.core.transcript import Entry, PartName
from steno.wire import Event


class ConversationItem(Entry):
    """An item of the conversation: a message, a tool call, or the output of one."""

    __slots__ = (
        "added_as",
        "audio_bytes",
        "audio_done",
        "audio_index",
        "audio_name",
        "audio_parts",
        "call_id",
        "heard_all",
        "heard_ms",
        "id",
        "kind",
        "ms_per_byte",
        "out_of_band",
        "placed",
        "response_id",
        "role",
        "spoken",
        "transcribed",
    )

    def __init__(self, key: str) -> None:
        """Begin the item `key`, of which nothing else is known."""
        super().__init__()
        self.id = key
        self.added_as: type[Event] | None = None
        """The name of the event that added it to the conversation: there are two."""
        self.call_id: str | None = None
        """The id of the tool call that it is; None where it is none, empty where the id is not known yet."""
        self.kind: str | None = None
        self.role: str | None = None
        self.response_id: str | None = None
        self.transcribed: set[int] = set()
        """The parts whose transcription was reported, and with it their usage."""
        self.heard_all = False
        """Whether playback reached the end of its response."""
        self.out_of_band = False
        """Whether a response out of band made it: then it is no turn of the conversation."""
        self.placed = False
        """Whether it was said to come after another item of the conversation."""
        self.audio_bytes = 0
        """Bytes of speech that deltas brought."""
        self.audio_index: int | None = None
        self.audio_name: PartName | None = None
        self.audio_parts: dict[int | None, PartName] | None = None
        self.audio_done: tuple[int | None, PartName] | None = None
        """The part of its speech whose end was reported last, and the name of that report."""
        self.ms_per_byte = MS_PER_BYTE["pcm16"]
        self.spoken = False
        """Whether its text was said, not written."""
        self.heard_ms: float | None = None
        """How much of its speech was played, where upstream or the playback reports it."""

    def was_spoken(self) -> bool:
        """Return whether its text is a transcript, by its final form or by the deltas that brought it."""
        return self.spoken or any(
            part.name is not None and part.name.kind == "transcript" for part in self.parts.values()
        )

    @property
    def generated_ms(self) -> int | None:
        """The length of its speech; None where no audio was seen."""
        return round(self.audio_bytes * self.ms_per_byte) if self.audio_bytes else None

    def heard(self) -> tuple[str | None, str]:
        """Return the text that the caller heard, and how that is known.

        `whole`: playback reported its end. `estimated`: the share of the text that is the played share of the speech,
        cut at a word. `unknown`: nothing reports what was played, or how long the speech was.
        """
        if self.heard_all:
            return self.text(), "whole"
        generated = self.generated_ms
        if self.heard_ms is None or generated is None:
            return None, "unknown"
        text = self.text()
        if self.heard_ms >= generated:
            return text, "estimated"
        cut = round(len(text) * max(self.heard_ms, 0) / generated)
        inside = cut < len(text) and not text[cut].isspace() and cut > 0 and not text[cut - 1].isspace()
        return (text[:cut].rpartition(" ")[0] if inside else text[:cut]).rstrip(), "estimated"


def transcript_entry(item: ConversationItem) -> dict[str, Any]:
    """Return a turn as `--state` shows it: who said what, and what of it was heard."""
    return {"item_id": item.id, "role": item.role, "text": item.text(), "heard": _heard(item)[0]}


def speech(item: ConversationItem) -> dict[str, Any]:
    """Return how long the model's speech was, how much of it was played, and how `heard` is known."""
    return {
        "item_id": item.id,
        "generated_ms": item.generated_ms,
        "heard_ms": item.heard_ms,
        "heard_how": _heard(item)[1],
    }


def _heard(item: ConversationItem) -> tuple[str | None, str]:
    """Return what the caller heard of a turn, and how that is known. Only the model's turns are heard."""
    return item.heard() if item.role == "assistant" else (None, "unknown")
