"""Records of one segment that are written together: numbered and chained as they will be if the write succeeds. Pure.

A batch that could not be written is thrown away. What it was made of still waits, and goes into another batch, under
other numbers where need be.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from typing import cast

from msgspec import Struct

from steno.audit import log_records
from steno.audit.log_records import Ending, SegmentSettings
from steno.audit.record import link_all
from steno.timestamps import Micros


class ChainHead(Struct, frozen=True):
    """A record whose hash proves all before it, as `log.checkpoint` names it."""

    seq: int
    hash: bytes
    """As 32 raw bytes."""
    at: Micros | None
    """The time of the checkpoint."""


class CheckpointMark(Struct, frozen=True):
    """Stands among entries for a `log.checkpoint`: what it names is known once those before it have their hashes."""

    at: Micros | None


class Rollover(Struct, frozen=True):
    """Stands among entries where the segment ends."""

    at: Micros | None
    reason: Ending
    settings: SegmentSettings
    """How the next segment is written."""


class SegmentStart(Struct, frozen=True):
    """A segment that is to be begun."""

    at: Micros | None
    recovered_bytes: int = 0
    """What the last writer left of a record that it did not finish."""
    nonce: str | None = None
    """In the first segment of a log: see `LogOpened`."""


BatchEntry = bytes | CheckpointMark | Rollover
"""What a batch is made of: a record without its number, or a mark."""


def records_from(entries: Sequence[object], first: int) -> list[bytes]:
    """Return the records that stand together from place `first` on, where one stands."""
    _, together = next(groupby(islice(entries, first, None), type))
    return cast("list[bytes]", list(together))


class Batch:
    """The lines of one write."""

    __slots__ = ("_key", "checkpoint", "head", "lines", "rollover", "seq", "taken")

    def __init__(self, seq: int, head: bytes, key: bytes | None) -> None:
        """Follow record `seq`, whose hash is `head` as 32 raw bytes, in a segment that is hashed under `key`."""
        self.seq, self.head, self._key = seq, head, key
        """Number and hash of its last record."""
        self.lines = bytearray()
        self.taken = 0
        """How many of the entries that wait are in it."""
        self.checkpoint: ChainHead | None = None
        """What the last checkpoint in it names."""
        self.rollover: Rollover | None = None
        """How it ends the segment, if it does."""

    def add(self, entry: bytes) -> None:
        """Link one more record."""
        self.add_all((entry,))

    def add_all(self, entries: Iterable[bytes], longest: float = math.inf) -> int:
        """Link records until the lines are `longest` bytes long or more; return how many of them."""
        before = self.seq
        self.seq, self.head = link_all(self.lines, entries, before, self.head, self._key, longest)
        return self.seq - before

    def add_checkpoint(self, at: Micros | None) -> None:
        """Add a record that names the one before it."""
        self.checkpoint = ChainHead(self.seq, self.head, at)
        self.add(log_records.checkpoint(at, self.seq, self.head))

    def end_segment(self, rollover: Rollover) -> None:
        """Add the record that ends the segment."""
        self.rollover = rollover
        self.add(log_records.closed(rollover.at, rollover.reason))
