"""What the Tab key completes, by the script that is printed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import PATIENCE_SECONDS, steno

COMPLETE = """
eval "$(steno completion bash)"
complete -p steno
for line in "$@"; do
    COMP_WORDS=($line) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    [[ $line == *" " ]] && COMP_CWORD=$((COMP_CWORD + 1)) COMP_WORDS+=("")
    _steno_completion steno
    echo "${COMPREPLY[*]}"
done
"""
SOURCES = """
[[sources]]
name = "front-desk"
kind = "listen"
listen = "127.0.0.1:0"

[[sources]]
name = "support"
kind = "listen"
listen = "127.0.0.1:0"
"""


def test_bash_completes(tmp_path: Path) -> None:
    """Commands, options, formats, orders, sources out of the configuration; for a file it is bash that completes."""
    config = tmp_path / "steno.toml"
    config.write_text(SOURCES)
    lines = {
        "steno ver": "verify",
        "steno export --fo": "--format",
        "steno export --format ": "cloudevents ecs otel",
        "steno top --sort la": "latency",
        f"steno attach -c {config} --source fr": "front-desk",
        "steno attach -c gone.toml --source fr": "",
        "steno completion ": "bash zsh fish",
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE, "bash", *lines],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        timeout=PATIENCE_SECONDS * 2,
        check=False,
    )

    registered, *completed = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert registered.endswith("-F _steno_completion steno")
    assert dict(zip(lines, completed, strict=True)) == lines


@pytest.mark.parametrize(
    ("shell", "sign"), [("zsh", "#compdef steno"), ("fish", "complete --no-files --command steno")]
)
def test_other_shells_have_a_script(shell: str, sign: str) -> None:
    """Their own syntax check passes where they are installed."""
    done = steno("completion", shell)

    assert (done.returncode, done.stderr, sign in done.stdout.decode()) == (0, b"", True)
    if found := shutil.which(shell):
        assert subprocess.run([found, "-n"], input=done.stdout, check=False).returncode == 0


def test_a_shell_that_is_unknown_is_refused() -> None:
    done = steno("completion", "sh")

    assert done.returncode == 64
    assert b"'sh' is not one of 'bash', 'zsh', 'fish'" in done.stderr
