"""The thread that writes the log, on real pipes, FIFOs and files that fail."""

import errno
import fcntl
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from steno.app import log_writer
from steno.app.log_queue import IMPORTANT, ORDINARY, LogLine
from steno.app.log_writer import LogWriter
from tests.processes import PATIENCE_SECONDS, wait_for


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again soon."""
    monkeypatch.setattr(log_writer, "RETRY_SECONDS", 0.01)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe that takes a page."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    yield reading, writing
    for each in (reading, writing):
        try:
            os.close(each)
        except OSError:
            continue


def line(text: str, importance: int = ORDINARY, *, again: bool = False) -> LogLine:
    return LogLine(f"{text}\n".encode(), "error" if importance else "info", importance, again)


def started(descriptor: int) -> LogWriter:
    def dropped(counts: Mapping[str, int], reason: str | None) -> LogLine:
        return line(f"dropped {dict(counts)} {reason}")

    writer = LogWriter(descriptor, dropped=dropped, failed=lambda error: errno.errorcode[error.errno or 0])
    writer.start()
    return writer


def read_to_the_end(reading: int) -> bytes:
    data = b""
    while more := os.read(reading, 65536):
        data += more
    return data


def test_a_full_pipe_holds_nobody_up_and_loses_the_least_important(pipe: tuple[int, int]) -> None:
    """Whoever logs goes on. The reader comes back to errors, the last head, and a line that counts what is missing."""
    reading, writing = pipe
    writer = started(writing)

    writer.submit(line("head 1", IMPORTANT, again=True))
    for number in range(30_000):
        writer.submit(line(f"ordinary {number:060}"))
        if number % 1_000 == 0:
            writer.submit(line(f"error {number}", IMPORTANT))
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(read_to_the_end(reading)))
    reader.start()
    done = writer.close(PATIENCE_SECONDS)
    os.close(writing)
    reader.join(PATIENCE_SECONDS)

    lines = received[0].decode().splitlines()
    notices = [each for each in lines if each.startswith("dropped")]
    ordinary = [each for each in lines if each.startswith("ordinary")]
    assert done
    assert [each for each in lines if each.startswith("error")] == [f"error {n}" for n in range(0, 30_000, 1_000)]
    assert notices == [f"dropped {{'info': {writer.queue.dropped}}} None"]
    assert len(ordinary) + writer.queue.dropped == 30_000
    assert ordinary[-1].endswith("29999")
    assert lines[0] == "head 1"


def test_a_dropped_head_is_said_again(pipe: tuple[int, int]) -> None:
    """Errors alone have filled the queue. The last head is the first thing that is said when there is room."""
    reading, writing = pipe
    writer = started(writing)

    for number in range(30_000):
        writer.submit(line(f"error {number:060}", IMPORTANT))
        if number in {5_000, 10_000}:
            writer.submit(line(f"head {number}", IMPORTANT, again=True))
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(read_to_the_end(reading)))
    reader.start()
    writer.close(PATIENCE_SECONDS)
    os.close(writing)
    reader.join(PATIENCE_SECONDS)

    lines = received[0].decode().splitlines()
    assert [each for each in lines if each.startswith("head")] == ["head 10000"]
    assert lines[lines.index("head 10000") - 1].startswith("dropped {'error':")


def test_a_pipe_that_stays_full_is_left_in_time(pipe: tuple[int, int]) -> None:
    """The end of the process does not wait for a reader that has stopped."""
    _, writing = pipe
    writer = started(writing)

    for number in range(1_000):
        writer.submit(line(f"{number:060}"))

    assert not writer.close(0.3)
    assert not writer._thread.is_alive()


def test_the_pipe_stays_blocking(pipe: tuple[int, int]) -> None:
    """O_NONBLOCK would be set for everybody who shares the pipe."""
    reading, writing = pipe
    writer = started(writing)

    for number in range(1_000):
        writer.submit(line(f"{number:060}"))

    assert os.get_blocking(writing)
    writer.close(0)
    assert os.get_blocking(writing)
    os.close(reading)
    writer.close(PATIENCE_SECONDS)  # its thread would go on with whoever has the number of this pipe next


def test_a_pipe_that_somebody_made_non_blocking(pipe: tuple[int, int]) -> None:
    """It is full at times, and no line is lost or torn."""
    reading, writing = pipe
    os.set_blocking(writing, False)
    writer = started(writing)

    for number in range(2_000):
        writer.submit(line(f"{number:060}"))
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(read_to_the_end(reading)))
    reader.start()
    assert writer.close(PATIENCE_SECONDS)
    os.close(writing)
    reader.join(PATIENCE_SECONDS)

    assert list(map(int, received[0].split())) == list(range(2_000))


def test_a_reader_that_has_gone_and_another_that_comes(tmp_path: Path) -> None:
    """Lines wait for the next reader of a FIFO. What was cut is there from its beginning, on a line of its own."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writing = os.open(fifo, os.O_WRONLY)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    writer = started(writing)
    long = "x" * 10_000

    writer.submit(line(long))
    assert select.select([reading], [], [], PATIENCE_SECONDS)[0]
    os.close(reading)
    wait_for(lambda: writer.failing == "EPIPE")
    writer.submit(line("next"))
    reading = os.open(fifo, os.O_RDONLY)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(read_to_the_end(reading)))
    reader.start()
    assert writer.close(PATIENCE_SECONDS)
    os.close(writing)
    reader.join(PATIENCE_SECONDS)
    os.close(reading)

    assert received[0].decode().splitlines()[-2:] == [long, "next"]


