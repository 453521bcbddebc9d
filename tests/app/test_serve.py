"""`steno serve` as a process: a log on the disk is shown and verified, and what is wrong with the call is said."""

import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest

from steno.app import replay as replaying
from steno.app.price_list import configured_prices
from steno.cli import cli
from steno.config import parse
from steno.errors import DataError, UsageError
from tests.processes import STENO, wait_for

GOLDEN = Path(__file__).parents[1] / "golden"


def written(folder: Path) -> Path:
    """Write an audit log with texts."""
    config = parse('[audit]\ncontent = "full"\n', "steno.toml", replaying.DEFAULTS)
    recording = GOLDEN / "barge-in" / "recording.jsonl"
    prices = configured_prices(config.prices)
    replaying.replay([recording], config, replaying.Outputs(audit=folder), prices, None, lambda _: None)  # type: ignore[arg-type]  # no standard input
    return folder


class Served:
    """A `steno serve` that runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []

    def read_until(self, pattern: str) -> re.Match[str]:
        """Return the first line from here on that matches."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if match := re.search(pattern, line):
                return match
        raise AssertionError(self.lines)

    def get(self, path: str, token: str | None = None) -> tuple[int, Any]:
        """Return the status and the JSON of a response."""
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        connection.request("GET", path, headers={"authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        body = json.loads(response.read())
        connection.close()
        return response.status, body

    @property
    def address(self) -> tuple[str, int]:
        found = next(match for line in self.lines if (match := re.search(r"http://(127\.0\.0\.1):(\d+)/#token", line)))
        return found[1], int(found[2])


@contextmanager
def serving(*arguments: str) -> Iterator[Served]:
    with subprocess.Popen([*STENO, "serve", *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Served(process)
        finally:
            process.kill()


def test_a_log_is_shown_with_the_result_of_verify_and_goes_on_to_be_read(tmp_path: Path) -> None:
    folder = written(tmp_path / "log")
    with serving(str(folder)) as served:
        token = served.read_until(r"#token=(\S+)")[1]
        served.read_until("the audit log holds")
        path = "/v1/conversations/replay%2Frecording/timeline"
        _, page = served.get("/v1/conversations")
        _, verification = served.get("/v1/verification")
        _, open_to_all = served.get(path)
        _, timeline = served.get(path, token)
        (segment,) = folder.glob("audit-*.jsonl")
        with segment.open("ab") as file:
            file.write(segment.read_bytes().replace(b"replay/recording", b"replay/another"))
        wait_for(lambda: served.get("/v1/conversations")[1]["total"] == 2)
        served.process.send_signal(signal.SIGINT)
        code = served.process.wait(20)

    assert [row["key"] for row in page["conversations"]] == ["replay/recording"]
    assert (verification["state"], verification["ok"], verification["name"]) == ("done", True, "log")
    assert verification["lines"][0] == "the audit log holds"
    assert verification["log"]["last_at"] == "2026-01-01T00:00:02.529000Z"
    assert (open_to_all["content"], timeline["content"]) == ("withheld", "full")
    assert [each["text"] for each in timeline["transcript"]] == ["Open?", "Yes, until six, and on"]
    assert code == 0


def test_a_log_that_was_changed_is_shown_and_said_not_to_hold(tmp_path: Path) -> None:
    folder = written(tmp_path / "log")
    (segment,) = folder.glob("audit-*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b"gpt-realtime", b"gpt-cheaper!", 1))
    with serving(str(folder)) as served:
        served.read_until("#token=")
        served.read_until("DOES NOT HOLD")
        _, verification = served.get("/v1/verification")
        _, page = served.get("/v1/conversations")

    assert (verification["ok"], page["total"]) == (False, 1)


@pytest.mark.parametrize(
    ("arguments", "wrong", "message"),
    [
        (["{folder}"], DataError, "holds no audit log.*audit.directory"),
        (["{folder}/log", "--listen", "0.0.0.0:0"], UsageError, "--listen must be an address of this machine"),
        (["{folder}/log", "--listen", "nowhere"], UsageError, "--listen"),
        (["{folder}/log", "--key-file", "{folder}/none"], DataError, "cannot use the key"),
        ([], click.UsageError, "paths"),
    ],
)
def test_what_is_wrong_with_the_call_is_said(
    tmp_path: Path, arguments: list[str], wrong: type[Exception], message: str
) -> None:
    written(tmp_path / "log")
    command = ["serve", *(each.format(folder=tmp_path) for each in arguments)]

    with pytest.raises(wrong, match=message):
        cli.main(command, standalone_mode=False)
