# ruff: noqa: INP001  # a script, in no package
"""The gate that noise does not reach: instructions an event, as a ratio to another revision.

    PYTHONPATH=. python benchmarks/instructions.py [--base REVISION] [--most RATIO]

Valgrind's callgrind counts what `steno replay` with metrics and an audit log executes, at a fixed hash seed. The same
code on the same input gives the same count to a few hundred in a thousand million, whatever else the machine does. Each
kind of event is replayed behind the same opening as a recording that is the opening alone; the difference is what the
events cost, and start-up cancels. Both revisions run on this Python and these libraries, so that nothing but the code
differs: counts that were kept from another machine would say as much about its libraries.

Without `--base` it is where the branch left `main`; on `main` the commit before. Where neither can be had, as in a
shallow clone, that is said, and nothing is held.

Exit codes: 0 all ratios are at most `--most`; 1 one is above; 2 nothing is known.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final

from msgspec import Struct

from benchmarks import mix
from tools import revisions
from tools.revisions import RevisionError

MOST: Final = 1.03
"""Ratio that no kind may pass."""
KINDS: Final[dict[str, tuple[int, Callable[[int], Iterable[bytes]]]]] = {
    "transcript delta": (2_000, mix.transcript_deltas),
    "audio delta of 8 KB": (1_000, mix.audio_deltas),
    "response, begin to end": (250, mix.responses),
}
"""The hottest ones: how many are counted, and what makes them. The third ends in `response.done`, the dearest event."""
OPENING: Final = 20
"""Of each kind, before it counts: code is loaded, and what is remembered has its first size."""
CLOSED: Final = b'{"dir":"close","code":1000,"reason":""}\n'
"""Each kind is on a connection of its own: a stream that carries several sessions is looked at far more closely."""
TRUNKS: Final = ("origin/main", "main")
COLLECTED: Final = re.compile(r"^==\d+== Collected : (\d+)$", re.MULTILINE)


class Counted(Struct, frozen=True):
    """What an event of a kind costs, in instructions."""

    kind: str
    base: float
    new: float

    @property
    def ratio(self) -> float:
        """What the working tree costs, as a ratio to the base."""
        return self.new / self.base


def counted(checkouts: Sequence[Path]) -> list[Counted]:
    """Count all kinds with both revisions, base and new. Raises RevisionError where one cannot be run."""
    with tempfile.TemporaryDirectory(prefix="steno-instructions-") as name:
        folder = Path(name)
        recordings = write(folder)
        for checkout in checkouts:
            revisions.require_own_code(checkout)
            _replay(checkout, [], recordings[0], folder)  # not counted: it compiles the modules of a new checkout
        jobs = [(checkout, recording) for recording in recordings for checkout in checkouts]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            totals = list(pool.map(lambda job: _total(job[0], job[1], folder), jobs))
    return each_kind(totals)


def write(folder: Path) -> list[Path]:
    """Write the opening, and the opening followed by each kind; return the recordings in this order."""
    opening = list(chain.from_iterable((*make(OPENING), CLOSED) for _, make in KINDS.values()))
    recordings = [folder / f"{number}.jsonl" for number in range(len(KINDS) + 1)]
    recordings[0].write_bytes(b"".join(opening))
    for path, (count, make) in zip(recordings[1:], KINDS.values(), strict=True):
        path.write_bytes(b"".join((*opening, *make(count))))
    return recordings


def each_kind(totals: Sequence[int]) -> list[Counted]:
    """Return what an event of each kind costs, from the totals of all runs: base and new of each recording in turn."""
    opening, runs = totals[:2], zip(totals[2::2], totals[3::2], strict=True)
    return [
        Counted(kind, *((total - start) / count for total, start in zip(run, opening, strict=True)))
        for (kind, (count, _)), run in zip(KINDS.items(), runs, strict=True)
    ]


def _total(checkout: Path, recording: Path, folder: Path) -> int:
    """Return how many instructions the replay of a recording takes."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise RevisionError("valgrind is needed, and is not on PATH")
    return collected(
        _replay(checkout, [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"], recording, folder)
    )


def _replay(checkout: Path, under: Sequence[str], recording: Path, folder: Path) -> str:
    """Replay a recording with a revision, and return what stands on standard error."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        outputs = ["--metrics", f"{output}/metrics", "--audit", f"{output}/audit"]
        done = subprocess.run(  # noqa: S603  # this Python, on one of the two checkouts
            [*under, sys.executable, "-m", "steno", "replay", *outputs, str(recording)],
            env={**revisions.environment(checkout), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RevisionError(f"{checkout} cannot be counted: {done.stderr.strip()[-2_000:]}")
    return done.stderr


def collected(printed: str) -> int:
    """Return the total in what callgrind prints. Raises RevisionError where there is none."""
    found = COLLECTED.search(printed)
    if found is None:
        raise RevisionError(f"callgrind printed no total: {printed.strip()[-2_000:]}")
    return int(found[1])


def table(found: Iterable[Counted]) -> Iterator[str]:
    """Yield a line a kind: instructions an event with each side, and the ratio."""
    yield f"{'instructions an event':<24}{'base':>10}{'new':>10}{'ratio':>8}"
    for each in found:
        yield f"{each.kind:<24}{each.base:>10,.0f}{each.new:>10,.0f}{each.ratio:>8.3f}"


def holds(found: Iterable[Counted], most: float = MOST) -> bool:
    """Return whether no kind costs more than it may."""
    return all(each.ratio <= most for each in found)


def default_base(repository: Path = revisions.ROOT) -> str | None:
    """Return where the branch left `main`, else the commit before; None where this clone has neither."""
    head = revisions.commit_of("HEAD", repository)
    for trunk in TRUNKS:
        with suppress(RevisionError):
            if (left := revisions.left_from(trunk, repository)) != head:
                return left
    with suppress(RevisionError):
        return revisions.commit_of("HEAD^", repository)
    return None


def main(arguments: Sequence[str]) -> int:
    """Count, print, and return the exit code."""
    parser = argparse.ArgumentParser(description="Count instructions of the working tree and of another revision.")
    parser.add_argument("--base", metavar="REVISION", help="default: where the branch left main, or the commit before")
    parser.add_argument("--most", type=float, default=MOST, metavar="RATIO", help="of any kind (%(default)g)")
    options = parser.parse_args(arguments)
    try:
        base = options.base or default_base()
        if base is None:
            sys.stdout.write("instructions: this clone has no commit before this one, so nothing is held\n")
            return 0
        with revisions.checkout(base) as checkout:
            sys.stdout.write(f"base  {revisions.described(checkout)}\n")
            found = counted((checkout, revisions.ROOT))
    except RevisionError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    kept = holds(found, options.most)
    said = f"no kind is above {options.most:g}" if kept else f"MISSED: a kind is above {options.most:g}"
    sys.stdout.write("\n".join((*table(found), said)) + "\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
