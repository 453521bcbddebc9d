"""Overlapping finds become one."""

from steno.redaction.spans import Span, joined

ORDER = ("key", "card", "phone")


def test_overlapping_finds_become_one_with_the_class_of_the_longest() -> None:
    spans = [Span(4, 9, "phone"), Span(0, 5, "card"), Span(8, 16, "key"), Span(16, 18, "phone")]

    assert joined(spans, ORDER) == [Span(0, 16, "key"), Span(16, 18, "phone")]


def test_among_equally_long_finds_the_most_severe_wins() -> None:
    spans = [Span(0, 5, "phone"), Span(0, 5, "key"), Span(0, 5, "card")]

    assert joined(spans, ORDER) == joined(reversed(spans), ORDER) == [Span(0, 5, "key")]


def test_no_finds_are_joined_to_none() -> None:
    assert joined([], ORDER) == []
