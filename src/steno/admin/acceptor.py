"""Accepts the connections of a socket, a few at a time, within the bounds of a `ConnectionTable`.

asyncio's own loop accepts a whole backlog before the first of its connections can be refused, and where the process has
no descriptor left it logs a traceback for each try of that backlog, every second.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import structlog

from steno.admin.connections import ConnectionTable

AT_ONCE: Final = 4
"""Connections accepted before the event loop goes on. For a moment they are above what the table allows. They are few,
so that a client that asks at once is heard before newer ones push it out."""
PAUSE_SECONDS: Final = 0.25
"""How long nothing is accepted after accepting has failed."""
REPEATED_SECONDS: Final = 60.0
"""How often that is logged."""


class Acceptor:
    """A listening socket in the event loop, from `start` to `stop`."""

    def __init__(
        self, sock: socket.socket, table: ConnectionTable, protocol: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        """Accept nothing yet. Each connection of `sock` gets a `protocol` of its own."""
        self._sock = sock
        self._table = table
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._arriving: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._logged: float | None = None

    def start(self) -> None:
        """Accept from now on."""
        self._sock.setblocking(False)
        self._loop.add_reader(self._sock, self._readable)

    def stop(self) -> None:
        """Accept no more."""
        if self._pause:
            self._pause.cancel()
        self._loop.remove_reader(self._sock)

    def _readable(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _address = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:  # that one is gone already
                continue
            except OSError as error:
                self._failed(error)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._serve(connection))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    async def _serve(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:  # the client was quicker
            connection.close()

    def _failed(self, error: OSError) -> None:
        """Count what could not be accepted, free a descriptor where one is held in vain, and pause."""
        self._table.rejected["descriptors"] += 1
        self._table.end_oldest()
        self._loop.remove_reader(self._sock)
        self._pause = self._loop.call_later(PAUSE_SECONDS, self.start)
        now = self._loop.time()
        if self._logged is None or now - self._logged >= REPEATED_SECONDS:
            self._logged = now
            structlog.get_logger().error("connections cannot be accepted", reason=error.strerror)
