"""What holds is proved; whatever was changed is found, and named by segment, line and record."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.audit.record import GENESIS, entry, link, segment_name
from steno.audit.verification.report import Fault, Reason
from tests.audit.helpers import AT, WHEN, ZEROS, fault, proved, said
from tests.audit.tampered_log import Forger, Segments, lines

FIRST = segment_name(1)
WENT = b"w" * 32


# What holds -----------------------------------------------------------------------------------------------


def test_a_log_of_several_segments() -> None:
    log = Forger().begin().add(said(1)).tell("log.closed", reason="rotated").begin(recovered_bytes=9)
    log.add(said(2, at=AT + 1))

    report = proved(log.held)

    assert msgspec.to_builtins(report) == {
        "ok": True,
        "records": 5,
        "segments": 2,
        "first_seq": 1,
        "last_seq": 5,
        "first_at": WHEN,
        "last_at": "2026-01-01T00:00:00.123457Z",
        "previous": ZEROS,
        "head": log.head.hex(),
        "keyed_from": None,
        "key_ids": (),
        "heads": (),
        "heads_unchecked": (),
        "checkpoints": 0,
        "unclosed": 0,
        "broken_streams": 0,
        "missed": 0,
        "gaps": (),
        "gap_records": 0,
        "retired": None,
        "recovered_bytes": 9,
        "fault": None,
        "damage": None,
    }


def test_what_may_be_missing_is_counted() -> None:
    """Segments whose writer died, streams that broke off, events that a sender numbered."""
    log = Forger().begin().tell("stream.closed", gap=None).tell("stream.closed", gap="broken_off")
    log.tell("events.missed", missing=3).begin().tell("stream.closed", gap="blocked")

    report = proved(log.held)

    assert (report.ok, report.unclosed, report.broken_streams, report.missed) == (True, 1, 2, 1)


def test_a_later_segment_alone_is_proved_relative_to_what_it_names() -> None:
    log = Forger().begin().add(said(1)).tell("log.closed", reason="rotated")
    before = log.head.hex()
    log.begin().add(said(2))

    report = proved({segment_name(4): log.held[segment_name(4)]}, whole=False)

    assert (report.ok, report.first_seq, report.last_seq, report.previous) == (True, 4, 5, before)
    assert report.head == log.head.hex()


def test_times_are_those_of_records_that_have_one() -> None:
    log = Forger().begin()
    nothing = entry(None, "x", None, None, None, b"{}")

    report = proved(Forger().begin().add(nothing).held)

    assert (report.first_at, report.last_at) == (WHEN, WHEN)
    assert proved(log.held).records == 1


# What does not hold ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "place"),
    [
        (Forger().begin(schema="steno.audit/2"), Fault(FIRST, 1, None, Reason.SCHEMA)),
        (Forger().begin(algorithm="md5"), Fault(FIRST, 1, 1, Reason.ALGORITHM)),
        (Forger().begin(algorithm="hmac-sha256"), Fault(FIRST, 1, 1, Reason.ALGORITHM)),
        (Forger().begin(key_id="00" * 8), Fault(FIRST, 1, 1, Reason.ALGORITHM)),
        (Forger().begin(previous="11" * 32), Fault(FIRST, 1, None, Reason.PREVIOUS)),
        (Forger().begin(previous="zz"), Fault(FIRST, 1, None, Reason.UNREADABLE)),
        (Forger().begin(previous=None), Fault(FIRST, 1, None, Reason.UNREADABLE)),
        (Forger().begin(name=segment_name(2)), Fault(segment_name(2), 1, None, Reason.MISNAMED)),
        (Forger(2).begin(previous="11" * 31), Fault(segment_name(2), 1, None, Reason.PREVIOUS)),
        (Forger(2, WENT).begin(previous=("ab" * 32).upper()), Fault(segment_name(2), 1, 2, Reason.PREVIOUS)),
        (Forger().begin().begin(previous="11" * 32), Fault(segment_name(2), 1, 2, Reason.PREVIOUS)),
        (Forger().begin().tell("log.opened", recovered_bytes=0), Fault(FIRST, 2, 2, Reason.REOPENED)),
        (Forger().begin().tell("log.closed").add(said(1)), Fault(FIRST, 3, 3, Reason.ENDED)),
        (
            Forger().begin().add(entry(AT, "x", None, None, None, b"{]}")),
            Fault(FIRST, 2, 2, Reason.UNREADABLE),
        ),
        (
            Forger().begin().add(entry(AT, "x", None, None, None, b'{"a":' + b"[" * 9999 + b"}")),
            Fault(FIRST, 2, 2, Reason.UNREADABLE),
        ),
    ],
)
def test_a_writer_that_errs_is_found_out(log: Forger, place: Fault) -> None:
    assert fault(log.held) == place


def test_a_segment_must_begin_with_log_opened() -> None:
    log = Forger()
    log.held[FIRST] = link(1, said(1), GENESIS)[0]

    assert fault(log.held) == Fault(FIRST, 1, None, Reason.UNOPENED)


# What was changed -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log() -> Segments:
    """Return a log of three segments, from two starts."""
    forger = Forger().begin().add(said(0)).add(said(1)).add(said(2)).end()
    held = forger.begin().add(said(3)).end().begin().add(said(4)).add(said(5)).end().held
    assert list(held) == [FIRST, segment_name(6), segment_name(9)]
    assert proved(held).ok
    return held


def test_a_change_is_named_by_segment_line_and_record(log: Segments) -> None:
    second = list(log)[1]
    changed = log[second].replace(b"item_3", b"item_4", 1)

    place = fault(log | {second: changed})

    assert place == Fault(second, 2, 7, Reason.HASH)
    assert proved(log | {second: changed}).last_seq == 6


@pytest.mark.parametrize("number", range(5))
def test_a_line_that_was_dropped_is_found(log: Segments, number: int) -> None:
    name = next(iter(log))
    kept = [line for at, line in enumerate(lines(log[name])) if at != number]

    assert fault(log | {name: b"".join(kept)}).reason in {Reason.UNOPENED, Reason.NUMBER, Reason.MISSING}


def test_lines_that_were_swapped_are_found(log: Segments) -> None:
    name = next(iter(log))
    first, second, third, *rest = lines(log[name])

    assert fault(log | {name: b"".join([first, third, second, *rest])}) == Fault(name, 2, 2, Reason.NUMBER)


def test_a_line_that_was_told_twice_is_found(log: Segments) -> None:
    name = next(iter(log))
    first, second, *rest = lines(log[name])

    assert fault(log | {name: b"".join([first, second, second, *rest])}) == Fault(name, 3, 3, Reason.NUMBER)


def test_a_segment_that_was_dropped_is_found(log: Segments) -> None:
    first, second, third = log

    assert fault({second: log[second], third: log[third]}) == Fault(second, 1, 6, Reason.BEGINNING)
    assert fault({first: log[first], third: log[third]}) == Fault(third, 1, 6, Reason.MISSING)
    assert proved(
        {first: log[first], second: log[second]},
    ).ok  # the tail: only a head kept elsewhere can tell


def test_a_segment_that_was_renamed_is_found(log: Segments) -> None:
    first, second, third = log
    moved = segment_name(99)

    assert fault({first: log[first], second: log[second], moved: log[third]}).reason == Reason.MISNAMED


def test_segments_that_changed_places_are_found(log: Segments) -> None:
    first, second, third = log

    assert fault({first: log[first], second: log[third], third: log[second]}) == Fault(
        second,
        1,
        6,
        Reason.MISNAMED,
    )
    assert fault({first: log[first], third: log[third], second: log[second]}).reason == Reason.MISSING
    assert fault({second: log[second], first: log[first]}, whole=False) == Fault(first, 1, 9, Reason.NUMBER)


def test_an_empty_segment_is_no_part_of_a_log(log: Segments) -> None:
    first, second, third = log

    assert fault({first: log[first], second: b"", third: log[third]}) == Fault(second, 0, 6, Reason.EMPTY)
    assert fault(log | {third: b""}).reason == Reason.UNBEGUN


def test_a_torn_line_is_only_told_from_a_broken_one_at_the_end(log: Segments) -> None:
    first, _, third = log

    assert fault(log | {third: log[third][:-5]}).reason == Reason.TORN
    assert fault(log | {first: log[first][:-5]}).reason == Reason.UNREADABLE


NAMES = st.none() | st.text(max_size=10)
ENTRIES = st.builds(
    entry,
    st.none() | st.integers(0, 2**50),
    st.just("a.b"),
    NAMES,
    NAMES,
    NAMES,
    st.just(b"{}"),
)


@settings(deadline=None)
@given(st.lists(st.lists(ENTRIES, max_size=5), min_size=1, max_size=4))
def test_any_entries_in_any_segments_verify(segments: list[list[bytes]]) -> None:
    log = Forger()
    for entries in segments:
        log.begin()
        for told in entries:
            log.add(told)

    report = proved(log.held)

    assert report.ok
    assert (report.records, report.segments) == (log.seq - 1, len(segments))
    assert report.head == log.head.hex()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_finding_and_no_error(held: bytes) -> None:
    assert not proved({FIRST: held}).ok
