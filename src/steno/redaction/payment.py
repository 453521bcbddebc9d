"""Finds card numbers and IBANs."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from stdnum import iban, luhn, numdb

from steno.redaction.budget import CANDIDATE_UNITS, Budget
from steno.redaction.spans import Span

_CARD: Final = re.compile(r"(?<![0-9])(?<![0-9]\.)(?=([2-689](?:[ -]{0,3}[0-9]){12,18})(?![0-9]))")
"""13 to 19 digits in any groups, beginning with a digit that issuers use. Digits after a dot are a fraction."""

_DICTATED: Final = re.compile(
    r"(?<![0-9])(?=((?:[2-689](?:[,.] ?[0-9]){12,18}|[2-689][0-9]{3}(?:[,.] ?[0-9]{4}){3}))(?![0-9]))"
)
"""What transcription makes of a number that is said digit by digit or in fours: `4, 1, 1, 1` or `4111. 1111.`."""

_ISSUED: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|09|[689]\d)\d{11,16}"  # Diners Club
    r"|(?:35\d\d|220[0-4])\d{12,15}"  # JCB, Mir
    r"|(?:5[06-9]|6\d)\d{11,17}"  # Maestro, Discover, UnionPay, RuPay
    r"|(?:8[12]\d\d|9792)\d{12}",  # RuPay, Troy
    re.ASCII,
)
"""The first digits of each issuer, and the lengths of its numbers."""

_SHORTEST: Final = 13
_DIGIT: Final = re.compile("[0-9]")
_NO_DIGIT: Final = re.compile(r"[^0-9]+")

_IBAN: Final = re.compile(r"[0-9](?<=[A-Za-z]{2}[0-9])[0-9]|[0-9](?<=[A-Za-z]{2}[ -][0-9])[0-9]")
"""The check digits, and the two letters of the country before them."""

_IBAN_PART: Final = re.compile(r"([1-9][0-9]*)!([nac])")
_IBAN_CHARACTERS: Final = {"n": "[0-9]", "a": "[A-Za-z]", "c": "[0-9A-Za-z]"}


def cards(text: str, start: int, end: int, budget: Budget) -> Iterator[Span]:
    """Yield card numbers between `start` and `end`: an issuer's first digits and length, and Luhn's check digit."""
    for pattern in (_CARD, _DICTATED):
        for match in pattern.finditer(text, start, end):
            budget.spend(CANDIDATE_UNITS)
            if last := _card_end(match[1], budget):
                yield Span(match.start(), match.start() + last, "card")


def _card_end(written: str, budget: Budget) -> int:
    """Return the end of the longest card number at the start of `written`; 0 where there is none."""
    ends = [match.end() for match in _DIGIT.finditer(written)]
    digits = _NO_DIGIT.sub("", written)
    for length in range(len(digits), _SHORTEST - 1, -1):
        end = ends[length - 1]
        at_group_end = not written[end : end + 1].isdigit()
        if at_group_end and _ISSUED.fullmatch(digits, 0, length) and budget.passes(luhn.is_valid, digits[:length]):
            return end
    return 0


def ibans(text: str, budget: Budget) -> Iterator[Span]:
    """Yield IBANs in any case and grouping: the country's length and form, and the check digits."""
    for match in _IBAN.finditer(text):
        start = match.start() - (2 if text[match.start() - 1].isalpha() else 3)
        form = _iban_form(text[start : start + 2].upper())
        written = form.match(text, match.start()) if form else None
        if written and budget.passes(iban.is_valid, text[start : written.end()].replace(".", "")):
            yield Span(start, written.end(), "iban")


@lru_cache(maxsize=26 * 26)
def _iban_form(country: str) -> re.Pattern[str] | None:
    """Return the form of an IBAN of `country` after its two letters; None where the country has none."""
    known = numdb.get("iban").info(country)[0][1]
    parts = _IBAN_PART.findall(f"2!n{known['bban']}") if known else []
    form = "".join(f"(?:[ .-]?{_IBAN_CHARACTERS[kind]}){{{length}}}" for length, kind in parts)
    return re.compile(form) if form else None
