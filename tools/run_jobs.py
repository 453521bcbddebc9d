# ruff: noqa: INP001  # a script, in no package
"""Runs commands of `steno` one after the other in one process, so that start-up is paid once.

    PYTHONPATH=<checkout>/src python tools/run_jobs.py

A job is a line of JSON on standard input, `{"arguments": [...], "folder": "..."}`. It runs as `python -m steno` does,
in the folder, which is made; what it prints and its exit code are left there as `stdout`, `stderr` and `exit`. Then
the CPU seconds that it took are printed. No other name of the project is known here.
"""

import gc
import io
import json
import runpy
import sys
from collections.abc import Iterable, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from time import process_time
from typing import TextIO


def run_jobs(jobs: Iterable[str], answers: TextIO) -> None:
    """Run each job as its line comes, and write its CPU seconds as a line."""
    for line in jobs:
        job = json.loads(line)
        answers.write(f"{run(job['arguments'], Path(job['folder']))}\n")
        answers.flush()


def run(arguments: Sequence[str], folder: Path) -> float:
    """Run `steno` with `arguments` in a new folder; return its CPU seconds, user and system."""
    folder.mkdir(parents=True)
    out, err = _Capture(), _Capture()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err):
        code, seconds = _steno(arguments)
    (folder / "stdout").write_bytes(out.taken())
    (folder / "stderr").write_bytes(err.taken())
    (folder / "exit").write_text(f"{code}\n")
    return seconds


def _steno(arguments: Sequence[str]) -> tuple[str | int, float]:
    """Return the exit code and the CPU seconds."""
    before, sys.argv = sys.argv, ["steno", *arguments]
    code: str | int = 0
    gc.collect()  # what an earlier job left behind is not this one's cost,
    gc.freeze()  # and the code that it loaded need not be looked at again
    began = process_time()
    try:
        runpy.run_module("steno", run_name="__main__")
    except SystemExit as exited:
        code = exited.code or 0
    finally:
        sys.argv = before
    return code, process_time() - began


class _Capture(io.TextIOWrapper):
    """A text stream on memory that has a `buffer`, as the standard streams have."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", newline="", write_through=True)

    def taken(self) -> bytes:
        """Return all that was written."""
        return self._bytes.getvalue()


if __name__ == "__main__":
    run_jobs(sys.stdin, sys.stdout)
