"""Whole closed segments are deleted, the oldest first, after the log has recorded it; the newest never is.

Size decides at once. Age is counted by a clock that may be wrong, and what is too old goes in steps.
"""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.log_records import RETIRED_NAMES
from steno.audit.record import segment_name
from steno.audit.writing.log import AuditLog
from steno.audit.writing.retention import (
    SETTLE_SECONDS,
    STEP_SECONDS,
    Clocks,
    Retention,
    RetentionPolicy,
    SegmentFile,
    over_size,
)
from steno.audit.writing.segment import Stamp
from steno.audit.writing.segment_age import DAY_NS, SECOND_NS
from tests.audit.helpers import AT, broken, files, opened, outline, proved, records, said

HERE = Path("x")
AT_NS = AT * 1000
MONTH = RetentionPolicy(seconds=30 * 86_400)
BOTH = RetentionPolicy(seconds=30 * 86_400, size_bytes=1)


class HostClocks:
    """The clocks of a host, which stand still until they are moved."""

    def __init__(self) -> None:
        self.wall_ns = AT_NS
        self.steady_ns = 5 * SECOND_NS

    def pass_(self, *, days: float = 0, seconds: float = 0) -> None:
        """Let time pass."""
        passed_ns = int(days * DAY_NS + seconds * SECOND_NS)
        self.wall_ns += passed_ns
        self.steady_ns += passed_ns

    def set_(self, *, days: float) -> None:
        """Set the wall clock."""
        self.wall_ns += int(days * DAY_NS)

    def read(self) -> Clocks:
        """Return them as retention reads them."""
        return Clocks(lambda: self.wall_ns, lambda: self.steady_ns)


class Host:
    """A log of closed segments, retention that looks at it, and the clocks that both go by."""

    def __init__(self, folder: Path, policy: RetentionPolicy, count: int = 2) -> None:
        self.clocks = HostClocks()
        self.policy = policy
        self.log = log_of(folder, count)
        self.retention = Retention(self.log, policy, self.clocks.read())
        self.deleted: list[str] = []

    def write(self, folder: Path, *, days_ago: list[float]) -> None:
        """Give the segments the times at which they were written last."""
        for path, days in zip(sorted(folder.glob("audit-*.jsonl")), days_ago, strict=True):
            written_ns = self.clocks.wall_ns - int(days * DAY_NS)
            os.utime(path, ns=(written_ns, written_ns))
        self.log._segment.stamp = Stamp.of(self.log.path.stat())  # the newest one was not tampered with

    def write_newest(self) -> None:
        """Give the newest segment the present time."""
        os.utime(self.log.path, ns=(self.clocks.wall_ns, self.clocks.wall_ns))
        self.log._segment.stamp = Stamp.of(self.log.path.stat())

    def restart(self) -> None:
        """Look at the log as a new process does."""
        self.retention = Retention(self.log, self.policy, self.clocks.read())

    def look(self) -> int:
        """Do what is due; return how many segments were deleted."""
        before = len(self.deleted)
        if self.retention.announce(AT):
            self.log.flush()
        self.retention.delete(self.deleted.append)
        return len(self.deleted) - before

    def settle(self) -> int:
        """Let the first step come, and look."""
        self.clocks.pass_(seconds=SETTLE_SECONDS)
        return self.look()


def log_of(folder: Path, count: int = 2) -> AuditLog:
    """Open a log of so many closed segments, each of three records without times, and a newest one."""
    log = opened(folder, at=None)
    for number in range(count):
        log.append(said(number))
        log.rotate(None)
    log.flush()
    return log


# Size -----------------------------------------------------------------------------------------------------


def kept(*sizes: int) -> list[SegmentFile]:
    return [SegmentFile(HERE, size, 0, 0) for size in sizes]


@pytest.mark.parametrize(
    ("sizes", "limit", "count"),
    [((), 1, 0), ((5,), 1, 0), ((5, 5, 5), None, 0), ((5, 5, 5), 15, 0), ((5, 5, 5), 14, 1), ((5, 5, 50), 14, 2)],
)
def test_how_many_of_the_oldest_are_over_the_size(sizes: tuple[int, ...], limit: int | None, count: int) -> None:
    assert over_size(kept(*sizes), limit) == count


@given(st.lists(st.integers(0, 100), max_size=10), st.none() | st.integers(0, 500))
def test_what_stays_is_within_the_size_or_the_newest(sizes: list[int], limit: int | None) -> None:
    stays = sizes[over_size(kept(*sizes), limit) :]

    assert bool(stays) == bool(sizes)
    assert not stays[1:] or limit is None or sum(stays) <= limit


# Done -----------------------------------------------------------------------------------------------------


