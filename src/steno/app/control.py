"""What a running daemon can be asked on this machine: a unix socket beside its audit log, for its owner alone.

One request a connection, one line of JSON each way: `{"erase":"relay/call-1"}` is answered by `{"erased":{...}}` or by
`{"error":"..."}`.
"""

import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import anyio
import msgspec
import structlog
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from msgspec import Struct

from steno.audit.content_store.erase import Erasure
from steno.errors import StenoError, UnavailableError

SOCKET: Final = ".control"
SOCKET_MODE: Final = 0o600
LINE_BYTES: Final = 64 * 1024
PATIENCE_SECONDS: Final = 5.0
"""How long the other end may take to say what it wants."""
ANSWER_SECONDS: Final = 60.0
"""How long an answer may take: what is asked waits for the disk."""


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of the daemon."""

    erase: str
    """The conversation whose words are to be removed."""
    partial: bool = False


class Answer(Struct, frozen=True):
    """What came of it: one of the two."""

    erased: Erasure | None = None
    error: str | None = None


Serve = Callable[[Request], Awaitable[Answer]]


async def listen(directory: Path, serve: Serve) -> None:
    """Answer requests on the socket in `directory` until cancelled."""
    with _reachable(directory) as path:
        try:
            listener = await anyio.create_unix_listener(path, mode=SOCKET_MODE)
        except OSError as error:
            structlog.get_logger().warning("nothing can be asked of this daemon", socket=SOCKET, reason=error.strerror)
            return
        try:
            async with listener:
                await listener.serve(lambda stream: _converse(stream, serve))
        finally:
            with suppress(OSError):
                (directory / SOCKET).unlink()


async def _converse(stream: SocketStream, serve: Serve) -> None:
    async with stream:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await stream.send(msgspec.json.encode(await _answered(stream, serve)) + b"\n")


async def _answered(stream: SocketStream, serve: Serve) -> Answer:
    try:
        with anyio.fail_after(PATIENCE_SECONDS):
            line = await BufferedByteReceiveStream(stream).receive_until(b"\n", LINE_BYTES)
        request = msgspec.json.decode(line, type=Request)
    except (TimeoutError, ValueError, anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound):
        return Answer(error="not a request")
    try:
        return await serve(request)
    except StenoError as error:
        return Answer(error=str(error))
    except Exception:  # noqa: BLE001  # a mistake of ours must not end the daemon
        structlog.get_logger().exception("internal error; a request was not answered")
        return Answer(error="internal error: see the log of the daemon")


def ask(directory: Path, request: Request) -> Answer | None:
    """Ask the daemon that writes the log in `directory`; None where nobody listens there.

    Raises UnavailableError where somebody does, and does not answer.
    """
    with _reachable(directory) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise UnavailableError(f"cannot ask the daemon: {directory / SOCKET}: {error.strerror}") from error
        try:
            connection.sendall(msgspec.json.encode(request) + b"\n")
            return msgspec.json.decode(_line(connection), type=Answer)
        except (OSError, ValueError) as error:
            raise UnavailableError(f"the daemon behind {directory / SOCKET} did not answer") from error


def _line(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as answers:
        return answers.readline(LINE_BYTES)


@contextmanager
def _reachable(directory: Path) -> Iterator[str]:
    """Yield a path of the socket that is short: the system takes no more than about a hundred bytes."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        here = Path(f"/proc/self/fd/{descriptor}")
        yield str((here if here.exists() else directory) / SOCKET)
    finally:
        os.close(descriptor)
