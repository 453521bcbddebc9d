"""A client that pushes with acknowledgements, keeps what is not acknowledged, and sends it again after each break."""

import json
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

SILENT: Final = b'{"type":"ping"}'
"""A message that leads to no fact."""


def message(sender: str, number: int) -> bytes:
    """Return a message of a sender: ends of responses with up to three tool calls, silent ones, and no events."""
    kind = number % 7
    if kind in {2, 5}:
        return SILENT
    if kind == 3:
        return b"{" * (1 + number % 90)
    name = f"{sender}_{number}"
    output = [
        {"id": f"item_{name}_{call}", "type": "function_call", "call_id": f"call_{name}_{call}", "name": "f"}
        for call in range(number % 4)
    ]
    response = {"id": f"resp_{name}", "object": "realtime.response", "status": "completed", "output": output}
    return json.dumps({"type": "response.done", "event_id": f"event_{name}", "response": response}).encode()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Sender(threading.Thread):
    """One sender of its own name, in a thread: pushes message after message until `finish`, and all of them then."""

    def __init__(self, port: int, name: str, pause: float = 0.001) -> None:
        """Push to `port` with a `pause` between two messages."""
        super().__init__(daemon=True)
        self.sender = name
        self.acked = 0
        """The last message that is acknowledged."""
        self.sent = 0
        """The last message that was sent."""
        self.again = 0
        """How many were sent again."""
        self.connections = 0
        self.closes: list[int | None] = []
        self._pause = pause
        self._last: int | None = None
        self._url = f"ws://127.0.0.1:{port}/v1/push?ack=1&conversation={name}&resume={name}"

    def finish(self) -> None:
        """Begin no new message."""
        self._last = self.sent

    def run(self) -> None:
        """Push until all is acknowledged."""
        while self._last is None or self.acked < self._last:
            with suppress(OSError, InvalidHandshake, EOFError):
                self._connect()
            time.sleep(0.02)

    def _connect(self) -> None:
        first = self.acked + 1
        with connect(f"{self._url}&from={first}", compression=None, open_timeout=5, close_timeout=1) as connection:
            self.connections += 1
            try:
                self._push(connection, first)
            except ConnectionClosed as closed:
                self.closes.append(closed.rcvd.code if closed.rcvd else None)

    def _push(self, connection: ClientConnection, number: int) -> None:
        while self._last is None or self.acked < self._last:
            if self._last is None or number <= self._last:
                self.again += number <= self.sent
                connection.send(message(self.sender, number), text=True)
                self.sent = max(self.sent, number)
                number += 1
            self._read(connection, 0 if self._last is None else 0.05)
            time.sleep(self._pause)

    def _read(self, connection: ClientConnection, wait: float) -> None:
        with suppress(TimeoutError):
            while True:
                answer: dict[str, Any] = json.loads(connection.recv(timeout=wait))
                assert answer["ack"] <= self.sent, "more is acknowledged than was sent"
                self.acked = max(self.acked, answer["ack"])


def configure(folder: Path, port: int, audit: str = "") -> Path:
    """Write a configuration of a daemon that listens on `port`."""
    config = folder / "steno.toml"
    config.write_text(
        f"""
[http]
listen = "127.0.0.1:0"
[audit]
directory = "{folder}/audit"
{audit}
[[sources]]
name = "app"
kind = "listen"
listen = "127.0.0.1:{port}"
handshakes_per_minute = 100_000
"""
    )
    return config
