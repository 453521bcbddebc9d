"""The second look at a frame: it finds out what a frame is that the compiled decoder refused.

Forms are tried in this order: a CloudEvent (`specversion`), a pair (`event` and `data`), a known bare object
(`object`), a client secret (`value`, `expires_at`, `session`), an event (`type`). `decode.py` explains both looks.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from steno.limits import STRUCTURE_ELEMENTS
from steno.wire import texts
from steno.wire.admission import admit_all, members_of
from steno.wire.base import (
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
from steno.wire.characters import replace_lone_surrogates
from steno.wire.signs import Signs
from steno.wire.structure import refused, too_deep

NAMELESS: Final = "message"
"""What a server-sent event is called that has no name."""

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
        self._typed: dict[str, dict[str, type[Event]]] = {}
        """Name to each family that has an event of it, the one that is listed first in front."""
        for family, each in vocabularies.items():
            for kind in each.typed:
                self._typed.setdefault(name_of(kind), {})[family] = kind
        self._signs = Signs(vocabularies)
        self._paired = {name_of(kind): kind for each in vocabularies.values() for kind in each.paired}
        self._objects = {name: bare for each in vocabularies.values() for name, bare in each.objects.items()}
        self._client_secret = next((each.client_secret for each in vocabularies.values() if each.client_secret), None)
        self._prefixes = [(prefix, name) for name, each in vocabularies.items() for prefix in each.prefixes]
        self._typed_family = next((name for name, each in vocabularies.items() if each.typed), "")
        self._paired_family = next((name for name, each in vocabularies.items() if each.paired), "")

    def decode(
        self,
        payload: bytes,
        again: Callable[[bytes, bool, bool], Any],
        so_far: str = "",
        *,
        within: bool,
        unfolded: bool,
    ) -> Reading:
        """Decode a `payload` that is UTF-8.

        Args:
            payload: the bytes.
            again: decodes what is in an envelope or a text, and what was repaired, from the first look on.
            so_far: the family that the stream was of so far, where that is known; see `signs.py`.
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
        return self._bare(payload, header, unfold, so_far)

    def _server_sent(self, sent: texts.ServerSent, unfold: Callable[[bytes], Any]) -> Reading:
        """Decode a server-sent event: a pair where a pair has its name, else what its data is by itself."""
        if sent.name in self._paired and not (sent.is_object and self._names_itself(sent.name, sent.data)):
            return _embedded(texts.pair(sent.name, sent.data), unfold)
        return _embedded(sent.data, unfold) if sent.is_object else Malformed(reason="not_json")

    def _bare(self, payload: bytes, header: _Header, unfold: Callable[[bytes], Any] | None, so_far: str) -> Reading:
        """Decode what is in no envelope."""
        if header.event is not UNSET and header.data is not UNSET:
            name = NAMELESS if unfold and bytes(header.event) == b"null" else _string(header.event)
            return self._pair(name, header.data, payload, unfold, so_far)
        object_name = _string(header.object)
        if object_name in self._objects:
            return _object(self._objects[object_name], payload)
        if self._client_secret and UNSET not in (header.value, header.expires_at, header.session):
            return admit_all(self._client_secret, lambda: members_of(payload))
        name = _string(header.type)
        if name is None and object_name is not None:
            return Unknown(type=object_name, family=self._typed_family)
        return self._typed_event(name, payload, so_far)

    def _pair(
        self, name: str | None, data: Raw, payload: bytes, unfold: Callable[[bytes], Any] | None, so_far: str
    ) -> Reading:
        """Decode an event and data pair, whose data may be a text, or an event that names itself.

        The data of one without a name, as most servers of typed events send them, is read by itself.
        """
        if unfold and name == NAMELESS and name not in self._paired:
            return _embedded(texts.text_in(data) or bytes(data), unfold)
        text = texts.text_in(data) if unfold and (name in self._paired or name in self._typed) else None
        within = bytes(data) if text is None else text
        if name is not None and self._names_itself(name, within):
            event = self._typed_event(name, within, so_far)
            return Embedded(event=event, payload=within) if isinstance(event, Event | Drifted) else event
        if unfold and name in self._paired and text is not None:
            return _embedded(texts.pair(name, text), unfold)
        return self._paired_event(name, payload)

    def _names_itself(self, name: str, data: bytes) -> bool:
        """Return whether the `data` of an event `name` is a typed event of that name: others leave the `type` out."""
        if name not in self._typed:
            return False
        try:
            named = _string(_HEADER.decode(data).type)
        except (ValueError, RecursionError):  # no object
            return False
        return named == name or (named is None and name not in self._paired)

    def _typed_event(self, name: str | None, payload: bytes, so_far: str) -> Outcome:
        if name is None:
            return Malformed(reason="no_discriminator")
        kinds = self._typed.get(name)
        if kinds is None:
            return Unknown(type=name, family=self._owner(name, payload))
        family = next(iter(kinds)) if len(kinds) == 1 else self._signs.family(payload, name, tuple(kinds), so_far)
        return admit_all(kinds[family], lambda: members_of(payload))

    def _owner(self, name: str, payload: bytes) -> str:
        """Return the family that an event of no known `name` is counted under."""
        owner = next((owner for prefix, owner in self._prefixes if name.startswith(prefix)), None)
        return owner or self._signs.shown(payload, name) or self._typed_family

    def _paired_event(self, name: str | None, payload: bytes) -> Outcome:
        if name is None:
            return Malformed(reason="no_discriminator")
        if (kind := self._paired.get(name)) is None:
            return Unknown(type=name, family=self._paired_family)
        return admit_all(kind, lambda: members_of(payload))


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
    return admit_all(kind, lambda: {bare.member: Raw(payload)})


def _string(raw: Raw | UnsetType) -> str | None:
    """Return the string that `raw` is, or None where it is absent, empty or no string."""
    if raw is UNSET:
        return None
    try:
        return msgspec.json.decode(raw, type=str) or None
    except ValueError:
        return None
