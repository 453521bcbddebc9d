"""Marked strings to plant, each in its own place, and the search that finds them in outputs.

There are four kinds. A secret has the form of a key, a client secret or a bearer token, or stands in a member with such
a name. Content is what the kinds of the content policy cover. Personal data and audio are kinds of content of their own
here. Identifiers, models, codes, and the names of tools and types are none of these: they may be shown, as long as they
look like names.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

MARK: Final = re.compile(rb"(?:SECRET|CONTENT|PERSON|AUDIO)[0-9]{5}x")
SECRET: Final = "SECRET"
CONTENT: Final = "CONTENT"
PERSON: Final = "PERSON"
AUDIO: Final = "AUDIO"

SHAPES: Final = ("sk-proj-{0}-9a_{0}", "sk-{0}{0}", "ek_{0}{0}", "Bearer {0}.{0}", "bearer {0}/{0}+{0}==")
SECRET_MEMBERS: Final = ("client_secret", "authorization", "headers", "api_key", "apiKey", "accessToken", "password")

_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX: Final = re.compile(rb"(?:[0-9a-fA-F]{2}){8,}")
_ESCAPED: Final = re.compile(rb"\\+u00([0-9a-fA-F]{2})")


class Canaries:
    """Makes canaries, and keeps where each was planted."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def mark(self, kind: str, place: str) -> str:
        """Return a mark that is unique."""
        mark = f"{kind}{len(self.places):05}x"
        self.places[mark] = place
        return mark

    def key(self, place: str) -> str:
        """Return a secret in the form of a key, of each shape in turn."""
        return SHAPES[len(self.places) % len(SHAPES)].format(self.mark(SECRET, place))

    def content(self, place: str) -> str:
        """Return content. It has a comma, so that it does not look like the name of a thing."""
        return f"{self.mark(CONTENT, place)}, that was said."

    def person(self, place: str) -> str:
        """Return a text with personal data."""
        return f"I am at {self.mark(PERSON, place)}@mail.example."

    def audio(self, place: str) -> str:
        """Return what a delta of audio holds: base64."""
        return base64.b64encode(self.mark(AUDIO, place).encode() * 8).decode()

    def marked(self, kind: str) -> set[str]:
        """Return all marks of a kind."""
        return {mark for mark in self.places if mark.startswith(kind)}

    def where(self, found: Mapping[str, set[str]]) -> list[str]:
        """Return a line for each mark that was found: the output, and the place where it was planted."""
        return sorted(f"{output}: {mark} of {self.places[mark]}" for output, marks in found.items() for mark in marks)


def marks(output: bytes, kind: str) -> set[str]:
    """Return the marks of a kind that can be read out of an output, also where they are encoded."""
    found = {mark for reading in _readings(output) for mark in MARK.findall(reading)}
    return {mark.decode() for mark in found if mark.startswith(kind.encode())}


def _readings(output: bytes) -> Iterator[bytes]:
    """Yield an output as it is, without escapes, and what base64 and hexadecimal digits in it decode to."""
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
    """Return members that no type declares, with secrets and content in values, in nested values and in names."""
    named = {name: f"a {canaries.mark(SECRET, f'{place}.{name}')} b" for name in SECRET_MEMBERS}
    return {
        **named,
        "client-secret": {"value": canaries.mark(SECRET, f"{place}.client-secret"), "expires_at": 1},
        "x_list": [{"headers": [canaries.mark(SECRET, f"{place}.x_list.headers")]}, canaries.key(f"{place}.x_list")],
        "x_content": canaries.content(f"{place}.x_content"),
        "x_person": canaries.person(f"{place}.x_person"),
        "x_url": f"https://a:{canaries.mark(SECRET, f'{place}.x_url')}@host/?api_key={canaries.mark(SECRET, place)}",
        canaries.content(f"{place}, a name"): 1,
        canaries.key(f"{place}, a name"): None,
    }


def planted_text(canaries: Canaries, place: str) -> str:
    """Return a text with content, with personal data, and with secrets: in the form of a key, and in JSON by name."""
    named = f'{{"password": "{canaries.mark(SECRET, f"{place}, as JSON")}"}}'
    return f"{canaries.content(place)} {canaries.person(place)}\n{canaries.key(place)} {named}"
