"""Times that run backwards or leap: times in, what is reported of them out."""

import pytest

from steno.audit.verification.report import DAY, TimeDisorder
from steno.audit.verification.times import WAITED, Times
from steno.timestamps import SECOND, timestamp
from tests.audit.helpers import AT


def found(*offsets: int) -> TimeDisorder:
    times = Times()
    for seq, offset in enumerate(offsets, start=1):
        times.add(seq, f'"{timestamp(AT + offset)}"'.encode(), own=False)
    return times.disorder()


@pytest.mark.parametrize(
    ("offsets", "disorder"),
    [
        ((), TimeDisorder()),
        ((0,), TimeDisorder()),
        ((0, 0, 1, DAY, 2 * DAY), TimeDisorder()),
        ((0, 5, 4, 9, 2, 9), TimeDisorder(backwards=2, first_backwards=3, furthest_back=7)),
        ((5 * DAY, 0, 1), TimeDisorder(backwards=1, first_backwards=2, furthest_back=5 * DAY)),
        (
            (0, 2 * DAY, 9 * DAY, 9 * DAY, 12 * DAY),
            TimeDisorder(leaps=3, longest_leap=7 * DAY, longest_leap_seq=3),
        ),
        (
            (0, 5110 * DAY, SECOND),
            TimeDisorder(
                backwards=1,
                first_backwards=3,
                furthest_back=5110 * DAY - SECOND,
                leaps=1,
                longest_leap=5110 * DAY,
                longest_leap_seq=2,
            ),
        ),
    ],
)
def test_steps_back_and_leaps_are_counted(offsets: tuple[int, ...], disorder: TimeDisorder) -> None:
    assert found(*offsets) == disorder


def test_a_time_that_does_not_exist_is_compared_all_the_same() -> None:
    """A forged log may hold one."""
    times = Times()
    for seq, at in enumerate((b'"2026-99-01T00:00:00.000000Z"', b'"2026-01-01T00:00:00.000000Z"'), start=1):
        times.add(seq, at, own=False)

    assert times.disorder() == TimeDisorder(backwards=1, first_backwards=2)
    assert (times.first_text, times.last_text) == ("2026-99-01T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z")


@pytest.mark.parametrize("own", [(False, True, False), (False, False, True), (False, True, True)])
@pytest.mark.parametrize(("step", "backwards"), [(WAITED, 0), (WAITED + 1, 1)])
def test_a_short_step_back_beside_a_record_of_the_log_itself_is_none(
    own: tuple[bool, ...], step: int, backwards: int
) -> None:
    """The writer added it when others waited already."""
    times = Times()
    for seq, (offset, each) in enumerate(zip((0, WAITED * 2, WAITED * 2 - step), own, strict=True), start=1):
        times.add(seq, f'"{timestamp(AT + offset)}"'.encode(), own=each)

    assert times.disorder().backwards == backwards
