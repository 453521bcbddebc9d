"""Records are taken without waiting, written together and in order; a disk that fails only delays them."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.audit.format import entry
from steno.audit.writer import AuditWriter
from tests.audit.plays import AT, files, opened, proved, records, said, told, until

SIZE = len(said(1))
NEVER = 3600.0


def started(
    folder: Path,
    *,
    flush_seconds: float = 0.0,
    flush_bytes: int = 1 << 20,
    queue_bytes: int = 1 << 20,
    on_full: Callable[[], None] = lambda: None,
    on_room: Callable[[], None] = lambda: None,
    retry_seconds: float = 0.001,
) -> AuditWriter:
    """Open a log and let a thread write it."""
    writer = AuditWriter(
        opened(folder),
        flush_seconds=flush_seconds,
        queue_bytes=queue_bytes,
        on_full=on_full,
        on_room=on_room,
        flush_bytes=flush_bytes,
        retry_seconds=retry_seconds,
    )
    writer.start()
    return writer


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
    writer._changed = watched = Watched()
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
    assert told(tmp_path) == ["| log.opened", *(f"event_{each}" for each in range(5)), "log.closed"]
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


# A real disk that is full ---------------------------------------------------------------------------------

FULL = """
import resource, sys
from pathlib import Path
from steno.audit.writer import AuditWriter
from tests.audit.plays import AT, opened, said, until

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
