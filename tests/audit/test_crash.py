"""A writer dies, or its disk fails, at each call to the kernel in turn: nothing that counts is lost."""

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from steno.audit.record import segment_name
from steno.audit.writing.log import AuditLog
from steno.audit.writing.retention import Retention, RetentionPolicy
from tests.audit.helpers import AT, files, opened, proved, records, said, write

CALLS = ("open", "fchmod", "write", "fdatasync", "fsync", "ftruncate", "unlink", "fstat")
TORN = b'{"seq":4,"at":null,"fact":"item.ad'


class PowerCut(BaseException):
    """Nothing of the program runs after this."""


class Kernel:
    """Passes calls on, but does something else at one of them. Knows what is on the disk for certain."""

    def __init__(self, patched: pytest.MonkeyPatch, folder: Path, at: int | None, fault: Callable[..., Any]) -> None:
        self.calls = 0
        self.synced: dict[int, int] = {}
        """How much of each file is on the disk, by its number."""
        self._at = at
        self._fault = fault
        self._real = {name: getattr(os, name) for name in CALLS}
        for path in folder.glob("audit-*"):
            self.synced[path.stat().st_ino] = path.stat().st_size
        for name in CALLS:
            patched.setattr(os, name, partial(self._call, name))

    def _call(self, name: str, *args: Any) -> Any:
        number, self.calls = self.calls, self.calls + 1
        real = self._real[name]
        if self._at is not None and number >= self._at:
            self._fault(number - self._at, name, real, *args)
        result = real(*args)
        if name in {"fdatasync", "fsync", "ftruncate"}:
            status = self._real["fstat"](args[0])
            self.synced[status.st_ino] = status.st_size
        return result


class Run:
    """What is done to a log, and what counted as being on the disk."""

    def __init__(self, folder: Path, retry: Callable[[Callable[[], Any]], Any]) -> None:
        self._folder = folder
        self._retry = retry
        self._log: AuditLog | None = None
        self._next = 2
        self.counted: list[int] = []

    def run(self) -> None:
        """Start twice on a log that was left torn; add records, close segments, add checkpoints, delete old ones."""
        for retires in (True, False):
            log = self._log = self._retry(lambda: opened(self._folder, segment_bytes=900))
            self._add(log, 4)
            log.rotate(AT)
            log.add_checkpoint(AT)
            self._add(log, 1)
            if retires:
                self._retire(log)
            self._add(log, 1)
            self._retry(partial(log.close, AT))

    def _retire(self, log: AuditLog) -> None:
        retention = Retention(log, RetentionPolicy(size_bytes=1))
        self._retry(lambda: retention.announce(AT))
        self._retry(log.flush)
        self._retry(lambda: retention.delete(lambda _: None))

    def _add(self, log: AuditLog, count: int) -> None:
        numbers = list(range(self._next, self._next + count))
        self._next += count
        for number in numbers:
            log.append(said(number))
        self._retry(log.flush)
        self.counted += numbers

    def end(self) -> None:
        """Release what the kernel would have released."""
        if self._log:
            self._log.release()


def left_torn(folder: Path) -> None:
    """Make a log with the events 0 and 1, and half a record that is not among them."""
    write(folder, [0, 1])
    path = folder / segment_name(1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + TORN)


def once(act: Callable[[], Any]) -> Any:
    return act()


def until_it_succeeds(act: Callable[[], Any]) -> Any:
    for _ in range(10):
        try:
            return act()
        except OSError as error:
            if error.strerror != "as the test says":
                raise
    raise AssertionError("still failing")


def nothing(*_: object) -> None:
    return None


def cut_before(passed: int, name: str, real: Callable[..., Any], *args: Any) -> None:
    raise PowerCut


def cut_half_way(passed: int, name: str, real: Callable[..., Any], *args: Any) -> None:
    if not passed and name == "write":
        real(args[0], args[1][: len(args[1]) // 2])
    raise PowerCut


def cut_after(passed: int, name: str, real: Callable[..., Any], *args: Any) -> None:
    if not passed:
        real(*args)
    raise PowerCut


def failing(times: int, number: int) -> Callable[..., None]:
    def fail(passed: int, name: str, real: Callable[..., Any], *args: Any) -> None:
        if passed >= times:
            return
        if name == "write":
            real(args[0], args[1][: len(args[1]) // 2])
        raise OSError(number, "as the test says", segment_name(1))

    return fail


def calls_of_a_run(folder: Path) -> int:
    left_torn(folder)
    with pytest.MonkeyPatch.context() as patched:
        kernel = Kernel(patched, folder, None, nothing)
        Run(folder, once).run()
    assert kernel.calls > 60
    return kernel.calls


def events(folder: Path) -> list[int]:
    return [int(record["event_id"][6:]) for record in records(folder) if record["event_id"]]


def recovered_bytes(folder: Path) -> int:
    return sum(record["body"].get("recovered_bytes", 0) for record in records(folder))


def lose(folder: Path, synced: dict[int, int], share: float) -> None:
    """Take away a share of what was written and not synced."""
    for path in folder.glob("audit-*"):
        status = path.stat()
        kept = min(synced.get(status.st_ino, 0), status.st_size)
        os.truncate(path, status.st_size - int((status.st_size - kept) * share))


@pytest.mark.parametrize("lost", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("cut", [cut_before, cut_half_way, cut_after])
def test_a_log_goes_on_after_a_death_at_any_call(tmp_path: Path, cut: Callable[..., None], lost: float) -> None:
    """All that counted is there once, in order, without a hole, or was retired; and the torn bytes were recorded."""
    for number in range(calls_of_a_run(tmp_path / "whole")):
        folder = tmp_path / str(number)
        left_torn(folder)
        with pytest.MonkeyPatch.context() as patched:
            kernel = Kernel(patched, folder, number, cut)
            run = Run(folder, once)
            with pytest.raises(PowerCut):
                run.run()
            run.end()
        lose(folder, kernel.synced, lost)

        write(folder, [99])

        held, retired = events(folder), proved(files(folder)).retired
        assert proved(files(folder)).ok, number
        assert held[-1] == 99
        assert held[:-1] == list(range(held[0], held[-2] + 1)) if held[1:] else True
        assert held[0] == 0 or retired
        assert not run.counted or max(run.counted) <= max(held[:-1], default=max(run.counted))
        assert recovered_bytes(folder) >= len(TORN) or retired


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_log_goes_on_after_a_failure_of_any_call(tmp_path: Path, times: int, number: int) -> None:
    """All that was added is there once, in order, or was retired; and the log ends in order."""
    calls = calls_of_a_run(tmp_path / "whole")
    expected = events(tmp_path / "whole")
    for at in range(calls):
        folder = tmp_path / str(at)
        left_torn(folder)
        with pytest.MonkeyPatch.context() as patched:
            Kernel(patched, folder, at, failing(times, number))
            Run(folder, until_it_succeeds).run()

        assert (events(folder), proved(files(folder)).ok) == (expected, True), at
        assert records(folder)[-1]["fact"] == "log.closed"
