"""How long a server asks to be left alone: whatever it writes, the wait is a number within bounds, or none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.sources.retry_after import RETRY_AFTER_SECONDS, wait_of

NOW = 1_790_000_000.0
"""Mon, 21 Sep 2026 14:13:20 GMT."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("7.5", 7.0),
        ("0", 0.0),
        ("000000000000000000012", 12.0),
        ("86400", RETRY_AFTER_SECONDS),
        ("9" * 5_000, RETRY_AFTER_SECONDS),
        ("0" * 5_000 + "3", 3.0),
        ("Mon, 21 Sep 2026 14:13:50 GMT", 30.0),
        ("mon, 21 SEP 2026 14:13:50 UTC", 30.0),
        ("Mon, 21 Sep 2026 14:13:50 +0000", 30.0),
        ("Monday, 21-Sep-26 14:13:50 GMT", 30.0),
        ("Mon Sep 21 14:13:50 2026", 30.0),
        ("Thu Oct  1 14:13:50 2026", RETRY_AFTER_SECONDS),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", RETRY_AFTER_SECONDS),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("+5", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("\xb2", None),  # superscript two
        ("\u0667", None),  # Arabic seven
        ("\uff17", None),  # full-width seven
        ("5\x00", None),
        ("5, 6", None),
        ("Thu, 01 Jan 20260000000000 00:00:00 GMT", None),
        ("Thu, 01 Jan 0000 00:00:00 GMT", None),
        ("Thu, 31 Feb 2026 00:00:00 GMT", None),
        ("Thu, 01 Xyz 2026 00:00:00 GMT", None),
        ("Thu, 01 Jan 2026 25:00:00 GMT", None),
        ("Thu, 01 Jan 2026 00:00:61 GMT", None),
        ("Thu, 01 Jan 2026 00:00:00 +9999", None),
        ("Thu, 01 Jan 2026 00:00:00", None),
        ("2026-09-21T14:13:50Z", None),
    ],
)
def test_a_value(value: str, seconds: float | None) -> None:
    assert wait_of([value], NOW) == seconds


def test_of_several_lines_the_longest_wait_counts() -> None:
    assert wait_of(["soon", "3", "9", "-1"], NOW) == 9.0
    assert wait_of([], NOW) is None


DATES = st.from_regex(r"\A[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,15} [0-9:]{1,9} ?[A-Z+0-9]{0,5}\Z")


@given(st.lists(st.one_of(st.text(), st.from_regex(r"[+-]?[0-9.eE_]{1,40}"), DATES), max_size=3))
def test_any_text_gives_a_wait_within_bounds(values: list[str]) -> None:
    wait = wait_of(values, NOW)

    assert wait is None or (math.isfinite(wait) and 0 <= wait <= RETRY_AFTER_SECONDS)
