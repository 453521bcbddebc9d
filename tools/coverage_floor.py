# ruff: noqa: INP001, T201  # a script of the house, in no package, and it prints
"""Holds what the tests cover of each file against a floor that only rises: `make coverage`.

The figure of a file is that of coverage.py with branches: of its statements and its branches, the percentage that ran.
`tests/coverage-floors.json` has the floor of each file, in whole percents. A new file starts with `DEFAULT`.

Without an argument floors stay as they are. `raise` lifts those that have been left behind, takes in new files and
forgets those that are gone. `anew` writes all floors from this run, lower ones too: for when files were cut up or
merged. The exit code is 1 where a file is below its floor.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

ROOT: Final = Path(__file__).parent.parent
REPORT: Final = ROOT / "build/coverage/report.json"
FLOORS: Final = ROOT / "tests/coverage-floors.json"

DEFAULT: Final = 90
"""The floor of a file that has none yet, in percent."""
SLACK: Final = 1
"""By how many percents a floor stays below what was measured.

Runs on one Python find the same. Python 3.11 misses lines of a coroutine that goes on after a cancelled await, as later
ones do not: up to 0.8 percent of a file.
"""

Change = Literal["raise", "anew"]
Floors = Mapping[str, int]


class Summary(Struct, frozen=True):
    """The part of a file's summary that is used."""

    percent_covered: float


class Covered(Struct, frozen=True):
    """What the tests cover of a file. A branch is a pair of lines; a negative one stands for the end of the block."""

    summary: Summary
    missing_lines: list[int] = []
    missing_branches: list[tuple[int, int]] = []

    @property
    def percent(self) -> float:
        """Statements and branches that ran, of all."""
        return self.summary.percent_covered

    @property
    def floor(self) -> int:
        """The floor that this figure allows."""
        return max(0, math.floor(self.percent) - SLACK)

    @property
    def missing(self) -> str:
        """What did not run: lines, then branches between lines that did."""
        alone = [branch for branch in self.missing_branches if not {abs(end) for end in branch} & {*self.missing_lines}]
        lines = [f"{first}-{last}" if last > first else f"{first}" for first, last in _ranges(self.missing_lines)]
        return ", ".join([*lines, *(f"{first}->{'end' if last < 0 else last}" for first, last in alone)])


class Report(Struct, frozen=True):
    """The report of `coverage json`, as far as it is used."""

    files: dict[str, Covered]
    totals: Summary


def _ranges(lines: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of lines that follow each other."""
    first = last = None
    for line in lines:
        if first is None or last is None:
            first = line
        elif line > last + 1:
            yield first, last
            first = line
        last = line
    if first is not None and last is not None:
        yield first, last


def below(report: Report, floors: Floors) -> list[str]:
    """Return a line for each file that is below its floor, and for each floor whose file is gone."""
    low = [
        f"{name}: {file.percent:.1f} % is below its floor of {floors.get(name, DEFAULT)} %; not run: {file.missing}"
        for name, file in report.files.items()
        if file.percent < floors.get(name, DEFAULT)
    ]
    return low + [f"{name}: has a floor and is gone" for name in floors if name not in report.files]


def above(report: Report, floors: Floors) -> list[str]:
    """Return a line for each file whose floor can be raised."""
    return [
        f"{name}: {file.percent:.1f} % allows a floor of {file.floor} % instead of {floors.get(name, DEFAULT)} %"
        for name, file in report.files.items()
        if file.floor > floors.get(name, DEFAULT)
    ]


def changed(report: Report, floors: Floors, change: Change) -> dict[str, int]:
    """Return the floors after a change."""
    if change == "anew":
        return {name: file.floor for name, file in report.files.items()}
    return {name: max(file.floor, floors.get(name, DEFAULT)) for name, file in report.files.items()}


def main(change: Change | None, report_file: Path = REPORT, floors_file: Path = FLOORS) -> int:
    """Change the floors, if that is asked for; print what was found, and return the exit code."""
    report = msgspec.json.decode(report_file.read_bytes(), type=Report)
    floors: Floors = msgspec.json.decode(floors_file.read_bytes(), type=dict[str, int])
    if change:
        floors = changed(report, floors, change)
        floors_file.write_text(json.dumps(floors, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    low, high = below(report, floors), above(report, floors)
    for line in [*high, *low]:
        print(line)
    if high:
        print(f"{len(high)} floors can be raised: make coverage FLOORS=raise")
    print(f"{len(low)} of {len(report.files)} files are below their floors; all: {report.totals.percent_covered:.1f} %")
    return 1 if low else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            sys.exit(main(None))
        case ["raise" | "anew" as change]:
            sys.exit(main(change))
        case _:
            sys.exit("usage: coverage_floor.py [raise | anew]")
