"""`steno verify`: the files of an audit log, read through a `Verifier`. I/O.

They are streamed: a log may be larger than memory.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from steno.audit.directory import segments
from steno.audit.record import segment_name, segment_seq
from steno.audit.verification.claims import told_damage
from steno.audit.verification.report import Damage, Fault, Reason, Report, describe
from steno.audit.verification.trust import Keys, Trust
from steno.audit.verification.verifier import Verifier
from steno.config.schema import SecretRef
from steno.config.secret import read_secret
from steno.errors import ConfigError, DataError, UsageError

__all__ = ["Fault", "Report", "describe", "read_keys", "verify"]

LINE_BYTES: Final = 16 * 1024 * 1024
"""Longest line that is looked at; far more than any record has."""
PROGRESS_BYTES: Final = 1024 * 1024
"""How much is read between two tellings of progress."""

Progress = Callable[[int], None]


def verify(paths: Sequence[Path], progress: Progress | None = None, *, evidence: Trust | None = None) -> Report:
    """Prove an audit log, up to the first record that does not hold.

    Args:
        paths: one folder, which must hold a log from its beginning; or segments of one log that follow each
            other, in any order, which are proved relative to the hash before the first of them.
        progress: is told how many bytes were read since it was last told.
        evidence: keys and heads that the log is held against.

    Raises:
        UsageError: a folder stands beside other paths.
        DataError: a path cannot be read, is no segment, or holds none.
    """
    whole = any(path.is_dir() for path in paths)
    if whole and len(paths) > 1:
        raise UsageError("each audit log is proved by itself: give one folder, or segments of one log")
    try:
        files = _listed(paths[0]) if whole else sorted(map(_segment, paths), key=lambda path: path.name)
        verifier = Verifier(whole=whole, evidence=evidence or Trust())
        for path in files:
            if not verifier.segment(path.name, _lines(path, progress), newest=path is files[-1]):
                break
        report = verifier.report()
        return replace(report, damage=_damage(files, report.fault)) if report.fault else report
    except OSError as error:
        raise DataError(f"cannot read {error.filename or paths[0]}: {error.strerror}") from error


def read_keys(files: Iterable[Path]) -> Keys:
    """Return the keys that `files` hold, each read as the daemon reads it. Raises DataError where one cannot be."""
    try:
        return Keys(read_secret(SecretRef(file=str(file))).encode() for file in files)
    except ConfigError as error:
        raise DataError(f"cannot use the key in {error}") from None


def _listed(folder: Path) -> list[Path]:
    found = segments(folder)
    if not found:
        raise DataError(f"{folder} holds no audit log: there is no file named audit-<number>.jsonl in it")
    return found


def _segment(path: Path) -> Path:
    if segment_seq(path.name) is None:
        raise DataError(f"{path} is no segment of an audit log: those are named audit-<20 digits>.jsonl")
    return path


def _lines(path: Path, progress: Progress | None = None) -> Iterator[bytes]:
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


def _damage(files: Sequence[Path], fault: Fault) -> Damage | None:
    """Return what the log tells, from the fault on, of the segment at fault.

    That is the one that has the fault, the one that should stand there, or the one before it, which may be cut; where
    the beginning of a log is missing, the first one of all.
    """
    at = next((at for at, path in enumerate(files) if path.name == fault.segment), 0)
    missing = 1 if fault.reason is Reason.BEGINNING else fault.seq or 1
    names = {path.name for path in files[max(at - 1, 0) : at + 1]} | {segment_name(missing)}
    return told_damage(chain.from_iterable(map(_lines, files[at:])), names)
