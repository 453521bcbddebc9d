"""What was found where, and how finds that overlap become one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

CHECKS_MAX: Final = 10_000
"""Costly checks in one text, each about 30 us: past them every candidate is hidden unchecked. So a text that was
made to be slow is not, and nothing in it is shown because nobody looked."""


class Span(Struct, frozen=True, order=True):
    """Characters of a text from `start` to before `end`, and the class of what they are."""

    start: int
    end: int
    kind: str


class Checks:
    """The costly checks that are left in one text."""

    def __init__(self, left: int = CHECKS_MAX) -> None:
        self.left = left

    def passes(self, check: Callable[[str], bool], number: str) -> bool:
        """Return whether `number` passes, or nobody can say: none is left, or the check itself breaks on it."""
        if self.left <= 0:
            return True
        self.left -= 1
        try:
            return check(number)
        except Exception:  # noqa: BLE001 - a library that breaks on a number must not show it
            return True


def joined(spans: Iterable[Span], severity: Sequence[str]) -> list[Span]:
    """Return `spans` in their order, those that overlap as one that covers them all.

    It has the class of the longest among them; among equals the one that stands first in `severity` wins.
    """
    result: list[Span] = []
    longest = Span(0, 0, "")
    for span in sorted(set(spans)):
        if not result or span.start >= result[-1].end:
            result.append(span)
            longest = span
            continue
        longest = min(longest, span, key=lambda each: (each.start - each.end, severity.index(each.kind)))
        result[-1] = Span(result[-1].start, max(result[-1].end, span.end), longest.kind)
    return result
