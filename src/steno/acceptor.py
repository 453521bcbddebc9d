"""Accepts the connections of a listening socket, a few at a time, and hands them on.

asyncio's own loop accepts a whole backlog before the first of its connections can be refused, and where the process has
no descriptor left it logs a traceback for each try of that backlog, every second.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

import structlog

AT_ONCE: Final = 4
"""Connections accepted before the event loop goes on. For a moment they are above what is allowed. They are few, so
that a client that asks at once is heard before newer ones push it out."""
PAUSE_SECONDS: Final = 0.25
"""How long nothing is accepted after accepting has failed."""
REPEATED_SECONDS: Final = 60.0
"""How often that is logged."""


class Acceptor:
    """A listening socket in the event loop, from `start` to `stop`."""

    def __init__(
        self, sock: socket.socket, accepted: Callable[[socket.socket, Any], None], failed: Callable[[], None]
    ) -> None:
        """Accept nothing yet.

        Args:
            sock: where clients connect.
            accepted: takes each connection, which does not block, and its other end's address.
            failed: is called when one could not be accepted, to count that, and to free a descriptor held in vain.
        """
        self._sock = sock
        self._accepted = accepted
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._logged: float | None = None

    def start(self) -> None:
        """Accept from now on."""
        self._sock.setblocking(False)
        self._loop.add_reader(self._sock, self._readable)

    def stop(self) -> None:
        """Accept no more. The socket stays open."""
        if self._pause:
            self._pause.cancel()
        self._loop.remove_reader(self._sock)

    def close(self) -> None:
        """Accept no more, and close the socket. Connections go on."""
        if self._sock.fileno() >= 0:
            self.stop()
            self._sock.close()

    def _readable(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, address = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:  # that one is gone already
                continue
            except OSError as error:
                self._wait(error)
                return
            connection.setblocking(False)
            self._accepted(connection, address)

    def _wait(self, error: OSError) -> None:
        self._failed()
        self._loop.remove_reader(self._sock)
        self._pause = self._loop.call_later(PAUSE_SECONDS, self.start)
        now = self._loop.time()
        if self._logged is None or now - self._logged >= REPEATED_SECONDS:
            self._logged = now
            structlog.get_logger().error("connections cannot be accepted", reason=error.strerror)
