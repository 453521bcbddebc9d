"""The HTTP server: uvicorn on a socket that the daemon has bound. Signals are left to the daemon.

A handshake of TLS is a task of its own, with some seconds. So a client that says nothing holds up no other. There are
few of them at a time: one more ends the oldest.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any, Final

import anyio
import uvicorn
from starlette.types import ASGIApp

from steno.acceptor import Acceptor
from steno.admin.authorization import CERTIFICATE
from steno.admin.connections import BoundedProtocol, ConnectionTable
from steno.admin.tls_face import TlsFace, names_of
from steno.certificates import CertificateError

GRACE_SECONDS: Final = 1
"""How long a request may still take when the daemon stops."""
GOODBYE_SECONDS: Final = 0.5
"""How long a client may take to answer the end of TLS."""
LONG_SECONDS: Final = 3600.0
"""More than any handshake has: it is ended by the time of the table."""
HANDSHAKE_SHARE: Final = 4
"""Handshakes under way are at most one for so many connections of the table."""


class _Door(asyncio.Protocol):
    """Stands at a connection until TLS is agreed on, and keeps what comes before uvicorn stands there."""

    def __init__(self) -> None:
        self.came = bytearray()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read nothing yet: what comes first is for TLS."""
        if isinstance(transport, asyncio.ReadTransport):
            transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        self.came += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # as asyncio calls it
        self.lost = True


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, which are the daemon's, and with connections that are bounded."""

    def __init__(
        self, config: uvicorn.Config, table: ConnectionTable, protocol: type[BoundedProtocol], tls: TlsFace | None
    ) -> None:
        """Serve connections of `table`, each a `protocol`."""
        super().__init__(config)
        self._table = table
        self._protocol = protocol
        self._tls = tls
        self._acceptors: list[Acceptor] = []
        self._arriving: dict[asyncio.Task[None], None] = {}
        """What is not a connection of the table yet, the oldest first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections of `sockets`, which listen already."""
        self.servers = []  # those of asyncio: none
        self._acceptors = [Acceptor(sock, self._accepted, self._not_accepted) for sock in sockets or ()]
        for acceptor in self._acceptors:
            acceptor.start()
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and let requests under way end."""
        for acceptor in self._acceptors:
            acceptor.stop()
        for task in list(self._arriving) if self._tls else ():
            task.cancel()
        await super().shutdown(sockets)

    def _accepted(self, sock: socket.socket, _address: object) -> None:
        if self._tls and len(self._arriving) >= max(1, self._table.most // HANDSHAKE_SHARE):
            oldest = next(iter(self._arriving))
            del self._arriving[oldest]
            self._table.rejected["crowded"] += 1
            oldest.cancel()
        task = asyncio.get_running_loop().create_task(self._arrive(sock, self._tls))
        self._arriving[task] = None
        task.add_done_callback(lambda ended: self._arriving.pop(ended, None))

    def _not_accepted(self) -> None:
        self._table.rejected["descriptors"] += 1
        self._table.end_oldest()

    async def _arrive(self, sock: socket.socket, tls: TlsFace | None) -> None:
        loop = asyncio.get_running_loop()
        try:
            if tls is None:
                await loop.connect_accepted_socket(self._connection, sock)
            else:
                transport, _ = await loop.connect_accepted_socket(_Door, sock)
                await self._secure(transport, tls)
        except OSError:  # the client was quicker
            sock.close()

    async def _secure(self, beneath: asyncio.Transport, tls: TlsFace) -> None:
        """Agree on TLS over `beneath`, and let uvicorn serve what comes. Ends the connection where that fails."""
        door = _Door()
        transport = None
        try:
            async with asyncio.timeout(self._table.head_seconds):
                transport = await self._agreed(beneath, door, tls)
        except TimeoutError:
            self._table.rejected["silent"] += 1
        except (OSError, CertificateError):  # ssl.SSLError is an OSError
            self._table.rejected["tls"] += 1
        finally:
            if transport is None or door.lost:
                beneath.abort()
        if transport is not None and not door.lost:
            self._hand_on(transport, beneath, bytes(door.came))

    async def _agreed(self, beneath: asyncio.Transport, door: _Door, tls: TlsFace) -> asyncio.Transport | None:
        return await asyncio.get_running_loop().start_tls(
            beneath,
            door,
            tls.context(),
            server_side=True,
            ssl_handshake_timeout=LONG_SECONDS,
            ssl_shutdown_timeout=GOODBYE_SECONDS,
        )

    def _hand_on(self, transport: asyncio.Transport, beneath: asyncio.Transport, came: bytes) -> None:
        """Hand a connection on to uvicorn, with what has come so far."""
        protocol = self._connection({CERTIFICATE: names_of(transport.get_extra_info("ssl_object"))})
        protocol.beneath = beneath
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if came:
            protocol.data_received(came)

    def _connection(self, state: dict[str, Any] | None = None) -> BoundedProtocol:
        return self._protocol(self._table, config=self.config, server_state=self.server_state, app_state=state or {})


class HttpServer:
    """Serves an application until `stop`."""

    def __init__(
        self,
        app: ASGIApp,
        sock: socket.socket,
        table: ConnectionTable,
        protocol: type[BoundedProtocol] = BoundedProtocol,
        tls: TlsFace | None = None,
    ) -> None:
        """Serve `app` on `sock`, which listens already, to connections of `table`: by `tls`, or in clear."""
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of each request that is no HTTP
        self._server = _Server(config, table, protocol, tls)
        self._sock = sock
        self.stopped = anyio.Event()

    async def run(self) -> None:
        """Serve until `stop`."""
        try:
            await self._server.serve(sockets=[self._sock])
        finally:
            self.stopped.set()

    def stop(self) -> None:
        """Accept no more requests, and finish those that have begun."""
        self._server.should_exit = True
