"""Whole closed segments are deleted, the oldest first, after the log has recorded it; the newest never is."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.log_records import RETIRED_NAMES
from steno.audit.record import segment_name
from steno.audit.writing.log import AuditLog
from steno.audit.writing.retention import NANOS, Retention, RetentionPolicy, SegmentFile, due
from tests.audit.helpers import AT, broken, files, opened, outline, proved, records, said

HERE = Path("x")
NOW_NS = 1_000 * NANOS


def kept(*each: tuple[int, int]) -> list[SegmentFile]:
    """Return segments of a size and an age in seconds."""
    return [SegmentFile(HERE, size, NOW_NS - age * NANOS) for size, age in each]


# Decided --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("segments", "policy", "count"),
    [
        ([], RetentionPolicy(1, 1), 0),
        ([(5, 100)], RetentionPolicy(1, 1), 0),
        ([(5, 100), (5, 90), (5, 0)], RetentionPolicy(), 0),
        ([(5, 100), (5, 90), (5, 0)], RetentionPolicy(seconds=95), 1),
        ([(5, 100), (5, 90), (5, 0)], RetentionPolicy(seconds=100), 0),
        ([(5, 100), (5, 90), (5, 80)], RetentionPolicy(seconds=1), 2),
        ([(5, 100), (5, 90), (5, 0)], RetentionPolicy(size_bytes=15), 0),
        ([(5, 100), (5, 90), (5, 0)], RetentionPolicy(size_bytes=14), 1),
        ([(5, 100), (5, 90), (50, 0)], RetentionPolicy(size_bytes=14), 2),
        ([(5, 100), (5, 90), (5, 0)], RetentionPolicy(seconds=95, size_bytes=5), 2),
        ([(5, 10), (5, 90), (5, 0)], RetentionPolicy(seconds=50), 0),
    ],
)
def test_how_many_of_the_oldest_are_due(segments: list[tuple[int, int]], policy: RetentionPolicy, count: int) -> None:
    assert due(kept(*segments), policy, NOW_NS) == count


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=10),
    st.none() | st.integers(0, 100),
    st.none() | st.integers(0, 500),
)
def test_what_stays_is_within_the_policy_or_the_newest(
    segments: list[tuple[int, int]], age: int | None, size_bytes: int | None
) -> None:
    stays = segments[due(kept(*segments), RetentionPolicy(age, size_bytes), NOW_NS) :]

    assert bool(stays) == bool(segments)
    if stays[1:]:
        assert age is None or stays[0][1] <= age
        assert size_bytes is None or sum(size for size, _ in stays) <= size_bytes


# Done -----------------------------------------------------------------------------------------------------


def three_segments(folder: Path, count: int = 2) -> AuditLog:
    """Open a log of so many closed segments, each of three records, and a newest one."""
    log = opened(folder)
    for number in range(count):
        log.append(said(number))
        log.rotate(AT)
    log.flush()
    return log


def retire(log: AuditLog, retention: Retention) -> None:
    if retention.announce(AT, NOW_NS * NANOS):
        log.flush()
    retention.delete()


def test_old_segments_are_named_and_deleted_and_the_log_holds(tmp_path: Path) -> None:
    log = three_segments(tmp_path)
    retention = Retention(log, RetentionPolicy(seconds=0))
    hashes = {record["seq"]: record["hash"] for record in records(tmp_path)}

    retire(log, retention)
    log.append(said(9))
    log.close(AT)

    assert outline(tmp_path) == ["| log.opened", "log.retired", "event_9", "log.closed"]
    assert records(tmp_path)[1]["body"] == {
        "last_seq": 6,
        "last_hash": hashes[6],
        "segments": [segment_name(1), segment_name(4)],
    }
    assert (retention.deleted, log.damages()) == (2, [])
    report = proved(files(tmp_path))
    assert (report.ok, report.first_seq, report.retired) == (True, 7, 6)


def test_nothing_is_recorded_where_nothing_is_due(tmp_path: Path) -> None:
    log = three_segments(tmp_path)

    assert not Retention(log, RetentionPolicy()).announce(AT, NOW_NS * NANOS)
    assert not Retention(log, RetentionPolicy(size_bytes=1 << 20)).announce(AT, NOW_NS * NANOS)
    assert not Retention(log, RetentionPolicy(seconds=3600)).announce(AT, log.path.stat().st_mtime_ns)
    log.close(AT)


def test_a_record_names_a_limited_number_and_the_rest_follows(tmp_path: Path) -> None:
    log = three_segments(tmp_path, RETIRED_NAMES + 3)
    retention = Retention(log, RetentionPolicy(seconds=0))

    retire(log, retention)
    assert retention.deleted == RETIRED_NAMES
    assert len(files(tmp_path)) == 4
    retire(log, retention)
    log.close(AT)

    assert [len(record["body"]["segments"]) for record in records(tmp_path) if record["fact"] == "log.retired"] == [
        RETIRED_NAMES,
        3,
    ]
    assert proved(files(tmp_path)).ok


def test_what_was_recorded_and_not_deleted_is_recorded_and_deleted_by_the_next_run(tmp_path: Path) -> None:
    log = three_segments(tmp_path)
    Retention(log, RetentionPolicy(seconds=0)).announce(AT, NOW_NS * NANOS)
    log.flush()
    log.release()
    assert proved(files(tmp_path)).ok
    (tmp_path / segment_name(1)).unlink()
    assert proved(files(tmp_path)).ok

    with opened(tmp_path) as log:
        retire(log, Retention(log, RetentionPolicy(seconds=0)))
        log.close(AT)

    assert outline(tmp_path) == ["| log.opened", "log.retired", "log.closed"]
    assert proved(files(tmp_path)).ok


def test_a_file_that_cannot_be_deleted_is_recorded_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = three_segments(tmp_path)
    retention = Retention(log, RetentionPolicy(seconds=0))
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", broken)
        for _ in range(2):
            with pytest.raises(OSError, match="broken"):
                retire(log, retention)
    assert (retention.deleted, len(files(tmp_path))) == (0, 3)

    retire(log, retention)
    log.close(AT)
    assert (retention.deleted, outline(tmp_path)) == (2, ["| log.opened", "log.retired", "log.closed"])


def test_a_segment_that_cannot_be_read_does_not_stop_retention(tmp_path: Path) -> None:
    """The hash before what stays is read from the next segment, else from the end of the last one that goes.

    Where neither can be read, that one stays until the next one goes too.
    """
    log = three_segments(tmp_path, 3)
    (tmp_path / segment_name(4)).write_bytes(b"no record\n")
    os.utime(tmp_path / segment_name(4), ns=(NOW_NS, NOW_NS))
    os.utime(tmp_path / segment_name(1), ns=(1, 1))
    os.utime(tmp_path / segment_name(7), ns=(NOW_NS, NOW_NS))

    retention = Retention(log, RetentionPolicy(seconds=900))
    assert retention.announce(AT, NOW_NS)
    log.flush()
    retention.delete()
    assert list(files(tmp_path)) == [segment_name(seq) for seq in (4, 7, 10)]

    (tmp_path / segment_name(7)).write_bytes(b"no record\n")
    os.utime(tmp_path / segment_name(7), ns=(NOW_NS, NOW_NS))
    os.utime(tmp_path / segment_name(4), ns=(1, 1))
    assert not retention.announce(AT, NOW_NS)
    retire(log, Retention(log, RetentionPolicy(seconds=0)))
    log.close(AT)
    assert proved(files(tmp_path)).ok
