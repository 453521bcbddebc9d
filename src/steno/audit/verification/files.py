"""Reads the files of an audit log through a `Verifier`, a line at a time: a log may be larger than memory. I/O."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from steno.audit.directory import bounded_lines, named_segments, names_of_log
from steno.audit.record import segment_name
from steno.audit.verification.claims import claimed_damage
from steno.audit.verification.losses import Losses
from steno.audit.verification.report import ClaimedDamage, Fault, Reason, Refusal, Report, describe
from steno.audit.verification.trust import Keys, Trust
from steno.audit.verification.verifier import Verifier
from steno.config.secret import read_secret
from steno.config.secret_ref import SecretRef
from steno.errors import ConfigError, DataError, UsageError
from steno.regular_files import NotRegularError, open_regular

__all__ = ["Fault", "Report", "describe", "read_keys", "verify"]

PROGRESS_BYTES: Final = 1024 * 1024
"""How much is read between two reports of progress."""

Progress = Callable[[int], None]


class _Segments(Struct, frozen=True):
    """The segments that are verified. Those of a folder are kept as names, since there may be a million."""

    names: Sequence[str]
    """In the order of the log."""
    folder: Path | None = None
    """Where they are. None where each path was named."""
    paths: Sequence[Path] = ()
    """The paths that were named, in the order of `names`."""

    def lines(self, at: int, progress: Progress | None = None) -> Iterator[bytes]:
        """Yield the lines of a segment, each with its newline; the last one may be without.

        Raises OSError where it cannot be read, and Refusal where the folder has something else under that name. A link
        is something else there: it leads out of the log.
        """
        path = self.paths[at] if self.folder is None else self.folder / self.names[at]
        read = 0
        try:
            with open_regular(path, follow=self.folder is None) as file:
                for line in bounded_lines(file):
                    read += len(line)
                    if read >= PROGRESS_BYTES and progress:
                        progress(read)
                        read = 0
                    yield line
        except NotRegularError as error:
            if self.folder is None:
                raise
            raise Refusal(Reason.IRREGULAR, error.kind) from None
        if progress:
            progress(read)

    def record_lines(self, at: int) -> Iterator[bytes]:
        """Yield the lines of a segment that is a file."""
        try:
            yield from self.lines(at)
        except (Refusal, OSError):
            return


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
    try:
        complete = any(path.is_dir() for path in paths)
        if complete and len(paths) > 1:
            raise UsageError("each audit log is proved by itself: give one folder, or segments of one log")
        found = _Segments(names_of_log(paths[0]), paths[0]) if complete else _named(paths)
        return _verified(found, progress, trust or Trust(), complete=complete)
    except OSError as error:
        raise DataError(f"cannot read {error.filename or paths[0]}: {error.strerror}") from error


def _verified(found: _Segments, progress: Progress | None, trust: Trust, *, complete: bool) -> Report:
    losses = Losses()
    verifier = Verifier(complete=complete, trust=trust, observers=losses.observers)
    last = len(found.names) - 1
    for at, name in enumerate(found.names):
        if not verifier.verify_segment(name, found.lines(at, progress), newest=at == last):
            break
    report = losses.added_to(verifier.report())
    return replace(report, damage=_damage(found, report.fault)) if report.fault else report


def read_keys(files: Iterable[Path]) -> Keys:
    """Return the keys that `files` hold, each read as the daemon reads it. Raises DataError where one cannot be."""
    try:
        return Keys(read_secret(SecretRef(file=str(file))).encode() for file in files)
    except ConfigError as error:
        raise DataError(f"cannot use the key in {error}") from None


def _named(paths: Sequence[Path]) -> _Segments:
    ordered = named_segments(paths)
    return _Segments([path.name for path in ordered], None, ordered)


def _damage(found: _Segments, fault: Fault) -> ClaimedDamage | None:
    """Return what the log says, from the fault on, of the segment at fault.

    That is the segment that has the fault, the one that should stand there, or the one before it, which may be cut.
    Where the beginning of a log is missing, it is the first segment of all.
    """
    at = found.names.index(fault.segment)
    missing = 1 if fault.reason is Reason.BEGINNING else fault.seq or 1
    names = {*found.names[max(at - 1, 0) : at + 1], segment_name(missing)}
    following = range(at, len(found.names))
    return claimed_damage(chain.from_iterable(map(found.record_lines, following)), names)
