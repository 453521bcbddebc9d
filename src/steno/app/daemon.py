"""The daemon: one task group, a fixed order of starting and stopping, and the signals.

Started in this order: audit log, HTTP server, control socket, ticker, sources. Stopped in this order: running calls of
sources that drain go to their end (`drain`), the sources close their connections, open conversations are closed, the
state is written, the audit log is flushed and ended. The HTTP server goes last, so that a probe sees the drain.
"""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from steno import __version__
from steno.admin.connections import ConnectionTable, Faces
from steno.admin.hosts import HostPolicy
from steno.admin.http import HEAD_SECONDS, application, face
from steno.admin.page import page_routes
from steno.admin.server import HttpServer
from steno.app import control, descriptor_plan
from steno.app.calls import Calls
from steno.app.control_client import EraseRequest
from steno.app.daemon_parts import DaemonParts
from steno.app.drain import Drain
from steno.app.garbage import Garbage
from steno.app.health import Health
from steno.app.loaded_config import LoadedConfig
from steno.app.loop_lag import LoopLag
from steno.app.memory_numbers import MemoryNumbers
from steno.app.notify import ServiceReports
from steno.app.reloading import Reloads, read
from steno.app.source_kinds import make_source, shedding
from steno.app.views import Views
from steno.audit.content_store.erase import Erasure
from steno.config import Config
from steno.config.sources import Source
from steno.core.billing.prices import PriceTable
from steno.core.conversation import Conversation
from steno.core.stream import Stream
from steno.errors import ConfigError
from steno.metrics.exemplars import ExemplarMetrics, exposed
from steno.metrics.exposition import ProcessNumbers, daemon_registry
from steno.metrics.labels import SourceLabels
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.sources.clock import ClockWatch
from steno.sources.stream_session import StreamSessions
from steno.sources.supervisor import SourceSupervisor

TICK_SECONDS: Final = 1.0
SHARE_OF_SOURCES: Final = 0.7
"""How much of the time for the drain the sources may take; the rest is the audit log's."""
SHARE_OF_STATE: Final = 0.9
"""How much of that time may have passed when the state is in its place; the rest is the operational log's."""

BOUND_AT_START: Final = ("listen", "exemplars")
"""Keys of `[http]` that a reload does not change."""


