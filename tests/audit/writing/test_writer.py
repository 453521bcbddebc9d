"""Records are submitted without waiting, written together and in order. A disk that fails only delays them."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.audit.log_records import Damaged
from steno.audit.record import entry, segment_name
from steno.audit.writing.batch import ChainHead
from steno.audit.writing.interface import CompanionFiles
from steno.audit.writing.retention import RetentionPolicy
from steno.audit.writing.writer import AuditWriter
from steno.audit.writing.writer_loop import CLOSING_BYTES
from steno.timestamps import timestamp
from tests.audit.helpers import (
    AT,
    NEVER,
    NoFiles,
    Observer,
    broken,
    files,
    opened,
    outline,
    proved,
    records,
    said,
    terms,
    until,
    write,
    writer_of,
)
from tests.processes import PATIENCE_SECONDS

SIZE = len(said(1))
FIRST = segment_name(1)


def started(
    folder: Path, observer: Observer | None = None, files: CompanionFiles | None = None, **changes: Any
) -> AuditWriter:
    """Open a log and let a thread write it."""
    writer = writer_of(opened(folder), observer, files, **changes)
    writer.start()
    return writer


class Slow:
    """A pending record, whose encoding works, fails a few times, or raises as a bug does."""

    def __init__(self, number: int, *, fails: bool = False, busy: int = 0, size: int = SIZE) -> None:
        self.at: int | None = AT + number
        self.size = size
        self._number = number
        self._fails = fails
        self._busy = busy
        self.by = ""
        self.brief: bool | None = None

    def entry(self, *, brief: bool = False) -> bytes:
        """Return the record."""
        self.by = threading.current_thread().name
        self.brief = brief
        if self._fails:
            raise RecursionError("content that nobody may see")
        if self._busy:
            self._busy -= 1
            raise OSError(errno.ENOSPC, "full")
        return said(self._number, at=self.at)


class Disk:
    """Stands in for `fdatasync`: works, hangs or fails as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails: int | None = None
        self._permits: threading.Semaphore | None = None
        self.asked = 0
        self._real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self.fdatasync)

    def fdatasync(self, descriptor: int) -> None:
        self.asked += 1
        if self._permits:
            self._permits.acquire(timeout=30)
        if self.fails is not None:
            raise OSError(self.fails, "as the test says")
        self._real(descriptor)

    def hang(self) -> None:
        self._permits = threading.Semaphore(0)

    def go_on(self, times: int = 1000) -> None:
        assert self._permits
        self._permits.release(times)


class Watched(threading.Condition):
    """Keeps how long the thread meant to wait each time it began to."""

    def __init__(self, lock: threading.Lock) -> None:
        super().__init__(lock)
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return super().wait(timeout)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


# Written --------------------------------------------------------------------------------------------------


def test_what_is_submitted_is_written_in_order_and_the_log_is_ended(tmp_path: Path) -> None:
    writer = started(tmp_path)
    for number in range(100):
        writer.submit(said(number))

    assert writer.close(AT + 1, 30)
    assert outline(tmp_path) == ["| log.opened", *(f"event_{number}" for number in range(100)), "log.closed"]
    assert records(tmp_path)[-1]["at"].endswith("123457Z")
    assert (writer.stats().records, writer.stats().queued_bytes, writer.stats().alive) == (102, 0, False)
    assert proved(files(tmp_path)).ok


def test_records_wait_for_others_no_longer_than_flush_seconds(tmp_path: Path) -> None:
    writer = started(tmp_path, flush_seconds=0.01)
    for number in range(3):
        writer.submit(said(number))
        until(lambda: writer.stats().queued_bytes == 0)

    assert outline(tmp_path) == ["| log.opened", "event_0", "event_1", "event_2"]
    assert writer.close(AT, 30)


