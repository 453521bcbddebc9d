# ruff: noqa: INP001  # a module of scripts, in no package
"""Two checkouts of the project, to be run side by side: another revision and the working tree.

Both run on the Python, and with the libraries, of the working tree's `.venv`. Nothing here depends on how `src/` is
laid out.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
"""The working tree that this file belongs to."""
RUN_JOBS: Final = ROOT / "tools/run_jobs.py"
"""Runs jobs of either side."""
LOCK: Final = "requirements.lock"
FOREIGN: Final = ("STENO_", "PYTHON", "LOGS_DIRECTORY", "COLUMNS", "LINES")
"""Environment variables, by how they begin, that would change what a run does or prints."""

_WHERE: Final = "import steno; print(steno.__file__)"
_WRITE: Final = "import sys, pathlib; from tests import recordings; recordings.write_all(pathlib.Path(sys.argv[1]))"


class RevisionError(Exception):
    """A revision that cannot be checked out or run. The message is for the developer."""


# Checkouts ------------------------------------------------------------------------------------------------


@contextmanager
def checkout(revision: str, repository: Path = ROOT) -> Iterator[Path]:
    """Yield a temporary folder that holds `revision` of `repository`; remove it afterwards.

    Raises RevisionError where git does not know the revision.
    """
    commit = commit_of(revision, repository)
    with tempfile.TemporaryDirectory(prefix="steno-base-") as folder:
        base = Path(folder) / "base"
        _git(repository, "worktree", "add", "--detach", "--quiet", str(base), commit)
        try:
            yield base
        finally:
            _git(repository, "worktree", "remove", "--force", str(base))


def commit_of(revision: str, repository: Path = ROOT) -> str:
    """Return the full hash of a revision. Raises RevisionError where git does not know it."""
    return _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()


def left_from(trunk: str, repository: Path = ROOT) -> str:
    """Return the commit at which HEAD left another branch. Raises RevisionError where there is none."""
    return _git(repository, "merge-base", "HEAD", trunk).strip()


def described(base: Path) -> str:
    """Return a commit's short hash, date and subject, for people."""
    return _git(base, "log", "-1", "--format=%h %cs %s").strip()


def _git(repository: Path, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise RevisionError("git is needed, and is not on PATH")
    done = subprocess.run(  # noqa: S603  # git, with the developer's own revision
        [git, "-C", str(repository), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RevisionError(f"git {' '.join(arguments)}: {done.stderr.strip() or 'no such revision'}")
    return done.stdout


def lock_warning(base: Path, tree: Path) -> str | None:
    """Return a line to print where the two sides pin different libraries; None where they pin the same."""
    if _content(base / LOCK) == _content(tree / LOCK):
        return None
    return f"warning: {LOCK} differs between the two revisions; both run with the libraries of this .venv"


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


# Runs -----------------------------------------------------------------------------------------------------


def environment(side: Path, *more: Path) -> dict[str, str]:
    """Return an environment in which `python -m steno` runs the code of a checkout, whatever is installed.

    Args:
        side: the checkout.
        more: further folders to import from.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    path = os.pathsep.join(map(str, (side / "src", *more)))
    return {**kept, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "COLUMNS": "200", "NO_COLOR": "1"}


def require_own_code(side: Path) -> None:
    """Make sure that Python imports `steno` from this checkout. Raises RevisionError where it does not."""
    done = _python(side, "-c", _WHERE)
    where = Path(done.stdout.strip() or ".").resolve()
    if done.returncode or not where.is_relative_to(side.resolve()):
        raise RevisionError(f"{side} cannot be run: {done.stderr.strip() or f'steno is imported from {where}'}")


def _python(side: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # this Python, on the two checkouts
        [sys.executable, *arguments], env=environment(side, side), capture_output=True, text=True, check=False
    )


# Recordings -----------------------------------------------------------------------------------------------


def write_simulated(sides: Sequence[Path], folder: Path) -> Path:
    """Write the project's simulated recordings into `folder`, once for both sides; return the side that did.

    That is the first which can: a revision older than `write_all` in `tests/recordings.py` cannot. Raises
    RevisionError where none can.
    """
    errors = []
    for side in sides:
        done = _python(side, "-c", _WRITE, str(folder))
        if not done.returncode:
            return side
        errors.append(f"{side}: {done.stderr.strip().splitlines()[-1]}")
    raise RevisionError("no revision writes its simulated recordings:\n" + "\n".join(errors))


def golden(tree: Path) -> list[Path]:
    """Return the recordings of the golden tests."""
    return sorted((tree / "tests/golden").glob("*/recording.jsonl"))


def recordings_in(places: Sequence[Path]) -> list[Path]:
    """Return the recordings that `places` name: files as they are, folders with every `*.jsonl` below them.

    Raises RevisionError where a place does not exist, or a folder holds none.
    """
    found: list[Path] = []
    for place in places:
        files = [place] if place.is_file() else sorted(place.rglob("*.jsonl"))
        if not files:
            raise RevisionError(f"{place}: no recording there")
        found += [file.resolve() for file in files]
    return list(dict.fromkeys(found))
