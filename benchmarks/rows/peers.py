"""steno's proxy beside LiteLLM's, both in front of the same simulated provider: CPU a frame, latency, memory a call.

    make build/peers/litellm/.locked
    PYTHONPATH=. .venv/bin/python -m benchmarks.rows.peers [--json] [--full]

Each is a process of its own, with the configuration that its users begin with: steno with metrics and an audit log,
LiteLLM with a model and a master key. The provider is `steno simulate`, which answers at once. A call is a session in
which somebody writes and is answered, turn by turn; a frame is counted where the client sends or receives it. LiteLLM
has an environment of its own, from a lock. Without `--full` nothing is installed: where it is missing, nothing is
measured.
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

from benchmarks.figures import Figure, Scale, main, ratios

TOP: Final = Path(__file__).parents[2]
LITELLM: Final = TOP / "build/peers/litellm"
KEY: Final = "sk-5f0c1d8e7a6b4c3d2e1f0a9b8c7d6e5f"
CALLS: Final = 10
TURNS: Final = (10, 60)
"""Turns of a call in each round, quick and full."""
ASKED: Final = 200
"""Requests whose answers are timed, in each round."""
OPEN_CALLS: Final = (60, 250)
"""Calls that are open at once while memory is read, quick and full."""
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
    command = [str(LITELLM / "bin/litellm"), "--config", "litellm.yaml", "--host", "127.0.0.1", "--port", str(port)]
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
    """Have calls go on at once, without a pause; return the microseconds of CPU a frame."""

    async def go_on(call: ClientConnection) -> int:
        return sum([await turn(call) for _ in range(turns)])

    calls = [await opened(process.url) for _ in range(CALLS)]
    before = process.cpu()
    frames = sum(await asyncio.gather(*map(go_on, calls)))
    took = process.cpu() - before
    await asyncio.gather(*(call.close() for call in calls))
    return took / frames * 1e6


async def round_trip(url: str) -> float:
    """Return the median milliseconds from a frame that the client sends to its answer, on a call that is idle else."""
    call = await opened(url)
    took = []
    for _ in range(ASKED):
        began = time.perf_counter()
        await call.send(TEXT_ONLY)
        await until(call, "session.updated")
        took.append((time.perf_counter() - began) * 1e3)
    await call.close()
    return median(took)


async def memory_a_call(process: Process, number: int) -> float:
    """Open calls of one turn each, and return what each takes, in KiB."""
    before = process.resident()
    calls = [await opened(process.url) for _ in range(number)]
    for call in calls:
        await turn(call)
    took = process.resident() - before
    await asyncio.gather(*(call.close() for call in calls))
    return took / number / 1024


# The figures --------------------------------------------------------------------------------------------


def installed(*, full: bool) -> bool:
    """Return whether LiteLLM is there; with `full` it is installed."""
    if full:
        subprocess.run(["make", "--no-print-directory", "build/peers/litellm/.locked"], cwd=TOP, check=True)  # noqa: S607
    return (LITELLM / ".locked").exists()


def version() -> str:
    """Return the version of LiteLLM in its lock."""
    lines = (TOP / "benchmarks/locks/litellm.lock").read_text(encoding="utf-8").splitlines()
    return next(line.split()[0].replace("==", " ") for line in lines if line.startswith("litellm=="))


def rows(scale: Scale) -> Iterable[Figure]:
    """Measure both in turn; nothing where LiteLLM is not installed."""
    if not installed(full=scale.full):
        sys.stderr.write("peers: LiteLLM is not installed: make build/peers/litellm/.locked\n")
        return
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
    ours, theirs, name = sides["steno"], sides["litellm"], version()

    def both(measure: Callable[[Process], Any]) -> tuple[tuple[float, ...], float, float]:
        return ratios(lambda: asyncio.run(measure(ours)), lambda: asyncio.run(measure(theirs)), scale.rounds)

    # First, while nothing has been held yet that could be used again.
    held = [asyncio.run(memory_a_call(each, OPEN_CALLS[scale.full])) for each in (ours, theirs)]
    note = f"{held[0]:.0f} and {held[1]:.0f} KiB, with {OPEN_CALLS[scale.full]} open"
    yield Figure("proxy, memory a call", name, (held[0] / held[1],), None, note=note)
    values, cpu, other = both(partial(cpu_a_frame, turns=TURNS[scale.full]))
    yield Figure("proxy, CPU a frame", name, values, None, note=f"{cpu:.0f} and {other:.0f} us")
    yield _latency(scale, simulated, (ours, theirs), name)


def _latency(scale: Scale, simulated: Process, both: tuple[Process, Process], name: str) -> Figure:
    rounds = []
    for _ in range(scale.rounds):
        direct, ours, theirs = (asyncio.run(round_trip(each.url)) for each in (simulated, *both))
        rounds.append((ours - direct, theirs - direct))
    ours, theirs = (median(each[side] for each in rounds) for side in (0, 1))
    return Figure(
        "proxy, latency added to a request and its answer",
        name,
        tuple(mine / other for mine, other in rounds),
        None,
        note=f"{ours:.2f} and {theirs:.2f} ms",
    )


if __name__ == "__main__":
    main(rows)
