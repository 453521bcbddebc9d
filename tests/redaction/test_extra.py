"""The packages of `steno[redaction]` are needed where a policy redacts, and nowhere else."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import PATIENCE_SECONDS
from tests.recordings import recording

PACKAGES = ("phonenumbers", "re2", "stdnum")
REFUSAL = '"redacted" needs packages that are not installed: pip install "steno[redaction]"'
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({packages}))  # None: an import fails as where the package is not installed
from steno.cli import main
main()
"""


@pytest.fixture
def redacting(tmp_path: Path) -> Path:
    """Return a configuration that redacts. The audit log and a recording are beside it."""
    config = tmp_path / "steno.toml"
    config.write_text(
        f'[http]\nlisten = "127.0.0.1:0"\n[audit]\ndirectory = "{tmp_path}/audit"\ncontent = {{ text = "redacted" }}\n'
    )
    (tmp_path / "call.jsonl").write_bytes(recording("voice"))
    return config


def steno_without(packages: tuple[str, ...], *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command where `packages` cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT.format(packages=packages), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 2,
        check=False,
    )


@pytest.mark.parametrize("packages", [PACKAGES, *((package,) for package in PACKAGES)], ids=" ".join)
@pytest.mark.parametrize("args", [["check"], ["run"], ["replay", "call.jsonl", "--audit", "audit"]], ids=" ".join)
def test_a_policy_that_redacts_is_refused_without_its_packages(
    redacting: Path, args: list[str], packages: tuple[str, ...]
) -> None:
    """Exit 78 and one line that says what to install; no log is begun under a policy that cannot be kept."""
    folder = redacting.parent
    command, *rest = [folder / arg if arg in ("call.jsonl", "audit") else arg for arg in args]

    done = steno_without(packages, command, "-c", redacting, *rest)

    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == f"{redacting}: audit.content: {REFUSAL}\n"
    assert not (folder / "audit").exists()


def test_a_policy_that_does_not_redact_needs_no_packages(redacting: Path) -> None:
    redacting.write_text(redacting.read_text().replace("redacted", "full"))

    checked = steno_without(PACKAGES, "check", "-c", redacting)
    audit = redacting.parent / "audit"
    replayed = steno_without(PACKAGES, "replay", redacting.parent / "call.jsonl", "-c", redacting, "--audit", audit)

    assert (checked.returncode, "redact" in checked.stderr) == (0, False)
    assert (replayed.returncode, replayed.stderr) == (0, "")
    assert [file.name for file in audit.glob("*.jsonl")] != []


def test_a_command_that_does_not_redact_needs_no_packages(redacting: Path) -> None:
    """The policy of the configuration is not used by a replay without an audit log, nor by an erasure."""
    replayed = steno_without(PACKAGES, "replay", redacting.parent / "call.jsonl", "-c", redacting)
    (redacting.parent / "audit").mkdir()
    erased = steno_without(PACKAGES, "erase", "-c", redacting, "--conversation", "relay/call-1")

    assert (replayed.returncode, replayed.stderr) == (0, "")
    assert (erased.returncode, erased.stderr) == (1, "")
