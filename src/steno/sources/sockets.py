"""The listening sockets of sources, so that a restart loses no connection.

A socket is bound here or inherited.

- **Bound**, with SO_REUSEPORT: a successor of the same user binds the same port while this process still has it. The
  kernel divides new connections between all sockets of a port. What waits in the queue of one that is closed is reset.
  So `retire` has the kernel send what is new to the successor, takes what has come before, and closes then.
- **Shared for good** (`reuse_port`), by any number of processes, of which any may leave. Who leaves cannot say which of
  the others is next. So the kernel drops the first packet of what is new; the client sends it again a second later, to
  those who stayed.
- **Inherited** from a service manager (`LISTEN_FDS`, as systemd passes it), by the name of the source or by the
  address. All processes that inherit it share one queue, which outlives them: it is only closed.
"""

import ctypes
import errno
import os
import re
import select
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import anyio
from msgspec import Struct

from steno.sources.protocols import Problem

BACKLOG: Final = 1024
"""Connections that may wait to be accepted; the kernel bounds it by its own limit."""
SETTLE_SECONDS: Final = 0.5
"""How long a socket that retires goes on to accept: handshakes that have begun are over by then."""
EMPTY_SECONDS: Final = 1.0
"""Longest wait for the queue to be empty after that: without a free descriptor it never is."""
FIRST_INHERITED: Final = 3
"""The first descriptor that a service manager passes, after the three standard ones."""

_ATTACH_REUSEPORT_CBPF: Final = 51
_DETACH_REUSEPORT_BPF: Final = 68
"""Socket options of Linux; Python has no names for them."""
_ATTACH_FILTER: Final = 26
"""Socket option of Linux; Python has no name for it."""
_DROP_NEW: Final = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the flags of the TCP header
        (0x54, 0, 0, 0x12),  # of them SYN and ACK
        (0x15, 0, 1, 0x02),  # SYN alone: a new connection
        (0x06, 0, 0, 0),  # drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # pass anything else: handshakes that have begun go on
    )
)
"""A program that drops the packets that open a connection."""
_RETURN_1: Final = struct.pack("=HBBI", 0x06, 0, 0, 1)
"""A program of one instruction, `return 1`: connections go to the second socket of the port in the order of binding.
Where there is none, the kernel divides as ever. The first is the one that has been there longest."""

_LISTENS: Final = "0A"
"""The state of a socket that listens, in the tables of Linux."""
IPV4: Final = 4
SHARED: Final = "several processes listen there: set reuse_port = true where this one is to be another of them"

_PROBES: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""After a minute of silence the kernel asks whether the other end is there, and gives it up a minute later."""


def probe(sock: socket.socket) -> None:
    """Have the kernel find out when the other end of `sock` is gone without a word, as nobody else does for HTTP."""
    with suppress(OSError):  # it is gone already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBES.items():
            if hasattr(socket, name):  # macOS calls the first one otherwise
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Inherited:
    """The listening sockets that a service manager has passed to this process."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        """Take those that `environ` passes to the process `pid`. Of anything else that is passed nothing is used."""
        self._sockets: list[tuple[str, socket.socket]] = []
        count = environ.get("LISTEN_FDS", "")
        if environ.get("LISTEN_PID") != str(pid) or not re.fullmatch("[0-9]{1,4}", count):
            return
        names = environ.get("LISTEN_FDNAMES", "").split(":")
        for number in range(int(count)):
            name = names[number] if number < len(names) else ""
            with suppress(OSError):  # it is no open socket
                self._add(name, socket.socket(fileno=FIRST_INHERITED + number))

    def _add(self, name: str, sock: socket.socket) -> None:
        listens = sock.family in {socket.AF_INET, socket.AF_INET6} and sock.type == socket.SOCK_STREAM
        if listens and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.set_inheritable(False)
            self._sockets.append((name, sock))
        else:
            sock.detach()  # it belongs to somebody else

    def copy(self, name: str, host: str, port: int) -> socket.socket | None:
        """Return a copy of the socket that is called `name`, or else of the one at this address; None without one."""
        named = [sock for each, sock in self._sockets if each == name]
        there = [sock for _, sock in self._sockets if _is_at(sock, host, port)]
        return next((sock.dup() for sock in named + there), None)

    @property
    def names(self) -> list[str]:
        """How the service manager calls them."""
        return [name for name, _ in self._sockets]

    def close(self) -> None:
        """Give them up. Copies stay open, and so do the sockets in the service manager."""
        while self._sockets:
            self._sockets.pop()[1].close()


def _is_at(sock: socket.socket, host: str, port: int) -> bool:
    bound, bound_port = sock.getsockname()[:2]
    with suppress(ValueError):  # a name is no address
        return (ip_address(bound), bound_port) == (ip_address(host), port)
    return False


@cache
def inherited() -> Inherited:
    """Return what this process has inherited."""
    return Inherited(os.environ, os.getpid())


class Listener(Struct, frozen=True):
    """A listening socket of a source."""

    sock: socket.socket
    """Does not block. Whoever serves on it closes it, by `retire`."""
    inherited: bool
    shared: bool = False
    """Whether somebody else listened there when it was bound, and gets a part of the connections."""
    reuse_port: bool = False
    """Whether others share the port for good, and not for the time of a handover alone."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self.sock.getsockname()[:2]
        return host, port

    async def retire(self, close: Callable[[], object]) -> None:
        """Have `close`, of whoever accepts on it, close the socket once every connection made to it was accepted.

        Connections go on. Those that wait in an inherited socket stay there, for whoever else has it.
        """
        if not self.inherited:
            with suppress(OSError):  # closed meanwhile, or a system without it: what is new may be ours until the end
                (_drop_new_ones if self.reuse_port else _send_new_ones_elsewhere)(self.sock)
            await anyio.sleep(SETTLE_SECONDS)
            await _emptied(self.sock)
        close()


