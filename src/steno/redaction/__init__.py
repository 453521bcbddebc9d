"""What people should not find in a log: personal numbers, addresses and keys in whole texts. Pure.

`fold` writes a text so that digits and marks have one form only. `payment`, `identity`, `phones`, `addresses`
and `keys` find what is to be hidden, `identities` is the table of national and tax numbers. `spans` joins what
they found, `redactor` puts the placeholders in. `docs/redaction.md` says what is found and what is not.
"""

from steno.redaction.redactor import CHARACTERS_MAX, CLASSES, VERSION, Redacted, Redactor

__all__ = ["CHARACTERS_MAX", "CLASSES", "VERSION", "Redacted", "Redactor"]
