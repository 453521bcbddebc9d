"""Which family an event is of whose name several families have. Pure.

The Realtime API, the Responses API and Live call some of their events alike: `response.created`,
`response.output_text.delta`, `error`. They differ in members. A family's `Vocabulary` names the members that are signs
of it (`Sign`), each with a weight. Decided is in this order:

1. The family with the most weight of signs in the event. A sign that no other family can have weighs more than all that
   several may have.
2. Where none outweighs the others, as in a delta whose numbers an archive has left out: the family that the stream was
   of so far, by its last event that was of one family for certain.
3. Where that does not have the event: the family that is listed first.

The first look at a frame weighs nothing. It is compiled for the family that a stream is of (`StreamDecoder`), and its
events have the signs of the others as guards: where one is present, the second look weighs. It weighs only what no
first look can miss: a sign that the events of that name of all other families declare, as a member or as a guard. So
both looks agree, whatever else an event holds.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from steno.wire.base import Event, Sign, TypedEvent, Vocabulary, name_of

_NULL: Final = b"null"
_ONE_NAME: Final = "two events of one form have one name"


def rivals(vocabularies: Mapping[str, Vocabulary]) -> dict[str, frozenset[str]]:
    """Return each family with the others that have names of its typed events; those without any are left out.

    Raises ValueError where two events of one form have one name, unless they are typed events of two families of which
    one has a sign.
    """
    names = {family: _names(each.typed) for family, each in vocabularies.items()}
    _names([kind for each in vocabularies.values() for kind in each.paired])
    found: dict[str, frozenset[str]] = {}
    for family, own in names.items():
        others = frozenset(other for other in names if other != family and own & names[other])
        if any(not vocabularies[family].signs and not vocabularies[other].signs for other in others):
            raise ValueError(_ONE_NAME)
        if others:
            found[family] = others
    return found


def _names(kinds: Sequence[type[Event]]) -> frozenset[str]:
    """Return the names of events of one form. Raises ValueError where two have one name."""
    names = frozenset(map(name_of, kinds))
    if len(names) < len(kinds):
        raise ValueError(_ONE_NAME)
    return names


class Signs:
    """The signs of all families that have names of events in common."""

    __slots__ = ("_all", "_header", "_of_name")

    def __init__(self, vocabularies: Mapping[str, Vocabulary]) -> None:
        """Know the signs of the `vocabularies`, by name of the family."""
        self._all = [(family, sign) for family, each in vocabularies.items() for sign in each.signs]
        self._header = _members(frozenset(sign.member for _, sign in self._all))
        self._of_name = _by_name(vocabularies, self._all)

    def family(self, payload: bytes, name: str, candidates: Sequence[str], so_far: str) -> str:
        """Return which of the `candidates` the event `name` in `payload`, an object, is of.

        Args:
            payload: the bytes of the event.
            name: the name of the event.
            candidates: families, the one that is listed first in front; at least one.
            so_far: the family that its stream was of so far; empty where nothing is known.
        """
        weights = self._weights(payload, self._of_name[name], candidates)
        most = max(weights.values())
        heaviest = [family for family in candidates if weights[family] == most]
        return so_far if so_far in heaviest else heaviest[0]

    def shown(self, payload: bytes, name: str) -> str | None:
        """Return the family that an event of no known `name` shows signs of; None where it shows none."""
        signs = [(family, sign) for family, sign in self._all if sign.event in (None, name)]
        weights = self._weights(payload, signs, list(dict.fromkeys(family for family, _ in self._all)))
        most = max(weights.values(), default=0)
        return next((family for family, weight in weights.items() if weight == most > 0), None)

    def _weights(self, payload: bytes, signs: Sequence[tuple[str, Sign]], candidates: Sequence[str]) -> dict[str, int]:
        header = self._header.decode(payload)
        weights = dict.fromkeys(candidates, 0)
        for family, sign in signs:
            if _is_shown(sign, getattr(header, sign.member)):
                weights[family] += sign.weight
        return weights


def _by_name(
    vocabularies: Mapping[str, Vocabulary], signs: Sequence[tuple[str, Sign]]
) -> dict[str, list[tuple[str, Sign]]]:
    """Return the signs that are weighed of each name that several families have."""
    kinds: dict[str, dict[str, type[TypedEvent]]] = {}
    for family, each in vocabularies.items():
        for kind in each.typed:
            kinds.setdefault(name_of(kind), {})[family] = kind
    return {
        name: [
            (family, sign)
            for family, sign in signs
            if family in of_name
            and sign.event in (None, name)
            and all(sign.member in kind.__struct_encode_fields__ for other, kind in of_name.items() if other != family)
        ]
        for name, of_name in kinds.items()
        if len(of_name) > 1
    }


def _is_shown(sign: Sign, raw: Raw | UnsetType) -> bool:
    """Return whether a member of an event, undecoded, is the sign."""
    if raw is UNSET or bytes(raw) == _NULL:
        return False
    if sign.inner is None:
        return True
    try:
        inner = getattr(_members(frozenset((sign.inner,))).decode(raw), sign.inner)
        return inner is not UNSET and msgspec.json.decode(inner, type=str).startswith(sign.begins)
    except ValueError:  # no object, or no text in it
        return False


@functools.cache
def _members(names: frozenset[str]) -> msgspec.json.Decoder[Any]:
    """Return what reads some members of an object, undecoded."""
    fields = [(name, Raw | UnsetType, UNSET) for name in sorted(names)]
    return msgspec.json.Decoder(msgspec.defstruct("Members", fields, frozen=True, gc=False))
