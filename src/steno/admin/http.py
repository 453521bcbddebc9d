"""The HTTP server: starlette on uvicorn, on a socket that the daemon bound, with signals left to the daemon."""

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import anyio
import anyio.to_thread
import uvicorn
from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steno.errors import UnavailableError

GRACE_SECONDS = 1
"""How long a request under way may take when the daemon stops."""

BACKLOG = 128


class Condition(Struct, frozen=True):
    """Whether something holds, and what it is made of."""

    ok: bool
    detail: Mapping[str, Any]


Check = Callable[[], Condition]


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises UnavailableError, naming the address, where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise UnavailableError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return sock


def application(registry: CollectorRegistry, healthy: Check, ready: Check) -> Starlette:
    """Return the application that answers `/metrics`, `/healthz` and `/readyz`."""

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = await anyio.to_thread.run_sync(encode, registry)  # many series take long: not on the loop
        return Response(body, headers={"content-type": content_type})

    async def healthz(_request: Request) -> Response:
        return _answer(healthy())

    async def readyz(_request: Request) -> Response:
        return _answer(ready())

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)])


def _answer(condition: Condition) -> Response:
    return JSONResponse({"ok": condition.ok, **condition.detail}, status_code=200 if condition.ok else 503)


class _Server(uvicorn.Server):
    """uvicorn's server but for its signal handlers: the daemon has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves an application until it is told to stop."""

    def __init__(self, app: Starlette, sock: socket.socket) -> None:
        """Serve `app` on `sock`, which is listening already."""
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        self._server = _Server(config)
        self._sock = sock
        self.stopped = anyio.Event()

    async def run(self) -> None:
        """Serve until `stop`."""
        try:
            await self._server.serve(sockets=[self._sock])
        finally:
            self.stopped.set()

    def stop(self) -> None:
        """Take no more requests, and finish those under way."""
        self._server.should_exit = True
