"""Where a log continues after whatever ended its last writer, and the repair of what that left unfinished. I/O.

A writer that dies can leave bytes of a record that it did not finish: a torn end. The next `log.opened` records how
many there were. Each step of the repair leaves a log that the next start can continue:

1. A torn end stays until the new segment, which records how many bytes it has, is on the disk. Then it is cut off.
2. A start that was killed in between has recorded it and not cut it. The next start only cuts it.
3. A newest file that holds no whole record is deleted, since its name is needed for the new segment. Its bytes are
   recorded too.

What cannot be noticed here is that whole records at the end of a log are gone, or all of its newest files. The log
then continues with numbers that were used before. Only a head that is kept elsewhere shows that.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from steno.audit.directory import Tail, first_hash, read_opening, read_tail, segments, sync_folder
from steno.audit.record import ALGORITHMS, GENESIS, SCHEMA, segment_seq
from steno.errors import DataError


class Torn(Struct, frozen=True):
    """A segment that ends with bytes of an unfinished record."""

    path: Path
    whole_bytes: int
    """Where its last whole record ends."""


class Recovered(Struct, frozen=True):
    """Where a log continues."""

    seq: int
    """The number of its last record; 0 where it has none."""
    hash: bytes
    """The hash of that record, as 32 raw bytes."""
    recovered_bytes: int
    """How many bytes of unfinished records followed it, those in a deleted file included."""
    torn: Torn | None = None
    """What is to be cut off once the next segment records it."""
    log_id: str | None = None
    """Which log it is; None where it is a new one, or nothing in it says."""


def recover(directory: Path) -> Recovered:
    """Return where the log in `directory` ends, and finish what an earlier recovery began.

    Raises:
        DataError: the log cannot be continued, since its last line is no record, or records before its last file are
            missing.
        OSError: a file cannot be read, cut or deleted.
    """
    paths, end, unbegun = _look(directory)
    unbegun_bytes = 0
    if unbegun:
        unbegun_bytes = unbegun.stat().st_size
        unbegun.unlink()
        sync_folder(directory)
    if uncut := _recorded_but_not_cut(paths):
        cut(uncut)
    torn = Torn(paths[-1], end.whole_bytes) if end.torn_bytes else None
    return Recovered(end.seq, end.hash, end.torn_bytes + unbegun_bytes, torn, _log_id(paths))


def check_end(directory: Path) -> None:
    """Raise what `recover` raises where the log in `directory` cannot be continued. Nothing is changed."""
    _look(directory)


def _look(directory: Path) -> tuple[list[Path], Tail, Path | None]:
    """Return the segments of a log, its end, and the newest file where that holds no whole record. Raises DataError."""
    paths = segments(directory)
    end, unbegun = _end(paths), None
    if paths and not end.seq:
        unbegun = paths.pop()
        end = _end(paths)
        # Its name promises which record comes next. Where that is another one, records are missing: nothing is touched.
        if segment_seq(unbegun.name) != end.seq + 1:
            raise DataError(f"{directory}: the records before {unbegun.name} are missing")
    if paths:
        _check_schema(paths[-1])
    return paths, end, unbegun


def _log_id(paths: Sequence[Path]) -> str | None:
    """Return which log it is: what the newest `log.opened` that says it says; else the hash of record 1.

    Where an older edition wrote it all and retired record 1, it is the hash before the oldest record that is left.
    """
    for path in reversed(paths):
        with suppress(DataError):
            if log_id := read_opening(path).log_id:
                return log_id
    if not paths:
        return None
    if segment_seq(paths[0].name) == 1:
        return first_hash(paths[0])
    with suppress(DataError):
        return read_opening(paths[0]).previous
    return None


def _end(paths: Sequence[Path]) -> Tail:
    return read_tail(paths[-1]) if paths else Tail(0, GENESIS, 0, 0)


def _check_schema(newest: Path) -> None:
    """Raise DataError where another version wrote `newest` in a form that this one does not know.

    Records of ours behind it would make a log that no version can verify. Anything else that is wrong with how a
    segment begins is for verification to find.
    """
    try:
        opening = read_opening(newest)
    except DataError:
        return
    if opening.schema != SCHEMA or opening.algorithm not in ALGORITHMS:
        raise DataError(
            f"{newest}: another version of steno wrote it, as {opening.schema[:40]!r}, hashed by "
            f"{opening.algorithm[:40]!r}. This version continues {SCHEMA} alone: use the other one, or a new folder"
        )


def _recorded_but_not_cut(paths: Sequence[Path]) -> Torn | None:
    """Return the torn end of the second newest segment, where the newest one records it.

    Anything else after whole records there was not left by a writer that died. It stays, for verification to find.
    """
    if not paths[1:]:
        return None
    before, newest = paths[-2:]
    try:
        recovered_bytes = read_opening(newest).recovered_bytes
        end = read_tail(before)
    except DataError:
        return None
    follows = end.seq + 1 == segment_seq(newest.name)
    return Torn(before, end.whole_bytes) if follows and 0 < end.torn_bytes <= recovered_bytes else None


def cut(torn: Torn) -> None:
    """Cut a torn end off, and return when that is on the disk."""
    descriptor = os.open(torn.path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.ftruncate(descriptor, torn.whole_bytes)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
