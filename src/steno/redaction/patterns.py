"""The operator's own patterns, run by RE2: its time grows with the length of the text, whatever the pattern.

RE2 has no look-around and no back-references, since those have no such bound. A pattern that needs them is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import re2  # type: ignore[import-untyped]  # it has no stubs

from steno.redaction.budget import Budget
from steno.redaction.spans import Span

REASON_CHARACTERS: Final = 80
"""Longest reason of RE2 that is repeated."""
CHARACTERS_A_UNIT: Final = 1_024
"""Characters that RE2 looks through for one unit of work."""


class PatternError(ValueError):
    """RE2 does not take a pattern. The message says why."""


def compiled(patterns: Mapping[str, str]) -> dict[str, Any]:
    """Return each pattern ready to search, in the order of their names. Raises PatternFaults for all that are wrong."""
    ready: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, pattern in sorted(patterns.items()):
        try:
            ready[name] = _compiled(pattern)
        except PatternError as error:
            faults[name] = str(error)
    if faults:
        raise PatternFaults(faults)
    return ready


class PatternFaults(ValueError):  # noqa: N818 - it carries several
    """What is wrong with which pattern."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        """Name the reason of each pattern."""
        super().__init__(", ".join(faults))
        self.faults = faults


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False  # to standard error, with the pattern
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        written = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(
            f"must be a regular expression that RE2 takes, without look-around and back-references ({_short(written)})"
        ) from None


def _short(reason: str) -> str:
    return reason if len(reason) <= REASON_CHARACTERS else f"{reason[:REASON_CHARACTERS]}…"


def matches(name: str, pattern: Any, text: str, budget: Budget) -> Iterator[Span]:
    """Yield what a pattern finds in `text`. A find of no characters is none.

    Each search may look at all that is left of the text, so that many finds cost more than one: that is what the budget
    counts.
    """
    budget.read(text)
    for match in pattern.finditer(text):
        budget.spend(1 + (len(text) - match.start()) // CHARACTERS_A_UNIT)
        if match.start() < match.end():
            yield Span(match.start(), match.end(), name)
