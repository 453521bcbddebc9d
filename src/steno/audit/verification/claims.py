"""What a log tells of itself, `log.*`, held against its chain; and what it tells of damage after a fault. Pure."""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from steno.audit.log_records import Checkpoint, Retired
from steno.audit.record import CHECKPOINT, DAMAGED, GAP, GENESIS, RECORD, RETIRED, segment_name, segment_seq
from steno.audit.verification.report import GAPS_KEPT, Damage, Gap, Reason, Refusal

_CHECKPOINT: Final = msgspec.json.Decoder(Checkpoint)
_RETIREMENT: Final = msgspec.json.Decoder(Retired)
_DAMAGE: Final = msgspec.json.Decoder(Damage)


class Chain:
    """How far a log is proved."""

    __slots__ = ("ends", "first_seq", "head", "previous", "seq")

    def __init__(self) -> None:
        self.first_seq: int | None = None
        """The first record that was given; None before there is one."""
        self.seq = 0
        """The last record that holds."""
        self.previous = self.head = GENESIS
        """The hashes before the first record and of the last, as 32 raw bytes."""
        self.ends: dict[int, bytes] = {}
        """The last record of each segment and its hash; and what stands before the first."""

    def begin(self, seq: int, previous: bytes) -> None:
        """Begin with record `seq`. Above 1, what stood before it is taken on trust, for now."""
        self.first_seq, self.seq = seq, seq - 1
        self.previous = self.head = previous

    def end(self) -> None:
        """Note where a segment ends."""
        self.ends[self.seq] = self.head


class Claims:
    """Is told each `log.*` record but the first of a segment, before the chain goes on to it."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.checkpoints = 0
        self.gaps: list[Gap] = []
        self.gap_records = 0
        self.retired = 0
        """The last record that was retired."""
        self.grounded = False
        """Whether what is missing before the first record was retired."""

    def hear(self, fact: str, body: bytes) -> None:
        """Take a record. Raises Refusal where it contradicts the chain, ValueError where it cannot be read."""
        if fact == CHECKPOINT:
            self._checkpoint(_CHECKPOINT.decode(body))
        elif fact == RETIRED:
            self._retire(_RETIREMENT.decode(body))
        elif fact == GAP:
            self._gap(body)

    def _checkpoint(self, told: Checkpoint) -> None:
        if (told.last_seq, told.last_hash) != (self._chain.seq, self._chain.head.hex()):
            raise Refusal(Reason.CHECKPOINT)
        self.checkpoints += 1

    def _retire(self, told: Retired) -> None:
        """Hold a retirement against what it retires, which is deleted only after it is on the disk.

        So it may all be still there, or any number of the oldest segments be missing. Where all are, the hash is
        that before the first record; where the record is older still, a later retirement is to account for it.
        """
        begins = [segment_seq(name) or 0 for name in told.segments]
        if begins != sorted({*begins}) or not 0 < begins[0] <= begins[-1] <= told.last_seq:
            raise Refusal(Reason.RETIREMENT)
        first = self._chain.first_seq or 1
        known = self._chain.ends.get(told.last_seq)
        if told.last_seq >= first - 1 and (known is None or known.hex() != told.last_hash):
            raise Refusal(Reason.RETIREMENT)
        if told.last_seq == first - 1 or segment_name(first) in told.segments[1:]:
            self.grounded = True
        self.retired = max(self.retired, told.last_seq)

    def _gap(self, body: bytes) -> None:
        self.gap_records += 1
        if len(self.gaps) < GAPS_KEPT:
            # In ASCII: what can be written in a log could otherwise move a terminal's cursor.
            self.gaps.append(Gap(self._chain.seq + 1, body.decode("ascii", "backslashreplace")))


def told_damage(lines: Iterable[bytes], names: Collection[str]) -> Damage | None:
    """Return what the first `log.damaged` in `lines` tells of one of the segments `names`. Nothing of it is proved."""
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
