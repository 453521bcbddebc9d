"""How far a command is: a bar on a terminal, and nothing anywhere else."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

from tests.audit.helpers import write
from tests.processes import PATIENCE_SECONDS, STENO, steno

RECORDING = Path(__file__).parents[1] / "golden/barge-in/recording.jsonl"


def on_a_terminal(*args: str | Path) -> tuple[int, bytes, str]:
    """Return how a command ended, its output into a pipe, and its standard error on a terminal of 80 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environ = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen([*STENO, *map(str, args)], stdout=subprocess.PIPE, stderr=slave, env=environ) as process:
        os.close(slave)
        shown = b""
        try:
            while data := os.read(master, 65536):
                shown += data
        except OSError:  # the program has ended, and with it the terminal
            pass
        os.close(master)
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, output, shown.decode()


def lines(shown: str) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)) if line]


def test_several_logs_are_counted(tmp_path: Path) -> None:
    """The bar says which log it is at, fits the terminal, and is gone when the result is printed."""
    for name in ("one", "two"):
        write(tmp_path / name, [1])

    code, output, shown = on_a_terminal("verify", tmp_path / "one", tmp_path / "two")

    drawn = lines(shown)
    assert (code, output.count(b"the audit log holds")) == (0, 2)
    assert [name for name in ("log 1 of 2", "log 2 of 2") if any(line.startswith(name) for line in drawn)] == [
        "log 1 of 2",
        "log 2 of 2",
    ]
    assert max(map(len, drawn)) <= 80
    assert shown.endswith("\x1b[2K")
    assert b"\x1b" not in output


def test_a_replay_has_a_bar_on_a_terminal_alone(tmp_path: Path) -> None:
    code, output, shown = on_a_terminal("replay", RECORDING)
    piped = steno("replay", RECORDING)

    size = RECORDING.stat().st_size / 1000
    assert (code, piped.returncode, piped.stderr) == (0, 0, b"")
    assert f"{size:.1f}/{size:.1f} kB" in shown
    assert output == piped.stdout
