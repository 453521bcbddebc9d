"""The file of bearer tokens: who may push.

A line is a name, a space and the token. Blank lines and those that begin with `#` are left out. Two tokens may have one
name, so that a token can be exchanged without a moment in which neither is known. The file is read at the start and at
SIGHUP, and not in between. No message repeats a token.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from steno.errors import ConfigError, ConfigFault
from steno.regular_files import read_named

FILE_BYTES: Final = 1024 * 1024
"""Longest file that is read."""
TOKENS: Final = 1_000
"""Most tokens: each handshake is compared with all of them, so that its time says nothing of any."""
TOKEN_CHARACTERS: Final = 16
"""Shortest token. What is shorter can be tried."""
TOKEN_CHARACTERS_MAX: Final = 4_096
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.@-]{0,62}")
_TOKEN: Final = re.compile(r"[!-~]+")


class Token(Struct, frozen=True):
    """A token that is known. The token itself is not kept."""

    name: str
    digest: bytes


class Tokens:
    """Those that may push."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        """Know `tokens`."""
        self._tokens = tokens

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._tokens)

    def find(self, sent: str) -> Token | None:
        """Return the token that was sent; None where it is not known. All are compared, whichever it is."""
        digest = _digest(sent)
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def __contains__(self, token: Token) -> bool:
        """Whether `token` is known still, under the same name."""
        return token in self._tokens


def read_tokens(file: str) -> Tokens:
    """Return the tokens in `file`. Raises ConfigError, with every line that is wrong by its number."""
    try:
        content = read_named(Path(file), FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError([_fault(file, f"cannot be read: {(error.strerror or 'input error').lower()}")]) from None
    if len(content) > FILE_BYTES:
        raise ConfigError([_fault(file, f"is longer than {FILE_BYTES} bytes")])
    return _parsed(content.decode("utf-8-sig", errors="replace"), file)


def _parsed(text: str, file: str) -> Tokens:
    tokens: dict[bytes, Token] = {}
    faults = []
    for number, line in _lines(text):
        name, _, token = line.partition(" ")
        token = token.strip()
        wrong = _wrong(name, token)
        if not wrong and _digest(token) in tokens:
            wrong = "the token stands in the file twice"
        if wrong:
            faults.append(_fault(file, f"line {number}: {wrong}"))
        else:
            tokens[_digest(token)] = Token(name, _digest(token))
    if not tokens and not faults:
        faults.append(_fault(file, "holds no token: a line is a name, a space and the token"))
    if len(tokens) > TOKENS:
        faults.append(_fault(file, f"holds more than {TOKENS} tokens"))
    if faults:
        raise ConfigError(faults)
    return Tokens(tuple(tokens.values()))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped.replace("\t", " ", 1)


def _wrong(name: str, token: str) -> str | None:
    """Return what is wrong with a line, None where nothing is. What it holds is not repeated: it may be a token."""
    if not token:
        return "must be a name, a space and the token"
    if not _NAME.fullmatch(name):
        return "the name must be 1 to 63 letters, digits, `_`, `.`, `@` and `-`"
    if not _TOKEN.fullmatch(token):
        return "the token must be visible ASCII without spaces"
    if not TOKEN_CHARACTERS <= len(token) <= TOKEN_CHARACTERS_MAX:
        return f"the token must have {TOKEN_CHARACTERS} characters at least, {TOKEN_CHARACTERS_MAX} at most"
    return None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _fault(file: str, message: str) -> ConfigFault:
    return ConfigFault(file, "", message)
