"""`steno verify --words`: holds the content files of a log against the records that name them. I/O.

A record names a text by its file and its HMAC under the key of that file. A text that is not in its file is missing,
with two exceptions:

- A later record says that the file was erased.
- The oldest segment names the text, and the segments before that one are gone. Retention removes a file by the time of
  its last write, which is not exactly the time of the records that name it.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from steno.amounts import amount
from steno.audit.content_store.files import (
    FILE_NAME,
    FOLDER,
    STORED_LINE_BYTES,
    FileHeader,
    StoredText,
    content_hmac,
)
from steno.audit.content_store.references import ERASED, content_fields
from steno.audit.directory import bounded_lines, segments
from steno.audit.record import LINE_BYTES
from steno.regular_files import NotRegularError, open_regular

FILES_REMEMBERED: Final = 256
"""Files whose HMACs are remembered while the records are read."""


class ContentReport(Struct, frozen=True):
    """What was found of the texts that records name."""

    proved: int
    """Texts that stand in their file as they were kept."""
    erased: int
    """Texts that are gone, as a later record says."""
    retired: int
    """Texts that are gone and that the oldest segment names: they went with the segments before it."""
    missing: int
    first_missing: int | None
    """The first record that names a text which is not in its file."""

    @property
    def ok(self) -> bool:
        """Whether no text is missing."""
        return self.missing == 0


class _Record(Struct, frozen=True):
    seq: int
    fact: str
    body: dict[str, Any]


class _Unmatched:
    """Texts of one file that were named and not found, as long as no record says that they were erased."""

    def __init__(self) -> None:
        self.in_oldest_segment = 0
        self.others = 0
        self.first_other: int | None = None

    def add(self, seq: int, *, oldest_segment: bool) -> None:
        """Add a text that record `seq` names."""
        if oldest_segment:
            self.in_oldest_segment += 1
            return
        self.others += 1
        self.first_other = self.first_other or seq


def verify_content(directory: Path) -> ContentReport:
    """Hold the content files beside the log in `directory` against its records, which are taken to hold.

    Raises OSError where a file cannot be read.
    """
    hmacs_of = lru_cache(FILES_REMEMBERED)(lambda name: _hmacs(directory / FOLDER / Path(name).name))
    proved = erased = 0
    unmatched: dict[str, _Unmatched] = {}
    for number, record in _records(directory):
        if record.fact == ERASED:
            gone = unmatched.pop(str(record.body.get("file")), _Unmatched())
            erased += gone.in_oldest_segment + gone.others
            continue
        for field in content_fields(record.body):
            file = field.get("file")
            if file is None:
                continue
            if field.get("hmac") in hmacs_of(str(file)):
                proved += 1
            else:
                unmatched.setdefault(str(file), _Unmatched()).add(record.seq, oldest_segment=number == 0)
    firsts = [each.first_other for each in unmatched.values() if each.first_other is not None]
    return ContentReport(
        proved=proved,
        erased=erased,
        retired=sum(each.in_oldest_segment for each in unmatched.values()),
        missing=sum(each.others for each in unmatched.values()),
        first_missing=min(firsts, default=None),
    )


def _records(directory: Path) -> Iterator[tuple[int, _Record]]:
    """Yield the records that name content files or erase one, each with the number of its segment.

    The first segment has number 0 where segments before it are gone, and number 1 where the log begins with it.
    """
    found = segments(directory)
    begins_late = bool(found) and not found[0].name.endswith(f"{1:020}.jsonl")
    for number, path in enumerate(found, start=0 if begins_late else 1):
        for line in _lines(path, LINE_BYTES):
            if b'"hmac":"' in line or b'"fact":"content.erased"' in line:
                try:
                    yield number, msgspec.json.decode(line, type=_Record)
                except (ValueError, RecursionError):  # the verifier of the chain reports a line that is no record
                    continue


def _hmacs(path: Path) -> frozenset[str]:
    """Return the HMACs of the texts in a file, made anew under its key; none where there is no such file."""
    if not FILE_NAME.fullmatch(path.name):
        return frozenset()
    try:
        lines = _lines(path, STORED_LINE_BYTES)
        key = bytes.fromhex(msgspec.json.decode(next(lines, b""), type=FileHeader).key)
        texts = (msgspec.json.decode(line, type=StoredText) for line in lines if line.endswith(b"\n"))
        return frozenset(content_hmac(key, text.text) for text in texts)
    except (FileNotFoundError, ValueError, RecursionError):
        return frozenset()


def _lines(path: Path, limit: int) -> Iterator[bytes]:
    """Yield the lines of a file up to the first that is too long; none of what is no regular file."""
    with suppress(NotRegularError), open_regular(path, follow=False) as file:
        yield from bounded_lines(file, limit)


def describe(report: ContentReport) -> list[str]:
    """Return `report` as lines for a terminal."""
    kept = "stands as it was kept" if report.proved == 1 else "stand as they were kept"
    counts = [f"{amount(report.proved, 'text')} {kept}"]
    counts += [f"{report.erased} {'was' if report.erased == 1 else 'were'} erased"] if report.erased else []
    counts += [f"{report.retired} went with the segments before them"] if report.retired else []
    lines = [f"words     {', '.join(counts)}"]
    if report.missing:
        missing = f"{amount(report.missing, 'text')}, the first one that of record {report.first_missing}"
        lines.insert(0, f"WORDS ARE MISSING: {missing}")
    return lines
