"""An event built member by member: what fits is admitted, what does not is left out and counted.

`fallback.py` comes here with what the compiled decoder refused. How much is tried one by one is bounded: see
`limits.MEMBERS_TRIED`.
"""

from collections.abc import Callable, Iterator
from functools import cache
from types import NoneType
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, Raw, Struct

from steno.limits import MEMBERS_TRIED
from steno.wire.base import IDENTIFYING, SIGN, ClosedObject, Drifted, Event, Malformed
from steno.wire.spellings import fields_of, respelled

S = TypeVar("S", bound=Struct)

LONG_BYTES: Final = 4_096
"""A shorter member is tried as a whole, however often."""
NUMBER_CHARACTERS: Final = 64
"""Longest number that may be a count written as a fraction."""
_OBJECT: Final = ord("{")
_LIST: Final = ord("[")
_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])
_ELEMENTS: Final = msgspec.json.Decoder(list[Raw])


def members_of(payload: bytes | Raw) -> dict[str, Raw]:
    """Return the members of what is known to be an object, undecoded."""
    return _MEMBERS.decode(payload)


class _BadIdentifierError(ValueError):
    """A member that says what the event is about has a wrong type."""


class _Look:
    """How much was left out of one event, and how many of its members may yet be tried one by one."""

    __slots__ = ("dropped", "left")

    def __init__(self) -> None:
        self.dropped = 0
        self.left = MEMBERS_TRIED


def admit_all(kind: type[Event], members: Callable[[], dict[str, Raw]]) -> Event | Malformed | Drifted:
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
    return _build(kind, members_of(payload), _Look())


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
    if any(_is_marked(part, IDENTIFYING) for part in parts):
        raise _BadIdentifierError
    if not _is_marked(annotation, SIGN):
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
            return _build(part, members_of(raw), look)
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
            return _build(part, members_of(raw), look)
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
def _is_marked(annotation: Any, mark: str) -> bool:
    if get_origin(annotation) is not Annotated:
        return False
    return any(isinstance(m, Meta) and (m.extra or {}).get(mark) for m in get_args(annotation)[1:])
