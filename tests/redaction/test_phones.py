"""Telephone numbers are found with a country code always, and in national form for the configured regions."""

import pytest

from tests.redaction.helpers import redacted, table

INTERNATIONAL = """
    +49 30 901820                                -> [phone]
    call +49 (0)30 901820, please                -> call [phone], please
    tel:+14155552671                             -> tel:[phone]
    +1 (415) 555-2671 or +44 20 7946 0958        -> [phone] or [phone]
    +41-44-668-18-00.                            -> [phone].
    +1 415 555 2671 2 times                      -> [phone] 2 times
    (+49) 30 901820                              -> ([phone]
    +49 30 901820and                             -> [phone]and
"""

NATIONAL = """
    030 901820                                   -> [phone]
    (030) 901820 or 0151 23456789                -> [phone] or [phone]
    0049 30 901820                               -> [phone]
    5 030 901820                                 -> 5 [phone]
    {"tel":"0309018200"}                         -> {"tel":"[phone]"}
    (415) 555-2671                               -> [phone]
    4155552671                                   -> [phone]
"""

NOT_FOUND = """
    2026-01-15 10:30:00
    2026-01-15T10:30:00.123456Z
    1767225600.123456
    0.12345678901
    $4155552671
    abc4155552671
    4155552671abc
    1 2 3 4 5 6
    +1 2 3
    +999 123 456 789
"""


@pytest.mark.parametrize(("text", "left"), table(INTERNATIONAL))
def test_international_numbers_are_found(text: str, left: str) -> None:
    assert redacted(text) == left


@pytest.mark.parametrize(("text", "left"), table(NATIONAL))
def test_national_numbers_are_found_for_their_region(text: str, left: str) -> None:
    assert redacted(text, "DE", "US") == left


@pytest.mark.parametrize("text", ["030 901820", "(415) 555-2671"])
def test_national_numbers_stay_where_no_region_is_configured(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("text", [line.strip() for line in NOT_FOUND.strip().splitlines()])
def test_what_is_not_a_number_stays(text: str) -> None:
    assert redacted(text, "DE", "US") == text
