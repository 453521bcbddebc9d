"""The ways to install it that deploy/README.md has for a user: what stands there is run."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Final

import steno

TOP: Final = Path(__file__).parents[2]
UV: Final = TOP / "build/operations/tools/bin/uv"


def test_uv_installs_the_checkout_by_the_lock(tmp_path: Path) -> None:
    page = (TOP / "deploy/README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^uv (tool install .*?) +#", page, re.MULTILINE)
    folders = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    locked = set(
        re.findall(r"^([a-z0-9-]+==\S+)", (TOP / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    )

    subprocess.run([UV, *shlex.split(command)], cwd=TOP, check=True, env=os.environ | folders)
    version = subprocess.run([tmp_path / "bin/steno", "--version"], check=True, stdout=subprocess.PIPE, text=True)
    python = tmp_path / "tools/steno/bin/python"
    frozen = subprocess.run([UV, "pip", "freeze", "--python", python], check=True, stdout=subprocess.PIPE, text=True)

    assert version.stdout == f"steno {steno.__version__}\n"
    installed = {line for line in frozen.stdout.splitlines() if not line.startswith("steno ")}
    assert installed
    assert installed - locked == set()
