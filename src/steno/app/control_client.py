"""Asks the daemon that writes an audit log, over its control socket.

A request is HTTP/1.1 on a unix socket: `POST /erase` with an `EraseRequest` as JSON, whose response holds an
`EraseAnswer` as JSON, whatever its status; and `/v1/attachments`, as on the HTTP face. A connection carries one
request. `steno.app.control` is the other end.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from steno.audit.content_store.erase import Erasure
from steno.errors import UnavailableError, UsageError

SOCKET: Final = ".control"
"""The name of the socket, in the folder of the audit log."""
ERASE_PATH: Final = "/erase"
BODY_BYTES: Final = 64 * 1024
"""Longest request and longest answer. A conversation's key has a few hundred characters."""
ANSWER_SECONDS: Final = 60.0
"""How long an answer may take: the daemon waits for its disk first."""


class EraseRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be erased."""

    conversation: str
    """Its key, as the audit log has it."""
    partial: bool = False
    """Whether to erase the files of a conversation even where records of the log hold content that stays."""


class EraseAnswer(Struct, frozen=True):
    """What was erased, or why nothing was. One of the two is null."""

    erased: Erasure | None = None
    error: str | None = None
    """One line for a person."""


def ask_to_erase(directory: Path, request: EraseRequest) -> Erasure | None:
    """Ask the daemon that writes the log in `directory`; return what it erased, or None where none listens.

    Raises UsageError, with the daemon's own line, where it refuses. Raises UnavailableError where the socket cannot be
    connected to, and where the daemon does not answer or answers as another version does.
    """
    answered = ask(directory, "POST", ERASE_PATH, msgspec.json.encode(request), BODY_BYTES)
    if answered is None:
        return None
    try:
        answer = msgspec.json.decode(answered[1], type=EraseAnswer)
    except ValueError as error:
        raise _of_another_version(directory) from error
    if answer.erased is None:
        raise UsageError(answer.error or "the daemon did not say what it did: its log may")
    return answer.erased


def ask(directory: Path, method: str, path: str, body: bytes | None, longest: int) -> tuple[int, bytes] | None:
    """Send one request to the daemon that writes the log in `directory`, with a `body` that is JSON.

    Returns the status and up to `longest` bytes of the response; None where no daemon listens. Raises UnavailableError
    where the socket cannot be connected to, and where the daemon does not answer or answers what is no HTTP.
    """
    with reachable(directory) as socket_path, closing(_UnixConnection(socket_path)) as connection:
        try:
            connection.connect()
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise UnavailableError(
                f"cannot ask the daemon: {directory / SOCKET}: {error.strerror}{_hint(error)}"
            ) from error
        return _exchange(connection, directory, (method, path, body), longest)


def _exchange(
    connection: HTTPConnection, directory: Path, request: tuple[str, str, bytes | None], longest: int
) -> tuple[int, bytes]:
    try:
        # A daemon of the first edition answers after one line and closes, perhaps before the body is sent: the answer
        # is read all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(*request, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read(longest)
    except OSError as error:
        raise UnavailableError(
            f"the daemon behind {directory / SOCKET} did not answer: it may be stopping, so try again"
        ) from error
    except HTTPException as error:
        raise _of_another_version(directory) from error


def _hint(error: OSError) -> str:
    return ": run this as the user of the daemon" if isinstance(error, PermissionError) else ""


def _of_another_version(directory: Path) -> UnavailableError:
    return UnavailableError(
        f"the daemon behind {directory / SOCKET} answers as another version of steno does: "
        "restart the daemon, or use the command that came with it"
    )


class _UnixConnection(HTTPConnection):
    """The standard library's client, connected to a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@contextmanager
def reachable(directory: Path) -> Iterator[str]:
    """Yield a path of the socket in `directory` that is short, however long the name of the folder is.

    The address of a unix socket has room for about a hundred bytes. So the folder is opened and named by its
    descriptor, where the system can do that. The path is good while the context is open.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        by_descriptor = Path(f"/proc/self/fd/{descriptor}")
        yield str((by_descriptor if by_descriptor.exists() else directory) / SOCKET)
    finally:
        os.close(descriptor)
