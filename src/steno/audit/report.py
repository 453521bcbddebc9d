"""What a proof found, and how that is told to people. Pure."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

GAPS_KEPT: Final = 1_000
"""Declared gaps that a report lists one by one; all are counted."""


class Reason(StrEnum):
    """Why a record does not hold: a closed list."""

    TORN = "the last line is not whole"
    UNREADABLE = "the line is not a record of steno.audit/1"
    NUMBER = "the number does not follow the one before"
    MISSING = "the records before this segment are missing"
    HASH = "the hash does not prove it and what stands before it"
    UNOPENED = "the segment does not begin with log.opened"
    REOPENED = "log.opened stands within a segment"
    SCHEMA = "log.opened names another schema than steno.audit/1"
    ALGORITHM = "log.opened names another algorithm than this proof is made with"
    PREVIOUS = "log.opened names another hash before it than the chain has"
    MISNAMED = "the segment's name is not that of its first record"
    ENDED = "a record stands after log.closed"
    EMPTY = "the segment holds no record"
    UNBEGUN = "the last segment holds no record yet"
    BEGINNING = "the log does not begin at record 1, and no log.retired names what is missing"


class Fault(Struct, frozen=True):
    """The first record that does not hold."""

    segment: str
    """The name of the file."""
    line: int
    """Its line in the file, the first being 1; 0 where the file holds none."""
    seq: int | None
    """The number of the record that should stand there; None where that cannot be known."""
    reason: Reason


class Gap(Struct, frozen=True):
    """A record that declares what could not be recorded."""

    seq: int
    body: str
    """What it declares, as JSON."""


class Report(Struct, frozen=True, kw_only=True):
    """What was proved: everything before `fault`, or the whole where there is none."""

    ok: bool
    records: int
    segments: int
    """Segments that were begun, the one with the fault included."""
    first_seq: int | None
    """Above 1, the proof is relative to `previous`: what stood before is not seen."""
    last_seq: int | None
    first_at: str | None
    """The time of the first record that has one."""
    last_at: str | None
    """The time of the last record that has one."""
    previous: str | None
    """The hash before the first record, in hex."""
    head: str | None
    """The hash of the last record, in hex. Kept elsewhere, it proves later that nothing was rewritten."""
    gaps: tuple[Gap, ...]
    """Gaps that the log itself declares: the first 1,000."""
    gap_records: int
    """How many records declare a gap."""
    retired: int | None
    """The last record that was retired, as the log tells."""
    recovered_bytes: int
    """Bytes cut off at starts, of records that were being written when the writer died."""
    fault: Fault | None


def describe(report: Report) -> list[str]:
    """Return `report` as lines for a terminal: the verdict, what was proved, what the log itself admits."""
    return [*_verdict(report), *_proved(report), *_admitted(report)]


def _verdict(report: Report) -> Iterator[str]:
    fault = report.fault
    if fault is None:
        yield "the audit log holds"
        return
    place = f"{fault.segment}, line {fault.line}" if fault.line else fault.segment
    number = "" if fault.seq is None else f", record {fault.seq}"
    yield f"THE AUDIT LOG DOES NOT HOLD: {place}{number}: {fault.reason}"
    if fault.reason in (Reason.TORN, Reason.UNBEGUN):
        yield (
            "  A daemon that is running now may be in the middle of a write. One that died has left this "
            "behind: its next start mends it and says so in log.opened."
        )


def _proved(report: Report) -> Iterator[str]:
    if not report.records:
        yield "proved    nothing"
        return
    before = "" if report.ok else "before it, "
    yield f"proved    {before}{_count(report.records, 'record')} in {_count(report.segments, 'segment')}"
    yield f"records   {report.first_seq} to {report.last_seq}"
    if report.first_at:
        yield f"times     {report.first_at} to {report.last_at}"
    yield f"head      {report.last_seq}:{report.head}"
    if report.first_seq != 1:
        yield f"relative to the hash {report.previous}, which stands before record {report.first_seq}"


def _admitted(report: Report) -> Iterator[str]:
    if report.retired:
        yield f"retired   records up to {report.retired}, as the log itself tells"
    if report.recovered_bytes:
        yield f"recovered {_count(report.recovered_bytes, 'byte')} of unfinished records, cut off at a start"
    for gap in report.gaps:
        yield f"gap       record {gap.seq}: {gap.body}"
    if report.gap_records > len(report.gaps):
        yield f"          and {_count(report.gap_records - len(report.gaps), 'gap')} more"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
