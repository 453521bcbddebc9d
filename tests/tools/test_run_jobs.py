"""Commands of steno in one process: what each leaves behind."""

import json
import subprocess
import sys
from pathlib import Path

from tools import revisions


def test_each_job_has_a_folder_with_all_that_it_wrote(tmp_path: Path) -> None:
    """Its files, what it printed and its exit code; a job that fails is no end."""
    recording = revisions.golden(revisions.ROOT)[0]
    replay = ["replay", str(recording), "--state", "state", "--metrics", "metrics", "--audit", "audit"]
    commands = [["replay", "--nonsense"], replay, ["--version"]]
    jobs = [{"arguments": command, "folder": str(tmp_path / str(n))} for n, command in enumerate(commands)]

    done = subprocess.run(
        [sys.executable, revisions.RUN_JOBS],
        env=revisions.environment(revisions.ROOT),
        input="".join(f"{json.dumps(job)}\n" for job in jobs),
        capture_output=True,
        text=True,
        check=True,
    )

    assert [float(line) > 0 for line in done.stdout.splitlines()] == [True, True, True]
    assert [(tmp_path / str(n) / "exit").read_text() for n in range(3)] == ["64\n", "0\n", "0\n"]
    assert "--nonsense" in (tmp_path / "0/stderr").read_text()
    assert (tmp_path / "1/stdout").read_text().startswith("conversations")
    assert {path.name for path in (tmp_path / "1").iterdir()} == {
        "state",
        "metrics",
        "audit",
        "stdout",
        "stderr",
        "exit",
    }
    assert (tmp_path / "2/stdout").read_text().startswith("steno ")