def test_flush_bytes_of_records_do_not_wait(tmp_path: Path, disk: Disk) -> None:
    log = opened(tmp_path)
    writer = writer_of(log, flush_seconds=NEVER, flush_bytes=3 * SIZE)
    writer._queue._changed = watched = Watched(writer._queue._lock)
    writer.start()
    until(lambda: bool(watched.waits))
    asked, waits = disk.asked, len(watched.waits)
    writer.submit(said(0))
    until(lambda: len(watched.waits) > waits)  # the thread has seen it, and waits for others
    writer.submit(said(1))
    writer.submit(said(2))
    until(lambda: writer.stats().queued_bytes == 0)

    assert disk.asked == asked + 1
    assert outline(tmp_path) == ["| log.opened", "event_0", "event_1", "event_2"]
    assert writer.close(AT, 30)


def test_closing_writes_what_waits_at_once(tmp_path: Path) -> None:
    writer = started(tmp_path, flush_seconds=NEVER)
    writer.submit(said(1))
    assert writer.stats(monotonic() + 5).unflushed_seconds >= 5

    assert writer.close(AT, 30)
    assert outline(tmp_path) == ["| log.opened", "event_1", "log.closed"]
    assert writer.stats(monotonic() + 5).unflushed_seconds == 0


def test_a_log_without_records_is_ended(tmp_path: Path) -> None:
    writer = started(tmp_path)
    assert writer.stats().alive

    assert writer.close(None, 30)
    assert outline(tmp_path) == ["| log.opened", "log.closed"]


def test_the_thread_outlives_the_with_block_that_opened_the_log(tmp_path: Path) -> None:
    """The end of the log is the thread's alone."""
    with opened(tmp_path) as log:
        writer = writer_of(log, flush_seconds=NEVER)
        writer.start()
        writer.submit(said(1))
    assert not log.released

    assert writer.close(AT, 30)
    assert outline(tmp_path) == ["| log.opened", "event_1", "log.closed"]


# Full -----------------------------------------------------------------------------------------------------


def test_a_full_queue_is_reported_once_and_so_is_room(tmp_path: Path, disk: Disk) -> None:
    observer = Observer()
    writer = started(tmp_path, observer, queue_bytes=4 * SIZE)
    disk.hang()
    for number in range(3):
        writer.submit(said(number))
    assert (observer.reports, writer.stats().full) == ([], False)

    for number in range(3, 9):  # what is under way goes over
        writer.submit(said(number))
    assert (observer.reports, writer.stats().full) == ([("full", None)], True)
    assert writer.stats().queued_bytes == 9 * SIZE

    disk.go_on()
    until(lambda: not writer.stats().full)
    assert writer.close(AT, 30)
    assert observer.reports == [("full", None), ("room",)]
    assert outline(tmp_path) == ["| log.opened", *(f"event_{number}" for number in range(9)), "log.closed"]


def test_there_is_room_at_half_of_the_queue(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path, queue_bytes=4 * SIZE)
    disk.hang()
    writer.submit(said(0))
    until(lambda: writer.stats(monotonic() + 1).stalled_seconds >= 1)  # it is being written, alone
    for number in range(1, 4):
        writer.submit(said(number))
    assert writer.stats().full

    disk.go_on(1)
    until(lambda: writer.stats().queued_bytes == 3 * SIZE)
    assert writer.stats().full

    disk.go_on()
    until(lambda: not writer.stats().full)
    assert writer.stats().queued_bytes == 0
    assert writer.close(AT, 30)


# Failing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no_space"),
        (errno.EDQUOT, "no_space"),
        (errno.EFBIG, "no_space"),
        (errno.EROFS, "read_only"),
        (errno.EACCES, "permission"),
        (errno.EPERM, "permission"),
        (errno.EIO, "io"),
        (errno.ESTALE, "io"),
    ],
)
def test_failed_writes_are_counted_by_reason_and_tried_again(
    tmp_path: Path, disk: Disk, number: int, reason: str
) -> None:
    writer = started(tmp_path)
    disk.fails = number
    for each in range(5):
        writer.submit(said(each))
    until(lambda: writer.stats().write_errors[reason] >= 3)
    assert writer.stats().failing == reason
    assert writer.stats().alive

    disk.fails = None
    until(lambda: writer.stats().queued_bytes == 0 and writer.stats().failing is None)
    assert {each for each, count in writer.stats().write_errors.items() if count} == {reason}
    assert writer.close(AT, 30)
    assert outline(tmp_path) == ["| log.opened", "| log.opened", *(f"event_{each}" for each in range(5)), "log.closed"]
    assert proved(files(tmp_path)).ok


