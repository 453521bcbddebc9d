"""steno beside what else reads such streams: the proxy of LiteLLM, and the SDK as OpenLLMetry instruments it.

    make peers
    PYTHONPATH=. .venv/bin/python -m benchmarks.rows.peers [--json] [--full]

Each is a process of its own, with the configuration that its users begin with: steno with metrics and an audit log,
LiteLLM with a model and a master key, OpenLLMetry with a tracer whose spans go nowhere. The provider of both proxies is
`steno simulate`, which answers at once. A call is a session in which somebody writes and is answered, turn by turn; a
frame is counted where the client sends or receives it. A stream is generated traffic, sent without a pause. Each peer
has an environment of its own, from a lock. Nothing is installed here: the row of what is missing says so.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from benchmarks import mix
from benchmarks.figures import Figure, Scale, main, ratios
from benchmarks.processes import PEERS, peer

TOP: Final = Path(__file__).parents[2]
KEY: Final = "sk-5f0c1d8e7a6b4c3d2e1f0a9b8c7d6e5f"
CALLS: Final = 10
TURNS: Final = (10, 60)
"""Turns of a call in each round, quick and full."""
ASKED: Final = 200
"""Requests whose answers are timed, in each round."""
OPEN_CALLS: Final = (60, 250)
"""Calls that are open at once while memory is read, quick and full."""
SETTLED_SECONDS: Final = 0.5
"""From the end of a call to when what is written of it is written."""
START_SECONDS: Final = 120.0
TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
ITEM: Final = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is left to pay?"}]}
SAY: Final = msgspec.json.encode({"type": "conversation.item.create", "item": ITEM}).decode()
ANSWER: Final = '{"type":"response.create"}'
TEXT_ONLY: Final = '{"type":"session.update","session":{"type":"realtime","output_modalities":["text"]}}'

Side = Literal["steno", "litellm"]


class Kind(Struct):
    """What is read of a frame."""

    type: str


# Processes ----------------------------------------------------------------------------------------------


class Process:
    """A program that listens on a port which the kernel has chosen a moment before."""

    def __init__(self, command: list[str], port: int, folder: Path, **environ: str) -> None:
        """Start it, with its output in `folder`."""
        with (folder / f"{port}.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  # programs of the lock, and this one
                command, cwd=folder, env={**os.environ, **environ}, stdout=log, stderr=log
            )
        self.url = f"ws://127.0.0.1:{port}/v1/realtime?model=gpt-realtime"

    def _stat(self) -> list[str]:
        return Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()

    def cpu(self) -> float:
        """Return the seconds of CPU that it has taken, user and system."""
        fields = self._stat()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self) -> int:
        """Return the bytes of memory that it holds."""
        return int(self._stat()[21]) * PAGE

    def end(self) -> None:
        """End it, and wait for that."""
        self._process.terminate()
        self._process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    import socket  # noqa: PLC0415  # for this alone

    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def provider(folder: Path) -> tuple[Process, int]:
    """Start the simulated provider, and return it with its port."""
    port = free_port()
    command = [sys.executable, "-m", "steno", "simulate", "--listen", f"127.0.0.1:{port}", "--speed", "0"]
    return Process(command, port, folder), port


def steno(folder: Path, upstream: int) -> Process:
    """Start steno's proxy."""
    port = free_port()
    (folder / "steno.toml").write_text(
        f'[http]\nlisten = "127.0.0.1:0"\n[[sources]]\nname = "front"\nkind = "proxy"\n'
        f'listen = "127.0.0.1:{port}"\nupstream = "http://127.0.0.1:{upstream}"\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "steno", "run", "-c", "steno.toml"]
    return Process(command, port, folder, LOGS_DIRECTORY=str(folder / "log"))


def litellm(folder: Path, upstream: int) -> Process:
    """Start LiteLLM's proxy."""
    port = free_port()
    (folder / "litellm.yaml").write_text(
        "model_list:\n  - model_name: gpt-realtime\n    litellm_params:\n      model: openai/gpt-realtime\n"
        f"      api_base: http://127.0.0.1:{upstream}\n      api_key: none\n"
        f"general_settings:\n  master_key: {KEY}\n",
        encoding="utf-8",
    )
    command = [
        str(PEERS / "litellm/bin/litellm"),
        "--config",
        "litellm.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    # It would ask the network for prices, and for its version.
    return Process(command, port, folder, LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_TELEMETRY="False")


# Calls --------------------------------------------------------------------------------------------------


async def opened(url: str) -> ClientConnection:
    """Open a call, and wait until its session is as it is wanted."""
    headers = {"Authorization": f"Bearer {KEY}"}
    call = await connect(url, additional_headers=headers, compression=None, max_size=None, proxy=None)
    await call.send(TEXT_ONLY)
    await until(call, "session.updated")
    return call


async def until(call: ClientConnection, kind: str) -> int:
    """Receive until an event of this kind; return how many frames that were."""
    for count in range(1, 10_000):
        if msgspec.json.decode(await call.recv(decode=False), type=Kind).type == kind:
            return count
    raise RuntimeError(f"no {kind} has come")


async def turn(call: ClientConnection) -> int:
    """Say something, and hear the answer; return how many frames that were, both ways."""
    await call.send(SAY)
    await call.send(ANSWER)
    return 2 + await until(call, "response.done")


async def started(process: Process) -> None:
    """Return when a call can be made."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            async with asyncio.timeout(START_SECONDS):
                call = await opened(process.url)
                await turn(call)
                await call.close()
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


async def cpu_a_frame(process: Process, turns: int) -> float:
    """Have calls go on at once, without a pause, to their end; return the microseconds of CPU a frame."""

    async def go_on(call: ClientConnection) -> int:
        return sum([await turn(call) for _ in range(turns)])

    calls = [await opened(process.url) for _ in range(CALLS)]
    before = process.cpu()
    frames = sum(await asyncio.gather(*map(go_on, calls)))
    await asyncio.gather(*(call.close() for call in calls))
    await asyncio.sleep(SETTLED_SECONDS)
    return (process.cpu() - before) / frames * 1e6


async def round_trips(processes: Iterable[Process]) -> list[float]:
    """Return the median milliseconds from a frame that a client sends to its answer, at each, asked in turn."""
    calls = [await opened(each.url) for each in processes]
    took: list[list[float]] = [[] for _ in calls]
    for _ in range(ASKED):
        for call, times in zip(calls, took, strict=True):
            began = time.perf_counter()
            await call.send(TEXT_ONLY)
            await until(call, "session.updated")
            times.append((time.perf_counter() - began) * 1e3)
    await asyncio.gather(*(call.close() for call in calls))
    return [median(times) for times in took]


async def memory_a_call(process: Process, number: int) -> float:
    """Open calls of one turn each, and return what each takes, in KiB."""
    before = process.resident()
    calls = [await opened(process.url) for _ in range(number)]
    for call in calls:
        await turn(call)
    took = process.resident() - before
    await asyncio.gather(*(call.close() for call in calls))
    return took / number / 1024


# One stream ---------------------------------------------------------------------------------------------------


def stream(frames: int) -> list[str]:
    """Return the realtime frames of the mix."""
    said = (msgspec.json.decode(line, type=dict[str, msgspec.Raw]).get("data") for line in mix.lines(frames))
    return [bytes(each).decode() for each in said if each is not None and bytes(each).startswith(b'{"type":')]


async def read_by_steno(frames: list[str], folder: Path) -> float:
    """Return the seconds of CPU that a source of `kind = "connect"` takes for them, audit log included."""
    came: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def handle(connection: ServerConnection) -> None:
        came.put_nowait(connection)
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        (folder / "connect.toml").write_text(
            f'[http]\nlisten = "127.0.0.1:0"\n[[sources]]\nname = "x"\nkind = "connect"\n'
            f'url = "ws://127.0.0.1:{port}/"\n',
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "steno", "run", "-c", "connect.toml"]
        reader = Process(command, port, folder, LOGS_DIRECTORY=str(folder / "connect"))
        try:
            connection = await came.get()
            before = reader.cpu()
            for frame in frames:
                await connection.send(frame)
            await (await connection.ping())  # it is answered when all before it was read
            await asyncio.sleep(SETTLED_SECONDS)
            return reader.cpu() - before
        finally:
            reader.end()


async def read_by_openllmetry(frames: list[str]) -> float:
    """Return the seconds of CPU that the instrumented SDK takes for them."""

    async def handle(connection: ServerConnection) -> None:
        for frame in frames:
            await connection.send(frame)

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1"
        program = TOP / "benchmarks/programs/openllmetry.py"
        python = PEERS / "openllmetry/bin/python"
        process = await asyncio.create_subprocess_exec(python, program, url, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
    count, took, _ = said.split()
    if int(count) != len(frames):
        raise RuntimeError(f"the SDK has read {count!r} of {len(frames)} frames")
    return float(took)


def _of_streams(scale: Scale) -> Iterator[Figure]:
    frames = stream(scale.frames)
    with TemporaryDirectory() as name:
        values, ours, theirs = ratios(
            lambda: asyncio.run(read_by_steno(frames, Path(name))),
            lambda: asyncio.run(read_by_openllmetry(frames)),
            scale.rounds,
        )
    each = [took / len(frames) * 1e6 for took in (ours, theirs)]
    note = f"{each[0]:.0f} and {each[1]:.0f} us; {len(frames)} frames; spans of 8 kinds of event, no metrics, no log"
    against = f"{version('openai')} with {version('opentelemetry-instrumentation-openai', 'openllmetry')}"
    yield Figure("connect, CPU an event with audit", against, values, None, note=note)


# The figures --------------------------------------------------------------------------------------------


def version(package: str, lock: str = "openllmetry") -> str:
    """Return a package with its version, as a lock has it."""
    lines = (TOP / f"benchmarks/locks/{lock}.lock").read_text(encoding="utf-8").splitlines()
    return next(line.split()[0].replace("==", " ") for line in lines if line.startswith(f"{package}=="))


def rows(scale: Scale) -> Iterable[Figure]:
    """Measure each peer that is installed in turn with steno."""
    for name, measured in (("litellm", _of_proxies), ("openllmetry", _of_streams)):
        if peer(name):
            yield from measured(scale)
        else:
            yield Figure("steno", name, (), None, note="skipped: it is not installed; make peers does that")


def _of_proxies(scale: Scale) -> Iterator[Figure]:
    with TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        simulated, port = provider(folder)
        running.callback(simulated.end)
        asyncio.run(started(simulated))
        sides: dict[Side, Process] = {"steno": steno(folder, port), "litellm": litellm(folder, port)}
        for each in sides.values():
            running.callback(each.end)
            asyncio.run(started(each))
        yield from _measured(scale, simulated, sides)


def _measured(scale: Scale, simulated: Process, sides: dict[Side, Process]) -> Iterator[Figure]:
    ours, theirs, name = sides["steno"], sides["litellm"], version("litellm", "litellm")

    def both(measure: Callable[[Process], Any]) -> tuple[tuple[float, ...], float, float]:
        return ratios(lambda: asyncio.run(measure(ours)), lambda: asyncio.run(measure(theirs)), scale.rounds)

    # First, while nothing has been held yet that could be used again.
    held = [asyncio.run(memory_a_call(each, OPEN_CALLS[scale.full])) for each in (ours, theirs)]
    note = f"{held[0]:.0f} and {held[1]:.0f} KiB, with {OPEN_CALLS[scale.full]} open"
    yield Figure("proxy, memory a call", name, (held[0] / held[1],), None, note=note)
    values, cpu, other = both(partial(cpu_a_frame, turns=TURNS[scale.full]))
    yield Figure("proxy, CPU a frame", name, values, None, note=f"{cpu:.0f} and {other:.0f} us")
    yield from _latency(scale, (simulated, ours, theirs), name)


def _latency(scale: Scale, three: tuple[Process, Process, Process], name: str) -> Iterator[Figure]:
    """Yield what each proxy adds to the way without one, the first of `three`."""
    rounds = [asyncio.run(round_trips(three)) for _ in range(scale.rounds)]
    for place, who in ((1, "steno"), (2, name)):
        values = tuple(each[place] - each[0] for each in rounds)
        direct = median(each[0] for each in rounds)
        note = f"{direct:.2f} ms without a proxy; load {os.getloadavg()[0]:.0f}"
        yield Figure(f"latency that {who} adds to a request and its answer", "-", values, None, "ms", note=note)


if __name__ == "__main__":
    main(rows)
