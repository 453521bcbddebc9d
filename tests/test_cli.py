"""The commands as they are typed: what they print, and how they exit."""

from pathlib import Path

import pytest

from steno import __version__
from tests.processes import steno

ROOT = Path(__file__).parent.parent


def test_version() -> None:
    """The version is the package's."""
    assert steno("--version").stdout.decode().strip() == f"steno {__version__}"


@pytest.mark.parametrize("command", ["run", "check", "replay", "verify", "demo", "health"])
def test_help(command: str) -> None:
    """Every command explains itself."""
    done = steno(command, "--help")

    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: python -m steno {command}".encode())


@pytest.mark.parametrize("name", ["steno", "minimal", "demo"])
def test_check_prints_all_of_a_configuration(name: str) -> None:
    """What is shipped is right, and its defaults are shown."""
    done = steno("check", "-c", ROOT / f"config/{name}.toml")

    assert (done.returncode, done.stderr) == (0, b"")
    assert b'listen = "127.0.0.1:9464"' in done.stdout
    assert b"drain_seconds = 10.0" in done.stdout


def test_check_names_every_fault(tmp_path: Path) -> None:
    """One line a fault, with file, key and what is wrong; exit 78."""
    config = tmp_path / "bad.toml"
    config.write_text('[http]\nlisen = "127.0.0.1:1"\n[limits]\nconversations = 0\n')

    done = steno("check", "-c", config)

    lines = done.stderr.decode().splitlines()
    assert done.returncode == 78
    assert lines[0] == f"{config}: http.lisen: unknown key, did you mean `listen`?"
    assert lines[1].startswith(f"{config}: limits.conversations: must be")
    assert len(lines) == 2


def test_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, the places that were looked at are named."""
    monkeypatch.chdir(tmp_path)

    done = steno("check", STENO_CONFIG="")

    assert done.returncode == 78
    assert b"no configuration found" in done.stderr
    assert b"/etc/steno/steno.toml" in done.stderr


def test_unknown_command() -> None:
    """A typing error is a usage error."""
    done = steno("rum")

    assert done.returncode == 64
    assert b"No such command" in done.stderr


def test_verify_of_nothing(tmp_path: Path) -> None:
    """A folder that holds no log is no proof of anything."""
    done = steno("verify", tmp_path)

    assert done.returncode == 65
    assert str(tmp_path).encode() in done.stderr


def test_health_of_nobody() -> None:
    """Nobody answers: not ready."""
    done = steno("health", "http://127.0.0.1:1/readyz")

    assert done.returncode == 1
    assert b"no answer" in done.stderr
