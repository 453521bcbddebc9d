"""The second look at a frame: it finds out what a frame is that the compiled decoder refused.

Forms are tried in this order: a CloudEvent (`specversion`), a pair (`event` and `data`), a known bare object
(`object`), a client secret (`value`, `expires_at`, `session`), an event (`type`). `decode.py` explains both looks.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from steno.limits import NESTING_DEPTH
from steno.wire import texts
from steno.wire.base import (
    IDENTIFYING,
    BareObject,
    Drifted,
    Event,
    Id,
    Malformed,
    Unknown,
    Vocabulary,
    Wire,
    name_of,
)
from steno.wire.texts import replace_lone_surrogates

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
_SEQUENCE: Final[msgspec.json.Decoder[str | int | None]] = msgspec.json.Decoder(str | int | None)
_CLOUD_EVENT: Final = msgspec.json.Decoder(_CloudEvent)
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Strings, the last of which may be cut off. Possessive: hostile input is gone through once, without a stack."""
_BRACKETS: Final = re.compile(rb"[\[{\]}]")


def is_utf8(payload: bytes) -> bool:
    """Tell whether all of `payload` is UTF-8, members that nobody reads included."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_json(payload: bytes) -> bool:
    try:
        _ANY.decode(payload)
    except ValueError:
        return False
    return True


def too_deep(payload: bytes) -> bool:
    """Tell whether brackets nest deeper in `payload` than `NESTING_DEPTH`."""
    if payload.find(b"{", 1) < 0 and payload.find(b"[") < 0:
        return False  # flat, as what carries audio is: the search is faster than the count
    if payload.count(b"{") + payload.count(b"[") <= NESTING_DEPTH:
        return False
    depth = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", payload)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > NESTING_DEPTH:
            return True
    return False


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
        self, payload: bytes, unwrap: Callable[[bytes], Any] | None, unfold: Callable[[bytes], Any] | None = None
    ) -> Reading:
        """Decode a `payload` that is UTF-8.

        Args:
            payload: the bytes.
            unwrap: decodes what is in an envelope; None where an envelope would be in another.
            unfold: decodes what is in a text; None where a text would be in another.
        """
        if too_deep(payload):
            return Malformed(reason="too_deep")
        payload = replace_lone_surrogates(payload)
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
            return _cloud_event(payload, unwrap) if unwrap else Malformed(reason="bad_envelope")
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
            return _admit_all(self._client_secret, lambda: _loads(payload))
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
        return _admit_all(kind, lambda: _loads(payload))

    def _paired_event(self, name: str | None, payload: bytes) -> Outcome:
        if name is None:
            return Malformed(reason="no_discriminator")
        if (kind := self._paired.get(name)) is None:
            return Unknown(type=name, family=self._paired_family)
        return _admit_all(kind, lambda: _loads(payload))


def _cloud_event(payload: bytes, unwrap: Callable[[bytes], Any]) -> Enveloped | Malformed:
    try:
        envelope = _CLOUD_EVENT.decode(payload)
    except ValueError:
        return Malformed(reason="bad_envelope")
    data = _data(envelope)
    if not envelope.specversion.startswith("1.") or data is None:
        return Malformed(reason="bad_envelope")
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
    return _admit_all(kind, lambda: {bare.member: _loads(payload)})


def _string(raw: Raw | UnsetType) -> str | None:
    """Return the string that `raw` is, or None where it is absent, empty or no string."""
    if raw is UNSET:
        return None
    try:
        return msgspec.json.decode(raw, type=str) or None
    except ValueError:
        return None


def _loads(payload: bytes) -> dict[str, Any]:
    """Read what is known to be an object. Numbers too long to be meant are infinite instead of an error."""
    value: dict[str, Any] = json.loads(payload, parse_int=_whole_number)
    return value


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) < 64 else float("inf")  # noqa: PLR2004  # no count has 64 digits


# Admission: member by member ------------------------------------------------------------------------------


class _BadIdentifierError(ValueError):
    """A member that says what the event is about has a wrong type."""


def _admit_all(kind: type[Event], members: Callable[[], dict[str, Any]]) -> Event | Malformed | Drifted:
    """Build an event of `kind` from the members that fit, and say how many did not."""
    dropped: list[str] = []
    try:
        event = _build(kind, members(), dropped)
    except _BadIdentifierError:
        return Malformed(reason="bad_identifier")
    except (ValueError, RecursionError):
        return Malformed(reason="not_json")
    return Drifted(event=event, members=len(dropped)) if dropped else event


def _build(kind: type[S], members: dict[str, Any], dropped: list[str]) -> S:
    admitted = {}
    for name, annotation in _fields(kind):
        if name in members:
            value = _admit(members[name], annotation, name, dropped)
            if value is not UNSET:
                admitted[name] = value
    return kind(**admitted)


@cache
def _fields(kind: type[Struct]) -> tuple[tuple[str, Any], ...]:
    return tuple((f.encode_name, f.type) for f in msgspec.structs.fields(kind) if f.type is not UnsetType)


def _admit(value: Any, annotation: Any, name: str, dropped: list[str]) -> Any:
    """Return `value` as `annotation` wants it, with what does not fit left out; UNSET where nothing fits."""
    try:
        return msgspec.convert(value, annotation)
    except (ValueError, RecursionError):
        pass
    for part in _parts(annotation):
        if isinstance(value, dict) and isinstance(part, type) and issubclass(part, Struct):
            return _build(part, value, dropped)
        if isinstance(value, list) and get_origin(part) is tuple:
            kept = (_admit(element, get_args(part)[0], name, dropped) for element in value)
            return tuple(element for element in kept if element is not UNSET)
    if any(_identifies(part) for part in _parts(annotation)):
        raise _BadIdentifierError
    dropped.append(name)
    return UNSET


def _parts(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union but None, or the one type that `annotation` is."""
    if get_origin(annotation) in (Annotated, tuple) or not get_args(annotation):
        return (annotation,)
    return tuple(part for part in get_args(annotation) if part is not NoneType)


def _identifies(annotation: Any) -> bool:
    if get_origin(annotation) is not Annotated:
        return False
    return any(isinstance(m, Meta) and (m.extra or {}).get(IDENTIFYING) for m in get_args(annotation)[1:])
