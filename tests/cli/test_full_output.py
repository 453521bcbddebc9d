"""Standard output on a full disk: a sentence and an exit code, and no mistake of ours."""

from pathlib import Path

import pytest

from tests.processes import steno

FULL = "import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"


@pytest.mark.parametrize("arguments", [["--help"], ["completion", "bash"], ["check", "-c", "steno.toml"]])
def test_what_is_printed_onto_a_full_disk(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "steno.toml").write_text("")

    done = steno(*arguments, limit=FULL)

    assert done.returncode == 69
    assert done.stderr.splitlines()[-1] == b"steno: cannot write standard output: No space left on device"
