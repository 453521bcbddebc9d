"""Two processes on one port beside one: events a second of wall time, and CPU an event.

    PYTHONPATH=. .venv/bin/python -m benchmarks.rows.processes [--json] [--full]

Each side is `steno run` as a user has it, with an audit log, and frames that are pushed to a `listen` source: whole
conversations of `mix.py`, over many connections, without a pause. Who sends them takes a part of a core, and its share
is said: on a machine of two cores the second process can gain no more than what that leaves.
"""

import asyncio
import os
import re
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final
from urllib.request import urlopen

import msgspec
from msgspec import Struct

from benchmarks import mix
from benchmarks.figures import Figure, Scale, main, ratios
from benchmarks.processes import Daemon

CONNECTIONS: Final = 64
"""The kernel divides them by a hash: of so many each process gets about a half."""
CHUNK: Final = 64 * 1024
LONG: Final = 1 << 16
SHORT: Final = 126
CLOSE: Final = b"\x88\x82" + bytes(4) + b"\x03\xe8"
WARM_FRAMES: Final = 4_000
SETTLED_SECONDS: Final = 0.5
"""From the last close, which is answered when all before it was read, to when the log of it is written."""


class Run(Struct, frozen=True):
    """What one run took: seconds, events, and CPU seconds of the processes and of the sender."""

    wall: float
    events: int
    cpu: float
    sender: float


def framed(payload: bytes) -> bytes:
    """Return a text message as a client sends it. The mask is zero: it costs the server as much as any other."""
    size = len(payload)
    if size < SHORT:
        head = bytes((0x81, 0x80 | size))
    elif size < LONG:
        head = bytes((0x81, 0x80 | SHORT)) + size.to_bytes(2)
    else:
        head = bytes((0x81, 0x80 | 127)) + size.to_bytes(8)
    return head + bytes(4) + payload


def parts(frames: int, seed: int = 1) -> list[bytes]:
    """Return what each connection sends: whole conversations, one after the other."""
    made: list[list[bytes]] = [[] for _ in range(CONNECTIONS)]
    place = 0
    for line in mix.lines(frames, seed):
        data = msgspec.json.decode(line, type=dict[str, msgspec.Raw]).get("data")
        if data is None:
            place = (place + 1) % CONNECTIONS
        else:
            made[place].append(framed(bytes(data)))
    return [b"".join(part) for part in made]


# The processes ------------------------------------------------------------------------------------------


def started(folder: Path, number: int, count: int, port: int) -> Daemon:
    """Start one of `count` daemons at a port."""
    config = folder / "steno.toml"
    config.write_text(
        f'[[sources]]\nname = "push"\nkind = "listen"\nlisten = "127.0.0.1:{port}"\nreuse_port = true\n'
        "handshakes_per_minute = 1_000_000\n",
        encoding="utf-8",
    )
    return Daemon(folder, config, "--shard", f"{number}/{count}", "--http-listen", "127.0.0.1:0", log=str(number))


def events_of(daemon: Daemon) -> int:
    """Return how many events it has counted."""
    with urlopen(f"{daemon.logged('started')['http']}/metrics") as answer:  # noqa: S310  # it is on loopback
        text = answer.read().decode()
    return sum(int(float(value)) for value in re.findall(r"^steno_events_total\{.*\} (\S+)$", text, re.MULTILINE))


def run(count: int, warm: list[bytes], sent: list[bytes], frames: int) -> Run:
    """Have `count` processes read all that is `sent`, after as much `warm` as each needs to be at its speed."""
    with TemporaryDirectory() as folder, socket.socket() as kept, ExitStack() as running:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        port = kept.getsockname()[1]
        processes = [started(Path(folder), number, count, port) for number in range(1, count + 1)]
        for each in processes:
            running.callback(each.kill)
        for each in processes:
            each.logged("listening")
        for _ in processes:
            asyncio.run(send(port, warm))
        already = _settled(processes, 1)
        before, own, began = sum(each.cpu() for each in processes), time.process_time(), time.perf_counter()
        asyncio.run(send(port, sent))
        sender = time.process_time() - own
        wall = time.perf_counter() - began
        time.sleep(SETTLED_SECONDS)
        cpu = sum(each.cpu() for each in processes) - before  # before they are asked: a scrape costs as well
        _settled(processes, already + frames)
        return Run(wall, frames, cpu, sender)


def _settled(processes: list[Daemon], least: int) -> int:
    """Return how many events were counted, once there are so many and no more come."""
    events = 0
    while True:
        time.sleep(SETTLED_SECONDS)
        former, events = events, sum(map(events_of, processes))
        if former == events >= least:
            return events


# The sender ---------------------------------------------------------------------------------------------


async def send(port: int, sent: list[bytes]) -> None:
    """Send all parts at once, a connection each, and close in order."""
    async with asyncio.TaskGroup() as tasks:
        for part in sent:
            tasks.create_task(push(port, part))


async def push(port: int, part: bytes) -> None:
    """Send one part."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /v1/push HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    for begin in range(0, len(part), CHUNK):
        writer.write(part[begin : begin + CHUNK])
        await writer.drain()
    writer.write(CLOSE)
    await reader.read()
    writer.close()


# The figures --------------------------------------------------------------------------------------------


def rows(scale: Scale) -> Iterable[Figure]:
    """Measure one process and two in turn."""
    warm, sent = parts(WARM_FRAMES, seed=2), parts(scale.frames)
    frames = sum(1 for line in mix.lines(scale.frames) if b'"data":' in line)
    kept: dict[int, list[Run]] = {1: [], 2: []}

    def wall(count: int) -> float:
        kept[count].append(run(count, warm, sent, frames))
        return kept[count][-1].wall

    values, two, one = ratios(partial(wall, 1), partial(wall, 2), scale.rounds)
    yield from _figures(values, {1: kept[1][1:], 2: kept[2][1:]}, (one, two), frames)


def _figures(
    values: tuple[float, ...], runs: dict[int, list[Run]], walls: tuple[float, float], frames: int
) -> Iterator[Figure]:
    two, one = walls
    share = [median(each.sender / each.wall for each in runs[count]) for count in (1, 2)]
    yield Figure(
        "listen, events a second of wall time, two processes",
        "one process",
        values,
        None,
        note=f"{frames / two:,.0f} and {frames / one:,.0f} events/s on {os.cpu_count()} cores; "
        f"of a core the sender took {share[1]:.0%} and {share[0]:.0%}; load {os.getloadavg()[0]:.0f}",
    )
    cost = {count: [each.cpu / each.events * 1e6 for each in runs[count]] for count in (1, 2)}
    yield Figure(
        "listen, CPU an event, two processes",
        "one process",
        tuple(b / a for a, b in zip(cost[1], cost[2], strict=True)),
        None,
        note=f"{median(cost[2]):.1f} and {median(cost[1]):.1f} us",
    )


if __name__ == "__main__":
    main(rows)
