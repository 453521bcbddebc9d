"""The objects inside Live events: sessions, delegations, decisions, and what is read of a backend's events.

Source: the published types of the Live API; recordings of OpenAI. Statuses and kinds are plain strings, as in all
families: the reducers know the closed sets.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from steno.wire.base import SIGN, Amount, Bounded, Id, Index, Number, UnixSeconds, Wire
from steno.wire.responses_objects import Response, ResponseItem
from steno.wire.usage import ResponseUsage


class LiveAudioFormat(Wire, frozen=True):
    """How audio is coded on a primary websocket: `audio/pcm` with a sample rate in Hz, `audio/pcmu`, `audio/pcma`."""

    type: str | None = None
    rate: Number | None = None


class LiveAudio(Wire, frozen=True):
    """Configuration of audio. WebRTC and SIP negotiate their own format."""

    format: LiveAudioFormat | None = None


class DelegationConfig(Wire, frozen=True):
    """Who does what the model delegates: `client`, `responses` or `decisions`."""

    type: str | None = None


class LiveSession(Wire, frozen=True):
    """A Live session. Its `status` is `active` even in the snapshot that comes with its end."""

    id: Id | None = None
    object: Annotated[UnsetType, Meta(extra={SIGN: True})] = UNSET
    """That of another family's session, in events of the same names."""
    model: str | None = None
    expires_at: UnixSeconds | None = None
    status: str | None = None
    instructions: str | None = None
    audio: LiveAudio | None = None
    delegation: DelegationConfig | None = None
    safety_identifier: str | None = None
    """A stable identifier of the end user: personal data."""


class ContextWindow(Wire, frozen=True):
    """How full the context of the model is. It may fall after a compaction."""

    usage_ratio: Amount | None = None
    """Tokens of the context by those that the model can hold."""


class Delegation(Wire, frozen=True):
    """Work that the model handed on. The task itself is not in it."""

    id: Id | None = None
    target: str | None = None
    """client, responses or decisions."""
    response_id: Id | None = None
    """The first response of a Responses delegation. Further ones follow under the same delegation."""


class LiveError(Wire, frozen=True):
    """What went wrong, and the client event that caused it where upstream can tell."""

    type: str | None = None
    code: str | int | None = None
    message: str | None = None
    param: str | None = None
    client_event_id: str | None = None


class Answer(Wire, frozen=True):
    """An answer of the Decisions API: predicate, choice, score or refusal. What it says is left in the bytes."""

    type: str | None = None


class Decision(Wire, frozen=True):
    """What the Decisions API answered, in the order of the questions."""

    model: str | None = None
    answers: Annotated[tuple[Answer, ...], Bounded] | None = None
    usage: ResponseUsage | None = None


class DecisionOutcome(Wire, frozen=True):
    """The event of the Decisions API that a `decision.event` carries: `decision.completed`."""

    type: str | None = None
    decision: Decision | None = None


class BackendEvent(Wire, frozen=True):
    """What is read of the event of the Responses API that a `response.event` carries: members of all its types."""

    type: str | None = None
    sequence_number: Index | None = None
    response: Response | None = None
    """Without input, instructions, tools or output: a Live session passes it on so."""
    item: ResponseItem | None = None
    code: str | int | None = None
    message: str | None = None