def test_old_segments_are_named_and_deleted_and_the_log_holds(tmp_path: Path) -> None:
    host = Host(tmp_path, RetentionPolicy(size_bytes=1))
    hashes = {record["seq"]: record["hash"] for record in records(tmp_path)}

    host.look()
    host.log.append(said(9))
    host.log.close(AT)

    assert outline(tmp_path) == ["| log.opened", "log.retired", "event_9", "log.closed"]
    assert records(tmp_path)[1]["body"] == {
        "last_seq": 6,
        "last_hash": hashes[6],
        "segments": [segment_name(1), segment_name(4)],
    }
    assert (host.deleted, host.log.damages()) == ([segment_name(1), segment_name(4)], [])
    report = proved(files(tmp_path))
    assert (report.ok, report.first_seq, report.retired) == (True, 7, 6)


def test_nothing_is_recorded_where_nothing_is_due(tmp_path: Path) -> None:
    for policy in (RetentionPolicy(), RetentionPolicy(size_bytes=1 << 20), MONTH):
        assert Host(tmp_path / str(id(policy)), policy).settle() == 0


def test_a_record_names_a_limited_number_and_the_rest_follows(tmp_path: Path) -> None:
    host = Host(tmp_path, RetentionPolicy(size_bytes=1), RETIRED_NAMES + 3)

    assert [host.look(), host.look()] == [RETIRED_NAMES, 3]
    host.log.close(AT)

    assert [len(record["body"]["segments"]) for record in records(tmp_path) if record["fact"] == "log.retired"] == [
        RETIRED_NAMES,
        3,
    ]
    assert proved(files(tmp_path)).ok


def test_what_was_recorded_and_not_deleted_is_recorded_and_deleted_by_the_next_run(tmp_path: Path) -> None:
    host = Host(tmp_path, RetentionPolicy(size_bytes=1))
    host.retention.announce(AT)
    host.log.flush()
    host.log.release()
    assert proved(files(tmp_path)).ok
    (tmp_path / segment_name(1)).unlink()
    assert proved(files(tmp_path)).ok

    host.log = opened(tmp_path)
    host.restart()
    assert host.look() == 2
    host.log.close(AT)

    assert outline(tmp_path) == ["| log.opened", "log.retired", "log.closed"]
    assert proved(files(tmp_path)).ok


def test_a_file_that_cannot_be_deleted_is_recorded_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, RetentionPolicy(size_bytes=1))
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", broken)
        for _ in range(2):
            with pytest.raises(OSError, match="broken"):
                host.look()
    assert (host.deleted, len(files(tmp_path))) == ([], 3)

    assert host.look() == 2
    host.log.close(AT)
    assert outline(tmp_path) == ["| log.opened", "log.retired", "log.closed"]


def test_a_segment_that_cannot_be_read_does_not_stop_retention(tmp_path: Path) -> None:
    """The hash before what stays is read from the next segment, else from the end of the last one that goes.

    Where neither can be read, that one stays until the next one goes too.
    """
    host = Host(tmp_path, RetentionPolicy(size_bytes=1), 3)
    (tmp_path / segment_name(4)).write_bytes(b"no record\n")
    (tmp_path / segment_name(7)).write_bytes(b"no record\n")
    host.retention = Retention(host.log, RetentionPolicy(size_bytes=sum(map(len, files(tmp_path).values())) - 1))
    assert host.look() == 1

    host.retention = Retention(host.log, RetentionPolicy(size_bytes=sum(map(len, files(tmp_path).values())) - 1))
    assert host.look() == 0
    host.restart()
    assert host.look() == 2
    host.log.close(AT)
    assert proved(files(tmp_path)).ok


# Age ------------------------------------------------------------------------------------------------------


def test_a_segment_that_is_too_old_goes_once_the_clock_has_settled(tmp_path: Path) -> None:
    host = Host(tmp_path, MONTH, 31)
    host.write(tmp_path, days_ago=[31.5 - day for day in range(31)] + [0])

    assert host.look() == 0
    assert host.settle() == 2
    assert host.deleted == [segment_name(1), segment_name(4)]
    assert host.retention.held == 0


def test_what_is_too_old_goes_by_a_quarter_and_by_the_hour(tmp_path: Path) -> None:
    """So that an operator who reads of the first step can stop the rest."""
    host = Host(tmp_path, RetentionPolicy(seconds=5 * 86_400), 39)
    host.write(tmp_path, days_ago=[float(39 - day) for day in range(40)])

    steps = [host.settle(), host.look()]
    for _ in range(6):
        host.clocks.pass_(seconds=STEP_SECONDS)
        steps += [host.look(), host.look()]

    assert steps == [10, 0, 7, 0, 5, 0, 4, 0, 3, 0, 2, 0, 2, 0]


