"""Moments on upstream's clock, placed in the time of receipt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.view.upstream_clock import MOST_MS, UpstreamClock

Times = list[tuple[float | None, float | None]]


def placed(bounds: list[tuple[float | None, object]], *moments: tuple[object, object]) -> Times:
    clock, found = UpstreamClock(), Times()
    for moment in moments:
        clock.wait(*moment, lambda begin, end: found.append((begin, end)))
    for bound in bounds:
        clock.bound(*bound)
    clock.settle()
    clock.settle()  # nothing waits any more
    return found


def test_the_record_that_came_soonest_after_its_moment_places_all() -> None:
    """The others came later than what they report: by a second and by two."""
    assert placed([(101.0, 0), (104.0, 4_000), (107.0, 5_000)], (1_500, 2_000)) == [(101.5, 102.0)]


def test_who_joined_late_places_what_was_said_by_what_comes() -> None:
    """The session is first seen at 100 s, and has gone on for a minute by then."""
    assert placed([(100.0, 0), (100.5, 60_000)], (59_000, 60_000)) == [(99.5 - 60 + 60, 100.5)]


@pytest.mark.parametrize("moment", [None, "1", True, -1, 1e300, float("nan"), MOST_MS + 1])
def test_what_is_no_moment_has_no_place_and_bounds_nothing(moment: object) -> None:
    assert placed([(100.0, moment), (None, 5)], (0, 1)) == [(None, None)]
    assert placed([(100.0, 0)], (moment, 1_000)) == [(None, 101.0)]


@given(st.lists(st.tuples(st.floats(0, 1e9), st.integers(0, MOST_MS)), min_size=1))
def test_no_record_stands_before_what_it_reports(bounds: list[tuple[float, int]]) -> None:
    times = placed([*bounds], *((moment, None) for _, moment in bounds))

    assert all(
        begin is not None and begin <= at + 1e-3 * max(1, moment / 1e9)
        for (at, moment), (begin, _) in zip(bounds, times, strict=True)
    )
