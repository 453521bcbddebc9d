"""Recordings of simulated conversations and scenarios, the same at every call."""

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from steno.core.frame import Frame
from steno.simulate import assistants, voice
from steno.simulate.steps import Cut
from steno.sources.recording import Close, close_line, frame_line
from steno.timestamps import timestamp
from tests.scenarios import catalogue

STARTED_AT = 1_767_225_600
SEEDS: Final = (1, 2, 3, 4, 5)
"""Of the conversations that `write_all` writes."""


def timed(kind: str, seed: int = 1) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the events of a conversation with their times in microseconds; `kind` is voice or assistants."""
    make = voice.session if kind == "voice" else assistants.stream
    at = float(STARTED_AT)
    for step in make(random.Random(seed), STARTED_AT):
        at += step.after_seconds
        yield round(at * 1_000_000), step.event


def frames(kind: str, seed: int = 1, most: int | None = None) -> list[bytes]:
    """Return the payloads of a conversation."""
    return [msgspec.json.encode(event) for _, event in islice(timed(kind, seed), most)]


def recording(kind: str, seed: int = 1) -> bytes:
    """Return a conversation as a recording with times."""
    return b"".join(
        b'{"dir":"received","at":"%b","data":%b}\n' % (timestamp(at).encode(), msgspec.json.encode(event))
        for at, event in timed(kind, seed)
    )


def scenario(name: str, seed: int = 1) -> bytes:
    """Return a scenario as a recording with times and its close. Secrets are masked.

    A scenario with two connections is one recording: what follows a close is another stream.
    """
    return b"".join(
        close_line(line) if isinstance(line, Close) else frame_line(line) for line in scenario_lines(name, seed)
    )


def scenario_lines(name: str, seed: int = 1) -> Iterator[Frame | Close]:
    """Yield the frames of a scenario with their times, and the closes. No two scenarios share an id."""
    played = catalogue.SCENARIOS[name]
    at = STARTED_AT * 1_000_000
    for step in played.make(random.Random(f"{seed}/{name}"), STARTED_AT):
        at += round(step.after_seconds * 1_000_000)
        yield Close(at, 1000, "") if isinstance(step, Cut) else Frame(step.payload(), at)
    if played.close is not None:
        yield Close(at, *played.close)


def write_all(folder: Path) -> None:
    """Write conversations of every kind and every scenario into `folder`, a file each."""
    for kind in ("voice", "assistants"):
        for seed in SEEDS:
            (folder / f"{kind}-{seed}.jsonl").write_bytes(recording(kind, seed))
    for name in catalogue.SCENARIOS:
        (folder / f"scenario-{name}.jsonl").write_bytes(scenario(name))
