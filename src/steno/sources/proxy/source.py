"""`kind = "proxy"`: the address that applications use in place of the provider's."""

import asyncio
import errno
import ssl
from typing import ClassVar, Final

import anyio
import structlog

from steno.attachments import AttachRequest, RefusedError
from steno.config.sources.base import Tls
from steno.config.sources.proxy import ProxySource as ProxyConfig
from steno.sources.backoff import Backoff
from steno.sources.protocols import Problem
from steno.sources.proxy.client import ClientConnection, Observe
from steno.sources.proxy.frames import Budget
from steno.sources.proxy.reading import ProxyCounters, ReadAlong
from steno.sources.proxy.refusal import Refused
from steno.sources.proxy.replies import Replies
from steno.sources.proxy.target import Upstream
from steno.sources.proxy.upstream import Dialer, Trust
from steno.sources.sockets import BACKLOG, Listener, listener
from steno.sources.stream_session import StreamSessions

WAIT_SECONDS: Final = 0.25
WAIT_MAX_SECONDS: Final = 5.0
"""Bounds of the wait before an address that cannot be listened on is tried again."""
REFUSED_AT_ONCE: Final = 256
"""Connections over the limit that are told so. Further ones are broken off."""


class ProxySource:
    """One configured proxy. It is ready while it listens."""

    sheds: ClassVar = True
    """Its senders never wait: what the audit log cannot take is dropped, and the log says so."""

    def __init__(self, config: ProxyConfig, sessions: StreamSessions) -> None:
        """Listen as `config` says, and begin streams by `sessions`."""
        self.name = config.name
        self.counters = ProxyCounters()
        self.problem: Problem | None = None
        self.config = config
        self.upstream = Upstream.of(config.upstream)
        self.budget = Budget(sessions.read_ahead.limit)
        self._asking: set[asyncio.Task[None]] = set()
        """Requests to follow a call that are under way."""
        self.stopping = False
        self._sessions = sessions
        self._trust = Trust()
        self._server: asyncio.Server | None = None
        self._listener: Listener | None = None
        self._connections: set[ClientConnection] = set()
        self._arriving: dict[ClientConnection, asyncio.TimerHandle] = {}
        """Connections whose TLS is not settled. asyncio does not say when that fails, so each has its time."""
        self._changed = anyio.Event()
        self._empty = anyio.Event()
        self._log = structlog.get_logger().bind(source=config.name)

    @property
    def ready(self) -> bool:
        """Whether it listens."""
        return self._server is not None and not self.stopping

    @property
    def drain_seconds(self) -> float:
        """How long what is going on may go on before `stop`."""
        return self.config.drain_seconds

    @property
    def calls(self) -> int:
        """Connections of clients on which something is going on."""
        return sum(connection.busy for connection in self._connections)

    @property
    def port(self) -> int:
        """The port it listens on, where it listens."""
        if self._server is None:
            return 0
        return int(self._server.sockets[0].getsockname()[1])

    # The life of the source -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Listen until `stop`, and return when the last call has ended."""
        backoff = Backoff(WAIT_SECONDS, WAIT_MAX_SECONDS)
        try:
            while not self.stopping:
                self._changed = anyio.Event()
                await self._listen(backoff)
            await self._drained()
        finally:
            self._close_server()
            for connection in list(self._connections):
                connection.abort()

    async def _listen(self, backoff: Backoff) -> None:
        """Listen until another address is configured, or `stop`; where that is not possible, wait a moment."""
        config, changed = self.config, self._changed
        host, port = config.address
        try:
            context = server_context(config.tls) if config.tls else None
            self._listener = listener(self.name, host, port)
            self._server = await asyncio.get_running_loop().create_server(
                self._accept,
                sock=self._listener.sock,
                ssl=context,
                backlog=BACKLOG,
                ssl_handshake_timeout=config.handshake_seconds if context else None,
            )
        except OSError as error:
            self._fail(error, config)
            with anyio.move_on_after(backoff.wait()):
                await changed.wait()
            return
        backoff.succeeded()
        self.problem = None
        self._log.info("listening", address=config.listen, port=self.port, upstream=config.masked_upstream)
        await changed.wait()
        self._close_server()

    def _fail(self, error: OSError, config: ProxyConfig) -> None:
        if isinstance(error, ssl.SSLError):
            reason, detail = "certificate", f"{config.tls.certificate if config.tls else ''}: not usable"
        elif error.errno == errno.EADDRINUSE:
            reason, detail = "address_in_use", f"{config.listen} is in use"
        else:
            named = error.filename or config.listen
            reason, detail = "listen", f"{named}: {(error.strerror or 'cannot be used').lower()}"
        problem = Problem(reason, detail)
        if problem != self.problem:
            self._log.warning("cannot listen", reason=reason, detail=detail)
        self.problem = problem

    def _close_server(self) -> None:
        server, self._server = self._server, None
        if server:
            server.close()  # it does not touch what was accepted

    async def drain(self) -> None:
        """Leave the port to a successor, and return when all that is going on has come to its end."""
        server, self._server = self._server, None
        if server and self._listener:
            await self._listener.retire(server.close)
        self.stopping = True
        for connection in list(self._connections):
            connection.drain()
        await self._drained()

    async def stop(self) -> None:
        """Accept nothing more, and end what is going on: calls by a close frame, the rest at once."""
        self.stopping = True
        self._close_server()
        self._changed.set()
        for timer in self._arriving.values():
            timer.cancel()
        self._arriving.clear()
        self.abort()
        await self._drained()

    async def _drained(self) -> None:
        while self._connections or self._arriving:
            if self._empty.is_set():  # several may wait for the same event
                self._empty = anyio.Event()
            await self._empty.wait()

    def abort(self) -> None:
        """End all that is going on: calls by a close frame, the rest at once."""
        for connection in list(self._connections):
            connection.abort()

    async def reconfigure(self, config: ProxyConfig) -> None:
        """Go on as `config` says, from the next request on. What is going on is not touched."""
        former, self.config = self.config, config
        self.upstream = Upstream.of(config.upstream)
        if (former.listen, former.tls, former.handshake_seconds) != (
            config.listen,
            config.tls,
            config.handshake_seconds,
        ):
            self._close_server()
            self._changed.set()

    # What connections ask -------------------------------------------------------------------------------

    def _accept(self) -> ClientConnection:
        refused = None
        if len(self._connections) + len(self._arriving) >= self.config.connections:
            refused = Refused(503, "connections", "there are too many connections")
        connection = ClientConnection(self, refused)
        loop, seconds = asyncio.get_running_loop(), self.config.handshake_seconds + 1
        self._arriving[connection] = loop.call_later(seconds, self._arrived, connection)
        return connection

    def _arrived(self, connection: ClientConnection) -> None:
        timer = self._arriving.pop(connection, None)
        if timer:
            timer.cancel()
        self._look()

    def _look(self) -> None:
        self.counters.connections = len(self._connections)
        if not self._connections and not self._arriving:
            self._empty.set()

    def made(self, connection: ClientConnection) -> None:
        """Know `connection`, which can be spoken with now."""
        self._connections.add(connection)
        self._arrived(connection)

    def gone(self, connection: ClientConnection) -> None:
        """Forget `connection`, which has ended."""
        self._connections.discard(connection)
        self._look()

    def dialer(self) -> Dialer:
        """Return what connects to the provider. Raises OSError."""
        return Dialer(self.upstream, self.config.open_timeout_seconds, self._trust.context(self.config))

    @property
    def observe(self) -> Observe:
        """What reads replies along that are no websockets."""
        return Replies(
            begin=lambda: self.read_along(None),
            missed=self._missed,
            frame_bytes=self.config.frame_bytes,
            room=self.budget,
            call_seen=self._call_seen,
        ).observe

    def _call_seen(self, call_id: str) -> None:
        """Have the configured source follow a call, by its own headers."""
        if self.config.attach is not None:
            request = AttachRequest(call_id, source=self.config.attach)
            task = asyncio.get_running_loop().create_task(self._ask_to_follow(request))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask_to_follow(self, request: AttachRequest) -> None:
        try:
            await self._sessions.attachments.attach(request, "proxy")
        except RefusedError as refused:
            self._log.warning("a call is not followed", call_id=request.call_id, reason=refused.code)
        except Exception:  # noqa: BLE001  # the call goes on
            self._log.exception("internal error: a call is not followed")

    def _missed(self, reason: str) -> None:
        self.counters.unfed[reason] += 1

    def read_along(self, conversation: str | None) -> ReadAlong:
        """Begin a stream."""
        return ReadAlong(self.name, self._sessions, self.counters, conversation)


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return what TLS is served with. Raises OSError, of which SSLError is one."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.client_ca)
    context.load_cert_chain(tls.certificate, tls.key)
    context.set_alpn_protocols(["http/1.1"])
    if tls.client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
