"""Ages by a clock that may be wrong: times of segments in, ages out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.writing.segment_age import DAY_NS, LONGEST_PAUSE_NS, SLACK_NS, TRUST_NS, Ages, ages

ORDINARY = 2 * DAY_NS
YEAR = 365


def at_days(*days: float) -> list[int]:
    return [int(day * DAY_NS) for day in days]


def aged(written: list[int], now: float, closed: float | None = None) -> Ages:
    return ages(written, int(now * DAY_NS), ORDINARY, None if closed is None else int(closed * DAY_NS))


def days(found: Ages) -> list[float]:
    return [age_ns / DAY_NS for age_ns in found.counted_ns]


@pytest.mark.parametrize(
    ("written", "now", "counted", "doubted"),
    [
        ([], 100, [], 0),
        ([97, 98, 99], 100, [3, 2, 1], 0),
        ([95, 96, 99], 100, [2, 1, 1], 3),  # a pause of three days, one day ago
        ([88, 89, 92, 94, 96, 98], 100, [12, 11, 8, 6, 4, 2], 0),  # the same, eight days ago
        ([30, 31, 99], 100, [2, 1, 1], 68),  # two months off
        ([30, 31, 93, 94, 95, 96, 97, 98, 99], 100, [70, 69, 7, 6, 5, 4, 3, 2, 1], 0),
        ([30, 31], 31 + 14 * YEAR, [1, 0], 14 * YEAR),  # a clock 14 years ahead
        ([0, 20_000, 20_001], 20_002, [2, 2, 1], 20_000),  # the first boot was in 1970
        ([30, 31, 30 + 14 * YEAR, 32], 33, [2, 1, 1, 1], 14 * YEAR - 1),  # ahead and back
        ([90, 10, 99], 100, [1, 1, 1], 89),  # older than the one before: that one is no older than it says
        ([97, 98, 99], 0, [2, 1, 0], 0),  # a clock in 1970
    ],
)
def test_a_long_pause_counts_once_the_log_has_gone_on_behind_it(
    written: list[float], now: float, counted: list[float], doubted: float
) -> None:
    found = aged(at_days(*written), now)

    assert (days(found), found.doubted_ns / DAY_NS) == (counted, doubted)


def test_a_pause_longer_than_a_year_is_never_believed() -> None:
    year = LONGEST_PAUSE_NS // DAY_NS
    since = list(range(1, 31))

    assert days(aged(at_days(0, *(year + day for day in since)), year + 30))[0] == 29
    assert days(aged(at_days(0, *(year - 1 + day for day in since)), year + 29))[0] == year + 29


def test_trust_is_earned_by_what_was_written_and_not_by_the_clock() -> None:
    """A clock that leaps again and again never earns it."""
    assert TRUST_NS == 7 * DAY_NS
    assert days(aged(at_days(0, 100, 104, 108, 112), 116)) == [0, 0, 0, 0, 0]


def test_a_pause_that_was_corrected_is_never_believed() -> None:
    """A clock was 300 days ahead at one start and right for a month. Then it is ahead again."""
    month = list(range(102, 132))
    written = at_days(99, 100, 400, *month, 432)

    assert days(aged(written[:-1], 132))[:3] == [31, 30, 30]
    assert days(aged(written, 432))[:2] == [30, 29]


def test_nothing_is_too_old_while_the_clock_is_behind_the_log() -> None:
    written = at_days(50, 98, 99)
    limit = 30 * DAY_NS

    late = aged(written, 0, closed=98)
    slack = ages(written, 98 * DAY_NS - SLACK_NS, ORDINARY, 98 * DAY_NS)
    assert (late.behind_ns, late.older_than(limit)) == (98 * DAY_NS, 0)
    assert slack.behind_ns == 0


def test_what_is_held_is_too_old_by_the_clock_alone() -> None:
    found = aged(at_days(10, 31, 99), 100)

    assert [found.older_than(limit * DAY_NS) for limit in (0, 1)] == [3, 0]
    assert [found.held(limit * DAY_NS) for limit in (0, 50, 80, 95)] == [0, 2, 1, 0]


@given(st.lists(st.integers(0, 10**6), max_size=8), st.integers(0, 10**6), st.integers(0, 10**6))
def test_one_leap_ages_a_segment_by_no_more_than_an_ordinary_pause(steps: list[int], now: int, leap: int) -> None:
    """Within the time in which it could be noticed, that is until trust is earned."""
    written = [sum(steps[: number + 1]) for number in range(len(steps))]
    end = sum(steps) + now
    unit = DAY_NS // 10**6
    before = ages([each * unit for each in written], end * unit, ORDINARY)
    after = ages([each * unit for each in written], (end + leap * 10**6) * unit, ORDINARY)

    grown = [late - early for early, late in zip(before.counted_ns, after.counted_ns, strict=True)]
    assert all(each <= ORDINARY for each in grown)
