"""The operator's patterns: what RE2 takes, and what it says of the others."""

import pytest

from steno.redaction import Budget, PatternFaults, Redactor
from steno.redaction.patterns import compiled, matches
from steno.redaction.spans import Span


def found(pattern: str, text: str) -> list[Span]:
    return list(matches("mine", compiled({"mine": pattern})["mine"], text, Budget()))


@pytest.mark.parametrize(
    ("pattern", "text", "spans"),
    [
        ("POL-[0-9]{3}", "é POL-123 POL-12", [(2, 9)]),
        (r"(?i)\bagent \w+", "Agent Smith, agent Jones", [(0, 11), (13, 24)]),
        ("x*", "axxa", [(1, 3)]),
        ("東.", "a東京", [(1, 3)]),
    ],
)
def test_finds_are_places_in_the_text(pattern: str, text: str, spans: list[tuple[int, int]]) -> None:
    """In characters, and none of them is empty."""
    assert found(pattern, text) == [Span(*span, "mine") for span in spans]


def test_nested_repetition_takes_no_longer_than_any_other() -> None:
    """A backtracking engine needs longer than the universe has stood; the timeout of the test would end it."""
    assert found("(a+)+b", "a" * 50_000) == []


@pytest.mark.parametrize(
    ("pattern", "reason"), [("(?=a)b", "(?="), (r"(a)\1", r"\1"), ("(", "missing"), ("a{1,100000}", "repetition size")]
)
def test_what_re2_does_not_take_is_refused_with_its_reason(pattern: str, reason: str) -> None:
    """All that are wrong are named at once."""
    with pytest.raises(PatternFaults) as refused:
        Redactor({"wrong": pattern, "right": "a", "as_wrong": pattern})

    assert list(refused.value.faults) == ["as_wrong", "wrong"]
    assert reason in refused.value.faults["wrong"]


def test_the_pattern_does_not_reach_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """RE2 would write it there. It may hold what it is to hide."""
    with pytest.raises(PatternFaults):
        compiled({"wrong": "secret-name("})

    assert capfd.readouterr() == ("", "")
