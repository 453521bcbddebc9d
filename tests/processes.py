"""What tests of the real program share: running it, requests to it, and an upstream that serves it a recording."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

PATIENCE_SECONDS = 30.0
"""How long a test waits for what must happen before it fails: long, since machines are slow at times."""

T = TypeVar("T")

STENO = (sys.executable, "-m", "steno")
LISTEN = "0A"
"""The state of a socket that listens, in /proc/net/tcp."""


def program(limit: str) -> Sequence[str]:
    """Return the command that runs the program after the statements of `limit`.

    The process limits itself. What runs between fork and exec of its parent may hang, where that has threads.
    """
    return (sys.executable, "-c", f"{limit}\nfrom steno.__main__ import main; main()")


def steno(*args: str | Path, stdin: bytes = b"", limit: str = "", **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, after the statements of `limit`."""
    return subprocess.run(
        [*(program(limit) if limit else STENO), *map(str, args)],
        input=stdin,
        capture_output=True,
        env={**os.environ, **environ},
        timeout=PATIENCE_SECONDS * 2,
        check=False,
    )


class Running:
    """A daemon in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log

    def lines(self) -> list[dict[str, object]]:
        """Return the lines that it has logged."""
        complete, _, _ = self._log.read_text().rpartition("\n")  # the last line may be half written
        return [json.loads(line) for line in complete.splitlines() if line.startswith("{")]

    @property
    def port(self) -> int:
        """Where its HTTP face listens, once it has logged that."""
        started = wait_for(lambda: next((line for line in self.lines() if line["event"] == "started"), None))
        return int(str(started["http"]).rsplit(":", 1)[1])

    def get(self, path: str, host: str | None = None) -> tuple[int, str]:
        """Return the status and the body of a response of its HTTP face, asked for as `host`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", path, headers={} if host is None else {"Host": host})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, line: str) -> float:
        """Return the value of the series `line`; 0 where there is none."""
        _, text = self.get("/metrics")
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def reload(self) -> None:
        """Let it read its configuration again."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def running(config: Path, *args: str | Path, limit: str = "", **environ: str) -> Iterator[Running]:
    """Run the daemon with `config`, after the statements of `limit`. Its log stands beside the configuration."""
    log = config.with_suffix(".log")
    with log.open("w") as file:
        process = subprocess.Popen(
            [*program(limit), "run", "-c", config, *args],
            stderr=file,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **environ},
        )
    try:
        yield Running(process, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def listening_port(process: int) -> int | None:
    """Return the TCP port that a process listens on, by its process id; None while there is none.

    So a test lets the kernel choose a port, also where no log says which. One that was free a moment ago may be taken:
    other tests run at the same time.
    """
    return next(iter(listening_ports(process)), None)


def listening_ports(process: int) -> list[int]:
    """Return the TCP ports that a process listens on."""
    held = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # it has been closed meanwhile
            held.add(str(descriptor.readlink()))
    found = []
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, _, state, *more = line.split()
        if state == LISTEN and f"socket:[{more[5]}]" in held:
            found.append(int(local.rpartition(":")[2], 16))
    return found


def wait_for(ask: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """Ask again and again until the answer counts as true, and return it. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, "what a test waits for did not happen"
        time.sleep(0.02)
    return answer


async def wait_until(ask: Callable[[], object]) -> None:
    """Do the same in a thread, so that the event loop serves meanwhile."""
    await anyio.to_thread.run_sync(wait_for, ask)


class Upstream:
    """A real websocket server that sends some frames to the first who connects, and refuses all others."""

    def __init__(self, frames: Sequence[bytes | str], *, hang_up: bool) -> None:
        self.frames = frames
        self.hang_up = hang_up
        self.requests: list[Request] = []
        self.closes: list[tuple[int | None, str | None]] = []
        self.connection: ServerConnection | None = None
        self.leave = anyio.Event()
        """Set by a test that wants the server to close later."""

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Accept the first; refuse the others with 503."""
        self.requests.append(request)
        return None if len(self.requests) == 1 else connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "enough\n")

    async def speak(self, connection: ServerConnection) -> None:
        """Send everything, then close or wait to be left."""
        self.connection = connection
        for frame in self.frames:
            await connection.send(frame)
        if self.hang_up:
            self.leave.set()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._leave, connection)
            await connection.wait_closed()
            tasks.cancel_scope.cancel()
        self.closes.append((connection.close_code, connection.close_reason))

    async def say(self, frames: Sequence[bytes | str]) -> None:
        """Send more to the one who is connected."""
        assert self.connection is not None
        for frame in frames:
            await self.connection.send(frame)

    async def _leave(self, connection: ServerConnection) -> None:
        await self.leave.wait()
        await connection.close(1000)


@asynccontextmanager
async def upstream(frames: Sequence[bytes | str], *, hang_up: bool) -> AsyncIterator[tuple[Upstream, str]]:
    """Serve `frames` on loopback; yield the server and its URL."""
    served = Upstream(frames, hang_up=hang_up)
    server: Server
    async with serve(served.speak, "127.0.0.1", 0, process_request=served.admit, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield served, f"ws://127.0.0.1:{port}/v1/events"
