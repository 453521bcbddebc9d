"""Where a log is to be continued after whatever ended its last writer, and what that left unfinished. I/O.

Bytes of a record that was not finished are torn. Each step leaves a log that the next start can go on from:

1. A torn end stays until the new segment, which tells how many bytes it has, is on the disk; then it is cut off.
2. A start that was killed in between has told it but not cut it: the next start cuts it and does not tell it again.
3. A newest file that holds no whole record is deleted, and its bytes are told: its name is needed for the new one.

What cannot be noticed here is that whole records at the end of a log are gone, or all of its newest files: the log
then goes on with numbers that were used before. Whoever keeps a head elsewhere notices.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from steno.audit.directory import Tail, opening, segments, sync_folder, tail
from steno.audit.record import GENESIS, segment_seq
from steno.errors import DataError


class Torn(Struct, frozen=True):
    """A segment with more in it than whole records."""

    path: Path
    whole_bytes: int
    """Where its last whole record ends."""


class Recovered(Struct, frozen=True):
    """Where a log is to be continued."""

    seq: int
    """The number of its last record; 0 where it has none."""
    hash: bytes
    """The hash of that record, as 32 raw bytes."""
    recovered_bytes: int
    """What stands after it, or stood there, of records that were not finished."""
    torn: Torn | None = None
    """What is to be cut off once the next segment tells of it."""


def recover(directory: Path) -> Recovered:
    """Return where the log in `directory` ends, and finish what an earlier recovery began.

    Raises:
        DataError: the log cannot be continued: its last line is no record, or records before its last file
            are missing.
        OSError: a file cannot be read, cut or deleted.
    """
    paths = segments(directory)
    end = _end(paths)
    unbegun_bytes = 0
    if paths and not end.seq:
        unbegun, unbegun_bytes = paths.pop(), end.torn_bytes
        end = _end(paths)
        # By its name it promises which record is next. If it is not, nothing is touched.
        if segment_seq(unbegun.name) != end.seq + 1:
            raise DataError(f"{directory}: the records before {unbegun.name} are missing")
        unbegun.unlink()
        sync_folder(directory)
    if told := _told(paths):
        cut(told)
    torn = Torn(paths[-1], end.whole_bytes) if end.torn_bytes else None
    return Recovered(end.seq, end.hash, end.torn_bytes + unbegun_bytes, torn)


def _end(paths: Sequence[Path]) -> Tail:
    return tail(paths[-1]) if paths else Tail(0, GENESIS, 0, 0)


def _told(paths: Sequence[Path]) -> Torn | None:
    """Return what is torn before the newest segment, if that tells of it. All else there is left to be proved."""
    if not paths[1:]:
        return None
    before, newest = paths[-2:]
    try:
        recovered_bytes = opening(newest).recovered_bytes
        end = tail(before)
    except DataError:
        return None
    follows = end.seq + 1 == segment_seq(newest.name)
    return Torn(before, end.whole_bytes) if follows and 0 < end.torn_bytes <= recovered_bytes else None


def cut(torn: Torn) -> None:
    """Cut off what is torn, and return when that is on the disk."""
    descriptor = os.open(torn.path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, torn.whole_bytes)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
