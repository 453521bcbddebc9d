# ruff: noqa: INP001  # a module of scripts, in no package
"""What pairs of runs say: the ratio of their costs, its interval, and whether that is slower."""

from collections.abc import Sequence
from math import inf
from random import Random
from statistics import median
from typing import Final, Literal

from msgspec import Struct

SLOWER_AT: Final = 1.03
"""Ratio that the upper end of the interval must not pass."""
WIDEST: Final = 0.03
"""Widest interval that says anything."""
CONFIDENCE: Final = 0.95
RESAMPLES: Final = 1_000

Run = tuple[tuple[float, float], ...]
"""The CPU seconds of base and new, for each piece of a workload."""
Verdict = Literal["ok", "faster", "slower", "inconclusive"]


class Estimate(Struct, frozen=True):
    """A ratio new / base with its confidence interval."""

    ratio: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """How far apart the ends of the interval are."""
        return self.high - self.low


def estimate(runs: Sequence[Run]) -> Estimate:
    """Return the ratio of a workload. The same runs give the same interval; one run has an interval without end."""
    pieces = list(zip(*runs, strict=True))
    weights = [median(base for base, _ in piece) for piece in pieces]
    ratios = [[new / base for base, new in piece] for piece in pieces]
    ratio = _mean(weights, ratios)
    if len(runs) < 2:  # noqa: PLR2004  # one value does not vary
        return Estimate(ratio, -inf, inf)
    rng = Random(0)
    drawn = (rng.choices(range(len(runs)), k=len(runs)) for _ in range(RESAMPLES))
    means = sorted(_mean(weights, [[piece[run] for run in chosen] for piece in ratios]) for chosen in drawn)
    outside = round(RESAMPLES * (1 - CONFIDENCE) / 2)
    return Estimate(ratio, means[outside], means[-1 - outside])


def _mean(weights: Sequence[float], ratios: Sequence[Sequence[float]]) -> float:
    """Return the weighted mean of the medians."""
    return sum(weight * median(piece) for weight, piece in zip(weights, ratios, strict=True)) / sum(weights)


def verdict(found: Estimate) -> Verdict:
    """Return what an interval says."""
    if found.width > WIDEST:
        return "inconclusive"
    if found.high > SLOWER_AT:
        return "slower"
    return "faster" if found.high < 1 else "ok"


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict over several workloads: the worst, and `faster` where all are."""
    for worst in ("slower", "inconclusive", "ok"):
        if worst in verdicts:
            return worst
    return "faster"