def listener(name: str, host: str, port: int, passed: Inherited | None = None, *, reuse_port: bool = False) -> Listener:
    """Return the listening socket of the source `name` at `host`, an IPv6 address without brackets or any other.

    One that this process inherited (or that is in `passed`) is used where there is one. Whoever serves on it must pass
    `BACKLOG` on: asyncio has a shorter one. Without `reuse_port` one other socket may listen there, the predecessor's.

    Raises OSError, which names the address, where it cannot be bound.
    """
    passed = passed or inherited()
    sock = passed.copy(name, host, port)
    if sock is not None:
        sock.setblocking(False)
        return Listener(sock, inherited=True)
    try:
        shared = _is_listened_on(host, port)
        if shared and not reuse_port:
            _refuse_third(host, port)
        return Listener(_bound(host, port), inherited=False, shared=shared, reuse_port=reuse_port)
    except OSError as error:
        names = f"; the service manager passes {', '.join(passed.names)}, none for {name}" if passed.names else ""
        raise OSError(error.errno, f"{error.strerror}{names}", f"{host}:{port}") from error


def problem_of(error: OSError, address: str) -> Problem:
    """Return why a source does not listen at `address`, as the configuration has it."""
    reason = "address_in_use" if error.errno == errno.EADDRINUSE else "listen"
    return Problem(reason, f"{address}: {(error.strerror or 'cannot be used').lower()}")


def _is_listened_on(host: str, port: int) -> bool:
    """Return whether a socket listens there: one that shares its port with none can be bound otherwise."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probing:
        probing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ends of former connections do not matter
        try:
            probing.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _refuse_third(host: str, port: int) -> None:
    """Raise OSError where several listen already: one may be a predecessor, more are no handover."""
    if listening(host, port) > 1:
        raise OSError(errno.EADDRINUSE, SHARED)


def listening(host: str, port: int) -> int:
    """Return how many sockets listen at an address and port, as Linux says; 0 where it does not, and for a name."""
    with suppress(ValueError, OSError):
        address = ip_address(host)
        words = struct.unpack(f"!{len(address.packed) // 4}I", address.packed)
        wanted = f"{struct.pack(f'={len(words)}I', *words).hex().upper()}:{port:04X}"
        table = Path("/proc/net/tcp" if address.version == IPV4 else "/proc/net/tcp6").read_text(encoding="ascii")
        return sum(line.split()[1:4:2] == [wanted, _LISTENS] for line in table.splitlines())
    return 0


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Where the protocol is not named, asyncio leaves Nagle's algorithm on for what is accepted: 40 ms for some frames.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setblocking(False)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _send_new_ones_elsewhere(sock: socket.socket) -> None:
    """Have the kernel send new connections to the socket that was bound to the same port next, if there is one."""
    instructions = ctypes.create_string_buffer(_RETURN_1, len(_RETURN_1))
    program = struct.pack("@HP", 1, ctypes.addressof(instructions))
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH_REUSEPORT_CBPF, program)


def _drop_new_ones(sock: socket.socket) -> None:
    """Have the kernel drop what opens a connection here: the client tries again, and finds those who stay."""
    instructions = ctypes.create_string_buffer(_DROP_NEW, len(_DROP_NEW))
    program = struct.pack("@HP", len(_DROP_NEW) // 8, ctypes.addressof(instructions))
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)


async def _emptied(sock: socket.socket) -> None:
    """Return when no connection waits to be accepted by the event loop, just before the socket is closed."""
    waiting = select.poll()
    with suppress(OSError, ValueError):  # closed meanwhile
        waiting.register(sock, select.POLLIN)
        with anyio.move_on_after(EMPTY_SECONDS):
            while waiting.poll(0):  # noqa: ASYNC110  # the event loop says to nobody that it has accepted
                await anyio.sleep(0.001)
        sock.setsockopt(socket.SOL_SOCKET, _DETACH_REUSEPORT_BPF, 0)  # so that those who stay share as ever
