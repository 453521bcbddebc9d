"""Signals from the first line of the program to its last: a real process, watched through /proc."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.processes import PATIENCE_SECONDS, STENO, listening_port, running, wait_for

SLOW: Final = {
    "asyncio",
    "anyio",
    "click",
    "msgspec",
    "structlog",
    "uvicorn",
    "websockets",
    "pathlib",
    "typing",
}


class Starting:
    """A daemon that starts, and how far it has come."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = folder / "steno.toml"
        config.write_text(f'[http]\nlisten = "127.0.0.1:0"\n[audit]\ndirectory = "{folder}/audit"\n')
        self.log = folder / "log"
        with self.log.open("wb") as file:
            self.process = subprocess.Popen([*STENO, "run", "-c", config], stderr=file)

    def status(self, name: str, task: str = "") -> int:
        """Return a set of signals of the process or one of its threads."""
        proc = Path(f"/proc/{self.process.pid}", *(("task", task) if task else ()), "status")
        return next(int(line.split()[1], 16) for line in proc.read_text().splitlines() if line.startswith(f"{name}:"))

    def catches(self) -> bool:
        return all(
            self.status("SigCgt") >> (number - 1) & 1 for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
        )

    def maps(self, library: str) -> bool:
        return library in Path(f"/proc/{self.process.pid}/maps").read_text()

    def threads(self) -> list[str]:
        return [each.name for each in Path(f"/proc/{self.process.pid}/task").iterdir()]

    def listens(self) -> bool:
        return listening_port(self.process.pid) is not None

    def answers(self) -> bool:
        port = listening_port(self.process.pid)
        if port is None:
            return False
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def events(self) -> list[str]:
        return [str(line["event"]) for line in self.lines()]

    def last_fact(self) -> str:
        segment = max((self.folder / "audit").glob("*.jsonl"))
        return str(json.loads(segment.read_text().splitlines()[-1])["fact"])


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Starting]:
    started = Starting(tmp_path)
    wait_for(started.catches)
    yield started
    if started.process.poll() is None:
        started.process.kill()
    started.process.wait()


POINTS: Final[dict[str, Callable[[Starting], bool]]] = {
    "the handler stands": Starting.catches,
    "msgspec is loaded": lambda daemon: daemon.maps("msgspec"),
    "asyncio is loaded": lambda daemon: daemon.maps("_asyncio"),
    "the log is written": lambda daemon: len(daemon.threads()) > 1,
    "TLS is loaded": lambda daemon: daemon.maps("_ssl"),
    "the port is bound": Starting.listens,
    "the audit log is open": lambda daemon: any((daemon.folder / "audit").glob("*.jsonl")),
    "it has started": lambda daemon: "started" in daemon.events(),
}


@pytest.mark.parametrize("point", POINTS)
def test_sigterm_while_it_starts_ends_it_in_order(point: str, starting: Starting) -> None:
    """Wherever the start has come to: exit 0, and an audit log that is closed."""
    wait_for(lambda: POINTS[point](starting))

    starting.process.terminate()
    code = starting.process.wait(PATIENCE_SECONDS)

    assert (code, starting.last_fact()) == (0, "log.closed")
    assert starting.events() == ["started", "signal", "stopping", "stopped"]


def test_sigint_while_it_starts_ends_it_in_order(starting: Starting) -> None:
    """As SIGTERM does, and not by KeyboardInterrupt."""
    starting.process.send_signal(signal.SIGINT)

    assert starting.process.wait(PATIENCE_SECONDS) == 0
    assert starting.lines()[1]["signal"] == "SIGINT"


def test_sighup_at_every_moment_of_the_start(starting: Starting) -> None:
    """However many come: what came before the start is one signal and one reload, and the daemon answers."""
    while not starting.listens():
        starting.process.send_signal(signal.SIGHUP)
    wait_for(starting.answers)
    wait_for(lambda: "configuration reloaded" in starting.events())
    starting.process.terminate()
    code = starting.process.wait(PATIENCE_SECONDS)

    events = starting.events()
    assert (code, starting.last_fact()) == (0, "log.closed")
    assert events[:2] == ["started", "signal"]
    assert 1 <= events.count("configuration reloaded") <= events.count("signal") - 1  # the last one is SIGTERM


def test_the_second_signal_ends_a_start(starting: Starting) -> None:
    """Whoever signals twice does not want to wait, for a start neither."""
    starting.process.send_signal(signal.SIGTERM)
    starting.process.send_signal(signal.SIGINT)
    code = starting.process.wait(PATIENCE_SECONDS)

    assert code in {-signal.SIGINT, -signal.SIGTERM}  # whichever of the two the interpreter saw last


def test_no_thread_blocks_a_signal(starting: Starting) -> None:
    """A handler holds them, and no mask, which threads and child processes would inherit."""
    wait_for(starting.answers)

    threads = starting.threads()
    assert len(threads) > 2
    assert {starting.status("SigBlk", thread) for thread in threads} == {0}


def test_a_demo_that_starts_ends_in_order(tmp_path: Path) -> None:
    """The handler is set for it too."""
    with subprocess.Popen([*STENO, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        status = Path(f"/proc/{process.pid}/status")
        bit = 1 << (signal.SIGTERM - 1)
        wait_for(lambda: int(status.read_text().partition("SigCgt:")[2].split()[0], 16) & bit)
        process.terminate()
        shown, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, errors) == (0, "")
    assert "the audit log holds" in shown


def test_nothing_slow_is_imported_before_the_handler_stands() -> None:
    """The time before the first line of the program is the interpreter's own."""
    statements = "import sys; before = set(sys.modules); import steno.__main__; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", statements], capture_output=True, text=True, check=True)

    assert SLOW.isdisjoint(done.stdout.split())
    assert "steno.app.signals" in done.stdout.split()


@contextmanager
def draining(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Yield a daemon that drains: nobody reads its state so far."""
    fifo = folder / "state"
    subprocess.run(["mkfifo", fifo], check=True)
    config = folder / "steno.toml"
    config.write_text(
        f'[http]\nlisten = "127.0.0.1:0"\n[audit]\ndirectory = "{folder}/audit"\n[limits]\ndrain_seconds = 60\n'
    )
    with running(config, "--state", fifo) as daemon:
        assert daemon.port
        daemon.process.terminate()
        wait_for(lambda: any(line["event"] == "stopping" for line in daemon.lines()))
        yield daemon.process, fifo


def test_sighup_while_it_drains_changes_nothing(tmp_path: Path) -> None:
    """A service manager that reloads a unit that stops does not cut its log short."""
    with draining(tmp_path) as (process, fifo):
        process.send_signal(signal.SIGHUP)
        fifo.read_bytes()
        code = process.wait(PATIENCE_SECONDS)

    assert code == 0


def test_the_second_signal_ends_a_drain(tmp_path: Path) -> None:
    """At once, by the signal."""
    with draining(tmp_path) as (process, _):
        process.terminate()
        code = process.wait(PATIENCE_SECONDS)

    assert code == -signal.SIGTERM
