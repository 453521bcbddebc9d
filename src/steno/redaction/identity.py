"""Finds national and tax numbers by the forms in which they are written."""

import re
from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from itertools import product
from typing import Final

from msgspec import Struct

from steno.redaction.budget import CANDIDATE_UNITS, Budget
from steno.redaction.identity_checks import CHECKS
from steno.redaction.identity_rules import RULES, IdentityRule
from steno.redaction.spans import Span

NAMED_WITHIN: Final = 24
"""Characters that may stand between a number's name and the number: `my BSN, as I said before, is 111222333`."""

_NAME_MAX: Final = 24
_FORM: Final = str.maketrans(
    dict.fromkeys("0123456789", "9") | dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "A")
)
_WORD: Final = re.compile(r"[0-9A-Za-z]+")


class _Use(Struct, frozen=True):
    """What a form may be: the rule, its check, and the names that must precede a weak form."""

    rule: IdentityRule
    check: Callable[[str], bool]
    names: re.Pattern[str] | None


def identities(text: str, start: int, end: int, countries: Collection[str], budget: Budget) -> Iterator[Span]:
    """Yield national and tax numbers between `start` and `end`. Weak forms of `countries` count without their names."""
    form = text[start:end].translate(_FORM)
    words = [match.span() for match in _WORD.finditer(form)]
    for first, (begin, _) in enumerate(words):
        budget.spend(CANDIDATE_UNITS)
        for _, stop in words[first : first + _WORDS_MAX]:
            if form[begin:stop] not in _BEGINNINGS:
                break
            uses = _USES.get(form[begin:stop], ())
            if uses and _stands_alone(text, start + begin, start + stop):
                found = (use for use in uses if _holds(text, start + begin, start + stop, use, countries, budget))
                yield from (Span(start + begin, start + stop, use.rule.kind) for use in found)


def _stands_alone(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return not (_WORD.match(before[-1:]) or _WORD.match(after[:1]) or _is_fraction(before, after))


def _holds(text: str, start: int, end: int, use: _Use, countries: Collection[str], budget: Budget) -> bool:
    if use.names and use.rule.country not in countries and not _is_named(text, start, use.names):
        return False
    return budget.passes(use.check, text[start:end].replace(" ", ""))  # some checks of the library refuse spaces


def _is_fraction(before: str, after: str) -> bool:
    return (before[-1:] == "." and before[:1].isdigit()) or (after[:1] == "." and after[1:].isdigit())


def _is_named(text: str, start: int, names: re.Pattern[str]) -> bool:
    return names.search(text[max(0, start - NAMED_WITHIN - _NAME_MAX) : start]) is not None


def _uses() -> dict[str, tuple[_Use, ...]]:
    """Return, for each form, what it may be."""
    uses: dict[str, tuple[_Use, ...]] = {}
    for rule in RULES:
        check = CHECKS.get(rule.name) or import_module(f"stdnum.{rule.name}").is_valid
        names = (
            re.compile(rf"(?i)(?<![a-z])(?:{rule.names})(?![a-z])[^0-9\n]{{0,{NAMED_WITHIN}}}\Z")
            if rule.names
            else None
        )
        for forms, how in ((rule.forms, None), (rule.weak, names)):
            for form in (each for shape in forms for each in _spelled(shape)):
                uses[form] = (*uses.get(form, ()), _Use(rule, check, how))
    return uses


def _spelled(shape: str) -> Iterator[str]:
    """Return the forms that `shape` stands for: each X is a digit or a letter."""
    return map("".join, product(*("9A" if mark == "X" else mark for mark in shape)))


_USES: Final = _uses()
_BEGINNINGS: Final = frozenset(form[: word.end()] for form in _USES for word in _WORD.finditer(form))
"""What forms begin with, word by word. Where a text goes on in another way, no longer form can match."""
_WORDS_MAX: Final = max(len(_WORD.findall(form)) for form in _USES)
