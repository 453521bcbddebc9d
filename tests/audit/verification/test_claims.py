"""What a log says of itself is held against its chain; what it says of damage is a hint."""

from typing import Any

import pytest

from steno.audit.record import GENESIS, segment_name
from steno.audit.verification.claims import claimed_damage
from steno.audit.verification.report import ClaimedDamage, DeclaredGap, Fault, Reason
from tests.audit.helpers import fault, proved, said
from tests.audit.tampered_log import Segments, TamperedLog, lines

FIRST, SECOND, THIRD = segment_name(1), segment_name(3), segment_name(6)
RETIRED_HASH = b"w" * 32

# Checkpoints ----------------------------------------------------------------------------------------------


def test_checkpoints_that_agree_are_counted() -> None:
    report = proved(TamperedLog().begin().checkpoint().add(said(1)).checkpoint().held)

    assert (report.ok, report.checkpoints) == (True, 2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"last_seq": 1}, Reason.CHECKPOINT),
        ({"last_seq": 3}, Reason.CHECKPOINT),
        ({"last_hash": "77" * 32}, Reason.CHECKPOINT),
        ({"last_hash": None}, Reason.UNREADABLE),
    ],
)
def test_a_checkpoint_that_names_another_head_is_a_fault(changes: dict[str, Any], reason: Reason) -> None:
    log = TamperedLog().begin().add(said(1))
    right = {"last_seq": 2, "last_hash": log.head.hex()}

    assert fault(log.record("log.checkpoint", **right | changes).held) == Fault(FIRST, 3, 3, reason)


# Gaps -----------------------------------------------------------------------------------------------------


def test_declared_gaps_are_listed() -> None:
    report = proved(TamperedLog().begin().record("log.gap", facts=3).add(said(1)).held)

    assert report.ok
    assert report.gaps == (DeclaredGap(2, '{"facts":3}'),)
    assert report.gap_records == 1


def test_all_gaps_are_counted_and_the_first_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steno.audit.verification.claims.GAPS_LISTED", 1)

    report = proved(TamperedLog().begin().record("log.gap", n=1).record("log.gap", n=2).held)

    assert report.gaps == (DeclaredGap(2, '{"n":1}'),)
    assert report.gap_records == 2


def test_a_gap_is_shown_in_ascii() -> None:
    report = proved(TamperedLog().begin().record("log.gap", reason="\x9b2J").held)

    assert report.gaps[0].body.isascii()


# What was retired -----------------------------------------------------------------------------------------


def retired(last_seq: int, last_hash: bytes) -> Segments:
    """Return a log that begins at record 10, and declares that records up to `last_seq` were retired."""
    log = TamperedLog(10, RETIRED_HASH).begin().add(said(1))
    return log.record("log.retired", last_seq=last_seq, last_hash=last_hash.hex(), segments=[FIRST]).held


def test_a_log_may_begin_behind_the_records_that_it_declares_as_retired() -> None:
    report = proved(retired(9, RETIRED_HASH))

    assert (report.ok, report.first_seq, report.retired, report.previous) == (True, 10, 9, RETIRED_HASH.hex())


@pytest.mark.parametrize(
    ("held", "place"),
    [
        (retired(9, GENESIS), Fault(segment_name(10), 3, 12, Reason.RETIREMENT)),
        (retired(10, RETIRED_HASH), Fault(segment_name(10), 3, 12, Reason.RETIREMENT)),
        (retired(8, RETIRED_HASH), Fault(segment_name(10), 1, 10, Reason.BEGINNING)),
        (TamperedLog(10, RETIRED_HASH).begin().held, Fault(segment_name(10), 1, 10, Reason.BEGINNING)),
    ],
    ids=["another hash", "no end of a segment", "too few", "no retirement"],
)
def test_a_log_may_not_begin_elsewhere(held: Segments, place: Fault) -> None:
    assert fault(held) == place


def retiring(**changes: Any) -> Segments:
    """Return a log of four segments that retires the first two: records 1 to 2, and 3 to 5."""
    log = TamperedLog().begin().end().begin().add(said(1)).end()
    right = {"last_seq": 5, "last_hash": log.head.hex(), "segments": [FIRST, SECOND]}
    return log.begin().record("log.retired", **right | changes).end().begin().held


@pytest.mark.parametrize("gone", range(3))
def test_segments_that_are_retired_may_be_there_still_the_newest_of_them_longest(gone: int) -> None:
    kept = dict(list(retiring().items())[gone:])

    report = proved(kept)

    assert (report.ok, report.segments, report.retired) == (True, 4 - gone, 5)


