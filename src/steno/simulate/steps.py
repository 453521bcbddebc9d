"""The parts of a simulated conversation: frames with the pause before each, ids, text in pieces, sound.

Nothing here reads a clock or has randomness of its own: time is passed as seconds, chance as a `random.Random`.
"""

import base64
import functools
import heapq
import math
import re
import string
from array import array
from collections.abc import Iterator
from random import Random
from sys import byteorder
from typing import Any, Final

import msgspec

SAMPLE_RATE: Final = 24_000
"""Samples a second of 16 bit mono PCM, the default format of a voice session."""

_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_EPOCH: Final = 1_576_800_000  # the Unix second that realtime ids count from: 50 years of 365 days
_PIECES: Final = re.compile(r"\s?\w+(?:['-]\w+)*|\s|[^\w\s]+")  # roughly the cuts of a tokeniser


class Step(msgspec.Struct, frozen=True):
    """One frame of a conversation."""

    after_seconds: float
    """The pause before it, in seconds."""
    event: dict[str, Any]
    """The frame, before it is encoded."""

    def payload(self) -> bytes:
        """Return the frame as it is sent."""
        return msgspec.json.encode(self.event)


class RawStep(Step, frozen=True):
    """A frame that no encoder writes, as bytes. `event` is empty."""

    raw: bytes

    def payload(self) -> bytes:
        """Return the frame as it is sent."""
        return self.raw


class Cut(Step, frozen=True):
    """Not a frame: the connection ends here with 1000, and the next one continues. `event` is empty."""


class Schedule:
    """Events with the time at which they are due. They are added in any order and come out as steps in order of time.

    Events that are due at the same time keep the order in which they were added. Times are kept to the millisecond.
    """

    def __init__(self) -> None:
        self._due: list[tuple[float, int, dict[str, Any]]] = []
        self._added = 0
        self._popped_until = 0.0

    def add(self, at: float, event: dict[str, Any]) -> None:
        """Add an event that is due `at` seconds after the start of the conversation."""
        heapq.heappush(self._due, (round(at, 3), self._added, event))
        self._added += 1

    def pop(self, before: float = math.inf) -> Iterator[Step]:
        """Remove and yield, as steps, the events that are due before the second `before`."""
        while self._due and self._due[0][0] < before:
            at, _, event = heapq.heappop(self._due)
            yield Step(after_seconds=round(at - self._popped_until, 3), event=event)
            self._popped_until = at


class Ids:
    """Makes ids with the alphabet and the length of real ones, from `rng` alone."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def dated(self, prefix: str, at: float) -> str:
        """Return a realtime id: `prefix`, the Unix second `at` in 5 base-62 digits, 16 random characters."""
        second = max(int(at) - _ID_EPOCH, 0)
        digits = ""
        for _ in range(5):
            second, digit = divmod(second, 62)
            digits = _DIGITS[digit] + digits
        return f"{prefix}_{digits}{self._draw(16)}"

    def live(self, at: float) -> str:
        """Return the id of a Live session: as a realtime id, with 11 characters more."""
        return f"{self.dated('live_u1', at)}{self._draw(11)}"

    def call(self) -> str:
        """Return the id of a realtime function call: 16 random characters."""
        return f"call_{self._draw(16)}"

    def plain(self, prefix: str) -> str:
        """Return an id of the Assistants API: `prefix` and 24 random characters."""
        return f"{prefix}_{self._draw(24)}"

    def padding(self, delta: str) -> str:
        """Return the `obfuscation` of a delta, which pads the text to a multiple of 16 characters."""
        return self._draw(16 - len(delta) % 16)

    def _draw(self, length: int) -> str:
        return "".join(self._rng.choices(_DIGITS, k=length))


def pieces(text: str) -> list[str]:
    """Split `text` as a model streams it: words with the space before them, punctuation apart."""
    return _PIECES.findall(text)


def audio_base64(start_ms: int, length_ms: int) -> str:
    """Return `length_ms` of a soft tone from `start_ms` on, as base64 of PCM: 16 bit, mono, 24 kHz."""
    second = tone()
    first, last = (2 * SAMPLE_RATE * ms // 1000 for ms in (start_ms % 1000, start_ms % 1000 + length_ms))
    looped = second * (last // len(second) + 1)
    return base64.b64encode(looped[first:last]).decode("ascii")


@functools.cache
def tone() -> bytes:
    """Return one second of 200 Hz that swells and fades four times, like syllables. It loops without a click."""
    samples = array("h", (_sample(n / SAMPLE_RATE) for n in range(SAMPLE_RATE)))
    if byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def _sample(second: float) -> int:
    swell = math.sin(math.pi * 4 * second) ** 2
    return round(6000 * swell * math.sin(math.tau * 200 * second))
