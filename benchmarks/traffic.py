# ruff: noqa: INP001  # a module of scripts, in no package
"""What generated traffic is written with: frames as the lines of a recording, their times, identifiers and words."""

import base64
import string
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import msgspec

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
AUDIO_BYTES: Final = (5_760, 6_240)
"""Least and most audio in a delta before base64: 120 to 130 ms of 24 kHz, 16 bit, mono."""
RECEIVED: Final = b'{"dir":"received"'
"""How the line of a frame begins."""
RARE: Final = ("é", "ü", "日本", "\n", '"', "\\")
"""Parts of one word in thirty: beyond ASCII, or escaped in JSON."""

_ALPHABET: Final = string.ascii_letters + string.digits


class Traffic:
    """Frames with their times. Time goes on from one conversation to the next."""

    def __init__(self, rng: Random) -> None:
        """Begin at `BEGIN`. All that is random comes from `rng`."""
        self.rng = rng
        self.lines: list[bytes] = []
        self._now = BEGIN

    def send(self, kind: str, **members: Any) -> None:
        """Add an event of a realtime session."""
        self._add({"type": kind, "event_id": self.id("event"), **members})

    def emit(self, kind: str, data: dict[str, Any]) -> None:
        """Add an event of an assistants stream."""
        self._add({"event": kind, "data": data})

    def _add(self, event: dict[str, Any]) -> None:
        self._now += timedelta(microseconds=self.rng.randint(2_000, 30_000))
        payload = msgspec.json.encode(event)
        self.lines.append(b'%b,"at":"%b","data":%b}\n' % (RECEIVED, self._timestamp(), payload))

    def close(self) -> None:
        """Add the end of the connection."""
        self.lines.append(b'{"dir":"close","at":"%b","code":1000,"reason":""}\n' % self._timestamp())

    def take(self) -> list[bytes]:
        """Return the lines that were added since the last time."""
        taken, self.lines = self.lines, []
        return taken

    def _timestamp(self) -> bytes:
        return self._now.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()

    @property
    def second(self) -> int:
        """The present time in Unix seconds."""
        return int(self._now.timestamp())

    def id(self, prefix: str) -> str:
        """Return a new identifier."""
        return f"{prefix}_{''.join(self.rng.choices(_ALPHABET, k=21))}"

    def words(self, least: int, most: int) -> list[str]:
        """Return a text as a model streams it: words, each with the space before it."""
        return [self.word() for _ in range(self.rng.randint(least, most))]

    def word(self) -> str:
        """Return a word with the space before it."""
        letters = "".join(self.rng.choices(string.ascii_lowercase, k=self.rng.randint(3, 10)))
        return f" {letters}{self.rng.choice(RARE)}" if self.rng.random() < 1 / 30 else f" {letters}"

    def audio(self) -> str:
        """Return the audio of a delta in base64."""
        return base64.b64encode(self.rng.randbytes(self.rng.randint(*AUDIO_BYTES))).decode()

    def tool(self) -> dict[str, Any]:
        """Return the definition of a tool."""
        properties = {name.strip(): {"type": "string"} for name in self.words(1, 4)}
        parameters = {"type": "object", "properties": properties, "required": list(properties)}
        description = "".join(self.words(5, 20)).strip()
        return {"type": "function", "name": self.id("tool"), "description": description, "parameters": parameters}

    def arguments(self) -> str:
        """Return what a tool is called with, or returns: an object in JSON."""
        members = {name.strip(): value.strip() for name, value in zip(self.words(4, 4), self.words(4, 4), strict=True)}
        return msgspec.json.encode(members).decode()
