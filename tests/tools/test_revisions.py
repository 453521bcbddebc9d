"""Two checkouts side by side: where the other one comes from, what it runs, and that nothing of it is left."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tools import revisions
from tools.revisions import RevisionError

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git")


def git(repository: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.com", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(repository), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two commits; the working tree differs from both."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for content in ("first", "second"):
        (folder / "file").write_text(content)
        git(folder, "add", "file")
        git(folder, "commit", "--quiet", "--message", content)
    (folder / "file").write_text("not committed")
    return folder


@needs_git
def test_a_revision_is_checked_out_and_removed(repository: Path) -> None:
    """The working tree stays as it is, and git keeps no trace of the other one."""
    with revisions.checkout("HEAD~1", repository) as base:
        assert (base / "file").read_text() == "first"
        assert revisions.described(base).endswith(" first")

    assert not base.exists()
    assert (repository / "file").read_text() == "not committed"
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@needs_git
def test_a_revision_is_removed_when_the_work_on_it_fails(repository: Path) -> None:
    """As after a good end."""
    with pytest.raises(RuntimeError, match="in the middle"), revisions.checkout("HEAD", repository) as base:
        raise RuntimeError("in the middle")

    assert not base.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@needs_git
@pytest.mark.parametrize("revision", ["nowhere", "", "--all"])
def test_an_unknown_revision_is_refused(repository: Path, revision: str) -> None:
    """Whatever it looks like."""
    with pytest.raises(RevisionError, match="no such revision"), revisions.checkout(revision, repository):
        pytest.fail("nothing was to be checked out")


@pytest.mark.parametrize(("base", "tree", "warned"), [("a", "a", False), ("a", "b", True), (None, "a", True)])
def test_libraries_that_differ_are_reported(tmp_path: Path, base: str | None, tree: str, warned: bool) -> None:
    """A lock that only one side has differs too."""
    sides = [tmp_path / "base", tmp_path / "tree"]
    for side, lock in zip(sides, (base, tree), strict=True):
        side.mkdir()
        if lock is not None:
            (side / revisions.LOCK).write_text(lock)

    assert (revisions.lock_warning(*sides) is not None) == warned


def test_a_side_runs_its_own_code_and_no_configuration_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else is in the environment stays."""
    for name in ("STENO_CONFIG", "LOGS_DIRECTORY", "PYTHONSTARTUP", "OTHER"):
        monkeypatch.setenv(name, "/somewhere")

    environment = revisions.environment(Path("/side"), Path("/side"))

    assert environment["PYTHONPATH"] == "/side/src:/side"
    assert environment["OTHER"] == "/somewhere"
    assert not {"STENO_CONFIG", "LOGS_DIRECTORY", "PYTHONSTARTUP"} & set(environment)


def test_a_side_without_code_of_its_own_is_refused(tmp_path: Path) -> None:
    """Where `steno` is installed, an empty checkout would run that."""
    revisions.require_own_code(revisions.ROOT)

    with pytest.raises(RevisionError, match="cannot be run"):
        revisions.require_own_code(tmp_path)


def test_the_first_side_that_can_writes_the_simulated_recordings(tmp_path: Path) -> None:
    """Every kind of conversation and every scenario, in the same bytes each time."""
    empty, folder = tmp_path / "empty", tmp_path / "folder"
    empty.mkdir()
    folder.mkdir()

    assert revisions.write_simulated([empty, revisions.ROOT], folder) == revisions.ROOT

    names = [path.stem for path in revisions.recordings_in([folder])]
    assert {"voice-1", "assistants-5", "scenario-azure", "scenario-many_unknown_types"} <= set(names)
    with pytest.raises(RevisionError, match="no revision writes"):
        revisions.write_simulated([empty], folder)


def test_recordings_are_files_and_all_below_folders(tmp_path: Path) -> None:
    """In order of their names, each once, whatever names it."""
    inner = tmp_path / "folder" / "inner"
    inner.mkdir(parents=True)
    paths = [tmp_path / "folder" / "c.jsonl", inner / "b.jsonl", tmp_path / "single.txt"]
    for path in (*paths, inner / "story.md"):
        path.touch()

    assert revisions.recordings_in([tmp_path / "folder", tmp_path / "single.txt", paths[0]]) == paths
    for place in (tmp_path / "nowhere", tmp_path / "folder" / "story.md" / "x"):
        with pytest.raises(RevisionError, match="no recording there"):
            revisions.recordings_in([place])
