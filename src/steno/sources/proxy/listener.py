"""Accepting: sockets that listen, and what comes on them, with TLS or without.

A connection is accepted before its TLS begins, so that each is served with the certificate that holds then.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import anyio

from steno.certificates import CertificateError
from steno.sources import sockets

SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What `accept` fails with while the machine, or this process, is short of something."""
SHORT_SECONDS: Final = 0.25
BEGINNING: Final = 512
"""Connections whose TLS may be going on at a time. Each takes some 100 KiB, and a few ms of work. Further ones wait to
be accepted, as long as that takes: all the clients of a server that was restarted come at once."""


async def bind(name: str, host: str, port: int, *, reuse_port: bool = False) -> list[sockets.Listener]:
    """Return the sockets of the source `name` that listen on all addresses of `host`. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
    )
    opened: list[sockets.Listener] = []
    try:
        for address in dict.fromkeys(each[4][0] for each in found):
            opened.append(sockets.listener(name, str(address), port, reuse_port=reuse_port))
            if opened[-1].inherited:
                break
    except BaseException:
        for each in opened:
            each.sock.close()
        raise
    return opened


class Listener:
    """Sockets that listen, until `close`."""

    def __init__(
        self,
        opened: list[sockets.Listener],
        made: Callable[[], asyncio.Protocol],
        context: Callable[[], ssl.SSLContext] | None,
        handshake_seconds: float,
        failed: Callable[[str], None],
    ) -> None:
        """Accept on the sockets of `opened`.

        Args:
            opened: what listens; closed by `close` or `retire`.
            made: makes the protocol of a connection, when its TLS is over.
            context: returns what the next connection's TLS is served with. Where it raises CertificateError there is
                none.
            handshake_seconds: how long TLS may take.
            failed: takes why the TLS of a connection failed.
        """
        self._opened = opened
        self.sockets = [each.sock for each in opened]
        self._made = made
        self._context = context
        self._seconds = handshake_seconds
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._accepting = [self._loop.create_task(self._accept(each)) for each in self.sockets]
        self._places = asyncio.Semaphore(BEGINNING)
        self._beginning: dict[asyncio.Task[None], socket.socket] = {}
        self._handed: set[socket.socket] = set()
        """Sockets of those that belong to a transport, which closes them."""

    @property
    def beginning(self) -> int:
        """Connections whose TLS is not over."""
        return len(self._beginning)

    @property
    def port(self) -> int:
        """The port of the first socket."""
        return int(self.sockets[0].getsockname()[1])

    async def retire(self) -> None:
        """Leave the port to a successor: accept what has come to it, and nothing more."""
        async with anyio.create_task_group() as tasks:
            for opened, accepting in zip(self._opened, self._accepting, strict=True):
                tasks.start_soon(opened.retire, partial(self._end, opened.sock, accepting))

    async def settled(self) -> None:
        """Return when the TLS of all that was accepted has come to its end."""
        if self._beginning:
            await asyncio.wait(list(self._beginning))

    def _end(self, listening: socket.socket, accepting: asyncio.Task[None]) -> None:
        accepting.cancel()
        self._loop.remove_reader(listening)  # the cancelled task does it too late for its number
        listening.close()

    def close(self) -> None:
        """Accept nothing more. What has been accepted is not touched, but for TLS that has not come to its end."""
        for task in (*self._accepting, *self._beginning):
            task.cancel()
        for each in self.sockets:
            if each.fileno() >= 0:
                self._loop.remove_reader(each)  # the cancelled task does it too late for its number
                each.close()

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            await self._places.acquire()
            if not await self._accept_one(listening):
                self._places.release()

    async def _accept_one(self, listening: socket.socket) -> bool:
        """Accept a connection, and return whether its TLS begins."""
        try:
            accepted, _ = await self._loop.sock_accept(listening)
        except OSError as error:
            await asyncio.sleep(SHORT_SECONDS if error.errno in SHORT else 0)
            return False
        with suppress(OSError):  # asyncio does it only where the protocol of the listening socket was named
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets.probe(accepted)
        try:
            context = self._context() if self._context else None
        except CertificateError:
            accepted.close()
            await asyncio.sleep(0)  # the others have their turn, however many come
            return False
        task = self._loop.create_task(self._begin(accepted, context))
        self._beginning[task] = accepted
        task.add_done_callback(self._begun)
        return True

    def _begun(self, task: asyncio.Task[None]) -> None:
        self._places.release()
        accepted = self._beginning.pop(task)
        if accepted not in self._handed:  # it was cancelled before it began
            accepted.close()
        self._handed.discard(accepted)

    async def _begin(self, accepted: socket.socket, context: ssl.SSLContext | None) -> None:
        """Begin TLS, where there is any, and hand the connection over. Where TLS fails the client knows why."""
        self._handed.add(accepted)
        try:
            await self._loop.connect_accepted_socket(
                self._made, accepted, ssl=context, ssl_handshake_timeout=self._seconds if context else None
            )
        except ssl.SSLError as error:
            self._failed((error.reason or "no handshake is possible").lower().replace("_", " "))
        except OSError:  # the client is gone, or took too long
            return
