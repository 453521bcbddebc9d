"""The daemon as a process under a manager that supervises it: what it hears, and what a hang leads to."""

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import anyio.to_thread
import pytest
from websockets.asyncio.client import connect

from tests.app.daemons import records_of_the_log
from tests.app.managers import HANGING_LOOP, NO_CORE, Manager, Message
from tests.processes import Running, running, steno, upstream, wait_for

WATCHDOG_SECONDS: Final = 0.4
SESSION: Final = '{"type":"session.created","event_id":"event_1","session":{"id":"sess_1","model":"talker-2"}}'

NOBODY: Final = "127.0.0.1:1"
"""Where an upstream refuses to be connected to."""
EAGER: Final = "from steno.app import notify; notify.STATUS_SECONDS = 0.1"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def manager() -> Iterator[Manager]:
    with Manager() as made:
        yield made


@pytest.fixture
def silent() -> Iterator[str]:
    """Yield the address of an upstream that hangs: it takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def configure(folder: Path, relay: str, proxied: str = "") -> Path:
    """Write a configuration: a source that connects to `relay`, and a proxy where there is something to proxy."""
    front = f'[[sources]]\nname = "front"\nkind = "proxy"\nlisten = "127.0.0.1:0"\nupstream = "{proxied}"\n'
    config = folder / "steno.toml"
    config.write_text(
        f"""
        [http]
        listen = "127.0.0.1:0"
        [audit]
        directory = "{folder}/audit"
        flush_seconds = 0.05
        [limits]
        drain_seconds = 1.0
        [[sources]]
        name = "relay"
        kind = "connect"
        url = "ws://{relay}/v1/events"
        headers = {{ Authorization = {{ env = "RELAY_TOKEN" }} }}
        {front if proxied else ""}
        """
    )
    return config


def environ_of(manager: Manager) -> dict[str, str]:
    microseconds = str(int(WATCHDOG_SECONDS * 1_000_000))
    return {**manager.environ, "WATCHDOG_USEC": microseconds, "RELAY_TOKEN": "Bearer quiet-heron-41"}


def status(message: dict[str, str]) -> dict[str, str]:
    """Return what `systemctl status` shows, by name."""
    parts = message.get("STATUS", "").split(", ")
    return dict(part.rsplit(": ", 1) for part in parts if ": " in part)


async def heard(manager: Manager, name: str, holds: Callable[[Message], bool] = lambda _: True) -> Message:
    """Wait for a message that has `name` and `holds`, while the event loop of the test serves."""
    return await anyio.to_thread.run_sync(manager.wait_for, lambda message: name in message and holds(message))


@pytest.mark.anyio
async def test_a_manager_hears_the_life_of_a_daemon(manager: Manager, tmp_path: Path) -> None:
    """It is ready without its upstream, reloads, drains a call for as long as that takes, and is alive all the time."""
    async with upstream([SESSION], hang_up=False) as (_, url):
        config = configure(tmp_path, NOBODY, url.replace("ws:", "http:").removesuffix("/v1/events"))
        with running(config, limit=EAGER, **environ_of(manager)) as daemon:
            ready = await heard(manager, "READY")
            facts = [record["fact"] for record in records_of_the_log(tmp_path / "audit")]
            healthy = await anyio.to_thread.run_sync(daemon.get, "/healthz")
            port = await anyio.to_thread.run_sync(port_of, daemon)
            call = await connect(f"ws://127.0.0.1:{port}/v1/realtime?model=x", compression=None, proxy=None)
            await call.recv()
            busy = await heard(manager, "STATUS", lambda message: status(message)["conversations"] == "1")
            daemon.reload()
            reloading, reloaded = await heard(manager, "RELOADING"), await heard(manager, "READY")
            daemon.process.send_signal(signal.SIGTERM)
            stopping = await heard(manager, "STOPPING")
            draining = await heard(manager, "WATCHDOG")
            alive = daemon.process.poll()
            await call.close()
            ending = await heard(manager, "STOPPING")
            ended = await anyio.to_thread.run_sync(daemon.process.wait)

    assert (ready["READY"], status(ready)["sources ready"], status(ready)["audit log"]) == ("1", "0 of 2", "up to date")
    assert (facts[0], healthy[0]) == ("log.opened", 200)
    assert (status(busy)["streams"], status(busy)["sources ready"]) == ("1", "1 of 2")
    assert (int(reloading["MONOTONIC_USEC"]) > 0, reloaded["READY"]) == (True, "1")
    assert (stopping["EXTEND_TIMEOUT_USEC"], status(stopping)["calls"]) == ("30000000", "1")
    assert (draining["WATCHDOG"], alive, ended) == ("1", None, 0)
    assert 5_000_000 < int(ending["EXTEND_TIMEOUT_USEC"]) <= 6_000_000
    assert steno("verify", tmp_path / "audit").returncode == 0


def port_of(daemon: Running) -> int:
    """Return where the proxy listens."""
    line = wait_for(lambda: next((line for line in daemon.lines() if line["event"] == "listening"), None))
    return int(str(line["port"]))


# Hangs ----------------------------------------------------------------------------------------------------

HANGING_DISK: Final = """
import os, pathlib, threading
from steno.audit.service import AuditService
progressing = AuditService.progressing
AuditService.progressing = lambda self, _: progressing(self, 0.2)
sync, folder = os.fdatasync, pathlib.Path("FOLDER")
def hang(file):
    if (folder / "hangs").exists():
        (folder / "hung").touch()
        threading.Event().wait()
    sync(file)
