"""What a simulated conversation is made of: frames with the pause before each, ids, words cut up, and sound.

Nothing here reads a clock or draws chance of its own: time comes in as seconds, chance as a `random.Random`.
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
"""Samples a second of 16 bit mono PCM: the format a voice session has when nothing else was asked for."""

_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_EPOCH: Final = 1_576_800_000  # unix second that realtime ids count from: 50 years of 365 days
_PIECES: Final = re.compile(r"\s?\w+(?:['-]\w+)*|\s|[^\w\s]+")  # roughly how a tokeniser cuts


class Step(msgspec.Struct, frozen=True):
    """One frame of a conversation."""

    after_seconds: float
    """The pause before it, in seconds."""
    event: dict[str, Any]
    """The frame, before it becomes JSON."""

    def payload(self) -> bytes:
        """Return the frame as it is sent."""
        return msgspec.json.encode(self.event)


class RawStep(Step, frozen=True):
    """A frame that no encoder would write: its bytes as they are; `event` is empty."""

    raw: bytes

    def payload(self) -> bytes:
        """Return the frame as it is sent."""
        return self.raw


class Cut(Step, frozen=True):
    """No frame: the connection ends here, in order, and what follows is said on the next one; `event` is empty."""


class Score:
    """Frames put down with the second they are due, in any order; taken up as steps in order of time.

    What is due at one time keeps the order in which it was put down. Times are kept to the millisecond.
    """

    def __init__(self) -> None:
        self._due: list[tuple[float, int, dict[str, Any]]] = []
        self._put = 0
        self._taken_until = 0.0

    def put(self, at: float, event: dict[str, Any]) -> None:
        """Put `event` down for the second `at`, counted from the start of the conversation."""
        heapq.heappush(self._due, (round(at, 3), self._put, event))
        self._put += 1

    def take(self, before: float = math.inf) -> Iterator[Step]:
        """Take up, as steps, what is due before the second `before`."""
        while self._due and self._due[0][0] < before:
            at, _, event = heapq.heappop(self._due)
            yield Step(after_seconds=round(at - self._taken_until, 3), event=event)
            self._taken_until = at


class Ids:
    """Makes ids in the alphabet and length of real ones, from `rng` alone."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def dated(self, prefix: str, at: float) -> str:
        """Make a realtime id: `prefix`, the unix second `at` in 5 base-62 digits, 16 drawn characters."""
        second = max(int(at) - _ID_EPOCH, 0)
        digits = ""
        for _ in range(5):
            second, digit = divmod(second, 62)
            digits = _DIGITS[digit] + digits
        return f"{prefix}_{digits}{self._draw(16)}"

    def call(self) -> str:
        """Make the id of a realtime function call: 16 drawn characters."""
        return f"call_{self._draw(16)}"

    def plain(self, prefix: str) -> str:
        """Make an id of the Assistants API: `prefix` and 24 drawn characters."""
        return f"{prefix}_{self._draw(24)}"

    def padding(self, delta: str) -> str:
        """Make the `obfuscation` of a delta: it fills the text up to a multiple of 16 characters."""
        return self._draw(16 - len(delta) % 16)

    def _draw(self, length: int) -> str:
        return "".join(self._rng.choices(_DIGITS, k=length))


def pieces(text: str) -> list[str]:
    """Cut `text` as a model streams it: words with the space before them, punctuation apart."""
    return _PIECES.findall(text)


def audio_base64(start_ms: int, length_ms: int) -> str:
    """Give `length_ms` of a soft tone from `start_ms` on, as base64 of PCM: 16 bit, mono, 24 kHz."""
    tone = _tone()
    first, last = (2 * SAMPLE_RATE * ms // 1000 for ms in (start_ms % 1000, start_ms % 1000 + length_ms))
    looped = tone * (last // len(tone) + 1)
    return base64.b64encode(looped[first:last]).decode("ascii")


@functools.cache
def _tone() -> bytes:
    """One second of 200 Hz that swells and fades four times, like syllables; it loops without a click."""
    samples = array("h", (_sample(n / SAMPLE_RATE) for n in range(SAMPLE_RATE)))
    if byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def _sample(second: float) -> int:
    swell = math.sin(math.pi * 4 * second) ** 2
    return round(6000 * swell * math.sin(math.tau * 200 * second))
