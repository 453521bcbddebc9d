# ruff: noqa: INP001  # a script, in no package
"""The gate for speed: what the working tree costs, as a ratio to another revision.

    PYTHONPATH=. python benchmarks/check.py --base REVISION [--minutes N] [FILE or FOLDER...]

A run is a pair of processes, one a side. Both replay the same input in pieces of some 60 ms, in turn: base and new,
then new and base, and so on. The CPU time, user and system, of each piece gives one ratio, new / base. The two sides
are never further apart than a piece, so that what else the machine does falls on both: whole replays in turn, seconds
apart, gave intervals several times as wide in the same time. A new pair of processes follows, since where a process
happens to put its memory has an effect of its own.

The ratio of a workload is the mean over its pieces, weighted by what they cost, of the median over all runs; its 95 %
confidence interval comes from a bootstrap over the runs. Runs are added until the interval is narrow enough, or the
time is up. Start-up, the CPU time of a whole process that replays nothing, is reported beside it.

Behind it stand instructions an event (`instructions.py`), where valgrind is on PATH: noise does not reach them.

Exit codes: 0 ok or faster; 1 slower; 2 inconclusive, which means that nothing is known, or a revision that cannot be
measured.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count, islice
from math import ceil
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, Final

from msgspec import Struct

from benchmarks import instructions, mix
from benchmarks.verdicts import (
    SLOWER_AT,
    WIDEST,
    Estimate,
    Run,
    Verdict,
    estimate,
    overall,
    verdict,
)
from tools import revisions
from tools.revisions import RevisionError

PIECE_FRAMES: Final = 3_000
PIECES: Final = 10
"""Of a workload: with 10, most of a process's life is measured, and not its start-up."""
MINUTES: Final = 10.0
"""How long to measure at most."""
RUNS_LEAST: Final = 20
"""Runs before an interval is believed: with fewer, it may be narrow by chance."""
ROUNDS_A_LOOK: Final = 5
"""Runs of each workload between two looks at the intervals."""

CONFIGURATION: Final = "[limits]\nkept_objects = 256\n"
"""As the daemon has it by default; a replay without it keeps everything."""

IDENTIFIER: Final = re.compile(
    rb'"((?:thread|run|step|msg|asst|call|resp|item|event|evt|sess|conv|rtc)_)(?=[A-Za-z0-9]{16,}")'
)
"""Where an upstream identifier begins."""


# Measuring ------------------------------------------------------------------------------------------------


class Measured(Struct):
    """A workload and its runs."""

    name: str
    run: Callable[[int], Run]
    """Runs it once with both sides; is told how often it ran before."""
    judged: bool = True
    """Whether its ratio counts for the verdict; start-up is only reported."""
    runs: list[Run] = []

    @property
    def estimate(self) -> Estimate:
        """What is known by now."""
        return estimate(self.runs)


def measure(workloads: Sequence[Measured], is_over: Callable[[], bool], report: Callable[[str], None]) -> None:
    """Run workloads until those that are judged have narrow intervals, or `is_over`.

    Each workload runs at least once.
    """
    left = list(workloads)
    for rounds in count(1):
        for each in left:
            each.runs.append(each.run(len(each.runs)))
        if rounds % ROUNDS_A_LOOK == 0:
            report("; ".join(f"{each.name} {_shown(each.estimate)}" for each in left))
            left = [each for each in left if not _is_settled(each)]
        if is_over() or not any(each.judged for each in left):
            return


def _is_settled(each: Measured) -> bool:
    return len(each.runs) >= RUNS_LEAST and each.estimate.width <= WIDEST


def _shown(found: Estimate) -> str:
    return f"{found.ratio:.3f} ({found.low:.3f} - {found.high:.3f})"


def in_turn(number: int, pieces: Sequence[Any], cost: Callable[[int, Any], float]) -> Run:
    """Return what each piece costs with base (0) and new (1).

    The order alternates, so that what comes first has no advantage: from piece to piece, and from run to run.
    """
    costs = []
    for index, piece in enumerate(pieces, number):
        first = index % 2
        took = {first: cost(first, piece), 1 - first: cost(1 - first, piece)}
        costs.append((took[0], took[1]))
    return tuple(costs)


# Processes ------------------------------------------------------------------------------------------------


