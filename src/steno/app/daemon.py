"""The daemon: one task group, a fixed order of starting and stopping, and the signals.

Started: audit log, pipeline, HTTP face, sources, ticker. Stopped the other way round: the sources say good-bye,
what is open is closed, the state is written, the audit log is flushed and ended, and the HTTP face goes last, so
that a probe sees the drain.
"""

import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from steno import __version__
from steno.admin.http import Condition, HttpServer, application, bind
from steno.app import control, logs
from steno.app.files import STATE_MODE, StateWriter, output
from steno.app.price_list import load_prices
from steno.audit.service import Auditing, opened_log
from steno.config import Config, Connect
from steno.core.billing.prices import PriceTable
from steno.core.conversation import Conversation
from steno.core.stream import Stream
from steno.errors import ConfigError, UnavailableError
from steno.metrics.exposition import daemon_registry
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.sources.clock import Clock
from steno.sources.connect import ConnectSource, Counters
from steno.sources.recorder import Recorder
from steno.sources.supervisor import SourceSupervisor

TICK_SECONDS: Final = 1.0
STALLED_SECONDS: Final = 10.0
"""How long the loop or the audit writer may make no progress before `/healthz` says so."""
SHARE_OF_SOURCES: Final = 0.7
"""How much of the time for the drain the sources may take; the rest is the audit log's."""

POLICIES: Final[Mapping[str, Callable[[Iterable[bool]], bool]]] = {
    "all": all,
    "any": any,
    "none": lambda _: True,
}
"""How many sources must be connected before `/readyz` says yes."""