class Daemon:
    """A running steno: the pipeline, and all that feeds it, reads it and writes for it.

    `run` is the whole life. `stop` ends it in order, as the first signal does.
    """

    def __init__(self, config: Config, parts: DaemonParts) -> None:
        """Wire `parts`. Nothing runs yet."""
        self._config = config
        self._parts = parts
        self.clock = parts.clock
        self.watch = ClockWatch(parts.clock)
        self.audit = parts.audit
        self.listeners: list[Callable[[Conversation], None]] = []
        """Each is called with every conversation that ends."""
        counting = ExemplarMetrics if config.http.exemplars else Metrics
        self.metrics = counting(config.limits.label_values, parts.prices, config.limits.series)
        self.views = Views(config)
        self.pipeline = Pipeline(
            config.limits,
            [self.metrics, *parts.audit.sinks, self.views.recent, *(parts.exports.sinks if parts.exports else ())],
            self._conversation_closed,
            self._stream_ended,
            parts.prices,
            mixed=self._stream_mixed,
        )
        self._know_sources(config)
        self.calls = Calls(config, parts.clock, parts.audit, parts.journal, parts.shard)
        self.calls.attachments.followed = self.pipeline.follower
        sessions = StreamSessions(self.pipeline, parts.clock, parts.recorder, config.limits, self.calls.attachments)
        if acknowledgements := parts.audit.acknowledgements:
            acknowledgements.tick = self.pipeline.tick
            sessions.acknowledgements = acknowledgements
        self.sources = SourceSupervisor(
            _as_run(config), lambda source: make_source(source, sessions), sessions.end_left
        )
        self.drain = Drain(self.sources, lambda calls, most: parts.audit.draining(parts.clock.now(), calls, most))
        self.views.attach(self.pipeline, self.sources, self.clock.now)
        self._shedding = shedding(config.sources)
        self.audit.shed_from(self._shedding)
        self._sessions = sessions
        self._descriptors = self._plan(config)
        self.access = parts.access
        most = self.access.connections(self._descriptors.http)
        self.faces = Faces({"http": ConnectionTable(most, HEAD_SECONDS), "control": control.table()})
        self._hosts = HostPolicy(config.http.address[0], config.http.hosts)
        self.loaded = LoadedConfig(parts.prices)
        self.loaded.http_expiry = lambda: self.access.tls.expires if self.access.tls else None
        self.lag = LoopLag()
        self.garbage = Garbage()
        self.memory = MemoryNumbers(config.limits, self.pipeline.registry.memory, sessions.read_ahead)
        self._reports = ServiceReports(parts.notifier, self)
        self._log = structlog.get_logger()
        self._stopping = anyio.Event()
        self._reloads = Reloads()
        self._mistakes: set[str] = set()
        """Mistakes of ours that were logged, each once."""
        self._drain_began = 0.0
        """When the end began: the signal, or the end of the last call. By the monotonic clock."""
        self.health = Health(self.audit, self.sources, config.http.ready)

    def _know_sources(self, config: Config) -> None:
        """Let metrics have every source that is configured, also before anything comes of it, and its labels."""
        for source in config.sources:
            self.pipeline.source(source.name)
        self.views.labels = {each.name: each.labels for each in config.sources}
        self.metrics.labels = SourceLabels(self.views.labels, self.metrics.labels)

    def _labels(self) -> dict[str, dict[str, str]]:
        """Return the labels of each source as they are now: SIGHUP puts others in their place."""
        return self.metrics.labels.by_source()

    def _plan(self, config: Config) -> descriptor_plan.DescriptorPlan:
        """Share out the file descriptors."""
        plan = descriptor_plan.plan(
            len(config.sources),
            clients=sum(source.clients for source in config.sources),
            dialed=sum(source.dialed for source in config.sources),
            recording=self._parts.recorder is not None,
        )
        self._sessions.sockets.most = plan.clients
        return plan

    @property
    def address(self) -> str:
        """Where the HTTP face listens, as `host:port`."""
        sock = self._parts.socket
        host, port = sock.getsockname()[:2]
        return f"[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{host}:{port}"

    def _conversation_closed(self, state: Conversation) -> None:
        self.views.closed(state)
        if self._parts.state:
            self._parts.state.closed(state)
        for listener in self.listeners:
            listener(state)

    def _stream_mixed(self, stream: Stream) -> None:
        self._log.warning(
            "stream carries several sessions, and events that name none are rejected: name them, as by CloudEvents",
            source=stream.source,
            stream=stream.name,
            reason="ambiguous_session",
        )

    def _stream_ended(self, stream: Stream) -> None:
        self.garbage.stream_ended()
        if self._parts.state:
            self._parts.state.ended(stream)

    # Life -----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Begin to stop, in order."""
        self.health.stopping = True
        self._stopping.set()

    async def run(self) -> tuple[str, ...]:
        """Run until `stop` or a signal, then drain; return what is missing at the end, a sentence each."""
        plain = daemon_registry(self.pipeline, self.metrics, self.numbers())
        registry = exposed(plain, self.metrics)
        clients = self.faces.tables["http"]
        authorization = self.access.authorization
        further = [*page_routes(), *self.calls.http_routes(), *self.views.routes(authorization)]
        answers = application(registry, self.health.healthy, self.health.ready, authorization, further, clients)
        http = HttpServer(face(answers, self._hosts, clients), self._parts.socket, clients, tls=self.access.tls)
        async with anyio.create_task_group() as tasks:
            self.audit.start(self.pipeline, self.clock.start)
            if self._parts.exports:
                self._parts.exports.start(plain.collect, self._labels)
            self.health.ticked()
            tasks.start_soon(self._serve, http.run, self._parts.socket)
            if self.audit.directory:
                peers, control_routes = self.faces.tables["control"], self.calls.control_routes()
                listen = partial(control.listen, self.audit.directory, self._erase, peers, control_routes)
                tasks.start_soon(self._serve, listen)
            tasks.start_soon(self._serve, self.views.changes.run)
            self._log_start()
            self.garbage.start()
            self.lag.start(asyncio.get_running_loop())
            tasks.start_soon(self._tick)
            tasks.start_soon(self._reloads.run, self._reload)
            self._reports.ready()
            tasks.start_soon(self._reports.run, self._guarded)
            await self._run_sources()
            missing = await self._finish()
            self.views.changes.stop()
            http.stop()
            await http.stopped.wait()
            tasks.cancel_scope.cancel()
            self.lag.stop()
            self.garbage.stop()
        return missing

    def numbers(self) -> list[ProcessNumbers]:
        """Return whoever knows a part of the process metrics."""
        known: list[ProcessNumbers] = [self.sources, self.drain, self.audit, self.memory, self.faces, self.watch]
        known += [self.calls, self.loaded, self.lag, self._parts.errors]
        return [*known, *(each for each in (self._parts.exports, self._parts.log) if each)]

    async def _serve(self, run: Callable[[], Awaitable[None]], sock: socket.socket | None = None) -> None:
        """Run one of the daemon's own servers. Where it fails, the daemon goes on without it, and `sock` is closed."""
        try:
            await run()
        except Exception as error:  # noqa: BLE001  # whatever it is: nothing that is asked of the daemon may end it
            self._parts.errors.count("http", error)
            self._log.error("a server of the daemon has ended", exc_info=error)
            if sock:
                sock.close()  # so that peers are refused, and do not wait

    def _log_start(self) -> None:
        self._log.info(
            "started",
            version=__version__,
            http=f"{self.access.scheme}://{self.address}",
            audit=str(self.audit.directory) if self.audit.directory else None,
            audit_log=self.audit.log_id,
            sources=list(self.sources.ready()),
            **({"shard": str(self._parts.shard)} if self._parts.shard else {}),
        )
        if self.audit.directory is None:
            self._log.warning("no audit log is written: neither audit.directory nor $LOGS_DIRECTORY is set")
        self.access.log_start()
        self.calls.log_start(self._config)
        if self._descriptors.low:
            self._log.warning(
                "the limit of open files is low: raise LimitNOFILE= of the unit, or ulimit -n",
                limit=self._descriptors.limit,
                wanted=self._descriptors.wanted,
                http_connections=self._descriptors.http,
            )

    async def _erase(self, request: EraseRequest) -> Erasure:
        """Remove the content of a conversation, that in memory too."""

        def forget() -> bool:
            state = self.pipeline.registry.conversations.get(request.conversation)
            if state:
                state.erase_content()
            return self.views.erase(request.conversation) or state is not None

        return await self.audit.erase(request.conversation, self.clock.now(), forget, partial=request.partial)

    async def _tick(self) -> None:
        """Let time go on where no frame comes, on whole seconds."""
        while True:
            with self._guarded("the clock could not be watched"):
                self._watch_clock()
            now = self.clock.now()
            with self._guarded("time could not go on in order"):
                self.pipeline.tick(now)
            open_streams, conversations = len(self.pipeline.streams), len(self.pipeline.registry.conversations)
            self.garbage.tick(open_streams, conversations, self._sessions.connections)
            self.health.ticked()
            if self._parts.recorder:
                self._parts.recorder.flush()
            if self._parts.log:
                self._parts.log.tick()
            await anyio.sleep(TICK_SECONDS - now % 1_000_000 / 1_000_000)

    def _watch_clock(self) -> None:
        """Log and record what was done to the clocks. The times may follow where nothing is open."""
        quiet = not self.pipeline.streams and not self.pipeline.registry.conversations
        for change in self.watch.check(quiet=quiet):
            self._log.warning("the clock has changed", **msgspec.structs.asdict(change))
            self.audit.clock_changed(self.clock.now(), change)

    async def _run_sources(self) -> None:
        """Run the sources until `stop`; drain them, then stop them. What has not ended in its share is cancelled."""
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as running:
                self.sources.start(running)
                await self._stopping.wait()
                self._log.info("stopping")
                self._reports.stopping(self.sources.drain_seconds + self._config.limits.drain_seconds)
                await self.drain.run()
                self._drain_began = monotonic()
                self._reports.stopping(self._config.limits.drain_seconds)
                if self._parts.log:
                    self._parts.log.end_by(self._drain_began + self._config.limits.drain_seconds)
                scope.deadline = anyio.current_time() + self._config.limits.drain_seconds * SHARE_OF_SOURCES
                await self.sources.stop()

    async def _finish(self) -> tuple[str, ...]:
        """Close what is open, write the state, end the audit log; return what could not be written in time."""
        now = self.clock.now()
        streams = list(self.pipeline.streams.values())
        for stream in streams:  # those of sources that did not end in time
            with self._guarded("a stream could not be ended in order"):
                self.pipeline.stream_closed(stream, now, None, shutdown=True)
        with self._guarded("conversations could not be closed in order"):
            self.pipeline.registry.close_all(now)
        left = self._config.limits.drain_seconds * (1 - SHARE_OF_SOURCES)
        state, missing = self._parts.state, []
        async with anyio.create_task_group() as tasks:  # all at once: no disk and no peer takes the others' time
            if self._parts.exports:
                tasks.start_soon(anyio.to_thread.run_sync, self._parts.exports.finish, left)
            if state:
                until = self._drain_began + self._config.limits.drain_seconds * SHARE_OF_STATE
                tasks.start_soon(anyio.to_thread.run_sync, state.finish, until - monotonic())
            if not await anyio.to_thread.run_sync(self.audit.finish, self.clock.now(), left):
                missing.append("the audit log could not be flushed in time: records are missing at its end")
        if state and state.failure:
            missing.append(f"the state could not be written: {state.failure}")
        self._log.info("stopped")
        return tuple(missing)

    @contextmanager
    def _guarded(self, otherwise: str) -> Iterator[None]:
        """Log a mistake of ours, once a kind, and go on: what comes after it must not be lost with it."""
        try:
            yield
        except Exception:  # noqa: BLE001  # see above
            if otherwise not in self._mistakes:
                self._mistakes.add(otherwise)
                self._log.exception(f"internal error: {otherwise}")

    def received(self, number: signal.Signals) -> None:
        """Act on a signal: SIGHUP calls `reload`, all others `stop`. `signals` ends the process at the second one."""
        self._log.info("signal", signal=number.name)
        if number != signal.SIGHUP:
            self.stop()
        elif not self._stopping.is_set():
            self._reloads.ask()

    async def _reload(self) -> None:
        """Reload, and let the service manager know when that begins and ends."""
        with self._guarded("the configuration could not be reloaded"), self._reports.reloading():
            await self.reload()

    async def reload(self) -> None:
        """Read the configuration again, and begin a new audit segment. A wrong one is logged and changes nothing.

        At once take effect: sources and their labels, the level and format of the operational log, `[http]` but for
        `listen` and whether there is TLS; prices for usage that begins from now on. The rest does at the next start.
        """
        try:
            new, prices = await read(self._parts.load or (lambda: self._config))
        except ConfigError as error:
            self.loaded.failed()
            faults = list(map(str, error.faults))
            self._log.error("the configuration is wrong; the former one stays in use", faults=faults)
            return
        if not self._stopping.is_set():
            self._take(new, prices)

    def _take(self, new: Config, prices: PriceTable) -> None:
        """Put the configuration `new` into effect, as far as it does not wait for the next start."""
        old, self._config = self._config, new
        self.loaded.loaded(prices)
        self.pipeline.registry.prices = prices
        self.metrics.prices = prices
        self._know_sources(new)
        if self._parts.log:
            self._parts.log.configure(new.log.level, new.log.format)
        self._shedding = shedding(new.sources, self._shedding)
        self.audit.shed_from(self._shedding)
        changes = self.sources.replace(_as_run(new))
        self._hosts.names = frozenset(new.http.hosts)
        self.health.policy = new.http.ready
        self.access.reload(new.http)
        self.calls.reload(new)
        self.faces.tables["http"].most = self.access.connections(self._plan(new).http)
        self.audit.reopen(self.clock.now(), new, changes)
        later = [name for name in ("audit", "limits", "otel") if getattr(old, name) != getattr(new, name)]
        later += [f"http.{key}" for key in BOUND_AT_START if getattr(old.http, key) != getattr(new.http, key)]
        later += ["http.web_config"] if (new.http.web_config is None) is (self.access.tls is not None) else []
        self._log.info("configuration reloaded", **msgspec.structs.asdict(changes), at_next_start=later)


def _as_run(config: Config) -> list[Source]:
    """Return the sources as they run: their labels are for metrics alone, and other ones change no connection."""
    return [source.unlabelled() for source in config.sources]
