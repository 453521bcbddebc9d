"""`make fuzz`: traffic that nobody meant, until the time is up or something does not hold.

    python -m tests.fuzz.run SECONDS [SEED]

It prints the seed of each round. Where something fails, the fewest frames that still fail are written to a recording in
`build/fuzz`, which `steno replay` reads, and the exit code is 1. The same seed finds the same again.
"""

import random
import sys
import tempfile
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Final

import hypothesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steno.limits import Limits
from tests.fuzz.harness import TIGHT, as_recording, check
from tests.fuzz.traffic import traffic

FOUND: Final = Path("build/fuzz")
EXAMPLES: Final = 30
"""Pieces of traffic a round."""

LIMITS: Final = (Limits(), TIGHT)


def fuzz_once(seed: int, failing: Path, examples: int = EXAMPLES) -> None:
    """Run one round. Where it raises, `failing` is the recording of what failed."""

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(traffic(), st.sampled_from(LIMITS))
    def play(frames: list[bytes], limits: Limits) -> None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                check(frames, Path(folder), limits)
            except BaseException:
                failing.parent.mkdir(parents=True, exist_ok=True)
                failing.write_bytes(as_recording(frames))  # the last that fails is the smallest
                raise

    play()


def fuzz(seconds: float, first_seed: int, say: Callable[[str], object]) -> int:
    """Run rounds until `seconds` have passed. Return 0, or 1 where one failed."""
    until = monotonic() + seconds
    for seed in count(first_seed):
        failing = FOUND / f"{seed}.jsonl"
        say(f"seed {seed}\n")
        try:
            fuzz_once(seed, failing)
        except Exception:  # noqa: BLE001  # whatever was raised is what was looked for
            say(traceback.format_exc())
            say(f"seed {seed} fails: see {failing}, and try again with make fuzz SEED={seed}\n")
            return 1
        if monotonic() > until:
            return 0
    return 0


if __name__ == "__main__":
    arguments = [*sys.argv[1:], ""]
    seed = int(arguments[1]) if arguments[1:] and arguments[1] else random.SystemRandom().randrange(1 << 32)
    sys.exit(fuzz(float(arguments[0] or 120), seed, sys.stdout.write))
