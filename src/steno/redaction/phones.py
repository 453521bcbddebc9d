"""Finds telephone numbers: with a country code always, in national form for the configured regions."""

import re
from collections.abc import Iterator
from typing import Final

from phonenumbers import PhoneNumberMatcher

from steno.redaction.budget import PHONE_UNITS, Budget
from steno.redaction.spans import Span

_INTERNATIONAL: Final = re.compile(r"\+(?=([ (]{0,2}[0-9](?:[ ()./-]{0,3}[0-9]){6,17})(?![0-9]))")
_NATIONAL: Final = re.compile(
    r"(?<![0-9A-Za-z+$€£%])(?<![0-9]\.)"
    r"(?!(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?![0-9])|[0-9]\.[0-9]{6})"  # a date, a fraction
    r"(?=(\(?[0-9](?:[ ()./-]{0,3}[0-9]){6,16})(?![0-9A-Za-z]))"
)
"""Seven digits or more, from the beginning of a group of digits."""

_GROUP_END: Final = re.compile(r"[0-9](?![0-9])")
_DIGITS_MIN: Final = 7


def international(text: str, budget: Budget) -> Iterator[Span]:
    """Yield numbers that begin with a plus sign and a country code."""
    for match in _INTERNATIONAL.finditer(text) if "+" in text else ():
        yield from _longest(f"+{match[1]}", match.start(), None, budget)


def national(text: str, start: int, end: int, region: str, budget: Budget) -> Iterator[Span]:
    """Yield numbers between `start` and `end` in the form in which they are dialled within `region`."""
    found = start
    for match in _NATIONAL.finditer(text, start, end):
        if match.start() >= found:
            for span in _longest(match[1], match.start(), region, budget):
                found = span.end
                yield span


def _longest(written: str, offset: int, region: str | None, budget: Budget) -> Iterator[Span]:
    """Yield the first number in `written`. All its groups of digits are tried first, then one group less, and so on."""
    for last in reversed([match.end() for match in _GROUP_END.finditer(written)]):
        if sum(map(str.isdigit, written[:last])) < _DIGITS_MIN:
            return
        budget.spend(PHONE_UNITS)
        for match in PhoneNumberMatcher(written[:last], region):
            yield Span(offset + match.start, offset + match.end, "phone")
            return
