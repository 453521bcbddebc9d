# ruff: noqa: INP001  # a script of the house, in no package
"""When a thousand streams that lose their server at once ask for it again, and when all are back.

    python benchmarks/stampede.py [STREAMS] [SECONDS AWAY]

The sources of one process read a server in another one. That is killed, nothing listens for some seconds, and another
one takes its place. Printed are the attempts to connect in each half second from the kill on, and the same for waits
without a random part, which is what the waits are compared with.
"""

import resource
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from time import monotonic
from typing import Any, Final
from unittest.mock import patch

import anyio
import structlog

from steno.config import Connect
from steno.core.facts import Fact, Origin
from steno.limits import Limits
from steno.pipeline import Pipeline
from steno.sources import backoff, dialing
from steno.sources.clock import Clock
from steno.sources.connect import ConnectSource
from steno.sources.stream_session import StreamSessions

SERVER: Final = """
import asyncio, sys
from websockets.asyncio.server import serve

async def stay(connection):
    await connection.send('{"type":"ping"}')
    await connection.wait_closed()

async def main():
    async with serve(stay, "127.0.0.1", int(sys.argv[1]), compression=None, ping_interval=None, backlog=4096) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""
STEP_SECONDS: Final = 0.5


class Nowhere:
    """A sink that keeps nothing."""

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Take a fact."""


def started(port: int) -> tuple[subprocess.Popen[str], int]:
    """Start a server, and return it with its port."""
    command = [sys.executable, "-c", SERVER, str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # the script above
    return server, int(server.stdout.readline() if server.stdout else 0)


async def connected(sources: list[ConnectSource]) -> None:
    """Wait until all are connected."""
    while not all(source.ready for source in sources):  # noqa: ASYNC110  # none of them sets an event
        await anyio.sleep(0.05)


async def lost_together(streams: int, away: float) -> tuple[list[float], float]:
    """Return when attempts were made, in seconds from the loss, and when all streams were back."""
    server, port = started(0)
    sessions = StreamSessions(Pipeline(Limits(), [Nowhere()]), Clock())
    attempts: list[float] = []
    dial = dialing.dial

    async def noted(*args: Any) -> Any:
        attempts.append(monotonic())
        return await dial(*args)

    url = f"ws://127.0.0.1:{port}/"
    sources = [
        ConnectSource(Connect(name=f"relay-{number}", kind="connect", url=url), sessions) for number in range(streams)
    ]
    with patch.object(dialing, "dial", noted), patch.object(dialing, "HEALTHY_SECONDS", 0.0):
        async with anyio.create_task_group() as tasks:
            for source in sources:
                tasks.start_soon(source.run)
            await connected(sources)
            server.kill()
            server.wait()
            lost = monotonic()
            attempts.clear()
            await anyio.sleep(away)
            server, _ = started(port)
            await connected(sources)
            back = monotonic() - lost
            with suppress(Exception):
                server.kill()
            tasks.cancel_scope.cancel()
    return [at - lost for at in attempts], back


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


def printed(title: str, attempts: list[float], back: float, streams: int) -> None:
    """Print a histogram."""
    counts = Counter(int(at / STEP_SECONDS) for at in attempts)
    say(f"\n{title}: {len(attempts)} attempts, all {streams} back after {back:.1f} s")
    for step in range(max(counts) + 1):
        say(f"  {step * STEP_SECONDS:5.1f} s {counts[step]:5d} {'#' * (counts[step] * 60 // max(counts.values()))}")
    most = max(Counter(int(at * 10) for at in attempts).values())
    say(f"  most attempts within 0.1 s: {most}")


def main() -> None:
    """Measure and print."""
    given = sys.argv[1:]
    streams = int(given[0]) if given else 1_000
    away = float(given[1]) if given[1:] else 5.0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    printed("as it is", *anyio.run(lost_together, streams, away), streams)

    def without_jitter(_self: object, _low: float, high: float) -> float:
        return high

    with patch.object(backoff.random.Random, "uniform", without_jitter):
        printed("without a random part", *anyio.run(lost_together, streams, away), streams)


if __name__ == "__main__":
    main()
