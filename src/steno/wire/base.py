"""What all wire types share: identifiers, counts, the forms of events, and what a frame can turn out to be.

A wire type is a frozen Struct that declares what handlers read. Whatever else upstream sends is no error: it is skipped
here and stays in the bytes that are kept of raw objects. Every member may be absent or null.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import force_setattr

from steno.limits import ID_CHARACTERS_MAX, LIST_ELEMENTS, TOKENS_MAX

MASK: Final = "***"
"""What is shown in place of a secret."""

IDENTIFYING: Final = "identifying"
"""Mark in `Meta.extra` of members that say what an event is about. Of a wrong type, they make the frame malformed."""

SIGN: Final = "sign"
"""Mark in `Meta.extra` of members whose value says which family an object is of. With another one the first look
refuses the frame, and the member reads as absent: it is no drift."""

Id = Annotated[str, Meta(max_length=ID_CHARACTERS_MAX, extra={IDENTIFYING: True})]
Tokens = Annotated[int, Meta(ge=0, le=TOKENS_MAX)]
Index = Annotated[int, Meta(ge=0, le=1 << 31)]
_BELIEVED: Final = Meta(ge=-TOKENS_MAX, le=TOKENS_MAX)
_AMOUNT: Final = Meta(ge=0, le=TOKENS_MAX)
Number = Annotated[int, _BELIEVED] | Annotated[float, _BELIEVED]
"""A finite number, small enough to be added up and to be written in whatever form."""
Amount = Annotated[int, _AMOUNT] | Annotated[float, _AMOUNT]
"""A number that is not negative."""
UnixSeconds = Number
"""Seconds since 1970 UTC as upstream writes them: whole in every recording, fractions are not refused."""

Bounded: Final = Meta(max_length=LIST_ELEMENTS)
"""Of a list whose elements each make work. A longer one reads as its first elements."""

MalformedReason = Literal[
    "not_utf8",
    "not_json",
    "not_object",
    "no_discriminator",
    "too_deep",
    "too_complex",
    "bad_identifier",
    "bad_envelope",
]
"""Why a frame could not be decoded. A closed list of our own: none repeats what the frame said."""


class Wire(Struct, frozen=True, gc=False, kw_only=True):
    """Base of every upstream object. They are trees without cycles: the garbage collector need not track them."""


class ClosedObject(Wire, frozen=True, forbid_unknown_fields=True):
    """Base of objects each of whose members counts, such as a usage.

    The first look refuses one with a member that is not declared. The second reads what is spelled otherwise, and
    counts the rest as drift.
    """

    spellings: ClassVar[Mapping[str, str]] = {}
    """Other names of members, and the attributes that they are. Case, `_` and `-` make no difference."""


def conceal(item: Wire, member: str) -> None:
    """Replace the secret in a `member` of an object that was just decoded by a mask; that there is one still shows."""
    if getattr(item, member) is not None:
        force_setattr(item, member, MASK)


class Event(Wire, frozen=True):
    """Base of all events. A family's events are what its `Vocabulary` lists."""

    raw_member: ClassVar[str | None] = None
    """The member that holds an upstream object; empty where the frame is that object; None where there is none."""
    sent: ClassVar[bool | None] = False
    """Whether a client says it, not upstream; None where both do."""


class TypedEvent(Event, frozen=True, tag_field="type"):
    """Base of the events whose discriminator is `type`.

    The guards below belong to no such event, and no value is of their type. Where one is present the compiled decoder
    refuses the frame, because it may only look like an event: it may be a CloudEvent (`specversion`), an event and
    data pair (`data`), a bare object (`object`), a client secret (`value`), or an event of another family, which uses
    some of the same names (`sequence_number`; see `signs.py`).
    """

    event_id: Id | None = None
    specversion: UnsetType = UNSET
    data: UnsetType = UNSET
    object: UnsetType = UNSET
    value: UnsetType = UNSET
    sequence_number: UnsetType = UNSET


class PairedEvent(Event, frozen=True, tag_field="event"):
    """Base of the events that come as a pair, `{"event": ..., "data": ...}`. They have no id of their own."""

    raw_member: ClassVar[str | None] = "data"
    specversion: UnsetType = UNSET
    data: Any = None


def name_of(kind: type[Event]) -> str:
    """Return upstream's name for a kind of event: its `type`, its `event`, or the `object` of a bare object."""
    return str(kind.__struct_config__.tag)


class BareObject(Struct, frozen=True):
    """How an upstream object that stands alone in a frame is read: as which event, and in which member of it."""

    event: type[Event]
    member: str
    in_progress: type[Event] | None = None
    """The event that it is instead while its `status` is `in_progress`."""


class Sign(Struct, frozen=True, kw_only=True):
    """A member of an event that tells a family from others that have events of the same name. See `signs.py`."""

    member: str
    """A member of the event. Null is none."""
    weight: int
    event: str | None = None
    """The only event that it is a sign of; None where it is one of all."""
    inner: str | None = None
    """A member of that member, a text, which the sign is; None where it is enough that the member is present."""
    begins: str = ""
    """How that text begins."""


class Vocabulary(Struct, frozen=True, kw_only=True):
    """What one family says on the wire. The decoder is built from the vocabularies of all families."""

    typed: tuple[type[TypedEvent], ...] = ()
    paired: tuple[type[PairedEvent], ...] = ()
    objects: Mapping[str, BareObject] = {}
    """The `object` of each upstream object that may stand alone in a frame."""
    client_secret: type[TypedEvent] | None = None
    """The reply to the creation of a client secret, which is known by `value`, `expires_at` and `session`."""
    prefixes: tuple[str, ...] = ()
    """How the names of its typed events begin, where that tells an event that nobody knows from other families'."""
    signs: tuple[Sign, ...] = ()
    """What tells its typed events from those of other families that have the same names."""


class Unknown(Wire, frozen=True):
    """A well-formed event of a type that steno does not know; it is counted and changes nothing."""

    type: str
    family: str
    """The family that it is counted under: by the form that it came in and by how its name begins."""


class Malformed(Wire, frozen=True):
    """A frame that is no event, and why."""

    reason: MalformedReason


class Drifted(Wire, frozen=True):
    """An event some of whose members were of an unexpected type: those read as absent."""

    event: Event
    members: int
    """How many members were left out."""
