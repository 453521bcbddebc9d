"""`steno demo`: what a new user sees first."""

import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import pytest
from rich.cells import cell_len
from websockets.sync.client import connect

from steno.admin.http import bind
from steno.app.demo import TOKEN_VARIABLE
from steno.errors import UnavailableError
from tests.processes import PATIENCE_SECONDS, STENO, program, wait_for

QUICK_LINES = "import steno.app.demo; steno.app.demo.PLAIN_SECONDS = 0.2"
"""A line comes that often where there is no terminal."""


NO_LINES = "import steno.app.demo; steno.app.demo.PLAIN_SECONDS = 600"
"""None comes, so that nothing is written to notice who has gone."""
ROOT = Path(__file__).parents[2]


def introduction(output: IO[str]) -> list[str]:
    """Return the lines up to the one that says how it ends."""
    lines = [output.readline()]
    while "Ctrl-C" not in lines[-1]:
        lines.append(output.readline())
        assert lines[-1], lines
    return lines


def typed(command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as it was printed."""
    return subprocess.run(shlex.split(command), capture_output=True, timeout=PATIENCE_SECONDS, check=False)


def fetched(url: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Return the status and the body of a response."""
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.netloc, timeout=PATIENCE_SECONDS)) as connection:
        connection.request("GET", parts.path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()


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
    """As `steno demo | head -1` has it: at once, without waiting for the next line."""
    with subprocess.Popen([*program(NO_LINES), "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert wait_for(process.stdout.readline)
        process.stdout.close()
        code = process.wait(PATIENCE_SECONDS)
        assert process.stderr is not None
        errors = process.stderr.read()

    assert (code, errors) == (0, b"")


def test_what_it_tells_to_try_works() -> None:
    """While it runs: the table, the metrics, whether it is ready. Then: the proof of its log, which it leaves."""
    with subprocess.Popen([*STENO, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = dict(line.split(maxsplit=1) for line in introduction(process.stdout)[1:-1])
        page, _, token = told["page"].partition("#token=")
        during = [typed(told[name]) for name in ("table", "readiness")]
        asked = told["metrics"].strip().removeprefix("curl -s ")
        metrics, page_shown = fetched(asked), fetched(page)
        session = fetched(f"{page}v1/session", {"Authorization": f"Bearer {token.strip()}"})
        process.terminate()
        rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    _, _, tips = rest.partition("What to try next:\n")
    (verify,) = re.findall(r"^  (.* verify \S+) ", tips, re.MULTILINE)
    proved = typed(verify)

    assert [done.returncode for done in (*during, proved)] == [0, 0, 0]
    assert b"6 of 6 sources ready" in during[0].stdout
    assert (metrics[0], page_shown[0], session) == (200, 200, (200, b'{"authorized":true}'))
    assert b"steno_events_total" in metrics[1]
    assert proved.stdout.startswith(b"the audit log holds")
    assert (ROOT / "docs/getting-traffic-in.md").exists()
    assert "docs/getting-traffic-in.md" in tips
    (folder,) = re.findall(r"^  rm -r (\S+)", tips, re.MULTILINE)
    shutil.rmtree(folder)


def test_ends_in_order_on_a_signal() -> None:
    """A signal ends the demo with the table and exit 0."""
    with subprocess.Popen([*STENO, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = introduction(process.stdout)[0]
        process.terminate()
        rest, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert first.startswith("Simulated callers")
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


def test_it_fits_a_terminal_of_80_columns() -> None:
    """What it introduces, its table while it runs, what was seen, and what to try next."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    command = [*STENO, "demo", "--for", "3"]
    environ = {**os.environ, "TERM": "xterm", TOKEN_VARIABLE: "t" * 22}
    with subprocess.Popen(command, stdout=slave, stderr=subprocess.PIPE, env=environ) as process:
        os.close(slave)
        shown = b""
        with suppress(OSError):  # the program has ended, and with it the terminal
            while data := os.read(master, 65536):
                shown += data
        os.close(master)
        assert process.wait(PATIENCE_SECONDS) == 0
        assert process.stderr is not None
        errors = process.stderr.read()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    lines = [line for line in re.split(r"[\r\n]+", text) if sys.executable not in line]

    assert errors == b""
    assert all(heading in text for heading in ("open now", "what was seen", "What to try next"))
    assert [line for line in lines if cell_len(line.rstrip()) > 80] == []


def test_a_client_is_answered_while_it_runs() -> None:
    """The provider of the demo is one to talk to, at the base URL that is printed."""
    with subprocess.Popen([*STENO, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        (base,) = [line.split()[1] for line in introduction(process.stdout) if line.startswith("  provider")]
        with connect(f"{base.replace('http', 'ws', 1)}/realtime?model=gpt-realtime") as connection:
            connection.send('{"type":"response.create"}')
            kinds = []
            while "response.done" not in kinds:
                kinds.append(json.loads(connection.recv(timeout=PATIENCE_SECONDS))["type"])
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)

    assert kinds[0] == "session.created"
    assert process.returncode == 0
