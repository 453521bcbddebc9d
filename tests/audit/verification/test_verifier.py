"""A log that was not changed holds; a change is a fault, named by segment, line and record."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.audit.record import GENESIS, entry, link, segment_name
from steno.audit.verification.report import Fault, Reason, TimeDisorder
from steno.audit.verification.verifier import Verifier
from tests.audit.helpers import AT, WHEN, ZEROS, fault, proved, said
from tests.audit.tampered_log import Segments, TamperedLog, lines

FIRST = segment_name(1)
OTHER_HASH = b"w" * 32


# What holds -----------------------------------------------------------------------------------------------


def test_a_log_of_several_segments() -> None:
    log = TamperedLog().begin().add(said(1)).record("log.closed", reason="rotated").begin(recovered_bytes=9)
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
        "disorder": msgspec.to_builtins(TimeDisorder()),
        "previous": ZEROS,
        "head": log.head.hex(),
        "keyed_from": None,
        "key_ids": (),
        "key_seqs": (),
        "log_id": lines(next(iter(log.held.values())))[0][-67:-3].decode(),
        "log_unchecked": False,
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


def test_times_that_run_backwards_are_counted_and_no_fault() -> None:
    """A clock that was set back is no tampering."""
    log = TamperedLog().begin().add(said(1, at=AT + 9)).add(said(2, at=None)).add(said(3, at=AT + 2)).begin()

    report = proved(log.held)

    assert (report.ok, report.first_at) == (True, WHEN)
    assert report.disorder == TimeDisorder(backwards=1, first_backwards=4, furthest_back=7)


def test_segments_that_do_not_end_in_order_are_counted() -> None:
    """The last one may be written still."""
    log = TamperedLog().begin().begin().end().begin()

    report = proved(log.held)

    assert (report.ok, report.unclosed) == (True, 1)


def test_observers_see_the_bodies_of_records_that_hold() -> None:
    """By the name of the fact. A body that an observer cannot read is a fault."""
    log = TamperedLog().begin().record("a", n=1).record("b", n=2).record("a", n=3)
    changed = log.held[FIRST].replace(b'"n":3', b'"n":4')
    seen: list[bytes] = []

    def refuse(_: bytes) -> None:
        raise ValueError("no body of a b")

    verifiers = [Verifier(complete=True, observers=observers) for observers in ({b"a": seen.append}, {b"b": refuse})]
    for verifier in verifiers:
        verifier.verify_segment(FIRST, lines(changed), newest=True)

    assert seen == [b'{"n":1}']
    assert [verifier.report().fault for verifier in verifiers] == [
        Fault(FIRST, 4, 4, Reason.HASH),
        Fault(FIRST, 3, 3, Reason.UNREADABLE),
    ]


def test_a_later_segment_alone_holds_relative_to_the_hash_it_names() -> None:
    log = TamperedLog().begin().add(said(1)).record("log.closed", reason="rotated")
    before = log.head.hex()
    log.begin().add(said(2))

    report = proved({segment_name(4): log.held[segment_name(4)]}, whole=False)

    assert (report.ok, report.first_seq, report.last_seq, report.previous) == (True, 4, 5, before)
    assert report.head == log.head.hex()


def test_the_times_are_those_of_records_that_have_one() -> None:
    log = TamperedLog().begin()
    timeless = entry(None, "x", None, None, None, b"{}")

    report = proved(TamperedLog().begin().add(timeless).held)

    assert (report.first_at, report.last_at) == (WHEN, WHEN)
    assert proved(log.held).records == 1


# What does not hold ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "place"),
    [
        (TamperedLog().begin(schema="steno.audit/2"), Fault(FIRST, 1, None, Reason.SCHEMA)),
        (TamperedLog().begin(algorithm="md5"), Fault(FIRST, 1, 1, Reason.ALGORITHM)),
        (TamperedLog().begin(algorithm="hmac-sha256"), Fault(FIRST, 1, 1, Reason.ALGORITHM)),
        (TamperedLog().begin(key_id="00" * 8), Fault(FIRST, 1, 1, Reason.ALGORITHM)),
        (TamperedLog().begin(previous="11" * 32), Fault(FIRST, 1, None, Reason.PREVIOUS)),
        (TamperedLog().begin(previous="zz"), Fault(FIRST, 1, None, Reason.UNREADABLE)),
        (TamperedLog().begin(previous=None), Fault(FIRST, 1, None, Reason.UNREADABLE)),
        (TamperedLog().begin(name=segment_name(2)), Fault(segment_name(2), 1, None, Reason.MISNAMED)),
        (TamperedLog(2).begin(previous="11" * 31), Fault(segment_name(2), 1, None, Reason.PREVIOUS)),
        (TamperedLog(2, OTHER_HASH).begin(previous=("ab" * 32).upper()), Fault(segment_name(2), 1, 2, Reason.PREVIOUS)),
        (TamperedLog().begin().begin(previous="11" * 32), Fault(segment_name(2), 1, 2, Reason.PREVIOUS)),
        (TamperedLog().begin().record("log.opened", recovered_bytes=0), Fault(FIRST, 2, 2, Reason.REOPENED)),
        (TamperedLog().begin().record("log.closed").add(said(1)), Fault(FIRST, 3, 3, Reason.ENDED)),
        (
            TamperedLog().begin().add(entry(AT, "x", None, None, None, b"{]}")),
            Fault(FIRST, 2, 2, Reason.UNREADABLE),
        ),
        (
            TamperedLog().begin().add(entry(AT, "x", None, None, None, b'{"a":' + b"[" * 9999 + b"}")),
            Fault(FIRST, 2, 2, Reason.UNREADABLE),
        ),
    ],
)
def test_a_log_that_its_writer_got_wrong_does_not_hold(log: TamperedLog, place: Fault) -> None:
    assert fault(log.held) == place


def test_a_segment_must_begin_with_log_opened() -> None:
    log = TamperedLog()
    log.held[FIRST] = link(1, said(1), GENESIS)[0]

    assert fault(log.held) == Fault(FIRST, 1, None, Reason.UNOPENED)


# Changes ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log() -> Segments:
    """Return a log of three segments, from two starts."""
    tampered = TamperedLog().begin().add(said(0)).add(said(1)).add(said(2)).end()
    held = tampered.begin().add(said(3)).end().begin().add(said(4)).add(said(5)).end().held
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
def test_a_line_that_was_removed_is_a_fault(log: Segments, number: int) -> None:
    name = next(iter(log))
    kept = [line for at, line in enumerate(lines(log[name])) if at != number]

    assert fault(log | {name: b"".join(kept)}).reason in {Reason.UNOPENED, Reason.NUMBER, Reason.MISSING}


def test_lines_that_were_swapped_are_a_fault(log: Segments) -> None:
    name = next(iter(log))
    first, second, third, *rest = lines(log[name])

    assert fault(log | {name: b"".join([first, third, second, *rest])}) == Fault(name, 2, 2, Reason.NUMBER)


def test_a_line_that_stands_twice_is_a_fault(log: Segments) -> None:
    name = next(iter(log))
    first, second, *rest = lines(log[name])

    assert fault(log | {name: b"".join([first, second, second, *rest])}) == Fault(name, 3, 3, Reason.NUMBER)


def test_a_segment_that_was_removed_is_a_fault_but_for_the_newest(log: Segments) -> None:
    first, second, third = log

    assert fault({second: log[second], third: log[third]}) == Fault(second, 1, 6, Reason.BEGINNING)
    assert fault({first: log[first], third: log[third]}) == Fault(third, 1, 6, Reason.MISSING)
    assert proved(
        {first: log[first], second: log[second]},
    ).ok  # a tail that was cut off: only a known head finds that


def test_a_segment_that_was_renamed_is_a_fault(log: Segments) -> None:
    first, second, third = log
    moved = segment_name(99)

    assert fault({first: log[first], second: log[second], moved: log[third]}).reason == Reason.MISNAMED


def test_segments_that_changed_places_are_a_fault(log: Segments) -> None:
    first, second, third = log

    assert fault({first: log[first], second: log[third], third: log[second]}) == Fault(
        second,
        1,
        6,
        Reason.MISNAMED,
    )
    assert fault({first: log[first], third: log[third], second: log[second]}).reason == Reason.MISSING
    assert fault({second: log[second], first: log[first]}, whole=False) == Fault(first, 1, 9, Reason.NUMBER)


def test_an_empty_segment_is_a_fault(log: Segments) -> None:
    first, second, third = log

    assert fault({first: log[first], second: b"", third: log[third]}) == Fault(second, 0, 6, Reason.EMPTY)
    assert fault(log | {third: b""}).reason == Reason.UNBEGUN


def test_a_torn_line_is_one_at_the_end_of_the_newest_segment(log: Segments) -> None:
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
def test_any_records_in_any_segments_hold(segments: list[list[bytes]]) -> None:
    log = TamperedLog()
    for entries in segments:
        log.begin()
        for each in entries:
            log.add(each)

    report = proved(log.held)

    assert report.ok
    assert (report.records, report.segments) == (log.seq - 1, len(segments))
    assert report.head == log.head.hex()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_fault_and_no_error(held: bytes) -> None:
    assert not proved({FIRST: held}).ok
