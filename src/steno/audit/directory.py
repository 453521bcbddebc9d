"""The folder of an audit log: made, locked for one writer, its segments listed and read at either end. I/O."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from steno.audit.record import GENESIS, OPENED, RECORD, segment_seq
from steno.errors import DataError, UnavailableError
from steno.timestamps import Micros, parse_timestamp

FOLDER_MODE: Final = 0o750
LOCK: Final = ".lock"
BLOCK_BYTES: Final = 64 * 1024
"""How much is read first when the end of a file is looked for, and the most that its first line may have."""


class Tail(Struct, frozen=True):
    """The end of a segment."""

    seq: int
    """Number of its last whole record; 0 where it has none."""
    hash: bytes
    """Hash of that record, as 32 raw bytes."""
    whole_bytes: int
    """Where that record ends."""
    torn_bytes: int
    """How much follows it of a record that was being written."""


class Opening(Struct, frozen=True):
    """What the `log.opened` of a segment says of what was before it."""

    schema: str
    """The form of its records, `steno.audit/1`."""
    algorithm: str
    """How they are hashed."""
    previous: str
    """The hash before it, in hex."""
    recovered_bytes: int
    """How much the last writer left of a record that it did not finish."""


# Read -----------------------------------------------------------------------------------------------------


def segments(directory: Path) -> list[Path]:
    """Return the segments in `directory`, in the order of the log. Other files are left alone."""
    return sorted(path for path in directory.iterdir() if segment_seq(path.name) is not None)


def read_tail(path: Path) -> Tail:
    """Return the end of the segment at `path`. Reads no more of it than its last lines.

    Raises DataError where the last whole line is not a record.
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
        raise DataError(f"{path}: the last line is not a record; `steno verify` shows what is wrong")
    hashed = bytes.fromhex(record["hash"].decode())
    return Tail(int(record["seq"]), hashed, whole_bytes, end - whole_bytes)


def read_opening(path: Path) -> Opening:
    """Return what the segment at `path` begins with. Raises DataError where that is no `log.opened`."""
    with path.open("rb") as file:
        record = RECORD.fullmatch(file.readline(BLOCK_BYTES))
    try:
        if record and record["fact"] == OPENED.encode():
            return _OPENING.decode(record["body"])
    except ValueError:
        pass
    raise DataError(f"{path}: the first line is not {OPENED}; `steno verify` shows what is wrong")


_OPENING: Final = msgspec.json.Decoder(Opening)


def opened_at(path: Path) -> Micros | None:
    """Return the time in the first record of the segment at `path`; None where it has none, or cannot be read."""
    try:
        with path.open("rb") as file:
            record = RECORD.fullmatch(file.readline(BLOCK_BYTES))
        return parse_timestamp(record["at"][1:-1].decode()) if record and record["at"] != b"null" else None
    except (OSError, ValueError):
        return None


# Made ------------------------------------------------------------------------------------------------------


def prepare(directory: Path) -> None:
    """Make `directory` with mode 0750, whatever the umask. An existing one is left as it is."""
    if directory.is_dir():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=FOLDER_MODE)
    directory.chmod(FOLDER_MODE)
    sync_folder(directory.parent)


def lock_folder(directory: Path) -> int:
    """Return a descriptor that keeps other writers out of `directory` until it is closed or the process ends.

    Raises UnavailableError where another writer holds it.
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
    """Return when what was made, renamed or deleted in `directory` would survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
