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


def _all_but(kept: bytes) -> bytes:
    return bytes(sorted(set(range(256)) - set(kept)))


_NO_MARK: Final = _all_but(b',[]{}"\\')
"""What is neither structure, nor a quote, nor a backslash."""
_NO_ESCAPE: Final = _all_but(b',[]{}"\\/bfnrtu')
"""The same, but for what may follow a backslash."""
_NO_BRACKET: Final = _all_but(b"[]{}")
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""Brackets as signed bytes: one deeper, one back."""


def refused(payload: bytes) -> Literal["too_complex", "too_deep"] | None:
    """Return why a `payload` of any length is not to be decoded; None where it may be.

    Counted are `,`, `[` and `{`, first wherever they stand, which is quick, and only where those are too many outside
    of strings. Too complex is what has more than `STRUCTURE_ELEMENTS` of them.
    """
    marks = payload.translate(None, _NO_MARK)
    opened = _opened(marks)
    outside: bytes | None = None
    if _count(marks, b",") + opened > STRUCTURE_ELEMENTS:
        outside = _outside_strings(payload, marks)
        if outside is None or _count(outside, b",") + _opened(outside) > STRUCTURE_ELEMENTS:
            return "too_complex"
    if opened <= NESTING_DEPTH:
        return None
    outside = _outside_strings(payload, marks) if outside is None else outside
    return "too_deep" if _nests_too_deep(outside) else None


def too_deep(payload: bytes) -> bool:
    """Return whether brackets nest deeper in a short `payload` than `NESTING_DEPTH`."""
    if payload.find(b"{", 1) < 0 and payload.find(b"[") < 0:
        return False  # flat, as what carries audio is: the search is faster than the count
    if payload.count(b"{") + payload.count(b"[") <= NESTING_DEPTH:
        return False
    return _nests_too_deep(_outside_strings(payload, payload.translate(None, _NO_MARK)))


def _count(marks: bytes, mark: bytes) -> int:
    """Return how often `mark` stands in `marks`. To find that it does not is ten times as fast as a count."""
    return marks.count(mark) if mark in marks else 0


def _opened(marks: bytes) -> int:
    """Return how many brackets are opened. The first of all objects is found at once, and is no reason to count."""
    objects = marks.count(b"{") if marks.find(b"{", 1) >= 0 else marks[:1].count(b"{")
    return objects + _count(marks, b"[")


def _nests_too_deep(outside: bytes | None) -> bool:
    """Return whether brackets nest too deep in what stands outside of strings; None is no JSON, and nests nothing."""
    opened = 0 if outside is None else _opened(outside)
    if outside is None or opened <= NESTING_DEPTH or opened < outside.count(b"]") + outside.count(b"}"):
        return False  # where more is closed than was opened it is no JSON either, however deep it goes
    steps = memoryview(outside.translate(_STEPS, _NO_BRACKET)).cast("b")
    return max(accumulate(steps)) > NESTING_DEPTH


def _outside_strings(payload: bytes, marks: bytes) -> bytes | None:
    """Return what stands outside of strings in `payload`; None where more strings than any structure separates.

    `marks` are its bytes without those of `_NO_MARK`.
    """
    if b"\\" in marks:
        if marks.count(b'"') <= _FEW_QUOTES:
            return b"".join(_parts_outside(payload))
        # Escapes go, the backslash that is escaped first: then each one that is left escapes what follows it.
        marks = payload.translate(None, _NO_ESCAPE).replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NO_MARK)
    parts = marks.split(b'"', _MOST_QUOTES + 1)  # most of them are one byte or none
    return None if len(parts) > _MOST_QUOTES + 1 else b"".join(parts[::2])


def _parts_outside(payload: bytes) -> Iterator[bytes]:
    """Yield the parts of `payload` between its strings."""
    inside = False
    for part in payload.split(b'"'):
        if not inside:
            yield part
            inside = True
        elif not part.endswith(b"\\") or (len(part) - len(part.rstrip(b"\\"))) % 2 == 0:
            inside = False  # the quote behind it is not escaped
