"""A text in, the text with placeholders in place of personal data out. Pure.

The same text gives the same result under the same `VERSION` and the same configuration: nothing here depends on the
clock, the locale or the Unicode tables of the interpreter. No error repeats what was found.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import phonenumbers
import stdnum
from msgspec import Struct

from steno.redaction.addresses import emails, ips
from steno.redaction.budget import DIGITS_A_UNIT, Budget, OverBudgetError
from steno.redaction.fold import Folded, fold
from steno.redaction.identity import identities
from steno.redaction.keys import keys
from steno.redaction.patterns import compiled, matches
from steno.redaction.payment import cards, ibans
from steno.redaction.phones import international, national
from steno.redaction.spans import Span, joined

VERSION: Final = f"redacted/2 phonenumbers/{phonenumbers.__version__} python-stdnum/{stdnum.__version__}"
"""The version in an audit record. The first number changes whenever this package finds other things than before; the
others are the versions of the libraries whose tables it uses. Patterns and regions are part of the configuration, which
has a digest of its own."""

CLASSES: Final = ("key", "card", "iban", "national_id", "tax_id", "email", "phone", "ip")
"""The built-in classes, the most severe first."""

CHARACTERS_MAX: Final = 1 << 18
"""Longest text that is redacted, as long as the longest object that is kept by default. A longer one is dropped."""

_NUMBERS: Final = re.compile(
    r"[0-9](?:(?:[^0-9]{0,3}+[0-9]){5,}+|(?<=[A-Za-z]{5}[0-9])(?<![A-Za-z]{6}[0-9])[0-9]{3}(?=[A-Za-z]))"
)
"""Zones that may hold numbers: six digits with little between them, or four after letters (India's tax numbers)."""

_BEFORE: Final = 12
_AFTER: Final = 12
"""Letters of a number may stand around its digits: so many characters around a zone are searched as well."""


class Redacted(Struct, frozen=True):
    """A redacted text, and how much was taken out."""

    text: str | None
    """The text with placeholders such as `[email]`; None where it could not be redacted and was dropped."""
    counts: dict[str, int]
    """The number of placeholders by class; where the text was dropped, `{"over_budget": 1}` or `{"error": 1}`."""


class Redactor:
    """Finds personal data in texts by the built-in classes and the operator's own patterns.

    `patterns` are regular expressions by name, which becomes the class and the placeholder. `regions` are countries
    (ISO 3166, such as `DE`): telephone numbers in their national form are found, and their weak national numbers
    without a name before them. Both come from a configuration that was validated: nothing is checked here again.
    """

    version: str = VERSION
    """The version in an audit record. Texts that were redacted under one version were treated alike."""

    def __init__(self, patterns: Mapping[str, str] | None = None, regions: Iterable[str] = ()) -> None:
        """Raises PatternFaults where RE2 does not take a pattern."""
        self._patterns = compiled(patterns or {})
        self._regions = tuple(sorted(set(regions)))
        self._severity = (*self._patterns, *CLASSES)

    def budget(self) -> Budget:
        """Return what the texts of one record may take together."""
        return Budget()

    def redact(self, text: str, budget: Budget | None = None) -> Redacted:
        """Return `text` with a placeholder for each find. Never raises: a text that cannot be redacted is dropped.

        Args:
            text: what was said.
            budget: what is left for the record that the text is of; without one the text has a budget of its own.
        """
        budget = self.budget() if budget is None else budget
        if len(text) > CHARACTERS_MAX:
            return _OVER_BUDGET
        try:
            return _replaced(text, joined(self._found(text, budget), self._severity))
        except OverBudgetError:
            return _OVER_BUDGET
        except Exception:  # noqa: BLE001 - the error may repeat the text: nothing of either is shown or kept
            return _DROPPED

    def _found(self, text: str, budget: Budget) -> Iterator[Span]:
        budget.read(text)
        folded = fold(text)
        finds = list(self._in_folded(folded.text, budget))
        if folded.text is text:
            yield from finds
            return
        yield from (_placed(span, folded) for span in finds)
        for name, pattern in self._patterns.items():
            yield from matches(name, pattern, text, budget)

    def _in_folded(self, text: str, budget: Budget) -> Iterator[Span]:
        yield from keys(text)
        yield from emails(text)
        for name, pattern in self._patterns.items():
            yield from matches(name, pattern, text, budget)
        yield from ips(text, budget)
        yield from ibans(text, budget)
        yield from international(text, budget)
        for zone in _NUMBERS.finditer(text):
            yield from self._in_zone(text, *zone.span(), budget)

    def _in_zone(self, text: str, start: int, end: int, budget: Budget) -> Iterator[Span]:
        budget.spend((end - start) // DIGITS_A_UNIT * (1 + len(self._regions)) + 1)
        yield from cards(text, start, end, budget)
        yield from identities(text, max(0, start - _BEFORE), end + _AFTER, self._regions, budget)
        for region in self._regions:
            yield from national(text, max(0, start - 1), end + 1, region, budget)  # a bracket before, a letter after


def _placed(span: Span, folded: Folded) -> Span:
    return Span(folded.place(span.start), folded.place(span.end - 1) + 1, span.kind)


def _replaced(text: str, spans: list[Span]) -> Redacted:
    parts: list[str] = []
    done = 0
    for span in spans:
        parts += text[done : span.start], f"[{span.kind}]"
        done = span.end
    counts = Counter(span.kind for span in spans)
    return Redacted("".join((*parts, text[done:])) if spans else text, dict(sorted(counts.items())))


_DROPPED: Final = Redacted(None, {"error": 1})
_OVER_BUDGET: Final = Redacted(None, {"over_budget": 1})