def test_a_disk_that_stays_broken_does_not_delay_the_end(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path)
    writer.submit(said(1))
    until(lambda: writer.stats().queued_bytes == 0)
    disk.fails = errno.EIO
    writer.submit(said(2))

    assert not writer.close(AT, 0.01)
    until(lambda: not writer.stats().alive)
    disk.fails = None
    opened(tmp_path).close(AT)

    assert outline(tmp_path) == ["| log.opened", "event_1", "| log.opened", "log.closed"]
    assert proved(files(tmp_path)).ok


def test_a_disk_that_hangs_does_not_delay_the_end(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path)
    disk.hang()
    writer.submit(said(1))
    until(lambda: writer.stats(monotonic() + 7).stalled_seconds >= 7)

    assert not writer.close(AT, 0.01)
    assert writer.stats().alive

    disk.go_on()
    until(lambda: not writer.stats().alive)
    assert outline(tmp_path) == ["| log.opened", "event_1", "log.closed"]


def test_a_writer_that_waits_or_fails_is_not_stalled(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path)
    assert writer.stats(monotonic() + 9).stalled_seconds == 0
    disk.fails = errno.ENOSPC
    writer.submit(said(1))
    until(lambda: writer.stats().write_errors["no_space"] > 0)
    until(lambda: writer.stats(monotonic() + 9).stalled_seconds == 0)
    assert writer.stats(monotonic() + 9).unflushed_seconds >= 9

    disk.fails = None
    assert writer.close(AT, 30)


