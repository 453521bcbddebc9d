"""How much structure a JSON text has, and how deep it nests: found out before anything is built of it. Pure.

A limit in bytes is no limit in work. Sixteen MiB of `[],` are five million objects to whoever decodes them, and so are
as many small items in a list that is read. What stands inside strings is a text, whatever it consists of, and counts as
nothing. All questions are answered by a few passes in C over the bytes, and none takes much longer than the others
because of what the bytes are.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final, Literal

from steno.limits import NESTING_DEPTH, STRUCTURE_ELEMENTS

_FEW_QUOTES: Final = 4_000
"""So many quotes are looked at one by one in a millisecond."""
_MOST_QUOTES: Final = 4 * STRUCTURE_ELEMENTS
"""More quotes than this delimit more strings than so many elements can separate: at most two strings an element."""
_NOT_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b"[]{}")))
_IRRELEVANT: Final = bytes(sorted(set(range(256)) - set(b',[]{}"\\/bfnrtu')))
"""What is neither structure, nor a quote, nor part of an escape."""
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""Brackets as signed bytes: one deeper, one back."""


def refused(payload: bytes) -> Literal["too_complex", "too_deep"] | None:
    """Return why a `payload` of any length is not to be decoded; None where it may be.

    Counted are `,`, `[` and `{`, first wherever they stand, which is quick, and only where those are too many outside
    of strings. Too complex is what has more than `STRUCTURE_ELEMENTS` of them.
    """
    opened = _opened(payload)
    if payload.count(b",") + opened > STRUCTURE_ELEMENTS:
        outside = _outside_strings(payload)
        if outside is None or outside.count(b",") + _opened(outside) > STRUCTURE_ELEMENTS:
            return "too_complex"
    else:
        outside = None
    return "too_deep" if opened > NESTING_DEPTH and _nests_too_deep(payload, outside) else None


def too_deep(payload: bytes) -> bool:
    """Return whether brackets nest deeper in a short `payload` than `NESTING_DEPTH`."""
    if payload.find(b"{", 1) < 0 and payload.find(b"[") < 0:
        return False  # flat, as what carries audio is: the search is faster than the count
    return payload.count(b"{") + payload.count(b"[") > NESTING_DEPTH and _nests_too_deep(payload, None)


def _opened(payload: bytes) -> int:
    """Return how many brackets are opened. A search for what is not there is ten times as fast as a count."""
    lists = payload.count(b"[") if b"[" in payload else 0
    return lists + (payload.count(b"{") if payload.find(b"{", 1) >= 0 else payload[:1].count(b"{"))


def _nests_too_deep(payload: bytes, outside: bytes | None) -> bool:
    outside = _outside_strings(payload) if outside is None else outside
    if outside is None:
        return False  # it is no JSON
    opened = _opened(outside)
    if opened <= NESTING_DEPTH or opened < outside.count(b"]") + outside.count(b"}"):
        return False  # where more is closed than was opened it is no JSON either, however deep it goes
    steps = memoryview(outside.translate(_STEPS, _NOT_BRACKETS)).cast("b")
    return max(accumulate(steps)) > NESTING_DEPTH


def _outside_strings(payload: bytes) -> bytes | None:
    """Return what stands outside of strings in `payload`; None where more strings than any structure separates."""
    quotes = payload.count(b'"')
    if quotes <= _FEW_QUOTES:
        return b"".join(_parts_outside(payload))
    if b"\\" in payload:
        # Escapes go, the backslash that is escaped first: then each one that is left escapes what follows it.
        payload = payload.translate(None, _IRRELEVANT).replace(b"\\\\", b"").replace(b'\\"', b"")
        quotes = payload.count(b'"')
    if quotes > _MOST_QUOTES:
        return None
    # Two quotes side by side end one string and begin the next, or enclose nothing: without them, each part between
    # two quotes is inside or outside as it was.
    return b"".join(payload.replace(b'""', b"").split(b'"')[::2])


def _parts_outside(payload: bytes) -> Iterator[bytes]:
    """Yield the parts of `payload` between its strings."""
    inside = False
    for part in payload.split(b'"'):
        if not inside:
            yield part
            inside = True
        elif not part.endswith(b"\\") or (len(part) - len(part.rstrip(b"\\"))) % 2 == 0:
            inside = False  # the quote behind it is not escaped
