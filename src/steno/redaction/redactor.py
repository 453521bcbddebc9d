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
from steno.redaction.fold import Folded, fold
from steno.redaction.identity import identities
from steno.redaction.keys import keys
from steno.redaction.payment import cards, ibans
from steno.redaction.phones import international, national
from steno.redaction.spans import Checks, Span, joined

VERSION: Final = f"redacted/1 phonenumbers/{phonenumbers.__version__} python-stdnum/{stdnum.__version__}"
"""The version in an audit record. The first number changes whenever this package finds other things than before; the
others are the versions of the libraries whose tables it uses. Patterns and regions are part of the configuration, which
has a digest of its own."""

CLASSES: Final = ("key", "card", "iban", "national_id", "tax_id", "email", "phone", "ip")
"""The built-in classes, the most severe first."""

CHARACTERS_MAX: Final = 1 << 18
"""Longest text that is redacted, as long as the longest object that is kept by default. A longer one is dropped. The
worst text of this length takes about a second."""

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
    """The number of placeholders by class; `{"error": 1}` where the text was dropped."""


class Redactor:
    """Finds personal data in texts by the built-in classes and the operator's own patterns.

    `patterns` are regular expressions by name, which becomes the class and the placeholder. `regions` are countries
    (ISO 3166, such as `DE`): telephone numbers in their national form are found, and their weak national numbers
    without a name before them. Both come from a configuration that was validated: nothing is checked here again.
    """

    version: str = VERSION
    """The version in an audit record. Texts that were redacted under one version were treated alike."""

    def __init__(self, patterns: Mapping[str, str] | None = None, regions: Iterable[str] = ()) -> None:
        self._patterns = {name: re.compile(pattern) for name, pattern in sorted((patterns or {}).items())}
        self._regions = tuple(sorted(set(regions)))
        self._severity = (*self._patterns, *CLASSES)

    def redact(self, text: str) -> Redacted:
        """Return `text` with a placeholder for each find. Never raises: a text that cannot be redacted is dropped."""
        if len(text) > CHARACTERS_MAX:
            return _DROPPED
        try:
            return _replaced(text, joined(self._found(text), self._severity))
        except Exception:  # noqa: BLE001 - the error may repeat the text: nothing of either is shown or kept
            return _DROPPED

    def _found(self, text: str) -> Iterator[Span]:
        folded = fold(text)
        finds = list(self._in_folded(folded.text))
        yield from finds if folded.text is text else (_placed(span, folded) for span in finds)
        for name, pattern in self._patterns.items():
            yield from _matched(name, pattern, text)

    def _in_folded(self, text: str) -> Iterator[Span]:
        yield from keys(text)
        yield from emails(text)
        for name, pattern in self._patterns.items():
            yield from _matched(name, pattern, text)
        checks = Checks()
        yield from ips(text)
        yield from ibans(text, checks)
        yield from international(text, checks)
        for zone in _NUMBERS.finditer(text):
            yield from self._in_zone(text, *zone.span(), checks)

    def _in_zone(self, text: str, start: int, end: int, checks: Checks) -> Iterator[Span]:
        yield from cards(text, start, end, checks)
        yield from identities(text, max(0, start - _BEFORE), end + _AFTER, self._regions, checks)
        for region in self._regions:
            yield from national(text, max(0, start - 1), end + 1, region, checks)  # a bracket before, a letter after


def _matched(name: str, pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    return (Span(*match.span(), name) for match in pattern.finditer(text) if match[0])


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
