"""The gate of instruction counts: what callgrind prints, what start-up cancels to, and which revision is the base."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import instructions
from tools.revisions import RevisionError

CALLGRIND = """==6822== Callgrind, a call-graph generating cache profiler
==6822== Events    : Ir
==6822== Collected : 1037497587
==6822==
==6822== I   refs:      1,037,497,587
"""


def test_the_total_is_read_from_what_callgrind_prints() -> None:
    """Among what the program itself printed."""
    assert instructions.collected(f"Collected : 7\n{CALLGRIND}") == 1_037_497_587
    with pytest.raises(RevisionError, match="no total: segmentation fault"):
        instructions.collected("segmentation fault\n")


def test_start_up_cancels() -> None:
    """What is left is shared by the events of a kind; base and new start differently."""
    counts = [count for count, _ in instructions.KINDS.values()]
    totals = [1_000, 5_000]
    for count in counts:
        totals += [1_000 + 100 * count, 5_000 + 103 * count]

    found = instructions.each_kind(totals)

    assert [(each.kind, each.base, each.new) for each in found] == [(kind, 100, 103) for kind in instructions.KINDS]
    assert instructions.holds(found)
    assert not instructions.holds(found, 1.02)


def test_the_table_has_a_line_for_each_kind() -> None:
    """Instructions with thousands, and the ratio."""
    assert list(instructions.table([instructions.Counted("transcript delta", 110_898.2, 121_000.0)])) == [
        "instructions an event         base       new   ratio",
        "transcript delta           110,898   121,000   1.091",
    ]


def test_each_recording_is_the_opening_and_one_kind_more(tmp_path: Path) -> None:
    """So that their difference is that kind alone."""
    opening, *kinds = [path.read_bytes() for path in instructions.write(tmp_path)]

    assert all(recording.startswith(opening) for recording in kinds)
    assert opening.endswith(instructions.CLOSED), "what is counted would share its stream with the opening"
    added = [recording[len(opening) :] for recording in kinds]
    assert [
        (more.count(b'transcript.delta"'), more.count(b'audio.delta"'), more.count(b'"response.done"'))
        for more in added
    ] == [
        (instructions.KINDS["transcript delta"][0], 0, 0),
        (0, instructions.KINDS["audio delta of 8 KB"][0], 0),
        (0, 0, instructions.KINDS["response, begin to end"][0]),
    ]


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_base_is_where_the_branch_left_main_or_the_commit_before(tmp_path: Path) -> None:
    """A clone of one commit has none."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message=one")
    assert instructions.default_base(tmp_path) is None

    first = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message=two")
    assert instructions.default_base(tmp_path) == first

    second = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "switch", "--quiet", "--create=branch")
    for message in ("three", "four"):
        git(tmp_path, "commit", "--quiet", "--allow-empty", f"--message={message}")
    assert instructions.default_base(tmp_path) == second
