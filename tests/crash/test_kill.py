"""A real daemon is killed under load, at random times and at named points: what counted is there once, and verifies.

The short form kills it a few times; `make test-crash` does it at every point, under every configuration.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random, getrandbits
from typing import Final, NamedTuple

import pytest

from tests.conftest import DEEP
from tests.crash.daemon_process import DaemonRuns, Death, configure, load, prove


class Plan(NamedTuple):
    """A configuration of the log."""

    audit: str
    content: bool
    """Whether content goes into files."""
    retires: bool
    """Whether old segments are deleted."""


CONTENT: Final = 'content = "full"\ncontent_files = true\n'
QUICKLY: Final = "flush_seconds = 0.05\nflush_bytes = 8192\n"
ALWAYS: Final = 'flush = "always"\n'
RETIRING: Final = "retention_bytes = 524_288\n"
PLANS: Final = {
    "grouped": Plan(QUICKLY, content=False, retires=False),
    "always, retiring": Plan(ALWAYS + RETIRING, content=False, retires=True),
    "content, grouped": Plan(CONTENT + QUICKLY, content=True, retires=False),
    "content, always, retiring": Plan(CONTENT + ALWAYS + RETIRING, content=True, retires=True),
}

Chain = Sequence[str]
"""Ways to die one after the other: a point of `crash_points`, or what is done from outside."""

WRITING: Final[Sequence[Chain]] = (
    ("before write segment 3",),
    ("after write segment 5",),
    ("before fdatasync segment 10",),
    ("after fdatasync segment 7",),
)
STARTING: Final[Sequence[Chain]] = (
    # What is torn is recorded, and not cut off yet; the next starts die when they cut it.
    ("half write segment 5", "before ftruncate segment 1", "before ftruncate segment 1", "after ftruncate segment 1"),
    ("half write segment 2", "before fsync segment 1"),
    ("half write segment 4", "after fsync segment 1"),
    # A start that has recorded nothing yet leaves a file to be deleted, beside one that is torn.
    ("half write segment 8", "half write new segment 1", "before unlink segment 1", "after unlink segment 1"),
    ("before open new segment 1", "after open new segment 1", "before unlink new segment 1"),
    ("after fchmod new segment 1", "before fsync folder 1", "before write new segment 1", "after write new segment 1"),
    ("start", "start"),
)
ROLLING_OVER: Final[Sequence[Chain]] = (
    ("before open new segment 2",),
    ("after open new segment 3", "after unlink new segment 1"),
    ("half write new segment 2", "half write new segment 1"),
    ("before fsync folder 2",),
    ("after fsync folder 3",),
    ("hangup",),
    ("hangup",),
)
OUTSIDE: Final[Sequence[Chain]] = (("load",), ("load",), ("load",), ("drain",), ("drain",), ("drain",))
RETENTION: Final[Sequence[Chain]] = (
    ("load", "before unlink segment 1"),
    ("load", "after unlink segment 2"),
    ("after unlink segment 1", "before fsync folder 3"),
)
CONTENT_FILES: Final[Sequence[Chain]] = (
    ("before open words 5",),
    ("after open words 2",),
    ("half write words 1", "half write words 2", "half write words 3"),
    ("after write words 8",),
    ("before fsync words 4",),
    ("after fsync words 6",),
    ("before fsync folder of words 2",),
)
SHORT: Final[dict[str, Sequence[Chain]]] = {
    "always, retiring": (
        ("load",),
        ("half write segment 5", "before ftruncate segment 1"),
        ("after unlink segment 2",),
    ),
    "content, grouped": (("load",), ("half write words 2",), ("half write new segment 2",), ("hangup",), ("drain",)),
}


def chains(name: str, plan: Plan, *, deep: bool) -> list[Chain]:
    """Return the ways to die under a plan."""
    if not deep:
        return list(SHORT[name])
    retention, content = RETENTION if plan.retires else (), CONTENT_FILES if plan.content else ()
    return [*WRITING, *STARTING, *ROLLING_OVER, *OUTSIDE, *retention, *content]


def death(way: str) -> Death:
    return Death("at", way) if " " in way else Death(way)


@pytest.mark.parametrize("name", PLANS if DEEP else SHORT)
def test_a_log_goes_on_after_every_death(
    name: str, deep: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It verifies against every head that was reported; numbers have no hole; what was flushed is there once."""
    plan, seed = PLANS[name], getrandbits(32)
    ways = chains(name, plan, deep=deep)
    Random(seed).shuffle(ways)
    way = ""
    try:
        with load() as simulated:
            runs = DaemonRuns(configure(tmp_path, simulated.url, plan.audit), tmp_path / "audit", Random(seed))
            for each in ways:
                for way in each:
                    runs.run(death(way))
            runs.run_to_the_end()
            found = prove(runs, tmp_path / "audit", content=plan.content, retires=plan.retires)
    except BaseException as error:
        error.add_note(f"the seed is {seed}; the deaths are {ways}; the last one is {way!r}")
        raise
    if deep:
        with capsys.disabled():
            sys.stdout.write(f"\n{name}: {', '.join(f'{count} {what}' for what, count in found._asdict().items())}\n")
