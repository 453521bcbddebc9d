"""What a call takes of processor, memory and disk: the base figures of docs/capacity.md.

    PYTHONPATH=. .venv/bin/python -m benchmarks.rows.sizing [--json] [--full]

The processor is that of a real `steno run` with its audit log, while calls go on at the rates of real ones, each with a
connection of its own: so a frame comes alone, and wakes the process. The words are those of simulated voice sessions;
how many frames a second a real call has, `benchmarks/rates.py` counts in recordings. Memory is what a process of its
own holds more for open calls; the log is what `steno replay` writes of them.
"""

import asyncio
import base64
import gc
import gzip
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.figures import Figure, Scale, main
from benchmarks.processes import Daemon
from steno.core.frame import Frame
from steno.limits import Limits
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.simulate import voice
from steno.sources.recording import frame_line

BEGIN: Final = 1_767_225_600
KIB: Final = 1024
TURN_SECONDS: Final = 20.0
"""A call of five minutes has 15 turns."""
EVENTS_A_TURN: Final = 40
"""Events without sound: parts of transcripts, items, responses. `rates.py` finds 34 to 41."""
UP_A_TURN: Final = 200
"""Frames of a microphone, 100 ms each, in a turn: it is never off."""
DOWN_A_TURN: Final = 28
"""Frames of the model's speech, 250 ms each: it speaks for 7 of 20 seconds."""
UP_BYTES: Final = 4_800
DOWN_BYTES: Final = 12_000
"""Of 24 kHz, 16 bit, mono, before base64."""
POLICIES: Final = ("none", "redacted", "full")
SHARE: Final = 0.6
"""Of a core that may be busy: what comes above that waits."""


class Load(Struct, frozen=True):
    """Calls that go on at once: how many, for how many seconds, and frames a second of each."""

    calls: int
    seconds: float
    rate: float


class Counted(Struct, frozen=True):
    """What a run took: CPU seconds, frames, and how long."""

    cpu: float
    frames: int
    seconds: float


def call(seed: int) -> list[bytes]:
    """Return the events of a call without their sound, some 210 in six turns, each call another one."""
    said = (step.event for step in voice.session(Random(seed), BEGIN))
    return [msgspec.json.encode(event) for event in said if not str(event["type"]).endswith("audio.delta")]


def spoken(size: int, kind: str, member: str) -> bytes:
    """Return an event with sound."""
    sound = base64.b64encode(Random(size).randbytes(size)).decode()
    return msgspec.json.encode({"type": kind, member: sound})


# Processor: real processes --------------------------------------------------------------------------------


async def at_rate(load: Load, number: int, send: Callable[[], "asyncio.Future[None]"]) -> int:
    """Call `send` at the rate of one call, out of step with the others; return how often that was."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + number / load.calls / load.rate
    count = 0
    while count < load.seconds * load.rate:
        await asyncio.sleep(begin + count / load.rate - loop.time())
        await send()
        count += 1
    return count


async def pushed(steno: Daemon, port: int, load: Load) -> Counted:
    """Push the events of calls without their sound, as a tap does."""
    clients = [await connect(f"ws://127.0.0.1:{port}/v1/push", compression=None, proxy=None) for _ in range(load.calls)]

    def sender(client: ClientConnection, seed: int) -> Callable[[], "asyncio.Future[None]"]:
        frames = cycle(call(seed))
        return lambda: asyncio.ensure_future(client.send(next(frames).decode()))

    counted = await _counted(steno, load, [sender(client, seed) for seed, client in enumerate(clients)])
    await asyncio.gather(*(client.close() for client in clients))
    return counted


async def proxied(steno: Daemon, port: int, load: Load, arrived: "asyncio.Queue[ServerConnection]") -> Counted:
    """Have calls go on through a proxy, with the sound of both sides."""
    url = f"ws://127.0.0.1:{port}/v1/realtime?model=gpt-realtime"
    pairs = []
    for _ in range(load.calls):
        client = await connect(url, compression=None, max_size=None, proxy=None)
        pairs.append((client, await arrived.get()))
    hearing = [asyncio.create_task(_heard(side)) for pair in pairs for side in pair]
    counted = await _counted(steno, load, [_talking(*pair, seed) for seed, pair in enumerate(pairs)])
    await asyncio.gather(*(client.close() for client, _ in pairs), *hearing)
    return counted


async def _heard(side: ClientConnection | ServerConnection) -> None:
    async for _ in side:
        pass


def _talking(client: ClientConnection, provider: ServerConnection, seed: int) -> Callable[[], "asyncio.Future[None]"]:
    """Return what sends the next frame of a call: of the microphone, of the model's speech, or another event."""
    said = cycle(call(seed))
    up = spoken(UP_BYTES, "input_audio_buffer.append", "audio").decode()
    down = spoken(DOWN_BYTES, "response.output_audio.delta", "delta").decode()
    kinds = ["up"] * UP_A_TURN + ["down"] * DOWN_A_TURN + ["said"] * EVENTS_A_TURN
    Random(seed).shuffle(kinds)
    turn = cycle(kinds)

    def send() -> "asyncio.Future[None]":
        kind = next(turn)
        if kind == "up":
            return asyncio.ensure_future(client.send(up))
        return asyncio.ensure_future(provider.send(down if kind == "down" else next(said).decode()))

    return send


