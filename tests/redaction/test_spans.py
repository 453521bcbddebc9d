"""Overlapping finds become one, and the number of checks is bounded."""

from steno.redaction.spans import Checks, Span, joined

ORDER = ("key", "card", "phone")


def test_overlapping_finds_become_one_with_the_class_of_the_longest() -> None:
    spans = [Span(4, 9, "phone"), Span(0, 5, "card"), Span(8, 16, "key"), Span(16, 18, "phone")]

    assert joined(spans, ORDER) == [Span(0, 16, "key"), Span(16, 18, "phone")]


def test_among_equally_long_finds_the_most_severe_wins() -> None:
    spans = [Span(0, 5, "phone"), Span(0, 5, "key"), Span(0, 5, "card")]

    assert joined(spans, ORDER) == joined(reversed(spans), ORDER) == [Span(0, 5, "key")]


def test_no_finds_are_joined_to_none() -> None:
    assert joined([], ORDER) == []


def test_past_the_last_check_everything_passes() -> None:
    asked: list[str] = []

    def never(number: str) -> bool:
        asked.append(number)
        return False

    checks = Checks(2)

    assert [checks.passes(never, number) for number in ("1", "2", "3")] == [False, False, True]
    assert asked == ["1", "2"]


def test_a_number_passes_where_its_check_raises() -> None:
    assert Checks().passes(lambda number: number[9] == "1", "123")
