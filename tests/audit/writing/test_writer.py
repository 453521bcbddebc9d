"""Records are taken without waiting, written together and in order; a disk that fails only delays them."""

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

from steno.audit.record import entry
from steno.audit.writing.writer import AuditWriter
from steno.timestamps import timestamp
from tests.audit.helpers import AT, broken, files, opened, proved, records, said, told, until, write

SIZE = len(said(1))
NEVER = 3600.0


SETTINGS: dict[str, Any] = {
    "flush_seconds": 0.0,
    "flush_bytes": 1 << 20,
    "queue_bytes": 1 << 20,
    "retry_seconds": 0.001,
    "now": lambda: AT + 5,
}


def started(folder: Path, **settings: Any) -> AuditWriter:
    """Open a log and let a thread write it."""
    writer = AuditWriter(opened(folder), **{**SETTINGS, **settings})
    writer.start()
    return writer


class Slow:
    """A record that is encoded by the thread, or cannot be."""

    def __init__(self, number: int, *, fails: bool = False, busy: int = 0) -> None:
        self.at: int | None = AT + number
        self.size = SIZE
        self._number = number
        self._fails = fails
        self._busy = busy
        self.by = ""

    def entry(self) -> bytes:
        """Return the record."""
        self.by = threading.current_thread().name
        if self._fails:
            raise RecursionError("words that nobody may see")
        if self._busy:
            self._busy -= 1
            raise OSError(errno.ENOSPC, "full")
        return said(self._number, at=self.at)


class Disk:
    """Stands in for `fdatasync`: works, hangs, or fails, as the play has it."""

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
            raise OSError(self.fails, "as the play has it")
        self._real(descriptor)

    def hang(self) -> None:
        self._permits = threading.Semaphore(0)

    def go_on(self, times: int = 1000) -> None:
        assert self._permits
        self._permits.release(times)


class Watched(threading.Condition):
    """Tells when the thread waits, and for how long it means to."""

    def __init__(self) -> None:
        super().__init__(threading.Lock())
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
    assert told(tmp_path) == ["| log.opened", *(f"event_{number}" for number in range(100)), "log.closed"]
    assert records(tmp_path)[-1]["at"].endswith("123457Z")
    assert (writer.records, writer.queued_bytes, writer.alive) == (102, 0, False)
    assert proved(files(tmp_path)).ok


def test_records_wait_for_company_no_longer_than_their_time(tmp_path: Path) -> None:
    writer = started(tmp_path, flush_seconds=0.01)
    for number in range(3):
        writer.submit(said(number))
        until(lambda: writer.queued_bytes == 0)

    assert told(tmp_path) == ["| log.opened", "event_0", "event_1", "event_2"]
    assert writer.close(AT, 30)


def test_enough_records_do_not_wait(tmp_path: Path, disk: Disk) -> None:
    log = opened(tmp_path)
    writer = AuditWriter(log, flush_seconds=NEVER, queue_bytes=1 << 20, flush_bytes=3 * SIZE)
    writer._queue._changed = watched = Watched()
    writer.start()
    asked = disk.asked
    writer.submit(said(0))
    until(lambda: any(watched.waits))  # the thread waits for company
    writer.submit(said(1))
    writer.submit(said(2))
    until(lambda: writer.queued_bytes == 0)

    assert disk.asked == asked + 1
    assert told(tmp_path) == ["| log.opened", "event_0", "event_1", "event_2"]
    assert writer.close(AT, 30)


def test_the_end_waits_for_nothing(tmp_path: Path) -> None:
    writer = started(tmp_path, flush_seconds=NEVER)
    writer.submit(said(1))
    assert writer.unflushed_seconds(monotonic() + 5) >= 5

    assert writer.close(AT, 30)
    assert told(tmp_path) == ["| log.opened", "event_1", "log.closed"]
    assert writer.unflushed_seconds(monotonic() + 5) == 0


def test_a_log_without_records_is_ended_too(tmp_path: Path) -> None:
    writer = started(tmp_path)
    assert writer.alive

    assert writer.close(None, 30)
    assert told(tmp_path) == ["| log.opened", "log.closed"]


