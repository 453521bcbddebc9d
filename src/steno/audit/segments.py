"""The files of an audit log: found, made, continued, and mended after a writer that died. I/O.

A record counts once `fdatasync` has returned after it was written. What a file holds beyond that may be torn.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from steno.audit.format import GENESIS, RECORD, segment_name, segment_seq
from steno.errors import DataError, UnavailableError

FOLDER_MODE: Final = 0o750
FILE_MODE: Final = 0o640
"""Readable by the group, so that whoever ships or reads the log need not be its writer."""
LOCK: Final = ".lock"
BLOCK_BYTES: Final = 64 * 1024
"""How much is read at once when the end of a file is looked for."""


class Tail(Struct, frozen=True):
    """The end of a segment."""

    seq: int
    """The number of its last whole record; 0 where it has none."""
    hash: bytes
    """The hash of that record, as 32 raw bytes."""
    whole_bytes: int
    """Where that record ends."""
    torn_bytes: int
    """What stands after it, of a record that was being written."""


class Recovered(Struct, frozen=True):
    """Where a log is to be continued."""

    seq: int
    """The number of its last record; 0 where it has none."""
    hash: bytes
    """The hash of that record, as 32 raw bytes."""
    recovered_bytes: int
    """What was cut off after it."""


# Found ----------------------------------------------------------------------------------------------------


def segments(directory: Path) -> list[Path]:
    """Return the segments in `directory`, in the order of the log. Other files are left alone."""
    return sorted(path for path in directory.iterdir() if segment_seq(path.name) is not None)


def tail(path: Path) -> Tail:
    """Return the end of the segment at `path`, reading no more of it than its last lines.

    Raises DataError where the last line that is whole is not a record.
    """
    end = path.stat().st_size
    read = b""
    for start, block in _backwards(path, end):
        read = block + read
        last = read.rfind(b"\n")
        before = read.rfind(b"\n", 0, max(last, 0))
        if last >= 0 and (before >= 0 or start == 0):
            return _ending(path, read[before + 1 : last + 1], start + last + 1, end)
    return Tail(0, GENESIS, 0, end)


def _backwards(path: Path, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks of a file and where they begin, the last one first."""
    size = BLOCK_BYTES
    with path.open("rb") as file:
        while end > 0:
            start = max(0, end - size)
            file.seek(start)
            yield start, file.read(end - start)
            end, size = start, size * 2


def _ending(path: Path, line: bytes, whole_bytes: int, end: int) -> Tail:
    record = RECORD.fullmatch(line)
    if record is None:
        raise DataError(f"{path}: the last line is not a record; `steno verify` tells more")
    hashed = bytes.fromhex(record["hash"].decode())
    return Tail(int(record["seq"]), hashed, whole_bytes, end - whole_bytes)


# Mended ---------------------------------------------------------------------------------------------------


def recover(directory: Path) -> Recovered:
    """Cut off what a writer that died left unfinished in `directory`; return where the log ends.

    Raises:
        DataError: the log cannot be continued: its last line is no record, or records before its last file
            are missing.
        OSError: a file cannot be read, cut or deleted.
    """
    begun, end, torn_bytes = None, Tail(0, GENESIS, 0, 0), 0
    unbegun: list[Path] = []
    for path in reversed(segments(directory)):
        found = tail(path)
        torn_bytes += found.torn_bytes
        if found.seq:
            begun, end = path, found
            break
        unbegun.append(path)
    # A file without a record promises by its name which one is next. If it is not, nothing is touched.
    if any(segment_seq(path.name) != end.seq + 1 for path in unbegun):
        raise DataError(f"{directory}: the records before {unbegun[-1].name} are missing")
    for path in unbegun:
        path.unlink()
        sync_folder(directory)
    if begun and end.torn_bytes:
        _cut(begun, end)
    return Recovered(end.seq, end.hash, torn_bytes)


def _cut(path: Path, ending: Tail) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, ending.whole_bytes)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Made -----------------------------------------------------------------------------------------------------


def prepare(directory: Path) -> None:
    """Make `directory` with mode 0750, whatever the umask. One that is there is left as it is."""
    if directory.is_dir():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=FOLDER_MODE)
    directory.chmod(FOLDER_MODE)
    sync_folder(directory.parent)


def take(directory: Path) -> int:
    """Return a descriptor that keeps other writers out of `directory` until it is closed or the process ends.

    Raises UnavailableError where another writer is in it.
    """
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UnavailableError(
            f"another steno writes the audit log in {directory}: stop it, or choose another folder"
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def sync_folder(directory: Path) -> None:
    """Return when what was made or deleted in `directory` would survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Segment:
    """One file, while it is being written. Made by the first write."""

    def __init__(self, directory: Path, first_seq: int) -> None:
        """Name the file whose first record is `first_seq`."""
        self.path = directory / segment_name(first_seq)
        self._descriptor = -1
        self._made = False
        """Whether the file is in its folder for certain."""
        self._size = 0
        """How many bytes of it are on the disk for certain."""
        self._frayed = False
        """Whether there may be more in the file than that."""

    def _make(self) -> None:
        """Make the file with mode 0640, whatever the umask. One that is there is never written over."""
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, FILE_MODE)
        os.fchmod(self._descriptor, FILE_MODE)
        sync_folder(self.path.parent)
        self._made = True

    def write(self, data: bytes) -> None:
        """Append `data`, and return when it is on the disk.

        When this raises OSError, nothing of `data` counts; it may be written again later.
        """
        if not self._made:
            self._make()
        self._mend()
        self._frayed = True
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fdatasync(self._descriptor)
        except OSError:
            # At once, so that nobody reads half a record meanwhile. If that fails too: before the next write.
            with suppress(OSError):
                self._mend()
            raise
        self._frayed = False
        self._size += len(data)

    def _mend(self) -> None:
        """Cut off what may have been written of something that failed."""
        if self._frayed:
            os.ftruncate(self._descriptor, self._size)
            self._frayed = False

    def close(self) -> None:
        """Let go of the file. What was written is on the disk already."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
