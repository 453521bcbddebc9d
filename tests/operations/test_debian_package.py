"""The Debian package, built for real: it runs, it is the same twice, and it names no place where it was made."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import steno
from tools.debian_package import main

TOP: Final = Path(__file__).parents[2]
SYSTEM: Final = Path("/usr/bin/python3")

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None or not SYSTEM.exists(), reason="this is no Debian")


def built(folder: Path) -> Path:
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "flit_core.wheel", "--outdir", folder, TOP], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return main(wheel, folder, SYSTEM, "Op <op@steno.example>")


def ran(*command: str | Path) -> str:
    """Return what a program printed that knows nothing of this environment."""
    clean = {"PATH": os.defpath}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=clean).stdout


@pytest.mark.timeout(1800)
def test_the_package_runs_and_is_the_same_twice(tmp_path: Path) -> None:
    """One test, since to build it takes a minute. It is unpacked into a folder, and never installed here."""
    package, again = built(tmp_path / "one"), built(tmp_path / "two")
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
    python = root / "opt/steno/bin/python"
    # Before anything runs: byte code that a run writes has the folder in it.
    traces = subprocess.run(
        ["grep", "-rlF", "-e", tmp_path, "-e", "/steno-deb-", root], check=False, capture_output=True, text=True
    )

    version, demo = (ran(python, "-m", "steno", *args) for args in (("--version",), ("demo", "--for", "1")))
    fields = ran("dpkg-deb", "--showformat=${Package} ${Version}", "--show", package)

    assert version == f"steno {steno.__version__}\n"
    assert "the audit log holds" in demo
    assert fields == f"steno {steno.__version__}"
    assert traces.stdout == ""
    assert (root / "opt/steno/bin/steno").read_text().startswith("#!/opt/steno/bin/python\n")
    assert len(list(root.glob("opt/steno/lib/python3*/site-packages/steno-*.dist-info/sboms/steno.cdx.json"))) == 1
    assert (root / "usr/bin/steno").readlink() == Path("/opt/steno/bin/steno")
    if shutil.which("lintian"):
        linted = subprocess.run(["lintian", package], check=False, capture_output=True, text=True)
        assert linted.stdout == ""
    digests = [hashlib.sha256(each.read_bytes()).hexdigest() for each in (package, again)]
    assert digests[0] == digests[1]
