"""A stream: one websocket connection's frames in order, and what was counted of them."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from steno.core.conversation import NOTHING_COUNTED, Conversation, counted
from steno.limits import ID_CHARACTERS, UNKNOWN_TYPES
from steno.timestamps import Micros
from steno.wire import Event, StreamDecoder
from steno.wire.secrets import mask_text


class StreamEnd(Struct, frozen=True):
    """How a stream ended, for the one that follows it."""

    stream: str
    at: Micros | None
    gap: str | None
    """Why events may be missing."""


class Stream:
    """The frames of one connection. `name` is unique; `conversation` is what its source calls its session."""

    decoder: StreamDecoder
    """What its frames are decoded by: which family it is of, where several have names of events in common."""
    first_look: Callable[[bytes], Event | None]
    """That of `decoder`, for the path of every frame."""

    __slots__ = (
        "ambiguous",
        "conversation",
        "current",
        "decoder",
        "first_look",
        "frames",
        "malformed",
        "name",
        "reply",
        "source",
        "unknown",
    )

    def __init__(self, name: str, source: str, conversation: str | None = None, *, reply: bool = False) -> None:
        """Begin a stream on which nothing was said."""
        self.name = name
        self.source = source
        self.conversation = conversation
        self.reply = reply
        """Whether it is the reply to one request, and no connection: another stream may go on where it ends."""
        self.frames = 0
        self.ambiguous = False
        """Whether it carries several sessions, and an event of it could not be told to be of one."""
        self.unknown: Mapping[str, int] = NOTHING_COUNTED
        self.malformed: Mapping[str, int] = NOTHING_COUNTED
        self.current: dict[str, Conversation] = {}
        """Family to the conversation that the stream is about, or spoke of last: what names none belongs to it."""

    def decode_by(self, decoder: StreamDecoder) -> None:
        """Decode its frames by `decoder` from now on."""
        self.decoder = decoder
        self.first_look = decoder.first_look

    @property
    def events(self) -> int:
        """How many frames were events, of known types or not."""
        return self.frames - sum(self.malformed.values())

    def count_unknown(self, name: str) -> None:
        """Count an event of a type that is not known; a stream names so many and lumps the rest together."""
        name = mask_text(name[: 2 * ID_CHARACTERS])[:ID_CHARACTERS]  # any key in it shows before it is cut
        if name not in self.unknown and len(self.unknown) >= UNKNOWN_TYPES:
            name = "other"
        self.unknown = counted(self.unknown, name)

    def count_malformed(self, reason: str) -> None:
        """Count a frame that is no event."""
        self.malformed = counted(self.malformed, reason)
