"""File descriptors: what is reserved for the log and the sources, and a daemon that has few of them."""

import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio.to_thread
import pytest

from steno.app.descriptor_plan import CLIENTS_LEAST, HTTP_LEAST, HTTP_MOST, plan
from steno.config.sources import AttachSource
from tests.app.daemons import records_of_the_log
from tests.app.test_daemon import configure, ended
from tests.processes import Running, running, steno, upstream, wait_until
from tests.recordings import frames

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# The plan -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "http", "low"),
    [
        (64, HTTP_LEAST, True),
        (128, 128 - 72 - 4, True),
        (256, 256 - 72 - 4, True),
        (332, HTTP_MOST, False),
        (1_024, HTTP_MOST, False),
        (resource.RLIM_INFINITY, HTTP_MOST, False),
    ],
)
def test_what_a_limit_allows(limit: int, http: int, low: bool) -> None:
    found = plan(1, limit)

    assert (found.http, found.low, found.wanted) == (http, low, 332)


def test_sources_come_first() -> None:
    assert plan(40, 332).http == HTTP_MOST - 39 * 4


@pytest.mark.parametrize(
    ("limit", "clients", "http", "wanted"),
    [
        (100_000, 1128, HTTP_MOST, 332 + 1128),
        (1_460, 1128, HTTP_MOST, 332 + 1128),
        (1_024, 1_024 - 76 - HTTP_LEAST, HTTP_LEAST, 332 + 1128),
        (64, CLIENTS_LEAST, HTTP_LEAST, 332 + 1128),
    ],
)
def test_clients_of_sources_that_listen_share_what_is_left(limit: int, clients: int, http: int, wanted: int) -> None:
    found = plan(1, limit, clients=1128)

    assert (found.clients, found.http, found.wanted, found.low) == (clients, http, wanted, limit < wanted)


def test_a_recording_of_each_takes_as_many_again() -> None:
    assert plan(1, 1_024, clients=1128, recording=True).clients == (1_024 - 76 - HTTP_LEAST) // 2
    assert plan(1, 100_000, clients=1128, recording=True).wanted == 332 + 2 * 1128


def test_calls_that_may_be_followed_are_wanted_and_not_kept_free() -> None:
    found = plan(1, 1_024, dialed=AttachSource(name="calls", kind="attach").dialed)

    assert (found.wanted, found.low, found.http) == (332 + 1_000, True, HTTP_MOST)
    assert plan(1, 100_000, dialed=1_000, recording=True).wanted == 332 + 2 * 1_000


def test_the_limit_is_that_of_the_process() -> None:
    assert plan(0).limit == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


# A daemon that has few ------------------------------------------------------------------------------------

LIMIT = 128
LOW = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({LIMIT}, {LIMIT}))"
CROWD = 400
SOME = 100
"""More than a process with 64 descriptors can have."""


@contextmanager
def crowd(address: str | tuple[str, int], size: int, say: bytes) -> Iterator[None]:
    """Connect many clients to an address, a port or a unix socket; each says half a request, or nothing."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    clients = [socket.socket(family) for _ in range(size)]
    try:
        for client in clients:
            client.setblocking(False)
            client.connect_ex(address)
        for client in clients[: size // 2]:
            try:
                client.send(say)
            except OSError:  # it has been hung up on, or waits to be accepted
                continue
        yield
    finally:
        for client in clients:
            client.close()


def open_descriptors(daemon: Running) -> int:
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def log_lines(daemon: Running) -> list[tuple[object, object]]:
    """Return level and text of what was logged since the daemon was up."""
    lines = [(line["level"], line["event"]) for line in daemon.lines()]
    return lines[lines.index(("info", "connected")) :]


@pytest.mark.parametrize("face", ["http", "control"])
async def test_silent_clients_use_up_no_descriptor_that_others_need(face: str, tmp_path: Path) -> None:
    """Hundreds of them, half with half a request: a scrape is answered, the log is written, few lines are logged."""
    sent = frames("voice", most=40)
    async with upstream(sent[:5], hang_up=False) as (server, url):
        with running(configure(tmp_path, url), limit=LOW) as daemon:
            await wait_until(lambda: daemon.get("/readyz")[0] == 200)
            address = str(tmp_path / "audit/.control") if face == "control" else ("127.0.0.1", daemon.port)
            with crowd(address, CROWD, b"GET /metrics HTTP/1.1\r\nX-A: "):
                await wait_until(
                    lambda: daemon.metric(f'steno_http_rejected_total{{kind="{face}",reason="crowded"}}') > CROWD / 4
                )
                await server.say(sent[5:])
                await wait_until(lambda: daemon.metric("steno_audit_flushed_seq") >= 10)
                await anyio.to_thread.run_sync(daemon.reload)
                await wait_until(lambda: len(list((tmp_path / "audit").glob("audit-*.jsonl"))) == 2)
                held = await anyio.to_thread.run_sync(open_descriptors, daemon)
                codes = {await anyio.to_thread.run_sync(lambda: daemon.get("/metrics")[0]) for _ in range(20)}
            logged = log_lines(daemon)
            code = await ended(daemon)

    assert codes == {200}
    assert held < LIMIT - 40
    assert len(logged) < 10
    assert {level for level, _ in logged} == {"info"}
    assert code == 0
    assert steno("verify", tmp_path / "audit").returncode == 0
    assert len(records_of_the_log(tmp_path / "audit")) > 10


async def test_a_low_limit_is_warned_of_at_the_start(tmp_path: Path) -> None:
    async with upstream([], hang_up=False) as (_, url):
        with running(configure(tmp_path, url), limit=LOW) as daemon:
            await wait_until(lambda: daemon.get("/readyz")[0] == 200)
            warnings = [line for line in daemon.lines() if line["level"] == "warning"]
            await ended(daemon)

    assert [(line["event"], line["limit"], line["wanted"], line["http_connections"]) for line in warnings] == [
        ("the limit of open files is low: raise LimitNOFILE= of the unit, or ulimit -n", LIMIT, 332, 52)
    ]


async def test_without_any_descriptor_left_nothing_spins(tmp_path: Path) -> None:
    """What else took them all: clients wait, one line a minute says so, and a scrape is answered afterwards."""
    take = "import os; held = []; " + LOW.replace(str(LIMIT), "64")
    more = f"{take}; [held.append(os.open('/dev/null', os.O_RDONLY)) for _ in range(30)]"
    async with upstream([], hang_up=False) as (_, url):
        with running(configure(tmp_path, url), limit=more) as daemon:
            await wait_until(lambda: daemon.get("/readyz")[0] == 200)
            with crowd(("127.0.0.1", daemon.port), SOME, b"G"):
                await wait_until(lambda: any(line["level"] == "error" for line in daemon.lines()))
                for _ in range(5):
                    assert (await anyio.to_thread.run_sync(daemon.get, "/healthz"))[0] == 200
            rejected = daemon.metric('steno_http_rejected_total{kind="http",reason="descriptors"}')
            logged = [line for line in log_lines(daemon) if line[0] != "info"]
            await ended(daemon)

    assert rejected >= 1
    assert logged == [("error", "connections cannot be accepted")]
