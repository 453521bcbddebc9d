"""What a log says of itself in records named `log.*`, held against its chain. Pure.

A checkpoint must name the head before it, and a retirement must name records that the chain has, or ends before. The
cursors of one stream are of one sender, and never go back. What a log says of damage after a fault is not verified: it
is a hint for the reader of a report.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

import msgspec

from steno.audit.log_records import Checkpoint, Cursor, Retired
from steno.audit.record import CHECKPOINT, CURSOR, DAMAGED, GAP, GENESIS, RECORD, RETIRED, segment_name, segment_seq
from steno.audit.verification.report import GAPS_LISTED, ClaimedDamage, DeclaredGap, Reason, Refusal

_CHECKPOINT: Final = msgspec.json.Decoder(Checkpoint)
_RETIRED: Final = msgspec.json.Decoder(Retired)
_CURSOR: Final = msgspec.json.Decoder(Cursor)
_DAMAGE: Final = msgspec.json.Decoder(ClaimedDamage)

STREAMS: Final = 10_000
"""Streams whose last cursor is remembered. Past it the one that had none for longest is forgotten."""


class Chain:
    """How far a log is verified."""

    __slots__ = ("ends", "first_seq", "head", "previous", "seq")

    def __init__(self) -> None:
        self.first_seq: int | None = None
        """The first record that was given; None before there is one."""
        self.seq = 0
        """The last record that holds."""
        self.previous = self.head = GENESIS
        """The hashes before the first record and of the last, as 32 raw bytes."""
        self.ends: dict[int, bytes] = {}
        """The hash of the last record of each segment, by its number; and the hash before the first segment."""

    def begin(self, seq: int, previous: bytes) -> None:
        """Begin with record `seq`. Where that is not 1, the hash before it is taken as given, for now."""
        self.first_seq, self.seq = seq, seq - 1
        self.previous = self.head = previous

    def end_segment(self) -> None:
        """Note that a segment ends here."""
        self.ends[self.seq] = self.head


class Claims:
    """Takes the body of each `log.*` record that says something of the chain, before the chain goes on to it.

    A body that contradicts the chain raises Refusal, one that cannot be read ValueError.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.checkpoints = 0
        """How many agree with the chain."""
        self.gaps: list[DeclaredGap] = []
        self.gap_records = 0
        self.retired = 0
        """The last record that was retired; 0 where none was."""
        self.beginning_retired = False
        """Whether a retirement accounts for all records before the first that was given."""
        self._cursors: OrderedDict[str, Cursor] = OrderedDict()
        """The last cursor of each stream."""
        self.observers: Mapping[bytes, Callable[[bytes], None]] = {
            CHECKPOINT.encode(): self._checkpoint,
            RETIRED.encode(): self._retired,
            GAP.encode(): self._gap,
            CURSOR.encode(): self._cursor,
        }

    def _checkpoint(self, body: bytes) -> None:
        checkpoint = _CHECKPOINT.decode(body)
        if (checkpoint.last_seq, checkpoint.last_hash) != (self._chain.seq, self._chain.head.hex()):
            raise Refusal(Reason.CHECKPOINT)
        self.checkpoints += 1

    def _retired(self, body: bytes) -> None:
        """Hold a retirement against the segments that it names.

        They are deleted after the record is on the disk, the oldest first. So all may still be there, or any number
        of the oldest may be missing. Where all are missing, the retirement names the hash before the first record.
        Where it is about older segments still, a later retirement has to account for the rest.
        """
        retired = _RETIRED.decode(body)
        begins = [segment_seq(name) or 0 for name in retired.segments]
        if begins != sorted({*begins}) or not 0 < begins[0] <= begins[-1] <= retired.last_seq:
            raise Refusal(Reason.RETIREMENT)
        first = self._chain.first_seq or 1
        known = self._chain.ends.get(retired.last_seq)
        if retired.last_seq >= first - 1 and (known is None or known.hex() != retired.last_hash):
            raise Refusal(Reason.RETIREMENT)
        if retired.last_seq == first - 1 or segment_name(first) in retired.segments[1:]:
            self.beginning_retired = True
        self.retired = max(self.retired, retired.last_seq)

    def _cursor(self, body: bytes) -> None:
        cursor = _CURSOR.decode(body)
        before = self._cursors.get(cursor.stream)
        if before and (before.id != cursor.id or before.frame > cursor.frame):
            raise Refusal(Reason.CURSOR)
        self._cursors[cursor.stream] = cursor
        self._cursors.move_to_end(cursor.stream)
        if len(self._cursors) > STREAMS:
            self._cursors.popitem(last=False)

    def _gap(self, body: bytes) -> None:
        self.gap_records += 1
        if len(self.gaps) < GAPS_LISTED:
            # In ASCII: a control character in a forged log could otherwise move a terminal's cursor.
            self.gaps.append(DeclaredGap(self._chain.seq + 1, body.decode("ascii", "backslashreplace")))


def claimed_damage(lines: Iterable[bytes], names: Collection[str]) -> ClaimedDamage | None:
    """Return the first `log.damaged` in `lines` about one of the segments `names`. Nothing of it is verified."""
    for line in lines:
        record = RECORD.fullmatch(line) if DAMAGED.encode() in line else None
        if record is None or record["fact"] != DAMAGED.encode():
            continue
        try:
            damage = _DAMAGE.decode(record["body"])
        except (ValueError, RecursionError):
            continue
        if damage.segment in names:
            return damage
    return None
