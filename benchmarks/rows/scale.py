"""What 10,000 open conversations cost: an event beside one of ten conversations, and the longest stall of the loop.

The cost is that of the pipeline with its metrics and what the page remembers, as CPU; both sides are processes. It is
measured in bursts of 20 frames of a conversation, and with one frame of each conversation in turn, where nothing of a
conversation is left in the caches of the processor when its next frame comes.

The stall is that of `steno run` with an audit log and a `listen` source, while it is scraped, paged, watched and told
to read its configuration again. A stall is wall time by nature, and on a busy machine any program stalls. So what
is counted is the CPU that the process itself took while a timer of its loop was late (see `programs/probed.py`).
`limits.memory_bytes` is raised: the default holds some 8,000 conversations.
"""

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.request import urlopen

from benchmarks.figures import Figure, Scale, main, ratios
from benchmarks.processes import program, running
from benchmarks.programs.probed import NOTED_MS

MANY: Final = 10_000
FEW: Final = 10
BOUNDS: Final = {"burst": 1.10, "turn": 1.8}
ORDERS: Final = {"burst": "frames in bursts of 20", "turn": "one frame each in turn"}
STALL_MS: Final = 10.0
CONNECTIONS: Final = 100
WATCHED_SECONDS: Final = 10
ASKED: Final = {"/metrics": 1.5, "/v1/conversations?limit=1000": 1.0, "/v1/conversations?sort=-tokens": 0.7}
"""What is asked for, and how many seconds after the answer it is asked for again."""
CHUNK: Final = 65_536
TOP: Final = 3


# The cost of an event -----------------------------------------------------------------------------------


def cost(order: str, scale: Scale, folder: Path) -> Figure:
    """Measure an event of many conversations beside one of few."""
    with (
        running(program("open_conversations", str(MANY), str(scale.frames), order), folder, speaks=True) as many,
        running(program("open_conversations", str(FEW), str(scale.frames), order), folder, speaks=True) as few,
    ):
        for side in (many, few):
            side.heard()

        def took(side: Any) -> Callable[[], float]:
            return lambda: (side.tell(), float(side.heard()))[1]

        values, of_many, of_few = ratios(took(many), took(few), 2 * scale.rounds)
    note = (
        f"{of_many / scale.frames * 1e6:.1f} us / {of_few / scale.frames * 1e6:.1f} us; {scale.frames} frames a round"
    )
    return Figure(f"an event, {MANY} open, {ORDERS[order]}", f"{FEW} open", values, BOUNDS[order], note=note)


# The longest stall --------------------------------------------------------------------------------------


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Asking:
    """Asks a daemon for everything, in threads, until `stop`."""

    def __init__(self, port: int) -> None:
        """Ask at `port`."""
        self.url = f"http://127.0.0.1:{port}"
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._again, args=asked) for asked in ASKED.items()]
        self._threads.append(threading.Thread(target=self._watch))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, once what was asked last is answered."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def read(self, path: str) -> str:
        """Return an answer; nothing where there is none yet."""
        with suppress(OSError), urlopen(self.url + path) as answer:  # noqa: S310  # it is on loopback
            return str(answer.read().decode())
        return ""

    def events(self) -> float:
        """Return how many events were counted."""
        return sum(map(float, re.findall(r"^steno_events_total\{.*\} (\S+)$", self.read("/metrics"), re.MULTILINE)))

    def _again(self, path: str, seconds: float) -> None:
        while not self._over.wait(seconds):
            self.read(path)

    def _watch(self) -> None:
        with urlopen(f"{self.url}/v1/stream") as changes:  # noqa: S310  # as above
            while not self._over.is_set():
                changes.read1(CHUNK)


def notes(scale: Scale, folder: Path) -> tuple[list[dict[str, Any]], float]:
    """Return what was noted of a daemon while it was asked for everything, and for how many seconds."""
    http, push = free_port(), free_port()
    noted, config = folder / "notes", folder / "steno.toml"
    config.write_text(
        f'[http]\nlisten = "127.0.0.1:{http}"\n[audit]\ndirectory = "{folder / "log"}"\n'
        f"[limits]\nmemory_bytes = {1 << 30}\nconversations = {2 * MANY}\n"
        f'[[sources]]\nname = "desk"\nkind = "listen"\nlisten = "127.0.0.1:{push}"\n'
        "connections = 2_000\nhandshakes_per_minute = 1_000_000\n",
        encoding="utf-8",
    )
    asking = Asking(http)
    url = f"ws://127.0.0.1:{push}/v1/push"
    with running(program("probed", noted, "run", "-c", config), folder) as daemon:
        while not asking.read("/readyz"):
            time.sleep(0.1)
        with running(program("talk", url, str(MANY), str(CONNECTIONS)), folder, speaks=True) as talking:
            talking.heard()
            while asking.events() < 3 * MANY:
                time.sleep(0.5)
            began = time.monotonic()
            asking.start()
            time.sleep(WATCHED_SECONDS * (6 if scale.full else 1) / 2)
            os.kill(daemon.pid, signal.SIGHUP)
            time.sleep(WATCHED_SECONDS * (6 if scale.full else 1) / 2)
            ended = time.monotonic()
            asking.stop()
        daemon.terminate()
        daemon.ended()
    lines = map(json.loads, noted.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if began <= line["at"] < ended], ended - began


def stall(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Measure the longest stall, and what its parts are.

    Where nothing was noted, nothing was longer than `NOTED_MS`.
    """
    noted, seconds = notes(scale, folder)

    def longest(what: str, took: Callable[[dict[str, Any]], float]) -> list[float]:
        return sorted((took(each) for each in noted if each["what"] == what), reverse=True)[:TOP] or [NOTED_MS]

    over = f"{seconds:.0f} s of scrapes, pages, the stream of changes and a reload"
    own = longest("late", lambda each: float(min(each["ms"], each["busy_ms"])))
    wall = longest("late", lambda each: float(each["ms"]))
    collections = longest("gc", lambda each: float(each["ms"]))
    callbacks = longest("callback", lambda each: float(each["ms"]))
    listed = ", ".join(f"{value:.1f}" for value in own)
    note = f"{over}; the longest {listed}; in wall time {wall[0]:.1f}"
    yield Figure(f"longest stall, {MANY} open", "-", (own[0],), STALL_MS, "ms", note=note)
    note = f"CPU of the loop's thread; the longest collection of garbage {collections[0]:.1f}"
    yield Figure(f"longest callback of the loop, {MANY} open", "-", (callbacks[0],), STALL_MS, "ms", note=note)


def rows(scale: Scale) -> Iterable[Figure]:
    """Yield all figures."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        yield cost("burst", scale, folder)
        yield cost("turn", scale, folder)
        yield from stall(scale, folder)


if __name__ == "__main__":
    main(rows)
