# ruff: noqa: INP001  # a script of the house, in no package
"""What a call takes of processor, memory and disk: the figures of docs/capacity.md.

    python benchmarks/sizing.py [CALLS]

The calls are simulated voice sessions of some 20 seconds and 6 turns, without audio in their frames: `feed.py` has what
audio costs. All of them are open at once, and stay open.
"""

import gc
import gzip
import random
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, Final

import msgspec

from steno.core.facts import Fact, Origin, SpeechStopped
from steno.core.frame import Frame
from steno.limits import Limits
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.simulate import voice
from steno.sources.recording import frame_line

CALLS: Final = 300
BEGIN: Final = 1_767_225_600
POLICIES: Final = ("none", "full")
KIB: Final = 1024


class Turns:
    """A sink that counts how often a user stopped speaking."""

    def __init__(self) -> None:
        """Begin at none."""
        self.count = 0

    def emit(self, _origin: Origin, fact: Fact) -> None:
        """Count `fact` if it is such an end."""
        self.count += isinstance(fact, SpeechStopped)


def call(seed: int) -> list[Frame]:
    """Return the frames of a call, each call another one."""
    at = BEGIN * 1_000_000
    frames = []
    for step in voice.session(random.Random(seed), BEGIN):
        at += round(step.after_seconds * 1_000_000)
        frames.append(Frame(msgspec.json.encode(step.event), at))
    return frames


def resident_bytes() -> int:
    """Return what this process holds of the machine's memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4 * KIB


def fed(calls: list[list[Frame]]) -> dict[str, Any]:
    """Feed all calls, a connection each, and return what that took."""
    metrics, turns = Metrics(100), Turns()
    pipeline = Pipeline(Limits(), [metrics, turns])
    before, began = resident_bytes(), process_time()
    for number, frames in enumerate(calls):
        stream = pipeline.stream_opened(f"desk/{number}", "desk", frames[0].at)
        for frame in frames:
            pipeline.feed(stream, frame)
    took = process_time() - began
    return {"cpu": took, "resident": resident_bytes() - before, "turns": turns.count, "kept": pipeline}


def written(calls: list[list[Frame]], policy: str) -> tuple[int, int]:
    """Return how long the audit log of all calls is, and how long it is compressed."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "steno.toml").write_text(f'[audit]\ncontent = "{policy}"\n', encoding="utf-8")
        files = [place / f"call-{number}.jsonl" for number in range(len(calls))]
        for file, frames in zip(files, calls, strict=True):
            file.write_bytes(b"".join(map(frame_line, frames)))
        replay = [sys.executable, "-m", "steno", "replay", "-c", "steno.toml", "--audit", "log", *map(str, files)]
        subprocess.run(replay, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # this program itself
        log = b"".join(segment.read_bytes() for segment in sorted((place / "log").glob("audit-*.jsonl")))
        return len(log), len(gzip.compress(log))


def main() -> None:
    """Measure, and print a line of each figure."""
    count = int(sys.argv[1]) if sys.argv[1:] else CALLS
    calls = [call(seed) for seed in range(count)]
    events = sum(map(len, calls))
    took = fed(calls)
    turns = took["turns"]
    say = sys.stdout.write
    say(f"calls {count}, turns {turns}, events {events}: {events / turns:.0f} a turn\n")
    say(f"processor   {took['cpu'] / events * 1e6:6.1f} us an event, {took['cpu'] / turns * 1e3:.2f} ms a turn\n")
    say(f"memory      {took['resident'] / count / KIB:6.1f} KiB an open call of {turns / count:.0f} turns, resident\n")
    for policy in POLICIES:
        length, compressed = written(calls, policy)
        say(f"log, {policy:6} {length / turns / KIB:6.2f} KiB a turn, {compressed / turns / KIB:.2f} KiB by gzip\n")


if __name__ == "__main__":
    main()
