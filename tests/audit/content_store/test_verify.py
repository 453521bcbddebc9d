"""Content files against the chain: each text that a record names is in its file, or it is known why not."""

import json
from pathlib import Path

import pytest

from steno.audit.content_store.files import file_name
from steno.audit.content_store.verify import ContentReport, describe, verify_content
from tests.audit.content_store.helpers import CALL, ContentLog
from tests.audit.helpers import files


@pytest.fixture
def log(tmp_path: Path) -> ContentLog:
    return ContentLog(tmp_path / "log")


def found(
    proved: int = 0, erased: int = 0, retired: int = 0, missing: int = 0, first_missing: int | None = None
) -> ContentReport:
    return ContentReport(proved=proved, erased=erased, retired=retired, missing=missing, first_missing=first_missing)


def test_texts_that_are_in_their_files_are_proved(log: ContentLog) -> None:
    log.record("a", "b")
    log.record("c", conversation="relay/call-2")

    assert verify_content(log.directory) == found(proved=3)


def test_texts_that_were_erased_are_counted_as_that(log: ContentLog) -> None:
    """Texts that are recorded after an erasure are in a new file."""
    log.record("a", "b")
    log.erase()
    log.record("c")

    assert verify_content(log.directory) == found(proved=1, erased=2)


@pytest.mark.parametrize("change", ["removed", "emptied", "text", "key", "line"])
def test_texts_of_a_file_that_somebody_changed_are_missing(log: ContentLog, change: str) -> None:
    """A file that was removed, a text that was changed, a key that is another one, a line that is gone."""
    log.record("first", "second")
    held = log.file.read_bytes()
    lines = held.splitlines(keepends=True)
    match change:
        case "removed":
            log.file.unlink()
        case "emptied":
            log.file.write_bytes(b"")
        case "text":
            log.file.write_bytes(held.replace(b"first", b"Fir5t"))
        case "key":
            header = json.loads(lines[0])
            log.file.write_bytes(held.replace(header["key"].encode(), b"0" * 64))
        case "line":
            log.file.write_bytes(lines[0] + lines[2])

    report = verify_content(log.directory)

    assert not report.ok
    assert report.proved + report.missing == 2
    assert report.first_missing == 2
    texts = "1 text" if report.missing == 1 else "2 texts"
    assert describe(report)[0] == f"WORDS ARE MISSING: {texts}, the first one that of record 2"


def test_texts_that_the_oldest_segment_names_may_have_gone_with_the_segments_before(log: ContentLog) -> None:
    """Retention goes by when a file was last written; the oldest segment that is left may name it too."""
    log.record("a")
    log.rotate()
    log.record("b")
    log.rotate()
    log.record("c")
    first, *_ = files(log.directory)
    (log.directory / first).unlink()
    log.file.unlink()

    assert verify_content(log.directory) == found(retired=1, missing=1, first_missing=8)


@pytest.mark.parametrize("line", [b"no record", b"[" * 100_000], ids=["another text", "nested too deep"])
def test_a_line_that_is_no_record_and_a_file_that_is_none_are_no_error(log: ContentLog, line: bytes) -> None:
    """The verifier of the chain reports the line; the texts of the file are missing."""
    log.record("a")
    log.file.write_bytes(line + b"\n")
    (segment,) = log.directory.glob("audit-*")
    segment.write_bytes(segment.read_bytes() + b'{"seq":3,"hmac":"","body":{"a":' + line + b"\n")

    assert verify_content(log.directory) == found(missing=1, first_missing=2)


def test_a_name_of_a_file_outside_of_the_folder_is_not_followed(log: ContentLog, tmp_path: Path) -> None:
    """A forged log could name any file."""
    log.record("a")
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_bytes(log.file.read_bytes())
    for path in sorted(log.directory.glob("audit-*")):
        path.write_bytes(path.read_bytes().replace(file_name(CALL).encode(), b"../../elsewhere.jsonl"))

    assert verify_content(log.directory) == found(missing=1, first_missing=2)
