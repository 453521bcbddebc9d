"""The vocabulary all wire types share: identifiers, counts, and what a frame can turn out to be.

A wire type is a frozen Struct that declares what the reducers read. Whatever else upstream sends is no error:
it is skipped here and stays in the bytes that are kept of whole objects. Every member may be absent or null.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import force_setattr

from steno.limits import ID_LONGEST, TOKENS_MAX

MASK: Final = "***"
"""What is shown in place of a secret."""

IDENTIFYING: Final = "identifying"
"""Mark in `Meta.extra` of members that say what an event is about: of a wrong type, they spoil the event."""

Id = Annotated[str, Meta(max_length=ID_LONGEST, extra={IDENTIFYING: True})]
Tokens = Annotated[int, Meta(ge=0, le=TOKENS_MAX)]
Index = Annotated[int, Meta(ge=0, le=1 << 31)]
_BELIEVED: Final = Meta(ge=-TOKENS_MAX, le=TOKENS_MAX)
_AMOUNT: Final = Meta(ge=0, le=TOKENS_MAX)
Number = Annotated[int, _BELIEVED] | Annotated[float, _BELIEVED]
"""A finite number, small enough to be added up and to be written in whatever form."""
Amount = Annotated[int, _AMOUNT] | Annotated[float, _AMOUNT]
"""A number of something that there cannot be less than none of."""
UnixSeconds = Number
"""Seconds since 1970 UTC as upstream writes them: whole in every recording, fractions are not refused."""

MalformedReason = Literal[
    "not_utf8",
    "not_json",
    "not_object",
    "no_discriminator",
    "too_deep",
    "bad_identifier",
    "bad_envelope",
]
"""Why a frame could not be decoded. A closed list of our own words: none repeats what the frame said."""


class Wire(Struct, frozen=True, gc=False, kw_only=True):
    """Base of every upstream object. They are trees, so that the garbage collector need not look at them."""


def conceal(told: Wire, member: str) -> None:
    """Forget the secret in a `member` of what was just decoded; that there is one stays."""
    if getattr(told, member) is not None:
        force_setattr(told, member, MASK)


class RealtimeEvent(Wire, frozen=True, tag_field="type"):
    """Base of the events whose discriminator is `type`.

    The guards below belong to no Realtime event, and no value is of their type. Where one is present the frame
    is refused at first sight, because it may only look like an event: it may be a CloudEvent (`specversion`), an
    envelope (`data`), a bare object (`object`), a client secret (`value`), or an event of the Responses API,
    which uses some of the same names (`sequence_number`).
    """

    event_id: Id | None = None
    specversion: UnsetType = UNSET
    data: UnsetType = UNSET
    object: UnsetType = UNSET
    value: UnsetType = UNSET
    sequence_number: UnsetType = UNSET


class AssistantsEvent(Wire, frozen=True, tag_field="event"):
    """Base of the events of an Assistants stream: `{"event": ..., "data": ...}`. They have no id of their own."""

    specversion: UnsetType = UNSET
    data: Any = None


Event = RealtimeEvent | AssistantsEvent


class Unknown(Wire, frozen=True):
    """A well-formed event of a type that steno does not know; it is counted and changes nothing."""

    type: str
    family: str = "realtime"
    """By the form that it came in: `event` and `data` are an Assistants stream's; ChatKit's threads say `type`."""


class Malformed(Wire, frozen=True):
    """A frame that is no event, and why."""

    reason: MalformedReason


class Drifted(Wire, frozen=True):
    """An event some of whose members were of a type that nobody expects: those read as absent."""

    event: Event
    members: int
    """How many members were left out."""
