"""What a client says in the Realtime API: one Struct a type. A tap, a proxy or a recording sees both directions."""

from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from steno.wire.base import Id, Index, Number, TypedEvent
from steno.wire.realtime_objects import Item


class ClientEvent(TypedEvent, frozen=True):
    """Base of what a client says."""

    sent: ClassVar[bool] = True


class SessionUpdate(ClientEvent, frozen=True, tag="session.update"):
    """The client asks for another configuration; what counts is the answer, `session.updated`."""


class TranscriptionSessionUpdate(SessionUpdate, frozen=True, tag="transcription_session.update"):
    """Beta: the same for a session that only transcribes."""


class InputAppend(ClientEvent, frozen=True, tag="input_audio_buffer.append"):
    """A piece of the user's audio. Not read: upstream tells what it heard."""


class TranslationAppend(ClientEvent, frozen=True, tag="session.input_audio_buffer.append"):
    """A piece of the audio that a session translates. Not read; it shows which kind of session it is."""


class TranslationClose(ClientEvent, frozen=True, tag="session.close"):
    """The client ends a session of translation; upstream answers with `session.closed`."""


class InputCommit(ClientEvent, frozen=True, tag="input_audio_buffer.commit"):
    """The client ends the user's turn."""


class InputClear(ClientEvent, frozen=True, tag="input_audio_buffer.clear"):
    """The client throws the input away."""


class PlaybackClear(ClientEvent, frozen=True, tag="output_audio_buffer.clear"):
    """The client cuts playback off."""


class ItemCreate(ClientEvent, frozen=True, tag="conversation.item.create"):
    """The client adds an item, such as the output of a function call."""

    item: Item | None = None
    previous_item_id: Id | None = None


class ItemRetrieve(ClientEvent, frozen=True, tag="conversation.item.retrieve"):
    """The client asks for one item."""

    item_id: Id | None = None


class ItemTruncate(ClientEvent, frozen=True, tag="conversation.item.truncate"):
    """The client says how much of an item was played."""

    item_id: Id | None = None
    content_index: Index | None = None
    audio_end_ms: Number | None = None


class ItemDelete(ClientEvent, frozen=True, tag="conversation.item.delete"):
    """The client removes an item."""

    item_id: Id | None = None


class ResponseCreate(ClientEvent, frozen=True, tag="response.create"):
    """The client asks for a response, whose settings are in `response`. Beside it they are another family's."""

    input: UnsetType = UNSET
    model: UnsetType = UNSET
    previous_response_id: UnsetType = UNSET
    generate: UnsetType = UNSET
    stream_id: UnsetType = UNSET


class ResponseCancel(ClientEvent, frozen=True, tag="response.cancel"):
    """The client cuts a response off."""

    response_id: Id | None = None


CLIENT_EVENTS: Final[tuple[type[TypedEvent], ...]] = (
    SessionUpdate, TranscriptionSessionUpdate, InputAppend, TranslationAppend, TranslationClose, InputCommit,
    InputClear, PlaybackClear,
    ItemCreate, ItemRetrieve, ItemTruncate, ItemDelete, ResponseCreate, ResponseCancel,
)  # fmt: skip
"""What a client says: the 11 GA types, one of beta, and two of translation sessions."""
