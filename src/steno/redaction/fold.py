"""One form for each digit and mark, so that a number is found however it is written.

Digits of all scripts, wide letters, dashes and spaces become ASCII. Invisible characters are left out. An escape of
JSON counts as the character that it stands for: tools answer in JSON, and in JSON within JSON.

The tables are written out here, since those of Python change with its version, and the same text must always give the
same result.
"""

import re
from bisect import bisect_right
from typing import Final

from msgspec import Struct

_ZEROS: Final = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0\u0f20\u1040"
    "\u1090\u17e0\u1810\u1946\u19d0\u1a80\u1a90\u1b50\u1bb0\u1c40\u1c50\ua620\ua8d0\ua900\ua9d0\ua9f0\uaa50"
    "\uabf0\U000104a0\U00010d30\U00011066\U000110f0\U00011136\U000111d0\U000112f0\U00011450\U000114d0\U00011650"
    "\U000116c0\U00011730\U000118e0\U00011950\U00011c50\U00011d50\U00011da0\U00016a60\U00016ac0\U00016b50\U0001d7ce"
    "\U0001d7d8\U0001d7e2\U0001d7ec\U0001d7f6\U0001e140\U0001e2f0\U0001e950\U0001fbf0"
)
"""The zero of every decimal script (Unicode 14). Its one to nine follow it. Wide digits are in `_FORMS`."""

_SPACES: Final = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t"
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\ufe58\ufe63"

_FORMS: Final = (
    {ord(zero) + value: str(value) for zero in _ZEROS for value in range(10)}
    | {wide: chr(wide - 0xFF01 + 0x21) for wide in range(0xFF01, 0xFF5F)}
    | dict.fromkeys(map(ord, _SPACES), " ")
    | dict.fromkeys(map(ord, _DASHES), "-")
    | {0xFE6B: "@"}
)
"""From each character to one other, so that positions stay."""

_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20e3\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]+"
)
"""Soft hyphens, joiners, marks of direction, variant selectors, the frame of a keycap, tags."""

_ESCAPE: Final = re.compile(r"(?<!\\)\\++(?:u([0-9A-Fa-f]{4})|[bfnrt/])")
_PADDING: Final = "\u2060"


class Folded(Struct, frozen=True):
    """A folded text, and what leads from its positions to those of the original text."""

    text: str
    cuts: list[int]
    """Positions in `text` before which characters were left out."""
    left_out: list[int]
    """How many characters were left out up to each of `cuts`."""

    def place(self, index: int) -> int:
        """Return the position in the original text of the character at `index`."""
        cut = bisect_right(self.cuts, index)
        return index + (self.left_out[cut - 1] if cut else 0)


def fold(text: str) -> Folded:
    """Return `text` with one form for each digit, dash and space, and without invisible characters."""
    if "\\" in text:
        text = _ESCAPE.sub(_unescaped, text)
    if text.isascii():
        return Folded(text.replace("\t", " "), [], [])
    cuts: list[int] = []
    left_out: list[int] = []
    total = 0
    for match in _INVISIBLE.finditer(text):
        cuts.append(match.start() - total)
        total += len(match[0])
        left_out.append(total)
    return Folded((_INVISIBLE.sub("", text) if cuts else text).translate(_FORMS), cuts, left_out)


def _unescaped(escape: re.Match[str]) -> str:
    """Return the character of an escape, padded on the left to the length of the escape, so that positions stay."""
    written = escape[0]
    if escape[1]:
        return chr(int(escape[1], 16)).rjust(len(written), _PADDING)
    if written[-1] == "/":
        return written[-1].rjust(len(written), _PADDING)
    return (" " if written[-1] == "t" else "\n").rjust(len(written))
