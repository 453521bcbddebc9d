"""`steno verify`: the files of an audit log, read through a `Verifier`. I/O.

They are streamed: a log may be larger than memory.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from steno.audit.format import segment_seq
from steno.audit.proof import Verifier
from steno.audit.report import Fault, Report, describe
from steno.audit.segments import segments
from steno.errors import DataError, UsageError

__all__ = ["Fault", "Report", "describe", "verify"]

LINE_BYTES: Final = 16 * 1024 * 1024
"""Longest line that is looked at; far more than any record has."""
PROGRESS_BYTES: Final = 1024 * 1024
"""How much is read between two tellings of progress."""

Progress = Callable[[int], None]


def verify(paths: Sequence[Path], progress: Progress | None = None, *, key: bytes | None = None) -> Report:
    """Prove an audit log, up to the first record that does not hold.

    Args:
        paths: one folder, which must hold a log from its beginning; or segments of one log that follow each
            other, in any order, which are proved relative to the hash before the first of them.
        progress: is told how many bytes were read since it was last told.
        key: the secret under which the log is hashed, if it is.

    Raises:
        UsageError: a folder stands beside other paths.
        DataError: a path cannot be read, is no segment, or holds none.
    """
    whole = any(path.is_dir() for path in paths)
    if whole and len(paths) > 1:
        raise UsageError("each audit log is proved by itself: give one folder, or segments of one log")
    try:
        files = _listed(paths[0]) if whole else sorted(map(_segment, paths), key=lambda path: path.name)
        verifier = Verifier(whole=whole, key=key)
        for path in files:
            if not verifier.segment(path.name, _lines(path, progress), newest=path is files[-1]):
                break
    except OSError as error:
        raise DataError(f"cannot read {error.filename or paths[0]}: {error.strerror}") from error
    return verifier.report()


def _listed(folder: Path) -> list[Path]:
    found = segments(folder)
    if not found:
        raise DataError(f"{folder} holds no audit log: there is no file named audit-<number>.jsonl in it")
    return found


def _segment(path: Path) -> Path:
    if segment_seq(path.name) is None:
        raise DataError(f"{path} is no segment of an audit log: those are named audit-<20 digits>.jsonl")
    return path


def _lines(path: Path, progress: Progress | None) -> Iterator[bytes]:
    """Yield the lines of a file, each with its newline; the last one may be without."""
    read = 0
    with path.open("rb") as file:
        for line in iter(partial(file.readline, LINE_BYTES), b""):
            read += len(line)
            if read >= PROGRESS_BYTES and progress:
                progress(read)
                read = 0
            # What has no end within reason is not a line that was torn in the middle of a write.
            yield line if len(line) < LINE_BYTES else line + b"\n"
    if progress:
        progress(read)
