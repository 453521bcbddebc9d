"""What a client says in the Live API: one Struct a type.

A sideband is sent some of them too: the audio of the caller, reflected, and in saved streams the keys that were sent.
So the direction of a frame tells none of them from what upstream says (`sent` is None).
"""

from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from steno.wire.base import Id, TypedEvent
from steno.wire.responses_objects import InputItem


class LiveClientEvent(TypedEvent, frozen=True):
    """Base of what a client says."""

    sent: ClassVar[bool | None] = None


class SessionStart(LiveClientEvent, frozen=True, tag="session.start"):
    """The first message of a primary websocket: it asks for a session, or for a fork of a stored one."""


class LiveSessionUpdate(LiveClientEvent, frozen=True, tag="session.update"):
    """The client asks for another configuration; what counts is the answer, `session.updated`."""


class SessionClose(LiveClientEvent, frozen=True, tag="session.close"):
    """The client asks for the end of the session; what counts is the answer, `session.closed`."""


class InputAudioAppend(LiveClientEvent, frozen=True, tag="session.input_audio.append"):
    """A piece of the caller's audio. A sideband gets it reflected. Not read: the transcript says what was heard."""


class InputAudioMute(LiveClientEvent, frozen=True, tag="session.input_audio.mute"):
    """The client asks that the model hears silence."""


class InputAudioUnmute(LiveClientEvent, frozen=True, tag="session.input_audio.unmute"):
    """The client asks that the model hears the caller again."""


class FixturePlay(LiveClientEvent, frozen=True, tag="session.output_audio.fixture.play"):
    """The client plays audio of its own in place of the model's."""


class _Append(LiveClientEvent, frozen=True):
    delegation_id: Id | None = None
    """The delegation to the client that this answers."""


class InstructionsAppend(_Append, frozen=True, tag="session.instructions.append"):
    """The client adds instructions."""


class ThinkingAppend(_Append, frozen=True, tag="session.thinking.append"):
    """The client adds what the model shall know and not say, such as how far the work on a delegation is."""


class CommentaryAppend(_Append, frozen=True, tag="session.commentary.append"):
    """The client adds what the model shall say, such as the result of a delegation."""


class DecisionCreate(LiveClientEvent, frozen=True, tag="decision.create"):
    """The client asks for a decision."""


class DecisionItemCreate(LiveClientEvent, frozen=True, tag="decision.item.create"):
    """The client adds an item to what later decisions are made from."""


class DecisionItemDelete(LiveClientEvent, frozen=True, tag="decision.item.delete"):
    """The client removes such an item."""


class ResponseItemCreate(LiveClientEvent, frozen=True, tag="response.item.create"):
    """The client adds an item to the backend's input, such as the output of a tool."""

    item: InputItem | None = None


class BackendResponseCreate(LiveClientEvent, frozen=True, tag="response.create"):
    """The client asks the backend to go on. What it says beside that is another family's."""

    response: UnsetType = UNSET
    input: UnsetType = UNSET
    model: UnsetType = UNSET
    previous_response_id: UnsetType = UNSET
    generate: UnsetType = UNSET
    stream_id: UnsetType = UNSET


class DtmfSend(LiveClientEvent, frozen=True, tag="transport.dtmf.send"):
    """The client asks for a key to be sent over SIP. In saved streams upstream says so of one that was sent."""


CLIENT_EVENTS: Final[tuple[type[TypedEvent], ...]] = (
    SessionStart, LiveSessionUpdate, SessionClose, InputAudioAppend, InputAudioMute, InputAudioUnmute, FixturePlay,
    InstructionsAppend, ThinkingAppend, CommentaryAppend, DecisionCreate, DecisionItemCreate, DecisionItemDelete,
    ResponseItemCreate, BackendResponseCreate, DtmfSend,
)  # fmt: skip
"""What a client says: all types of the primary websocket and of the sideband."""
