"""What a verification found, and the lines that a terminal shows of it. Pure."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

from steno.amounts import amount
from steno.audit.log_records import Damage
from steno.timestamps import SECOND

DAY: Final = 86_400 * SECOND
"""In microseconds."""
GAPS_LISTED: Final = 20
"""Declared gaps that a report lists one by one. All are counted."""


class Reason(StrEnum):
    """Why a record does not hold: a closed list. The value is the end of the line that a terminal shows."""

    TORN = "the last line is not whole"
    IRREGULAR = "it is no regular file"
    LONG = "the line is longer than any record"
    UNREADABLE = "the line is not a record of steno.audit/1"
    NUMBER = "the number does not follow the one before"
    MISSING = "the records before this segment are missing"
    HASH = "the hash does not prove it and what stands before it"
    UNOPENED = "the segment does not begin with log.opened"
    REOPENED = "log.opened stands within a segment"
    SCHEMA = "log.opened names another schema than steno.audit/1"
    ALGORITHM = "log.opened names no algorithm of steno.audit/1, or a key where there is none"
    PREVIOUS = "log.opened names another hash before it than the chain has"
    MISNAMED = "the segment's name is not that of its first record"
    ENDED = "a record stands after log.closed"
    EMPTY = "the segment holds no record"
    UNBEGUN = "the last segment holds no record yet"
    BEGINNING = "the log does not begin at record 1, and no log.retired names what is missing"
    RETIREMENT = "log.retired names another hash or record than the log has"
    CHECKPOINT = "log.checkpoint names another head than the chain has"
    CURSOR = "log.cursor goes back, or names another sender than its stream has"
    KEYED = "it is hashed under a key: give that with --key-file"
    KEY = "it is hashed under a key that was not given: give each with --key-file"
    UNKEYED = "it is not hashed under a key: --keyed-from says up to where that is right"
    REPLACED = "it is hashed under a key that a later one has replaced: keys are given in the order of their use"
    UNUSED = "the log has no record under a key that was given: it was cut off before that, or the key is not its own"
    OTHER = "it is another log than the one that was named"
    IDENTITY = "log.opened names another log than the one that it stands in"
    KEYLESS = "the log goes on without a key after it had one"
    UNREACHED = "the log ends before the record from which on it is to be hashed under a key"
    HEAD = "the log has another hash than the head that was kept"
    CUT = "the log ends before a head that was kept: its newest records are missing"


class Refusal(Exception):  # noqa: N818  # a finding, raised and caught within this room
    """A record does not hold."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail


class Fault(Struct, frozen=True):
    """The first record that does not hold."""

    segment: str
    """The name of the file."""
    line: int
    """Its line in the file, the first being 1; 0 where the file holds none."""
    seq: int | None
    """The number of the record that should stand there; None where that cannot be known."""
    reason: Reason
    detail: str = ""
    """Which head or which key it is about."""


class DeclaredGap(Struct, frozen=True):
    """A record that declares that facts could not be recorded."""

    seq: int
    body: str
    """What it declares, as JSON in ASCII."""


class ClaimedDamage(Struct, frozen=True):
    """What a `log.damaged` says of a segment. It stands after a fault, so it is not verified."""

    segment: str
    damage: Damage


class TimeDisorder(Struct, frozen=True):
    """Where the times of a log are not in order, or far from each other. No fault: see `times`."""

    backwards: int = 0
    """Records whose time is earlier than that of the one before."""
    first_backwards: int | None = None
    """The first of these."""
    furthest_back: int = 0
    """How far the largest of these steps goes back, in microseconds."""
    leaps: int = 0
    """Records whose time is more than a day later than that of the one before."""
    longest_leap: int = 0
    """In microseconds."""
    longest_leap_seq: int | None = None
    """The record behind it."""


class Report(Struct, frozen=True, kw_only=True):
    """What was found. Verified is all before `fault`, or all that was given where there is none."""

    ok: bool
    """Whether there is no fault, and the log's id and every head that was kept could be checked."""
    records: int
    segments: int
    """Segments that were looked at, the one with the fault included."""
    first_seq: int | None
    """Where it is not 1, all is relative to `previous`: what stood before was not given."""
    last_seq: int | None
    first_at: str | None
    """The time of the first record that has one."""
    last_at: str | None
    """The time of the last record that has one."""
    disorder: TimeDisorder = TimeDisorder()
    """Where the times of records run backwards, or leap."""
    previous: str | None
    """The hash before the first record, in hex."""
    head: str | None
    """The hash of the last record, in hex. Kept elsewhere, it shows later that nothing before was rewritten."""
    keyed_from: int | None = None
    """The first record that is hashed under a key."""
    key_ids: tuple[str, ...] = ()
    """The keys that the log is hashed under, in the order of their use."""
    key_seqs: tuple[int, ...] = ()
    """The first record under each."""
    log_id: str | None = None
    """Which log it is: the hash of its first record, in hex. Where that was not given, as the log declares."""
    log_unchecked: bool = False
    """Whether it was to be a certain log, and nothing that was given says which one it is."""
    heads: tuple[int, ...] = ()
    """Records of which a head was kept, and which have that hash."""
    heads_unchecked: tuple[int, ...] = ()
    """Records of which a head was kept, and which are not in what was given."""
    checkpoints: int = 0
    """How many `log.checkpoint` agree with the chain."""
    unclosed: int = 0
    """Segments before the last one that do not end with `log.closed`: their writer died, or a sync failed."""
    broken_streams: int = 0
    """Streams that ended in a way that events may be missing."""
    missed: int = 0
    """Records of events that never came, as their sender says."""
    gaps: tuple[DeclaredGap, ...] = ()
    """The first gaps that the log itself declares, 20 at most."""
    gap_records: int = 0
    """How many records declare a gap."""
    retired: int | None = None
    """The last record that was retired, as the log declares."""
    recovered_bytes: int = 0
    """Bytes cut off at starts, of records that were being written when the writer died."""
    fault: Fault | None = None
    damage: ClaimedDamage | None = None
    """What the log says, after the fault, of a segment at fault. Not verified."""


