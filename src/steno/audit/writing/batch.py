"""What waits to be written to a log, and what becomes of it when it is linked. Pure."""

from msgspec import Struct

from steno.audit import log_records
from steno.audit.log_records import Ending, Writing
from steno.audit.record import link, moment
from steno.timestamps import Micros


class ChainHead(Struct, frozen=True):
    """A record that proves all before it, as `log.checkpoint` tells it."""

    seq: int
    hash: bytes
    """As 32 raw bytes."""
    at: Micros | None
    """When it was told."""


class Checkpoint(Struct, frozen=True):
    """Stands between entries: what it tells is known when those before it have their hashes."""

    at: Micros | None


class Rollover(Struct, frozen=True):
    """Stands between entries: the segment ends here."""

    at: Micros | None
    reason: Ending
    writing: Writing
    """How the next one is written."""


class SegmentStart(Struct, frozen=True):
    """A segment that is to be begun."""

    at: Micros | None
    recovered_bytes: int = 0


BatchEntry = bytes | Checkpoint | Rollover


class Batch:
    """Records for one segment that are written together, linked as they will be if that goes well."""

    __slots__ = ("_key", "head", "lines", "seq", "size", "taken", "told", "turn")

    def __init__(self, seq: int, head: bytes, key: bytes | None) -> None:
        """Follow record `seq`, whose hash is `head`, as 32 raw bytes."""
        self.seq, self.head, self._key = seq, head, key
        self.lines: list[bytes] = []
        self.size = 0
        self.taken = 0
        """How many of the items that wait are in it."""
        self.told: ChainHead | None = None
        """What the last checkpoint in it tells."""
        self.turn: Rollover | None = None
        """How it ends the segment, if it does."""

    def add(self, entry: bytes) -> None:
        """Link one more record."""
        self.seq += 1
        line, self.head = link(self.seq, entry, self.head, self._key)
        self.lines.append(line)
        self.size += len(line)

    def check(self, at: Micros | None) -> None:
        """Tell the head."""
        self.told = ChainHead(self.seq, self.head, at)
        self.add(log_records.checkpoint(at, self.seq, self.head))

    def end(self, turn: Rollover) -> None:
        """End the segment."""
        self.turn = turn
        self.add(log_records.closed(turn.at, turn.reason))


def moment_of(item: BatchEntry) -> Micros | None:
    """Return the time of what waits."""
    return moment(item) if isinstance(item, bytes) else item.at
