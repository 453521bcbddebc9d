"""One websocket to steno: opening it, and what a refusal means."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

from steno_tap import websocket
from steno_tap.backoff import retry_after
from steno_tap.settings import Settings, TokenError
from steno_tap.websocket import Message, ProtocolError, Response

OPEN_SECONDS: Final = 10.0
"""The longest time for an address: connection, TLS and handshake together."""
READ_BYTES: Final = 64 * 1024

_SWITCHING: Final = 101
_MENDED_BY_HAND: Final = frozenset({400, 401, 403, 404})


class ConnectError(Exception):
    """No connection came to be. `slow`: somebody has to mend the cause. `wait`: seconds that the server asks for."""

    def __init__(self, message: str, *, slow: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.slow = slow
        self.wait = wait


@dataclass(eq=False)
class Connection:
    """An open websocket to steno."""

    sock: socket.socket
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Write encoded messages, and return when the kernel has all of them. Raises OSError."""
        self.writer.write(data)
        await self.writer.drain()

    async def messages(self) -> AsyncIterator[Message]:
        """Yield what the server sends, until it ends. Raises OSError and ProtocolError."""
        reader = websocket.Reader()
        while data := await self.reader.read(READ_BYTES):
            for message in reader.feed(data):
                yield message

    def abort(self) -> None:
        """Close at once. What the kernel does not have is lost."""
        self.writer.transport.abort()
        self.sock.close()  # now, not in a later turn: the loop may have none


async def connect(settings: Settings, target: str) -> Connection:
    """Open a websocket to `target`, trying each address of the host. Raises ConnectError."""
    host, port = settings.address
    try:
        addresses = await asyncio.wait_for(_resolve(host, port), OPEN_SECONDS)
    except (OSError, UnicodeError, asyncio.TimeoutError) as error:
        raise ConnectError(f"cannot find the host {host} ({_reason(error)})") from None
    last = ConnectError(f"the host {host} has no address")
    for family, address in addresses:
        try:
            return await asyncio.wait_for(_open(settings, target, family, address), OPEN_SECONDS)
        except TokenError as error:
            raise ConnectError(str(error), slow=True) from None
        except ssl.SSLCertVerificationError as error:
            last = ConnectError(f"the certificate of {host} is not trusted: {error.verify_message}", slow=True)
        except (OSError, EOFError, ProtocolError, asyncio.TimeoutError) as error:
            last = ConnectError(f"cannot connect to {host}:{port} ({_reason(error)})")
    raise last


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError) and not str(error):
        return "it takes too long"
    if isinstance(error, EOFError):
        return "it closes the connection without an answer"
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error) or type(error).__name__


Address = tuple[int, Any]
"""A family, and an address of it in the form that `sock_connect` takes."""


def _look_up(host: str, port: int, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(one[0], one[4]) for one in found]


async def _resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of `host`. Names are asked for in a thread that ends by itself: a resolver may hang."""
    with contextlib.suppress(OSError):
        return _look_up(host, port, socket.AI_NUMERICHOST)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Address]] = loop.create_future()

    def resolve() -> None:
        try:
            found = _look_up(host, port)
        except (OSError, UnicodeError) as error:
            call(_fail, error)
        else:
            call(_succeed, found)

    def call(function: Callable[..., None], value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(function, answer, value)

    try:
        threading.Thread(target=resolve, name="steno-tap-resolver", daemon=True).start()
    except RuntimeError:  # the interpreter ends, and starts no thread any more
        return _look_up(host, port)
    return await answer


def _succeed(answer: "asyncio.Future[object]", value: object) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: "asyncio.Future[object]", error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)


async def _open(settings: Settings, target: str, family: int, address: Any) -> Connection:
    sock = socket.socket(family, socket.SOCK_STREAM)
    connection = None
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
        connection = await _with_tls(settings, sock)
        await _handshake(settings, target, connection)
    except BaseException:
        if connection is not None:
            connection.abort()
        sock.close()
        raise
    return connection


async def _with_tls(settings: Settings, sock: socket.socket) -> Connection:
    if settings.parts.scheme == "wss":
        context = settings.tls or ssl.create_default_context()
        reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=settings.address[0])
    else:
        reader, writer = await asyncio.open_connection(sock=sock)
    writer.transport.set_write_buffer_limits(0)  # `drain` waits until nothing is held here
    return Connection(sock, reader, writer)


async def _handshake(settings: Settings, target: str, connection: Connection) -> None:
    key = websocket.new_key()
    headers = {"User-Agent": "steno-tap"}
    token = settings.read_token()
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    await connection.send(websocket.request(settings.host_header, target, key, headers))
    try:
        head = await connection.reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise ProtocolError("the head of the answer is too long") from None
    response = websocket.parse_response(head)
    if response.status != _SWITCHING:
        raise await _refusal(response, connection, token)
    websocket.check_accepted(response, key)


async def _refusal(response: Response, connection: Connection, token: str | None) -> ConnectError:
    detail = ""
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        body = await asyncio.wait_for(connection.reader.read(1024), 1.0)
        detail = " ".join("".join(c if c.isprintable() else " " for c in body.decode(errors="replace")).split())
    if token is not None:
        detail = detail.replace(token, "***")
    wait = retry_after(response.headers.get("retry-after"))
    slow = response.status in _MENDED_BY_HAND
    return ConnectError(f"it answers {response.status} {detail[:200]}".rstrip(), slow=slow, wait=wait)
