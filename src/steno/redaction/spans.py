"""What was found where, and how overlapping finds become one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

CHECKS_MAX: Final = 10_000
"""Costly checks in one text, about 30 us each. Past them every candidate is hidden without a check. So no text can be
made to take long, and nothing is shown because it was not checked."""


class Span(Struct, frozen=True, order=True):
    """The characters of a text from `start` to before `end`, and their class."""

    start: int
    end: int
    kind: str


class Checks:
    """The budget of costly checks in one text."""

    def __init__(self, left: int = CHECKS_MAX) -> None:
        self.left = left

    def passes(self, check: Callable[[str], bool], number: str) -> bool:
        """Return whether `number` passes `check`. It also passes where no check is left, or where the check raises."""
        if self.left <= 0:
            return True
        self.left -= 1
        try:
            return check(number)
        except Exception:  # noqa: BLE001 - a library that fails on a number must not show it
            return True


def joined(spans: Iterable[Span], severity: Sequence[str]) -> list[Span]:
    """Return `spans` in order, with overlapping ones joined to one that covers them all.

    It has the class of the longest among them; among equals, the one that comes first in `severity`.
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
