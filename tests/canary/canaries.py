"""Marked strings, each of its own place: secrets, words of people, personal data. And who finds them again.

A secret is what is shaped like a key, a client secret or a bearer token, or stands in a member whose name says so.
Words are what policies know by their kinds. Identifiers, models, codes, and the names of tools and types are neither:
they may be shown, as long as they look like names.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

MARK: Final = re.compile(rb"(?:SECRET|WORD|PERSON|SOUND)[0-9]{5}x")
SECRET: Final = "SECRET"
WORD: Final = "WORD"
PERSON: Final = "PERSON"
SOUND: Final = "SOUND"

SHAPES: Final = ("sk-proj-{0}-9a_{0}", "sk-{0}{0}", "ek_{0}{0}", "Bearer {0}.{0}", "bearer {0}/{0}+{0}==")
SECRET_MEMBERS: Final = ("client_secret", "authorization", "headers", "api_key", "apiKey", "accessToken", "password")

_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX: Final = re.compile(rb"(?:[0-9a-fA-F]{2}){8,}")
_ESCAPED: Final = re.compile(rb"\\+u00([0-9a-fA-F]{2})")


class Canaries:
    """Makes canaries, and remembers where each was planted."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def mark(self, kind: str, place: str) -> str:
        """Return a mark that stands nowhere else."""
        mark = f"{kind}{len(self.places):05}x"
        self.places[mark] = place
        return mark

    def key(self, place: str) -> str:
        """Return a secret that looks like one, of each shape in turn."""
        return SHAPES[len(self.places) % len(SHAPES)].format(self.mark(SECRET, place))

    def words(self, place: str) -> str:
        """Return words, such as no name of a thing has: with a comma in them."""
        return f"{self.mark(WORD, place)}, that was said."

    def person(self, place: str) -> str:
        """Return what tells who somebody is."""
        return f"I am at {self.mark(PERSON, place)}@mail.example."

    def sound(self, place: str) -> str:
        """Return what a delta of audio holds: base64."""
        return base64.b64encode(self.mark(SOUND, place).encode() * 8).decode()

    def marked(self, kind: str) -> set[str]:
        """Return all marks of a kind."""
        return {mark for mark in self.places if mark.startswith(kind)}

    def where(self, found: Mapping[str, set[str]]) -> list[str]:
        """Say of what was found in which output where it was planted."""
        return sorted(f"{output}: {mark} of {self.places[mark]}" for output, marks in found.items() for mark in marks)


def marks(output: bytes, kind: str) -> set[str]:
    """Return the marks of a kind that can be read out of an output, in whatever way."""
    found = {mark for reading in _readings(output) for mark in MARK.findall(reading)}
    return {mark.decode() for mark in found if mark.startswith(kind.encode())}


def _readings(output: bytes) -> Iterator[bytes]:
    """Yield an output as it is, without escapes, and what base64 and hexadecimal digits in it stand for."""
    yield output
    yield _ESCAPED.sub(lambda escape: bytes.fromhex(escape[1].decode()), output)
    yield unquote_to_bytes(output)
    yield output.replace(b"\0", b"")
    for digits in set(_HEX.findall(output)):
        yield bytes.fromhex(digits.decode())
    for run in set(_BASE64.findall(output)):
        for start in range(4):
            yield _unpacked(run[start:].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/")))


def _unpacked(run: bytes) -> bytes:
    try:
        return base64.b64decode(run[: len(run) // 4 * 4])
    except binascii.Error:
        return b""


# Planted in objects ---------------------------------------------------------------------------------------------


def unknown_members(canaries: Canaries, place: str) -> dict[str, Any]:
    """Return members that no type declares: with secrets, with words, deep down, and in their very names."""
    named = {name: f"a {canaries.mark(SECRET, f'{place}.{name}')} b" for name in SECRET_MEMBERS}
    return {
        **named,
        "client-secret": {"value": canaries.mark(SECRET, f"{place}.client-secret"), "expires_at": 1},
        "x_list": [{"headers": [canaries.mark(SECRET, f"{place}.x_list.headers")]}, canaries.key(f"{place}.x_list")],
        "x_words": canaries.words(f"{place}.x_words"),
        "x_person": canaries.person(f"{place}.x_person"),
        "x_url": f"https://a:{canaries.mark(SECRET, f'{place}.x_url')}@host/?api_key={canaries.mark(SECRET, place)}",
        canaries.words(f"{place}, a name"): 1,
        canaries.key(f"{place}, a name"): None,
    }


def speech(canaries: Canaries, place: str) -> str:
    """Return a text with words, with personal data, and with secrets: by their looks and, as JSON, by their names."""
    named = f'{{"password": "{canaries.mark(SECRET, f"{place}, as JSON")}"}}'
    return f"{canaries.words(place)} {canaries.person(place)}\n{canaries.key(place)} {named}"