def test_after_a_failed_write_the_segment_goes_on_and_after_a_failed_sync_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = started(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", broken)
        writer.submit(said(1))
        until(lambda: writer.stats().write_errors["io"] >= 3)
    until(lambda: writer.stats().queued_bytes == 0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        writer.submit(said(2))
        until(lambda: writer.stats().write_errors["io"] >= 6)
    assert writer.close(AT, 30)

    assert outline(tmp_path) == ["| log.opened", "event_1", "| log.opened", "event_2", "log.closed"]
    assert proved(files(tmp_path)).ok


class FailingFiles(NoFiles):
    """Companion files that cannot be flushed three times, and see how far the log is meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.fails = 3
        self.seen: list[list[str]] = []
        self._folder = folder

    def flush(self) -> None:
        self.seen.append(outline(self._folder))
        if self.fails:
            self.fails -= 1
            raise OSError(errno.ENOSPC, "full")


def test_no_record_is_written_before_the_files_that_it_refers_to(tmp_path: Path) -> None:
    """A flush of them that fails counts as a failed write."""
    companions = FailingFiles(tmp_path)
    writer = started(tmp_path, files=companions)
    writer.submit(said(1))
    until(lambda: writer.stats().queued_bytes == 0)

    assert (writer.stats().write_errors["no_space"], writer.stats().failing) == (3, None)
    assert companions.seen == [["| log.opened"]] * 4
    assert writer.close(AT, 30)
    assert outline(tmp_path) == ["| log.opened", "event_1", "log.closed"]


# Shed -----------------------------------------------------------------------------------------------------


def test_records_that_were_shed_are_counted_and_declared_when_there_is_room(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path, queue_bytes=2 * SIZE, sheds=True)
    disk.fails = errno.ENOSPC
    for number in range(6):
        writer.submit(said(number, at=AT + number))
    assert (writer.stats().full, writer.stats().shed_records) == (True, 4)

    disk.fails = None
    until(lambda: not writer.stats().full)
    writer.submit(said(6))
    assert writer.close(AT, 30)

    kept = [record for record in records(tmp_path) if record["fact"] in {"item.added", "log.gap"}]
    assert [record["event_id"] for record in kept] == ["event_0", "event_1", None, "event_6"]
    assert (kept[2]["at"], kept[2]["body"]) == (
        timestamp(AT + 5),
        {"reason": "shed", "facts": 4, "first_at": timestamp(AT + 2), "last_at": timestamp(AT + 5)},
    )
    assert proved(files(tmp_path)).ok


def test_what_was_shed_until_the_end_is_declared(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path, queue_bytes=1, sheds=True)
    disk.hang()
    for number in range(3):
        writer.submit(said(number, at=None))
    disk.go_on()
    assert writer.close(AT, 30)

    (gap,) = [record["body"] for record in records(tmp_path) if record["fact"] == "log.gap"]
    assert gap == {"reason": "shed", "facts": 2, "first_at": None, "last_at": None}
    assert writer.stats().shed_records == 2


# Encoded late ---------------------------------------------------------------------------------------------


def test_a_pending_record_is_encoded_by_the_thread_in_its_place(tmp_path: Path) -> None:
    slow = Slow(2)
    writer = started(tmp_path)
    writer.submit(said(1))
    writer.submit(slow)
    writer.submit(said(3))
    assert writer.close(AT, 30)

    assert (slow.by, writer.stats().queued_bytes) == ("steno-audit", 0)
    assert outline(tmp_path) == ["| log.opened", "event_1", "event_2", "event_3", "log.closed"]


def test_a_record_that_cannot_be_encoded_leaves_a_gap_without_its_content(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    writer = started(tmp_path)
    writer.submit(Slow(1, fails=True))
    writer.submit(said(2))
    assert writer.close(AT, 30)

    assert outline(tmp_path) == ["| log.opened", "log.gap", "event_2", "log.closed"]
    when = timestamp(AT + 1)
    assert records(tmp_path)[1]["body"] == {"reason": "internal_error", "facts": 1, "first_at": when, "last_at": when}
    assert (writer.stats().internal_errors, capfd.readouterr()) == (1, ("", ""))


def test_a_record_that_cannot_be_encoded_now_is_tried_again(tmp_path: Path) -> None:
    """The file that its content goes to may be on a disk that is full."""
    slow = Slow(1, busy=2)
    writer = started(tmp_path)
    writer.submit(slow)
    writer.submit(said(2))
    assert writer.close(AT, 30)

    assert outline(tmp_path) == ["| log.opened", "event_1", "event_2", "log.closed"]
    stats = writer.stats()
    assert (stats.write_errors["no_space"], stats.internal_errors, stats.failing) == (2, 0, None)


def test_a_log_that_ends_leaves_out_what_takes_too_long_and_loses_no_record(tmp_path: Path, disk: Disk) -> None:
    """A process that stops has seconds: past an amount of work that waits, records are encoded briefly."""
    writer = started(tmp_path)
    disk.hang()
    writer.submit(said(0))
    until(lambda: writer.stats(monotonic() + 7).stalled_seconds >= 7)
    waiting = [Slow(number, size=CLOSING_BYTES // 2) for number in range(1, 5)]
    for each in waiting:
        writer.submit(each)
    assert not writer.close(AT, 0.01)
    disk.go_on()
    until(lambda: not writer.stats().alive)

    assert [each.brief for each in waiting] == [False, False, True, True]
    assert outline(tmp_path)[1:] == [*(f"event_{number}" for number in range(5)), "log.closed"]


def test_a_writer_that_encodes_for_long_is_stalled(tmp_path: Path) -> None:
    """Health asks for it: no bug of an encoder may stop a log unseen."""
    stuck = Stuck(1)
    writer = started(tmp_path)
    writer.submit(stuck)
    until(lambda: writer.stats(monotonic() + 7).stalled_seconds >= 7)
    stuck.go_on.set()
    assert writer.close(AT, 30)

    assert writer.stats(monotonic() + 9).stalled_seconds == 0


class Stuck(Slow):
    """A pending record whose encoding does not come to its end before it may."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.go_on = threading.Event()

    def entry(self, *, brief: bool = False) -> bytes:
        """Return the record."""
        self.go_on.wait(PATIENCE_SECONDS)
        return super().entry(brief=brief)


def test_a_bug_is_reported(tmp_path: Path) -> None:
    """To the owner, which can report it without the text of the error."""
    observer = Observer()
    writer = started(tmp_path, observer)
    writer.submit(Slow(1, fails=True))
    assert writer.close(AT, 30)

    ((name, error),) = observer.reports
    assert (name, type(error)) == ("mistake", RecursionError)


# Called ---------------------------------------------------------------------------------------------------


def test_a_call_comes_after_what_was_submitted_before_and_before_all_else(tmp_path: Path) -> None:
    writer = started(tmp_path, flush_seconds=NEVER)
    seen: list[list[str]] = []
    writer.submit(said(1))
    future = writer.call(lambda: seen.append(outline(tmp_path)))
    writer.submit(said(2))
    assert writer.close(AT, 30)

    assert future.result(30) is None
    assert seen == [["| log.opened", "event_1"]]
    assert outline(tmp_path) == ["| log.opened", "event_1", "event_2", "log.closed"]


def test_what_a_call_raises_goes_to_its_future(tmp_path: Path) -> None:
    writer = started(tmp_path)
    future = writer.call(broken)
    with pytest.raises(OSError, match="broken"):
        future.result(30)
    writer.submit(said(1))

    assert writer.close(AT, 30)
    assert (outline(tmp_path), writer.stats().failing) == (["| log.opened", "event_1", "log.closed"], None)


def test_a_call_that_was_cancelled_is_not_made(tmp_path: Path) -> None:
    writer = started(tmp_path, flush_seconds=NEVER)
    called: list[int] = []
    assert writer.call(lambda: called.append(1)).cancel()
    assert writer.close(AT, 30)

    assert called == []


def test_a_call_that_will_never_be_made_is_cancelled(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path)
    disk.fails = errno.EIO
    writer.submit(said(1))
    calls = [writer.call(lambda: None)]
    until(lambda: writer.stats().failing is not None)
    calls.append(writer.call(lambda: None))
    assert not writer.close(AT, 0.01)
    until(lambda: not writer.stats().alive)
    calls.append(writer.call(lambda: None))

    assert [call.cancelled() for call in calls] == [True, True, True]


# Figures --------------------------------------------------------------------------------------------------


def test_a_record_counts_when_it_is_on_the_disk(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path)
    disk.hang()
    asked = disk.asked
    writer.submit(said(1))
    until(lambda: disk.asked > asked)  # it was written, and is not synced yet
    assert (writer.stats().flushed_seq, writer.stats().records) == (1, 1)

    disk.go_on()
    until(lambda: writer.stats().flushed_seq == 2)
    assert outline(tmp_path) == ["| log.opened", "event_1"]
    assert writer.close(AT, 30)
    assert (writer.stats().flushed_seq, writer.stats().records) == (3, 3)


# Left -----------------------------------------------------------------------------------------------------


def test_a_log_that_is_left_is_written_but_not_ended(tmp_path: Path) -> None:
    writer = started(tmp_path, flush_seconds=NEVER)
    writer.submit(said(1))

    writer.leave()
    assert not writer.stats().alive
    assert outline(tmp_path) == ["| log.opened", "event_1"]
    write(tmp_path, [2])
    assert proved(files(tmp_path)).ok


DIES = """
import sys
from pathlib import Path
from tests.audit.helpers import opened, said, writer_of

writer = writer_of(opened(Path(sys.argv[1])), flush_seconds=3600.0)
writer.start()
writer.submit(said(1))
raise KeyError
"""


def test_a_process_that_ends_by_an_exception_writes_what_waits(tmp_path: Path) -> None:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path)], capture_output=True, text=True, check=False, env=environ
    )

    assert done.returncode == 1
    assert outline(tmp_path) == ["| log.opened", "event_1"]