class Daemon:
    """All rooms of a running steno, wired together.

    `run` is the whole life. `stop` ends it in order, as the first signal does.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        sock: socket.socket,
        audit: Auditing,
        recorder: Recorder | None,
        state: StateWriter | None,
        prices: PriceTable,
        load: Callable[[], Config] | None,
    ) -> None:
        """Wire what was opened; see `opened`."""
        self._load = load
        self.clock = clock
        self.socket = sock
        self.audit = audit
        self._config = config
        self._recorder = recorder
        self._state = state
        self._log = structlog.get_logger()
        self._stopping = anyio.Event()
        self._ticked_at = 0.0
        self.listeners: list[Callable[[Conversation], None]] = []
        """Each is given the conversations that end."""
        self.metrics = Metrics(config.limits.label_values)
        self.pipeline = Pipeline(
            config.limits, [self.metrics, *audit.sinks], self._conversation_closed, self._stream_ended, prices
        )
        self.sources = SourceSupervisor(config.sources, self._source)

    def _source(self, config: Connect, counters: Counters) -> ConnectSource:
        return ConnectSource(config, self.pipeline, self.clock, self._recorder, counters)

    @property
    def address(self) -> str:
        """Where the HTTP face listens, as `host:port`."""
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if self.socket.family == socket.AF_INET6 else f"{host}:{port}"

    def _conversation_closed(self, state: Conversation) -> None:
        if self._state:
            self._state.closed(state)
        for listener in self.listeners:
            listener(state)

    def _stream_ended(self, stream: Stream) -> None:
        if self._state:
            self._state.ended(stream)

    # Life -----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Begin to stop, in order."""
        self._stopping.set()

    async def run(self) -> bool:
        """Run until `stop` or a signal, then drain; return whether all that was to be recorded is on the disk."""
        registry = daemon_registry(self.pipeline, self.metrics, [self.sources, self.audit])
        http = HttpServer(application(registry, self.healthy, self.ready), self.socket)
        async with anyio.create_task_group() as tasks:
            self.audit.start(self.pipeline, self.clock.start)
            self._ticked_at = anyio.current_time()
            tasks.start_soon(http.run)
            if self.audit.directory:
                tasks.start_soon(control.listen, self.audit.directory, self._serve)
            self._started()
            tasks.start_soon(self._tick)
            await self._read()
            written = await self._finish()
            http.stop()
            await http.stopped.wait()
            tasks.cancel_scope.cancel()
        return written

    def _started(self) -> None:
        self._log.info(
            "started",
            version=__version__,
            http=f"http://{self.address}",
            audit=str(self.audit.directory) if self.audit.directory else None,
            sources=list(self.sources.connected()),
        )
        if self.audit.directory is None:
            self._log.warning("there is no audit log: neither audit.directory nor $LOGS_DIRECTORY is set")

    async def _serve(self, request: control.Request) -> control.Answer:
        """Remove the words of a conversation, those in memory too."""

        def forget() -> bool:
            state = self.pipeline.registry.conversations.get(request.erase)
            if state:
                state.erase_content()
            return state is not None

        return control.Answer(await self.audit.erase(request.erase, self.clock.now(), forget, partial=request.partial))

    async def _tick(self) -> None:
        """Fill silence with the passing of time, on whole seconds."""
        while True:
            now = self.clock.now()
            self.pipeline.tick(now)
            self._ticked_at = anyio.current_time()
            if self._recorder:
                self._recorder.flush()
            await anyio.sleep(TICK_SECONDS - now % 1_000_000 / 1_000_000)

    async def _read(self) -> None:
        """Let the sources read until we are to stop; then let them say good-bye, within the time for it."""
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as reading:
                self.sources.start(reading)
                await self._stopping.wait()
                self._log.info("stopping")
                scope.deadline = anyio.current_time() + self._config.limits.drain_seconds * SHARE_OF_SOURCES
                await self.sources.stop()

    async def _finish(self) -> bool:
        """Close what is open, write the state, end the audit log; return whether that was written in time."""
        now = self.clock.now()
        streams = list(self.pipeline.streams.values())
        for stream in streams:  # a source that could not end in time
            self.pipeline.stream_closed(stream, now, None, shutdown=True)
        self.pipeline.registry.close_all(now)
        if self._state:
            self._state.finish((), ())
        left = self._config.limits.drain_seconds * (1 - SHARE_OF_SOURCES)
        written = await anyio.to_thread.run_sync(self.audit.finish, self.clock.now(), left)
        self._log.info("stopped")
        return written

    async def watch_signals(self) -> None:
        """Stop at the first SIGTERM or SIGINT; a second one ends the process at once. SIGHUP: see `reload`."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for received in signals:
                self._log.info("signal", signal=received.name)
                if received != signal.SIGHUP:
                    break
                self.reload()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self.stop()

    def reload(self) -> None:
        """Read the configuration again, and begin a new audit segment. A wrong one changes nothing but is told.

        Sources, the log's level and form, and how many sources make ready take effect at once, prices in the
        conversations that open from now on; what is bound or opened at the start, and the limits, at the next start.
        """
        old = self._config
        try:
            new = self._load() if self._load else old
            prices = _prices(new)
        except ConfigError as error:
            self._log.error("the configuration is wrong, and the old one stays", faults=list(map(str, error.faults)))
            return
        self._config = new
        self.pipeline.registry.prices = prices
        if self._load:
            logs.configure(new.log.level, new.log.format)
        changes = self.sources.replace(new.sources)
        self.audit.reopen(self.clock.now(), new, changes)
        later = [name for name in ("audit", "limits") if getattr(old, name) != getattr(new, name)]
        later += ["http.listen"] if old.http.listen != new.http.listen else []
        self._log.info("configuration read", **msgspec.structs.asdict(changes), at_next_start=later)

    # Health ---------------------------------------------------------------------------------------------

    def healthy(self) -> Condition:
        """Tell whether the loop and the audit writer make progress. Upstream has no say in this."""
        loop = anyio.current_time() - self._ticked_at < STALLED_SECONDS
        writer = self.audit.progressing(STALLED_SECONDS)
        return Condition(loop and writer, {"loop": loop, "audit_writer": writer})

    def ready(self) -> Condition:
        """Tell whether what is asked to be there is: a log that can be written, and the sources."""
        connected = self.sources.connected()
        enough = not connected or POLICIES[self._config.http.ready](connected.values())
        log = self.audit.writable()
        running = not self._stopping.is_set()
        return Condition(enough and log and running, {"audit": log, "sources": connected, "stopping": not running})


def _prices(config: Config) -> PriceTable:
    return load_prices(Path(config.prices.file) if config.prices.file else None)


@contextmanager
def opened(
    config: Config,
    environ: Mapping[str, str],
    *,
    state: Path | None = None,
    record: Path | None = None,
    load: Callable[[], Config] | None = None,
) -> Iterator[Daemon]:
    """Bind the port, open the audit log and the files, and yield a daemon that is ready to run.

    Args:
        config: what was read from the configuration file.
        environ: the environment, for the folder of the audit log.
        state: where the state is written at the end.
        record: the folder that frames are recorded into.
        load: reads the configuration again, where it came from a file.

    Raises:
        ConfigError: the price list is none.
        UnavailableError: a port is taken, a folder cannot be written, or another daemon writes the log.
    """
    clock = Clock()
    with ExitStack() as stack:
        sock = stack.enter_context(bind(*config.http.address))
        audit = stack.enter_context(opened_log(config, environ, clock.start, clock.now))
        recorder = Recorder(record) if record else None
        writer = StateWriter(stack.enter_context(output(state, STATE_MODE))) if state else None
        yield Daemon(config, clock, sock, audit, recorder, writer, _prices(config), load)


async def serve(daemon: Daemon) -> None:
    """Run `daemon` in the foreground of this process, with its signals.

    Raises UnavailableError where the drain left records unwritten.
    """
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(daemon.watch_signals)
        written = await daemon.run()
        tasks.cancel_scope.cancel()
    if not written:
        raise UnavailableError("the audit log could not be flushed in time: records are missing at its end")


def event_loop_options() -> dict[str, bool]:
    """Return the options of the event loop: uvloop where it is installed."""
    return {"use_uvloop": True} if find_spec("uvloop") else {}
