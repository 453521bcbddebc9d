"""The HTTP server: starlette on uvicorn, on a socket that the daemon has bound. Signals are left to the daemon."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Protocol

import anyio
import uvicorn
from msgspec import Struct
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from steno.acceptor import Acceptor
from steno.admin.answers import error
from steno.admin.authorization import Authorization
from steno.admin.connections import BoundedProtocol, ConnectionTable
from steno.admin.metrics_page import MetricsPage
from steno.errors import UnavailableError
from steno.metrics.formats import render

GRACE_SECONDS: Final = 1
"""How long a request may still take when the daemon stops."""

HEAD_SECONDS: Final = 10.0
"""How long a client may take to send the head of a request, and to take a response."""

PROGRAMS: Final = "/v1/"
"""What programs ask for: errors are JSON there."""

BACKLOG: Final = 128
"""Connections that wait to be accepted."""


class CheckResult(Struct, frozen=True):
    """What a health check found: the verdict, and what it is made of."""

    ok: bool
    detail: Mapping[str, Any]
    """Members of the JSON response beside `ok`."""


HealthCheck = Callable[[], CheckResult]


class ReadyCheck(Protocol):
    """Says whether the daemon is ready."""

    def __call__(self, *, detailed: bool) -> CheckResult:
        """Return that; `detailed` as who has the token may see it."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host`, an IPv6 address without brackets or any other, and `port` (0: any free).

    Raises UnavailableError, which names the address, where that is not possible.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        taken = "; each steno needs an http.listen of its own" if error.errno == errno.EADDRINUSE else ""
        raise UnavailableError(f"cannot listen on {host}:{port}: {error.strerror}{taken}") from error
    return sock


def application(
    registry: Collector,
    healthy: HealthCheck,
    ready: ReadyCheck,
    authorization: Authorization,
    further: Sequence[Route] = (),
) -> ASGIApp:
    """Return the application that answers `/metrics`, `/healthz`, `/readyz` and `further` routes, for any host.

    Who is allowed by `authorization` is shown details.
    """
    metrics = MetricsPage(partial(render, registry)).respond

    async def healthz(_request: Request) -> Response:
        return _response(healthy())

    async def readyz(request: Request) -> Response:
        return _response(ready(detailed=authorization.allows(request)))

    own = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    return routed([*own, *further])


def routed(routes: Sequence[Route]) -> ASGIApp:
    """Return the application that answers `routes`, and in JSON what programs ask for that is none of them."""
    return Starlette(routes=list(routes), exception_handlers={HTTPException: _refused})


async def _refused(request: Request, refused: Exception) -> Response:
    """Answer what has no route: in JSON where programs ask."""
    status = HTTPStatus(refused.status_code) if isinstance(refused, HTTPException) else HTTPStatus.BAD_REQUEST
    headers = dict(refused.headers or {}) if isinstance(refused, HTTPException) else {}
    if request.url.path.startswith(PROGRAMS):
        return error(status, status.phrase.lower().replace(" ", "_"), "there is no such request", headers)
    return PlainTextResponse(status.phrase, status, headers)


def _response(result: CheckResult) -> Response:
    return JSONResponse({"ok": result.ok, **result.detail}, status_code=200 if result.ok else 503)


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, which are the daemon's, and with connections that are bounded."""

    def __init__(self, config: uvicorn.Config, table: ConnectionTable, protocol: type[BoundedProtocol]) -> None:
        """Serve connections of `table`, each a `protocol`."""
        super().__init__(config)
        self._table = table
        self._protocol = protocol
        self._acceptors: list[Acceptor] = []
        self._arriving: set[asyncio.Task[None]] = set()

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
        await super().shutdown(sockets)

    def _accepted(self, sock: socket.socket, _address: object) -> None:
        task = asyncio.get_running_loop().create_task(self._arrive(sock))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    def _not_accepted(self) -> None:
        self._table.rejected["descriptors"] += 1
        self._table.end_oldest()

    async def _arrive(self, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, sock)
        except OSError:  # the client was quicker
            sock.close()

    def _connection(self) -> BoundedProtocol:
        return self._protocol(self._table, config=self.config, server_state=self.server_state, app_state={})


class HttpServer:
    """Serves an application until `stop`."""

    def __init__(
        self,
        app: ASGIApp,
        sock: socket.socket,
        table: ConnectionTable,
        protocol: type[BoundedProtocol] = BoundedProtocol,
    ) -> None:
        """Serve `app` on `sock`, which listens already, to connections of `table`, each a `protocol`."""
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
        self._server = _Server(config, table, protocol)
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
