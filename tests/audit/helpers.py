"""Shared by the tests of the audit log: small logs, what is read back from them, and the owner of a writer."""

import errno
import io
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from steno.audit.log_records import Damaged, SegmentSettings
from steno.audit.record import GENESIS, entry, link
from steno.audit.verification.report import Fault, Report
from steno.audit.verification.trust import Keys, Trust
from steno.audit.verification.verifier import Verifier
from steno.audit.writing.batch import ChainHead
from steno.audit.writing.interface import CompanionFiles, WriterObserver, WriterOptions
from steno.audit.writing.log import AuditLog
from steno.audit.writing.progress import Mark
from steno.audit.writing.segment_age import Ages
from steno.audit.writing.writer import AuditWriter

AT = 1_767_225_600_123_456
WHEN = "2026-01-01T00:00:00.123456Z"
ZEROS = "0" * 64


def opened(
    directory: Path,
    *,
    at: int | None = AT,
    segment_bytes: int = 1 << 20,
    key: bytes | None = None,
) -> AuditLog:
    """Open the log in `directory`."""
    return AuditLog.open(directory, terms(key), at=at, segment_bytes=segment_bytes)


def terms(key: bytes | None = None) -> SegmentSettings:
    """Return how the logs of the tests are written."""
    return SegmentSettings(version="1.2.3", config_digest="c0ffee", content_policy="none", key=key)


def said(number: int, at: int | None = AT) -> bytes:
    """Return an entry of an event of its own."""
    return entry(
        at,
        "item.added",
        "relay/a",
        "relay/1/1",
        f"event_{number}",
        b'{"item_id":"item_%d"}' % number,
    )


def chained(count: int, first: int = 1) -> tuple[list[bytes], list[bytes]]:
    """Return `count` linked lines from record `first` on, and their hashes."""
    lines, hashes, head = [], [], GENESIS
    for seq in range(first, first + count):
        line, head = link(seq, said(seq), head)
        lines.append(line)
        hashes.append(head)
    return lines, hashes


def write(
    directory: Path,
    numbers: Iterable[int],
    *,
    segment_bytes: int = 1 << 20,
    key: bytes | None = None,
) -> None:
    """Write a log, or the next part of one, and end it in order."""
    with opened(directory, segment_bytes=segment_bytes, key=key) as log:
        for number in numbers:
            log.append(said(number))
        log.close(AT)


def files(directory: Path) -> dict[str, bytes]:
    """Return the segments of a log and what they hold, in order."""
    return {path.name: path.read_bytes() for path in sorted(directory.glob("audit-*.jsonl"))}


def records(directory: Path) -> list[dict[str, Any]]:
    """Return all records of a log, decoded."""
    return [msgspec.json.decode(line) for held in files(directory).values() for line in held.splitlines()]


def outline(directory: Path) -> list[str]:
    """Return the records of a log in short: the event that caused them or the name of the fact, `|` at segments."""
    return [
        ("| " if record["fact"] == "log.opened" else "") + (record["event_id"] or record["fact"])
        for record in records(directory)
    ]


def proved(held: dict[str, bytes], *, whole: bool = True, key: bytes | None = None) -> Report:
    """Prove segments that are given as bytes."""
    verifier = Verifier(complete=whole, trust=Trust(keys=Keys([key] if key else [])))
    for name, content in held.items():
        if not verifier.verify_segment(name, io.BytesIO(content), newest=name == list(held)[-1]):
            break
    return verifier.report()


def fault(held: dict[str, bytes], *, whole: bool = True, key: bytes | None = None) -> Fault:
    """Return what is wrong with segments of which something is."""
    report = proved(held, whole=whole, key=key)
    assert report.fault is not None
    assert not report.ok
    return report.fault


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return path.stat().st_mode & 0o7777


def broken(*_: object) -> None:
    """Do what a disk does that is broken."""
    raise OSError(errno.EIO, "broken")


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something holds; it is a failure if that takes too long."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)


NEVER: Final = 3600.0
"""Seconds that no test takes."""
OPTIONS: Final = WriterOptions(
    queue_bytes=1 << 20,
    sheds=False,
    flush_seconds=0.0,
    flush_bytes=1 << 20,
    segment_seconds=NEVER,
    checkpoint_records=1 << 30,
    checkpoint_seconds=NEVER,
    retry_seconds=0.001,
)
"""Records are written as they come, and nothing else is due."""


def writer_of(
    log: AuditLog, observer: WriterObserver | None = None, files: CompanionFiles | None = None, **changes: Any
) -> AuditWriter:
    """Return a writer of `log` that was not started; `changes` are of `OPTIONS`."""
    return AuditWriter(log, replace(OPTIONS, **changes), observer or Observer(), files or NoFiles(), lambda: AT + 5)


class Observer:
    """An observer of a writer that keeps what is reported, in order."""

    def __init__(self) -> None:
        self.reports: list[tuple[object, ...]] = []

    def full(self, failing: str | None) -> None:
        """Keep it."""
        self.reports.append(("full", failing))

    def shedding(self, source: str, failing: str | None) -> None:
        """Keep it."""
        self.reports.append(("shedding", source, failing))

    def room(self) -> None:
        """Keep it."""
        self.reports.append(("room",))

    def flushed(self, marks: Sequence[Mark]) -> None:
        """Keep how far they are."""
        self.reports.append(("flushed", *[(mark.frame, mark.records) for mark in marks]))

    def checkpoint(self, head: ChainHead) -> None:
        """Keep it."""
        self.reports.append(("checkpoint", head))

    def damaged(self, damaged: Damaged) -> None:
        """Keep it."""
        self.reports.append(("damaged", damaged))

    def retired(self, segment: str) -> None:
        """Keep it."""
        self.reports.append(("retired", segment))

    def held(self, count: int, ages: Ages) -> None:
        """Keep it."""
        self.reports.append(("held", count, ages))

    def undeleted(self, segment: str, reason: str) -> None:
        """Keep it."""
        self.reports.append(("undeleted", segment, reason))

    def mistake(self, error: Exception) -> None:
        """Keep it."""
        self.reports.append(("mistake", error))


class NoFiles:
    """Companion files of records that refer to nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def retire(self, newest_ns: int) -> None:
        """Do nothing."""
