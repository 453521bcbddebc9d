"""The tables of the dashboards: what a panel is, and expressions that many panels share. No SDK is needed for them."""

import re
from pathlib import Path
from typing import Final, NamedTuple

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
S: Final = 'instance=~"$instance", source=~"$source"'
"""Selects the series of conversations and sources that are chosen."""
P: Final = 'instance=~"$instance"'
R: Final = "$__rate_interval"

Targets = tuple[tuple[str, str], ...]
"""Expressions with their legends."""


class Panel(NamedTuple):
    """A panel. Its place follows from its width and from what stands before it."""

    title: str
    unit: str
    description: str
    targets: Targets
    kind: str = "lines"
    """`lines`, `stack`, `stat`, `table` or `heat`."""
    warn: float | None = None
    """From where on a value is yellow or red; where `low` is set, below."""
    bad: float | None = None
    low: bool = False
    width: int = 8


class Board(NamedTuple):
    """A dashboard: rows of panels under a title each."""

    uid: str
    title: str
    description: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]


def threshold(name: str) -> float:
    """Return a threshold of the alerts."""
    text = (DEPLOY / "prometheus/thresholds.yml").read_text(encoding="utf-8")
    (found,) = re.findall(rf"steno:threshold:{name}\n +expr: vector\((.*)\)", text)
    product = 1.0
    for factor in found.split(" * "):
        product *= float(factor)
    return product


def quantile(share: float, metric: str, by: str = "source") -> str:
    """Return the value below which `share` of a histogram's observations are, by labels."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{{S}}}[{R}])))"


def rates(metric: str, by: str) -> str:
    """Return how much a counter rises a second, by labels."""
    return f"sum by ({by}) (rate({metric}{{{S}}}[{R}]))"


def rises(metric: str, by: str, more: str = "") -> str:
    """Return how much a counter rose within 15 minutes, by labels, where `more` matches."""
    return f"sum by ({by}) (increase({metric}{{{S}{more}}}[15m]))"


def share(metric: str, wanted: str, by: str = "source") -> str:
    """Return the share of a counter's increase within 15 minutes that has a label `wanted`, by other labels."""
    part = f"sum by ({by}) (increase({metric}{{{S}, {wanted}}}[15m]))"
    return f"{part} / sum by ({by}) (increase({metric}{{{S}}}[15m]))"


LATENCY: Final = "steno_turn_latency_seconds"
AUDIO: Final = "steno_time_to_first_audio_seconds"
TOOL: Final = "steno_tool_call_duration_seconds"