@pytest.mark.parametrize("years", [14, 100])
def test_a_clock_that_is_wrong_at_the_start_deletes_nothing(tmp_path: Path, years: int) -> None:
    """Nor if the daemon goes on for a fortnight by it, or starts again and again."""
    host = Host(tmp_path, MONTH, 20)
    host.clocks.set_(days=365 * years)
    host.write(tmp_path, days_ago=[365 * years + 20 - day for day in range(20)] + [0.0])

    for _ in range(14):
        host.restart()
        assert [host.look(), host.settle()] == [0, 0]
        host.clocks.pass_(days=1)
        host.write_newest()

    assert host.retention.held == 20
    assert host.retention.ages.doubted_ns // DAY_NS >= 365 * years


def test_a_clock_that_is_behind_the_log_deletes_nothing(tmp_path: Path) -> None:
    host = Host(tmp_path, MONTH, 3)
    now_ns = host.clocks.wall_ns
    host.write(tmp_path, days_ago=[62, 61, 1, 0])
    host.clocks.set_(days=-now_ns / DAY_NS)
    host.write_newest()
    host.restart()

    assert [host.look(), host.settle()] == [0, 0]
    assert host.retention.ages.behind_ns > 20_000 * DAY_NS


def test_a_host_that_was_off_for_two_months_deletes_after_a_week(tmp_path: Path) -> None:
    host = Host(tmp_path, MONTH, 4)
    host.write(tmp_path, days_ago=[64, 63, 62, 61, 0])
    host.restart()

    assert [host.look(), host.settle(), host.retention.held] == [0, 0, 4]
    gone = []
    for _ in range(10):
        host.clocks.pass_(days=1)
        closed = host.log.path
        host.log.rotate(None)
        host.log.flush()
        os.utime(closed, ns=(host.clocks.wall_ns, host.clocks.wall_ns))
        host.write_newest()
        gone.append(host.look())

    assert gone == [0, 0, 0, 0, 0, 0, 0, 3, 1, 0]
    assert host.retention.held == 0


def test_a_clock_that_is_set_while_the_daemon_runs_is_waited_for(tmp_path: Path) -> None:
    host = Host(tmp_path, RetentionPolicy(seconds=5 * 86_400), 8)
    host.write(tmp_path, days_ago=[5.5, 5.4, 5.3, 4, 3, 2, 1, 0.5, 0])
    host.clocks.pass_(seconds=SETTLE_SECONDS)
    host.clocks.set_(days=1)

    assert host.look() == 0
    assert host.settle() == 2


def test_the_time_in_the_first_record_counts_where_it_is_later_than_that_of_the_file(tmp_path: Path) -> None:
    """A copy may have lost the times of its files."""
    host = Host(tmp_path, MONTH, 0)
    host.log.append(said(1))
    host.log.rotate(AT)
    host.log.flush()
    for name in files(tmp_path):
        os.utime(tmp_path / name, ns=(AT_NS - 60 * DAY_NS, AT_NS - 60 * DAY_NS))
    host.log.rotate(AT)
    host.log.flush()

    assert [each.written_ns for each in host.retention._kept()][1] == AT_NS


def test_size_needs_no_clock(tmp_path: Path) -> None:
    host = Host(tmp_path, BOTH, 3)
    host.clocks.set_(days=365 * 14)

    assert host.look() == 3


def test_what_is_no_segment_does_not_keep_the_others_from_going(tmp_path: Path) -> None:
    host = Host(tmp_path, BOTH, 2)
    for seq in (0, 2, 5):
        (tmp_path / segment_name(seq)).mkdir()
        os.utime(tmp_path / segment_name(seq), ns=(1, 1))

    assert host.retention.announce(AT)
    host.log.flush()
    assert host.retention.delete(host.deleted.append) is not None
    assert host.deleted == [segment_name(1), segment_name(4)]
    assert [path.name for path in tmp_path.glob("audit-*") if path.is_file()] == [segment_name(7)]


@pytest.mark.parametrize(("stays", "told"), [(-1, None), (0, 0)])
def test_content_files_stay_where_the_clock_went_back_since(tmp_path: Path, stays: int, told: int | None) -> None:
    """By the time of the segments that went, the files of those that stay would be old too."""
    host = Host(tmp_path, RetentionPolicy(size_bytes=1), 1)
    first, second = (tmp_path / name for name in files(tmp_path))
    os.utime(first, ns=(AT_NS, AT_NS))
    os.utime(second, ns=(AT_NS + stays, AT_NS + stays))
    host.retention.announce(AT)

    newest_ns = host.retention.delete(host.deleted.append)

    assert newest_ns == (None if told is None else AT_NS + told)
