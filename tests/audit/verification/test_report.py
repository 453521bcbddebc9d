"""The lines of a report: the verdict first, then what was verified, then what may be missing."""

from msgspec.structs import replace

from steno.audit.verification.report import ClaimedDamage, DeclaredGap, Fault, Reason, Report, TimeDisorder, describe

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
)
MENDS = (
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


def test_what_the_log_declares() -> None:
    report = replace(
        HELD,
        first_seq=4,
        records=1,
        segments=1,
        first_at=None,
        last_at=None,
        retired=3,
        recovered_bytes=1,
        gaps=(DeclaredGap(5, '{"records":3}'),),
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


def test_what_may_be_missing() -> None:
    report = replace(HELD, unclosed=2, broken_streams=1, missed=3)

    assert describe(report)[5:] == [
        "unclosed  2 segments, whose writer died or could not sync",
        "broken    1 stream ended so that events may be missing",
        "missed    3 records of events that never came, as their sender says",
    ]


def test_times_that_are_not_in_order() -> None:
    disorder = TimeDisorder(2, 7, 3_600_000_000, 1, 86_400_000_000 * 5110, 9)

    assert describe(replace(HELD, disorder=disorder))[4:6] == [
        (
            "backwards 2 records, record 7 first, by up to 3600.000000 s: senders stated times, a clock was set, or "
            "something was waited for"
        ),
        "leaps     1 by more than a day, the longest at record 9, by 5110 days: nothing ran, or a clock was set",
    ]


def test_what_keys_heads_and_checkpoints_showed() -> None:
    report = replace(HELD, keyed_from=3, key_ids=("aa", "bb"), key_seqs=(3, 9), heads=(2, 4), checkpoints=1)

    assert describe(report)[-5:] == [
        "keyed     from record 3 on, under key aa then bb",
        "          from record 9 on, under key bb",
        "kept      head 2 is in the log",
        "kept      head 4 is in the log",
        "agreed    1 checkpoint with the chain",
    ]


def test_a_head_that_cannot_be_checked_is_no_success() -> None:
    report = replace(HELD, ok=False, first_seq=4, retired=3, heads_unchecked=(2, 7))

    assert describe(report) == [
        "THE AUDIT LOG HOLDS, BUT A HEAD THAT WAS KEPT IS NOT PROVED",
        "proved    5 records in 2 segments",
        "records   4 to 5",
        "times     2026-01-01T00:00:00.000000Z to 2026-01-02T00:00:00.000000Z",
        "head      5:abc",
        "relative to the hash 00, which stands before record 4",
        "kept      head 2 CANNOT BE CHECKED: record 2 was retired",
        "kept      head 7 CANNOT BE CHECKED: record 7 is not in what was given",
        "retired   records up to 3, as the log itself tells",
    ]


def test_which_log_it_is() -> None:
    """Where its first record was not given, that is what the log says of itself."""
    assert describe(replace(HELD, log_id="aa"))[4:] == ["log       aa", "head      5:abc"]
    assert "log       aa, as the log itself tells" in describe(replace(HELD, first_seq=4, log_id="aa"))
    assert describe(replace(HELD, ok=False, log_unchecked=True))[0] == (
        "THE AUDIT LOG HOLDS, BUT THAT IT IS THE LOG THAT WAS NAMED IS NOT PROVED"
    )


def test_a_head_behind_a_fault_is_not_reached() -> None:
    fault = Fault("audit-1.jsonl", 6, 6, Reason.CUT, "record 7")

    lines = describe(replace(HELD, ok=False, fault=fault, heads_unchecked=(7,)))

    assert lines[0].endswith(
        "record 6: the log ends before a head that was kept: its newest records are missing (record 7)"
    )
    assert lines[-1] == "kept      head 7 CANNOT BE CHECKED: the proof ends before it"


def test_damage_that_the_log_records_is_marked_as_not_proved() -> None:
    fault = Fault("audit-1.jsonl", 6, 6, Reason.HASH)

    lines = describe(replace(HELD, ok=False, fault=fault, damage=ClaimedDamage("audit-1.jsonl", "changed")))

    assert lines[1] == (
        "  The log itself tells of it: audit-1.jsonl was changed. That stands after the fault, so it is NOT PROVED."
    )


def test_a_fault_is_named_first() -> None:
    report = replace(HELD, ok=False, fault=Fault("audit-1.jsonl", 6, 6, Reason.ENDED))

    assert describe(report)[:2] == [
        "THE AUDIT LOG DOES NOT HOLD: audit-1.jsonl, line 6, record 6: a record stands after log.closed",
        "proved    before it, 5 records in 2 segments",
    ]


def test_a_torn_line_is_shown_with_what_mends_it() -> None:
    report = replace(HELD, ok=False, fault=Fault("audit-1.jsonl", 6, 6, Reason.TORN))

    assert describe(report)[:2] == [
        "THE AUDIT LOG DOES NOT HOLD: audit-1.jsonl, line 6, record 6: the last line is not whole",
        MENDS,
    ]


def test_a_log_without_a_record() -> None:
    report = replace(HELD, ok=False, records=0, fault=Fault("audit-1.jsonl", 0, None, Reason.UNBEGUN))

    assert describe(report) == [
        "THE AUDIT LOG DOES NOT HOLD: audit-1.jsonl: the last segment holds no record yet",
        MENDS,
        "proved    nothing",
    ]
