"""Where the clients are installed: each in an environment of its own, made by the Makefile from a lock with hashes."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final, NoReturn

import pytest

from tests.clients.harness import HERE, ROOT, Client

PROGRAMS: Final = HERE / "programs"
INSTALLED: Final = ROOT / "build" / "clients"
DEMANDED: Final = os.environ.get("STENO_CLIENTS") == "all"
"""Whether all clients must run, as `make test-clients` wants it."""


def python(environment: str, program: str, *arguments: str) -> Client:
    """Return a client that is a Python program in an environment. Skips where that is not installed."""
    interpreter = _installed(environment) / "bin" / "python"
    return Client(" ".join((program.removesuffix(".py"), *arguments)), [interpreter, PROGRAMS / program, *arguments])


def node(program: str) -> Client:
    """Return a client that is a program of Node, over TLS."""
    folder = {"STENO_NODE": str(_installed("node"))}
    return Client(program.removesuffix(".mjs"), [_command("node"), PROGRAMS / program], folder, tls=True)


def chromium() -> Client:
    """Return a client that is a page in a browser."""
    return Client("chromium", [sys.executable, PROGRAMS / "browser.py", _command("chromium")])


def _installed(environment: str) -> Path:
    folder = INSTALLED / environment
    return folder if (folder / ".locked").exists() else _missing(f"{environment} is not in build/clients")


def _command(name: str) -> str:
    return shutil.which(name) or _missing(f"there is no {name} on PATH")


def _missing(what: str) -> NoReturn:
    """Skip the test, or fail it where a target of the Makefile should have installed what is missing."""
    if DEMANDED:
        pytest.fail(what)
    pytest.skip(f"{what}: make test-clients installs it")
