"""The operational log of a real daemon: whatever becomes of standard error, the daemon reads, answers and ends.

Standard error is a pipe, a FIFO or a file of the test's own. The daemon is watched by its HTTP face.
"""

import fcntl
import http.client
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from steno.limits import LOG_LIBRARY_LINES
from tests.processes import PATIENCE_SECONDS, STENO, listening_port, steno, wait_for

NOTHING_FITS = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
"""


def configure(folder: Path, more: str = "") -> Path:
    config = folder / "steno.toml"
    audit = f'[audit]\ndirectory = "{folder}/audit"\nflush_seconds = 0.05\n'
    config.write_text(f'[http]\nlisten = "127.0.0.1:0"\n{audit}{more}')
    return config


def get(process: subprocess.Popen[bytes], path: str = "/metrics") -> str | None:
    """Return what the daemon answers; None while it does not."""
    port = listening_port(process.pid)
    if port is None:
        return None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError:
        return None
    finally:
        connection.close()


def value(process: subprocess.Popen[bytes], series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", get(process) or "", re.MULTILINE)
    return float(found[1]) if found else -1.0


@contextmanager
def daemon(config: Path, error: int | None, *, closed: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon with descriptor `error` as its standard error, or with none."""
    shell = ("sh", "-c", 'exec "$@" 2>&-', "sh") if closed else ()
    process = subprocess.Popen([*shell, *STENO, "run", "-c", config], stderr=error, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def without_room(config: Path, error: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon with a limit of its own: no file may grow."""
    statements = f"{NOTHING_FITS}\nfrom steno.__main__ import main; main()"
    process = subprocess.Popen([sys.executable, "-c", statements, "run", "-c", config], stderr=error)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def reload(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Have the configuration read again: two lines in the log, and a segment more."""
    before = len(list((folder / "audit").glob("*.jsonl")))
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(list((folder / "audit").glob("*.jsonl"))) > before)


def ended(process: subprocess.Popen[bytes], folder: Path) -> tuple[int, str]:
    """Stop the daemon; return its exit code and the last fact of its audit log."""
    process.terminate()
    code = process.wait(PATIENCE_SECONDS)
    last = max((folder / "audit").glob("*.jsonl")).read_text().splitlines()[-1]
    return code, json.loads(last)["fact"]


def full_pipe() -> tuple[int, int]:
    """Return a pipe that takes nothing more; its writing end is blocking, as a parent hands it on."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, b"\n" * 4096)
    return reading, writing


def read_all(reading: int) -> list[dict[str, Any]]:
    """Read a pipe whose writers have gone, and return its lines."""
    data = b""
    while more := os.read(reading, 65536):
        data += more
    return [json.loads(line) for line in data.splitlines() if line]


def test_a_reader_that_stopped_stops_nothing(tmp_path: Path) -> None:
    """The daemon starts, answers, reloads, and ends in order within its drain, though the pipe stays full."""
    config = configure(tmp_path, "[limits]\ndrain_seconds = 5\n")
    reading, writing = full_pipe()
    with daemon(config, writing) as process:
        wait_for(lambda: get(process, "/healthz"))
        for _ in range(3):
            reload(process, tmp_path)
        blocking = os.get_blocking(writing)
        held = value(process, "steno_log_lines_dropped_total")
        code, last = ended(process, tmp_path)
    os.close(writing)
    os.close(reading)

    assert (code, last) == (0, "log.closed")
    assert (blocking, held) == (True, 0)


def test_a_reader_that_comes_back_reads_what_waited(tmp_path: Path) -> None:
    """All lines are there, in order, from the first."""
    reading, writing = full_pipe()
    with daemon(configure(tmp_path), writing) as process:
        os.close(writing)
        wait_for(lambda: get(process, "/healthz"))
        reload(process, tmp_path)
        os.read(reading, 4096)
        process.terminate()
        lines = read_all(reading)
        code = process.wait(PATIENCE_SECONDS)
    os.close(reading)

    assert code == 0
    assert [line["event"] for line in lines] == [
        "started",
        "signal",
        "configuration reloaded",
        "signal",
        "stopping",
        "stopped",
    ]


def reader_gone(_: Path) -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def full_disk(_: Path) -> int:
    return os.open("/dev/full", os.O_WRONLY)


def not_for_writing(_: Path) -> int:
    return os.open(os.devnull, os.O_RDONLY)


@pytest.mark.parametrize(
    ("opened", "reason"), [(reader_gone, "gone"), (full_disk, "no_space"), (not_for_writing, "gone")]
)
def test_standard_error_that_cannot_be_written(opened: Callable[[Path], int], reason: str, tmp_path: Path) -> None:
    """The reader is gone, the disk is full, the descriptor is of the wrong kind: it is counted, and that is all."""
    error = opened(tmp_path)
    with daemon(configure(tmp_path), error) as process:
        os.close(error)
        wait_for(lambda: value(process, f'steno_output_errors_total{{kind="log",reason="{reason}"}}') > 0)
        reload(process, tmp_path)
        code, last = ended(process, tmp_path)

    assert (code, last) == (0, "log.closed")


def test_a_log_that_gets_room_again(tmp_path: Path) -> None:
    """No file may grow, as on a full disk. When it may, the log holds every line from the first on."""
    config = tmp_path / "steno.toml"
    config.write_text('[http]\nlisten = "127.0.0.1:0"\n')
    with (tmp_path / "log").open("wb") as file, without_room(config, file.fileno()) as process:
        wait_for(lambda: value(process, 'steno_output_errors_total{kind="log",reason="no_space"}') > 0)
        before = (tmp_path / "log").read_bytes()
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_for((tmp_path / "log").read_bytes)
        process.terminate()
        code = process.wait(PATIENCE_SECONDS)

    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (code, before) == (0, b"")
    assert [(line["level"], line["event"]) for line in lines] == [
        ("info", "started"),
        ("warning", "no audit log is written: neither audit.directory nor $LOGS_DIRECTORY is set"),
        ("info", "signal"),
        ("info", "stopping"),
        ("info", "stopped"),
    ]


def test_a_closed_standard_error_is_nowhere(tmp_path: Path) -> None:
    """No file of the daemon gets its number: the audit log holds records alone, and verifies."""
    with daemon(configure(tmp_path), None, closed=True) as process:
        wait_for(lambda: get(process, "/healthz"))
        reload(process, tmp_path)
        target = Path(f"/proc/{process.pid}/fd/2").readlink()
        code, last = ended(process, tmp_path)

    assert (code, last, target) == (0, "log.closed", Path(os.devnull))
    assert steno("verify", tmp_path / "audit").returncode == 0


def test_a_wrong_configuration_and_nobody_to_read_it(tmp_path: Path) -> None:
    """The exit code says it, and the process does not wait to say more."""
    config = tmp_path / "steno.toml"
    config.write_text("[nothing]\n")
    reading, writing = full_pipe()
    with daemon(config, writing) as process:
        code = process.wait(PATIENCE_SECONDS)
    os.close(writing)
    os.close(reading)

    assert code == 78


LIBRARY = """
import logging, sys
from steno.app.daemon_log import DaemonLog

log = DaemonLog("info", "json")
for number in range(100):
    logging.getLogger("websockets.client").warning("a peer said something")
print(log.numbers()["steno_log_lines_dropped_total"])
"""


def test_a_library_that_a_peer_makes_log() -> None:
    """The log has some of its lines, and the others count."""
    done = subprocess.run([sys.executable, "-c", LIBRARY], capture_output=True, text=True, check=True)

    assert {json.loads(line)["event"] for line in done.stderr.splitlines()} == {"a peer said something"}
    assert (len(done.stderr.splitlines()), done.stdout) == (LOG_LIBRARY_LINES, "{(): 80}\n")


OTHERS = """
import gc, sys, threading, warnings
from steno.app.daemon_log import DaemonLog

log = DaemonLog("info", "json")

class Broken:
    def __del__(self):
        raise ValueError("canary")

def broken():
    raise KeyError("canary")

warnings.warn("something is old")
thread = threading.Thread(target=broken, name="worker")
thread.start()
thread.join()
Broken()
print("plain text", file=sys.stderr)
"""


def test_what_others_would_print_takes_the_way_of_the_log() -> None:
    """A warning, an error of a thread, one that nobody can catch, and a plain print; none of them with its message."""
    done = subprocess.run([sys.executable, "-c", OTHERS], capture_output=True, text=True, check=True)

    *lines, plain = done.stderr.splitlines()
    events = [json.loads(line) for line in lines]
    assert [(line["level"], line["event"].partition(" UserWarning")[0]) for line in events] == [
        ("warning", "<string>:14:"),
        ("error", "internal error: a thread has ended"),
        ("error", "internal error where none can be raised"),
    ]
    assert [line["exception"][0]["exc_type"] for line in events[1:]] == ["KeyError", "ValueError"]
    assert plain == "plain text"
    assert "canary" not in done.stderr
