"""A steno to push to, over real sockets: it keeps what comes, and misbehaves as it is asked to."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve
from websockets.utils import accept_key

WAIT_SECONDS = 20.0


@dataclass
class Push:
    """One connection that came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    close_code: int | None = None


@dataclass
class Disk:
    """What survives a restart of the server: the lines of each resume id, in the order of their numbers."""

    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass
class Refusal:
    """An answer instead of a websocket."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Steno:
    """The server. `with Steno() as steno:` starts it; `stop`, `kill` and `start` do so again and again, on one port."""

    def __init__(self, disk: Disk | None = None, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.pushes: list[Push] = []
        self.refused: list[Push] = []
        self.disk = Disk() if disk is None else disk
        self.refusal: Refusal | None = None
        self.reads = threading.Event()
        """Whether messages are read."""
        self.reads.set()
        self.acknowledges = True
        self.on_line: Callable[[ServerConnection, dict[str, Any]], None] = lambda *_: None
        self._tls = tls
        self._changed = threading.Condition()
        self._connections: set[ServerConnection] = set()
        self._server: Server | None = None
        self.port = port

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All lines of all connections."""
        return [line for push in self.pushes for line in push.lines]

    def __enter__(self) -> "Steno":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.reads.set()
        self.kill()

    def start(self) -> None:
        self._server = serve(
            self._handle, "127.0.0.1", self.port, process_request=self._admit, ssl=self._tls, max_size=None
        )
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def kill(self) -> None:
        """Vanish: connections are cut, and nobody listens."""
        if self._server is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server = None
        self.cut_all()
        self.wait(lambda: not self._connections)

    def wait(self, condition: Callable[[], object]) -> None:
        """Return when `condition` holds; looked at whenever something came."""
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_SECONDS), (self.pushes, self.refused)

    def settled(self, connections: int = 1) -> None:
        """Return when so many connections have come, and all of them have ended and are read to their end."""
        self.wait(lambda: len(self.pushes) >= connections and not self._connections)

    def cut_all(self) -> None:
        """End all connections without a close frame."""
        for connection in list(self._connections):
            cut(connection)

    def _changes(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _admit(self, _: ServerConnection, request: Request) -> Response | None:
        if self.refusal is None:
            return None
        self.refused.append(_push(request))
        self._changes()
        refusal = self.refusal
        headers = Headers({"Content-Length": str(len(refusal.body)), "Connection": "close", **refusal.headers})
        return Response(refusal.status, HTTPStatus(refusal.status).phrase, headers, refusal.body.encode())

    def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        push = _push(connection.request)
        self.pushes.append(push)
        self._connections.add(connection)
        self._changes()
        try:
            self._serve(connection, push)
        except (ConnectionClosed, OSError):
            pass
        finally:
            received = connection.protocol.close_rcvd
            push.close_code = None if received is None else received.code
            self._connections.discard(connection)
            self._changes()

    def _serve(self, connection: ServerConnection, push: Push) -> None:
        kept = self.disk.lines.setdefault(push.query.get("resume", ""), [])
        number = int(push.query.get("from", "1"))
        if "ack" in push.query and self.acknowledges:
            connection.send(json.dumps({"ack": len(kept)}))
        self.reads.wait()
        for message in connection:
            line = json.loads(message)
            push.lines.append(line)
            self.on_line(connection, line)
            if "ack" in push.query:
                assert number <= len(kept) + 1, "the numbers have a hole"
                if number == len(kept) + 1:
                    kept.append(line)
                number += 1
                if self.acknowledges:
                    connection.send(json.dumps({"ack": len(kept)}))
            self._changes()


def _push(request: Request) -> Push:
    parts = urlsplit(request.path)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return Push(parts.path, query, {name.lower(): value for name, value in request.headers.raw_items()})


def cut(connection: ServerConnection) -> None:
    """End a connection without a close frame."""
    with contextlib.suppress(OSError):
        connection.socket.shutdown(socket.SHUT_RDWR)


def texts(lines: list[dict[str, Any]]) -> list[str]:
    """Return the payloads of the frames among `lines`."""
    return [line["text"] for line in lines if "text" in line]


def until(condition: Callable[[], object]) -> None:
    """Return when `condition` holds, which nothing wakes us for."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.001)


def shapes(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return `lines` without the times, which no test can know."""
    return [{name: value for name, value in line.items() if name != "at"} for line in lines]


class Mute:
    """A peer that accepts a websocket and then does nothing: it reads nothing, and answers no ping."""

    def __init__(self, port: int = 0) -> None:
        self._listening = socket.create_server(("127.0.0.1", port))
        self._accepted: list[socket.socket] = []
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> "Mute":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for sock in self._accepted:
            sock.close()

    @property
    def accepted(self) -> int:
        """How many connections have come."""
        return len(self._accepted)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listening.accept()
                self._accepted.append(sock)
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    request += sock.recv(1)
                [key] = [line[19:] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: ")]
                head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                sock.sendall(f"{head}Sec-WebSocket-Accept: {accept_key(key.decode())}\r\n\r\n".encode())


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port that nobody listens at, and that nobody else gets meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
