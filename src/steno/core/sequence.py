"""Numbers that senders give their events, and the gaps in them."""

from collections import OrderedDict
from typing import Final

SENDERS: Final = 1_024
"""Senders of numbered envelopes remembered a source; past it the one that was silent longest is forgotten."""
SEQUENCE_DIGITS: Final = 18
"""Longest number that is believed."""


class Sequences:
    """The highest number that each sender of a source gave."""

    __slots__ = ("_highest",)

    def __init__(self) -> None:
        """Know of no sender."""
        self._highest: OrderedDict[str, int] = OrderedDict()

    def missing_before(self, sender: str, sequence: str | int | None) -> int:
        """Return how many events of `sender` are missing before the one numbered `sequence`.

        Only a decimal number that counts up shows a gap. One that comes late, or again, fills none.
        """
        digits = str(sequence)
        if not digits.isdecimal() or len(digits) > SEQUENCE_DIGITS:
            return 0
        number = int(digits)
        last = self._highest.get(sender)
        if last is not None and number <= last:
            return 0
        self._highest[sender] = number
        self._highest.move_to_end(sender)
        if len(self._highest) > SENDERS:
            self._highest.popitem(last=False)
        return 0 if last is None else number - last - 1
