"""`--state` of a real daemon on disks and pipes that fail: the daemon goes on, and says so at the end."""

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from steno.app.state_output import StateOutput
from steno.core.stream import Stream
from steno.output_errors import OutputErrors
from tests.processes import PATIENCE_SECONDS, Running, running, steno, upstream, wait_until

pytestmark = pytest.mark.anyio

SESSIONS = 300
SMALL_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (32768, resource.RLIM_INFINITY))
"""
EVENTS = 'steno_events_total{event="session.created",family="realtime",source="relay"}'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def configure(folder: Path, url: str = "", audit: bool = True, drain: int = 4) -> Path:
    config = folder / "steno.toml"
    source = f'[[sources]]\nname = "relay"\nkind = "connect"\nurl = "{url}"\n' if url else ""
    log = f'[audit]\ndirectory = "{folder}/audit"\n' if audit else ""
    config.write_text(f'[http]\nlisten = "127.0.0.1:0"\n{log}{source}[limits]\ndrain_seconds = {drain}\n')
    return config


def last_fact(folder: Path) -> str:
    segment = max((folder / "audit").glob("*.jsonl"))
    return str(json.loads(segment.read_text().splitlines()[-1])["fact"])


def said(daemon: Running) -> list[dict[str, Any]]:
    """What the log says of the state."""
    return [
        {name: line[name] for name in ("level", "file", "reason")}
        for line in daemon.lines()
        if str(line["event"]).startswith("the state is given up")
    ]


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def stopped(daemon: Running) -> int:
    return await anyio.to_thread.run_sync(daemon.stop)


async def test_a_disk_that_is_full_stops_neither_reading_nor_the_rest(tmp_path: Path) -> None:
    """State and recording are given up, each counted and said once; every event is read; the former state stays."""
    state = tmp_path / "state.jsonl"
    state.write_text("former\n")
    sent = [json.dumps({"type": "session.created", "session": {"id": f"sess_{n}"}}) for n in range(SESSIONS)]
    async with upstream(sent, hang_up=False) as (_, url):
        config = configure(tmp_path, url, audit=False)
        options = ("--state", state, "--record", tmp_path / "recordings")
        with running(config, *options, limit=SMALL_FILES) as daemon:
            await wait_until(lambda: daemon.metric(EVENTS) == SESSIONS)
            for kind in ("state", "recording"):
                series = f'steno_output_errors_total{{kind="{kind}",reason="no_space"}}'
                await wait_until(lambda series=series: daemon.metric(series) == 1)  # type: ignore[misc]  # bound early
            ready = daemon.get("/readyz")[0]
            code = await stopped(daemon)
    text = config.with_suffix(".log").read_text()

    assert (code, ready) == (69, 200)
    assert said(daemon) == [{"level": "error", "file": str(state), "reason": "File too large"}]
    assert text.splitlines()[-1] == "steno: the state could not be written: File too large"
    assert state.read_text() == "former\n"
    assert names(tmp_path) == ["recordings", "state.jsonl", "steno.log", "steno.toml"]


async def test_a_device_without_room(tmp_path: Path) -> None:
    """It fails at the end. The audit log is closed in order all the same."""
    async with upstream([json.dumps({"type": "session.created", "session": {"id": "sess_1"}})], hang_up=False) as (
        _,
        url,
    ):
        config = configure(tmp_path, url)
        with running(config, "--state", "/dev/full") as daemon:
            await wait_until(lambda: daemon.metric(EVENTS))
            code = await stopped(daemon)

    assert (code, last_fact(tmp_path)) == (69, "log.closed")
    assert said(daemon) == [{"level": "error", "file": "/dev/full", "reason": "No space left on device"}]


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """The file has no place at the end."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with running(configure(tmp_path), "--state", folder / "state") as daemon:
        assert daemon.port
        shutil.rmtree(folder)
        code = daemon.stop()

    assert (code, last_fact(tmp_path)) == (69, "log.closed")
    assert said(daemon) == [{"level": "error", "file": str(folder / "state"), "reason": "No such file or directory"}]


def test_a_fifo_without_a_reader(tmp_path: Path) -> None:
    """Neither the start nor the end waits for it longer than the drain allows."""
    os.mkfifo(tmp_path / "state")
    with running(configure(tmp_path, drain=2), "--state", tmp_path / "state") as daemon:
        assert daemon.port
        code = daemon.stop()

    assert (code, last_fact(tmp_path)) == (69, "log.closed")
    assert [line["reason"] for line in said(daemon)] == ["No such device or address"]


async def test_a_fifo_whose_reader_comes_at_the_end(tmp_path: Path) -> None:
    """It reads all of it."""
    os.mkfifo(tmp_path / "state")
    async with upstream([json.dumps({"type": "session.created", "session": {"id": "sess_1"}})], hang_up=False) as (
        _,
        url,
    ):
        with running(configure(tmp_path, url), "--state", tmp_path / "state") as daemon:
            await wait_until(lambda: daemon.metric(EVENTS))
            daemon.process.terminate()
            text = await anyio.to_thread.run_sync((tmp_path / "state").read_text)
            code = await anyio.to_thread.run_sync(daemon.process.wait, PATIENCE_SECONDS)

    lines = [json.loads(line) for line in text.splitlines()]
    assert code == 0
    assert [(line["schema"], line.get("session", {}).get("id")) for line in lines] == [
        ("steno.conversation/1", "sess_1"),
        ("steno.stream/1", None),
    ]


def test_standard_output_that_nobody_reads(tmp_path: Path) -> None:
    """A reader that has stopped does not hold the end up."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, b"\n" * 4096)
    errors = OutputErrors()
    stdout = os.dup(1)
    try:
        os.dup2(writing, 1)
        with StateOutput.open(Path("-"), errors) as state:
            state.ended(Stream("relay/1/1", "relay"))
            state.finish(0.2)
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(reading)
        os.close(writing)

    assert state.failure == "nobody read it in time"
    assert errors.numbers()["steno_output_errors_total"]["state", "timeout"] == 1


@pytest.mark.parametrize("missing", ["missing/state", "circle", "circle/state", "n" * 300])
def test_a_place_that_cannot_be_is_refused_at_the_start(missing: str, tmp_path: Path) -> None:
    """As an option of the command line that cannot be kept: exit 69 with the path, and no log is begun."""
    (tmp_path / "circle").symlink_to("circle")
    done = steno("run", "-c", configure(tmp_path), "--state", tmp_path / missing)

    assert done.returncode == 69
    assert f"cannot write {tmp_path / missing}: ".encode() in done.stderr


def test_a_folder_is_refused_as_it_is_by_a_check(tmp_path: Path) -> None:
    """No restart mends it: exit 78."""
    config = configure(tmp_path)
    done = [steno(command, "-c", config, "--state", tmp_path) for command in ("run", "check")]

    assert [each.returncode for each in done] == [78, 78]
    assert {each.stderr.splitlines()[-1] for each in done} == {f"{config}: --state: {tmp_path}: is a folder".encode()}


def test_a_mistake_of_ours_is_no_failure_of_what_is_reported(tmp_path: Path) -> None:
    """What cannot be exported is counted as internal, once, and the file is not begun."""
    errors = OutputErrors()
    with StateOutput.open(tmp_path / "state", errors) as state:
        state.closed(None)  # type: ignore[arg-type]  # the mistake
        state.closed(None)  # type: ignore[arg-type]  # the mistake
        state.finish(PATIENCE_SECONDS)

    assert state.failure == "internal error"
    assert errors.numbers()["steno_output_errors_total"]["state", "internal"] == 1
    assert list(tmp_path.iterdir()) == []
