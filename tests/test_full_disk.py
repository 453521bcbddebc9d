"""The daemon as a process on a disk that is full, not writable, or fails: it waits, reports it, and goes on.

The upstream sends one response after the other. Each is in the log once, in order.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import pytest

from steno.audit.verification.files import verify
from tests.crash import crash_points, pushing
from tests.crash.pushing import Sender, free_port
from tests.processes import Running, running, steno, upstream, wait_for, wait_until

pytestmark = pytest.mark.anyio

KIB: Final = 1024
RESPONSES: Final = 2_000
"""More than the queue and the disk below take: 2 MB of records."""
ALL: Final = [f"resp_{number}" for number in range(1, RESPONSES + 1)]

FULL: Final = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({64 * KIB}, resource.RLIM_INFINITY))
"""
"""No file grows past 64 KiB, until the test says otherwise."""
WITHOUT_CAPABILITIES: Final = """
import ctypes
ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
"""
"""Root is bound by the modes of files as everybody is. The number is the version of the call with 64 capabilities."""
SMALL_DISK: Final = """
import ctypes, os, pathlib, sys
libc, uid, gid = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
def do(result):
    if result:
        sys.exit(os.strerror(ctypes.get_errno()))
do(libc.unshare(0x10020000))
pathlib.Path("/proc/self/setgroups").write_text("deny")
pathlib.Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
pathlib.Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
do(libc.mount(b"none", b"FOLDER", b"tmpfs", 0, b"size=4m"))
pathlib.Path("FOLDER/ballast").write_bytes(bytes(4 * 1024 * 1024 - 65536))
"""
"""A disk of 4 MiB, of which 64 KiB are free, in a mount and user namespace (CLONE_NEWNS, CLONE_NEWUSER) of its own."""

EVENTS: Final = 'steno_events_total{event="response.done",family="realtime",source="relay"}'
ATTEMPTS: Final = 'steno_connect_attempts_total{reason="connected",source="relay"}'
IMPATIENT: Final = """
ping_interval_seconds = 0.1
ping_timeout_seconds = 0.1
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def configure(folder: Path, url: str, audit: str = "", more: str = "") -> Path:
    """Write a configuration with one source, which reads `url`, and a log that is flushed at once."""
    config = folder / "steno.toml"
    config.write_text(
        f"""
        [http]
        listen = "127.0.0.1:0"
        [audit]
        directory = "{folder}/disk/audit"
        flush = "always"
        {audit}
        [[sources]]
        name = "relay"
        kind = "connect"
        url = "{url}"
        {more}
        """
    )
    (folder / "disk").mkdir()
    return config


# What is sent, and what is recorded of it -----------------------------------------------------------------------


def session() -> str:
    return json.dumps(
        {"type": "session.created", "event_id": "event_0", "session": {"id": "sess_1", "type": "realtime"}}
    )


def responses(first: int = 1, last: int = RESPONSES) -> Iterator[str]:
    """Yield the events of responses that begin and end."""
    for number in range(first, last + 1):
        for at, (kind, status) in enumerate([("created", "in_progress"), ("done", "completed")]):
            response = {"id": f"resp_{number}", "object": "realtime.response", "status": status, "output": []}
            yield json.dumps({"type": f"response.{kind}", "event_id": f"event_{number}_{at}", "response": response})


def records(audit: Path) -> list[dict[str, Any]]:
    segments = sorted(audit.glob("audit-*.jsonl"))
    return [json.loads(line) for segment in segments for line in segment.read_text().splitlines()]


def finished(held: list[dict[str, Any]]) -> list[str]:
    """Return the responses that ended, by the log."""
    return [record["body"]["response_id"] for record in held if record["fact"] == "response.finished"]


def facts_emitted() -> Iterator[tuple[str, str | None]]:
    """Yield all that was submitted to the log, in order: facts, and the responses that they are about."""
    yield from (("daemon.started", None), ("stream.opened", None), ("conversation.opened", None))
    yield ("session.opened", None)
    for each in ALL:
        yield from (("response.started", each), ("response.finished", each))
    yield from (("conversation.closed", None), ("stream.closed", None), ("daemon.stopped", None))


# What is done to it ---------------------------------------------------------------------------------------------


async def stopped(daemon: Running) -> int:
    """Stop the daemon while the event loop of the test serves on, and return its exit code."""
    return await anyio.to_thread.run_sync(daemon.stop)


def give_room(daemon: Running) -> None:
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, unlimited)


@contextmanager
def opened(folder: Path) -> Iterator[Path]:
    """Keep a folder of another mount namespace at hand, also when its last process has gone."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def why_it_fails(statements: str) -> str:
    """Run `statements` in a process of their own; return the last line of their error where they fail."""
    done = subprocess.run([sys.executable, "-c", statements], capture_output=True, text=True, check=False)
    return done.stderr.splitlines()[-1] if done.returncode else ""


