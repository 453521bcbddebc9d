"""Verifies the chain of an audit log, up to the first record that does not hold. Pure.

A record holds if its line has the form of `steno.audit/1`, its number follows the one before, and its hash is that of
the hash before it and its own bytes. A segment begins with `log.opened`, which names the hash before it and how the
segment is hashed. Its file is named by its first record. Other records named `log.*` say something of the log, which is
held against the chain too: see `claims`. Of all other records it is enough that their body is JSON: the verifier knows
nothing of conversations. Observers can be given for facts of any name. They see the bodies of records that hold.

The first fault ends the verification, since the hash that the next record builds on is not known.

A chain shows that records stand as they were chained: none changed, left out or moved. It does not show that the newest
were not cut off, nor that the log was not written anew as a whole. That takes a key, or a head that was kept elsewhere:
see `trust`. These matter at a few records only. `_stop_seq` is the next one, so that all others cost one comparison.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from steno.audit.record import CLOSED, GENESIS, HASH_BYTES, LINE_BYTES, OPENED, RECORD, SCHEMA, digest, segment_name
from steno.audit.verification.claims import Chain, Claims
from steno.audit.verification.report import Fault, Reason, Refusal, Report
from steno.audit.verification.times import Times
from steno.audit.verification.trust import HeadCheck, IdentityCheck, KeyCheck, Trust

Observers = Mapping[bytes, Callable[[bytes], None]]
"""By the name of a fact: takes the body of each record of that name. Raises ValueError where it cannot be read."""


class _Opening(Struct, frozen=True):
    """What is verified of the body of `log.opened`."""

    schema: str
    algorithm: str
    key_id: str | None
    previous: str
    recovered_bytes: int
    log_id: str | None = None


_JSON: Final = msgspec.json.Decoder(Raw)
_OPENING: Final = msgspec.json.Decoder(_Opening)
_NO_TRUST: Final = Trust()
_OPENED: Final = OPENED.encode()
_CLOSED: Final = CLOSED.encode()
_OWN: Final = b"log."
"""How the names of facts about the log itself begin."""
_NO_TIME: Final = b"null"


class Verifier:
    """Is given the segments of one log in order, and stops at the first record that does not hold."""

    def __init__(self, *, complete: bool, trust: Trust = _NO_TRUST, observers: Observers | None = None) -> None:
        """Prepare for the first segment.

        Args:
            complete: whether all segments of the log are given. It must then begin at record 1 or declare what was
                retired, and have every known head. Otherwise the first segment is taken to follow the hash that its
                `previous` names.
            trust: keys and heads that the log is held against.
            observers: see the bodies of records that hold.
        """
        self._complete = complete
        self._keys = KeyCheck(trust.keys, trust.keyed_from, trust.key_ranges)
        self._identity = IdentityCheck(trust.log_id)
        self._heads = HeadCheck(trust.heads)
        self._chain = Chain()
        self._claims = Claims(self._chain)
        self._observers = {**(observers or {}), **self._claims.observers}
        self._key: bytes | None = None
        self._stop_seq = 0
        """The next record that is held against a key or a head."""
        self._fault: Fault | None = None
        self._segment = ""
        self._segments: list[str] = []
        self._newest = False
        self._line = 0
        self._ended = False
        """Whether the segment has its `log.closed`."""
        self._records = 0
        self._times = Times()
        self._recovered_bytes = 0
        self._unclosed = 0

    def verify_segment(self, name: str, lines: Iterable[bytes], *, newest: bool) -> bool:
        """Verify the next segment; return whether all of it holds.

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
        self._chain.end_segment()
        return self._fault is None

    def _refuse(self, reason: Reason, detail: str = "") -> None:
        seq = None if self._chain.first_seq is None else self._chain.seq + 1
        self._fault = Fault(self._segment, self._line, seq, reason, detail)

    # A record -------------------------------------------------------------------------------------------

    def _record(self, line: bytes) -> None:
        record = RECORD.fullmatch(line)
        if record is None:
            raise Refusal(self._unreadable(line))
        number, at, fact, body, stated = record.groups()
        seq = int(number)
        chain = self._chain
        if self._line == 1:
            self._open_segment(seq, fact, body)
        elif seq != chain.seq + 1:
            raise Refusal(Reason.NUMBER)
        hashed = digest(chain.head, line[:-HASH_BYTES], self._key)
        if hashed.hex().encode() != stated:
            raise Refusal(Reason.HASH)
        if seq >= self._stop_seq:
            self._check_trust(seq, hashed)
        self._check_body(fact, body)
        chain.seq, chain.head = seq, hashed
        self._records += 1
        if at != _NO_TIME:
            self._times.add(seq, at, own=fact.startswith(_OWN))

    def _unreadable(self, line: bytes) -> Reason:
        if len(line) >= LINE_BYTES:
            return Reason.LONG
        return Reason.TORN if self._newest and not line.endswith(b"\n") else Reason.UNREADABLE

    def _check_trust(self, seq: int, hashed: bytes) -> None:
        """Hold record `seq` against keys and heads, and set the next record to be held so."""
        self._keys.check(seq)
        if seq == 1:
            self._identity.prove(hashed)
        self._heads.check(seq, hashed)
        self._stop_seq = min(self._heads.next_seq, self._keys.next_seq)

    def _check_body(self, fact: bytes, body: bytes) -> None:
        if self._ended:
            raise Refusal(Reason.ENDED)
        try:
            _JSON.decode(body)
            if observer := self._observers.get(fact):
                observer(body)
        except (ValueError, RecursionError):
            raise Refusal(Reason.UNREADABLE) from None
        if fact == _OPENED and self._line > 1:
            raise Refusal(Reason.REOPENED)
        self._ended = fact == _CLOSED

    # The first record of a segment ----------------------------------------------------------------------

    def _open_segment(self, seq: int, fact: bytes, body: bytes) -> None:
        """Hold the first record of a segment against its file's name and against the chain before it."""
        if fact != _OPENED:
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
        if opening.log_id is not None:
            self._identity.hold(opening.log_id)
        self._key = self._keys.key_of(seq, opening.algorithm, opening.key_id)
        self._recovered_bytes += opening.recovered_bytes

    def _begin(self, seq: int, previous: bytes) -> None:
        if len(previous) != len(GENESIS) or (seq == 1 and previous != GENESIS):
            raise Refusal(Reason.PREVIOUS)
        self._chain.begin(seq, previous)
        self._chain.end_segment()
        self._heads.begin(seq, previous)
        self._keys.begin(whole=self._complete and seq == 1)

    # The end --------------------------------------------------------------------------------------------

    def _missing(self) -> Fault | None:
        """Return the fault of a log whose records all hold: its beginning or its end is missing. None without one."""
        first_seq = self._chain.first_seq
        if not self._complete or first_seq is None:
            return None
        if first_seq > 1 and not self._claims.beginning_retired:
            return Fault(self._segments[0], 1, first_seq, Reason.BEGINNING)
        if missing := self._keys.missing():
            return self._cut(*missing)
        if self._heads.unreached:
            return self._cut(Reason.CUT, f"record {self._heads.next_seq}")
        return None

    def _cut(self, reason: Reason, detail: str) -> Fault:
        """Return the fault of a log that ends too early."""
        return Fault(self._segment, self._line + 1, self._chain.seq + 1, reason, detail)

    def report(self) -> Report:
        """Return what was found in the segments that were given."""
        chain, claims = self._chain, self._claims
        keyed = [(name, seq) for name, seq in self._keys.used if seq <= chain.seq]
        fault = self._fault or self._missing()
        unchecked = (*self._heads.before, *self._heads.unreached)
        return Report(
            ok=fault is None and not unchecked and not self._identity.unchecked,
            records=self._records,
            segments=len(self._segments),
            first_seq=chain.first_seq if self._records else None,
            last_seq=chain.seq if self._records else None,
            first_at=self._times.first_text,
            last_at=self._times.last_text,
            disorder=self._times.disorder(),
            previous=chain.previous.hex() if self._records else None,
            head=chain.head.hex() if self._records else None,
            keyed_from=keyed[0][1] if keyed else None,
            key_ids=tuple(name for name, _ in keyed),
            key_seqs=tuple(seq for _, seq in keyed),
            log_id=self._identity.log_id if self._records else None,
            log_unchecked=fault is None and self._identity.unchecked,
            heads=tuple(self._heads.found),
            heads_unchecked=unchecked,
            checkpoints=claims.checkpoints,
            unclosed=self._unclosed,
            gaps=tuple(claims.gaps),
            gap_records=claims.gap_records,
            retired=claims.retired or None,
            recovered_bytes=self._recovered_bytes,
            fault=fault,
        )
