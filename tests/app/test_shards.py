"""Several processes with one configuration, as processes: one port, a log each, and every source in one of them."""

import json
import re
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner
from websockets.asyncio.client import connect

from steno.cli import cli
from steno.errors import UsageError
from tests.app.daemons import records_of_the_log
from tests.app.test_daemon import ended
from tests.processes import Running, running, wait_until

pytestmark = pytest.mark.anyio

CLIENTS = 24
"""That one of two processes gets none of them is one in 8 million."""
FRAME = {"dir": "received", "text": '{"type":"session.created","event_id":"e","session":{"id":"s"}}'}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def configure(folder: Path, port: int) -> Path:
    """Write the configuration, and return it under the names of two shards: logs stand beside it."""
    config = folder / "steno.toml"
    relays = "".join(
        f'[[sources]]\nname = "relay-{each}"\nkind = "connect"\nurl = "ws://127.0.0.1:1/"\n' for each in range(4)
    )
    config.write_text(
        f'[[sources]]\nname = "push"\nkind = "listen"\nlisten = "127.0.0.1:{port}"\nreuse_port = true\n{relays}'
    )
    for number in (1, 2):
        (folder / f"{number}.toml").symlink_to(config)
    return config


def started(shards: ExitStack, folder: Path, number: int) -> Running:
    options = ("--shard", f"{number}/2", "--http-listen", "127.0.0.1:0")
    return shards.enter_context(
        running(folder / f"{number}.toml", *options, LOGS_DIRECTORY=str(folder / f"log-{number}"))
    )


def sources(daemon: Running) -> set[str]:
    """Return the sources that a daemon shows."""
    _, text = daemon.get("/metrics")
    return set(re.findall(r'^steno_source_ready\{source="(.*?)"\}', text, re.MULTILINE))


async def test_two_processes_share_a_port_and_divide_the_rest(tmp_path: Path) -> None:
    with ExitStack() as shards, socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))  # nobody else gets the port, and it never listens
        port = kept.getsockname()[1]
        configure(tmp_path, port)
        both = [started(shards, tmp_path, number) for number in (1, 2)]
        await wait_until(lambda: all(any(line["event"] == "listening" for line in each.lines()) for each in both))
        for _ in range(CLIENTS):
            async with connect(f"ws://127.0.0.1:{port}/v1/push", proxy=None, compression=None) as client:
                await client.send(json.dumps(FRAME))
        name = 'steno_events_total{event="session.created",family="realtime",source="push"}'
        await wait_until(lambda: sum(each.metric(name) for each in both) == CLIENTS)
        counted = [each.metric(name) for each in both]
        held = [sources(each) for each in both]
        said = [each.lines()[0].get("shard") for each in both]
        codes = [await ended(each) for each in both]

    logs = [tmp_path / f"log-{number}" for number in (1, 2)]
    opened = [sum(record["fact"] == "conversation.opened" for record in records_of_the_log(folder)) for folder in logs]
    assert min(counted) > 0
    assert opened == counted
    assert held[0] & held[1] == {"push"}
    assert held[0] | held[1] == {"push", *(f"relay-{number}" for number in range(4))}
    assert (said, codes) == (["1/2", "2/2"], [0, 0])
    assert CliRunner().invoke(cli, ["verify", *map(str, logs)]).exit_code == 0


def test_a_wrong_shard_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["run", "-c", str(configure(tmp_path, 9465)), "--shard", "3/2"])

    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == "--shard must be I/N, with I from 1 to N and N at most 1000: --shard 2/4"


def test_the_check_says_what_runs_elsewhere(tmp_path: Path) -> None:
    options = ["check", "-c", str(configure(tmp_path, 9465)), "--shard", "1/2", "--http-listen", "127.0.0.1:0"]

    printed = CliRunner().invoke(cli, options).stdout

    elsewhere = re.findall(r"^# (\S+): runs in shard 2$", printed, re.MULTILINE)
    names = re.findall(r'^name = "(.*)"$', printed, re.MULTILINE)
    assert 'listen = "127.0.0.1:0"' in printed.splitlines()
    assert sorted([*elsewhere, *names]) == ["push", *(f"relay-{number}" for number in range(4))]