def errors(daemon: Running, reason: str) -> float:
    return daemon.metric(f'steno_audit_write_errors_total{{reason="{reason}"}}')


def blocked(daemon: Running) -> bool:
    """Return whether reading has stopped for so long that several writes were tried."""
    return daemon.metric("steno_audit_blocked") == 1 and errors(daemon, "no_space") >= 2


async def all_recorded(daemon: Running) -> None:
    """Wait until all responses were read and written."""
    await wait_until(lambda: daemon.metric(EVENTS) == RESPONSES and not daemon.metric("steno_audit_queue_bytes"))


async def test_a_full_disk_stops_the_reading_until_there_is_room(tmp_path: Path) -> None:
    """No connection is lost, none is made; then it goes on by itself, and all that was sent is recorded once."""
    async with upstream([session(), *responses()], hang_up=False) as (server, url):
        with running(configure(tmp_path, url, "queue_bytes = 65_536", IMPATIENT), limit=FULL) as daemon:
            await wait_until(lambda: blocked(daemon))
            ready, healthy = daemon.get("/readyz"), daemon.get("/healthz")
            read = daemon.metric(EVENTS)
            give_room(daemon)
            await all_recorded(daemon)
            await wait_until(lambda: daemon.get("/readyz")[0] == 200)
            names = ("steno_audit_blocked", ATTEMPTS, 'steno_streams{source="relay"}')
            # In a thread: the server answers pings meanwhile.
            after = await anyio.to_thread.run_sync(lambda: [daemon.metric(each) for each in names])
            code = await stopped(daemon)

    assert (ready[0], json.loads(ready[1])["audit"], healthy[0]) == (503, "unwritable", 200)
    assert read < RESPONSES
    assert (after, len(server.requests), code) == ([0, 1, 1], 1, 0)
    assert finished(records(tmp_path / "disk/audit")) == ALL
    assert steno("verify", tmp_path / "disk/audit").returncode == 0


async def test_a_peer_that_gives_up_while_nothing_is_read_is_a_gap(tmp_path: Path) -> None:
    """What it had sent by then is read when there is room. A gap declares that there may have been more."""
    gaps = 'steno_stream_gaps_total{reason="blocked",source="relay"}'
    async with upstream([session(), *responses()], hang_up=False) as (server, url):
        with running(configure(tmp_path, url, "queue_bytes = 65_536"), limit=FULL) as daemon:
            await wait_until(lambda: blocked(daemon))
            assert server.connection
            server.connection.transport.abort()
            give_room(daemon)
            await wait_until(lambda: daemon.metric(gaps))
            read = int(daemon.metric(EVENTS))
            code = await stopped(daemon)
    held = records(tmp_path / "disk/audit")

    assert code == 0
    assert finished(held) == ALL[:read]
    assert [record["body"]["gap"] for record in held if record["fact"] == "stream.closed"] == ["blocked"]
    assert steno("verify", tmp_path / "disk/audit").returncode == 0


