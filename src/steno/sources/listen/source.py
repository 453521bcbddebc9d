"""`kind = "listen"`: the source that applications and relays push to.

Theory of operation
-------------------

A connection passes three stages. It is *accepted*: TLS and the handshake follow, with one deadline for both, among few
others (`arrivals`). It is *admitted* or refused (`handshake`); a refusal is counted by its reason and logged now and
then. Then it is *read*, as a stream, like one that steno opened (`reading`, `pushed`).

Where the audit log cannot keep up nothing is read, and TCP holds the clients. None is closed for that.

A mistake of ours while one connection is served ends that one alone.
"""

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import anyio
import structlog
from websockets.http11 import Request, Response

from steno.acceptor import Acceptor
from steno.certificates import CertificateError, ServerCertificate
from steno.config.sources.listen import ListenSource as ListenConfig
from steno.errors import ConfigError
from steno.sources.backoff import Backoff
from steno.sources.listen.arrivals import Arrival, Arrivals
from steno.sources.listen.connection import TAKE_SECONDS, Host, PushConnection
from steno.sources.listen.counters import ListenCounters
from steno.sources.listen.handshake import (
    SLOW,
    Admitted,
    Refusal,
    Rules,
    admit,
)
from steno.sources.listen.rates import Rates
from steno.sources.listen.reading import POLICY_VIOLATION, Reading
from steno.sources.listen.refusals import Refusals
from steno.sources.listen.tokens import Tokens, read_tokens
from steno.sources.protocols import Problem
from steno.sources.sockets import Listener, listener, problem_of
from steno.sources.stream_session import StreamSessions
from steno.sources.websocket import (
    CLOSE_SECONDS,
    GOING_AWAY,
    close_websocket,
)

WAIT_SECONDS: Final = 0.25
WAIT_MAX_SECONDS: Final = 30.0
"""Bounds of the wait before the port, the certificate or the tokens are tried again."""
CANCEL_SECONDS: Final = 1.0
"""How long connections may take to end their streams once the source is cancelled."""


