"""What is in progress in a realtime conversation, and is billed when it ends: responses and transcriptions."""

from steno.core.billing.costs import Terms
from steno.core.memory import Held
from steno.core.transcript import PartName
from steno.timestamps import Micros


class OpenResponse(Held):
    """A response in progress, and when it first brought a token and audio."""

    __slots__ = (
        "audio_bytes",
        "audio_index",
        "audio_name",
        "audio_parts",
        "conversation_id",
        "created_at",
        "first_audio_seconds",
        "first_text_seconds",
        "has_audio",
        "has_text",
        "id",
        "model",
        "ms_per_byte",
        "out_of_band",
        "prices",
        "raw",
        "turn_latency",
    )

    def __init__(self, key: str, created_at: Micros | None, terms: Terms, ms_per_byte: float, raw: bytes) -> None:
        """Begin the response `key` under `terms`, in the audio format that the session has now.

        `raw` is its object as it came, `created_at` is None where that was not seen.
        """
        super().__init__()
        self.id = key
        self.created_at = created_at
        self.model = terms.model
        self.prices = terms.prices
        self.ms_per_byte = ms_per_byte
        self.raw = raw
        self.conversation_id: str | None = None
        """Upstream's id of its conversation, where its beginning named one."""
        self.out_of_band = False
        """Whether it was asked for outside the conversation: then it answers nobody."""
        self.has_text = False
        """Whether it brought a piece of text, of a transcript, or of the arguments of a call."""
        self.has_audio = False
        self.first_text_seconds: float | None = None
        """From its beginning to its first text; None where either is not known."""
        self.first_audio_seconds: float | None = None
        self.turn_latency: float | None = None
        """How long the caller had waited for it; None where it answered no turn."""
        self.audio_bytes = 0
        self.audio_index: int | None = None
        self.audio_name: PartName | None = None
        self.audio_parts: dict[int | None, PartName] | None = None

    def weight(self) -> int:
        """Return how many bytes its object takes."""
        return len(self.raw)


class OpenTranscription(Held):
    """The transcription of a part of what the user said. It begins when that is committed."""

    __slots__ = ("grew", "terms")

    def __init__(self, terms: Terms) -> None:
        """Begin a transcription under `terms`."""
        super().__init__()
        self.terms = terms
        self.grew = False
        """Whether it brought words: then it was used, however it ends."""