async def test_records_that_are_shed_are_declared_in_their_place(tmp_path: Path) -> None:
    """Reading goes on. What is recorded and what the gaps stand for are together all that was submitted, in order."""
    audit = 'queue_bytes = 65_536\nwhen_full = "shed"'
    async with upstream([session(), *responses()], hang_up=False) as (server, url):
        with running(configure(tmp_path, url, audit), limit=FULL) as daemon:
            await wait_until(lambda: daemon.metric(EVENTS) == RESPONSES)
            give_room(daemon)
            await all_recorded(daemon)
            shed, is_blocked = daemon.metric("steno_audit_shed_records_total"), daemon.metric("steno_audit_blocked")
            code = await stopped(daemon)
    held = [record for record in records(tmp_path / "disk/audit") if record["fact"] not in {"log.opened", "log.closed"}]
    expected, gaps = list(facts_emitted()), [record["body"] for record in held if record["fact"] == "log.gap"]
    place, last_at = 0, ""

    assert (code, is_blocked, len(server.requests)) == (0, 0, 1)
    for record in held:
        if record["fact"] == "log.gap":
            gap = record["body"]
            assert last_at <= gap["first_at"] <= gap["last_at"] <= record["at"]
            place, last_at = place + gap["facts"], gap["last_at"]
        else:
            assert (record["fact"], record["body"].get("response_id")) == expected[place]
            assert last_at <= record["at"]
            place, last_at = place + 1, record["at"]
    assert place == len(expected)
    assert sum(gap["facts"] for gap in gaps) == shed > 0
    assert {gap["reason"] for gap in gaps} == {"shed"}
    assert steno("verify", tmp_path / "disk/audit").returncode == 0


async def test_a_stop_while_the_disk_is_full(tmp_path: Path) -> None:
    """It ends in time, reports that records are missing, and exits with an error. What is on the disk verifies."""
    async with upstream([session(), *responses()], hang_up=False) as (_, url):
        config = configure(tmp_path, url, more="[limits]\ndrain_seconds = 3.0")
        # Where coverage is measured, this process is not: the limit would hold for the file of coverage as well.
        with running(config, limit=FULL, COVERAGE_PROCESS_CONFIG="") as daemon:
            await wait_until(lambda: errors(daemon, "no_space"))
            ready = daemon.get("/readyz")
            code = await stopped(daemon)
    (segment,) = (tmp_path / "disk/audit").glob("*.jsonl")

    assert (ready[0], json.loads(ready[1])["audit"]) == (503, "unwritable")
    assert code == 69
    assert "could not be flushed in time" in config.with_suffix(".log").read_text()
    assert "Traceback" not in config.with_suffix(".log").read_text()
    assert segment.stat().st_size <= 64 * KIB
    assert steno("verify", tmp_path / "disk/audit").returncode == 0


async def test_a_disk_with_no_space_left(tmp_path: Path) -> None:
    """The same as a file that may not grow: a real file system, from which something else is deleted in the end."""
    limit = SMALL_DISK.replace("FOLDER", str(tmp_path / "disk"))
    async with upstream([session(), *responses()], hang_up=False) as (server, url):
        config = configure(tmp_path, url, "queue_bytes = 65_536")
        if fault := why_it_fails(limit):
            pytest.skip(f"no file system can be mounted here: {fault}")
        with running(config, limit=limit) as daemon:
            await wait_until(lambda: blocked(daemon))
            with opened(Path(f"/proc/{daemon.process.pid}/root{tmp_path}/disk")) as disk:
                (disk / "ballast").unlink()
                await all_recorded(daemon)
                code = await stopped(daemon)
                report = verify([disk / "audit"])
                held = records(disk / "audit")

    assert (code, report.ok, report.fault, len(server.requests)) == (0, True, None, 1)
    assert finished(held) == ALL


