"""What a proxy adds to a call: CPU a frame and latency, beside a bare relay and a direct connection in the same run.

    PYTHONPATH=. .venv/bin/python -m benchmarks.rows.proxy [--json] [--full]

The relay is what anyone would write: two connections of `websockets`, and a task a direction that receives and sends.
The proxy reads along, with decoding, state and metrics. Each of them is a process of its own, and its CPU is its whole
CPU, user and system. The provider and its clients are in this process, so that one clock tells when a frame left and
came. Two of three frames go to the client: whole conversations of `mix.py`, in order, other ones for each call. The
third goes to the provider: sound, as a microphone gives it.
"""

import asyncio
import base64
import resource
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, cycle, islice
from random import Random
from time import perf_counter
from typing import Any, Final

import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from benchmarks import mix
from benchmarks.figures import Figure, Scale, main

CALLS: Final = 10
RATE: Final = 60
"""Frames a second of a call, both ways together: what a voice session has while somebody speaks."""
SOUND_BYTES: Final = 3_200
"""Of one frame that a client sends: 67 ms of 24 kHz, 16 bit, mono."""
FAST_FRAMES: Final = (6_500, 3_500)
"""Frames of a call at full speed, down and up, in each round."""
SECONDS: Final = 3.0
FULL_SECONDS: Final = 15.0
"""Of calls at their rate, in each round."""
BOUND: Final = 1.3
LEAST_READ: Final = 0.99
"""Share of the frames that must have been read along as events. The first ones of a repeated conversation are not."""
SIDES: Final = ("relay", "proxy")

Connection = ClientConnection | ServerConnection


class Frames:
    """What both ends of calls say."""

    def __init__(self, count: int) -> None:
        """Make some `count` frames."""
        self._down = cycle(list(_conversations(count)))
        sounds = [base64.b64encode(Random(seed).randbytes(SOUND_BYTES)).decode() for seed in range(100)]
        self._up = cycle([f'{{"type":"input_audio_buffer.append","audio":"{sound}"}}' for sound in sounds])

    def call(self) -> tuple[Iterator[str], Iterator[str]]:
        """Return what comes down and what goes up on one more call."""
        return chain.from_iterable(self._down), self._up


def _conversations(count: int) -> Iterator[list[str]]:
    frames: list[str] = []
    for line in mix.lines(count):
        data = msgspec.json.decode(line, type=dict[str, msgspec.Raw]).get("data")
        if data is not None:
            frames.append(bytes(data).decode())
        else:  # the end of a connection
            yield frames
            frames = []


# What stands in the middle ------------------------------------------------------------------------------


async def middle(side: str, upstream: str) -> None:
    """Stand before `upstream`. Answer each line of standard input by the CPU taken, and the frames read along."""
    loop = asyncio.get_running_loop()
    port, read = await (_relay(upstream) if side == "relay" else _proxy(upstream))
    _say(port)
    while await loop.run_in_executor(None, sys.stdin.readline):
        used = resource.getrusage(resource.RUSAGE_SELF)
        _say(used.ru_utime + used.ru_stime, read())


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


_kept: list[Any] = []

Read = Callable[[], int]


