"""The folder of an audit log: made, locked for one writer, its segments listed and read at either end. I/O."""

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from steno.audit.record import GENESIS, LINE_BYTES, OPENED, RECORD, segment_seq
from steno.errors import DataError, UnavailableError
from steno.regular_files import NotRegularError, open_regular
from steno.timestamps import Micros, parse_timestamp

FOLDER_MODE: Final = 0o750
LOCK: Final = ".lock"
BLOCK_BYTES: Final = 64 * 1024
"""How much is read first when the end of a file is looked for, and the most that its first line may have."""
TAIL_BYTES: Final = 64 * 1024 * 1024
"""How much is read at most when the end of a file is looked for. A writer that dies leaves less than one batch."""


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
    log_id: str | None = None
    """Which log it is; None in its first record, and where an older edition wrote it."""


# Read -----------------------------------------------------------------------------------------------------


def segment_names(directory: Path) -> list[str]:
    """Return the names of the segments in `directory`, in the order of the log. Other files are left alone."""
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries if segment_seq(entry.name) is not None)


def segments(directory: Path) -> list[Path]:
    """Return the segments in `directory`, in the order of the log."""
    return [directory / name for name in segment_names(directory)]


def names_of_log(directory: Path) -> list[str]:
    """Return the names of the segments in `directory`, as `segment_names`. Raises DataError where it holds none."""
    names = segment_names(directory)
    if not names:
        raise DataError(f"{directory} holds no audit log: there is no file named audit-<number>.jsonl in it")
    return names


def named_segments(paths: Iterable[Path]) -> list[Path]:
    """Return segments that were named one by one, in the order of the log. Raises DataError where one is none."""
    ordered = sorted(paths, key=lambda path: path.name)
    for path in ordered:
        if segment_seq(path.name) is None:
            raise DataError(f"{path} is no segment of an audit log: those are named audit-<20 digits>.jsonl")
    return ordered


def bounded_lines(file: BinaryIO, limit: int = LINE_BYTES) -> Iterator[bytes]:
    """Yield the lines of a file, each with its newline; the last one may be without.

    Of a line that is longer than `limit` bytes, that many are yielded, without a newline, and nothing after them.
    """
    for line in iter(partial(file.readline, limit), b""):
        yield line
        if len(line) == limit and not line.endswith(b"\n"):
            return


def read_tail(path: Path) -> Tail:
    """Return the end of the segment at `path`. Reads no more of it than its last lines.

    Raises DataError where the last whole line is not a record, or the file is none that a writer left.
    """
    with _opened(path) as file:
        return _read_tail(path, file)


def _read_tail(path: Path, file: BinaryIO) -> Tail:
    end = os.fstat(file.fileno()).st_size
    read = b""
    for start, block in _backwards(file, end):
        if len(read) > TAIL_BYTES:
            raise DataError(f"{path}: no record ends in its last {TAIL_BYTES} bytes: no writer left that")
        read = block + read
        last = read.rfind(b"\n")
        before = read.rfind(b"\n", 0, max(last, 0))
        if last >= 0 and (before >= 0 or start == 0):
            return _ending(path, read[before + 1 : last + 1], start + last + 1, end)
    return Tail(0, GENESIS, 0, end)


def _opened(path: Path) -> BinaryIO:
    """Open a segment. Raises DataError where it is no regular file: a link would lead out of the folder."""
    try:
        return open_regular(path, follow=False)
    except NotRegularError as error:
        raise DataError(f"{path}: {error.strerror}; `steno verify` shows what is wrong") from None


def _backwards(file: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks of a file and where they begin, the last one first."""
    size = BLOCK_BYTES
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


def whole_bytes(file: BinaryIO, end: int, limit: int) -> int | None:
    """Return where the last whole line of a file of `end` bytes ends; 0 where it has none.

    None where no line ends in its last `limit` bytes, although there are more.
    """
    for start in range(end - BLOCK_BYTES, end - limit - BLOCK_BYTES, -BLOCK_BYTES):
        file.seek(max(start, 0))
        newline = file.read(BLOCK_BYTES + min(start, 0)).rfind(b"\n")
        if newline >= 0:
            return max(start, 0) + newline + 1
        if start <= 0:
            return 0
    return None


def read_opening(path: Path) -> Opening:
    """Return what the segment at `path` begins with. Raises DataError where that is no `log.opened`."""
    with _opened(path) as file:
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
    record = _first_record(path)
    try:
        return parse_timestamp(record["at"][1:-1].decode()) if record and record["at"] != b"null" else None
    except ValueError:
        return None


def first_hash(path: Path) -> str | None:
    """Return the hash of the first record of the segment at `path`, in hex; None where it cannot be read."""
    record = _first_record(path)
    return record["hash"].decode() if record else None


def _first_record(path: Path) -> re.Match[bytes] | None:
    try:
        with open_regular(path, follow=False) as file:
            return RECORD.fullmatch(file.readline(BLOCK_BYTES))
    except OSError:
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
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(directory / LOCK, flags, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UnavailableError(
            f"another steno writes the audit log in {directory}: stop it, or give this one a folder of its own "
            "(audit.directory, or LogsDirectory= of its unit)"
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
