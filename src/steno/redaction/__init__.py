"""Finds personal numbers, addresses and keys in texts, and replaces them by placeholders. Pure.

    redactor.py     a text in, the text with placeholders out
    fold.py         one form for each digit and mark, so that a number is found however it is written
    addresses.py    finders: e-mail and IP addresses
    keys.py         keys and tokens
    payment.py      card numbers and IBANs
    phones.py       telephone numbers
    identity.py     national and tax numbers, by the table of identity_rules.py and the checks of identity_checks.py
    patterns.py     the operator's own patterns
    budget.py       how much work one record may take
    spans.py        what was found where, and how overlapping finds become one

It needs the packages of `steno[redaction]`. `docs/redaction.md` says what is found and what is not.
"""

from steno.redaction.budget import Budget
from steno.redaction.patterns import PatternFaults
from steno.redaction.redactor import CHARACTERS_MAX, CLASSES, VERSION, Redacted, Redactor

__all__ = ["CHARACTERS_MAX", "CLASSES", "VERSION", "Budget", "PatternFaults", "Redacted", "Redactor"]
