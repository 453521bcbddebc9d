"""`kind = "proxy"`: the address that applications use in place of the provider's."""

import asyncio
from typing import ClassVar, Final

import anyio
import structlog

from steno.attachments import AttachRequest, RefusedError
from steno.certificates import CertificateError, ServerCertificate
from steno.config.sources.proxy import ProxySource as ProxyConfig
from steno.sources.backoff import Backoff
from steno.sources.protocols import Problem
from steno.sources.proxy.client import ClientConnection
from steno.sources.proxy.frames import Budget
from steno.sources.proxy.heads import RequestHead, ResponseHead
from steno.sources.proxy.host import Observe, Observer
from steno.sources.proxy.listener import Listener, bind
from steno.sources.proxy.reading import ProxyCounters, ReadAlong
from steno.sources.proxy.refusal import Refused
from steno.sources.proxy.replies import Replies
from steno.sources.proxy.target import Upstream
from steno.sources.proxy.upstream import Dialer, Trust
from steno.sources.sockets import problem_of
from steno.sources.stream_session import StreamSessions

WAIT_SECONDS: Final = 0.25
WAIT_MAX_SECONDS: Final = 5.0
"""Bounds of the wait before an address that cannot be listened on is tried again."""
DESCRIPTORS: Final = 2
"""Of a connection: its own, and that of the one to the provider."""
REPEATED_SECONDS: Final = 10.0
"""How often clients whose TLS failed are logged."""
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
        self.observe: Observe | None = self._observe
        """Reads replies along that are no websockets; see `host.Observe`."""
        self.unreachable: tuple[str, str] | None = None
        self._asking: set[asyncio.Task[None]] = set()
        """Requests to follow a call that are under way."""
        self.stopping = False
        self._said: Problem | None = None
        """The problem that was logged last."""
        self._sessions = sessions
        self._trust = Trust()
        self._tls_logged = float("-inf")
        """When a client whose TLS failed was logged last, by the clock of the event loop."""
        self._listener: Listener | None = None
        self._connections: set[ClientConnection] = set()
        self._changed = anyio.Event()
        self._empty = anyio.Event()
        self._log = structlog.get_logger().bind(source=config.name)

    @property
    def ready(self) -> bool:
        """Whether it listens."""
        return self._listener is not None and not self.stopping

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
        return self._listener.port if self._listener else 0

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
            self._close_listener()
            for connection in list(self._connections):
                connection.abort()

    async def _listen(self, backoff: Backoff) -> None:
        """Listen until another address is configured, or `stop`; where that is not possible, wait a moment."""
        config, changed = self.config, self._changed
        try:
            certificate = self._new_certificate(config)
            sockets = await bind(self.name, *config.address, reuse_port=config.reuse_port)
        except CertificateError as error:
            self._fail(Problem("certificate", error.detail))
        except OSError as error:
            self._fail(problem_of(error, config.listen))
        if self.problem:
            with anyio.move_on_after(backoff.wait()):
                await changed.wait()
            return
        if changed.is_set():  # while the name was looked up
            for each in sockets:
                each.sock.close()
            return
        context = certificate.context if certificate else None
        self._listener = Listener(
            sockets, lambda: ClientConnection(self), context, config.handshake_seconds, self._tls_failed
        )
        backoff.succeeded()
        self._said = None
        self._log.info(
            "listening",
            address=config.listen,
            port=self.port,
            upstream=config.masked_upstream,
            tls=config.tls is not None,
            shared=any(each.shared for each in sockets),
        )
        await changed.wait()
        self._close_listener()

    def _new_certificate(self, config: ProxyConfig) -> ServerCertificate | None:
        """Return the certificate to serve, read once. Raises CertificateError."""
        self.problem = None
        certificate = self.counters.certificate
        if config.tls is None:
            certificate = None
        elif certificate is None or certificate.tls != config.tls:
            certificate = ServerCertificate(self.name, config.tls, ["http/1.1"])
        self.counters.certificate = certificate
        if certificate:
            certificate.context()
        return certificate

    def _fail(self, problem: Problem) -> None:
        if problem != self._said:
            self._log.error("cannot listen", reason=problem.reason, detail=problem.detail)
        self.problem = self._said = problem

    def _close_listener(self) -> None:
        listener, self._listener = self._listener, None
        if listener:
            listener.close()

    async def drain(self) -> None:
        """Leave the port to a successor, and return when all that is going on has come to its end."""
        listener = self._listener
        if listener:
            await listener.retire()
        self.stopping = True
        for connection in list(self._connections):
            connection.drain()
        if listener:
            await listener.settled()
        await self._drained()

    async def stop(self) -> None:
        """Accept nothing more, and end what is going on: calls by a close frame, the rest at once."""
        self.stopping = True
        self._close_listener()
        self._changed.set()
        self.abort()
        await self._drained()

    async def _drained(self) -> None:
        while self._connections:
            if self._empty.is_set():
                self._empty = anyio.Event()
            await self._empty.wait()  # `run` and `drain` wait for the same one

    def abort(self) -> None:
        """End all that is going on: calls by a close frame, the rest at once."""
        for connection in list(self._connections):
            connection.abort()

    async def reconfigure(self, config: ProxyConfig) -> None:
        """Go on as `config` says, from the next request on. What is going on is not touched."""
        former, self.config = self.config, config
        self.upstream = Upstream.of(config.upstream)
        self.unreachable = None
        if _as_bound(former) != _as_bound(config):
            self._close_listener()
            self._changed.set()

    # What connections ask -------------------------------------------------------------------------------

    def made(self, connection: ClientConnection) -> None:
        """Take note of `connection`, whose TLS is over. Raises Refused where there are too many."""
        before = len(self._connections)
        self._connections.add(connection)
        self.counters.connections = before + 1
        sockets = self._sessions.sockets
        sockets.held += DESCRIPTORS
        self._sessions.connections += 1
        if before >= self.config.connections + REFUSED_AT_ONCE or sockets.spent:
            connection.transport.abort()
        if before >= self.config.connections or sockets.full:
            raise Refused(503, "connections", "there are too many connections")

    def _tls_failed(self, why: str) -> None:
        """Count a client whose TLS failed, and log it now and then: many come with one mistake."""
        self.counters.refused["tls"] += 1
        now = asyncio.get_running_loop().time()
        if now - self._tls_logged >= REPEATED_SECONDS:
            self._tls_logged = now
            self._log.warning("client refused", reason="tls", detail=why)

    def gone(self, connection: ClientConnection) -> None:
        """Forget `connection`, which has ended."""
        if connection in self._connections:
            self._connections.discard(connection)
            self._sessions.sockets.held -= DESCRIPTORS
        self.counters.connections = len(self._connections)
        if not self._connections:
            self._empty.set()

    def dialer(self, upstream: Upstream) -> Dialer:
        """Return what connects to `upstream`. Raises TrustError."""
        return Dialer(upstream, self.config.open_timeout_seconds, self._trust.context(upstream, self.config.ca_file))

    def _observe(self, request: RequestHead, response: ResponseHead) -> Observer | None:
        return Replies(
            begin=lambda: self.read_along(None, reply=True),
            missed=self._missed,
            frame_bytes=self.config.frame_bytes,
            room=self.budget,
            call_seen=self._call_seen,
        ).observe(request, response)

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

    def read_along(self, conversation: str | None, *, reply: bool = False) -> ReadAlong:
        """Begin a stream; `reply` says that it is the reply to one request."""
        return ReadAlong(self.name, self._sessions, self.counters, conversation, self.budget, reply=reply)


def _as_bound(config: ProxyConfig) -> tuple[object, ...]:
    """Return what its sockets are opened by."""
    return config.listen, config.reuse_port, config.tls, config.handshake_seconds
