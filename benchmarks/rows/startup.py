"""What it costs to start: CPU of a command from the first instruction to its end, of a daemon until it is ready.

Against an interpreter that imports what no form of steno could do without. Both are processes of their own, with their
byte code compiled beforehand, as an installed package has it. A daemon has one source, which connects to a server on
loopback, an audit log and the HTTP face; it is killed in the moment when it is ready.
"""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from benchmarks.figures import Figure, Scale, main, ratios

AGAINST: Final = "import websockets, msgspec, prometheus_client"
VERSION_BOUND: Final = 1.5
READY_BOUND: Final = 3.0
READYZ_SECONDS: Final = 0.02
"""How long a client waits that was told that the daemon is not ready yet: each answer costs the daemon something."""

PATIENCE_SECONDS: Final = 30.0
STENO: Final = (sys.executable, "-m", "steno")

CONFIG: Final = """
[http]
listen = "127.0.0.1:{http}"
[[sources]]
name = "relay"
kind = "connect"
url = "ws://127.0.0.1:{provider}/v1/events"
"""


def rows(scale: Scale) -> Iterable[Figure]:
    """Yield a figure a command."""
    with TemporaryDirectory() as name, provider() as upstream:
        folder, port = Path(name), free_port()
        config, nothing = folder / "steno.toml", folder / "empty.jsonl"
        config.write_text(CONFIG.format(http=port, provider=upstream))
        nothing.touch()
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
        rounds = scale.rounds * (4 if scale.full else 1)
        bare = partial(cpu_of, [sys.executable, "-c", AGAINST], environ)
        measured: tuple[tuple[str, Callable[[], float], float | None], ...] = (
            ("steno --version", partial(cpu_of, [*STENO, "--version"], environ), VERSION_BOUND),
            ("steno run until READY=1", partial(cpu_until, notified, config, port, environ), READY_BOUND),
            ("steno run until /readyz says 200", partial(cpu_until, answered, config, port, environ), READY_BOUND),
            ("steno --help", partial(cpu_of, [*STENO, "--help"], environ), None),
            ("steno check", partial(cpu_of, [*STENO, "check", "-c", str(config)], environ), None),
            ("steno replay of nothing", partial(cpu_of, [*STENO, "replay", str(nothing)], environ), None),
        )
        for what, run, bound in measured:
            values, ours, theirs = ratios(run, bare, rounds)
            note = f"{ours * 1000:.0f} ms against {theirs * 1000:.0f}"
            yield Figure(what, f'python -c "{AGAINST}"', values, bound, note=note)


def cpu_of(command: list[str], environ: Mapping[str, str]) -> float:
    """Return the CPU seconds of a command that ends by itself. Raises CalledProcessError where it fails."""
    with started(command, environ) as process:
        code, seconds = waited(process)
    if code:
        raise subprocess.CalledProcessError(code, command)
    return seconds


def cpu_until(
    ready: Callable[[socket.socket, int], None], config: Path, port: int, environ: Mapping[str, str]
) -> float:
    """Return the CPU seconds of a daemon until it is `ready`, which waits for that. It then is killed."""
    with TemporaryDirectory() as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{place}/notify")
        environ = {**environ, "NOTIFY_SOCKET": f"{place}/notify", "LOGS_DIRECTORY": f"{place}/audit"}
        command = [*STENO, "run", "-c", str(config)]
        with started(command, environ) as process:
            ready(manager, port)
            process.kill()
            return waited(process)[1]


def notified(manager: socket.socket, _port: int) -> None:
    """Wait until the daemon tells the service manager that it is ready."""
    manager.settimeout(PATIENCE_SECONDS)
    while b"READY=1" not in manager.recv(4096):
        pass


def answered(manager: socket.socket, port: int) -> None:
    """Wait until the HTTP face says that the daemon is ready. Nobody asks before there is a face."""
    notified(manager, port)
    for _ in range(int(PATIENCE_SECONDS / READYZ_SECONDS)):
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
            return
        time.sleep(READYZ_SECONDS)
    raise TimeoutError("the daemon does not become ready")


def started(command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a command that nobody listens to."""
    return subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  # our own


def waited(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Wait for the end of a process; return its status and the CPU seconds that all of it took."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def provider() -> Iterator[int]:
    """Take connections on loopback and say nothing; yield the port."""

    def silent(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            connection.recv()

    with serve(silent, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


if __name__ == "__main__":
    main(rows)