# Maintenance ----------------------------------------------------------------------------------------------


def test_a_segment_is_closed_by_its_age(tmp_path: Path) -> None:
    """Also while no record comes."""
    writer = started(tmp_path, segment_seconds=0.01)
    until(lambda: writer.stats().records >= 5)
    assert writer.close(AT, 30)

    assert outline(tmp_path)[:5] == ["| log.opened", "log.closed", "| log.opened", "log.closed", "| log.opened"]
    assert records(tmp_path)[1]["at"] == records(tmp_path)[2]["at"] == timestamp(AT + 5)
    assert proved(files(tmp_path)).ok


def test_a_segment_that_is_young_is_not_closed(tmp_path: Path) -> None:
    writer = started(tmp_path, checkpoint_seconds=0.001)
    until(lambda: writer.stats().checkpoints >= 3)
    assert writer.close(AT, 30)

    assert len(files(tmp_path)) == 1


def test_a_checkpoint_follows_so_many_records_and_is_reported(tmp_path: Path) -> None:
    observer = Observer()
    writer = started(tmp_path, observer, flush_seconds=NEVER, checkpoint_records=2)
    for number in range(3):
        writer.submit(said(number))
    assert writer.close(AT, 30)

    held = records(tmp_path)
    assert outline(tmp_path) == ["| log.opened", "event_0", "event_1", "log.checkpoint", "event_2", "log.closed"]
    assert held[3]["body"] == {"last_seq": 3, "last_hash": held[2]["hash"]}
    assert observer.reports == [("checkpoint", ChainHead(3, bytes.fromhex(held[2]["hash"]), AT + 5))]
    assert writer.stats().checkpoints == 1


