"""The caller's sound: when speech begins, and when it ends. Only lengths are kept.

As with the real service, speech ends with silence that was sent: where nothing is sent, nothing ends. What is different
here: speech also ends after `UTTERANCE_MS`, so that a client with a tone in place of a voice is answered. It is then
not heard again before there was silence or the answer has ended.
"""

from typing import Any, Final, NamedTuple

from steno.simulate.interactive.sound import loud_frames

UTTERANCE_MS: Final = 3_000
"""The most sound that is one utterance."""


class Started(NamedTuple):
    """Speech has begun. Times are in milliseconds of the sound that was appended to the session."""

    start_ms: int


class Stopped(NamedTuple):
    """Speech has ended."""

    end_ms: int
    length_ms: int


class Hearing:
    """The input buffer and the voice detector of one session."""

    def __init__(self) -> None:
        self.position_ms = 0
        """How much sound was appended to the session."""
        self.buffered_ms = 0
        """How much of it is neither committed nor cleared."""
        self._speaking_since: int | None = None
        self._quiet_ms = 0
        self._deaf = False

    @property
    def speaking(self) -> bool:
        """Whether speech has begun and not ended."""
        return self._speaking_since is not None

    def append(self, kind: str, audio: bytes, detector: dict[str, Any] | None) -> list[Started | Stopped]:
        """Take in sound of the format `kind`. Returns what the `turn_detection` of the session says about it."""
        heard: list[Started | Stopped] = []
        for length_ms, loud in loud_frames(kind, audio):
            self.position_ms += length_ms
            self.buffered_ms += length_ms
            self._quiet_ms = 0 if loud else self._quiet_ms + length_ms
            if detector is not None:
                change = self._detect(loud, detector)
                heard += [change] if change else []
        return heard

    def _detect(self, loud: bool, detector: dict[str, Any]) -> Started | Stopped | None:
        silent = self._quiet_ms >= max(detector.get("silence_duration_ms", 500), 1)
        if self._speaking_since is None:
            if silent:
                self._deaf = False
            if not loud or self._deaf:
                return None
            self._speaking_since = max(self.position_ms - detector.get("prefix_padding_ms", 300), 0)
            return Started(self._speaking_since)
        length_ms = self.position_ms - self._speaking_since
        if not silent and length_ms < UTTERANCE_MS:
            return None
        self._deaf = not silent
        self.forget()
        return Stopped(self.position_ms, length_ms)

    def listen(self) -> None:
        """Hear again: the answer to what was said has ended."""
        self._deaf = False

    def forget(self) -> None:
        """Begin an empty buffer: what it held was committed or cleared."""
        self.buffered_ms = 0
        self._speaking_since = None
        self._quiet_ms = 0
