"""A log held against its format: numbers, chain, segments, up to the first record that does not hold. Pure.

What is proved is that the records stand as they were chained: none changed, left out or put elsewhere. That
the newest were not cut off takes more: a head (number and hash) that was kept elsewhere. That the log was not
written anew as a whole takes such a head too, or a key that the forger did not have. Both are `Trust`.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from steno.audit.record import CLOSED, GENESIS, HASH_BYTES, OPENED, RECORD, SCHEMA, digest, segment_name
from steno.audit.verification.claims import Chain, Claims
from steno.audit.verification.report import Fault, Reason, Refusal, Report
from steno.audit.verification.trust import Heads, Keying, Trust
from steno.core.facts import NAMES, EventsMissed, StreamClosed

OWN: Final = b"log."
"""What a log tells of itself begins with it."""


class _Opening(Struct, frozen=True):
    """What the proof needs of the body of `log.opened`."""

    schema: str
    algorithm: str
    key_id: str | None
    previous: str
    recovered_bytes: int


_JSON: Final = msgspec.json.Decoder(Raw)
_OPENING: Final = msgspec.json.Decoder(_Opening)
_NOTHING: Final = Trust()


STREAM_CLOSED: Final = NAMES[StreamClosed].encode()
EVENTS_MISSED: Final = NAMES[EventsMissed].encode()


class Verifier:
    """Is given the segments of one log in order, and stops at the first record that does not hold."""

    def __init__(self, *, whole: bool, evidence: Trust = _NOTHING) -> None:
        """Hold nothing yet.

        Args:
            whole: whether all segments of the log are given. It must then begin at record 1, or tell what was
                retired, and reach every head that was kept. If not, the first segment is taken to follow what its
                `previous` says.
            evidence: what the log is held against.
        """
        self._whole = whole
        self._keying = Keying(evidence.keys, evidence.keyed_from)
        self._heads = Heads(evidence.heads)
        self._chain = Chain()
        self._testimony = Claims(self._chain)
        self._key: bytes | None = None
        self._stop_seq = 0
        """The next record that evidence tells something of."""
        self._fault: Fault | None = None
        self._segment = ""
        self._segments: list[str] = []
        self._newest = False
        self._line = 0
        self._ended = False
        self._records = 0
        self._first_at = self._last_at = b"null"
        self._recovered_bytes = 0
        self._unclosed = self._broken_streams = self._missed = 0

    def segment(self, name: str, lines: Iterable[bytes], *, newest: bool) -> bool:
        """Prove the next segment; return whether all of it holds.

        Args:
            name: the name of its file.
            lines: its lines, each with its newline. Not read beyond the first that does not hold.
            newest: whether it is the last one, whose last line may be torn by a writer that died.
        """
        self._unclosed += bool(self._segments) and not self._ended
        self._segment, self._newest, self._line, self._ended = name, newest, 0, False
        self._segments.append(name)
        try:
            for line in lines:
                self._line += 1
                self._record(line)
        except Refusal as refusal:
            self._refuse(refusal.reason, refusal.detail)
        else:
            if not self._line:
                self._refuse(Reason.UNBEGUN if newest else Reason.EMPTY)
        self._chain.end()
        return self._fault is None

    def _refuse(self, reason: Reason, detail: str = "") -> None:
        seq = None if self._chain.first_seq is None else self._chain.seq + 1
        self._fault = Fault(self._segment, self._line, seq, reason, detail)

    # A record -------------------------------------------------------------------------------------------

    def _record(self, line: bytes) -> None:
        record = RECORD.fullmatch(line)
        if record is None:
            raise Refusal(Reason.TORN if self._newest and not line.endswith(b"\n") else Reason.UNREADABLE)
        number, at, fact, body, claimed = record.groups()
        seq = int(number)
        chain = self._chain
        if self._line == 1:
            self._opening(seq, fact, body)
        elif seq != chain.seq + 1:
            raise Refusal(Reason.NUMBER)
        hashed = digest(chain.head, line[:-HASH_BYTES], self._key)
        if hashed.hex().encode() != claimed:
            raise Refusal(Reason.HASH)
        if seq >= self._stop_seq:
            self._stop(seq, hashed)
        self._told(fact, body)
        chain.seq, chain.head = seq, hashed
        self._records += 1
        if at != b"null":
            self._last_at = at
            if self._first_at == b"null":
                self._first_at = at

    def _stop(self, seq: int, hashed: bytes) -> None:
        """Hold record `seq` against the evidence, and note the next one to be held so."""
        if seq >= self._keying.next_seq:
            raise Refusal(Reason.UNKEYED)
        self._heads.check(seq, hashed)
        self._stop_seq = min(self._heads.next_seq, self._keying.next_seq)

    def _told(self, fact: bytes, body: bytes) -> None:
        """Note what a record tells of the log itself. Of all others it is enough that their body is JSON."""
        if self._ended:
            raise Refusal(Reason.ENDED)
        try:
            _JSON.decode(body)
            if fact.startswith(OWN) and self._line > 1:
                self._own(fact.decode(), body)
            elif fact == STREAM_CLOSED:
                self._broken_streams += b'"gap":"' in body
            elif fact == EVENTS_MISSED:
                self._missed += 1
        except (ValueError, RecursionError):
            raise Refusal(Reason.UNREADABLE) from None

    def _own(self, fact: str, body: bytes) -> None:
        if fact == OPENED:
            raise Refusal(Reason.REOPENED)
        self._ended = fact == CLOSED
        self._testimony.hear(fact, body)

    # The first record of a segment ----------------------------------------------------------------------

    def _opening(self, seq: int, fact: bytes, body: bytes) -> None:
        """Hold the first record of a segment against its file's name and against what came before."""
        if fact != OPENED.encode():
            raise Refusal(Reason.UNOPENED)
        try:
            opening = _OPENING.decode(body)
            previous = bytes.fromhex(opening.previous)
        except (ValueError, RecursionError):
            raise Refusal(Reason.UNREADABLE) from None
        if opening.schema != SCHEMA:
            raise Refusal(Reason.SCHEMA)
        if self._segment != segment_name(seq):
            raise Refusal(Reason.MISNAMED)
        if self._chain.first_seq is None:
            self._begin(seq, previous)
        if seq != self._chain.seq + 1:
            raise Refusal(Reason.MISSING if seq > self._chain.seq else Reason.NUMBER)
        if opening.previous != self._chain.head.hex():
            raise Refusal(Reason.PREVIOUS)
        self._key = self._keying.key_of(seq, opening.algorithm, opening.key_id)
        self._recovered_bytes += opening.recovered_bytes

    def _begin(self, seq: int, previous: bytes) -> None:
        if len(previous) != len(GENESIS) or (seq == 1 and previous != GENESIS):
            raise Refusal(Reason.PREVIOUS)
        self._chain.begin(seq, previous)
        self._chain.end()
        self._heads.begin(seq, previous)

    # The end --------------------------------------------------------------------------------------------

    def _missing(self) -> Fault | None:
        """Return what is wrong with a log all of whose records hold: its beginning or its end is not there."""
        first_seq = self._chain.first_seq
        if not self._whole or first_seq is None:
            return None
        if first_seq > 1 and not self._testimony.grounded:
            return Fault(self._segments[0], 1, first_seq, Reason.BEGINNING)
        if self._keying.unreached:
            return self._cut(Reason.UNREACHED, self._keying.next_seq)
        if self._heads.due:
            return self._cut(Reason.CUT, self._heads.next_seq)
        return None

    def _cut(self, reason: Reason, seq: int) -> Fault:
        """Return the fault of a log that ends before record `seq`."""
        return Fault(self._segment, self._line + 1, self._chain.seq + 1, reason, f"record {seq}")

    def report(self) -> Report:
        """Return what was proved of the segments that were given."""
        chain, testimony = self._chain, self._testimony
        keyed = {name: seq for name, seq in self._keying.used.items() if seq <= chain.seq}
        fault = self._fault or self._missing()
        unchecked = (*self._heads.before, *self._heads.due)
        return Report(
            ok=fault is None and not unchecked,
            records=self._records,
            segments=len(self._segments),
            first_seq=chain.first_seq if self._records else None,
            last_seq=chain.seq if self._records else None,
            first_at=_told(self._first_at),
            last_at=_told(self._last_at),
            previous=chain.previous.hex() if self._records else None,
            head=chain.head.hex() if self._records else None,
            keyed_from=min(keyed.values(), default=None),
            key_ids=tuple(keyed),
            heads=tuple(self._heads.held),
            heads_unchecked=unchecked,
            checkpoints=testimony.checkpoints,
            unclosed=self._unclosed,
            broken_streams=self._broken_streams,
            missed=self._missed,
            gaps=tuple(testimony.gaps),
            gap_records=testimony.gap_records,
            retired=testimony.retired or None,
            recovered_bytes=self._recovered_bytes,
            fault=fault,
        )


def _told(at: bytes) -> str | None:
    return None if at == b"null" else at[1:-1].decode()
