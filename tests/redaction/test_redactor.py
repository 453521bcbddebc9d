"""Texts in, texts with placeholders and counts out: built-in classes, the operator's patterns, what is not found."""

# ruff: noqa: RUF001 - letters and digits that look like others are what is tested

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import phonenumbers
import pytest
import stdnum
from hypothesis import given
from hypothesis import strategies as st

from steno.redaction import CHARACTERS_MAX, CLASSES, VERSION, Redacted, Redactor, redactor
from steno.redaction.spans import Span
from tests.redaction.helpers import REDACTOR, redacted

PAGE = Path(__file__).parents[2] / "docs/redaction.md"
SECRET = "4111 1111 1111 1111"


def test_a_text_of_many_kinds() -> None:
    said = (
        "I am a@b.de or c@d.org, +49 30 901820, card 4111 1111 1111 1111, account DE89 3704 0044 0532 0130 00, "
        "SSN 536-90-4399, VAT DE136695976, at 10.0.0.1 with sk-abcdefghijklmnop1234."
    )

    assert REDACTOR.redact(said) == Redacted(
        "I am [email] or [email], [phone], card [card], account [iban], "
        "SSN [national_id], VAT [tax_id], at [ip] with [key].",
        {"card": 1, "email": 2, "iban": 1, "ip": 1, "key": 1, "national_id": 1, "phone": 1, "tax_id": 1},
    )


def test_a_text_with_nothing_to_hide_is_the_same_text() -> None:
    said = "Two tables for 19:30 on the 24th, please."

    assert REDACTOR.redact(said) == Redacted(said, {})
    assert REDACTOR.redact("") == Redacted("", {})


def test_the_examples_of_the_page_hold() -> None:
    """The text, the classes in their order, and the patterns."""
    page = PAGE.read_text()
    before, after = page.split("```\n")[1].splitlines()
    patterns = tomllib.loads(page.split("```toml\n")[1].split("```")[0])["audit"]["patterns"]

    assert redacted(before) == after
    assert tuple(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)) == CLASSES
    assert Redactor(patterns).redact("Pat. no. 12 on POL-123456, patient 4").text == "[patient] on [policy], patient 4"


@pytest.mark.parametrize(
    "text",
    [
        "My name is Anna Schmidt and I live at 12 Harbour Street, 20457 Hamburg.",
        "I was born on 12 March 1985, that is 12/03/1985 or 1985-03-12.",
        "It is four one one one, one one one one, one one one one, one one one one.",
        "anna dot schmidt at example dot org",
        "my password is hunter2",
        "My passport is C01X00T47 and the plate is HH AB 1234.",
        "I have diabetes and my PIN is 4711.",
        "split 4111 1111\n1111 1111 over lines",
        "circled ④①①① ①①①① ①①①① ①①①①",
    ],
)
def test_names_and_free_text_are_not_found(text: str) -> None:
    """docs/redaction.md lists these: a change here is a change there."""
    assert REDACTOR.redact(text) == Redacted(text, {})


def test_patterns_have_their_own_class() -> None:
    mine = Redactor({"policy": r"POL-\d+", "agent": r"(?i)agent \w+"})

    assert mine.redact("Agent Smith on POL-77 and pol-78, a@b.de") == Redacted(
        "[agent] on [policy] and pol-78, [email]", {"agent": 1, "email": 1, "policy": 1}
    )


def test_patterns_are_tried_on_the_original_and_on_the_folded_text() -> None:
    mine = Redactor({"policy": r"POL-\d{3}", "dash": "–"})

    assert mine.redact("POL-١٢٣ – P\u00adOL-123") == Redacted("[policy] [dash] [policy]", {"dash": 1, "policy": 2})


def test_a_pattern_wins_over_a_class_of_the_same_length() -> None:
    assert Redactor({"test_card": r"4111[ \d]+\d"}).redact(SECRET) == Redacted("[test_card]", {"test_card": 1})


def test_a_text_is_dropped_where_a_finder_raises(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(text: str) -> Iterator[Span]:
        raise ValueError(text)

    monkeypatch.setattr(redactor, "emails", broken)

    assert REDACTOR.redact(f"my card is {SECRET}") == Redacted(None, {"error": 1})
    assert capfd.readouterr() == ("", "")


def test_a_text_that_is_too_long_is_dropped() -> None:
    assert REDACTOR.redact("x" * CHARACTERS_MAX).counts == {}
    assert REDACTOR.redact("x" * (CHARACTERS_MAX + 1)) == Redacted(None, {"over_budget": 1})


def test_the_version_names_the_rules_and_the_libraries() -> None:
    assert f"redacted/2 phonenumbers/{phonenumbers.__version__} python-stdnum/{stdnum.__version__}" == VERSION


@pytest.mark.parametrize(
    "unit",
    ["1", "1234567890", "1 ", "1.", "1:", "1-", "(0 ", "11 1 ", "1a", "a", "A", "a.", "a@", "a@b.", "@", ":", "f:",
     "+1 ", "DE00", "-eyJ", "sk-", "bearer a-", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "ABCDE1234 ", "ssn ",
     "\\", "\\u", "\\n1", r"\u0031", "١", "1\u200b", "\u200b", "例@", " "],
)  # fmt: skip
def test_hostile_texts_are_searched_to_their_end(unit: str) -> None:
    """Or to the end of the budget.

    Each would take minutes if the time grew with the square of the length; the timeout of the test would end it.
    """
    card = f" x {SECRET} x"
    text = unit * ((CHARACTERS_MAX - len(card)) // len(unit)) + card

    result = REDACTOR.redact(text)

    assert result == Redacted(None, {"over_budget": 1}) or SECRET not in str(result.text)


@given(st.text() | st.text(st.sampled_from("0123456789 .-+/@:aAE[]()٣\u200b")))
def test_any_text_is_redacted_and_every_placeholder_is_counted(text: str) -> None:
    result = REDACTOR.redact(text)

    assert result == REDACTOR.redact(text)
    assert result.text is not None
    for kind in CLASSES:
        assert result.text.count(f"[{kind}]") == text.count(f"[{kind}]") + result.counts.get(kind, 0)


@given(st.text(st.sampled_from("ab \u200bé,;\n")), st.text(st.sampled_from("ab \u200bé,;\n")))
def test_a_card_in_any_text_is_hidden(before: str, after: str) -> None:
    assert redacted(before + SECRET + after) == f"{before}[card]{after}"
