"""The connections of an HTTP face: how many there may be, and what ends one that is of no use.

uvicorn waits for the first request of a client without end, and for the rest of one that was begun. Each such client
holds a file descriptor, and the audit log needs descriptors too. So a face has a table of its connections:

- A client has some seconds for the head of each request. That time is not prolonged by a byte now and then.
- At the most connections that there may be, the oldest that is silent makes room for the next. No client is answered
  503 because of others: who comes and asks is answered.
- A request under way is left alone as long as any other connection can go.
- Responses that clients do not take have a bound over all of them.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

Rejection = Literal[
    "silent",
    "crowded",
    "descriptors",
    "bad_request",
    "host",
    "tls",
    "unauthorized",
    "wrong_token",
    "throttled",
    "foreign_origin",
]
"""Why a client got no answer, or was refused one: a closed list.

    silent          it did not send the head of a request in time, or did not take the response
    crowded         it was the oldest that was silent when another one came, at the most connections; or it left its
                  response in memory when there were too many of these
    descriptors     it could not be accepted: the process has no file descriptor left
    bad_request     what it sent is no HTTP
    host            it asked for a host that this daemon is not: see `hosts`
    tls             there was no handshake of TLS with it: it spoke something else, or its certificate does not hold
    unauthorized    it showed neither token, cookie nor certificate where one is needed: see `guard`
    wrong_token     its token is not that of `http.token`
    throttled       its address has sent too many wrong tokens: see `attempts`
    foreign_origin  a web page of another origin asked for what changes something
"""

UNSENT_BYTES: Final = 32 * 1024 * 1024
"""Responses that wait in memory for clients to take them. The metrics of a large daemon have some MB."""

Labels = tuple[str, ...]


class ConnectionTable:
    """The connections of one face, the oldest first."""

    def __init__(self, most: int, head_seconds: float) -> None:
        """Hold up to `most` connections, each of which has `head_seconds` for the head of a request."""
        self.most = most
        self.head_seconds = head_seconds
        self.rejected: dict[Rejection, int] = dict.fromkeys(get_args(Rejection), 0)
        self._connections: dict[BoundedProtocol, None] = {}

    def __len__(self) -> int:
        """Return how many connections there are."""
        return len(self._connections)

    def add(self, connection: "BoundedProtocol") -> None:
        """Take in a new connection. At the most connections another one makes room for it."""
        while len(self._connections) >= self.most:
            self.end_oldest()
        self._connections[connection] = None

    def discard(self, connection: "BoundedProtocol") -> None:
        """Forget a connection that has ended."""
        self._connections.pop(connection, None)

    def end_oldest(self) -> None:
        """End the oldest connection that has no request under way; where all have one, the oldest."""
        oldest = min(self._connections, key=lambda each: each.busy, default=None)
        if oldest:
            oldest.hang_up("crowded")

    def bound_unsent(self, newest: "BoundedProtocol") -> None:
        """End connections, the oldest first, whose clients leave too much of their responses with us."""
        waiting = [each for each in self._connections if each.unsent]
        total = sum(each.unsent for each in waiting)
        for each in waiting:
            if total <= UNSENT_BYTES:
                return
            if each is not newest:
                total -= each.unsent
                each.hang_up("crowded")


class Faces:
    """The tables of all faces of a daemon by kind, and what they count."""

    def __init__(self, tables: Mapping[str, ConnectionTable]) -> None:
        """Count for `tables`."""
        self.tables = tables

    def numbers(self) -> dict[str, dict[Labels, float]]:
        """Return the process metrics of the faces, by name and labels. Called from the thread of a scrape."""
        return {
            "steno_http_connections": {(kind,): len(table) for kind, table in self.tables.items()},
            "steno_http_rejected_total": {
                (kind, reason): count for kind, table in self.tables.items() for reason, count in table.rejected.items()
            },
        }


class BoundedProtocol(H11Protocol):
    """uvicorn's connection, which ends when its client takes too long."""

    def __init__(self, table: ConnectionTable, **uvicorn: Any) -> None:
        """Stand in `table` while connected; `uvicorn` is what its own connections are made of."""
        super().__init__(**uvicorn)
        self.beneath: asyncio.Transport | None = None
        """What carries TLS, where there is TLS: most of what waits for the client is there."""
        self._table = table
        self._patience: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        """Ends a connection whose client takes nothing of a response."""

    @property
    def busy(self) -> bool:
        """Whether a request is under way: its head has come, and its response has not been sent to the end."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn declares that there always is one
        return cycle is not None and (not cycle.response_complete or self.unsent > 0)

    @property
    def unsent(self) -> int:
        """Bytes of responses that the client has not taken yet."""
        return self.transport.get_write_buffer_size() + (self.beneath.get_write_buffer_size() if self.beneath else 0)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Stand in the table, and wait for the head of a request."""
        super().connection_made(transport)
        self._table.add(self)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the table."""
        self._forget()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take in what has come. The wait for a head is over when there is a request."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._end_wait()

    def on_response_complete(self) -> None:
        """Wait for the head of the next request; one may be there already."""
        self._wait_for_head()
        self._table.bound_unsent(self)
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait for a client that leaves a response that goes on with us, as it is waited for at the end of others."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self._table.head_seconds, self.hang_up, "silent")

    def resume_writing(self) -> None:
        """Send on: the client has taken what there was."""
        super().resume_writing()
        self._end_stall()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and count it."""
        self._table.rejected["bad_request"] += 1
        if self.busy:  # its body is no body: what the application would send comes after this response
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        try:
            super().send_400_response(msg)
        except Exception:  # noqa: BLE001  # of h11, which is uvicorn's own: a response to what came before was sent
            self.transport.abort()

    def hang_up(self, reason: Rejection) -> None:
        """End the connection at once, with what is still to be sent: a client may refuse to take it."""
        self._table.rejected[reason] += 1
        self._forget()
        self.transport.abort()

    def _wait_for_head(self) -> None:
        self._end_wait()
        self._patience = self.loop.call_later(self._table.head_seconds, self.hang_up, "silent")

    def _end_wait(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _forget(self) -> None:
        self._end_wait()
        self._end_stall()
        self._table.discard(self)
