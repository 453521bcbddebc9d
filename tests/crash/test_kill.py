"""A real daemon is killed under load, at random times and at named points: what counted is there once, and holds.

The short form kills it a few times; `make test-crash` does it at every point, under every configuration.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random, getrandbits
from typing import Final, NamedTuple

import pytest

from tests.conftest import DEEP
from tests.crash.daemon_process import Death, Lives, configure, load, prove


class Plan(NamedTuple):
    """A configuration of the log."""

    audit: str
    words: bool
    """Whether words go into files."""
    retires: bool
    """Whether old segments go."""


WORDS: Final = 'content = "full"\ncontent_files = true\n'
QUICKLY: Final = "flush_seconds = 0.05\nflush_bytes = 8192\n"
ALWAYS: Final = 'flush = "always"\n'
RETIRING: Final = "retention_bytes = 524_288\n"
PLANS: Final = {
    "grouped": Plan(QUICKLY, words=False, retires=False),
    "always, retiring": Plan(ALWAYS + RETIRING, words=False, retires=True),
    "words, grouped": Plan(WORDS + QUICKLY, words=True, retires=False),
    "words, always, retiring": Plan(WORDS + ALWAYS + RETIRING, words=True, retires=True),
}

Chain = Sequence[str]
"""Ways to die one after the other: a point of `dying`, or what is done from outside."""

WRITING: Final[Sequence[Chain]] = (
    ("before write segment 3",),
    ("after write segment 5",),
    ("before fdatasync segment 10",),
    ("after fdatasync segment 7",),
)
STARTING: Final[Sequence[Chain]] = (
    # What is torn is told, and not cut off yet; the next starts die when they cut it.
    ("half write segment 5", "before ftruncate segment 1", "before ftruncate segment 1", "after ftruncate segment 1"),
    ("half write segment 2", "before fsync segment 1"),
    ("half write segment 4", "after fsync segment 1"),
    # A start that has told nothing yet leaves a file to be deleted, beside one that is torn.
    ("half write segment 8", "half write new segment 1", "before unlink segment 1", "after unlink segment 1"),
    ("before open new segment 1", "after open new segment 1", "before unlink new segment 1"),
    ("after fchmod new segment 1", "before fsync folder 1", "before write new segment 1", "after write new segment 1"),
    ("start", "start"),
)
TURNING: Final[Sequence[Chain]] = (
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
WORD_FILES: Final[Sequence[Chain]] = (
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
    "words, grouped": (("load",), ("half write words 2",), ("half write new segment 2",), ("hangup",), ("drain",)),
}


def chains(name: str, plan: Plan, *, deep: bool) -> list[Chain]:
    """Return the ways to die under a plan."""
    if not deep:
        return list(SHORT[name])
    retention, words = RETENTION if plan.retires else (), WORD_FILES if plan.words else ()
    return [*WRITING, *STARTING, *TURNING, *OUTSIDE, *retention, *words]


def death(way: str) -> Death:
    return Death("at", way) if " " in way else Death(way)


@pytest.mark.parametrize("name", PLANS if DEEP else SHORT)
def test_a_log_goes_on_after_every_death(
    name: str, deep: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It verifies against every head that was told; numbers have no hole; what was flushed is there, and once."""
    plan, seed = PLANS[name], getrandbits(32)
    ways = chains(name, plan, deep=deep)
    Random(seed).shuffle(ways)
    way = ""
    try:
        with load() as simulated:
            lives = Lives(configure(tmp_path, simulated.url, plan.audit), tmp_path / "audit", Random(seed))
            for each in ways:
                for way in each:
                    lives.live(death(way))
            lives.last()
            found = prove(lives, tmp_path / "audit", words=plan.words, retires=plan.retires)
    except BaseException as error:
        error.add_note(f"the seed is {seed}; the deaths are {ways}; the last one is {way!r}")
        raise
    if deep:
        with capsys.disabled():
            sys.stdout.write(f"\n{name}: {', '.join(f'{count} {what}' for what, count in found._asdict().items())}\n")
