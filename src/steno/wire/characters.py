"""Characters of a frame that JSON or UTF-8 does not allow, or not alone. Pure."""

import codecs
import re
from typing import Final

from steno.limits import HALF_CHARACTERS

_PAIR: Final = rb"[89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALVES: Final = re.compile(rb"u[dD](?:%b(?:\\u[dD]%b){0,50}+|[89a-fA-F][0-9a-fA-F]{2})" % (_PAIR, _PAIR))
"""Surrogates in escapes, but for the first backslash: some pairs in a row, or a lone half. It begins with a letter, so
that the search for it is quick."""
_LONE: Final = len(rb"ud800")
_REPLACEMENT: Final = rb"ufffd"
_BACKSLASHES: Final = re.compile(rb"\\*+")
_UTF_8: Final = codecs.getincrementaldecoder("utf-8")
_CHUNK_BYTES: Final = 1 << 16
"""How much is decoded at a time to see whether it can be: what is thrown away need not take new memory."""


def is_utf8(payload: bytes) -> bool:
    """Tell whether all of `payload` is UTF-8, members that nobody reads included."""
    decoder = _UTF_8()
    try:
        for at in range(0, len(payload), _CHUNK_BYTES):
            decoder.decode(payload[at : at + _CHUNK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def replace_lone_surrogates(payload: bytes) -> bytes | None:
    """Return `payload` with each half of a pair of surrogates as U+FFFD, in as many bytes; None where it has too many.

    A server that cuts a text into deltas may cut a character in two. JSON can say that, and no decoder takes it. Where
    there is nothing to replace, the same object is returned.
    """
    if b"\\" not in payload:
        return payload
    parts: list[bytes] = []
    kept = at = 0
    for _ in range(HALF_CHARACTERS):
        found = _HALVES.search(payload, at)
        if found is None:
            return b"".join((*parts, payload[kept:])) if parts else payload
        start, at = found.span()
        if not _is_escape(payload, start):
            at = start + _LONE  # the letters as such; an escape may follow
        elif at - start == _LONE:
            parts += (payload[kept:start], _REPLACEMENT)
            kept = at
    return None


def _is_escape(payload: bytes, at: int) -> bool:
    """Return whether what stands at `at` is escaped: an odd number of backslashes stands before it."""
    width = 16
    while True:
        backwards = payload[max(0, at - width) : at][::-1]
        run = len(found[0]) if (found := _BACKSLASHES.match(backwards)) else 0
        if run < width:
            return run % 2 == 1
        width *= 8  # a run of any length is gone through a few times at most
