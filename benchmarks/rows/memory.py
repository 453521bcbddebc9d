"""What a conversation and an idle source hold of memory, and whether a process that runs for long grows.

All of it is resident memory (RSS), which is what users pay: the slope over many conversations or connections, each
process its own. Garbage is collected before each reading, and nothing is tuned for it.

- *Begun*: a stream was opened, and `session.created` and `session.updated` of the simulated provider were fed, with the
  object of the session (1.3 KiB), which is kept as it came. Sinks: metrics. A second row has the page's timeline too.
- *Busy*: begun, and then a response with 2,000 deltas of its transcript, a word each, as recordings have them.
- *For long*: conversations of 100 events that begin and end, into the sinks of a daemon without an audit log.
- *Idle source*: a `connect` source of `steno run` whose connection says nothing, beside a client of `websockets` with
  the options that steno gives it.
"""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Final

from websockets.asyncio.server import Server, ServerConnection, serve

from benchmarks.figures import Figure, Scale, main
from benchmarks.processes import running, steno

KIB: Final = 1024
PAGE: Final = 4 * KIB
ROUNDS: Final = 3
"""A process a round; resident memory hardly wavers."""
PATIENCE_SECONDS: Final = 120.0
FEW, MANY = 20, 220
"""Connections between which the slope of an idle source is taken."""

FEED: Final = r"""
import gc, json, random, sys
from itertools import islice
import msgspec
from steno.core.frame import Frame
from steno.limits import Limits
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.simulate import voice
from steno.view.recent import RecentFacts

BEGIN = 1_767_225_600
limits = Limits()
sinks = [Metrics(limits.label_values)]
if "recent" in sys.argv:
    sinks.append(RecentFacts(limits.recent_bytes, ()))
pipeline = Pipeline(limits, sinks)
letters = random.Random(1)

def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def opened(number):
    return pipeline.stream_opened(f"desk/{BEGIN}000000/{number}", "desk", BEGIN * 1_000_000 + number)

def feed(stream, number, *events):
    for event in events:
        pipeline.feed(stream, Frame(msgspec.json.encode(event), BEGIN * 1_000_000 + number))

def begun(number):
    steps = voice.session(random.Random(number), BEGIN)
    kinds = ("session.created", "session.updated")
    stream = opened(number)
    feed(stream, number, *islice((step.event for step in steps if step.event["type"] in kinds), 2))
    return stream

def words(count):
    return (" " + "".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=letters.randint(2, 8))) for _ in range(count))

def answer(stream, number, deltas):
    ids = {"response_id": f"resp_{number}", "item_id": f"item_{number}", "output_index": 0, "content_index": 0}
    feed(stream, number, {"type": "response.created", "event_id": f"event_{letters.getrandbits(64):021d}",
                          "response": {"id": f"resp_{number}", "status": "in_progress"}})
    for word in words(deltas):
        kind = "response.output_audio_transcript.delta"
        feed(stream, number, {"type": kind, "event_id": f"event_{letters.getrandbits(64):021d}", **ids, "delta": word})
    return ids

def end(stream, number):
    feed(stream, number, {"type": "response.done", "event_id": f"event_{letters.getrandbits(64):021d}",
                          "response": {"id": f"resp_{number}", "status": "completed", "output": []}})
    pipeline.stream_closed(stream, BEGIN * 1_000_000 + number, 1000)
"""

SLOPE: Final = r"""
few, many, deltas = map(int, sys.argv[1:4])
def conversation(number):
    stream = begun(number)
    if deltas:
        answer(stream, number, deltas)
for number in range(few):
    conversation(number)
before = resident()
for number in range(few, many):
    conversation(number)
print((resident() - before) / (many - few))
"""

LONG: Final = r"""
first, all_, events = map(int, sys.argv[1:4])
for number in range(all_):
    if number == first:
        before = resident()
    stream = begun(number)
    answer(stream, number, events - 4)
    end(stream, number)
print(resident() / before)
"""

