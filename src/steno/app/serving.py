"""From a configuration to a daemon that runs in this process: opens what it is made of, and gives it the signals."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from steno.admin.http import bind
from steno.app.access import Access
from steno.app.calls import journal_of
from steno.app.check_start import unbindable
from steno.app.daemon import Daemon
from steno.app.daemon_log import DaemonLog
from steno.app.daemon_parts import DaemonParts
from steno.app.event_loop import short_turns
from steno.app.notify import Notifier
from steno.app.price_list import configured_prices
from steno.app.signals import SIGNALS
from steno.app.state_output import StateOutput
from steno.audit.service import AuditService
from steno.config import Config
from steno.errors import ConfigError, ConfigFault, UnavailableError
from steno.otel.setup import exports_of
from steno.output_errors import OutputErrors
from steno.shards import Shard
from steno.sources.clock import Clock
from steno.sources.recorder import Recorder


@contextmanager
def opened(
    config: Config,
    environ: Mapping[str, str],
    *,
    state: Path | None = None,
    record: Path | None = None,
    load: Callable[[], Config] | None = None,
    log: DaemonLog | None = None,
    shard: Shard | None = None,
) -> Iterator[Daemon]:
    """Bind the port, open the audit log and the files, and yield a daemon that is ready to run.

    Args:
        config: what was read from the configuration file.
        environ: the environment, for the folders of the audit log and of what is kept over a restart, and for the
            service manager.
        state: where the state is written at the end.
        record: the folder that frames are recorded into.
        load: reads the configuration again, where it came from a file.
        log: the operational log, where it is the daemon's own.
        shard: which of several processes with the same file this one is.

    Raises:
        ConfigError: the price list cannot be read, a key or pattern of the log or the web configuration is wrong,
            packages for what is configured are not installed, this process has no right to the port, or `state` is a
            folder.
        DataError: the audit log that is there cannot be continued.
        UnavailableError: a port is taken, a folder cannot be written, or another daemon writes the log.
    """
    clock = Clock()
    access = Access(config.http)
    errors = log.errors if log else OutputErrors()
    with ExitStack() as stack:
        sock = stack.enter_context(_bound(*config.http.address))
        audit = stack.enter_context(AuditService.open(config, environ, clock.start, clock.now))
        recorder = Recorder(record, errors) if record else None
        writer = stack.enter_context(StateOutput.open(state, errors)) if state else None
        parts = DaemonParts(
            clock=clock,
            socket=sock,
            audit=audit,
            prices=configured_prices(config.prices),
            errors=errors,
            recorder=recorder,
            state=writer,
            access=access,
            shard=shard,
            journal=journal_of(audit.directory, environ, errors),
            load=load,
            log=log,
            exports=exports_of(config.otel, clock),
            notifier=stack.enter_context(closing(Notifier(environ, partial(errors.count, "notify")))),
        )
        yield Daemon(config, parts)


def _bound(host: str, port: int) -> socket.socket:
    """Return the socket of the HTTP face.

    Raises ConfigError where this process has no right to the port, which no restart mends, else as `bind` does.
    """
    try:
        return bind(host, port)
    except UnavailableError as error:
        if not isinstance(error.__cause__, PermissionError):
            raise
        message = f"{host}:{port}: {unbindable(error.__cause__, port)}"
        raise ConfigError([ConfigFault("", "http.listen", message)]) from error


async def serve(daemon: Daemon) -> None:
    """Run `daemon` in the foreground of this process, with its signals, those included that have come so far.

    Raises UnavailableError where the drain left something unwritten.
    """
    loop = asyncio.get_running_loop()

    def deliver(number: signal.Signals) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(daemon.received, number)

    SIGNALS.hold()
    SIGNALS.deliver(deliver)
    try:
        with short_turns():
            missing = await daemon.run()
    finally:
        SIGNALS.deliver(None)
    if missing:
        raise UnavailableError("; ".join(missing))
