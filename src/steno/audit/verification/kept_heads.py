"""Heads that were kept outside of the log, in files of the form `steno.head/1`: read, and held against keys. I/O.

A file may hold the heads of months, and of several logs. Those before the oldest record that is left say nothing any
more of what is there; of the others each must be in the log.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from steno.audit.directory import bounded_lines
from steno.audit.signed_heads import HeadError, HeadKeys, KeptHead, TimestampRoots, claim_in, parse_line
from steno.audit.verification.trust import KnownHead
from steno.errors import DataError
from steno.regular_files import open_regular

LINE_BYTES: Final = 256 * 1024
"""Longest line that is read: a time stamp with its certificates has some KB."""

END: Final = b"}\n"
"""The end of each head that was written whole."""


class HeadProofs(Struct, frozen=True):
    """What the proofs of heads are held against; None where they are not looked at."""

    keys: HeadKeys | None = None
    roots: TimestampRoots | None = None


class KeptHeads(Struct, frozen=True):
    """The heads in files, as far as they are of one log and of what is left of it."""

    heads: tuple[KnownHead, ...]
    log_id: str
    older: int
    """Heads of records before the first that is left."""
    key_ids: tuple[str, ...] = ()
    """The keys that signed them, in order of their first use; none where signatures were not looked at."""
    stamped: tuple[str, str] | None = None
    """The first and the last time at which an authority stamped one of them."""

    def lines(self) -> Iterator[str]:
        """Yield what the files show, for a terminal."""
        if self.older:
            yield f"older     {self.older} of the heads that were kept are of records that are no longer here"
        if self.key_ids:
            yield f"signed    each head, under key {' and '.join(self.key_ids)}"
        if self.stamped:
            first, last = self.stamped
            yield f"stamped   each head by the authority, from {first} to {last}"


def read_kept_heads(files: Sequence[Path], proofs: HeadProofs, *, log_id: str | None, first_seq: int) -> KeptHeads:
    """Return the heads in `files` of a log whose oldest record that is left is `first_seq`.

    Args:
        files: what `audit.anchor` wrote, or what a webhook of it kept: a head a line.
        proofs: keys and authorities that each head of that log must be signed and stamped by.
        log_id: of which log; None where the files have the heads of one log alone.
        first_seq: the number of the first record that is to be verified.

    Raises DataError where a file cannot be read, a line is no head, a proof does not hold, or there is no head to hold
    the log against.
    """
    found = list(_heads(files))
    if log_id is None:
        log_id = _only_log(files, found)
    mine = [each for each in found if each.head.log_id == log_id]
    if not mine:
        raise DataError(
            f"{files[0]} holds no head of log {log_id}: is it the file that audit.anchor of that log names?"
        )
    key_ids, stamps = _proved(mine, proofs)
    heads = [each.head for each in mine if each.head.seq >= first_seq - 1]
    if not heads:
        raise DataError(
            f"{files[0]} holds no head of what is left of the log, from record {first_seq} on: take a later file"
        )
    return KeptHeads(
        tuple(KnownHead(head.seq, bytes.fromhex(head.hash)) for head in heads),
        log_id,
        len(mine) - len(heads),
        key_ids,
        (min(stamps), max(stamps)) if stamps else None,
    )


class _Found(NamedTuple):
    place: str
    line: bytes
    head: KeptHead


def _heads(files: Sequence[Path]) -> Iterator[_Found]:
    """Yield the heads in `files`. A line without its end is left out: its writer was interrupted."""
    for file in files:
        try:
            with open_regular(file) as opened:
                for number, line in enumerate(bounded_lines(opened, LINE_BYTES), 1):
                    if line.endswith(END):
                        yield _Found(f"{file}, line {number}", line, _parsed(file, number, line))
        except OSError as error:
            raise DataError(f"cannot read {file}: {error.strerror}") from None


def _parsed(file: Path, number: int, line: bytes) -> KeptHead:
    try:
        return parse_line(line)
    except HeadError as error:
        raise DataError(f"{file}, line {number} {error}") from None


def _only_log(files: Sequence[Path], found: Sequence[_Found]) -> str:
    """Return of which log all heads are. Raises DataError where there is none, or more than one."""
    logs = {each.head.log_id for each in found}
    if not logs:
        raise DataError(f"{files[0]} holds no head of a log: it must be a file that audit.anchor wrote")
    if len(logs) > 1:
        raise DataError(f"{files[0]} holds heads of {len(logs)} logs: say by --log which one it is")
    return logs.pop()


def _proved(found: Sequence[_Found], proofs: HeadProofs) -> tuple[tuple[str, ...], list[str]]:
    """Return the keys that signed these heads, and when they were stamped. Raises DataError where a proof fails."""
    key_ids: dict[str, None] = {}
    stamps: list[str] = []
    for each in found:
        claim = claim_in(each.line)
        try:
            if proofs.keys:
                key_ids[proofs.keys.check(claim, each.head.proof)] = None
            if proofs.roots:
                stamps.append(proofs.roots.check(claim, each.head.proof))
        except HeadError as error:
            raise DataError(f"{each.place} {error}") from None
    return tuple(key_ids), stamps
