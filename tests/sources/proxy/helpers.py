"""A proxy between real sockets: servers and clients that speak by the byte, where a library would be too polite."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio

from steno.config.sources.proxy import ProxySource as ProxyConfig
from steno.core.facts import EventsMissed, Fact, StreamClosed
from steno.sources.protocols import Numbers
from steno.sources.proxy.source import ProxySource
from steno.sources.recorder import Recorder
from tests.sources.helpers import PATIENCE_SECONDS, Stage, counted, until

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Play:
    """A proxy, and what came of it."""

    def __init__(self, config: ProxyConfig, recorder: Recorder | None = None) -> None:
        self.config = config
        self.stage = Stage(recorder)
        self.source = ProxySource(config, self.stage.sessions)

    @property
    def port(self) -> int:
        return self.source.port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.source.port}"

    @property
    def facts(self) -> list[Fact]:
        return self.stage.facts

    @property
    def closed(self) -> list[StreamClosed]:
        return self.stage.closed

    @property
    def missed(self) -> int:
        return sum(fact.missing for fact in self.facts if isinstance(fact, EventsMissed))

    def counts(self, metric: str) -> Numbers:
        """Return what is not zero of a metric."""
        return counted(self.source.counters.numbers()[metric])


@asynccontextmanager
async def proxied(upstream: str, **more: Any) -> AsyncIterator[Play]:
    """Run a proxy before `upstream`, with keys of its table or a `recorder`; end all that is going on at the end."""
    recorder: Recorder | None = more.pop("recorder", None)
    values = {"listen": "127.0.0.1:0", "upstream": upstream, **more}
    play = Play(ProxyConfig(name="front", kind="proxy", **values), recorder)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(play.source.run)
        await until(lambda: play.source.ready)
        try:
            yield play
        finally:
            play.source.abort()
            with anyio.fail_after(PATIENCE_SECONDS):
                await play.source.stop()


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    """Serve each connection by `talk`, and yield the URL. What it raises when a connection breaks is its way to end."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Client:
    """A connection that says and hears bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def hear(self, end: bytes) -> bytes:
        """Return what comes until `end`."""
        with anyio.fail_after(PATIENCE_SECONDS):
            return await self.reader.readuntil(end)

    async def hear_exactly(self, size: int) -> bytes:
        with anyio.fail_after(PATIENCE_SECONDS):
            return await self.reader.readexactly(size)

    async def hear_all(self) -> bytes:
        """Return what comes until the connection ends."""
        with anyio.fail_after(PATIENCE_SECONDS):
            return await self.reader.read()

    def vanish(self) -> None:
        """Break off, with nothing said."""
        self.writer.transport.abort()


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    """Connect."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def ask(port: int, request: bytes) -> bytes:
    """Say `request`, and return all that comes until the connection ends."""
    async with client(port) as connection:
        await connection.say(request)
        return await connection.hear_all()


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the head of a request, and its body where it says its length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    return head, await reader.readexactly(length)


def replying(reply: bytes, heard: list[bytes] | None = None, *, close: bool = False) -> Talk:
    """Return what answers each request by `reply`."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, body = await read_request(reader)
            if heard is not None:
                heard.append(head + body)
            writer.write(reply)
            await writer.drain()
            if close:
                return

    return talk


def reply(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    """Return a whole reply."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, ""))
    return head.encode() + body
