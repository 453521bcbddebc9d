"""The commands of the pages that start daemons, typed as they stand there, on ports that the kernel chooses."""

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.audit.helpers import write
from tests.docs.pages import ROOT
from tests.docs.test_commands import SLOW
from tests.processes import PATIENCE_SECONDS, listening_port, steno, wait_for

STENO = f"exec {shlex.quote(sys.executable)} -m steno"


def typed(command: str, folder: Path) -> list[str]:
    """Return a documented command with this program, and with the log of the test."""
    assert command in SLOW
    return ["sh", "-c", re.sub("^steno", STENO, command.replace("/var/log/steno", f"{folder}/log"))]


@contextmanager
def started(command: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command in `folder` until the end of the block, by the signal that Ctrl-C sends."""
    with subprocess.Popen(
        typed(command, folder), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with configurations of the same names, whose ports are free ones."""
    (tmp_path / "config").mkdir()
    proxy = (ROOT / "config/proxy.toml").read_text().replace("127.0.0.1:9466", "127.0.0.1:0")
    (tmp_path / "config/proxy.toml").write_text(f'[http]\nlisten = "127.0.0.1:0"\n{proxy}')
    return tmp_path


@pytest.mark.parametrize("command", sorted(each for each in SLOW if " run " in each))
def test_the_daemon_runs_and_is_healthy(folder: Path, command: str) -> None:
    with started(command, folder) as process:
        assert process.stderr is not None
        events = (json.loads(line) for line in process.stderr if line.startswith("{"))
        at = next(str(event["http"]) for event in events if event["event"] == "started")
        (folder / "steno.toml").write_text(f'[http]\nlisten = "{at.rpartition("/")[2]}"\n')
        asked = subprocess.run(typed("steno health", folder), cwd=folder, capture_output=True, text=True, check=False)
    assert (asked.returncode, process.returncode) == (0, 0), asked.stdout + asked.stderr
    assert (folder / "recordings").is_dir() == ("--record" in command)


def test_the_page_over_a_log(folder: Path) -> None:
    write(folder / "log", range(3))
    with started("steno serve /var/log/steno", folder) as process:
        port = wait_for(lambda: listening_port(process.pid))
        with urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE_SECONDS) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/html")


def test_the_simulated_provider(folder: Path) -> None:
    """Its port is a fixed one: where another process has it, the command says so."""
    with started("steno simulate", folder) as process:
        ready = wait_for(lambda: listening_port(process.pid) or process.poll())
        taken = process.poll() is not None
    assert (ready == 8765) or taken
    assert process.returncode == (69 if taken else 0)


def test_the_demo(folder: Path) -> None:
    """`make demo` is this command in .venv; the Makefile is held to that."""
    made = subprocess.run(
        ["make", "-sn", "--no-print-directory", "demo", "FOR=3"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert made.stdout.split()[-4:] == [".venv/bin/steno", "demo", "--for", "3"]

    shown = steno("demo", "--for", "3")

    assert (shown.returncode, b"the audit log holds" in shown.stdout) == (0, True)
    assert {"make demo", "steno demo"} <= SLOW
