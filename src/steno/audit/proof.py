"""A log held against its format: numbers, chain, segments, up to the first record that does not hold. Pure.

What is proved is that the records stand as they were chained: none changed, left out or put elsewhere. That
the newest were not cut off takes more: a head (number and hash) that was kept elsewhere. That the log was not
written anew as a whole takes such a head too, or a key that the forger did not have.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from steno.audit.format import (
    CLOSED,
    GAP,
    GENESIS,
    HASH_BYTES,
    OPENED,
    RECORD,
    RETIRED,
    SCHEMA,
    algorithm,
    digest,
    segment_name,
)
from steno.audit.report import GAPS_KEPT, Fault, Gap, Reason, Report


class _Opening(Struct, frozen=True):
    """What the proof needs of the body of `log.opened`."""

    schema: str
    algorithm: str
    previous: str
    recovered_bytes: int


class _Retirement(Struct, frozen=True):
    """What the proof needs of the body of `log.retired`."""

    last_seq: int
    last_hash: str


_JSON: Final = msgspec.json.Decoder(Raw)
_OPENING: Final = msgspec.json.Decoder(_Opening)
_RETIREMENT: Final = msgspec.json.Decoder(_Retirement)


class _Refusal(Exception):  # noqa: N818  # a finding, raised and caught within this module
    """A record does not hold."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


class Verifier:
    """Is given the segments of one log in order, and stops at the first record that does not hold."""

    def __init__(self, *, whole: bool, key: bytes | None = None) -> None:
        """Hold nothing yet.

        Args:
            whole: whether all segments of the log are given. It must then begin at record 1, or tell what was
                retired. If not, the first segment is taken to follow what its `previous` says.
            key: the secret under which the log is hashed, if it is.
        """
        self._whole = whole
        self._key = key
        self._fault: Fault | None = None
        self._segment = ""
        self._segments: list[str] = []
        self._newest = False
        self._line = 0
        self._ended = False
        self._records = 0
        self._first_seq: int | None = None
        self._seq = 0
        self._previous = self._head = GENESIS
        self._first_at = self._last_at = b"null"
        self._gaps: list[Gap] = []
        self._gap_records = 0
        self._retired = _Retirement(0, "")
        self._recovered_bytes = 0

    def segment(self, name: str, lines: Iterable[bytes], *, newest: bool) -> bool:
        """Prove the next segment; return whether all of it holds.

        Args:
            name: the name of its file.
            lines: its lines, each with its newline. Not read beyond the first that does not hold.
            newest: whether it is the last one, whose last line may be torn by a writer that died.
        """
        self._segment, self._newest, self._line, self._ended = name, newest, 0, False
        self._segments.append(name)
        try:
            for line in lines:
                self._line += 1
                self._record(line)
        except _Refusal as refusal:
            self._refuse(refusal.reason)
        else:
            if not self._line:
                self._refuse(Reason.UNBEGUN if newest else Reason.EMPTY)
        return self._fault is None

    def _refuse(self, reason: Reason) -> None:
        seq = None if self._first_seq is None else self._seq + 1
        self._fault = Fault(self._segment, self._line, seq, reason)

    def _record(self, line: bytes) -> None:
        record = RECORD.fullmatch(line)
        if record is None:
            raise _Refusal(Reason.TORN if self._newest and not line.endswith(b"\n") else Reason.UNREADABLE)
        number, at, fact, body, claimed = record.groups()
        seq = int(number)
        if self._line == 1:
            self._opening(seq, fact, body)
        elif seq != self._seq + 1:
            raise _Refusal(Reason.NUMBER)
        hashed = digest(self._head, line[:-HASH_BYTES], self._key)
        if hashed.hex().encode() != claimed:
            raise _Refusal(Reason.HASH)
        self._own(seq, fact, body)
        self._seq, self._head = seq, hashed
        self._records += 1
        if at != b"null":
            self._last_at = at
            if self._first_at == b"null":
                self._first_at = at

    def _opening(self, seq: int, fact: bytes, body: bytes) -> None:
        """Hold the first record of a segment against its file's name and against what came before."""
        if fact != OPENED.encode():
            raise _Refusal(Reason.UNOPENED)
        try:
            opening = _OPENING.decode(body)
            previous = bytes.fromhex(opening.previous)
        except (ValueError, RecursionError):
            raise _Refusal(Reason.UNREADABLE) from None
        if opening.schema != SCHEMA:
            raise _Refusal(Reason.SCHEMA)
        if opening.algorithm != algorithm(self._key):
            raise _Refusal(Reason.ALGORITHM)
        if self._segment != segment_name(seq):
            raise _Refusal(Reason.MISNAMED)
        if self._first_seq is None:
            self._begin(seq, previous)
        if seq != self._seq + 1:
            raise _Refusal(Reason.MISSING if seq > self._seq else Reason.NUMBER)
        if opening.previous != self._head.hex():
            raise _Refusal(Reason.PREVIOUS)

    def _begin(self, seq: int, previous: bytes) -> None:
        """Begin with record `seq`. Above 1, what stood before it is taken on trust, for now."""
        if len(previous) != len(GENESIS) or (seq == 1 and previous != GENESIS):
            raise _Refusal(Reason.PREVIOUS)
        self._first_seq, self._seq = seq, seq - 1
        self._previous = self._head = previous

    def _own(self, seq: int, fact: bytes, body: bytes) -> None:
        """Note what a record tells of the log itself. Of all others it is enough that their body is JSON."""
        if self._ended:
            raise _Refusal(Reason.ENDED)
        try:
            _JSON.decode(body)
            if not fact.startswith(b"log."):
                return
            if fact == RETIRED.encode():
                self._retired = max(self._retired, _RETIREMENT.decode(body), key=lambda each: each.last_seq)
            if fact == OPENED.encode():
                self._recovered_bytes += _OPENING.decode(body).recovered_bytes
        except (ValueError, RecursionError):
            raise _Refusal(Reason.UNREADABLE) from None
        if fact == OPENED.encode() and self._line > 1:
            raise _Refusal(Reason.REOPENED)
        self._ended = fact == CLOSED.encode()
        if fact == GAP.encode():
            self._gap_records += 1
            if len(self._gaps) < GAPS_KEPT:
                self._gaps.append(Gap(seq, body.decode(errors="replace")))

    def _grounded(self) -> bool:
        """Return whether what is missing before the first record may be missing.

        Segments are deleted after `log.retired` is on the disk, oldest first: some that it names may still be
        there.
        """
        if not self._whole or self._first_seq is None or self._first_seq == 1:
            return True
        if self._retired.last_seq == self._first_seq - 1:
            return self._retired.last_hash == self._previous.hex()
        return self._retired.last_seq >= self._first_seq

    def report(self) -> Report:
        """Return what was proved of the segments that were given."""
        fault = self._fault
        if fault is None and not self._grounded():
            fault = Fault(self._segments[0], 1, self._first_seq, Reason.BEGINNING)
        return Report(
            ok=fault is None,
            records=self._records,
            segments=len(self._segments),
            first_seq=self._first_seq if self._records else None,
            last_seq=self._seq if self._records else None,
            first_at=_told(self._first_at),
            last_at=_told(self._last_at),
            previous=self._previous.hex() if self._records else None,
            head=self._head.hex() if self._records else None,
            gaps=tuple(self._gaps),
            gap_records=self._gap_records,
            retired=self._retired.last_seq or None,
            recovered_bytes=self._recovered_bytes,
            fault=fault,
        )


def _told(at: bytes) -> str | None:
    return None if at == b"null" else at[1:-1].decode()
