"""A report reads as sentences: the verdict first, and what to do where something can be done."""

from msgspec.structs import replace

from steno.audit.report import Fault, Gap, Reason, Report, describe

HELD = Report(
    ok=True,
    records=5,
    segments=2,
    first_seq=1,
    last_seq=5,
    first_at="2026-01-01T00:00:00.000000Z",
    last_at="2026-01-02T00:00:00.000000Z",
    previous="00",
    head="abc",
    gaps=(),
    gap_records=0,
    retired=None,
    recovered_bytes=0,
    fault=None,
)
MENDED = (
    "  A daemon that is running now may be in the middle of a write. One that died has left this "
    "behind: its next start mends it and says so in log.opened."
)


def test_a_log_that_holds() -> None:
    assert describe(HELD) == [
        "the audit log holds",
        "proved    5 records in 2 segments",
        "records   1 to 5",
        "times     2026-01-01T00:00:00.000000Z to 2026-01-02T00:00:00.000000Z",
        "head      5:abc",
    ]


def test_what_the_log_admits() -> None:
    report = replace(
        HELD,
        first_seq=4,
        records=1,
        segments=1,
        first_at=None,
        last_at=None,
        retired=3,
        recovered_bytes=1,
        gaps=(Gap(5, '{"records":3}'),),
        gap_records=3,
    )

    assert describe(report) == [
        "the audit log holds",
        "proved    1 record in 1 segment",
        "records   4 to 5",
        "head      5:abc",
        "relative to the hash 00, which stands before record 4",
        "retired   records up to 3, as the log itself tells",
        "recovered 1 byte of unfinished records, cut off at a start",
        'gap       record 5: {"records":3}',
        "          and 2 gaps more",
    ]


def test_a_fault_is_named_first() -> None:
    report = replace(HELD, ok=False, fault=Fault("audit-1.jsonl", 6, 6, Reason.ENDED))

    assert describe(report)[:2] == [
        "THE AUDIT LOG DOES NOT HOLD: audit-1.jsonl, line 6, record 6: a record stands after log.closed",
        "proved    before it, 5 records in 2 segments",
    ]


def test_a_torn_line_tells_what_mends_it() -> None:
    report = replace(HELD, ok=False, fault=Fault("audit-1.jsonl", 6, 6, Reason.TORN))

    assert describe(report)[:2] == [
        "THE AUDIT LOG DOES NOT HOLD: audit-1.jsonl, line 6, record 6: the last line is not whole",
        MENDED,
    ]


def test_a_log_without_a_record() -> None:
    report = replace(HELD, ok=False, records=0, fault=Fault("audit-1.jsonl", 0, None, Reason.UNBEGUN))

    assert describe(report) == [
        "THE AUDIT LOG DOES NOT HOLD: audit-1.jsonl: the last segment holds no record yet",
        MENDED,
        "proved    nothing",
    ]
