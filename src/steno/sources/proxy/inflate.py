"""Bodies as they were before they were compressed, as far as the standard library can tell. Pure.

A small body may become a very large one. So it is inflated in steps of what came, and what is too much ends it.
"""

import zlib
from collections.abc import Sequence
from typing import Final, Protocol

INFLATED_BYTES: Final = 4 * 1024 * 1024
"""The most that what came at once (64 KiB) may become: 64 times as much. Texts become a tenth of their length."""


class Inflate(Protocol):
    """Takes the parts of a body, and returns what they were. Raises ValueError where that cannot be had."""

    def __call__(self, part: bytes) -> bytes:
        """Return what `part` adds."""


def inflate_of(encodings: Sequence[bytes]) -> Inflate | None:
    """Return what undoes `encodings`, the words of `Content-Encoding` in lower case; None where nothing here does."""
    named = [word for word in encodings if word != b"identity"]
    if not named:
        return lambda part: part
    if named in ([b"gzip"], [b"x-gzip"]):
        return _Zlib(zlib.MAX_WBITS | 16)
    return _Deflate() if named == [b"deflate"] else None


class _Zlib:
    """A body in one of the formats of zlib. Gzip may have several members, one after the other."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._inflater = zlib.decompressobj(bits)

    def __call__(self, part: bytes) -> bytes:
        found: list[bytes] = []
        room = INFLATED_BYTES
        while part:
            if self._inflater.eof:
                self._inflater = zlib.decompressobj(self._bits)
            try:
                found.append(self._inflater.decompress(part, room))
            except zlib.error as error:
                raise ValueError("the body is not compressed as it says") from error
            room -= len(found[-1])
            if self._inflater.unconsumed_tail or room <= 0:
                raise ValueError("the body becomes too large")
            part = self._inflater.unused_data
        return b"".join(found)


class _Deflate:
    """What is called deflate: in the format of zlib as it should be, or bare as some servers send it."""

    def __init__(self) -> None:
        self._inflater: _Zlib | None = None

    def __call__(self, part: bytes) -> bytes:
        if self._inflater is None and part:
            has_head = part[0] & 0x0F == zlib.DEFLATED and part[0] >> 4 <= zlib.MAX_WBITS - 8
            self._inflater = _Zlib(zlib.MAX_WBITS if has_head else -zlib.MAX_WBITS)
        return self._inflater(part) if self._inflater else b""
