"""`steno demo`: a simulated provider on loopback, the daemon on it, and what to look at.

The provider is a real websocket server and the daemon is the one that `steno run` starts; only the conversations
are made up. Free ports are used where the configured ones are taken.
"""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import anyio
import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from steno.admin.http import bind
from steno.app.daemon import Daemon, opened, serve
from steno.app.tables import Row, conversation_table, outcome_lines, row_of, sum_of
from steno.audit.verification.files import describe, verify
from steno.config import Config, load
from steno.core.conversation import Conversation
from steno.errors import UnavailableError
from steno.simulate.server import Provider, provider

CONFIG: Final = Path(__file__).with_name("demo.toml")
REFRESH_SECONDS: Final = 0.5
SHOWN: Final = 8
"""Open conversations in the live table: the newest."""
PLAIN_SECONDS: Final = 5.0
"""How often a line is printed where there is no terminal to draw a table on."""


async def demo(console: Console, seconds: float | None, seed: int) -> bool:
    """Run the demo for `seconds`, or until a signal; return whether the audit log it wrote verifies."""
    folder = Path(tempfile.mkdtemp(prefix="steno-demo-"))
    async with _simulated(load(CONFIG), seed) as (simulated, config):
        here = msgspec.structs.replace(
            config,
            audit=msgspec.structs.replace(config.audit, directory=str(folder)),
            http=msgspec.structs.replace(config.http, listen=_free(config)),
        )
        with opened(here, os.environ) as daemon:
            ended: list[Row] = []
            daemon.listeners.append(lambda state: ended.append(row_of(state)))
            _introduce(console, daemon, simulated, folder)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_show, console, daemon)
                if seconds is not None:
                    tasks.start_soon(_stop_after, daemon, seconds)
                await serve(daemon)
                tasks.cancel_scope.cancel()
    return _conclude(console, ended, folder)


@asynccontextmanager
async def _simulated(config: Config, seed: int) -> AsyncIterator[tuple[Provider, Config]]:
    """Run the provider where the sources expect it, or on a free port, and let them connect there."""
    expected = urlsplit(config.sources[0].url)
    try:
        running = provider(port=expected.port or 0, seed=seed)
        simulated = await running.__aenter__()
    except OSError:
        running = provider(seed=seed)
        simulated = await running.__aenter__()
    try:
        moved = tuple(
            msgspec.structs.replace(source, url=_at_port(source.url, simulated.port)) for source in config.sources
        )
        yield simulated, msgspec.structs.replace(config, sources=moved)
    finally:
        await running.__aexit__(None, None, None)


def _at_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{port}"))


def _free(config: Config) -> str:
    """Return the address to listen on: the configured one, or a free port where that is taken."""
    host, port = config.http.address
    try:
        with bind(host, port):
            return config.http.listen
    except UnavailableError:
        return f"{host}:0"


async def _stop_after(daemon: Daemon, seconds: float) -> None:
    await anyio.sleep(seconds)
    daemon.stop()


# What is shown --------------------------------------------------------------------------------------------


def _introduce(console: Console, daemon: Daemon, simulated: Provider, folder: Path) -> None:
    console.print(f"provider  ws://127.0.0.1:{simulated.port}   simulated: voice sessions and assistants runs")
    console.print(f"metrics   http://{daemon.address}/metrics   (also /healthz, /readyz)")
    console.print(f"audit     {folder}")
    console.print("Look at the metrics in another terminal; Ctrl-C ends the demo.", style="dim")
    console.print()


async def _show(console: Console, daemon: Daemon) -> None:
    """Keep a small table up to date; where nobody watches a terminal, print a line now and then."""
    if not console.is_terminal:
        while True:
            await anyio.sleep(PLAIN_SECONDS)
            console.print(_line(daemon))
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(Group(_live_table(daemon, console.width), _line(daemon)), refresh=True)
            await anyio.sleep(REFRESH_SECONDS)


def _line(daemon: Daemon) -> str:
    numbers = daemon.metrics.numbers
    return (
        f"{sum(daemon.pipeline.events.values())} events, "
        f"{sum(numbers['steno_responses_total'].values()):.0f} responses, "
        f"{sum(numbers['steno_interruptions_total'].values()):.0f} interrupted, "
        f"{sum(numbers['steno_runs_total'].values()):.0f} runs, "
        f"{sum(numbers['steno_tokens_total'].values()):.0f} tokens, "
        f"{daemon.audit.records} audit records"
    )


def _live_table(daemon: Daemon, width: int) -> Table:
    """Return the conversations that are open now."""
    open_now: list[Conversation] = sorted(
        daemon.pipeline.registry.conversations.values(), key=lambda state: state.number
    )
    return conversation_table([row_of(state) for state in open_now[-SHOWN:]], "open now", width)


def _conclude(console: Console, ended: list[Row], folder: Path) -> bool:
    console.print(conversation_table(ended, "what was seen", console.width))
    for line in outcome_lines(sum_of(ended)):
        console.print(line, highlight=False, soft_wrap=True)
    console.print()
    report = verify([folder])
    for line in describe(report):
        console.print(line, highlight=False, soft_wrap=True)
    return report.ok