@pytest.mark.parametrize(("path", "reason"), [("/dev/full", "ENOSPC"), ("/dev/null", "EBADF")])
def test_a_descriptor_that_fails_and_is_mended(path: str, reason: str, tmp_path: Path) -> None:
    """A full disk, and a descriptor that cannot be written: lines wait until it can, and what failed is known."""
    descriptor = os.open(path, os.O_RDONLY if reason == "EBADF" else os.O_WRONLY)
    writer = started(descriptor)

    writer.submit(line("first"))
    wait_for(lambda: writer.failing == reason)
    with (tmp_path / "log").open("wb") as file:
        os.dup2(file.fileno(), descriptor)
    writer.submit(line("second"))
    assert writer.close(PATIENCE_SECONDS)
    os.close(descriptor)

    assert (tmp_path / "log").read_text() == "first\nsecond\n"


def test_a_descriptor_that_keeps_failing_is_left_at_once() -> None:
    """At the end there is one more attempt."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    writer = started(descriptor)

    writer.submit(line("never"))
    wait_for(lambda: writer.failing)

    assert not writer.close(PATIENCE_SECONDS)
    assert not writer._thread.is_alive()
    os.close(descriptor)


CUT = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_FSIZE, (25, resource.RLIM_INFINITY))
from steno.app import log_writer
from steno.app.log_queue import LogLine
log_writer.RETRY_SECONDS = 0.01
file = open(sys.argv[1], "wb", buffering=0)
writer = log_writer.LogWriter(file.fileno())
writer.start()
for text in (b"ten bytes\\n", b"more bytes\\n", b"even more bytes\\n"):
    writer.submit(LogLine(text, "info", 0))
while writer.failing is None:
    time.sleep(0.001)
before = open(sys.argv[1]).read()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(writer.close(30.0), repr(before))
"""


def test_a_line_that_was_cut_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    """A file that may not grow takes half of a line; when it may, the other half follows."""
    log = tmp_path / "log"

    done = subprocess.run([sys.executable, "-c", CUT, log], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "True 'ten bytes\\nmore bytes\\neven'"
    assert log.read_text() == "ten bytes\nmore bytes\neven more bytes\n"
