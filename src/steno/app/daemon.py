"""The daemon: one task group, a fixed order of starting and stopping, and the signals.

Started in this order: audit log, HTTP server, control socket, ticker, sources. Stopped in this order: the sources close
their connections, open conversations are closed, the state is written, the audit log is flushed and ended. The HTTP
server goes last, so that a probe sees the drain.
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
from msgspec import Struct

from steno import __version__
from steno.admin.http import CheckResult, HttpServer, application, bind
from steno.app import control, logs
from steno.app.control_client import EraseRequest
from steno.app.files import STATE_MODE, StateWriter, output
from steno.app.memory_numbers import MemoryNumbers
from steno.app.price_list import load_prices
from steno.app.source_kinds import make_source
from steno.audit.content_store.erase import Erasure
from steno.audit.service import AuditService
from steno.config import Config
from steno.core.billing.prices import PriceTable
from steno.core.conversation import Conversation
from steno.core.stream import Stream
from steno.errors import ConfigError, UnavailableError
from steno.metrics.exposition import daemon_registry
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.sources.clock import Clock
from steno.sources.recorder import Recorder
from steno.sources.stream_session import StreamSessions
from steno.sources.supervisor import SourceSupervisor

TICK_SECONDS: Final = 1.0
STALLED_SECONDS: Final = 10.0
"""How long the event loop or the audit writer may make no progress before `/healthz` reports it."""
SHARE_OF_SOURCES: Final = 0.7
"""How much of the time for the drain the sources may take; the rest is the audit log's."""

READY_POLICIES: Final[Mapping[str, Callable[[Iterable[bool]], bool]]] = {
    "all": all,
    "any": any,
    "none": lambda _: True,
}
"""`http.ready`: how many sources must be ready before the daemon is."""


class DaemonParts(Struct, frozen=True, kw_only=True):
    """What a daemon is wired from: what `opened` has opened and read."""

    clock: Clock
    socket: socket.socket
    """Where the HTTP face listens."""
    audit: AuditService
    prices: PriceTable
    recorder: Recorder | None = None
    state: StateWriter | None = None
    load: Callable[[], Config] | None = None
    """Reads the configuration again, where it came from a file."""


