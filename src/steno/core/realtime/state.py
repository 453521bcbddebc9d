"""The state of a realtime conversation: its session, its items in order, and the responses in progress."""

from steno.core import tools
from steno.core.bounded import BoundedObjects, BoundedSet
from steno.core.conversation import Conversation
from steno.core.facts import Content, Fact, ResponseAbandoned
from steno.core.realtime.turn import Turn
from steno.core.transcript import Entry, Transcript
from steno.core.vocabulary import short
from steno.limits import ENDED_IDS, Limits
from steno.timestamps import Micros
from steno.wire import realtime_objects as objects

MS_PER_BYTE = {"pcm16": 1 / 48, "audio/pcm": 1 / 48, "g711_ulaw": 1 / 8, "g711_alaw": 1 / 8} | {
    "audio/pcmu": 1 / 8,
    "audio/pcma": 1 / 8,
}
"""Milliseconds that a byte of audio lasts: 16 bit at 24 kHz, or 8 bit at 8 kHz."""

CALL_KINDS = {"function_call": "function", "mcp_call": "mcp"}
"""ConversationItem types that are calls of a tool, and of which kind."""


class ConversationItem(Entry):
    """A turn, a call or an output: who, and the words as far as they are known."""

    __slots__ = (
        "audio_bytes",
        "heard_ms",
        "heard_whole",
        "id",
        "kind",
        "ms_per_byte",
        "out_of_band",
        "response_id",
        "role",
        "spoken",
        "transcribed",
    )

    def __init__(self, key: str) -> None:
        """Begin the item `key`, of which nothing else is known."""
        super().__init__()
        self.id = key
        self.kind: str | None = None
        self.role: str | None = None
        self.response_id: str | None = None
        self.transcribed: set[int] = set()
        """The parts whose transcript was told, and with it their usage."""
        self.heard_whole = False
        self.out_of_band = False
        """Whether a response outside the conversation made it: it is no turn of anybody's."""
        self.audio_bytes = 0
        """What deltas brought of its speech."""
        self.ms_per_byte = MS_PER_BYTE["pcm16"]
        self.spoken = False
        """Whether its words were said, not written."""
        self.heard_ms: float | None = None
        """How much of its speech was played, where upstream or the playback tells."""

    @property
    def generated_ms(self) -> int | None:
        """How long its speech is; None where no audio was seen."""
        return round(self.audio_bytes * self.ms_per_byte) if self.audio_bytes else None

    def heard(self) -> tuple[str | None, str]:
        """Return what the caller heard of its words, and how that is known.

        `whole`: playback told that it ended. `estimated`: the part of the words that is the played part of the
        speech, to the last whole word. `unknown`: nothing tells, or not how long the speech was.
        """
        if self.heard_whole:
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


class OpenResponse:
    """A response in progress: when it first gave what, and its items."""

    __slots__ = (
        "audio_bytes",
        "created_at",
        "first_audio_at",
        "first_token_at",
        "id",
        "model",
        "out_of_band",
        "turn_latency",
        "whole",
    )

    def __init__(self, key: str, created_at: Micros | None, model: str | None, whole: bytes) -> None:
        """Begin the response `key`; `whole` is its object as it came."""
        self.id = key
        self.created_at = created_at
        self.model = model
        self.whole = whole
        self.out_of_band = False
        """Whether it was asked for outside the conversation: it answers nobody."""
        self.first_token_at: Micros | None = None
        self.first_audio_at: Micros | None = None
        self.turn_latency: float | None = None
        self.audio_bytes = 0


class RealtimeConversation(Conversation):
    """A voice session, or one of its names' worth of them."""

    family = "realtime"

    def __init__(self, key: str, source: str, stream: str, limits: Limits, *, named: bool) -> None:
        """Begin without a session, items or responses."""
        super().__init__(key, source, stream, limits, named=named)
        self.base = ""
        """The key without the number that tells it from earlier sessions of the same stream or name."""
        self.session_id: str | None = None
        self.known_session: str | None = None
        """The session whose id leads to this conversation."""
        self.session_model: str | None = None
        self.transcription_model: str | None = None
        self.audio_format: str | None = None
        self.expired = False
        """Whether upstream said that the session reached its longest duration."""
        self.transcript = Transcript[ConversationItem](limits, self.rejected, newest_last=True)
        self.items = self.transcript.entries
        self.order = self.transcript.order
        self.open: dict[str, OpenResponse] = {}
        self.responses = BoundedObjects(limits)
        self.ended_responses = BoundedSet(ENDED_IDS)
        self.turn = Turn()
        self.playing_since: dict[str, Micros] = {}
        """Response to when the caller began to hear it."""

    def item(self, key: str) -> ConversationItem:
        """Return the item `key`; one that is new stands last."""
        item = self.items.get(key)
        if item is None:
            item = ConversationItem(key)
            self.transcript.add(key, item)
        return item

    def model(self, response: objects.RealtimeResponse | None) -> str | None:
        """Return the model of `response`, else the session's, else None."""
        return short(response.model if response else None) or self.session_model

    def ms_per_byte(self, told: str | None = None) -> float:
        """Return how long a byte of audio lasts in the format `told`, else the session's."""
        return MS_PER_BYTE.get(told or self.audio_format or "pcm16", MS_PER_BYTE["pcm16"])

    def audio_seconds(self, size: int, output: objects.AudioOutput | None, beta_format: str | None) -> float | None:
        """Return how long `size` bytes of audio last, by the response's format or else the session's."""
        told = output.format if output else None
        name = (told.type if isinstance(told, objects.AudioFormat) else told) or beta_format
        return round(size * self.ms_per_byte(name) / 1000, 6) if size else None

    def unfinished(self) -> list[bytes]:
        """Return the objects of the responses in progress."""
        return [response.whole for response in self.open.values() if response.whole]

    def dropped_objects(self) -> int:
        """Return how many responses could not be kept whole."""
        return self.responses.dropped

    def erase_words(self) -> None:
        """Let go of the words of all items, and of the responses, ended or not."""
        super().erase_words()
        self.responses.drop_all()
        for response in self.open.values():
            response.whole = b""
        self.transcript.erase()

    def abandon(self) -> list[Fact]:
        """Give up the responses and calls in progress."""
        gone: list[Fact] = [
            ResponseAbandoned(response_id=response.id, model=response.model) for response in self.open.values()
        ]
        self.open.clear()
        return [*gone, *tools.finish_all(self, None, "abandoned", None)]


def parts_of(item: objects.Item) -> list[tuple[int, str]]:
    """Return the words of an upstream item by part; a spoken part without a transcript yet is left out."""
    if item.type in CALL_KINDS:
        return [] if item.arguments is None else [(0, item.arguments)]
    if item.type == "function_call_output":
        return [] if item.output is None else [(0, item.output)]
    parts = enumerate(item.content or ())
    words = ((index, part.text if part.text is not None else part.transcript) for index, part in parts)
    return [(index, text) for index, text in words if text is not None]


def content_of(item: objects.Item) -> Content | None:
    """Return the words of an upstream item with the kind that content policies know."""
    text = "".join(text for _, text in parts_of(item))
    if not text:
        return None
    if item.type in CALL_KINDS:
        return Content("arguments", text)
    if item.type == "function_call_output":
        return Content("output", text)
    spoken = any(part.transcript is not None for part in item.content or ())
    return Content("transcript" if spoken else "text", text)