async def _relay(upstream: str) -> tuple[int, Read]:
    async def one_way(source: Connection, target: Connection) -> None:
        async for message in source:
            await target.send(message)
        await target.close()

    async def relay(client: ServerConnection) -> None:
        async with (
            connect(upstream, compression=None, max_size=None, proxy=None) as provider,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(one_way(client, provider))
            tasks.create_task(one_way(provider, client))

    server = await serve(relay, "127.0.0.1", 0, compression=None, max_size=None)
    _kept.append(server)
    return int(next(iter(server.sockets)).getsockname()[1]), lambda: 0


async def _proxy(upstream: str) -> tuple[int, Read]:
    import structlog  # noqa: PLC0415  # the relay does without

    from steno.config.sources.proxy import ProxySource as ProxyConfig  # noqa: PLC0415  # as above
    from steno.limits import Limits  # noqa: PLC0415  # as above
    from steno.metrics.sink import Metrics  # noqa: PLC0415  # as above
    from steno.pipeline import Pipeline  # noqa: PLC0415  # as above
    from steno.sources.clock import Clock  # noqa: PLC0415  # as above
    from steno.sources.proxy.source import ProxySource  # noqa: PLC0415  # as above
    from steno.sources.stream_session import StreamSessions  # noqa: PLC0415  # as above

    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    limits = Limits()
    pipeline = Pipeline(limits, [Metrics(limits.label_values)])
    address = upstream.replace("ws://", "http://")
    config = ProxyConfig(name="front", kind="proxy", listen="127.0.0.1:0", upstream=address)
    source = ProxySource(config, StreamSessions(pipeline, Clock(), limits=limits))
    _kept.append(asyncio.get_running_loop().create_task(source.run()))
    while not source.ready:  # noqa: ASYNC110  # a script waits for a moment
        await asyncio.sleep(0.01)
    return source.port, lambda: sum(pipeline.events.values()) + sum(pipeline.others.values())


class Middle:
    """A process in the middle."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        """Speak with `process`, which listens on `port`."""
        self.url = f"ws://127.0.0.1:{port}"
        self.read = 0
        """Frames that it has read along, decoded and found to be events."""
        self._process = process

    @classmethod
    async def start(cls, side: str, upstream: str) -> "Middle":
        """Start it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.rows.proxy",
            side,
            upstream,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process, int(await _line(process)))

    async def cpu(self) -> float:
        """Return the seconds of CPU that it has taken."""
        assert self._process.stdin  # noqa: S101  # it is a pipe
        self._process.stdin.write(b"\n")
        cpu, read = (await _line(self._process)).split()
        self.read = int(read)
        return float(cpu)

    async def end(self) -> None:
        """End it."""
        assert self._process.stdin  # noqa: S101  # it is a pipe
        self._process.stdin.close()
        await self._process.wait()


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout  # noqa: S101  # it is a pipe
    return await process.stdout.readline()


# The calls ----------------------------------------------------------------------------------------------


class Provider:
    """A server that hands each connection to who asked for it."""

    def __init__(self) -> None:
        """Have none yet."""
        self.arrived: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def handle(self, connection: ServerConnection) -> None:
        """Hand it over, and keep it open."""
        self.arrived.put_nowait(connection)
        await connection.wait_closed()


Pairs = list[tuple[ServerConnection, ClientConnection]]


async def paced(pairs: dict[str, Pairs], frames: Frames, seconds: float) -> dict[str, list[float]]:
    """Let all calls go on at their rate, out of step; return how long each frame took, by side.

    The sides take turns within each period of a call, so that what else the machine does falls on all of them.
    """
    took: dict[str, list[float]] = {side: [] for side in pairs}

    async def call(number: int, side: str, begin: float) -> None:
        provider, client = pairs[side][number]
        down, up = frames.call()
        loop = asyncio.get_running_loop()
        due, turn = begin, number
        while due < begin + seconds:
            await asyncio.sleep(due - loop.time())
            said, heard, what = (client, provider, up) if turn % 3 == 0 else (provider, client, down)
            frame = next(what)
            left = perf_counter()
            await said.send(frame)
            await heard.recv(decode=False)
            took[side].append(perf_counter() - left)
            due, turn = due + 1 / RATE, turn + 1

    begin = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as tasks:
        for number in range(CALLS):
            for place, side in enumerate(pairs):
                step = (number + place / len(pairs)) / CALLS / RATE
                tasks.create_task(call(number, side, begin + step))
    return took


async def full_speed(pairs: Pairs, frames: Frames) -> int:
    """Send and receive without a pause on one call, both ways; return how many frames that were."""
    provider, client = pairs[0]
    down, up = (list(islice(each, part)) for each, part in zip(frames.call(), FAST_FRAMES, strict=True))

    async def send(connection: Connection, what: list[str]) -> None:
        for message in what:
            await connection.send(message)

    async def receive(connection: Connection, number: int) -> None:
        for _ in range(number):
            await connection.recv(decode=False)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send(provider, down))
        tasks.create_task(receive(client, len(down)))
        tasks.create_task(send(client, up))
        tasks.create_task(receive(provider, len(up)))
    return sum(FAST_FRAMES)


