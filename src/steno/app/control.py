"""The daemon's control socket: what the owner of its audit log can ask of it while it runs.

The socket stands in the folder of the log. It speaks HTTP, as the HTTP face does. Two things differ, since it is not
for the network:

- The file system alone decides who may ask. The socket has mode 0600 before it listens, so that nobody but its owner
  can connect at any time.
- A peer has a few seconds to send its request, then its connection is closed. A request has a longest length. Nothing
  that a peer sends, or fails to send, ends the daemon.

`control_client` has the client, and the request and the answer that both ends agree on.
"""

import socket
import stat
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

import anyio
import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from steno.admin.connections import BoundedProtocol, ConnectionTable
from steno.admin.http import BACKLOG
from steno.admin.segments import SentPaths
from steno.admin.server import HttpServer
from steno.app.control_client import BODY_BYTES, ERASE_PATH, SOCKET, EraseAnswer, EraseRequest, reachable
from steno.audit.content_store.erase import Erasure
from steno.errors import StenoError

SOCKET_MODE: Final = 0o600
PATIENCE_SECONDS: Final = 5.0
"""How long a peer may take to send the head of its request, and then the body."""
CONNECTIONS: Final = 8
"""Peers at a time. Each command asks once and leaves."""
FIRST_EDITION_ANSWER: Final = EraseAnswer(
    error="the daemon is of a newer version of steno than this command: use the command that came with the daemon"
)
UNKNOWN_REQUEST: Final = EraseAnswer(
    error="the daemon does not know this request: it is of another version of steno than the command"
)

Erase = Callable[[EraseRequest], Awaitable[Erasure]]


def table() -> ConnectionTable:
    """Return an empty table of the connections of a control socket."""
    return ConnectionTable(CONNECTIONS, PATIENCE_SECONDS)


async def listen(
    directory: Path, erase: Erase, connections: ConnectionTable | None = None, further: Sequence[Route] = ()
) -> None:
    """Answer requests on the socket in `directory` until cancelled; a request under way is finished then.

    `connections` counts the peers, where they are counted; `further` are routes besides `POST /erase`.

    Where the socket cannot be made, that is logged, and the daemon runs without it.
    """
    with reachable(directory) as path:
        try:
            sock = _bind(Path(path))
        except OSError as error:
            structlog.get_logger().warning("nothing can be asked of this daemon", socket=SOCKET, reason=error.strerror)
            return
        peers = table() if connections is None else connections
        server = HttpServer(application(erase, further), sock, peers, ControlProtocol)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_run, server, sock)
            try:
                await anyio.sleep_forever()
            finally:
                with suppress(OSError):
                    (directory / SOCKET).unlink()
                server.stop()


async def _run(server: HttpServer, sock: socket.socket) -> None:
    """Serve until the server is stopped: cancelled in between, it would leave its connections open."""
    with anyio.CancelScope(shield=True), sock:
        await server.run()


def _bind(path: Path) -> socket.socket:
    """Return a socket that listens at `path`, for its owner alone. Raises OSError where that cannot be."""
    with suppress(FileNotFoundError):
        # A daemon that was killed leaves its socket. None runs now, since the lock of the log is held.
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(SOCKET_MODE)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


# Requests -------------------------------------------------------------------------------------------------


def application(erase: Erase, further: Sequence[Route] = ()) -> ASGIApp:
    """Return the application that answers `POST /erase` by what `erase` returns or raises, and `further` routes."""

    async def post_erase(request: Request) -> Response:
        return _response(*await _erased(request, erase))

    async def unknown(_request: Request, error: Exception) -> Response:
        status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.BAD_REQUEST
        return _response(status, UNKNOWN_REQUEST)

    routes = [Route(ERASE_PATH, post_erase, methods=["POST"]), *further]
    return SentPaths(Starlette(routes=routes, exception_handlers={HTTPException: unknown}))


async def _erased(request: Request, erase: Erase) -> tuple[HTTPStatus, EraseAnswer]:
    try:
        wanted = msgspec.json.decode(await _body(request), type=EraseRequest)
    except (TimeoutError, ValueError, RecursionError, ClientDisconnect):
        return HTTPStatus.BAD_REQUEST, EraseAnswer(error="not a request")
    try:
        return HTTPStatus.OK, EraseAnswer(await erase(wanted))
    except StenoError as error:
        return HTTPStatus.CONFLICT, EraseAnswer(error=str(error))
    except Exception:  # noqa: BLE001  # a mistake of ours must not end the daemon; its message may hold content
        structlog.get_logger().exception("internal error; a request was not answered")
        return HTTPStatus.INTERNAL_SERVER_ERROR, EraseAnswer(error="internal error: see the log of the daemon")


async def _body(request: Request) -> bytes:
    """Return the body of a request. Raises ValueError where it is too long, TimeoutError where it is too slow."""
    body = bytearray()
    with anyio.fail_after(PATIENCE_SECONDS):
        async for part in request.stream():
            body += part
            if len(body) > BODY_BYTES:
                raise ValueError("the request is too long")
    return bytes(body)


def _response(status: HTTPStatus, answer: EraseAnswer) -> Response:
    headers = {"connection": "close"}
    return Response(msgspec.json.encode(answer), status, headers, media_type="application/json")


# Connections ----------------------------------------------------------------------------------------------


class ControlProtocol(BoundedProtocol):
    """A connection that also knows the `steno erase` of the first edition, after a rollback by one version.

    It sends a line of JSON and waits for a line of JSON. It gets one, with an error that it prints.
    """

    _begun = False

    def data_received(self, data: bytes) -> None:
        """Pass data on to uvicorn, unless it begins as a request of the first edition does."""
        begun, self._begun = self._begun, True
        if begun or not data.startswith(b"{"):
            super().data_received(data)
            return
        self.transport.write(msgspec.json.encode(FIRST_EDITION_ANSWER) + b"\n")
        self.transport.close()