def describe(report: Report) -> list[str]:
    """Return `report` as lines for a terminal: the verdict, what was verified, what the log declares as missing."""
    return [*_verdict(report), *_verified(report), *_trusted(report), *_declared(report)]


def _verdict(report: Report) -> Iterator[str]:
    fault = report.fault
    if fault is None:
        unproved = "THAT IT IS THE LOG THAT WAS NAMED" if report.log_unchecked else "A HEAD THAT WAS KEPT"
        yield "the audit log holds" if report.ok else f"THE AUDIT LOG HOLDS, BUT {unproved} IS NOT PROVED"
        return
    place = f"{fault.segment}, line {fault.line}" if fault.line else fault.segment
    number = "" if fault.seq is None else f", record {fault.seq}"
    detail = f" ({fault.detail})" if fault.detail else ""
    yield f"THE AUDIT LOG DOES NOT HOLD: {place}{number}: {fault.reason}{detail}"
    if fault.reason in (Reason.TORN, Reason.UNBEGUN):
        yield (
            "  A daemon that is running now may be in the middle of a write. One that died has left this "
            "behind: its next start mends it and says so in log.opened."
        )
    if report.damage:
        yield (
            f"  The log itself tells of it: {report.damage.segment} was {report.damage.damage}. That stands after the "
            "fault, so it is NOT PROVED."
        )


def _verified(report: Report) -> Iterator[str]:
    if not report.records:
        yield "proved    nothing"
        return
    before = "" if report.fault is None else "before it, "
    yield f"proved    {before}{amount(report.records, 'record')} in {amount(report.segments, 'segment')}"
    yield f"records   {report.first_seq} to {report.last_seq}"
    if report.first_at:
        yield f"times     {report.first_at} to {report.last_at}"
    yield from _disordered(report.disorder)
    if report.log_id:
        yield f"log       {report.log_id}" + ("" if report.first_seq == 1 else ", as the log itself tells")
    yield f"head      {report.last_seq}:{report.head}"
    if report.first_seq != 1:
        yield f"relative to the hash {report.previous}, which stands before record {report.first_seq}"


def _disordered(times: TimeDisorder) -> Iterator[str]:
    if times.backwards:
        yield (
            f"backwards {amount(times.backwards, 'record')}, record {times.first_backwards} first, by up to "
            f"{times.furthest_back / SECOND:.6f} s: senders stated times, "
            "a clock was set, or something was waited for"
        )
    if times.leaps:
        yield (
            f"leaps     {times.leaps} by more than a day, the longest at record {times.longest_leap_seq}, by "
            f"{amount(times.longest_leap // DAY, 'day')}: nothing ran, or a clock was set"
        )


def _trusted(report: Report) -> Iterator[str]:
    """Yield what keys, heads and checkpoints showed."""
    if report.keyed_from:
        yield f"keyed     from record {report.keyed_from} on, under key {' then '.join(report.key_ids)}"
        for name, seq in zip(report.key_ids[1:], report.key_seqs[1:], strict=False):
            yield f"          from record {seq} on, under key {name}"
    for seq in report.heads:
        yield f"kept      head {seq} is in the log"
    for seq in report.heads_unchecked:
        yield f"kept      head {seq} CANNOT BE CHECKED: {_absence(report, seq)}"
    if report.checkpoints:
        yield f"agreed    {amount(report.checkpoints, 'checkpoint')} with the chain"


def _absence(report: Report, seq: int) -> str:
    """Return why the head of record `seq` could not be checked."""
    if report.fault and seq > (report.last_seq or 0):
        return "the proof ends before it"
    if report.retired and seq <= report.retired:
        return f"record {seq} was retired"
    return f"record {seq} is not in what was given"


def _declared(report: Report) -> Iterator[str]:
    if report.retired:
        yield f"retired   records up to {report.retired}, as the log itself tells"
    if report.recovered_bytes:
        yield f"recovered {amount(report.recovered_bytes, 'byte')} of unfinished records, cut off at a start"
    if report.unclosed:
        yield f"unclosed  {amount(report.unclosed, 'segment')}, whose writer died or could not sync"
    if report.broken_streams:
        yield f"broken    {amount(report.broken_streams, 'stream')} ended so that events may be missing"
    if report.missed:
        yield f"missed    {amount(report.missed, 'record')} of events that never came, as their sender says"
    for gap in report.gaps:
        yield f"gap       record {gap.seq}: {gap.body}"
    if report.gap_records > len(report.gaps):
        yield f"          and {amount(report.gap_records - len(report.gaps), 'gap')} more"
