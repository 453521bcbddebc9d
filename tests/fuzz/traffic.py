"""Traffic that nobody meant: recordings with their frames lost, repeated, moved, changed and broken.

What is drawn shrinks: Hypothesis looks for the fewest and smallest changes that still fail.
"""

import json
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from benchmarks import hostile
from steno.core.frame import Frame
from steno.sources.recording import parse
from tests import recordings
from tests.core.helpers import JSON, mutated
from tests.scenarios import catalogue

FRAMES_MAX: Final = 40
"""Frames of one piece of traffic, before some are repeated."""
HOSTILE_BYTES: Final = 70_000
TOKENS: Final = [
    b"\\ud83d",
    b"\\",
    b'"',
    b"null",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b"1e999",
    b"-1",
    b"\xff",
    b"\xc3",
    b"\n",
    b"sk-aaaaaaaaaaaa",
]


@cache
def _recorded() -> tuple[tuple[bytes, ...], ...]:
    """Return the payloads of every recording that can be made."""
    made = [recordings.recording(kind) for kind in ("voice", "assistants")]
    made += [recordings.scenario(name) for name in catalogue.SCENARIOS]
    parsed = ([parse(line) for line in each.splitlines()] for each in made)
    return tuple(tuple(frame.payload for frame in lines if isinstance(frame, Frame)) for lines in parsed)


@cache
def _events() -> list[dict[str, Any]]:
    """Return the frames of all recordings that are JSON objects."""
    events = []
    for payload in {payload for frames in _recorded() for payload in frames}:
        try:
            event = json.loads(payload)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return sorted(events, key=lambda event: json.dumps(event, sort_keys=True))


@st.composite
def traffic(draw: st.DrawFn) -> list[bytes]:
    """Return the payloads of a stream: a part of a recording, with some changes."""
    recorded = draw(st.sampled_from(_recorded()))
    begin = draw(st.integers(0, max(0, len(recorded) - 1)))
    frames = list(recorded[begin : begin + draw(st.integers(0, FRAMES_MAX))])
    for _ in range(draw(st.integers(0, 8))):
        _change(draw, frames)
    return frames


def _change(draw: st.DrawFn, frames: list[bytes]) -> None:
    """Change one frame, or its place."""
    at = draw(st.integers(0, len(frames)))
    what = draw(st.sampled_from(["add", "bytes", "hostile", "lose", "repeat", "move", "break", "envelope"]))
    if what == "add":
        frames.insert(at, draw(mutated(_events())))
    elif what == "bytes":
        frames.insert(at, draw(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode())))
    elif what == "hostile":
        make = hostile.KINDS[draw(st.sampled_from(sorted(hostile.KINDS)))]
        frames.insert(at, make(draw(st.integers(300, HOSTILE_BYTES))))
    elif at < len(frames):
        _disturb(draw, frames, at, what)


def _disturb(draw: st.DrawFn, frames: list[bytes], at: int, what: str) -> None:
    """Lose, repeat, move, break or wrap the frame that is there."""
    payload = frames.pop(at)
    if what == "repeat":
        frames[at:at] = [payload] * draw(st.integers(2, 5))
    elif what == "move":
        frames.insert(draw(st.integers(0, len(frames))), payload)
    elif what == "break":
        cut = draw(st.integers(0, len(payload)))
        frames.insert(at, payload[:cut] + draw(st.sampled_from(TOKENS)) + payload[cut + draw(st.integers(0, 3)) :])
    elif what == "envelope":
        subject = draw(st.sampled_from(["a", "b", "a#2", "x" * 300]))
        begin = b'{"specversion":"1.0","id":"%d","source":"s","subject":"%b","data":' % (at, subject.encode())
        frames.insert(at, begin + payload + b"}")
