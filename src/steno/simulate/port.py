"""One port for websockets and for HTTP.

The head of a connection's first request decides: a request for a websocket goes to the `websockets` library, any other
to uvicorn's HTTP protocol with an ASGI application. From then on the connection is theirs, with all its later requests.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, cast

import anyio
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState
from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

SUBPROTOCOL: Final = Subprotocol("realtime")
"""The only subprotocol that is accepted. Browsers offer others beside it, which hold keys."""
HEAD_SECONDS: Final = 10.0
"""How long a client may take for the head of its first request."""
HEAD_BYTES_MAX: Final = 64 * 1024
"""How long that head may be."""
FRAME_BYTES_MAX: Final = 22 * 1024 * 1024
"""A websocket message. A client of the real service may send 15 MiB of audio at once, a third longer as base64."""
_CLOSE_SECONDS: Final = 0.4  # to wait for the closing handshake of a client
_EXIT_SECONDS: Final = 0.8  # to wait for all clients before their connections are dropped
_HEAD_END: Final = b"\r\n\r\n"

ServeClient = Callable[[ServerConnection], Awaitable[None]]
CheckRequest = Callable[[ServerConnection, Request], Response | None]


class Port:
    """A port that is listened on, from `open` to `close`."""

    def __init__(self, serve_client: ServeClient, check: CheckRequest, app: ASGIApp) -> None:
        """Serve websockets by `serve_client`, where `check` has no other response, and all other requests by `app`."""
        self.number = 0
        """The number of the port."""
        self._serve_client = serve_client
        self._check = check
        self._http = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, ws="none", server_header=False
        )
        logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of each request that is no HTTP
        self._http_state = ServerState()
        self._logger = logging.getLogger(__name__)
        self._logger.setLevel(logging.WARNING)  # below it the library logs each connection, and headers that hold keys
        self._arriving: set[FirstRequest] = set()
        self._server: Server

    async def open(self, host: str, number: int, tls: ssl.SSLContext | None) -> None:
        """Listen. Raises OSError where the port is taken."""
        loop = asyncio.get_running_loop()
        self._http.load()

        async def create() -> asyncio.Server:
            return await loop.create_server(self._first_request, host, number, ssl=tls)

        self._server = await Server(create, self._serve_websocket)
        self.number = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close every websocket as going away, and every other connection, within a second."""
        self._server.close()
        for first in list(self._arriving):
            first.hang_up()
        for http in list(self._http_state.connections):
            http.shutdown()
            if not http.transport.is_closing():  # a response is under way; it may be a stream without an end
                http.transport.abort()
        with anyio.move_on_after(_EXIT_SECONDS, shield=True) as patience:
            await self._server.wait_closed()
            await asyncio.gather(*self._http_state.tasks)
        if patience.cancelled_caught:
            for task in list(self._server.handler_tasks):
                task.cancel()

    def _first_request(self) -> "FirstRequest":
        return FirstRequest(self._arriving, self._websocket, self._plain)

    def _plain(self) -> asyncio.Protocol:
        return H11Protocol(config=self._http, server_state=self._http_state, app_state={})

    def _websocket(self) -> ServerConnection:
        protocol = ServerProtocol(select_subprotocol=_select, max_size=FRAME_BYTES_MAX, logger=self._logger)
        return ServerConnection(protocol, self._server, close_timeout=_CLOSE_SECONDS)

    async def _serve_websocket(self, connection: ServerConnection) -> None:
        """Serve one websocket from its handshake to its end."""
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                await connection.handshake(self._check, server_header=None)
            if connection.state is State.OPEN:
                self._server.all_connections.add(connection)
                connection.start_keepalive()
                async with connection:
                    await self._serve_client(connection)
        except (TimeoutError, ConnectionClosed):
            return  # a client that does not read its response, or has left before it
        finally:
            self._server.all_connections.discard(connection)
            self._server.handler_tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            connection.transport.abort()


def _select(_protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return SUBPROTOCOL if SUBPROTOCOL in offered else None


class FirstRequest(asyncio.Protocol):
    """A connection until the head of its first request is complete."""

    def __init__(
        self,
        arriving: "set[FirstRequest]",
        websocket: Callable[[], asyncio.Protocol],
        plain: Callable[[], asyncio.Protocol],
    ) -> None:
        """Stand in `arriving` while the head is awaited, then hand over to one of the two."""
        self._arriving = arriving
        self._websocket = websocket
        self._plain = plain
        self._head = bytearray()
        self._transport: asyncio.Transport
        self._patience: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the head."""
        self._transport = cast("asyncio.Transport", transport)
        self._arriving.add(self)
        self._patience = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.hang_up)

    def data_received(self, data: bytes) -> None:
        """Take in a part of the head; once it is complete, hand over all that has come."""
        searched = max(len(self._head) - len(_HEAD_END) + 1, 0)
        self._head += data
        end = self._head.find(_HEAD_END, searched)
        if end < 0 and len(self._head) <= HEAD_BYTES_MAX:
            return
        self._leave()
        # A head that is too long, or is no HTTP, gets its answer from the HTTP protocol.
        protocol = self._websocket() if end >= 0 and asks_for_websocket(bytes(self._head[:end])) else self._plain()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(bytes(self._head))

    def connection_lost(self, _error: Exception | None) -> None:
        """Wait no longer."""
        self._leave()

    def hang_up(self) -> None:
        """End the connection."""
        self._leave()
        self._transport.abort()

    def _leave(self) -> None:
        self._arriving.discard(self)
        self._patience.cancel()


def asks_for_websocket(head: bytes) -> bool:
    """Return whether the head of a request, without its last empty line, asks for a websocket."""
    request, *lines = head.split(b"\r\n")
    headers = [line.partition(b":") for line in lines]
    upgrades = [value.strip().lower() for name, _, value in headers if name.strip().lower() == b"upgrade"]
    return request.startswith(b"GET ") and b"websocket" in upgrades
