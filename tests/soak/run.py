"""`make soak`: honest and hostile sources together, for minutes, with faults around the daemon all the while.

    python -m tests.soak.run SECONDS [SEED]

It prints its seed first, then what cannot be made here, then the table, and exits with 1 where something does not hold.
The folder with all that was sent and written is then left. The same seed sends the same; when what happens is up to the
machine.
"""

import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import anyio
import msgspec

from tests.soak.report import judge, table
from tests.soak.soak import LONG, Form, Soak

MOST: Final = 40
"""Faults that are printed."""


def run(form: Form, seed: int, folder: Path) -> tuple[Soak, list[str]]:
    """Run a soak to its end; return it, and what does not hold."""
    soak = Soak(form, seed, folder)
    anyio.run(soak.run)
    return soak, judge(soak)


def main(seconds: float, seed: int) -> int:
    """Run the long form for `seconds`."""
    say = sys.stdout.write
    say(f"seed {seed}\n")
    sys.stdout.flush()
    folder = Path(tempfile.mkdtemp(prefix="steno-soak-"))
    soak, wrong = run(msgspec.structs.replace(LONG, seconds=seconds), seed, folder)
    say("".join(f"not made here: {note}\n" for note in soak.notes))
    say(table(soak))
    if wrong:
        say("".join(f"DOES NOT HOLD: {each}\n" for each in wrong[:MOST]) + f"{len(wrong)} faults, see {folder}\n")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    arguments = [*sys.argv[1:], "", ""]
    drawn = random.SystemRandom().randrange(1 << 32)
    sys.exit(main(float(arguments[0] or LONG.seconds), int(arguments[1] or drawn)))