os.fdatasync = hang
"""
"""A disk that takes no more writes, and does not fail, once there is a file `hangs`. A test has not ten seconds."""


def abort(daemon: Running, folder: Path) -> str:
    """Do what a manager does whose watchdog is not fed; return what the daemon printed, and verify its log."""
    ended = daemon.stop(signal.SIGABRT)
    printed = (folder / "steno.log").read_text()

    assert ended == -signal.SIGABRT
    assert steno("verify", folder / "audit").returncode == 0
    assert "quiet-heron-41" not in printed
    assert printed.count("Fatal Python error: Aborted") == 1
    assert "Current thread 0x" in printed
    return printed


def test_a_loop_that_hangs_is_found_and_shown(manager: Manager, silent: str, tmp_path: Path) -> None:
    config = configure(tmp_path, silent)
    with running(config, limit=f"{NO_CORE}\n{HANGING_LOOP}", **environ_of(manager)) as daemon:
        for _ in range(2):
            manager.wait_for(lambda message: "WATCHDOG" in message)
        wait_for(lambda: daemon.metric("steno_audit_flushed_seq") >= 2)
        daemon.reload()
        manager.wait_for(lambda message: "RELOADING" in message)
        before = len(manager.heard)
        manager.wait_for_silence("WATCHDOG", WATCHDOG_SECONDS)
        printed = abort(daemon, tmp_path)

    assert manager.heard[before:] == []
    assert " in hang\n" in printed
    assert {"writer_loop.py", "log_writer.py", "daemon.py"} <= files_in(printed)
    assert [record["fact"] for record in records_of_the_log(tmp_path / "audit")] == ["log.opened", "daemon.started"]


def files_in(printed: str) -> set[str]:
    """Return the names of the files that stacks lead through."""
    return {Path(line.split('"')[1]).name for line in printed.splitlines() if line.startswith('  File "')}


def test_a_disk_that_hangs_is_found_while_the_loop_turns(manager: Manager, silent: str, tmp_path: Path) -> None:
    """The log holds what was flushed before. The daemon says why, as far as it is asked."""
    config = configure(tmp_path, silent)
    limit = f"{NO_CORE}\n{HANGING_DISK.replace('FOLDER', str(tmp_path))}"
    with running(config, limit=limit, **environ_of(manager)) as daemon:
        manager.wait_for(lambda message: "WATCHDOG" in message)
        wait_for(lambda: daemon.metric("steno_audit_flushed_seq") >= 2)
        (tmp_path / "hangs").touch()
        daemon.reload()
        wait_for((tmp_path / "hung").exists)
        manager.wait_for_silence("WATCHDOG", WATCHDOG_SECONDS)
        code, body = daemon.get("/healthz")
        printed = abort(daemon, tmp_path)

    assert (code, json.loads(body)) == (503, {"ok": False, "loop": True, "audit_writer": False})
    assert " in hang\n" in printed
    assert {"writer_loop.py", "log_writer.py"} <= files_in(printed)
    assert [record["fact"] for record in records_of_the_log(tmp_path / "audit")][:2] == ["log.opened", "daemon.started"]


def test_nobody_who_asks_for_nothing_is_notified(silent: str, tmp_path: Path) -> None:
    """A daemon under no manager, or one whose socket has gone, starts and stops as ever."""
    gone = {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "100000", "RELAY_TOKEN": "x"}
    with running(configure(tmp_path, silent), **gone) as daemon:
        counted = wait_for(lambda: daemon.metric('steno_output_errors_total{kind="notify",reason="gone"}'))
        said = [line["event"] for line in daemon.lines()].count("the service manager takes no notification")
        code = daemon.stop()

    assert (counted >= 1, said, code) == (True, 1, 0)
