"""The second look at a frame: it finds out what a frame is that the compiled decoder refused.

Forms are tried in this order: a CloudEvent (`specversion`), a pair (`event` and `data`), a known bare object
(`object`), a client secret (`value`, `expires_at`, `session`), an event (`type`). `decode.py` explains both looks.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import NoneType
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from steno.limits import MEMBERS_TRIED, STRUCTURE_ELEMENTS
from steno.wire import texts
from steno.wire.base import (
    IDENTIFYING,
    BareObject,
    ClosedObject,
    Drifted,
    Event,
    Id,
    Malformed,
    Unknown,
    Vocabulary,
    Wire,
    name_of,
)
from steno.wire.characters import replace_lone_surrogates
from steno.wire.spellings import fields_of, respelled
from steno.wire.structure import refused, too_deep

S = TypeVar("S", bound=Struct)

Outcome = Event | Unknown | Malformed | Drifted
"""What a frame turns out to be that is no envelope."""


class Enveloped(Wire, frozen=True):
    """An event that came in a CloudEvent 1.0, and what the envelope says of it."""

    event: Outcome
    payload: bytes
    """The bytes of `data`: what the event was decoded from."""
    id: str
    source: str
    subject: str | None = None
    time: str | None = None
    """RFC 3339, as it came."""
    sequence: str | int | None = None


class Embedded(Wire, frozen=True):
    """An event that came as a text within its frame."""

    event: Event | Drifted
    payload: bytes
    """What the event was decoded from: the frame as it would have come without that."""


Reading = Outcome | Enveloped | Embedded
"""What the second look finds."""


class _Header(Struct, frozen=True, gc=False):
    """The members that tell the forms apart, undecoded."""

    specversion: Raw | UnsetType = UNSET
    event: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    object: Raw | UnsetType = UNSET
    value: Raw | UnsetType = UNSET
    expires_at: Raw | UnsetType = UNSET
    session: Raw | UnsetType = UNSET
    sequence_number: Raw | UnsetType = UNSET
    type: Raw | UnsetType = UNSET


class _CloudEvent(Struct, frozen=True, gc=False):
    """The attributes of a CloudEvent that are read; `data` stays as it came. Some identify, others may drift."""

    specversion: str
    id: Id
    source: Id
    data: Raw | UnsetType = UNSET
    data_base64: Raw | UnsetType = UNSET
    subject: Id | None = None
    time: Raw | UnsetType = UNSET
    sequence: Raw | UnsetType = UNSET


class _Status(Struct, frozen=True, gc=False):
    status: Raw | UnsetType = UNSET


_HEADER: Final = msgspec.json.Decoder(_Header)
_STATUS: Final = msgspec.json.Decoder(_Status)
_ANY: Final = msgspec.json.Decoder(Raw)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])
LONG_BYTES: Final = 4_096
"""A shorter member is tried as a whole, however often."""
NUMBER_CHARACTERS: Final = 64
"""Longest number that may be a count written as a fraction."""
_OBJECT: Final = ord("{")
_LIST: Final = ord("[")
_ELEMENTS: Final = msgspec.json.Decoder(list[Raw])
_SEQUENCE: Final[msgspec.json.Decoder[str | int | None]] = msgspec.json.Decoder(str | int | None)
_CLOUD_EVENT: Final = msgspec.json.Decoder(_CloudEvent)


def _is_json(payload: bytes) -> bool:
    try:
        _ANY.decode(payload)
    except ValueError:
        return False
    return True


class Fallback:
    """Decodes what the compiled decoder did not take, by the vocabularies of all families."""

    def __init__(self, vocabularies: Mapping[str, Vocabulary]) -> None:
        """Know the `vocabularies`, by name of the family."""
        self._typed = {name_of(kind): kind for each in vocabularies.values() for kind in each.typed}
        self._paired = {name_of(kind): kind for each in vocabularies.values() for kind in each.paired}
        self._objects = {name: bare for each in vocabularies.values() for name, bare in each.objects.items()}
        self._client_secret = next((each.client_secret for each in vocabularies.values() if each.client_secret), None)
        self._prefixes = [(prefix, name) for name, each in vocabularies.items() for prefix in each.prefixes]
        self._typed_family = next((name for name, each in vocabularies.items() if each.typed), "")
        self._paired_family = next((name for name, each in vocabularies.items() if each.paired), "")

    def decode(
        self, payload: bytes, again: Callable[[bytes, bool, bool], Any], *, within: bool, unfolded: bool
    ) -> Reading:
        """Decode a `payload` that is UTF-8.

        Args:
            payload: the bytes.
            again: decodes what is in an envelope or a text, and what was repaired, from the first look on.
            within: whether the payload came in an envelope, which does not hold another.
            unfolded: whether the payload came in a text, which does not hold another.
        """
        if len(payload) <= STRUCTURE_ELEMENTS and too_deep(payload):  # a longer one was looked at before
            return Malformed(reason="too_deep")
        repaired = replace_lone_surrogates(payload)
        if repaired is None:
            return Malformed(reason="too_complex")
        if repaired is not payload:
            decoded: Reading = again(repaired, within, unfolded)
            return decoded
        unfold = None if unfolded else lambda text: again(text, within, True)
        try:
            header = _HEADER.decode(payload)
        except msgspec.ValidationError:
            text = texts.text_in(payload) if unfold else None
            if unfold and text is not None:
                return _embedded(text, unfold)
            return Malformed(reason="not_object" if _is_json(payload) else "not_json")
        except (ValueError, RecursionError):
            sent = texts.server_sent(payload) if unfold else None
            return self._server_sent(sent, unfold) if unfold and sent else Malformed(reason="not_json")
        if header.specversion is not UNSET:
            if within:
                return Malformed(reason="bad_envelope")
            return _cloud_event(payload, lambda data: again(data, True, unfolded))
        return self._bare(payload, header, unfold)

    def _server_sent(self, sent: texts.ServerSent, unfold: Callable[[bytes], Any]) -> Reading:
        """Decode a server-sent event: a pair where a pair has its name, else what its data is by itself."""
        if sent.name in self._paired:
            return _embedded(texts.pair(sent.name, sent.data), unfold)
        return _embedded(sent.data, unfold) if sent.is_object else Malformed(reason="not_json")

    def _bare(self, payload: bytes, header: _Header, unfold: Callable[[bytes], Any] | None) -> Reading:
        """Decode what is in no envelope."""
        if header.event is not UNSET and header.data is not UNSET:
            name = _string(header.event)
            text = texts.text_in(header.data) if unfold and name in self._paired else None
            if unfold and name and text is not None:
                return _embedded(texts.pair(name, text), unfold)
            return self._paired_event(name, payload)
        object_name = _string(header.object)
        if object_name in self._objects:
            return _object(self._objects[object_name], payload)
        if self._client_secret and UNSET not in (header.value, header.expires_at, header.session):
            return _admit_all(self._client_secret, lambda: _members(payload))
        name = _string(header.type)
        if name is None and object_name is not None:
            return Unknown(type=object_name, family=self._typed_family)
        if name is not None and header.sequence_number is not UNSET:
            # The Responses API's: some of its names are Realtime's too.
            return Unknown(type=name, family=self._typed_family)
        return self._typed_event(name, payload)

    def _typed_event(self, name: str | None, payload: bytes) -> Outcome:
        if name is None:
            return Malformed(reason="no_discriminator")
        if (kind := self._typed.get(name)) is None:
            owner = next((owner for prefix, owner in self._prefixes if name.startswith(prefix)), self._typed_family)
            return Unknown(type=name, family=owner)
        return _admit_all(kind, lambda: _members(payload))

    def _paired_event(self, name: str | None, payload: bytes) -> Outcome:
        if name is None:
            return Malformed(reason="no_discriminator")
        if (kind := self._paired.get(name)) is None:
            return Unknown(type=name, family=self._paired_family)
        return _admit_all(kind, lambda: _members(payload))


def _cloud_event(payload: bytes, unwrap: Callable[[bytes], Any]) -> Enveloped | Malformed:
    try:
        envelope = _CLOUD_EVENT.decode(payload)
    except ValueError:
        return Malformed(reason="bad_envelope")
    data = _data(envelope)
    if not envelope.specversion.startswith("1.") or data is None:
        return Malformed(reason="bad_envelope")
    if envelope.data is UNSET and len(data) > STRUCTURE_ELEMENTS and (reason := refused(data)):
        return Malformed(reason=reason)  # nobody could count it in base64
    inner: Outcome | Embedded = unwrap(data)
    if isinstance(inner, Embedded):
        data, inner = inner.payload, inner.event
    return Enveloped(
        event=inner,
        payload=data,
        id=envelope.id,
        source=envelope.source,
        subject=envelope.subject,
        time=_string(envelope.time),
        sequence=_sequence(envelope.sequence),
    )


def _data(envelope: _CloudEvent) -> bytes | None:
    """Return the data of an envelope, which may be in base64; None where it has none."""
    if envelope.data is not UNSET:
        return bytes(envelope.data)
    try:
        return base64.b64decode(_string(envelope.data_base64) or "", validate=True) or None
    except (binascii.Error, ValueError):  # ValueError: characters that are not ASCII
        return None


def _embedded(text: bytes, unfold: Callable[[bytes], Any]) -> Reading:
    """Decode the event in a text, with the bytes that it is decoded from. What is no event has none."""
    event: Reading = unfold(text)
    return Embedded(event=event, payload=text) if isinstance(event, Event | Drifted) else event


def _sequence(raw: Raw | UnsetType) -> str | int | None:
    """Return the number that an envelope bears, which the extension has as a string."""
    try:
        return None if raw is UNSET else _SEQUENCE.decode(raw)
    except ValueError:
        return None


def _object(bare: BareObject, payload: bytes) -> Outcome:
    """Decode an upstream object that stands alone."""
    kind = bare.event
    if bare.in_progress is not None and _string(_STATUS.decode(payload).status) == "in_progress":
        kind = bare.in_progress
    return _admit_all(kind, lambda: {bare.member: Raw(payload)})


def _string(raw: Raw | UnsetType) -> str | None:
    """Return the string that `raw` is, or None where it is absent, empty or no string."""
    if raw is UNSET:
        return None
    try:
        return msgspec.json.decode(raw, type=str) or None
    except ValueError:
        return None


def _members(payload: bytes | Raw) -> dict[str, Raw]:
    """Return the members of what is known to be an object, undecoded."""
    return _MEMBERS.decode(payload)


# Admission: member by member ------------------------------------------------------------------------------


class _BadIdentifierError(ValueError):
    """A member that says what the event is about has a wrong type."""


class _Look:
    """How much was left out of one event, and how many of its members may yet be tried one by one."""

    __slots__ = ("dropped", "left")

    def __init__(self) -> None:
        self.dropped = 0
        self.left = MEMBERS_TRIED


def _admit_all(kind: type[Event], members: Callable[[], dict[str, Raw]]) -> Event | Malformed | Drifted:
    """Build an event of `kind` from the members that fit, and say how many did not."""
    look = _Look()
    try:
        event = _build(kind, members(), look)
    except _BadIdentifierError:
        return Malformed(reason="bad_identifier")
    except (ValueError, RecursionError):
        return Malformed(reason="not_json")
    return Drifted(event=event, members=look.dropped) if look.dropped else event


def read_object(kind: type[S], payload: bytes) -> S:
    """Read one object of a `kind`, without the members that do not fit.

    Raises ValueError where `payload` is no object, or an identifying member is of a wrong type.
    """
    return _build(kind, _members(payload), _Look())


def _build(kind: type[S], members: dict[str, Raw], look: _Look) -> S:
    if issubclass(kind, ClosedObject):
        members, unknown = respelled(kind, members)
        look.dropped += unknown
    admitted = {}
    for name, member, annotation in fields_of(kind):
        if member in members:
            value = _admit(members[member], annotation, look)
            if value is not UNSET:
                admitted[name] = value
    return kind(**admitted)


def _admit(raw: Raw, annotation: Any, look: _Look) -> Any:
    """Return the JSON `raw` as `annotation` wants it, with what does not fit left out; UNSET where nothing fits."""
    look.left -= 1
    parts = _parts(annotation)
    is_long = memoryview(raw).nbytes > LONG_BYTES
    if is_long and look.left > 0 and (within := _admit_long(raw, parts, look)) is not UNSET:
        return within
    try:
        return _decoder(annotation).decode(raw)
    except (ValueError, RecursionError):
        pass
    if (number := _whole_number(raw)) is not None:
        return _admit(number, annotation, look)
    if look.left > 0 and (within := _admit_within(raw, parts, look)) is not UNSET:
        return within
    if any(_identifies(part) for part in parts):
        raise _BadIdentifierError
    look.dropped += 1
    return UNSET


def _admit_long(raw: Raw, parts: tuple[Any, ...], look: _Look) -> Any:
    """Return what fits of what is so long that it is not tried as a whole first; UNSET where it has to be.

    The first look has failed over it: to build all of an object, and then all of the list in it that is too long, only
    to fail again, would take three times as long as the first look.
    """
    begin = memoryview(raw)[0]
    for part in parts:
        if begin == _OBJECT and isinstance(part, type) and issubclass(part, Struct):
            return _build(part, _members(raw), look)
        element, longest = _list_of(part)
        if begin == _LIST and 0 < longest < MEMBERS_TRIED and len(raws := _ELEMENTS.decode(raw)) > longest:
            return tuple(_admit_elements(raws, element, longest, look))
    return UNSET


def _admit_within(raw: Raw, parts: tuple[Any, ...], look: _Look) -> Any:
    """Return what fits of an object or a list; UNSET where `raw` is neither, or none is expected."""
    begin = memoryview(raw)[0]
    for part in parts:
        element, longest = _list_of(part)
        if begin == _OBJECT and isinstance(part, type) and issubclass(part, Struct):
            return _build(part, _members(raw), look)
        if begin == _LIST and element is not None:
            return tuple(_admit_elements(_ELEMENTS.decode(raw), element, longest, look))
    return UNSET


def _admit_elements(raws: list[Raw], element: Any, longest: int, look: _Look) -> Iterator[Any]:
    """Yield the first elements of a list that fit. All others are counted as left out."""
    for number, raw in enumerate(raws):
        if number >= longest or look.left <= 0:
            look.dropped += len(raws) - number
            return
        value = _admit(raw, element, look)
        if value is not UNSET:
            yield value


def _whole_number(raw: Raw) -> Raw | None:
    """Return a count that is written as `20.0`, as some servers do, as `20`; None where `raw` is no such number."""
    written = bytes(raw)
    if len(written) > NUMBER_CHARACTERS or written.strip(b"-0123456789.eE+") or written.isdigit():
        return None
    try:
        value = float(written)
    except ValueError:
        return None
    whole = b"%d" % value if value.is_integer() else written
    return None if whole == written else Raw(whole)


@cache
def _decoder(annotation: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(annotation)


@cache
def _list_of(part: Any) -> tuple[Any, int]:
    """Return what a list is of, and how many of its elements are read; None where `part` is no list."""
    if get_origin(part) is Annotated:
        kind, *marks = get_args(part)
        longest = next((mark.max_length for mark in marks if mark.max_length is not None), MEMBERS_TRIED)
        return (get_args(kind)[0], longest) if get_origin(kind) is tuple else (None, 0)
    return (get_args(part)[0], MEMBERS_TRIED) if get_origin(part) is tuple else (None, 0)


@cache
def _parts(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union but None, or the one type that `annotation` is."""
    if get_origin(annotation) in (Annotated, tuple) or not get_args(annotation):
        return (annotation,)
    return tuple(part for part in get_args(annotation) if part is not NoneType)


@cache
def _identifies(annotation: Any) -> bool:
    if get_origin(annotation) is not Annotated:
        return False
    return any(isinstance(m, Meta) and (m.extra or {}).get(IDENTIFYING) for m in get_args(annotation)[1:])