async def _counted(steno: Daemon, load: Load, senders: list[Callable[[], "asyncio.Future[None]"]]) -> Counted:
    before, began = steno.cpu(), time.monotonic()
    sent = sum(await asyncio.gather(*(at_rate(load, number, send) for number, send in enumerate(senders))))
    return Counted(steno.cpu() - before, sent, time.monotonic() - began)


def processor(kind: str, load: Load) -> Counted:
    """Run a daemon with a source of `kind` under `load`."""

    async def run(folder: Path) -> Counted:
        arrived: asyncio.Queue[ServerConnection] = asyncio.Queue()

        async def handle(connection: ServerConnection) -> None:
            arrived.put_nowait(connection)
            await connection.wait_closed()

        async with serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
            upstream = next(iter(server.sockets)).getsockname()[1]
            more = f'upstream = "http://127.0.0.1:{upstream}"\n' if kind == "proxy" else ""
            config = folder / "steno.toml"
            config.write_text(
                f'[http]\nlisten = "127.0.0.1:0"\n[[sources]]\nname = "x"\nkind = "{kind}"\n'
                f'listen = "127.0.0.1:0"\n{more}',
                encoding="utf-8",
            )
            steno = Daemon(folder, config)
            try:
                port = (await asyncio.to_thread(steno.logged, "listening"))["port"]
                return await (pushed(steno, port, load) if kind == "listen" else proxied(steno, port, load, arrived))
            finally:
                steno.kill()

    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        return asyncio.run(run(Path(name)))


# Memory and disk ------------------------------------------------------------------------------------------


def resident_kib() -> float:
    """Return what this process holds of the machine's memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4


def held(calls: int, events: int) -> float:
    """Feed so many events of each of so many calls, and return the KiB that each then holds."""
    said = [[Frame(payload, BEGIN * 1_000_000) for payload in call(seed)[:events]] for seed in range(calls)]
    pipeline = Pipeline(Limits(), [Metrics(100)])
    before = resident_kib()
    for number, frames in enumerate(said):
        stream = pipeline.stream_opened(f"desk/{number}", "desk", frames[0].at)
        for frame in frames:
            pipeline.feed(stream, frame)
    return (resident_kib() - before) / calls


def alone(calls: int, events: int) -> float:
    """Do the same in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(held, calls, events).result()


def written(calls: int, policy: str) -> tuple[float, float]:
    """Return the KiB of the audit log of a turn, and of the same by gzip."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "steno.toml").write_text(f'[audit]\ncontent = "{policy}"\n', encoding="utf-8")
        files = [folder / f"call-{number}.jsonl" for number in range(calls)]
        for seed, file in enumerate(files):
            file.write_bytes(b"".join(frame_line(Frame(each, BEGIN * 1_000_000)) for each in call(seed)))
        replay = [sys.executable, "-m", "steno", "replay", "-c", "steno.toml", "--audit", "log", *map(str, files)]
        subprocess.run(replay, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # this program itself
        log = b"".join(segment.read_bytes() for segment in sorted((folder / "log").glob("audit-*.jsonl")))
        turns = sum(b"speech_stopped" in each for seed in range(calls) for each in call(seed))
        return len(log) / turns / KIB, len(gzip.compress(log)) / turns / KIB


def _turns(calls: int, events: int) -> float:
    """Return how many turns a call has in so many events, on average."""
    return sum(b"speech_stopped" in each for seed in range(calls) for each in call(seed)[:events]) / calls


# The figures ----------------------------------------------------------------------------------------------


def rows(scale: Scale) -> Iterable[Figure]:
    """Measure all of it."""
    seconds, times = (20.0, 3) if scale.full else (8.0, 1)
    sideband = Load(200 * times, seconds, EVENTS_A_TURN / TURN_SECONDS)
    voiced = Load(40, seconds, (EVENTS_A_TURN + UP_A_TURN + DOWN_A_TURN) / TURN_SECONDS)
    yield _cost("a call without sound, listen", sideband, processor("listen", sideband))
    yield _cost("a call with sound, proxy", voiced, processor("proxy", voiced))
    yield from _memory(300 * times)
    for policy in POLICIES:
        plain, small = written(60 * times, policy)
        yield Figure(f'log of a turn, content = "{policy}"', "-", (plain,), None, "KiB", note=f"{small:.2f} by gzip")


def _cost(name: str, load: Load, took: Counted) -> Figure:
    value = took.cpu / took.seconds / load.calls * 1e3
    note = (
        f"{load.calls} calls of {load.rate:.1f} frames/s; {took.cpu / took.frames * 1e6:.0f} us a frame; "
        f"{SHARE / value * 1e3:,.0f} calls at {SHARE:.0%} of a core"
    )
    return Figure(f"CPU of {name}", "-", (value,), None, "ms a second", note=note)


def _memory(calls: int) -> Iterator[Figure]:
    """Yield what a call holds that has begun, and how much more with every turn."""
    begun, some, whole = (alone(calls, events) for events in (1, 80, 1_000))
    turns = _turns(calls, 1_000) - _turns(calls, 80)
    yield Figure("memory of a call that has begun", "-", (begun,), None, "KiB", note="without its connection")
    yield Figure(
        "memory of a turn of an open call",
        "-",
        ((whole - some) / turns,),
        None,
        "KiB",
        note=f"{whole:.0f} after {_turns(calls, 1_000):.1f}",
    )


if __name__ == "__main__":
    main(rows)
