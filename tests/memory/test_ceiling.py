"""The daemon as a process, fed over real sockets with what takes most memory within the limits.

`VmHWM` is the most memory that the kernel ever saw the process take. In the short form the limits are small, and so is
what is sent; the deep form (`make test-memory`, some minutes) has the defaults, and the `MemoryHigh` of the unit.
"""

import os
import random
import re
import resource
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import anyio
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.conftest import DEEP
from tests.memory.plays import MIB, PLAYS, Play, mixed
from tests.processes import Running, running, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.deep]

UNIT: Final = Path(__file__).parents[2] / "deploy/steno.service"
FULL: Final = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, resource.RLIM_INFINITY))"
"""No file grows past 64 KiB, until the test says otherwise."""
SEEDS: Final = int(os.environ.get("STENO_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
"""What mixes are drawn by. A test prints it; STENO_SEED=... draws the same again."""


class Form(NamedTuple):
    """How much is sent, what is configured, and what the process may take."""

    scale: float
    settings: str
    most: int
    """In bytes."""


def allocator() -> dict[str, str]:
    """Return what the unit sets for the allocator of the process."""
    (line,) = re.findall(r"^Environment=(MALLOC_.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(each.split("=") for each in line.split())


def memory_high() -> int:
    """Return the `MemoryHigh` of the unit, in bytes."""
    found = re.search(r"^MemoryHigh=(\d+)M$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return int(found[1]) * MIB


PROGRAM: Final = 60 * MIB
"""What the program takes that has received nothing, and some more."""
SMALL: Final = """
[limits]
memory_bytes = 33_554_432
transcript_bytes = 262_144
"""


@pytest.fixture
def form(deep: bool) -> Form:
    """The deep form has the defaults. In the short one a frame has at most 1 MiB."""
    if deep:
        return Form(1.0, "", memory_high())
    return Form(1 / 16, SMALL, PROGRAM + (32 + 10) * MIB)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# The other ends -------------------------------------------------------------------------------------------------


class Upstream:
    """A real websocket server with a play for each path: `/0`, `/1` and so on. Its second client is sent nothing."""

    def __init__(self, plays: Sequence[Play]) -> None:
        self.plays = list(plays)
        self.begun: set[int] = set()
        self.sent = [0] * len(self.plays)
        self.done = anyio.Event()
        """Set when all plays were sent to their ends."""
        self._left = len(self.plays)

    async def speak(self, connection: ServerConnection) -> None:
        """Send a play, and stay."""
        assert connection.request
        number = int(connection.request.path[1:])
        if number not in self.begun:
            self.begun.add(number)
            for message in self.plays[number]:
                try:
                    await connection.send(message)
                except ConnectionClosed:
                    return
                self.sent[number] += 1
            self._left -= 1
            if not self._left:
                self.done.set()
        await connection.wait_closed()


@asynccontextmanager
async def upstream(plays: Sequence[Play]) -> AsyncIterator[tuple[Upstream, str]]:
    """Serve `plays` on loopback; yield the server and its URL."""
    served = Upstream(plays)
    async with serve(served.speak, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=1) as server:
        yield served, f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def configure(folder: Path, url: str, sources: int, form: Form) -> Path:
    """Write a configuration in which all content is kept, with a source for each play."""
    frame_bytes = int(16 * MIB * form.scale)
    tables = "".join(
        f'[[sources]]\nname = "desk-{number}"\nkind = "connect"\nurl = "{url}/{number}"\nframe_bytes = {frame_bytes}\n'
        for number in range(sources)
    )
    audit = f'directory = "{folder}/audit"\ncontent = "full"\nqueue_bytes = {frame_bytes}\n'
    config = folder / "steno.toml"
    config.write_text(f'[http]\nlisten = "127.0.0.1:0"\n[audit]\n{audit}{form.settings}\n{tables}')
    return config


# What is measured -----------------------------------------------------------------------------------------------


def most_taken(daemon: Running) -> int:
    """Return the most memory that the process ever took, in bytes."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def received(daemon: Running) -> float:
    """Return how many frames were counted, as whatever."""
    _, text = daemon.get("/metrics")
    counted = re.findall(r"^steno_(?:events|events_rejected|duplicates)_total\{.*\} (\S+)$", text, re.MULTILINE)
    return sum(map(float, counted))


def accounted(daemon: Running, kind: str) -> float:
    return daemon.metric(f'steno_memory_accounted_bytes{{kind="{kind}"}}')


def held(daemon: Running, form: Form, what: str) -> str:
    """Return a line of what the process took; fail where that is too much, or where it counts too much."""
    most, limit = most_taken(daemon), daemon.metric('steno_limit{limit="memory_bytes"}')
    counted = accounted(daemon, "conversations")
    line = f"{what}: VmHWM {most / MIB:.0f} MiB of {form.most / MIB:.0f}, conversations {counted / MIB:.0f} MiB"
    assert daemon.process.poll() is None, line
    assert most < form.most, line
    assert counted <= limit / 2, line
    return line


def report(*lines: str) -> None:
    """Print what was found; pytest shows it with -s, and where the test fails."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def give_room(daemon: Running) -> None:
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def all_read(served: Upstream, daemon: Running) -> None:
    """Wait until all that was sent was counted."""
    await served.done.wait()
    await wait_until(lambda: received(daemon) >= sum(served.sent))


async def test_long_frames_on_a_full_disk(form: Form, tmp_path: Path) -> None:
    """Reading stops, and three sources do not hold their frames in memory. When there is room all of them arrive."""
    plays = [PLAYS["longest frames"](form.scale, random.Random(number)) for number in range(3)]
    async with upstream(plays) as (served, url):
        with running(configure(tmp_path, url, len(plays), form), limit=FULL, **allocator()) as daemon:
            await wait_until(lambda: daemon.metric("steno_audit_blocked") == 1 and accounted(daemon, "read_ahead"))
            await wait_until(lambda: daemon.metric('steno_audit_write_errors_total{reason="no_space"}') >= 2)
            blocked = held(daemon, form, "longest frames, full disk")
            give_room(daemon)
            await all_read(served, daemon)
            report(blocked, held(daemon, form, "and after it"))


ALL: Final = tuple(sorted(PLAYS))
GROUPS: Final = [ALL, *((name,) for name in ALL if DEEP)]
"""Plays that are sent at once, each by a source of its own: all of them, and in the deep form each alone."""


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: "all" if names is ALL else names[0])
async def test_whatever_is_sent_within_the_limits(names: Sequence[str], form: Form, tmp_path: Path) -> None:
    """Each kind of excess, and nothing of it is lost on the way."""
    plays = [PLAYS[name](form.scale, random.Random(1)) for name in names]
    async with upstream(plays) as (served, url):
        with running(configure(tmp_path, url, len(plays), form), **allocator()) as daemon:
            await all_read(served, daemon)
            report(held(daemon, form, "all at once" if names is ALL else names[0]))


@pytest.mark.skipif(not DEEP, reason="takes long: make test-memory runs it")
async def test_random_mixes(form: Form, tmp_path: Path) -> None:
    """Several sources, each with all kinds of excess in turn, as a seed draws them."""
    for seed in range(SEEDS, SEEDS + 3):
        report(f"STENO_SEED={seed}")
        chance = random.Random(seed)
        plays = [mixed(form.scale, random.Random(chance.random())) for _ in range(chance.randint(2, 4))]
        folder = tmp_path / str(seed)
        folder.mkdir()
        async with upstream(plays) as (served, url):
            with running(configure(folder, url, len(plays), form), **allocator()) as daemon:
                await all_read(served, daemon)
                report(held(daemon, form, f"STENO_SEED={seed}, {len(plays)} sources"))
