"""A provider without pauses, and clients of it: websockets, HTTP requests, bytes on a socket."""

import asyncio
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio.to_thread
import msgspec
from websockets.asyncio.client import ClientConnection

from steno.simulate.server import Provider, provider

STARTED_AT = 1_790_000_000
Event = dict[str, Any]


@asynccontextmanager
async def simulated(**settings: Any) -> AsyncIterator[Provider]:
    async with provider(**{"seed": 7, "speed": 0.0, "now": lambda: STARTED_AT, **settings}) as running:
        yield running


class Reply(NamedTuple):
    """The response to an HTTP request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


async def request(
    running: Provider,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Reply:
    """Send a request. A body that is not bytes is sent as JSON."""
    url = running.url(path).replace("ws", "http", 1)
    data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
    asked = urllib.request.Request(url, data, headers or {}, method=method)  # noqa: S310  # an http URL
    return await anyio.to_thread.run_sync(_sent, asked, tls)


def _sent(asked: urllib.request.Request, tls: ssl.SSLContext | None) -> Reply:
    try:
        with urllib.request.urlopen(asked, timeout=20, context=tls) as response:  # noqa: S310  # an http URL
            return Reply(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, dict(error.headers), error.read())


async def send(connection: ClientConnection, kind: str, **members: Any) -> None:
    await connection.send(msgspec.json.encode({"type": kind, **members}), text=True)


async def until(connection: ClientConnection, kind: str) -> list[Event]:
    """Return the events up to one of a kind."""
    events: list[Event] = []
    while not events or events[-1]["type"] != kind:
        events.append(msgspec.json.decode(await connection.recv()))
    return events


async def exchange(running: Provider, *parts: bytes, then: bytes = b"") -> bytes:
    """Send bytes on a connection of their own, part by part, and return all that comes until the server closes.

    `then` is sent after the head of the response.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    answer = b""
    if then:
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.write(then)
    answer += await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer
