"""`steno simulate`, as a process."""

import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steno.admin.http import bind
from tests.processes import PATIENCE_SECONDS, STENO


@contextmanager
def running(*options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run the command on a free port. Yields the process and what it printed, by the first word of a line."""
    command = [*STENO, "simulate", "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        try:
            assert process.stdout is not None
            lines: list[list[str]] = []
            while not lines or lines[-1][0] != "Ctrl-C":
                lines.append((process.stdout.readline() or "Ctrl-C ").split(maxsplit=1))
            yield process, {line[0]: line[-1].strip() for line in lines}
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, errors


def status(url: str, key: str = "sk-any") -> int:
    asked = urllib.request.Request(url, b"{}", {"Authorization": f"Bearer {key}"}, method="POST")  # noqa: S310  # an http URL
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_SECONDS) as response:  # noqa: S310  # an http URL
            found: int = response.status
            return found
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_serves_until_a_signal(number: signal.Signals) -> None:
    with running() as (process, shown):
        base = shown["provider"].split()[0]

        assert base.startswith("http://127.0.0.1:")
        assert shown["sessions"].startswith("ws://127.0.0.1:")
        assert shown["key"] == "any, or none"
        assert status(f"{base}/threads") == 200
        assert ended(process, number) == (0, "")


def test_tls_says_which_authority_to_trust() -> None:
    with running("--tls") as (process, shown):
        authority = Path(shown["authority"].split()[0])

        assert shown["provider"].startswith("https://")
        assert authority.read_text().startswith("-----BEGIN CERTIFICATE-----")
        assert ended(process, signal.SIGTERM) == (0, "")
        assert not authority.parent.exists()


@pytest.mark.parametrize("by_file", [True, False])
def test_a_key_may_be_in_a_file_or_in_a_variable(by_file: bool, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-right\n")
    options = ("--key", str(tmp_path / "key")) if by_file else ()
    environment = {} if by_file else {"STENO_SIMULATE_KEY": "sk-right"}
    with running(*options, **environment) as (_, shown):
        threads = f"{shown['provider'].split()[0]}/threads"

        assert (status(threads, "sk-wrong"), status(threads, "sk-right")) == (401, 200)
        assert "sk-right" not in str(shown)


def failed(*options: str) -> tuple[int, str]:
    done = subprocess.run(
        [*STENO, "simulate", *options], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    return done.returncode, done.stderr


def test_what_cannot_be_is_said_in_a_line(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        taken_port = failed("--listen", f"127.0.0.1:{port}")

    assert taken_port == (69, f"steno: cannot listen on 127.0.0.1:{port}: Address already in use\n")
    assert failed("--listen", "nowhere")[0] == 64
    assert failed("--key", str(tmp_path / "missing")) == (
        78,
        f"{tmp_path}/missing: cannot be read: no such file or directory\n",
    )