async def opened(provider: Provider, url: str, calls: int) -> Pairs:
    """Open calls by `url`."""
    pairs = []
    for _ in range(calls):
        client = await connect(f"{url}/v1/realtime?model=gpt-realtime", compression=None, max_size=None, proxy=None)
        pairs.append((await provider.arrived.get(), client))
    return pairs


async def _closed(pairs: Pairs) -> None:
    for _, client in pairs:
        await client.close()


class Taken(Struct):
    """What was measured, by side."""

    latencies: dict[str, list[float]]
    """Seconds, of each frame at the rate."""
    slow: dict[str, list[float]]
    """Microseconds of CPU a frame at the rate, a round each."""
    fast: dict[str, list[float]]
    """The same at full speed."""


async def measured(
    provider: Provider, urls: dict[str, str], middles: dict[str, Middle], seconds: float, rounds: int
) -> Taken:
    """Measure all sides in turn, for so many seconds in each round."""
    frames = Frames(100_000)  # no call hears a conversation again
    taken = Taken({side: [] for side in urls}, {side: [] for side in middles}, {side: [] for side in middles})
    for _ in range(rounds):
        pairs = {side: await opened(provider, url, CALLS) for side, url in urls.items()}
        before = {side: await each.cpu() for side, each in middles.items()}
        for side, latencies in (await paced(pairs, frames, seconds)).items():
            taken.latencies[side] += latencies
            if side in middles:
                taken.slow[side].append((await middles[side].cpu() - before[side]) / len(latencies) * 1e6)
        for side, each in middles.items():
            start = await each.cpu()
            number = await full_speed(pairs[side], frames)
            taken.fast[side].append((await each.cpu() - start) / number * 1e6)
        for opened_ in pairs.values():
            await _closed(opened_)
    return taken


async def run(seconds: float, rounds: int) -> Taken:
    """Start both sides, and measure."""
    provider = Provider()
    async with serve(provider.handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
        direct = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        middles = {side: await Middle.start(side, direct) for side in SIDES}
        urls = {"direct": direct, **{side: each.url for side, each in middles.items()}}
        taken = await measured(provider, urls, middles, seconds, rounds)
        read = middles["proxy"].read
        for each in middles.values():
            await each.end()
    passed = len(taken.latencies["proxy"]) + rounds * sum(FAST_FRAMES)
    if read < passed * LEAST_READ:
        sys.exit(f"the proxy has read along {read} of {passed} frames: the figures are of no use")
    return taken


# The figures --------------------------------------------------------------------------------------------


def rows(scale: Scale) -> Iterable[Figure]:
    """Measure the proxy, the relay and a direct connection in turn."""
    taken = asyncio.run(run(FULL_SECONDS if scale.full else SECONDS, scale.rounds))
    for said, costs in ((f"at {RATE} frames a second", taken.slow), ("at full speed", taken.fast)):
        relay, proxy = (costs[side] for side in SIDES)
        yield Figure(
            f"proxy, CPU a frame {said}",
            "a bare relay of two connections",
            tuple(a / b for a, b in zip(proxy, relay, strict=True)),
            BOUND,
            note=f"{statistics.median(proxy):.1f} and {statistics.median(relay):.1f} us",
        )
    yield from _latencies(taken.latencies)


def _latencies(latencies: dict[str, list[float]]) -> Iterator[Figure]:
    direct = _quantiles(latencies["direct"])
    for place, name in enumerate(("median", "99th percentile")):
        relay, proxy = (_quantiles(latencies[side])[place] - direct[place] for side in SIDES)
        yield Figure(
            f"proxy, latency that it adds, {name}",
            "-",
            (proxy,),
            None,
            "ms",
            note=f"the relay {relay:.3f} ms; direct {direct[place]:.3f} ms",
        )


def _quantiles(values: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile of seconds, in milliseconds."""
    cuts = statistics.quantiles(values, n=100)
    return cuts[49] * 1e3, cuts[98] * 1e3


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in SIDES:
        asyncio.run(middle(sys.argv[1], sys.argv[2]))
    else:
        main(rows)
