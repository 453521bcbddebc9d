"""`steno demo`: a simulated provider on loopback, the daemon that reads it, and where to look.

The provider is a real websocket server, and the daemon is the one that `steno run` starts. Only the conversations are
made up. Where a configured port is taken, a free one is used.
"""

import os
import secrets
import shlex
import shutil
import sys
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
from steno.config import Config, SecretRef, parse
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
GONE_SECONDS: Final = 0.1
"""How often it is looked whether anybody reads what is printed."""
TIP_WIDTH: Final = 54
"""Room for a command to try, so that what it does stands beside it in 80 columns."""
TOKEN_VARIABLE: Final = "STENO_DEMO_TOKEN"  # noqa: S105  # the name of a variable
"""The token of the HTTP face: set, or made on the spot."""
TOKEN_BYTES: Final = 16


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
    token = os.environ.setdefault(TOKEN_VARIABLE, secrets.token_urlsafe(TOKEN_BYTES))
    async with _simulated(seed) as simulated:
        with _opened(_config(simulated, folder), log) as daemon:
            daemon.listeners.append(lambda state: ended.append(row_of(state)))
            _introduce(console, daemon, simulated, folder, token)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_show, console, daemon)
                tasks.start_soon(_stop_when_nobody_reads, daemon, screen)
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
        http=msgspec.structs.replace(config.http, token=SecretRef(env=TOKEN_VARIABLE)),
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


async def _stop_when_nobody_reads(daemon: Daemon, screen: LogWriter) -> None:
    while True:
        if screen.failing is not None or screen.gone:
            daemon.stop()
            return
        await anyio.sleep(GONE_SECONDS)


# What is shown --------------------------------------------------------------------------------------------


def _introduce(console: Console, daemon: Daemon, simulated: Provider, folder: Path, token: str) -> None:
    face, steno = f"http://{daemon.address}", _program()
    console.print("Simulated callers talk to simulated agents. Look at them while it runs:")
    for name, text in (
        ("page", f"{face}/#token={token}"),
        ("table", f"{steno} top {face}"),
        ("metrics", f"curl -s {face}/metrics"),
        ("readiness", f"{steno} health {face}/readyz"),
        ("provider", f"http://127.0.0.1:{simulated.port}/v1   a base URL for clients of your own"),
        ("audit log", f"{folder}"),
    ):
        console.print(f"  {name:<10} {text}", soft_wrap=True)
    console.print("Ctrl-C ends it.", style="dim")
    console.print()


def _program() -> str:
    """Return how this program is called, as a shell takes it."""
    own = Path(sys.argv[0])
    if own.name in {"__main__.py", "-c"}:
        return shlex.join([sys.executable, "-m", "steno"])
    found = shutil.which(own.name)
    return own.name if found and Path(found).resolve() == own.resolve() else shlex.quote(str(own))


async def _show(console: Console, daemon: Daemon) -> None:
    """Keep a small table up to date; without a terminal, print a line every `PLAIN_SECONDS`."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(Group(_live_table(daemon, console.width), _line(daemon)), refresh=True)
                await anyio.sleep(REFRESH_SECONDS)
    while True:
        await anyio.sleep(PLAIN_SECONDS)
        console.print(_line(daemon), soft_wrap=True)


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
    console.print()
    _try_next(console, folder)
    return report.ok


def _try_next(console: Console, folder: Path) -> None:
    """Print what works now that the daemon has ended. The audit log is left, since it is what there is to look at."""
    steno, log = _program(), shlex.quote(str(folder))
    console.print("What to try next:")
    tips = (
        (f"{steno} serve {log}", "this log in the page"),
        (f"{steno} verify {log}", "prove it once more"),
        (f"{steno} demo --seed 2", "other callers"),
        ("docs/getting-traffic-in.md", "your own traffic"),
        (f"rm -r {log}", "remove this log"),
    )
    width = min(TIP_WIDTH, max(len(text) for text, _ in tips))
    for text, what in tips:
        console.print(f"  {text:<{width}}  {what}", soft_wrap=True)
