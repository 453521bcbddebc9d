"""`steno demo`: what a new user sees first."""

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from steno.admin.http import bind
from steno.errors import UnavailableError
from tests.processes import PATIENCE_SECONDS, STENO, program, wait_for

QUICK_LINES = "import steno.app.demo; steno.app.demo.PLAIN_SECONDS = 0.2"
"""A line comes that often where there is no terminal."""


@contextmanager
def taken(*ports: int) -> Iterator[None]:
    """Hold ports as another program would, except those that are held already."""
    held = []
    for port in ports:
        try:
            held.append(bind("127.0.0.1", port))
        except UnavailableError:
            continue
    yield
    for each in held:
        each.close()


@pytest.mark.parametrize("ports", [(), (9464, 8765)])
def test_shows_the_main_job(ports: tuple[int, ...], tmp_path: Path) -> None:
    """It prints where to look, counts, sums up, verifies its audit log and exits 0, whichever ports are free."""
    with taken(*ports):
        done = subprocess.run(
            [*program(QUICK_LINES), "demo", "--for", "5"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS * 2,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert "http://127.0.0.1:" in done.stdout
    assert "audit records" in done.stdout
    assert "what was seen" in done.stdout
    assert "completed" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_reader_that_stopped_holds_nothing_up() -> None:
    """A pager that takes nothing: the demo ends by a signal all the same."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, b"\n" * 4096)
    with subprocess.Popen(
        [*STENO, "demo", "--for", "600"], stdout=writing, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(writing)
        wait_for(lambda: list(Path("/proc", str(process.pid), "task").glob("*"))[1:])
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    os.close(reading)

    assert (process.returncode, errors) == (0, "")


def test_a_reader_that_has_gone_ends_it() -> None:
    """As `steno demo | head -1` has it."""
    with subprocess.Popen(
        [*program(QUICK_LINES), "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert wait_for(process.stdout.readline)
        process.stdout.close()
        code = process.wait(PATIENCE_SECONDS)
        assert process.stderr is not None
        errors = process.stderr.read()

    assert (code, errors) == (0, "")


def test_ends_in_order_on_a_signal() -> None:
    """A signal ends the demo with the table and exit 0."""
    with subprocess.Popen([*STENO, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = wait_for(process.stdout.readline)
        wait_for(lambda: "Ctrl-C" in process.stdout.readline())  # type: ignore[union-attr]  # it is a pipe
        process.terminate()
        rest, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert first.startswith("provider")
    assert (process.returncode, errors) == (0, "")
    assert "what was seen" in rest


def test_a_reload_shows_no_log_on_the_screen() -> None:
    """SIGHUP sets the level of the log anew; the demo shows warnings alone."""
    with subprocess.Popen([*STENO, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert wait_for(process.stdout.readline)
        process.send_signal(signal.SIGHUP)
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, errors) == (0, "")


def test_a_client_is_answered_while_it_runs() -> None:
    """The provider of the demo is one to talk to, at the base URL that is printed."""
    with subprocess.Popen([*STENO, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base = process.stdout.readline().split()[1]
        with connect(f"{base.replace('http', 'ws', 1)}/realtime?model=gpt-realtime") as connection:
            connection.send('{"type":"response.create"}')
            kinds = []
            while "response.done" not in kinds:
                kinds.append(json.loads(connection.recv(timeout=PATIENCE_SECONDS))["type"])
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)

    assert kinds[0] == "session.created"
    assert process.returncode == 0
