"""`steno demo`: a simulated provider on loopback, the daemon that reads it, and where to look.

The provider is a real websocket server, and the daemon is the one that `steno run` starts. Only the conversations are
made up. Where a configured port is taken, a free one is used.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Final, cast

import anyio
import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from steno.app.daemon import Daemon
from steno.app.daemon_log import LEAVE_SECONDS, DaemonLog
from steno.app.log_capture import LineStream
from steno.app.log_writer import LogWriter
from steno.app.serving import opened, serve
from steno.app.tables import Row, conversation_table, outcome_lines, row_of, sum_of
from steno.app.tables import console as terminal_console
from steno.audit.verification.files import describe, verify
from steno.config import Config, parse
from steno.core.conversation import Conversation
from steno.errors import UnavailableError
from steno.simulate.server import Provider, provider

CONFIG: Final = Path(__file__).with_name("demo.toml")
STANDARD_OUTPUT: Final = 1
PROVIDER_PORT: Final = 8765
"""Where the sources in `CONFIG` expect the provider."""
REFRESH_SECONDS: Final = 0.5
SHOWN: Final = 8
"""Open conversations in the live table: the newest."""
PLAIN_SECONDS: Final = 5.0
"""How often a line is printed where there is no terminal for a table."""


@contextmanager
def screen() -> Iterator[LogWriter]:
    """Yield standard output, written by a thread: a reader that has stopped (a pager, a terminal) holds nothing up."""
    writer = LogWriter(STANDARD_OUTPUT)
    writer.start()
    try:
        yield writer
    finally:
        writer.close(LEAVE_SECONDS)


async def demo(screen: LogWriter, log: DaemonLog, seconds: float | None, seed: int) -> bool:
    """Run the demo for `seconds`, until a signal or until nobody reads `screen`.

    Returns whether the audit log that it wrote verifies.
    """
    console = terminal_console(file=cast("IO[str]", LineStream(screen.submit, terminal=screen.terminal)))
    folder = Path(tempfile.mkdtemp(prefix="steno-demo-"))
    ended: list[Row] = []
    async with _simulated(seed) as simulated:
        with _opened(_config(simulated, folder), log) as daemon:
            daemon.listeners.append(lambda state: ended.append(row_of(state)))
            _introduce(console, daemon, simulated, folder)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_show, console, daemon, screen)
                if seconds is not None:
                    tasks.start_soon(_stop_after, daemon, seconds)
                await serve(daemon)
                tasks.cancel_scope.cancel()
    return _conclude(console, ended, folder)


@asynccontextmanager
async def _simulated(seed: int) -> AsyncIterator[Provider]:
    """Run the provider where the configuration expects it, or on a free port where that one is taken."""
    async with AsyncExitStack() as stack:
        try:
            simulated = await stack.enter_async_context(provider(port=PROVIDER_PORT, seed=seed))
        except OSError:
            simulated = await stack.enter_async_context(provider(seed=seed))
        yield simulated


def _config(simulated: Provider, folder: Path) -> Config:
    """Return the configuration of the demo, with the port of the provider and `folder` for the audit log."""
    text = CONFIG.read_text().replace(f":{PROVIDER_PORT}/", f":{simulated.port}/")
    config = parse(text, str(CONFIG))
    return msgspec.structs.replace(
        config,
        audit=msgspec.structs.replace(config.audit, directory=str(folder)),
        log=msgspec.structs.replace(config.log, level="warning"),  # of `cli.demo`, which SIGHUP must not undo
    )


@contextmanager
def _opened(config: Config, log: DaemonLog) -> Iterator[Daemon]:
    """Yield the daemon on the configured port, or on a free one where that is taken."""
    host, _ = config.http.address
    anywhere = msgspec.structs.replace(config, http=msgspec.structs.replace(config.http, listen=f"{host}:0"))
    with ExitStack() as stack:
        try:
            daemon = stack.enter_context(opened(config, os.environ, log=log))
        except UnavailableError:  # where that is not for the port, this raises again
            daemon = stack.enter_context(opened(anywhere, os.environ, log=log))
        yield daemon


async def _stop_after(daemon: Daemon, seconds: float) -> None:
    await anyio.sleep(seconds)
    daemon.stop()


# What is shown --------------------------------------------------------------------------------------------


def _introduce(console: Console, daemon: Daemon, simulated: Provider, folder: Path) -> None:
    console.print(
        f"provider  http://127.0.0.1:{simulated.port}/v1   simulated; a client with this base URL is answered"
    )
    console.print(f"metrics   http://{daemon.address}/metrics   (also /healthz, /readyz)")
    console.print(f"audit     {folder}")
    console.print("Look at the metrics in another terminal; Ctrl-C ends the demo.", style="dim")
    console.print()


async def _show(console: Console, daemon: Daemon, screen: LogWriter) -> None:
    """Keep a small table up to date; without a terminal, print a line every `PLAIN_SECONDS`.

    Where the reader of `screen` has gone, `daemon` is stopped.
    """
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while screen.failing is None:
                live.update(Group(_live_table(daemon, console.width), _line(daemon)), refresh=True)
                await anyio.sleep(REFRESH_SECONDS)
    while screen.failing is None:
        await anyio.sleep(PLAIN_SECONDS)
        console.print(_line(daemon))
    daemon.stop()


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
    """Return a table of the newest open conversations."""
    open_now: list[Conversation] = sorted(
        daemon.pipeline.registry.conversations.values(), key=lambda state: state.number
    )
    return conversation_table([row_of(state) for state in open_now[-SHOWN:]], "open now", width)


def _conclude(console: Console, ended: list[Row], folder: Path) -> bool:
    console.print(conversation_table(ended, "what was seen", console.width))
    for line in outcome_lines(sum_of(ended)):
        console.print(line, soft_wrap=True)
    console.print()
    report = verify([folder])
    for line in describe(report):
        console.print(line, soft_wrap=True)
    return report.ok