def test_leaving_the_log_is_the_thread_s(tmp_path: Path) -> None:
    """The `with` block that opened the log may end while the thread still writes."""
    with opened(tmp_path) as log:
        writer = AuditWriter(log, flush_seconds=NEVER, queue_bytes=1 << 20)
        writer.start()
        writer.submit(said(1))
    assert not log.released

    assert writer.close(AT, 30)
    assert told(tmp_path) == ["| log.opened", "event_1", "log.closed"]


# Full -----------------------------------------------------------------------------------------------------


def test_a_full_queue_is_told_once_and_room_once(tmp_path: Path, disk: Disk) -> None:
    happened: list[str] = []
    writer = started(
        tmp_path,
        queue_bytes=4 * SIZE,
        on_full=lambda: happened.append("full"),
        on_room=lambda: happened.append("room"),
    )
    disk.hang()
    for number in range(3):
        writer.submit(said(number))
    assert (happened, writer.full) == ([], False)

    for number in range(3, 9):  # one frame's facts may go over
        writer.submit(said(number))
    assert (happened, writer.full, writer.queued_bytes) == (["full"], True, 9 * SIZE)

    disk.go_on()
    until(lambda: not writer.full)
    assert writer.close(AT, 30)
    assert happened == ["full", "room"]
    assert told(tmp_path) == ["| log.opened", *(f"event_{number}" for number in range(9)), "log.closed"]


def test_room_is_told_at_half(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path, queue_bytes=4 * SIZE)
    disk.hang()
    writer.submit(said(0))
    until(lambda: writer.stalled_seconds(monotonic() + 1) >= 1)  # it is being written, alone
    for number in range(1, 4):
        writer.submit(said(number))
    assert writer.full

    disk.go_on(1)
    until(lambda: writer.queued_bytes == 3 * SIZE)
    assert writer.full

    disk.go_on()
    until(lambda: not writer.full)
    assert writer.queued_bytes == 0
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
    until(lambda: writer.write_errors[reason] >= 3)
    assert writer.failing == reason
    assert writer.alive

    disk.fails = None
    until(lambda: writer.queued_bytes == 0 and writer.failing is None)
    assert {each for each, count in writer.write_errors.items() if count} == {reason}
    assert writer.close(AT, 30)
    assert told(tmp_path) == ["| log.opened", "| log.opened", *(f"event_{each}" for each in range(5)), "log.closed"]
    assert proved(files(tmp_path)).ok


def test_a_disk_that_stays_broken_does_not_hold_up_the_end(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path)
    writer.submit(said(1))
    until(lambda: writer.queued_bytes == 0)
    disk.fails = errno.EIO
    writer.submit(said(2))

    assert not writer.close(AT, 0.01)
    until(lambda: not writer.alive)
    disk.fails = None
    opened(tmp_path).close(AT)

    assert told(tmp_path) == ["| log.opened", "event_1", "| log.opened", "log.closed"]
    assert proved(files(tmp_path)).ok


def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path)
    disk.hang()
    writer.submit(said(1))
    until(lambda: writer.stalled_seconds(monotonic() + 7) >= 7)

    assert not writer.close(AT, 0.01)
    assert writer.alive

    disk.go_on()
    until(lambda: not writer.alive)
    assert told(tmp_path) == ["| log.opened", "event_1", "log.closed"]


def test_a_writer_that_waits_or_fails_is_not_stalled(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path)
    assert writer.stalled_seconds(monotonic() + 9) == 0
    disk.fails = errno.ENOSPC
    writer.submit(said(1))
    until(lambda: writer.write_errors["no_space"] > 0)
    until(lambda: writer.stalled_seconds(monotonic() + 9) == 0)
    assert writer.unflushed_seconds(monotonic() + 9) >= 9

    disk.fails = None
    assert writer.close(AT, 30)


