"""Honest sources: simulated callers and assistants, one conversation after the other, and all that was sent is kept.

What a source sends is a function of the seed. Each connection is a recording of its own, without times, so that a
replay of these files says what must stand in the daemon's outputs.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import anyio
import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from steno.core.frame import Frame
from steno.simulate import assistants, voice
from steno.simulate.server import Story, parts
from steno.simulate.steps import RawStep, Step
from steno.sources.recording import Close, close_line, frame_line
from tests.scenarios import assistants as assistants_scenarios
from tests.scenarios import realtime, tools, user_input

STARTED_AT: Final = 1_795_000_000
"""The Unix second at which all conversations begin, by what their objects say."""
LONGEST_PAUSE_SECONDS: Final = 1.0
"""Some scenarios wait for minutes. Nothing else is known after that."""

VOICE: Final = (Story(voice.session),)
DESK: Final = (Story(assistants.stream),)
ODD: Final = tuple(
    Story(each.make)
    for part in (realtime, user_input, tools, assistants_scenarios)
    for each in part.SCENARIOS
    if each.close in {None, (1000, "")}
)
"""What real traffic does now and then: ends that contradict each other, parallel responses, interleaved threads."""
ODD_NAME: Final = "odd"
"""The source that says these."""


class Source:
    """One honest source: its connections, in order, and what each was sent."""

    def __init__(self, name: str, stories: tuple[Story, ...], seed: int, speed: float, folder: Path) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.frames = 0
        self.bytes = 0
        self.broken: list[str] = []
        """Connections that the daemon left in the middle of a conversation."""
        self.finished = anyio.Event()
        """Set when the last conversation was sent to its end, and no other begins."""
        self._stories = stories
        self._rng = Random(f"{seed}/{name}")
        self._speed = speed
        self._left: list[list[Step]] = []
        self._number = 0
        self._last = False

    def recordings(self) -> list[Path]:
        """Return the files of what was sent, a file a connection, in order."""
        return sorted(self.folder.glob("*.jsonl"))

    def last(self) -> None:
        """Begin no further conversation."""
        self._last = True

    async def speak(self, connection: ServerConnection) -> None:
        """Send the next connection of a story and close in order; when all is said, stay without a word."""
        if not self._left:
            if self._last:
                self.finished.set()
                await connection.wait_closed()
                return
            self._left = parts(self._rng.choice(self._stories).make(self._rng, STARTED_AT))
        self._number += 1
        path = self.folder / f"{self._number:06}.jsonl"
        try:
            with path.open("wb") as file:
                await self._say(connection, self._left.pop(0), file.write)
                file.write(close_line(Close(None, 1000, "")))
            await connection.close(1000)
        except ConnectionClosed as closed:
            self.broken.append(f"{path.name}: {closed}")

    async def _say(self, connection: ServerConnection, steps: list[Step], record: Callable[[bytes], object]) -> None:
        due = anyio.current_time()
        for step in steps:
            due += min(step.after_seconds, LONGEST_PAUSE_SECONDS) / self._speed
            await anyio.sleep_until(due)
            payload = step.payload()
            await connection.send(payload, text=not isinstance(step, RawStep))
            record(frame_line(Frame(payload, None)))
            self.frames += 1
            self.bytes += len(payload)


def sources(seed: int, speed: float, folder: Path, many: int) -> list[Source]:
    """Return `many` callers, half as many assistants, and one of what is odd but true."""
    voices = [Source(f"voice-{number}", VOICE, seed, speed, folder) for number in range(1, many + 1)]
    desks = [Source(f"desk-{number}", DESK, seed, speed, folder) for number in range(1, many // 2 + 1)]
    return [*voices, *desks, Source(ODD_NAME, ODD, seed, speed, folder)]


# What was sent, counted by hand ---------------------------------------------------------------------------------


class Sent(msgspec.Struct):
    """The ends that a source reported, by their ids, and the tokens in them. No code of the daemon counts here."""

    responses: dict[str, int] = {}
    """Response to all tokens of its usage; 0 where it has none."""
    runs: dict[str, int] = {}
    steps: set[str] = set()


ENDS: Final = ("completed", "failed", "cancelled", "incomplete", "expired")


def counted(source: Source) -> Sent:
    """Return what the recordings of `source` report as ended."""
    sent = Sent()
    for event in _events(source):
        kind = str(event.get("type") or event.get("event") or "")
        if kind == "response.done":
            response = event["response"]
            sent.responses.setdefault(response["id"], _tokens(response))
        elif kind.startswith("thread.run.step.") and kind.endswith(ENDS):
            sent.steps.add(event["data"]["id"])
        elif kind.startswith("thread.run.") and kind.endswith(ENDS):
            sent.runs.setdefault(event["data"]["id"], _tokens(event["data"]))
    return sent


def _events(source: Source) -> Iterator[dict[str, Any]]:
    for path in source.recordings():
        for line in path.read_bytes().splitlines():
            if isinstance(data := json.loads(line).get("data"), dict):
                yield data


def _tokens(reported: dict[str, Any]) -> int:
    usage = reported.get("usage")
    return int(usage["total_tokens"]) if isinstance(usage, dict) else 0
