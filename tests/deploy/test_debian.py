"""The Debian package: its scripts surprise nobody, and its configuration fits the unit. tests/operations builds it."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from steno.config import load
from steno.config.sources.connect import Connect
from tools.debian_package import SCRIPTS, UNITS, debian_version, forget_place, moved, set_modes

TOP: Final = Path(__file__).parents[2]
DEBIAN: Final = TOP / "deploy/debian"


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_one_that_the_shell_reads(name: str) -> None:
    subprocess.run(["sh", "-n", DEBIAN / name], check=True)

    assert (DEBIAN / name).read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert "\nset -e\n" in (DEBIAN / name).read_text(encoding="utf-8")


def test_an_installation_starts_and_enables_nothing() -> None:
    """And an upgrade restarts nothing: it only says so."""
    lines = (DEBIAN / "postinst").read_text(encoding="utf-8").splitlines()
    done = [line.strip() for line in lines if not line.startswith("#") and "echo" not in line]

    assert [line for line in done if line.startswith("systemctl")] == ["systemctl daemon-reload"]


def test_a_removal_keeps_what_was_recorded() -> None:
    text = "".join((DEBIAN / name).read_text(encoding="utf-8") for name in SCRIPTS)

    assert re.findall(r"\brm\b", text) == []
    assert "/var/log/steno" in text


def test_the_configuration_reads_the_token_where_the_unit_has_it() -> None:
    unit = (TOP / "deploy/steno.service").read_text(encoding="utf-8")
    ((name, source),) = re.findall(r"^LoadCredential=([^:]+):(.*)$", unit, re.MULTILINE)
    (relay,) = load(DEBIAN / "steno.toml").sources

    assert isinstance(relay, Connect)
    assert relay.headers["Authorization"].file == f"/run/credentials/steno.service/{name}"
    assert source in (DEBIAN / "steno.toml").read_text(encoding="utf-8")


def test_units_run_the_program_where_the_package_has_it() -> None:
    for unit in UNITS:
        commands = re.findall(r"^ExecStart=(\S+)", (TOP / "deploy" / unit).read_text(encoding="utf-8"), re.MULTILINE)
        assert set(commands) <= {"/opt/steno/bin/steno"}


@pytest.mark.parametrize(
    ("version", "expected"), [("1.2.3", "1.2.3"), ("1.0rc1", "1.0~rc1"), ("1.0.dev2", "1.0~dev2"), ("2.0b1", "2.0~b1")]
)
def test_a_version_before_the_release_is_lower_for_debian_too(version: str, expected: str) -> None:
    assert debian_version(version) == expected


@pytest.mark.parametrize(
    ("line", "gone"),
    [
        ("../../../bin/steno,sha256=x,1\n", True),
        ("steno-0.1.0.dist-info/direct_url.json,sha256=x,1\n", True),
        ("steno/errors.py,sha256=x,1\n", False),
    ],
)
def test_what_was_moved_is_not_in_the_record(line: str, gone: bool) -> None:
    assert (moved(line) is not None) is gone


def test_the_place_where_it_was_made_is_forgotten(tmp_path: Path) -> None:
    prefix = tmp_path / "opt/steno"
    info = prefix / "lib/python3.11/site-packages/steno-0.1.0.dist-info"
    info.mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "include").mkdir()
    for name in ("steno", "uvicorn", "activate", "python3"):
        (prefix / "bin" / name).write_text(f"#!{prefix}/bin/python\n")
    (prefix / "pyvenv.cfg").write_text(f"home = /usr/bin\ncommand = python -m venv {prefix}\n")
    (info / "RECORD").write_text("steno/errors.py,sha256=x,1\n../../../bin/steno,sha256=x,1\n")
    (info / "direct_url.json").write_text(f'{{"url": "{tmp_path}"}}')

    forget_place(tmp_path, prefix)

    assert sorted(path.name for path in (prefix / "bin").iterdir()) == ["python3", "steno"]
    assert (prefix / "bin/steno").read_text() == "#!/opt/steno/bin/python\n"
    assert (prefix / "pyvenv.cfg").read_text() == "home = /usr/bin\n"
    assert [path.name for path in info.iterdir()] == ["RECORD"]
    assert (info / "RECORD").read_text() == "steno/errors.py,sha256=x,1\n"
    assert not (prefix / "include").exists()


def test_modes_do_not_follow_the_umask(tmp_path: Path) -> None:
    for name in ("opt/steno/bin/steno", "opt/steno/lib/module.py", "DEBIAN/postinst", "etc/steno/credentials/none"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(0o600)
    (tmp_path / "etc/steno/credentials/none").unlink()

    set_modes(tmp_path)

    found = {path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert {name: mode for name, mode in found.items() if mode != 0o755} == {
        "opt/steno/lib/module.py": 0o644,
        "etc/steno/credentials": 0o700,
    }
