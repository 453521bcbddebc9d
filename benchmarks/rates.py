# ruff: noqa: INP001  # a script of the house, in no package
"""How many frames a turn of a call has, and how long the model speaks in it: counted in recordings of your own calls.

    .venv/bin/python benchmarks/rates.py FILE ...

A file is a recording as `steno run --record` writes it, or holds a bare event a line. The length of the model's speech
follows from its usage: a token of its audio is 50 ms. docs/capacity.md has what follows from that.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

TOKEN_SECONDS: Final = 0.05
"""Of the audio of a model: 20 tokens a second. That of a user has ten."""


class Rates(Struct):
    """What is counted in a recording."""

    sent: int = 0
    sound: int = 0
    """Received frames that are sound."""
    deltas: int = 0
    """Received frames that are a part of a text: of a transcript, a message, arguments."""
    rest: int = 0
    """All other received frames: sessions, items, responses."""
    responses: int = 0
    spoken_seconds: float = 0.0

    def add(self, event: dict[str, Any], *, sent: bool) -> None:
        """Count an event."""
        kind = str(event.get("type") or event.get("event") or "")
        if sent:
            self.sent += 1
        elif kind.endswith("audio.delta"):
            self.sound += 1
        elif kind.endswith("delta"):
            self.deltas += 1
        else:
            self.rest += 1
        if kind in {"response.done", "thread.run.completed"}:
            self.responses += 1
            self.spoken_seconds += _audio_tokens(event) * TOKEN_SECONDS

    def line(self) -> str:
        """Return it for people: of each response."""
        each = max(self.responses, 1)
        speech = self.spoken_seconds
        of_speech = f", {self.sound / speech:.1f} of sound a second of speech" if speech else ""
        return (
            f"{self.responses} responses; of each: sent {self.sent / each:.1f}, sound {self.sound / each:.1f}, "
            f"deltas {self.deltas / each:.1f}, rest {self.rest / each:.1f}; {speech / each:.1f} s of speech{of_speech}"
        )


def _audio_tokens(event: dict[str, Any]) -> int:
    found: Any = event
    for key in ("response", "usage", "output_token_details", "audio_tokens"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, int) else 0


def events(path: Path) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the events of a recording, and whether each was sent."""
    for line in path.read_bytes().splitlines():
        found = msgspec.json.decode(line)
        if not isinstance(found, dict) or found.get("dir") in {"close", "gap"}:
            continue
        event = found.get("data") if "dir" in found else found
        if isinstance(event, dict):
            yield event, found.get("dir") == "sent"


def main() -> None:
    """Print a line a recording."""
    for name in sys.argv[1:]:
        rates = Rates()
        for event, sent in events(Path(name)):
            rates.add(event, sent=sent)
        sys.stdout.write(f"{Path(name).name}: {rates.line()}\n")


if __name__ == "__main__":
    main()