def test_a_checkpoint_follows_some_time_although_no_record_comes(tmp_path: Path) -> None:
    observer = Observer()
    writer = started(tmp_path, observer, checkpoint_seconds=0.001)
    until(lambda: writer.stats().checkpoints >= 2)
    assert writer.close(AT, 30)

    heads = [(record["seq"] - 1, record["body"]) for record in records(tmp_path) if record["fact"] == "log.checkpoint"]
    assert observer.reports == [
        ("checkpoint", ChainHead(seq, bytes.fromhex(body["last_hash"]), AT + 5)) for seq, body in heads
    ]
    assert outline(tmp_path)[:3] == ["| log.opened", "log.checkpoint", "log.checkpoint"]
    assert proved(files(tmp_path)).ok


def test_old_segments_are_deleted_when_the_log_is_opened_and_when_a_segment_is_closed(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path, [number])
    writer = started(tmp_path, retention=RetentionPolicy(size_bytes=1))
    until(lambda: writer.stats().retired_segments == 3)
    writer.rotate(AT, terms())
    until(lambda: writer.stats().retired_segments == 4)
    assert writer.close(AT, 30)

    assert outline(tmp_path) == ["| log.opened", "log.retired", "log.closed"]
    assert proved(files(tmp_path)).ok


class RetiredFiles(NoFiles):
    """Companion files that keep what they are asked to retire, or cannot be deleted."""

    def __init__(self, error: OSError | None = None) -> None:
        self.retired: list[int] = []
        self._error = error

    def retire(self, newest_ns: int) -> None:
        self.retired.append(newest_ns)
        if self._error:
            raise self._error


def test_companion_files_of_deleted_segments_are_retired(tmp_path: Path) -> None:
    """They learn when the last record that could refer to them was written."""
    write(tmp_path, [1])
    written_ns = (tmp_path / FIRST).stat().st_mtime_ns
    companions = RetiredFiles()
    writer = started(tmp_path, files=companions, retention=RetentionPolicy(size_bytes=1))
    until(lambda: writer.stats().retired_segments == 1)
    assert writer.close(AT, 30)

    assert companions.retired == [written_ns]


def test_a_companion_file_that_cannot_be_deleted_is_reported_and_counted(tmp_path: Path) -> None:
    write(tmp_path, [1])
    observer = Observer()
    companions = RetiredFiles(OSError(errno.EPERM, "not permitted", "words/x.jsonl"))
    writer = started(tmp_path, observer, companions, retention=RetentionPolicy(size_bytes=1))
    until(lambda: len(observer.reports) == 2)
    assert writer.close(AT, 30)

    assert observer.reports == [("retired", FIRST), ("undeleted", "x.jsonl", "permission")]
    assert (writer.stats().write_errors["permission"], writer.stats().retired_segments) == (1, 1)


