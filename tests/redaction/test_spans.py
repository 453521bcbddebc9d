"""Finds that overlap become one, and checks run out."""

from steno.redaction.spans import Checks, Span, joined

ORDER = ("key", "card", "phone")


def test_what_overlaps_is_covered_whole_under_the_class_of_the_longest() -> None:
    spans = [Span(4, 9, "phone"), Span(0, 5, "card"), Span(8, 16, "key"), Span(16, 18, "phone")]

    assert joined(spans, ORDER) == [Span(0, 16, "key"), Span(16, 18, "phone")]


def test_among_equals_the_most_severe_wins_whichever_came_first() -> None:
    spans = [Span(0, 5, "phone"), Span(0, 5, "key"), Span(0, 5, "card")]

    assert joined(spans, ORDER) == joined(reversed(spans), ORDER) == [Span(0, 5, "key")]


def test_nothing_found_is_nothing_joined() -> None:
    assert joined([], ORDER) == []


def test_checks_run_out_and_then_everything_passes() -> None:
    asked: list[str] = []

    def never(number: str) -> bool:
        asked.append(number)
        return False

    checks = Checks(2)

    assert [checks.passes(never, number) for number in ("1", "2", "3")] == [False, False, True]
    assert asked == ["1", "2"]


def test_a_check_that_breaks_hides_the_number() -> None:
    assert Checks().passes(lambda number: number[9] == "1", "123")
