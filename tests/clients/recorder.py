"""A relay of TCP connections that keeps what passes, in a thread of its own. It knows nothing of what it carries."""

import asyncio
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from tests.clients.wire import DOWN, UP, Part, Traffic, traffic
from tests.processes import wait_for

_AT_ONCE: Final = 64 * 1024


class Recorder:
    """One port, whose connections go on to another."""

    def __init__(self, port: int, *, shown: ssl.SSLContext | None = None, trust: ssl.SSLContext | None = None) -> None:
        """Relay to `port` on loopback. TLS is ended by `shown` on this side, and begun by `trust` on the other."""
        self.port = 0
        self._to = port
        self._shown = shown
        self._trust = trust
        self._kept: list[list[Part]] = []
        self._open = 0

    def traffic(self) -> Traffic:
        """Return what has passed, once all connections have ended."""
        wait_for(lambda: not self._open)
        return traffic([list(parts) for parts in self._kept])

    async def open(self) -> asyncio.Server:
        """Listen on a free port."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=self._shown)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept: list[Part] = []
        self._kept.append(kept)
        self._open += 1
        try:
            await self._relay_to(reader, writer, kept)
        finally:
            self._open -= 1

    async def _relay_to(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: list[Part]) -> None:
        try:
            onward, upstream = await asyncio.open_connection("127.0.0.1", self._to, ssl=self._trust)
        except OSError:
            await _close(writer)
            return
        try:
            await asyncio.gather(_pass(reader, upstream, kept, UP), _pass(onward, writer, kept, DOWN))
        finally:
            await _close(upstream)
            await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: list[Part], way: str) -> None:
    try:
        while part := await reader.read(_AT_ONCE):
            kept.append((way, part))
            writer.write(part)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
    except OSError:
        writer.close()


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Run `recorder`. It has its port then."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="recorder", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(recorder.open(), loop).result(10)
    try:
        yield recorder
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        while late := asyncio.all_tasks(loop):  # what began while the others ended
            loop.run_until_complete(_cancelled(late))
        loop.run_until_complete(asyncio.sleep(0.05))  # sockets that are closing are closed by the loop
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    await _cancelled(asyncio.all_tasks() - {asyncio.current_task()})
    await server.wait_closed()
    await asyncio.sleep(0)  # what waited for these tasks is called back


async def _cancelled(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    ending = [task for task in tasks if task]
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
