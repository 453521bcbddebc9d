"""`steno export`: the records of an audit log in the form of another system, a line each, as they are read."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from steno.audit.directory import bounded_lines, named_segments, names_of_log
from steno.errors import DataError, UsageError
from steno.export import FORMATS
from steno.export.records import Record, log_id_of, parse
from steno.regular_files import is_folder, open_regular

_LOOK: Final = "`steno verify` shows what is wrong"
PROGRESS_BYTES: Final = 1024 * 1024
"""How much is read between two reports of progress."""


def export(
    paths: Sequence[Path],
    form: str,
    output: IO[bytes],
    *,
    after: int = 0,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write the records of a log to `output`, and return how many they were.

    Whether the log holds is not looked at: that is for `steno verify`. A last line without its end is left out, since a
    daemon may be writing it.

    Args:
        paths: the folder of a log, or segments of one.
        form: one of `FORMATS`.
        output: what the lines are written to.
        after: records up to this number are left out.
        progress: called with the number of bytes read since its last call.

    Raises UsageError for a folder beside other paths, and DataError where something is no log or cannot be read.
    """
    written, made, encoder = 0, FORMATS[form], msgspec.json.Encoder()
    for record, log_id in _records(_segments(paths), progress):
        if record.seq > after:
            try:
                line = encoder.encode(made(record, log_id))
            except (ValueError, RecursionError):  # who wrote that was no steno: a time that is none, or too deep a body
                raise DataError(f"record {record.seq} cannot be exported: {_LOOK}") from None
            output.write(line + b"\n")
            written += 1
    output.flush()
    return written


def _segments(paths: Sequence[Path]) -> list[Path]:
    """Return the segments that `paths` name, in the order of the log."""
    if not any(map(is_folder, paths)):
        return named_segments(paths)
    if len(paths) > 1:
        raise UsageError("each audit log is exported by itself: give one folder, or segments of one log")
    try:
        return [paths[0] / name for name in names_of_log(paths[0])]
    except OSError as error:
        raise DataError(f"cannot read {paths[0]}: {error.strerror}") from error


def _records(found: Sequence[Path], progress: Callable[[int], None] | None) -> Iterator[tuple[Record, str | None]]:
    """Yield each record of these segments, with which log it is of as far as that is known."""
    log_id: str | None = None
    for path in found:
        for number, line in enumerate(_lines(path, progress), 1):
            if not line.endswith(b"\n") and path is found[-1]:
                return
            try:
                record = parse(line)
            except (ValueError, UnicodeDecodeError):
                raise DataError(f"{path}, line {number} is no record: {_LOOK}") from None
            log_id = log_id_of(record, log_id)
            yield record, log_id


def _lines(path: Path, progress: Callable[[int], None] | None) -> Iterator[bytes]:
    """Yield the lines of a segment."""
    read = 0
    try:
        with open_regular(path) as file:
            for line in bounded_lines(file):
                read += len(line)
                if progress and read >= PROGRESS_BYTES:
                    progress(read)
                    read = 0
                yield line
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
