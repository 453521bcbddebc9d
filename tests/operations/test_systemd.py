"""The daemon under a real systemd: that of the user who runs the tests, and only where STENO_SYSTEMD=1 asks for it.

It needs a session with a user manager (`systemctl --user` answers). Nothing outlives it: the units are transient.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.app.managers import HANGING_LOOP, NO_CORE
from tests.processes import program, steno, wait_for

pytestmark = pytest.mark.skipif(
    os.environ.get("STENO_SYSTEMD") != "1", reason="STENO_SYSTEMD=1 lets the systemd of this user run the daemon"
)

PROPERTIES: Final = (
    "Type=notify",
    "NotifyAccess=main",
    "WatchdogSec=4s",
    "WatchdogSignal=SIGABRT",
    "TimeoutStopSec=10s",
    "TimeoutAbortSec=10s",
    "LimitCORE=0",
)
"""As in the units, with less patience."""


def systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", "--user", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def show(unit: str, name: str) -> str:
    return systemctl("show", "--value", "-p", name, unit)


def fed_after(unit: str, moment: str) -> str:
    """Wait for the next sign of life, and return when it came."""
    wait_for(lambda: show(unit, "WatchdogTimestampMonotonic") != moment)
    return show(unit, "WatchdogTimestampMonotonic")


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[str]:
    """Run a daemon whose loop hangs at SIGHUP; yield its unit once systemd has heard that it is ready."""
    name = f"steno-{os.getpid()}-{tmp_path.name}"
    config = tmp_path / "steno.toml"
    config.write_text(f'[http]\nlisten = "127.0.0.1:0"\n[audit]\ndirectory = "{tmp_path}/audit"\n')
    options = [f"--property={each}" for each in (*PROPERTIES, f"StandardError=file:{tmp_path}/steno.log")]
    command = [*program(f"{NO_CORE}\n{HANGING_LOOP}"), "run", "-c", str(config)]
    subprocess.run(["systemd-run", "--user", f"--unit={name}", *options, *command], check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["systemctl", "--user", "stop", name], check=False, capture_output=True)
        subprocess.run(["systemctl", "--user", "reset-failed", name], check=False, capture_output=True)


def test_systemd_starts_watches_and_stops_the_daemon(unit: str, tmp_path: Path) -> None:
    """It shows the status, and the watchdog is content for longer than its patience."""
    state, status = show(unit, "ActiveState"), show(unit, "StatusText")
    fed = show(unit, "WatchdogTimestampMonotonic")
    for _ in range(5):
        fed = fed_after(unit, fed)
    lives = show(unit, "ActiveState")
    systemctl("stop", unit)

    assert (state, lives) == ("active", "active")
    assert status.startswith("streams: 0, conversations: 0, sources ready: 0 of 0, audit log: ")
    assert steno("verify", tmp_path / "audit").returncode == 0


def test_systemd_finds_a_loop_that_hangs(unit: str, tmp_path: Path) -> None:
    systemctl("kill", "--signal=HUP", unit)
    wait_for(lambda: show(unit, "ActiveState") == "failed")
    printed = (tmp_path / "steno.log").read_text()

    assert show(unit, "Result") == "watchdog"
    assert "Fatal Python error: Aborted" in printed
    assert " in hang\n" in printed
    assert steno("verify", tmp_path / "audit").returncode == 0
