"""Finds telephone numbers: with a country code always, in national form for the configured regions."""

import re
from collections.abc import Iterator
from typing import Final

from phonenumbers import PhoneNumberMatcher

from steno.redaction.spans import Checks, Span

_INTERNATIONAL: Final = re.compile(r"\+(?=([ (]{0,2}[0-9](?:[ ()./-]{0,3}[0-9]){6,17})(?![0-9]))")
_NATIONAL: Final = re.compile(
    r"(?<![0-9A-Za-z+$€£%])(?<![0-9]\.)"
    r"(?!(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?![0-9])|[0-9]\.[0-9]{6})"  # a date, a fraction
    r"(?=(\(?[0-9](?:[ ()./-]{0,3}[0-9]){6,16})(?![0-9A-Za-z]))"
)
"""Seven digits or more, from the beginning of a group of digits."""

_GROUP_END: Final = re.compile(r"[0-9](?![0-9])")
_DIGITS_MIN: Final = 7


def international(text: str, checks: Checks) -> Iterator[Span]:
    """Yield numbers that begin with a plus sign and a country code."""
    for match in _INTERNATIONAL.finditer(text) if "+" in text else ():
        yield from _longest(f"+{match[1]}", match.start(), None, checks)


def national(text: str, start: int, end: int, region: str, checks: Checks) -> Iterator[Span]:
    """Yield numbers between `start` and `end` in the form in which they are dialled within `region`."""
    found = start
    for match in _NATIONAL.finditer(text, start, end):
        if match.start() >= found:
            for span in _longest(match[1], match.start(), region, checks):
                found = span.end
                yield span


def _longest(written: str, offset: int, region: str | None, checks: Checks) -> Iterator[Span]:
    """Yield the first number in `written`. All its groups of digits are tried first, then one group less, and so on."""
    for last in reversed([match.end() for match in _GROUP_END.finditer(written)]):
        if sum(map(str.isdigit, written[:last])) < _DIGITS_MIN:
            return
        if checks.left <= 0:
            yield Span(offset, offset + last, "phone")
            return
        checks.left -= 1
        for match in PhoneNumberMatcher(written[:last], region):
            yield Span(offset + match.start, offset + match.end, "phone")
            return