def test_a_failed_write_goes_on_in_the_segment_and_a_failed_sync_in_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = started(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", broken)
        writer.submit(said(1))
        until(lambda: writer.write_errors["io"] >= 3)
    until(lambda: writer.queued_bytes == 0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        writer.submit(said(2))
        until(lambda: writer.write_errors["io"] >= 6)
    assert writer.close(AT, 30)

    assert told(tmp_path) == ["| log.opened", "event_1", "| log.opened", "event_2", "log.closed"]
    assert proved(files(tmp_path)).ok


def test_what_must_be_written_before_holds_the_records_back(tmp_path: Path) -> None:
    """The file of the words that a record names, for one: what fails there is counted as a write that failed."""
    fails = [OSError(errno.ENOSPC, "full")] * 3
    seen: list[list[str]] = []

    def before_flush() -> None:
        seen.append(told(tmp_path))
        if fails:
            raise fails.pop()

    writer = started(tmp_path, before_flush=before_flush)
    writer.submit(said(1))
    until(lambda: writer.queued_bytes == 0)

    assert (writer.write_errors["no_space"], writer.failing) == (3, None)
    assert seen == [["| log.opened"]] * 4
    assert writer.close(AT, 30)
    assert told(tmp_path) == ["| log.opened", "event_1", "log.closed"]


# Shed -----------------------------------------------------------------------------------------------------


def test_facts_that_were_shed_are_counted_and_recorded_when_there_is_room(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path, queue_bytes=2 * SIZE, when_full="shed")
    disk.fails = errno.ENOSPC
    for number in range(6):
        writer.submit(said(number, at=AT + number))
    assert (writer.full, writer.shed_records) == (True, 4)

    disk.fails = None
    until(lambda: not writer.full)
    writer.submit(said(6))
    assert writer.close(AT, 30)

    told_of = [record for record in records(tmp_path) if record["fact"] in {"item.added", "log.gap"}]
    assert [record["event_id"] for record in told_of] == ["event_0", "event_1", None, "event_6"]
    assert (told_of[2]["at"], told_of[2]["body"]) == (
        timestamp(AT + 5),
        {"reason": "shed", "facts": 4, "first_at": timestamp(AT + 2), "last_at": timestamp(AT + 5)},
    )
    assert proved(files(tmp_path)).ok


def test_what_was_shed_until_the_end_is_recorded(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path, queue_bytes=1, when_full="shed")
    disk.hang()
    for number in range(3):
        writer.submit(said(number, at=None))
    disk.go_on()
    assert writer.close(AT, 30)

    (gap,) = [record["body"] for record in records(tmp_path) if record["fact"] == "log.gap"]
    assert gap == {"reason": "shed", "facts": 2, "first_at": None, "last_at": None}
    assert writer.shed_records == 2


# Encoded late ---------------------------------------------------------------------------------------------


def test_what_is_still_to_be_encoded_is_encoded_by_the_thread_in_its_place(tmp_path: Path) -> None:
    slow = Slow(2)
    writer = started(tmp_path)
    writer.submit(said(1))
    writer.submit(slow)
    writer.submit(said(3))
    assert writer.close(AT, 30)

    assert (slow.by, writer.queued_bytes) == ("steno-audit", 0)
    assert told(tmp_path) == ["| log.opened", "event_1", "event_2", "event_3", "log.closed"]


def test_what_cannot_be_encoded_leaves_a_gap_that_tells_no_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    writer = started(tmp_path)
    writer.submit(Slow(1, fails=True))
    writer.submit(said(2))
    assert writer.close(AT, 30)

    assert told(tmp_path) == ["| log.opened", "log.gap", "event_2", "log.closed"]
    when = timestamp(AT + 1)
    assert records(tmp_path)[1]["body"] == {"reason": "internal_error", "facts": 1, "first_at": when, "last_at": when}
    assert (writer.internal_errors, capfd.readouterr()) == (1, ("", ""))


def test_what_cannot_be_encoded_now_is_tried_again(tmp_path: Path) -> None:
    """A file that its words go to may be on a disk that is full."""
    slow = Slow(1, busy=2)
    writer = started(tmp_path)
    writer.submit(slow)
    writer.submit(said(2))
    assert writer.close(AT, 30)

    assert told(tmp_path) == ["| log.opened", "event_1", "event_2", "log.closed"]
    assert (writer.write_errors["no_space"], writer.internal_errors, writer.failing) == (2, 0, None)


def test_a_mistake_is_told(tmp_path: Path) -> None:
    """To whoever can tell it without its words."""
    mistakes: list[Exception] = []
    writer = started(tmp_path, on_mistake=mistakes.append)
    writer.submit(Slow(1, fails=True))
    assert writer.close(AT, 30)

    assert len(mistakes) == 1


# Called ---------------------------------------------------------------------------------------------------


def test_a_call_comes_after_what_was_submitted_before_and_before_all_else(tmp_path: Path) -> None:
    writer = started(tmp_path, flush_seconds=NEVER)
    seen: list[list[str]] = []
    writer.submit(said(1))
    future = writer.call(lambda: seen.append(told(tmp_path)))
    writer.submit(said(2))
    assert writer.close(AT, 30)

    assert future.result(30) is None
    assert seen == [["| log.opened", "event_1"]]
    assert told(tmp_path) == ["| log.opened", "event_1", "event_2", "log.closed"]


def test_what_a_call_raises_is_for_whoever_asked(tmp_path: Path) -> None:
    writer = started(tmp_path)
    future = writer.call(broken)
    with pytest.raises(OSError, match="broken"):
        future.result(30)
    writer.submit(said(1))

    assert writer.close(AT, 30)
    assert (told(tmp_path), writer.failing) == (["| log.opened", "event_1", "log.closed"], None)


def test_a_call_that_nobody_waits_for_any_more_is_left_out(tmp_path: Path) -> None:
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
    until(lambda: writer.failing is not None)
    calls.append(writer.call(lambda: None))
    assert not writer.close(AT, 0.01)
    until(lambda: not writer.alive)
    calls.append(writer.call(lambda: None))

    assert [call.cancelled() for call in calls] == [True, True, True]


# Counted --------------------------------------------------------------------------------------------------


def test_a_record_counts_when_it_is_on_the_disk(tmp_path: Path, disk: Disk) -> None:
    writer = started(tmp_path)
    disk.hang()
    asked = disk.asked
    writer.submit(said(1))
    until(lambda: disk.asked > asked)  # it was written, and is not synced yet
    assert (writer.flushed_seq, writer.records) == (1, 1)

    disk.go_on()
    until(lambda: writer.flushed_seq == 2)
    assert told(tmp_path) == ["| log.opened", "event_1"]
    assert writer.close(AT, 30)
    assert (writer.flushed_seq, writer.records) == (3, 3)


def test_always_waits_for_no_company(tmp_path: Path) -> None:
    writer = started(tmp_path, flush_seconds=NEVER, always=True)
    writer.submit(said(1))

    until(lambda: writer.flushed_seq == 2)
    assert writer.close(AT, 30)


# Left -----------------------------------------------------------------------------------------------------


def test_a_log_that_is_left_is_written_but_not_ended(tmp_path: Path) -> None:
    writer = started(tmp_path, flush_seconds=NEVER)
    writer.submit(said(1))

    writer.leave()
    assert not writer.alive
    assert told(tmp_path) == ["| log.opened", "event_1"]
    write(tmp_path, [2])
    assert proved(files(tmp_path)).ok


DIES = """
import sys
from pathlib import Path
from steno.audit.writing.writer import AuditWriter
from tests.audit.helpers import opened, said

writer = AuditWriter(opened(Path(sys.argv[1])), flush_seconds=3600, queue_bytes=1 << 20)
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
    assert told(tmp_path) == ["| log.opened", "event_1"]


# Kept house -----------------------------------------------------------------------------------------------


def test_a_segment_is_turned_by_its_age(tmp_path: Path) -> None:
    """Also while nothing comes."""
    writer = started(tmp_path, segment_seconds=0.01)
    until(lambda: writer.records >= 5)
    assert writer.close(AT, 30)

    assert told(tmp_path)[:5] == ["| log.opened", "log.closed", "| log.opened", "log.closed", "| log.opened"]
    assert records(tmp_path)[1]["at"] == records(tmp_path)[2]["at"] == timestamp(AT + 5)
    assert proved(files(tmp_path)).ok


def test_a_segment_that_is_young_is_not_turned(tmp_path: Path) -> None:
    writer = started(tmp_path, segment_seconds=NEVER, checkpoint_seconds=0.001)
    until(lambda: writer.checkpoints >= 3)
    assert writer.close(AT, 30)

    assert len(files(tmp_path)) == 1


def test_the_head_is_told_after_so_many_records_in_the_log_and_out_of_it(tmp_path: Path) -> None:
    heads: list[tuple[int, str, str | None]] = []
    writer = started(
        tmp_path,
        flush_seconds=NEVER,
        checkpoint_records=2,
        on_checkpoint=lambda *head: heads.append(head),
    )
    for number in range(3):
        writer.submit(said(number))
    assert writer.close(AT, 30)

    held = records(tmp_path)
    assert told(tmp_path) == ["| log.opened", "event_0", "event_1", "log.checkpoint", "event_2", "log.closed"]
    assert held[3]["body"] == {"last_seq": 3, "last_hash": held[2]["hash"]}
    assert heads == [(3, held[2]["hash"], timestamp(AT + 5))]
    assert writer.checkpoints == 1


def test_the_head_is_told_after_some_time_although_nothing_comes(tmp_path: Path) -> None:
    heads: list[int] = []
    writer = started(tmp_path, checkpoint_seconds=0.001, on_checkpoint=lambda *head: heads.append(head[0]))
    until(lambda: writer.checkpoints >= 2)
    assert writer.close(AT, 30)

    assert heads[:2] == [1, 2]
    assert told(tmp_path)[:3] == ["| log.opened", "log.checkpoint", "log.checkpoint"]
    assert proved(files(tmp_path)).ok


def test_old_segments_go_when_the_log_is_opened_and_when_one_is_turned(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path, [number])
    writer = started(tmp_path, retention_bytes=1)
    until(lambda: writer.retired_segments == 3)
    writer.rotate(AT, "c0ffee")
    until(lambda: writer.retired_segments == 4)
    assert writer.close(AT, 30)

    assert told(tmp_path) == ["| log.opened", "log.retired", "log.closed"]
    assert proved(files(tmp_path)).ok


def test_a_segment_that_cannot_be_deleted_is_told_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undeleted: list[tuple[str, str]] = []

    def refuse(path: object) -> None:
        raise OSError(errno.EPERM, "not permitted", str(path))

    write(tmp_path, [1])
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        writer = started(tmp_path, retention_bytes=1, on_undeleted=lambda *told: undeleted.append(told))
        until(lambda: bool(undeleted))
    writer.submit(said(2))
    until(lambda: writer.queued_bytes == 0)

    assert undeleted == [("audit-00000000000000000001.jsonl", "permission")]
    assert (writer.write_errors["permission"], writer.failing, writer.retired_segments) == (1, None, 0)
    assert writer.close(AT, 30)
    assert proved(files(tmp_path)).ok


def test_damage_is_told_and_counted(tmp_path: Path) -> None:
    damages: list[tuple[str, str]] = []
    writer = started(tmp_path, on_damage=lambda *told: damages.append(told))
    (tmp_path / "audit-00000000000000000001.jsonl").unlink()
    writer.submit(said(1))
    until(lambda: bool(damages))
    assert writer.close(AT, 30)

    assert damages == [("audit-00000000000000000001.jsonl", "deleted")]
    assert writer.damaged_segments == 1
    assert told(tmp_path) == ["| log.opened", "log.damaged", "event_1", "log.closed"]


# A real disk that is full ---------------------------------------------------------------------------------

FULL = """
import resource, sys
from pathlib import Path
from steno.audit.writing.writer import AuditWriter
from tests.audit.helpers import AT, opened, said, until

folder = Path(sys.argv[1])
happened = []
writer = AuditWriter(
    opened(folder), flush_seconds=0.0, queue_bytes=8192, retry_seconds=0.001,
    on_full=lambda: happened.append("full"), on_room=lambda: happened.append("room"),
)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
held = sum(path.stat().st_size for path in folder.glob("audit-*"))
resource.setrlimit(resource.RLIMIT_FSIZE, (held + 50, most))
writer.start()
number = 0
while not writer.full:
    writer.submit(said(number))
    number += 1
until(lambda: writer.write_errors["no_space"] > 2)
assert happened == ["full"] and writer.failing == "no_space" and writer.queued_bytes >= 8192
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
until(lambda: not writer.full)
writer.submit(said(number))
assert writer.close(AT, 30)
assert happened == ["full", "room"] and writer.queued_bytes == 0 and writer.failing is None
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
    assert told(tmp_path) == ["| log.opened", *(f"event_{number}" for number in range(count)), "log.closed"]
    assert proved(files(tmp_path)).ok


# Any ------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text(max_size=30) | st.sampled_from(["fail", "work"]), max_size=40),
    st.integers(1, 2000),
    st.integers(1, 2000),
)
def test_any_records_through_any_failures_arrive_once_and_in_order(
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
    assert not writer.full
    assert proved(files(folder)).ok
