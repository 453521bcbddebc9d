"""Keys: how the name of a conversation or a stream is written, so that different names give different keys. Pure.

A key is made of parts, with `/` between them, and of the number of a session (`#2`). A name that holds such a mark
could pass for another key. So in a name these are written as `%` and two hexadecimal digits, a pair for each byte of
UTF-8:

- the marks of a key: `/`, `#`, `%` and `~`,
- quotes and backslashes, which JSON would write otherwise than the key has them,
- whatever is not printable: control characters, line ends, invisible ones, halves of surrogate pairs.

All else stays: ids, numbers, mail addresses, words of any script. A name that is longer than `ID_CHARACTERS` bytes then
is cut, and `~` and a hash of the whole name follow. The same happens to a name that looks like an API key: it is
hidden, since keys of conversations stand in every record. No other name has a `~`, so what was cut equals no name that
was not.
"""

import hashlib
from functools import lru_cache
from typing import Final

from steno.limits import ID_CHARACTERS
from steno.wire.secrets import is_keylike, mask_text

_MARKS: Final = frozenset('/#%~"\\')
_HASH_DIGITS: Final = 32
"""Of a SHA-256: too many for two names that give the same to be found."""
_KEPT_BYTES: Final = ID_CHARACTERS - _HASH_DIGITS - 1


@lru_cache(maxsize=1_024)  # the events of a thread name it again and again
def conversation_key(source: str, name: str) -> str:
    """Return the key of the conversation that is called `name` in `source`, whose name has no mark of a key."""
    return f"{source}/{key_part(name)}"


def key_part(name: str) -> str:
    """Return `name` as it stands in keys, in at most `ID_CHARACTERS` bytes. Different names differ there too."""
    if is_keylike(name):
        return _shortened(mask_text(name), name)
    escaped = "".join(map(_escaped, name))
    return escaped if len(escaped.encode()) <= ID_CHARACTERS else _shortened(name, name)


def numbered(base: str, number: int) -> str:
    """Return the key of session `number` of what has the key `base`; the first one has no number."""
    return base if number == 1 else f"{base}#{number}"


def _escaped(character: str) -> str:
    if character.isprintable() and character not in _MARKS:
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))


def _shortened(shown: str, name: str) -> str:
    """Return the beginning of what is `shown` of a name, and a hash of all of it."""
    beginning, left = "", _KEPT_BYTES
    for piece in map(_escaped, shown):
        left -= len(piece.encode())
        if left < 0:
            break
        beginning += piece
    digest = f"~{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:_HASH_DIGITS]}"
    return digest if is_keylike(beginning + digest) else beginning + digest
