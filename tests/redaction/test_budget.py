"""The work of a record is counted, so that no text is a weapon: what it takes grows with its length, up to a bound."""

# ruff: noqa: RUF001 - digits of other scripts are what is tested

import json
import sys
from types import FrameType
from typing import Any

import pytest

from steno.redaction import Budget, Redacted, Redactor
from steno.redaction.budget import CHECK_UNITS, WORK_MAX, OverBudgetError
from tests.conftest import DEEP

OVER_BUDGET = Redacted(None, {"over_budget": 1})
REGIONS = ("DE",)
UNITS = (
    "1", "1234567890", "1 ", "1.", "1:", "1-", "(0 ", "11 1 ", "1a", "a", "a.", "a@", "a@b.", "@", ":", "f:", "+1 ",
    "DE00", "-eyJ", "sk-", "bearer a-", "-----BEGIN ", "ABCDE1234 ", "ssn ", "\\", "\\n1", r"\u0031", "١", "1\u200b",
    "4 ", "4111 ", "123456789,", "+999123456 ", "AB 12 34 56 C ", "ssn 123456780 ", "1.2.3.4 ", "030 123456, ",
)  # fmt: skip


def test_spent_work_is_gone() -> None:
    budget = Budget(CHECK_UNITS + 1)

    assert not budget.passes(lambda _: False, "1")
    budget.spend(1)
    for _ in range(2):
        with pytest.raises(OverBudgetError):
            budget.spend(1)


def test_a_number_passes_where_its_check_raises() -> None:
    assert Budget().passes(lambda number: number[9] == "1", "123")


def calls(redactor: Redactor, text: str) -> int:
    """How many functions are called, of Python and of C, to redact `text` with all the work that it takes."""
    count = 0

    def profile(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        redactor.redact(text, Budget(sys.maxsize))
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.deep
@pytest.mark.parametrize("unit", UNITS if DEEP else UNITS[::2])
def test_twice_the_text_is_twice_the_work(unit: str) -> None:
    """Counted in calls and in units. Four times would be quadratic; the ends of a text cost less."""
    redactor = Redactor({"policy": "POL-[0-9]{6}"}, REGIONS)
    short, long = (unit * (size // len(unit)) for size in (192, 384))
    redactor.redact(short)  # what is read or compiled once is not counted

    assert calls(redactor, long) <= 2.5 * calls(redactor, short) + 100
    assert units(redactor, long) <= 2.5 * units(redactor, short)


def units(redactor: Redactor, text: str) -> int:
    budget = Budget(sys.maxsize)
    redactor.redact(text, budget)
    return sys.maxsize - budget.left


@pytest.mark.parametrize("unit", ["4111 ", "123456789 ", "1.2.3.4 ", "+999123456 ", "ssn 123456780 "])
def test_a_text_that_takes_too_much_work_is_dropped_and_says_so(unit: str) -> None:
    """Nothing of it is shown unchecked, and the rest of its record is dropped with it."""
    redactor = Redactor()
    budget = redactor.budget()

    assert redactor.redact(unit * (262_144 // len(unit)), budget) == OVER_BUDGET
    assert redactor.redact("Card 4111 1111 1111 1111", budget) == OVER_BUDGET
    assert redactor.redact("Card 4111 1111 1111 1111", redactor.budget()).text == "Card [card]"


def test_many_finds_of_a_pattern_are_counted_by_what_is_left_of_the_text() -> None:
    """RE2 may look at all of it for each find, which is linear for one and not for all of them."""
    assert Redactor({"any": "[ab]*x|a"}).redact("a" * 100_000) == OVER_BUDGET


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([[number / 7919 for number in range(-768, 768)]] * 2),
        "".join(f"{n},{n * 7919},2026-11-26T12:00:00Z,+4930{n:07},user{n}@example.org\n" for n in range(150)),
        "The order of 24 November is 12.50, thank you. " * 5_000,
    ],
    ids=["embeddings", "table", "prose"],
)
def test_what_tools_return_is_within_the_budget(text: str) -> None:
    """With a wide margin: lists of numbers, a table of customers, and a long text."""
    budget = Budget()

    assert Redactor(regions=["DE"]).redact(text, budget).text is not None
    assert budget.left > WORK_MAX // 4
