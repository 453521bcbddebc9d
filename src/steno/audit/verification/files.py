"""Reads the files of an audit log through a `Verifier`, a line at a time: a log may be larger than memory. I/O."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from steno.audit.directory import segments
from steno.audit.record import segment_name, segment_seq
from steno.audit.verification.claims import claimed_damage
from steno.audit.verification.losses import Losses
from steno.audit.verification.report import ClaimedDamage, Fault, Reason, Report, describe
from steno.audit.verification.trust import Keys, Trust
from steno.audit.verification.verifier import Verifier
from steno.config.schema import SecretRef
from steno.config.secret import read_secret
from steno.errors import ConfigError, DataError, UsageError

__all__ = ["Fault", "Report", "describe", "read_keys", "verify"]

LINE_BYTES: Final = 16 * 1024 * 1024
"""Longest line that is read; far longer than any record."""
PROGRESS_BYTES: Final = 1024 * 1024
"""How much is read between two reports of progress."""

Progress = Callable[[int], None]


def verify(paths: Sequence[Path], progress: Progress | None = None, *, trust: Trust | None = None) -> Report:
    """Verify an audit log, up to the first record that does not hold.

    Args:
        paths: one folder, which must hold a log from its beginning; or segments of one log that follow each other, in
            any order, which are verified relative to the hash before the first of them.
        progress: called with the number of bytes read since its last call.
        trust: keys and heads that the log is held against.

    Raises:
        UsageError: a folder stands beside other paths.
        DataError: a path cannot be read, is no segment, or holds none.
    """
    complete = any(path.is_dir() for path in paths)
    if complete and len(paths) > 1:
        raise UsageError("each audit log is proved by itself: give one folder, or segments of one log")
    try:
        files = _listed(paths[0]) if complete else sorted(map(_segment, paths), key=lambda path: path.name)
        return _verified(files, progress, trust or Trust(), complete=complete)
    except OSError as error:
        raise DataError(f"cannot read {error.filename or paths[0]}: {error.strerror}") from error


def _verified(files: Sequence[Path], progress: Progress | None, trust: Trust, *, complete: bool) -> Report:
    losses = Losses()
    verifier = Verifier(complete=complete, trust=trust, observers=losses.observers)
    for path in files:
        if not verifier.verify_segment(path.name, _lines(path, progress), newest=path is files[-1]):
            break
    report = losses.added_to(verifier.report())
    return replace(report, damage=_damage(files, report.fault)) if report.fault else report


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
            # A line that was torn in the middle of a write has no newline. One that is too long is not that.
            yield line if len(line) < LINE_BYTES else line + b"\n"
    if progress:
        progress(read)


def _damage(files: Sequence[Path], fault: Fault) -> ClaimedDamage | None:
    """Return what the log says, from the fault on, of the segment at fault.

    That is the segment that has the fault, the one that should stand there, or the one before it, which may be cut.
    Where the beginning of a log is missing, it is the first segment of all.
    """
    at = next((at for at, path in enumerate(files) if path.name == fault.segment), 0)
    missing = 1 if fault.reason is Reason.BEGINNING else fault.seq or 1
    names = {path.name for path in files[max(at - 1, 0) : at + 1]} | {segment_name(missing)}
    return claimed_damage(chain.from_iterable(map(_lines, files[at:])), names)
