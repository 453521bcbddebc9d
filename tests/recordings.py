"""Recordings of the simulated provider's conversations: made here, the same at every call."""

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from steno.audit.format import timestamp
from steno.simulate import assistants, voice

STARTED_AT = 1_767_225_600


def timed(kind: str, seed: int = 1) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield a conversation's events with their times in microseconds; `kind` is voice or assistants."""
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