def test_a_segment_that_cannot_be_deleted_is_reported_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = Observer()

    def refuse(path: object) -> None:
        raise OSError(errno.EPERM, "not permitted", str(path))

    write(tmp_path, [1])
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        writer = started(tmp_path, observer, retention=RetentionPolicy(size_bytes=1))
        until(lambda: bool(observer.reports))
    writer.submit(said(2))
    until(lambda: writer.stats().queued_bytes == 0)

    stats = writer.stats()
    assert observer.reports == [("undeleted", FIRST, "permission")]
    assert (stats.write_errors["permission"], stats.failing, stats.retired_segments) == (1, None, 0)
    assert writer.close(AT, 30)
    assert proved(files(tmp_path)).ok


def test_damage_is_reported_and_counted(tmp_path: Path) -> None:
    observer = Observer()
    writer = started(tmp_path, observer)
    (tmp_path / FIRST).unlink()
    writer.submit(said(1))
    until(lambda: bool(observer.reports))
    assert writer.close(AT, 30)

    assert observer.reports == [("damaged", Damaged(FIRST, "deleted", 1))]
    assert writer.stats().damaged_segments == 1
    assert outline(tmp_path) == ["| log.opened", "log.damaged", "event_1", "log.closed"]


# A real disk that is full ---------------------------------------------------------------------------------

FULL = """
import resource, sys
from pathlib import Path
from tests.audit.helpers import AT, Observer, opened, said, until, writer_of

folder = Path(sys.argv[1])
observer = Observer()
writer = writer_of(opened(folder), observer, queue_bytes=8192)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
held = sum(path.stat().st_size for path in folder.glob("audit-*"))
resource.setrlimit(resource.RLIMIT_FSIZE, (held + 50, most))
writer.start()
number = 0
while not writer.stats().full:
    writer.submit(said(number))
    number += 1
until(lambda: writer.stats().write_errors["no_space"] > 2)
stats = writer.stats()
assert [name for name, *_ in observer.reports] == ["full"] and stats.failing == "no_space"
assert stats.queued_bytes >= 8192
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
until(lambda: not writer.stats().full)
writer.submit(said(number))
assert writer.close(AT, 30)
stats = writer.stats()
assert [name for name, *_ in observer.reports] == ["full", "room"] and stats.queued_bytes == 0 and stats.failing is None
print(number + 1)
"""


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A limit on the size of files fails as a full disk does: after some of the bytes."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False, env=environ
    )

    assert (done.returncode, done.stderr) == (0, "")
    count = int(done.stdout)
    assert count * SIZE > 8192
    assert outline(tmp_path) == ["| log.opened", *(f"event_{number}" for number in range(count)), "log.closed"]
    assert proved(files(tmp_path)).ok


# Any ------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text(max_size=30) | st.sampled_from(["fail", "work"]), max_size=40),
    st.integers(1, 2000),
    st.integers(1, 2000),
)
def test_any_records_are_written_once_and_in_order_through_any_failures(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], flush_bytes: int, queue_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    with pytest.MonkeyPatch.context() as monkeypatch:
        disk = Disk(monkeypatch)
        writer = started(folder, flush_bytes=flush_bytes, queue_bytes=queue_bytes, retry_seconds=0.0)
        submitted = []
        for step in steps:
            if step in {"fail", "work"}:
                disk.fails = errno.EIO if step == "fail" else None
            else:
                submitted.append(step)
                writer.submit(entry(AT, "x", step, None, None, b"{}"))
        disk.fails = None
        assert writer.close(AT, 30)

    kept = records(folder)
    assert [record["conversation"] for record in kept if record["fact"] == "x"] == submitted
    assert not writer.stats().full
    assert proved(files(folder)).ok
