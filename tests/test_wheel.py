"""The wheel: what is in it, what it says of itself, and that the tests run on it where they are told to."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import Final

import pytest

import steno
from tests.processes import steno as run

TOP: Final = Path(__file__).parents[1]
WHEEL: Final = os.environ.get("STENO_WHEEL")
"""The wheel that was installed for these tests, if they do not run on the checkout."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Return the wheel that was installed, or one that is built here."""
    if WHEEL:
        return zipfile.ZipFile(WHEEL)
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "flit_core.wheel", "--outdir", folder, TOP], check=True, capture_output=True)
    (built,) = folder.iterdir()
    return zipfile.ZipFile(built)


@pytest.fixture
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_string(wheel.read(name).decode())


def test_the_tests_run_on_what_is_installed() -> None:
    """On the checkout it is src/; on a wheel, the folder of installed packages. Processes run the same."""
    where = Path(sysconfig.get_path("purelib")) if WHEEL else TOP / "src"

    assert Path(steno.__file__) == where / "steno/__init__.py"
    assert run("--version").stdout.decode().split()[-1] == steno.__version__


def test_it_holds_every_file_of_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    files = {path.relative_to(TOP / "src").as_posix() for path in (TOP / "src/steno").rglob("*") if path.is_file()}
    info = f"steno-{steno.__version__}.dist-info"

    held = set(wheel.namelist())

    assert {name for name in held if not name.startswith(info)} == {
        name for name in files if "__pycache__" not in PurePosixPath(name).parts
    }
    assert {"steno/py.typed", "steno/app/demo.toml", "steno/core/billing/prices.json"} <= held


def test_it_is_described_by_the_readme(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).strip() == (TOP / "README.md").read_text(encoding="utf-8").strip()
