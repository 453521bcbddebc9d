# ruff: noqa: INP001  # a module of scripts, in no package
"""What is measured runs in a process of its own; here are its start, its end and the CPU that it took."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tools import revisions

PROGRAMS: Final = revisions.ROOT / "benchmarks/programs"
PEERS: Final = revisions.ROOT / "build/benchmarks"
"""Environments of what steno is measured against; `make bench` installs them."""
DEAF_SECONDS: Final = 60
"""How long a process may take to end once it was told to."""

_PROCESS_CLOCK: Final = 2
"""Which clock of a process Linux is asked for, below the bits that hold its complement: the scheduler's."""


class FailedError(Exception):
    """A process of a benchmark that failed. The message is for the developer."""


def peer(name: str) -> Path | None:
    """Return the Python of an environment in `build/benchmarks`; None where it is not installed."""
    return PEERS / name / "bin/python" if (PEERS / name / ".locked").exists() else None


class Running:
    """A process that was started, and what it said."""

    def __init__(self, command: Sequence[str | Path], folder: Path, *, speaks: bool, **environ: str) -> None:
        """Start it on the code of the working tree. What it prints goes to a file in `folder`.

        Where it `speaks`, its standard output is for `heard`. `environ` are further variables.
        """
        self._printed = folder / f"printed-{os.urandom(4).hex()}"
        with self._printed.open("wb") as printed:
            self._process = subprocess.Popen(  # noqa: S603  # programs of the benchmarks
                command,
                env={**revisions.environment(revisions.ROOT), **environ},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if speaks else printed,
                stderr=printed,
                text=True,
            )
        self.pid: Final = self._process.pid

    def heard(self) -> str:
        """Wait for a line of standard output, and return it. Raises FailedError where the process ended."""
        assert self._process.stdout is not None  # noqa: S101  # it is a pipe
        line = self._process.stdout.readline()
        if not line:
            self.ended()
            raise FailedError(f"a process ended before it said anything: {self._said()}")
        return line.strip()

    def tell(self) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None  # noqa: S101  # it is a pipe
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def cpu(self) -> float:
        """Return the seconds of CPU that it has taken by now, all threads together."""
        return time.clock_gettime((~self.pid << 3) | _PROCESS_CLOCK)

    def terminate(self) -> None:
        """Ask it to end."""
        os.kill(self.pid, signal.SIGTERM)

    def ended(self) -> float:
        """Wait until it ended, and return the seconds of CPU, user and system, that it took from its start.

        Raises FailedError where its exit code is not 0.
        """
        _, status, usage = os.wait4(self.pid, 0)  # not Popen.wait: it does not say what this child used
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode:
            raise FailedError(f"exit code {self._process.returncode}: {self._said()}")
        return usage.ru_utime + usage.ru_stime

    def kill(self) -> None:
        """End it if it runs."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait(DEAF_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def printed(self) -> list[str]:
        """Return the lines that it has printed by now."""
        return self._printed.read_text(errors="replace").splitlines(keepends=True)

    def _said(self) -> str:
        return self._printed.read_text(errors="replace").strip()[-2_000:]


class Daemon(Running):
    """A daemon with an audit log of its own, and what it says in its operational log."""

    def __init__(self, folder: Path, config: Path, *options: str, log: str = "log") -> None:
        """Start it with a configuration; its audit log is in `log` below `folder`."""
        super().__init__(steno("run", "-c", config, *options), folder, speaks=False, LOGS_DIRECTORY=str(folder / log))

    def logged(self, event: str) -> dict[str, Any]:
        """Wait until it has logged `event`, and return that line. Raises FailedError where it ended before."""
        while True:
            lines = (json.loads(line) for line in self.printed() if line.startswith("{") and line.endswith("}\n"))
            found: dict[str, Any] | None = next((line for line in lines if line.get("event") == event), None)
            if found is not None:
                return found
            if self._process.poll() is not None:
                raise FailedError(f"a daemon ended before it said {event!r}: {self._said()}")
            time.sleep(0.02)


@contextmanager
def running(command: Sequence[str | Path], folder: Path, *, speaks: bool = False) -> Iterator[Running]:
    """Start a process, and kill it where it did not end by itself."""
    process = Running(command, folder, speaks=speaks)
    try:
        yield process
    finally:
        process.kill()


def expect(process: Running, line: str) -> None:
    """Wait for a line. Raises FailedError where another one comes."""
    if (heard := process.heard()) != line:
        raise FailedError(f"a process said {heard!r} in place of {line!r}")


def steno(*arguments: str | Path) -> list[str | Path]:
    """Return the command line of a command of steno."""
    return [sys.executable, "-m", "steno", *arguments]


def program(name: str, *arguments: str | Path) -> list[str | Path]:
    """Return the command line of one of `benchmarks/programs`."""
    return [sys.executable, PROGRAMS / f"{name}.py", *arguments]


def whole(command: Sequence[str | Path], folder: Path) -> float:
    """Return the seconds of CPU of a process from its start to its end."""
    with running(command, folder) as process:
        return process.ended()