class ListenSource:
    """One address that clients push to. It is ready while it listens."""

    def __init__(self, config: ListenConfig, sessions: StreamSessions) -> None:
        """Listen as `config` says, and begin streams by `sessions`."""
        self.name = config.name
        self.counters = ListenCounters()
        self._problem: Problem | None = None
        self.address: tuple[str, int] | None = None
        """Host and port that it listens on; None while it does not."""
        self.config = config
        self.sessions = sessions
        self._rules = Rules(
            Rates(config.handshakes_per_minute, config.bytes_per_second),
            acknowledges=sessions.acknowledgements is not None,
        )
        self._tokens_read = False
        self._host = Host(self._live)
        self._arrivals = Arrivals()
        self._admitted: dict[PushConnection, Admitted] = {}
        self._arriving: set[asyncio.Task[None]] = set()
        self._stopping = anyio.Event()
        self._changed = anyio.Event()
        self._log = structlog.get_logger().bind(source=config.name)
        self._refuse = Refusals(self.counters, self._log).refuse

    @property
    def _certificate(self) -> ServerCertificate | None:
        """The certificate that clients are shown; None where TLS is not configured."""
        return self.counters.certificate if self.config.tls else None

    @property
    def stopping(self) -> bool:
        """Whether it ends its connections because it stops."""
        return self._stopping.is_set()

    @property
    def ready(self) -> bool:
        """Whether it listens, and has a certificate where it needs one."""
        return self.address is not None and (self._certificate is None or self._certificate.usable)

    @property
    def problem(self) -> Problem | None:
        """Why it is not ready."""
        if self.ready:
            return None
        error = self._certificate.error if self._certificate else None
        return self._problem or (Problem("certificate", error.detail) if error else None)

    # The life of the source -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Listen until `stop`, and return when all connections have ended."""
        backoff = Backoff(WAIT_SECONDS, WAIT_MAX_SECONDS)
        try:
            while not self.stopping:
                self._changed = anyio.Event()
                try:
                    place = self._opened()
                except (ConfigError, CertificateError, OSError) as error:
                    self._fail(error)
                    with anyio.move_on_after(backoff.wait()):
                        await self._changed.wait()
                    continue
                backoff.succeeded()
                await self._listen(place)
        finally:
            await self._end_all()

    async def _listen(self, place: Listener) -> None:
        """Accept connections until the address is another one, or the source stops."""
        acceptor = Acceptor(place.sock, self._accepted, self._not_accepted)
        self._problem = None
        self.address = place.address
        self._log.info(
            "listening",
            address=self.config.listen,
            port=self.address[1],
            tls=self._certificate is not None,
            shared=place.shared,
        )
        if self._certificate is None and not self.config.private:
            self._log.warning("tokens and frames cross the network unencrypted: set tls, or let a proxy do it")
        acceptor.start()
        try:
            await self._changed.wait()
        except BaseException:
            acceptor.close()
            raise
        finally:
            self.address = None
        self.in_background(self._retire(place, acceptor))

    async def _retire(self, place: Listener, acceptor: Acceptor) -> None:
        """Leave the port to a successor. Who had connected already is still answered."""
        try:
            await place.retire(acceptor.close)
        finally:
            acceptor.close()

    async def stop(self) -> None:
        """Close all connections as going away, and accept no more."""
        self._stopping.set()
        self._changed.set()
        self._arrivals.end_all()
        await self._close(list(self._admitted), "steno is stopping", GOING_AWAY)

    async def reconfigure(self, config: ListenConfig) -> None:
        """Hold new handshakes to `config`. Connections go on, unless their token is no longer known."""
        former, self.config = self.config, config
        self._rules.rates.handshakes = config.handshakes_per_minute
        self._rules.rates.bytes = config.bytes_per_second
        if config.tls != former.tls and self.counters.certificate:
            self.counters.certificate.replace(config.tls)
        self.reload()
        if (config.listen, config.reuse_port) != (former.listen, former.reuse_port):
            self._changed.set()

    def reload(self) -> None:
        """Read tokens and certificate again. Where they are bad, the former ones stay in use."""
        with suppress(CertificateError):  # it has logged that itself
            self._read_certificate()
        try:
            self._read_tokens()
        except ConfigError as error:
            faults = list(map(str, error.faults))
            self._log.error("the tokens cannot be used; the former ones stay in use", faults=faults)
            if self._rules.tokens is None:
                self._rules.tokens = Tokens(())  # they are asked for now, and nobody has one
        tokens = self._rules.tokens
        revoked = [
            connection
            for connection, admitted in self._admitted.items()
            if tokens is not None and (admitted.token is None or admitted.token not in tokens)
        ]
        if revoked:
            self._log.warning("connections are closed: their tokens are no longer known", connections=len(revoked))
            for connection in revoked:
                connection.deaf = True
            self.in_background(self._close(revoked, "the token is no longer known", POLICY_VIOLATION))

    def in_background(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something that is waited for when the source ends."""
        task = asyncio.get_running_loop().create_task(doing)
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _close(self, connections: list[PushConnection], reason: str, code: int) -> None:
        async with anyio.create_task_group() as tasks:
            for connection in connections:
                tasks.start_soon(close_websocket, connection, reason, code)

    async def _end_all(self) -> None:
        """Wait for all that was begun. Where the source is cancelled, end it."""
        self._arrivals.end_all()
        tasks = self._arriving | self._host.handler_tasks
        try:
            while tasks:
                await asyncio.wait(tasks)
                tasks = self._arriving | self._host.handler_tasks
        finally:
            for connection in list(self._admitted):
                connection.transport.abort()
            for task in tasks:
                task.cancel()
            if tasks:
                with anyio.CancelScope(shield=True):
                    await asyncio.wait(tasks, timeout=CANCEL_SECONDS)

    # What is needed to listen ---------------------------------------------------------------------------

    def _opened(self) -> Listener:
        """Read tokens and certificate, and bind. Raises ConfigError, CertificateError and OSError."""
        if not self._tokens_read:
            self._read_tokens()
        self._read_certificate()
        return listener(self.name, *self.config.address, reuse_port=self.config.reuse_port)

    def _read_tokens(self) -> None:
        file = self.config.tokens
        self._rules.tokens = read_tokens(file) if file else None
        self._tokens_read = True

    def _read_certificate(self) -> None:
        tls = self.config.tls
        if tls and self.counters.certificate is None:
            self.counters.certificate = ServerCertificate(self.name, tls, ["http/1.1"])
        if self._certificate:
            self._certificate.reload()
            self._certificate.context()

    def _fail(self, error: Exception) -> None:
        problem = self._problem_of(error)
        if problem != self._problem:
            self._log.error("cannot listen", reason=problem.reason, detail=problem.detail)
        self._problem = problem

    def _problem_of(self, error: Exception) -> Problem:
        if isinstance(error, CertificateError):
            return Problem("certificate", error.detail)
        if isinstance(error, OSError):
            return problem_of(error, self.config.listen)
        return Problem("tokens", str(error))

    # Handshakes -----------------------------------------------------------------------------------------

    def _accepted(self, sock: socket.socket, address: Any) -> None:
        loop = asyncio.get_running_loop()
        host = address[0] if isinstance(address, tuple) else ""
        arrival = Arrival(host, loop.time() + self.config.handshake_seconds)
        self.sessions.sockets.held += 1
        self.sessions.connections += 1
        if self.sessions.sockets.spent and not self._arrivals.end_oldest():
            sock.close()
            self._refuse("descriptors", arrival)
            self._free(arrival)
            return
        self._arrivals.add(arrival)
        arrival.task = loop.create_task(self._arrive(arrival, sock))
        self._arriving.add(arrival.task)
        arrival.task.add_done_callback(lambda task: self._arrived(task, arrival, sock))

    def _arrived(self, task: asyncio.Task[None], arrival: Arrival, sock: socket.socket) -> None:
        """Clear up where no connection came of it, also where the task was cancelled before it began."""
        self._arriving.discard(task)
        if not arrival.connected:
            if task.cancelled():
                self._refuse("stopping" if self.stopping else "evicted", arrival)
            sock.close()
            self._free(arrival)

    def _not_accepted(self) -> None:
        self.counters.handshakes["descriptors"] += 1
        self._arrivals.end_oldest()

    def _free(self, arrival: Arrival) -> None:
        """Let its place, and its file descriptor, be another one's."""
        self._arrivals.discard(arrival)
        if arrival.held:
            arrival.held = False
            self.sessions.sockets.held -= 1

    async def _arrive(self, arrival: Arrival, sock: socket.socket) -> None:
        """Shake hands in TLS, where that is configured; `_live` goes on."""
        loop = asyncio.get_running_loop()
        try:
            context = self._certificate.context() if self._certificate else None
            async with asyncio.timeout_at(arrival.deadline):
                await loop.connect_accepted_socket(
                    lambda: self._connection(arrival),
                    sock,
                    ssl=context,
                    ssl_handshake_timeout=self.config.handshake_seconds if context else None,
                    ssl_shutdown_timeout=CLOSE_SECONDS if context else None,
                )
        except CertificateError as error:
            self._refuse("certificate", arrival, detail=error.detail)
        except TimeoutError:
            self._refuse("slow", arrival)
        except OSError as error:  # ssl.SSLError is one
            left = isinstance(error, ConnectionError)
            self._refuse("gone" if left else "tls", arrival, detail=getattr(error, "reason", None) or "")

    def _connection(self, arrival: Arrival) -> PushConnection:
        return PushConnection(self.sessions.read_ahead, self._host, arrival, self.config.frame_bytes)

    async def _live(self, connection: PushConnection) -> None:
        """Serve a connection from its handshake to its end."""
        task = asyncio.current_task()
        arrival = connection.arrival
        arrival.task = task
        try:
            if await self._shake_hands(connection, arrival):
                await Reading(self, connection, self._admitted[connection]).run()
        except Exception as error:  # noqa: BLE001  # a mistake of ours must not end the other connections
            self._refuse("internal_error", arrival)
            self._log.exception("internal error: this connection ends, the others go on", exc_info=error)
        finally:
            self._admitted.pop(connection, None)
            self.counters.slowed_seconds += connection.slowed_seconds
            connection.transport.abort()  # does nothing to what is closed
            self._free(arrival)
            if task:
                self._host.handler_tasks.discard(task)

    async def _shake_hands(self, connection: PushConnection, arrival: Arrival) -> bool:
        """Answer the handshake; return whether the client may push."""
        try:
            async with asyncio.timeout_at(arrival.deadline):
                accepted = await connection.shake_hands(lambda request: self._answer(connection, request))
        except TimeoutError:
            accepted = False
            if not connection.answered:
                connection.transport.write(SLOW.serialize())
                self._refuse("slow", arrival)
        except asyncio.CancelledError:
            if arrival.evicted:
                self._refuse("stopping" if self.stopping else "evicted", arrival)
            raise
        if accepted:
            self._arrivals.discard(arrival)
            arrival.settled = True
            self.counters.handshakes["accepted"] += 1
            return True
        if not arrival.settled:
            left = connection.request is None and not connection.answered
            self._refuse("gone" if left else "bad_request", arrival)
        connection.transport.close()
        await asyncio.wait([connection.connection_lost_waiter], timeout=TAKE_SECONDS)
        return False

    def _answer(self, connection: PushConnection, request: Request) -> Response | None:
        """Admit a client, or return what it is answered."""
        arrival = connection.arrival
        now = connection.loop.time()
        try:
            if self.stopping:
                raise _stopping()
            full = len(self._admitted) >= self.config.connections or self.sessions.sockets.full
            admitted = admit(request, arrival.host, self._rules, now, full=full)
        except Refusal as refusal:
            self._refuse(refusal.reason, arrival, detail=refusal.message)
            return refusal.response()
        self._admitted[connection] = admitted
        connection.bind(self._rules.rates, admitted.clients)
        return None


def _stopping() -> Refusal:
    message = "steno is stopping"
    return Refusal("stopping", HTTPStatus.SERVICE_UNAVAILABLE, "stopping", message, {"Retry-After": "1"})