CLIENTS: Final = r"""
import asyncio, gc, sys
from websockets.asyncio.client import connect

async def main():
    port, few, many = map(int, sys.argv[1:4])
    options = {"max_size": 16 * 1024 * 1024, "ping_interval": None, "compression": None, "proxy": None,
               "write_limit": 1024 * 1024}
    connections = [await connect(f"ws://127.0.0.1:{port}", **options) for _ in range(few)]
    readings = [asyncio.create_task(each.recv(decode=False)) for each in connections]
    await asyncio.sleep(1)
    before = resident()
    connections += [await connect(f"ws://127.0.0.1:{port}", **options) for _ in range(many - few)]
    readings += [asyncio.create_task(each.recv(decode=False)) for each in connections[few:]]
    await asyncio.sleep(1)
    print((resident() - before) / (many - few))

def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * 4096

asyncio.run(main())
"""


def told(program: str, *arguments: int | str) -> float:
    """Run `program` in a process of its own, and return the number that it prints."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603  # ours


# Sources ------------------------------------------------------------------------------------------------------------


class SilentServer:
    """Accepts connections in a thread, and says nothing."""

    def __init__(self) -> None:
        """Begin without connections."""
        self.port = 0
        self._server: Server | None = None
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._server.connections) if self._server else 0

    async def _stay(self, connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def _run(self) -> None:
        async with serve(
            self._stay, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096
        ) as self._server:
            self.port = next(iter(self._server.sockets)).getsockname()[1]
            self._ready.set()
            await self._over.wait()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve within the block."""
        thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))
        thread.start()
        self._ready.wait()
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._over.set)
            thread.join()


def resident_of(process: int) -> int:
    """Return what the process holds of the machine's memory, in bytes."""
    return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * PAGE


def daemon_with(server: SilentServer, sources: int) -> int:
    """Return the resident memory of a daemon whose connect sources all have their connection."""
    with TemporaryDirectory() as folder:
        lines = ['[http]\nlisten = "127.0.0.1:0"\n']
        url = f"ws://127.0.0.1:{server.port}/"
        lines += [f'[[sources]]\nname = "s{number}"\nkind = "connect"\nurl = "{url}"\n' for number in range(sources)]
        place = Path(folder, "steno.toml")
        place.write_text("\n".join(lines), encoding="utf-8")
        before = server.connections
        with running(steno("run", "-c", place), Path(folder)) as daemon:
            until = monotonic() + PATIENCE_SECONDS
            while server.connections < before + sources and monotonic() < until:
                sleep(0.1)
            sleep(3)  # the collector and the first ticks have their turn
            return resident_of(daemon.pid)


def idle_source(server: SilentServer) -> float:
    """Return the bytes of an idle source with its connection."""
    return (daemon_with(server, MANY) - daemon_with(server, FEW)) / (MANY - FEW)


# Rows ---------------------------------------------------------------------------------------------------------------


def kib(measured: str, bound: float | None, values: Iterable[float], note: str = "") -> Figure:
    """Return a figure in KiB."""
    return Figure(measured, "-", tuple(value / KIB for value in values), bound, unit="KiB", note=note)


def rows(scale: Scale) -> Iterable[Figure]:
    """Measure, one figure after the other."""
    rounds = range(min(ROUNDS, scale.rounds))
    begun, busy = (500, 3_500, 0), (10, 60, 2_000)
    program = FEED + SLOPE
    yield kib("memory of a conversation that has begun", 5, [told(program, *begun) for _ in rounds])
    with_page = [told(program, *begun, "recent") for _ in rounds]
    yield kib("the same, with what the page shows of it", None, with_page)
    yield kib("memory of a busy conversation (2,000 deltas)", 48, [told(program, *busy) for _ in rounds])
    first, last, events = (10_000, 100_000, 100) if scale.full else (1_000, 10_000, 100)
    growth = (told(FEED + LONG, first, last, events, "recent"),)
    against = f"after the first {first * events:,}"
    yield Figure(f"memory after {last * events:,} events, {last:,} conversations", against, growth, 1.02)
    server = SilentServer()
    with server.serving():
        pairs = [(idle_source(server), told(CLIENTS, server.port, FEW, MANY)) for _ in rounds]
    note = f"{pairs[0][0] / KIB:.1f} / {pairs[0][1] / KIB:.1f} KiB"
    ratio = tuple(ours / bare for ours, bare in pairs)
    yield Figure("memory of an idle source with its connection", "a bare websockets client", ratio, 1.6, note=note)


if __name__ == "__main__":
    main(rows)
