"""Other spellings of the members of a closed object, such as a usage: they are read, and what is unknown is counted.

A closed object is small where it is honest. What a hostile one costs is bounded by the two limits below.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, UnsetType

from steno.wire.base import ClosedObject

SPELLINGS: Final = 256
"""Members of an object that are held against other spellings; a usage has some 40. More of them are drift unseen."""
NAME_CHARACTERS: Final = 64
"""Longest name that may be another spelling."""
JOINED_BYTES: Final = 4_096
"""Longest objects that are joined member by member. Of longer ones the declared one stands alone."""

_NOTHING: Final = frozenset({b"null", b"0", b"0.0", b"false", b"{}", b"[]", b'""'})
_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])


@cache
def fields_of(kind: type[Struct]) -> tuple[tuple[str, str, Any], ...]:
    """Return the fields of `kind` that are read: attribute, name on the wire, type."""
    return tuple((f.name, f.encode_name, f.type) for f in msgspec.structs.fields(kind) if f.type is not UnsetType)


def respelled(kind: type[ClosedObject], members: dict[str, Raw]) -> tuple[dict[str, Raw], int]:
    """Return `members` under the names that `kind` declares, and how many of them it does not know.

    Of several spellings of one member the declared one stands. Another one counts where that is absent, null or 0:
    servers that write both fill one of them with zeros. Objects are joined member by member by the same rule.
    """
    known = _known(kind)
    found = {name: members[name] for name in known.values() if name in members}
    others = [name for name in members if name not in found]
    unknown = max(0, len(others) - SPELLINGS)
    for name in others[:SPELLINGS]:
        member = known.get(_letters(name))
        if member is None:
            unknown += 1
        else:
            found[member] = _joined(found[member], members[name]) if member in found else members[name]
    return found, unknown


def _joined(own: Raw, other: Raw) -> Raw:
    """Return `own` with what it lacks taken from `other`."""
    ours, others = bytes(own), bytes(other)
    if ours in _NOTHING:
        return own if others == b"null" else other
    if not ours.startswith(b"{") or not others.startswith(b"{") or max(len(ours), len(others)) > JOINED_BYTES:
        return own
    members = _MEMBERS.decode(ours)
    for name, value in _MEMBERS.decode(others).items():
        members[name] = _joined(members[name], value) if name in members else value
    return Raw(msgspec.json.encode(members))


@cache
def _known(kind: type[ClosedObject]) -> Mapping[str, str]:
    """Return the letters of each name of a member, and the name that is declared for it."""
    declared = {attribute: name for attribute, name, _ in fields_of(kind)}
    others = {_letters(name): declared[attribute] for name, attribute in kind.spellings.items()}
    return {**others, **{_letters(name): name for name in declared.values()}}


def _letters(name: str) -> str:
    """Return `name` without what tells `cached_tokens`, `cachedTokens` and `Cached-Tokens` apart."""
    return name[:NAME_CHARACTERS].replace("_", "").replace("-", "").lower()
