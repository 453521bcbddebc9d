# ruff: noqa: INP001  # a script, in no package
"""Runs every program in `rows/`, and writes the table: `benchmarks/RESULTS.md`.

    PYTHONPATH=. python benchmarks/bench.py [--full] [SUBJECT ...]

Each subject is a process. What it says is printed as it comes. One that fails, or takes longer than it may, is said in
the table, and the others go on. With subjects named, these alone are measured, and nothing is written.

Exit codes: 0 all ran, whether their bounds hold or not; 1 a subject failed.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.figures import Figure
from tools import revisions
from tools.revisions import RevisionError

ROWS: Final = revisions.ROOT / "benchmarks/rows"
RESULTS: Final = revisions.ROOT / "benchmarks/RESULTS.md"
QUICK_SECONDS: Final = 900
FULL_SECONDS: Final = 3_600
"""How long a subject may take."""
LIBRARIES: Final = ("websockets", "msgspec", "anyio", "prometheus-client", "structlog")
"""Whose versions decide over the figures."""
SAID: Final = {None: "", True: "holds", False: "**missed**"}


class Subject(Struct, frozen=True):
    """What a program of `rows/` said."""

    name: str
    figures: tuple[Figure, ...]
    failure: str = ""
    """Why it did not come to its end; empty where it did."""
    seconds: float = 0.0
    """How long it took."""


def names() -> list[str]:
    """Return the subjects that there are."""
    return sorted(path.stem for path in ROWS.glob("[!_]*.py"))


def measured(name: str, command: Sequence[str], seconds: float, say: Callable[[str], None] = lambda _: None) -> Subject:
    """Run the program of a subject for at most so long, and `say` each figure as it comes."""
    figures: list[Figure] = []
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603  # a program of `rows/`
            command, stdout=subprocess.PIPE, stderr=errors, cwd=revisions.ROOT, start_new_session=True
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        late = Timer(seconds, lambda: _killed(process.pid))
        late.start()
        for line in process.stdout:
            with suppress(msgspec.DecodeError):  # what a library prints is no figure
                figures.append(msgspec.json.decode(line, type=Figure))
                say(figures[-1].line())
        code = process.wait()
        over = not late.is_alive()
        late.cancel()
        errors.seek(0)
        failure = _failure(code, errors.read().decode(errors="replace"), seconds if over else None)
    return Subject(name, tuple(figures), failure)


def _killed(process: int) -> None:
    """Kill what a subject started with it."""
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)


def _failure(code: int, printed: str, seconds: float | None) -> str:
    if seconds is not None:
        return f"took longer than {seconds:g} s"
    last = (printed.strip().splitlines() or [f"exit code {code}"])[-1]
    return last.replace(f"{revisions.ROOT}/", "") if code else ""


# The table ------------------------------------------------------------------------------------------------


def table(subjects: Sequence[Subject]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield "| measured | against | median | spread | bound | | |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for subject in subjects:
        for figure in subject.figures:
            yield _row(figure)
        if subject.failure:
            yield f"| {subject.name} | | | | | **failed** | {_cell(subject.failure)} |"


def _row(figure: Figure) -> str:
    unit = f" {figure.unit}" if figure.unit else ""
    bound = "" if figure.bound is None else f"{'>=' if figure.least else '<='} {figure.bound:g}"
    if not figure.values:
        return _cells(figure.measured, figure.against, "", "", bound, "skipped", figure.note)
    spread = f"{_digits(min(figure.values))} - {_digits(max(figure.values))}"
    value = f"{_digits(figure.value)}{unit}"
    return _cells(figure.measured, figure.against, value, spread, bound, SAID[figure.holds], figure.note)


def _cells(*cells: str) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _digits(value: float) -> str:
    """Return a figure to three digits, or whole where it has more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004  # where three digits end


def report(subjects: Sequence[Subject], *, full: bool) -> str:
    """Return the page."""
    how = "make bench-full" if full else "make bench"
    return "\n".join(
        (
            "# Results",
            "",
            f"Written by `{how}`. Each figure is the median over its rounds; both sides of a ratio ran in turn.",
            "[README.md](README.md) says what is measured, and how.",
            "",
            *(f"- {each}" for each in machine()),
            f"- {sum(subject.seconds for subject in subjects) / 60:.0f} minutes",
            "",
            *table(subjects),
            "",
        )
    )


def machine() -> Iterator[str]:
    """Yield what the figures depend on."""
    yield f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.release()}"
    yield f"load {os.getloadavg()[2]:.1f} in the mean of the last 15 minutes, this run included"
    yield f"Python {platform.python_version()}; {', '.join(f'{name} {version(name)}' for name in LIBRARIES)}"
    with suppress(RevisionError):
        yield f"revision {revisions.described(revisions.ROOT)}"
    yield f"{datetime.now(UTC):%Y-%m-%d}"


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write the page, and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure everything that is promised, and write the table.")
    parser.add_argument("--full", action="store_true", help="all frames: an hour")
    parser.add_argument("subjects", nargs="*", choices=[[], *names()], metavar="SUBJECT", help=", ".join(names()))
    options = parser.parse_args(arguments)
    subjects: list[Subject] = []
    for name in options.subjects or names():
        command = [sys.executable, "-m", f"benchmarks.rows.{name}", "--json", *(["--full"] if options.full else [])]
        began = monotonic()
        subject = measured(name, command, FULL_SECONDS if options.full else QUICK_SECONDS, _say)
        subjects.append(replace(subject, seconds=monotonic() - began))
        _say(f"{name} {f'FAILED: {subject.failure}' if subject.failure else f'took {subjects[-1].seconds:.0f} s'}")
    if not options.subjects:
        RESULTS.write_text(report(subjects, full=options.full), encoding="utf-8")
    return 1 if any(subject.failure for subject in subjects) else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