class Sides:
    """Runs `steno replay` with the two checkouts."""

    def __init__(self, checkouts: Sequence[Path], folder: Path) -> None:
        """Run `checkouts`, base and new; write into `folder`."""
        self._environments = [revisions.environment(checkout) for checkout in checkouts]
        self._output = folder / "output"
        self._configuration = folder / "steno.toml"
        self._configuration.write_text(CONFIGURATION)

    def replay(self, pieces: Sequence[Sequence[Path]], number: int) -> Run:
        """Replay pieces with both sides in turn, in two new processes.

        The first piece is not measured: with it, the processes load their code.
        """
        with ExitStack() as stack:
            processes = [stack.enter_context(self._process(side, number)) for side in (0, 1)]

            def cost(side: int, piece: Sequence[Path]) -> float:
                return self._job(processes[side], piece)

            in_turn(number, pieces[:1], cost)
            return in_turn(number, pieces[1:], cost)

    @contextmanager
    def _process(self, side: int, number: int) -> Iterator[subprocess.Popen[str]]:
        environment = {**self._environments[side], "PYTHONHASHSEED": str(number)}
        command = [sys.executable, str(revisions.RUN_JOBS)]
        with subprocess.Popen(  # noqa: S603  # this Python, on one of the two checkouts
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield process

    def _job(self, process: subprocess.Popen[str], files: Sequence[Path]) -> float:
        """Return the CPU seconds of one replay. Raises RevisionError where it fails."""
        assert process.stdin is not None  # noqa: S101  # both are pipes
        assert process.stdout is not None  # noqa: S101
        job = {"arguments": self._arguments(files), "folder": str(self._output)}
        with suppress(BrokenPipeError):  # then there is no answer either
            process.stdin.write(f"{json.dumps(job)}\n")
            process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise RevisionError(f"a process ended in the middle: {process.wait()}")
        if (self._output / "exit").read_text() != "0\n":
            raise RevisionError(f"a replay failed: {(self._output / 'stderr').read_text().strip()}")
        shutil.rmtree(self._output)
        return float(answer)

    def _arguments(self, files: Sequence[Path]) -> list[str]:
        outputs = ("--metrics", str(self._output / "metrics"), "--audit", str(self._output / "audit"))
        return ["replay", "-c", str(self._configuration), *outputs, *map(str, files)]

    def start_up(self, empty: Path, number: int) -> Run:
        """Replay an empty recording with each side, in a process of its own that is measured as a whole."""
        return in_turn(number, [[empty]], self._whole)

    def _whole(self, side: int, files: Sequence[Path]) -> float:
        self._output.mkdir()
        took = cpu_seconds([sys.executable, "-m", "steno", *self._arguments(files)], self._environments[side])
        shutil.rmtree(self._output)
        return took


def cpu_seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    """Return the CPU seconds, user and system, of a process from its start to its end.

    Raises RevisionError where its exit code is not 0.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603  # this Python, on one of the two checkouts
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)  # not Popen.wait: it does not say what this child used
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise RevisionError(f"exit code {process.returncode}: {errors.read().decode(errors='replace').strip()}")
    return usage.ru_utime + usage.ru_stime


def pin() -> None:
    """Keep this process, and those that it starts, on one CPU, where the system can: CPUs are not alike."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


# Workloads ------------------------------------------------------------------------------------------------


def write_mix(folder: Path) -> list[list[Path]]:
    """Write generated traffic into `folder`; return its pieces, and one before them to warm up."""
    pieces = [folder / f"mix-{number}.jsonl" for number in range(PIECES + 1)]
    for number, path in enumerate(pieces):
        with path.open("wb") as file:
            file.writelines(mix.lines(PIECE_FRAMES, number))
    return [[path] for path in pieces]


def write_recordings(recordings: Sequence[Path], folder: Path) -> list[list[Path]]:
    """Write recordings into `folder`, over and over until there are enough pieces; return these as `write_mix` does.

    All recordings are in the pieces that are measured. Identifiers are renamed in each repetition: it is new traffic,
    not events that are delivered again. Raises RevisionError where there is no frame.
    """
    contents = [recording.read_bytes() for recording in recordings]
    frames = sum(map(_frames, contents))
    if frames == 0:
        raise RevisionError("the recordings are empty")
    measured = max(PIECES, ceil(frames / PIECE_FRAMES))
    return list(islice(_pieces(contents, folder), measured + 1))


def _pieces(contents: Sequence[bytes], folder: Path) -> Iterator[list[Path]]:
    """Write recordings and yield them in pieces, without end."""
    piece: list[Path] = []
    frames = 0
    for repetition in count():
        for number, content in enumerate(contents):
            piece.append(folder / f"{repetition}-{number}.jsonl")
            piece[-1].write_bytes(renamed(content, repetition))
            frames += _frames(content)
            if frames >= PIECE_FRAMES:
                yield piece
                piece, frames = [], 0


def _frames(recording: bytes) -> int:
    return len(recording.splitlines())


def renamed(content: bytes, repetition: int) -> bytes:
    """Return a recording with other identifiers of the same form."""
    return IDENTIFIER.sub(rb'"\g<1>%dR' % repetition, content)


def _workloads(checkouts: Sequence[Path], places: Sequence[Path], folder: Path) -> list[Measured]:
    recordings = revisions.recordings_in(places)
    if not recordings:
        simulated = folder / "simulated"
        simulated.mkdir()
        revisions.write_simulated(checkouts, simulated)
        recordings = [*revisions.golden(revisions.ROOT), *revisions.recordings_in([simulated])]
    empty = folder / "empty.jsonl"
    empty.touch()
    sides = Sides(checkouts, folder)
    pieces = {"mix": write_mix(folder), "recordings": write_recordings(recordings, folder)}
    return [
        *(Measured(name, partial(sides.replay, each)) for name, each in pieces.items()),
        Measured("start-up", partial(sides.start_up, empty), judged=False),
    ]


# The report -----------------------------------------------------------------------------------------------

MEANING: Final[dict[Verdict, str]] = {
    "ok": f"every interval ends at {SLOWER_AT} or below",
    "faster": "every interval ends below 1",
    "slower": f"an interval ends above {SLOWER_AT}, or a kind of event takes as many more instructions",
    "inconclusive": f"an interval is wider than {WIDEST}, so nothing is known; give it more time or a quieter machine",
}
EXIT_CODES: Final[dict[Verdict, int]] = {"ok": 0, "faster": 0, "slower": 1, "inconclusive": 2}


def table(measured: Sequence[Measured]) -> Iterator[str]:
    """Yield a line a workload: runs, CPU milliseconds of a run with each side, ratio, interval and verdict."""
    yield f"{'workload':<12}{'runs':>6}{'base ms':>9}{'new ms':>9}{'ratio':>8}  {'95 % interval':<15}  verdict"
    for each in measured:
        found = each.estimate
        base, new = (1_000 * median(sum(piece[side] for piece in run) for run in each.runs) for side in (0, 1))
        interval = f"{found.low:.3f} - {found.high:.3f}"
        said = verdict(found) if each.judged else "(not judged)"
        yield f"{each.name:<12}{len(each.runs):>6}{base:>9.0f}{new:>9.0f}{found.ratio:>8.3f}  {interval:<15}  {said}"


def main(arguments: Sequence[str]) -> int:
    """Measure, print the report, and return the exit code."""
    options = _options(arguments)
    try:
        with revisions.checkout(options.base) as base, tempfile.TemporaryDirectory(prefix="steno-bench-") as folder:
            measured = _measured((base, revisions.ROOT), Path(folder), options)
            found = _instructions((base, revisions.ROOT))
    except RevisionError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CODES["inconclusive"]
    verdicts = [verdict(each.estimate) for each in measured if each.judged]
    said = overall(verdicts if instructions.holds(found) else ["slower"])
    _say(*table(measured), f"verdict: {said}: {MEANING[said]}")
    return EXIT_CODES[said]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the working tree against another revision.")
    parser.add_argument("--base", required=True, metavar="REVISION", help="what the working tree is measured against")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long to measure at most (%(default)g)")
    parser.add_argument("places", nargs="*", type=Path, metavar="PLACE", help="recordings in place of the project's")
    return parser.parse_args(arguments)


def _measured(checkouts: Sequence[Path], folder: Path, options: argparse.Namespace) -> list[Measured]:
    for checkout in checkouts:
        revisions.require_own_code(checkout)
    _say(f"base  {revisions.described(checkouts[0])}", revisions.lock_warning(*checkouts))
    workloads = _workloads(checkouts, options.places, folder)
    pin()
    for each in workloads:
        each.run(0)  # not counted: it compiles the modules of a new checkout
    end = monotonic() + options.minutes * 60
    measure(workloads, lambda: monotonic() > end, _say)
    return workloads


def _instructions(checkouts: Sequence[Path]) -> list[instructions.Counted]:
    """Count instructions, and say what they are; count none where there is nothing to count with."""
    if shutil.which("valgrind") is None:
        _say("instructions are not counted: valgrind is not on PATH")
        return []
    found = instructions.counted(checkouts)
    _say(*instructions.table(found))
    return found


def _say(*lines: str | None) -> None:
    for line in lines:
        if line is not None:
            sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
