"""What a frame costs an application that is tapped, as a ratio to what receiving it costs.

    python benchmarks/frame_cost.py [frames] [rounds]

A provider in a process of its own sends frames over loopback, and a steno in another one takes what the tap pushes.
The application receives them with `websockets`, in turn bare, with a steno that is there, and with one that is absent.
Measured is CPU: of the application's thread, which is what it waits for, and of the whole process.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time

import websockets.asyncio.client
import websockets.asyncio.server

from steno_tap import Tap

SIZES = {"text delta, 200 B": 100, "audio delta, 6 KB": 6000}


async def _serve(frames: int) -> None:
    """Send `frames` frames of the size that the path names, or take whatever comes."""

    async def handle(connection: websockets.asyncio.server.ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        if path.startswith("/v1/push"):
            async for _ in connection:
                pass
            return
        part = {"event_id": "event_0123456789", "item_id": "item_0123456789", "delta": "A" * int(path[1:])}
        frame = json.dumps({"type": "response.output_audio.delta", **part})
        for _ in range(frames):
            await connection.send(frame)

    async with websockets.asyncio.server.serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


async def _receive(port: int, size: int, tap: Tap | None) -> tuple[float, float]:
    """Return the CPU seconds of this thread and of the process, for all frames."""
    async with websockets.asyncio.client.connect(f"ws://127.0.0.1:{port}/{size}", compression=None) as connection:
        if tap is not None:
            tap(connection)
        thread, process = time.thread_time(), time.process_time()
        async for _ in connection:
            pass
        thread = time.thread_time() - thread
        if tap is not None:
            await tap.aclose(30 if tap_is_heard(tap) else 0)
        return thread, time.process_time() - process


def tap_is_heard(tap: Tap) -> bool:
    """Return whether somebody takes what `tap` pushes."""
    return not tap._pusher.settings.url.endswith(":9")  # noqa: SLF001 - the discard port, where nobody listens


def _make_tap(kind: str, port: int) -> Tap | None:
    return {
        "bare": lambda: None,
        "tap": lambda: Tap(f"ws://127.0.0.1:{port}", queue_bytes=1 << 30, total_bytes=1 << 30),
        "tap, steno absent": lambda: Tap("ws://127.0.0.1:9"),
    }[kind]()


def measure(frames: int, rounds: int) -> None:
    """Print a row for each size and kind: medians of `rounds` rounds, in turn."""
    with subprocess.Popen(  # noqa: S603 - this file
        [sys.executable, __file__, "serve", str(frames)], stdout=subprocess.PIPE
    ) as serving:
        assert serving.stdout is not None  # noqa: S101 - it is a pipe
        port = int(serving.stdout.readline())
        for name, size in SIZES.items():
            found: dict[str, list[tuple[float, float]]] = {"bare": [], "tap": [], "tap, steno absent": []}
            for _ in range(rounds):
                for kind, results in found.items():
                    results.append(asyncio.run(_receive(port, size, _make_tap(kind, port))))
            _print(name, frames, found)
        serving.kill()


def _print(name: str, frames: int, found: dict[str, list[tuple[float, float]]]) -> None:
    bare = statistics.median(thread for thread, _ in found["bare"])
    for kind, results in found.items():
        thread = statistics.median(result[0] for result in results)
        process = statistics.median(result[1] for result in results)
        print(
            f"{name:20} {kind:18} thread {1e6 * thread / frames:6.2f} us a frame, {thread / bare:5.2f} x bare;"
            f"  process {1e6 * process / frames:6.2f} us, {process / bare:5.2f} x bare"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(_serve(int(sys.argv[2])))
    else:
        measure(*(int(argument) for argument in sys.argv[1:] or (50_000, 5)))