async def test_a_folder_that_is_not_writable(tmp_path: Path) -> None:
    """The next segment cannot be made, which is counted. When it can be, the log goes on."""
    few = 10
    async with upstream([session(), *responses(last=few)], hang_up=False) as (server, url):
        config = configure(tmp_path, url, "segment_bytes = 65_536")
        with running(config, limit=WITHOUT_CAPABILITIES) as daemon:
            await wait_until(lambda: daemon.metric(EVENTS) == few)
            (tmp_path / "disk/audit").chmod(0o500)
            await server.say(list(responses(first=few + 1)))
            await wait_until(lambda: errors(daemon, "permission"))
            ready = daemon.get("/readyz")[0]
            (tmp_path / "disk/audit").chmod(0o750)
            await all_recorded(daemon)
            await wait_until(lambda: daemon.get("/readyz")[0] == 200)
            code = await stopped(daemon)

    assert (ready, code) == (503, 0)
    assert finished(records(tmp_path / "disk/audit")) == ALL
    assert len(list((tmp_path / "disk/audit").glob("*.jsonl"))) > 2
    assert steno("verify", tmp_path / "disk/audit").returncode == 0


@pytest.mark.parametrize(
    ("fails", "segments"),
    [("fdatasync segment 5 1", 2), ("fdatasync segment 5 2", 2), ("write segment 5 1", 1)],
)
async def test_a_disk_that_fails(fails: str, segments: int, tmp_path: Path) -> None:
    """After a sync that failed the log goes on in a new segment. Nothing is lost, and nothing is there twice."""
    async with upstream([session(), *responses()], hang_up=False) as (_, url):
        with running(configure(tmp_path, url), limit=crash_points.STATEMENTS, STENO_FAILS=fails) as daemon:
            await all_recorded(daemon)
            failed = errors(daemon, "io")
            code = await stopped(daemon)
    held = records(tmp_path / "disk/audit")

    assert (failed, code) == (int(fails.rsplit(maxsplit=1)[-1]), 0)
    assert finished(held) == ALL
    assert [record["fact"] for record in held].count("log.opened") == segments
    assert [record["fact"] for record in held].count("log.closed") == 1
    assert steno("verify", tmp_path / "disk/audit").returncode == 0


def test_what_is_pushed_while_the_disk_is_full_is_acknowledged_when_there_is_room(tmp_path: Path) -> None:
    """Nothing is acknowledged that is not on the disk. Nobody is hung up on, and everything is recorded once."""
    port = free_port()
    sender = Sender(port, "call", pause=0.0)
    (tmp_path / "disk").mkdir()
    config = pushing.configure(tmp_path / "disk", port, "queue_bytes = 65_536\nflush_seconds = 0.02")
    with running(config, limit=FULL) as daemon:
        sender.start()
        wait_for(lambda: blocked(daemon))
        held = finished_events(tmp_path / "disk/audit")
        acked = sender.acked
        give_room(daemon)
        wait_for(lambda: sender.acked > acked + 500)
        sender.finish()
        sender.join(60)
        code = daemon.stop()
    found = finished_events(tmp_path / "disk/audit")

    assert (code, sender.connections, sender.again, sender.acked) == (0, 1, 0, sender.sent)
    assert set(done(sender, acked)) <= set(held)
    assert found == done(sender, sender.sent)
    assert steno("verify", tmp_path / "disk/audit").returncode == 0


def done(sender: Sender, last: int) -> list[str]:
    """Return the events of the responses that ended in the first messages of a sender."""
    numbers = [number for number in range(1, last + 1) if number % 7 not in {2, 3, 5}]
    return [f"event_{sender.sender}_{number}" for number in numbers]


def finished_events(audit: Path) -> list[str]:
    """Return the events of the responses that are in the log in whole lines."""
    lines = [line for path in sorted(audit.glob("audit-*")) for line in path.read_bytes().split(b"\n")[:-1]]
    return [json.loads(line)["event_id"] for line in lines if b'"fact":"response.finished"' in line]