class Daemon:
    """A running steno: the pipeline, and all that feeds it, reads it and writes for it.

    `run` is the whole life. `stop` ends it in order, as the first signal does.
    """

    def __init__(self, config: Config, parts: DaemonParts) -> None:
        """Wire `parts`. Nothing runs yet."""
        self.clock = parts.clock
        self.audit = parts.audit
        self.listeners: list[Callable[[Conversation], None]] = []
        """Each is called with every conversation that ends."""
        self.metrics = Metrics(config.limits.label_values)
        self.pipeline = Pipeline(
            config.limits,
            [self.metrics, *parts.audit.sinks],
            self._conversation_closed,
            self._stream_ended,
            parts.prices,
        )
        sessions = StreamSessions(self.pipeline, parts.clock, parts.recorder, config.limits)
        self.sources = SourceSupervisor(config.sources, lambda source: make_source(source, sessions))
        self.memory = MemoryNumbers(config.limits, self.pipeline.registry.memory, sessions.read_ahead)
        self._config = config
        self._parts = parts
        self._log = structlog.get_logger()
        self._stopping = anyio.Event()
        self._ticked_at = 0.0
        """When the last tick was, by the clock of the event loop."""

    @property
    def address(self) -> str:
        """Where the HTTP face listens, as `host:port`."""
        sock = self._parts.socket
        host, port = sock.getsockname()[:2]
        return f"[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{host}:{port}"

    def _conversation_closed(self, state: Conversation) -> None:
        if self._parts.state:
            self._parts.state.closed(state)
        for listener in self.listeners:
            listener(state)

    def _stream_ended(self, stream: Stream) -> None:
        if self._parts.state:
            self._parts.state.ended(stream)

    # Life -----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Begin to stop, in order."""
        self._stopping.set()

    async def run(self) -> bool:
        """Run until `stop` or a signal, then drain; return whether all records are on the disk."""
        registry = daemon_registry(self.pipeline, self.metrics, [self.sources, self.audit, self.memory])
        http = HttpServer(application(registry, self.healthy, self.ready), self._parts.socket)
        async with anyio.create_task_group() as tasks:
            self.audit.start(self.pipeline, self.clock.start)
            self._ticked_at = anyio.current_time()
            tasks.start_soon(http.run)
            if self.audit.directory:
                tasks.start_soon(control.listen, self.audit.directory, self._erase)
            self._log_start()
            tasks.start_soon(self._tick)
            await self._run_sources()
            written = await self._finish()
            http.stop()
            await http.stopped.wait()
            tasks.cancel_scope.cancel()
        return written

    def _log_start(self) -> None:
        self._log.info(
            "started",
            version=__version__,
            http=f"http://{self.address}",
            audit=str(self.audit.directory) if self.audit.directory else None,
            sources=list(self.sources.ready()),
        )
        if self.audit.directory is None:
            self._log.warning("no audit log is written: neither audit.directory nor $LOGS_DIRECTORY is set")

    async def _erase(self, request: EraseRequest) -> Erasure:
        """Remove the content of a conversation, that in memory too."""

        def forget() -> bool:
            state = self.pipeline.registry.conversations.get(request.conversation)
            if state:
                state.erase_content()
            return state is not None

        return await self.audit.erase(request.conversation, self.clock.now(), forget, partial=request.partial)

    async def _tick(self) -> None:
        """Let time go on where no frame comes, on whole seconds."""
        while True:
            now = self.clock.now()
            self.pipeline.tick(now)
            self._ticked_at = anyio.current_time()
            if self._parts.recorder:
                self._parts.recorder.flush()
            await anyio.sleep(TICK_SECONDS - now % 1_000_000 / 1_000_000)

    async def _run_sources(self) -> None:
        """Run the sources until `stop`; then stop them. What has not ended in its share of the drain is cancelled."""
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as running:
                self.sources.start(running)
                await self._stopping.wait()
                self._log.info("stopping")
                scope.deadline = anyio.current_time() + self._config.limits.drain_seconds * SHARE_OF_SOURCES
                await self.sources.stop()

    async def _finish(self) -> bool:
        """Close what is open, write the state, end the audit log; return whether the log was written in time."""
        now = self.clock.now()
        streams = list(self.pipeline.streams.values())
        for stream in streams:  # those of sources that did not end in time
            self.pipeline.stream_closed(stream, now, None, shutdown=True)
        self.pipeline.registry.close_all(now)
        if self._parts.state:
            self._parts.state.finish((), ())
        left = self._config.limits.drain_seconds * (1 - SHARE_OF_SOURCES)
        written = await anyio.to_thread.run_sync(self.audit.finish, self.clock.now(), left)
        self._log.info("stopped")
        return written

    async def watch_signals(self) -> None:
        """Stop at the first SIGTERM or SIGINT; a second one ends the process at once. SIGHUP calls `reload`."""
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
        """Read the configuration again, and begin a new audit segment. A wrong one is logged and changes nothing.

        At once take effect: sources, the level and format of the operational log, and `http.ready`; prices in the
        conversations that open from now on. The rest is opened or bound at the start, and takes effect at the next one.
        """
        old, load = self._config, self._parts.load
        try:
            new = load() if load else old
            prices = _prices(new)
        except ConfigError as error:
            faults = list(map(str, error.faults))
            self._log.error("the configuration is wrong; the former one stays in use", faults=faults)
            return
        self._config = new
        self.pipeline.registry.prices = prices
        if load:
            logs.configure(new.log.level, new.log.format)
        changes = self.sources.replace(new.sources)
        self.audit.reopen(self.clock.now(), new, changes)
        later = [name for name in ("audit", "limits") if getattr(old, name) != getattr(new, name)]
        later += ["http.listen"] if old.http.listen != new.http.listen else []
        self._log.info("configuration reloaded", **msgspec.structs.asdict(changes), at_next_start=later)

    # Health ---------------------------------------------------------------------------------------------

    def healthy(self) -> CheckResult:
        """Return whether the event loop and the audit writer make progress. Upstream does not matter here."""
        loop = anyio.current_time() - self._ticked_at < STALLED_SECONDS
        writer = self.audit.progressing(STALLED_SECONDS)
        return CheckResult(loop and writer, {"loop": loop, "audit_writer": writer})

    def ready(self) -> CheckResult:
        """Return whether the audit log can be written, enough sources are ready, and the daemon is not stopping."""
        sources = self.sources.ready()
        enough = not sources or READY_POLICIES[self._config.http.ready](sources.values())
        log = self.audit.writable()
        running = not self._stopping.is_set()
        return CheckResult(enough and log and running, {"audit": log, "sources": sources, "stopping": not running})


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
        ConfigError: the price list cannot be read, or a key or pattern of the audit log is wrong.
        DataError: the audit log that is there cannot be continued.
        UnavailableError: a port is taken, a folder cannot be written, or another daemon writes the log.
    """
    clock = Clock()
    with ExitStack() as stack:
        sock = stack.enter_context(bind(*config.http.address))
        audit = stack.enter_context(AuditService.open(config, environ, clock.start, clock.now))
        recorder = Recorder(record) if record else None
        writer = StateWriter(stack.enter_context(output(state, STATE_MODE))) if state else None
        parts = DaemonParts(
            clock=clock,
            socket=sock,
            audit=audit,
            prices=_prices(config),
            recorder=recorder,
            state=writer,
            load=load,
        )
        yield Daemon(config, parts)


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
    """Return the options that anyio runs the event loop with: uvloop where it is installed."""
    return {"use_uvloop": True} if find_spec("uvloop") else {}
