"""How much work the redaction of one record may take, counted in characters, candidates and checks, never in time.

A budget in time would redact the same text on one machine and drop it on another.
"""

from collections.abc import Callable
from typing import Final

WORK_MAX: Final = 65_536
"""Units for one record. The dearest unit takes about 4 us, so that no record holds up the audit log for more than a
quarter of a second. Speech and prose take one unit for 64 characters; a list of 5,000 telephone numbers of one country
fits as well."""

CHARACTERS_A_UNIT: Final = 64
"""Characters that all finders look through for one unit."""
DIGITS_A_UNIT: Final = 32
"""Characters of a zone of digits that the finders of numbers look through for one unit; once more for each region."""
CANDIDATE_UNITS: Final = 2
"""Units of one place at which a number may begin."""
CHECK_UNITS: Final = 4
"""Units of one check of a number."""
PHONE_UNITS: Final = 48
"""Units of one look for a telephone number."""


class OverBudgetError(Exception):
    """A record would take more work than it may."""


class Budget:
    """What is left for one record."""

    __slots__ = ("left",)

    def __init__(self, units: int = WORK_MAX) -> None:
        """Begin with all of it."""
        self.left = units

    def spend(self, units: int) -> None:
        """Take `units`. Raises OverBudgetError where so many are not left, from then on each time."""
        self.left -= units
        if self.left < 0:
            raise OverBudgetError

    def read(self, text: str) -> None:
        """Take what it costs to look through `text` once. Raises as `spend`."""
        self.spend(len(text) // CHARACTERS_A_UNIT + 1)

    def passes(self, check: Callable[[str], bool], number: str) -> bool:
        """Return whether `number` passes `check`. It also passes where the check raises. Raises as `spend`."""
        self.spend(CHECK_UNITS)
        try:
            return check(number)
        except Exception:  # noqa: BLE001 - a library that fails on a number must not show it
            return True
