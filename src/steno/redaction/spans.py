"""What was found where, and how overlapping finds become one."""

from collections.abc import Iterable, Sequence

from msgspec import Struct


class Span(Struct, frozen=True, order=True):
    """The characters of a text from `start` to before `end`, and their class."""

    start: int
    end: int
    kind: str


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
