# ruff: noqa: INP001  # a module of scripts, in no package
"""A figure of a benchmark: what was measured, in turn with what it is held against, and its bound.

Each program in `rows/` measures one subject. It prints a line a figure, for people, or with `--json` for `bench.py`,
which runs all of them and writes the table. A ratio is taken per round: both sides run one after the other, so that
what else the machine does falls on both. The median over the rounds is the figure; the spread is said beside it.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final, Literal

import msgspec
from msgspec import Struct

QUICK_FRAMES: Final = 20_000
FULL_FRAMES: Final = 200_000
ROUNDS: Final = 5


class Figure(Struct, frozen=True):
    """What one row of the table says."""

    measured: str
    against: str
    """What it is a ratio to; `-` where it is a value of its own."""
    values: tuple[float, ...]
    """One a round; none where it was skipped, and the note says why."""
    bound: float | None
    """What the median must not pass; None where it is reported alone."""
    unit: str = ""
    """Empty for a ratio."""
    least: bool = False
    """Whether the bound is the least that it must reach, and not the most."""
    note: str = ""
    """What the two sides took, in absolute terms, or what else a reader needs."""

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def holds(self) -> bool | None:
        """Whether the bound is kept; None where there is none, or nothing was measured."""
        if self.bound is None or not self.values:
            return None
        return self.value >= self.bound if self.least else self.value <= self.bound

    def line(self) -> str:
        """Return it for people: one line."""
        if not self.values:
            return f"{self.measured} / {self.against}: {self.note}"
        spread = f"{min(self.values):.3g} - {max(self.values):.3g}"
        sign = ">=" if self.least else "<="
        bound = "" if self.bound is None else f"{sign} {self.bound:g}"
        said: dict[bool | None, Literal["", "holds", "MISSED"]] = {None: "", True: "holds", False: "MISSED"}
        value = f"{self.value:.3g}{' ' + self.unit if self.unit else ''}"
        return f"{self.measured} / {self.against}: {value} ({spread}) {bound} {said[self.holds]} {self.note}".rstrip()


class Scale(Struct, frozen=True):
    """How much is measured."""

    frames: int = QUICK_FRAMES
    rounds: int = ROUNDS
    full: bool = False
    """Whether it may take minutes."""


def ratios(
    measured: Callable[[], float], against: Callable[[], float], rounds: int
) -> tuple[tuple[float, ...], float, float]:
    """Run both in turn, A B, B A and so on, once before it counts.

    Returns:
        The ratio of each round, and the medians of both sides.
    """
    measured(), against()
    sides: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            sides[side].append((measured, against)[side]())
    return tuple(a / b for a, b in zip(*sides, strict=True)), median(sides[0]), median(sides[1])


def main(rows: Callable[[Scale], Iterable[Figure]], arguments: Sequence[str] | None = None) -> None:
    """Run the program of a subject: measure, and print each figure as soon as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="200,000 frames, and what takes minutes")
    parser.add_argument("--json", action="store_true", help="a JSON object a line, for bench.py")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    scale = Scale(FULL_FRAMES if options.full else QUICK_FRAMES, options.rounds, options.full)
    for figure in rows(scale):
        line = msgspec.json.encode(figure).decode() if options.json else figure.line()
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
