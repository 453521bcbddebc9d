"""The time of receipt never runs backwards."""

import time

import pytest

from steno.sources.clock import Clock


def test_wall_clock_that_is_set_does_not_move_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock is read at the start; after that the monotonic clock alone counts."""
    wall, monotonic = [1_790_000_000_000_000_000], [5_000]
    monkeypatch.setattr(time, "time_ns", lambda: wall[0])
    monkeypatch.setattr(time, "monotonic_ns", lambda: monotonic[0])
    clock = Clock()

    wall[0] = 0
    monotonic[0] += 2_000_000

    assert (clock.start, clock.now()) == (1_790_000_000_000_000, 1_790_000_000_002_000)
