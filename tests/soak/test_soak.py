"""The soak in seconds: the same sources, faults and checks, smaller."""

import random
import sys
from pathlib import Path

import pytest

from tests.soak.report import table
from tests.soak.run import run
from tests.soak.soak import SHORT
from tests.soak.upstreams import HOSTILE


@pytest.mark.timeout(300)  # a slow machine reads what was sent slowly, and nothing is lost for that
def test_honest_sources_lose_nothing_beside_hostile_ones_and_faults(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    soak, wrong = run(SHORT, seed, tmp_path)
    sys.stdout.write("".join(f"not made here: {note}\n" for note in soak.notes) + table(soak))

    assert wrong == []
    assert all(
        (soak.verified, soak.faults.disk_full, soak.faults.log_stopped, soak.faults.hangups, soak.answers.scrapes)
    )
    assert all(source.frames for source in soak.sources)
    assert set(soak.servers.traffic.frames) == set(HOSTILE)