def test_a_segment_that_no_retirement_names_is_missing() -> None:
    held = retiring()
    assert list(held) == [FIRST, SECOND, THIRD, segment_name(9)]

    unnamed = dict(list(retiring(segments=[SECOND]).items())[1:])
    assert fault(unnamed) == Fault(SECOND, 1, 3, Reason.BEGINNING)
    newest = segment_name(9)
    assert fault({newest: held[newest]}) == Fault(newest, 1, 9, Reason.BEGINNING)
    del held[SECOND]  # the oldest go first
    assert fault(held) == Fault(THIRD, 1, 3, Reason.MISSING)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"last_hash": "77" * 32}, Reason.RETIREMENT),
        ({"last_seq": 4}, Reason.RETIREMENT),
        ({"last_seq": 6}, Reason.RETIREMENT),
        ({"last_seq": 99}, Reason.RETIREMENT),
        ({"segments": [SECOND, FIRST]}, Reason.RETIREMENT),
        ({"segments": [FIRST, FIRST]}, Reason.RETIREMENT),
        ({"segments": [FIRST, THIRD]}, Reason.RETIREMENT),
        ({"segments": ["../notes"]}, Reason.RETIREMENT),
        ({"segments": []}, Reason.UNREADABLE),
        ({"segments": None}, Reason.UNREADABLE),
    ],
)
def test_a_retirement_that_contradicts_the_log_is_a_fault(changes: dict[str, Any], reason: Reason) -> None:
    assert fault(retiring(**changes)) == Fault(THIRD, 2, 7, reason)


def test_each_of_several_retirements_accounts_for_the_segments_it_names() -> None:
    log = TamperedLog().begin().end()
    one, two = log.head.hex(), log.begin().add(said(1)).end().head.hex()
    log.begin().record("log.retired", last_seq=2, last_hash=one, segments=[FIRST])
    log.record("log.retired", last_seq=5, last_hash=two, segments=[SECOND])

    reports = [proved(dict(list(log.held.items())[gone:])) for gone in range(3)]

    assert [(report.ok, report.retired) for report in reports] == [(True, 5)] * 3


# Damage ---------------------------------------------------------------------------------------------------


def test_the_damage_of_a_segment_is_returned() -> None:
    log = TamperedLog().begin().record("log.damaged", segment=SECOND, damage="renamed", last_seq=5)
    log.record("log.damaged", segment=FIRST, damage="truncated", last_seq=2)

    assert claimed_damage(lines(log.held[FIRST]), {FIRST}) == ClaimedDamage(FIRST, "truncated")
    assert claimed_damage(lines(log.held[FIRST]), {THIRD}) is None


def test_records_that_only_look_like_damage_are_skipped() -> None:
    log = TamperedLog().begin().record("x", text="log.damaged").record("log.damaged", segment=FIRST, damage="\x1b[2J")
    held = [*lines(log.held[FIRST]), b'"fact":"log.damaged"\n']

    assert claimed_damage(held, {FIRST}) is None


# Cursors --------------------------------------------------------------------------------------------------

CURSOR: dict[str, Any] = {"id": "a", "stream": "app/1/1", "frame": 7, "records": 0, "former": 0}


def cursors(*changes: dict[str, Any]) -> Segments:
    log = TamperedLog().begin()
    for each in changes:
        log.record("log.cursor", **CURSOR | each)
    return log.held


def test_cursors_that_go_on_hold() -> None:
    """Another stream of the same sender may begin anywhere, and all may be stated again."""
    held = cursors({}, {"frame": 8, "records": 2}, {"frame": 8, "of": 1}, {"stream": "app/1/2", "frame": 0})

    assert proved(held).ok


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"frame": 6}, Reason.CURSOR),
        ({"id": "b"}, Reason.CURSOR),
        ({"frame": -1}, Reason.UNREADABLE),
        ({"frame": "7"}, Reason.UNREADABLE),
        ({"records": -1}, Reason.UNREADABLE),
        ({"id": "with a space"}, Reason.UNREADABLE),
        ({"id": ""}, Reason.UNREADABLE),
        ({"stream": None}, Reason.UNREADABLE),
        ({"of": 0}, Reason.UNREADABLE),
    ],
)
def test_a_cursor_that_goes_back_or_is_none_is_a_fault(changes: dict[str, Any], reason: Reason) -> None:
    assert fault(cursors({}, changes)) == Fault(FIRST, 3, 3, reason)


def test_streams_whose_cursors_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steno.audit.verification.claims.STREAMS", 1)

    assert proved(cursors({}, {"stream": "app/1/2"}, {"frame": 6})).ok
