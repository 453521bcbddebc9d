"""A connection of the library that a client has opened: within the budgets of all, and not faster than it may be.

What surrounds it is ours: the library's own server accepts without a bound, and gives TLS and the handshake a time
each.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from steno.sources.listen.arrivals import Arrival
from steno.sources.listen.handshake import CLOUD_EVENTS, NO_HTTP, in_json
from steno.sources.listen.rates import Client, Rates
from steno.sources.read_ahead import Measured, ReadAhead
from steno.sources.websocket import CLOSE_SECONDS

UNSENT_BYTES: Final = 64 * 1024
"""What may wait for a client to take it: 500 pongs of the longest. Past it the connection is broken off."""

TAKE_SECONDS: Final = 1.0
"""How long a client that was refused may take to read why."""

Live = Callable[["PushConnection"], Coroutine[Any, Any, None]]


class Host:
    """What a connection of the library wants of its server: who serves it."""

    def __init__(self, live: Live) -> None:
        """Serve each connection by `live`."""
        self.handler = live
        self.handler_tasks: set[asyncio.Task[None]] = set()


class _Protocol(ServerProtocol):
    """The library's protocol, with answers in our own form, also to what is no HTTP."""

    answered = False

    def send_response(self, response: Response) -> None:
        """Send the answer to a request."""
        self.answered = True
        super().send_response(in_json(response))

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """Agree on CloudEvents where they are offered; a client that offers others alone gets none.

        A function that is given to the library becomes a method that the protocol keeps: a circle.
        """
        return Subprotocol(CLOUD_EVENTS) if CLOUD_EVENTS in subprotocols else None

    def send_eof(self) -> None:
        """End our side, with an answer where there was none and the client is still there."""
        if not self.answered and self.state is CONNECTING and not self.reader.eof:
            self.answered = True
            self.writes.append(NO_HTTP.serialize())
        super().send_eof()


class PushConnection(Measured, ServerConnection):
    """A connection that a client has opened."""

    __slots__ = ("_clients", "_ending", "_rates", "arrival", "deaf", "slowed_seconds")

    def __init__(self, read_ahead: ReadAhead, host: Host, arrival: Arrival, longest: int) -> None:
        """Take messages up to so many bytes."""
        protocol = _Protocol(subprotocols=[Subprotocol(CLOUD_EVENTS)], max_size=longest)
        super().__init__(
            read_ahead,
            protocol,
            host,
            ping_interval=None,  # read_websocket sends the pings
            close_timeout=CLOSE_SECONDS,
            write_limit=UNSENT_BYTES,
        )
        self.arrival = arrival
        self.slowed_seconds = 0.0
        """For how long reading was put off, since its client sends more than it may."""
        self.deaf = False
        """Whether what still comes is dropped, since its client may push no more."""
        self._ending = False
        self._rates: Rates | None = None
        self._clients: tuple[Client, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether an answer to the handshake was sent."""
        return bool(getattr(self.protocol, "answered", False))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read: TLS is over."""
        self.arrival.connected = True
        super().connection_made(transport)

    async def shake_hands(self, answer: Callable[[Request], Response | None]) -> bool:
        """Wait for the request, and send what it is answered by `answer`, or that it is accepted; return whether it is.

        The library's own handshake fails where a client sends what is against the protocol behind its request.
        """
        waits = (self.request_rcvd, self.connection_lost_waiter)
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if self.request is None or self.answered or self.state is not CONNECTING:
            return False
        self.response = answer(self.request) or self.protocol.accept(self.request)
        self.protocol.send_response(self.response)
        self.send_data()
        await self.drain()
        return self.state is OPEN

    def bind(self, rates: Rates, clients: tuple[Client, ...]) -> None:
        """Count what comes towards the rates of `clients`."""
        self._rates, self._clients = rates, clients

    def is_awaited(self) -> bool:
        """Return whether what comes may go straight to who takes it: not while it is dropped."""
        return not self.deaf and super().is_awaited()

    def data_received(self, data: bytes) -> None:
        """Take in what one read brought."""
        super().data_received(data)
        if self.request is None and self.answered and not self._ending:
            self._ending = True  # the library waits for a request, which cannot come any more
            self.loop.call_later(TAKE_SECONDS, self.transport.abort)
        if self._rates:
            now = self.loop.time()
            wait = max(self._rates.take(client, len(data), now) for client in self._clients)
            if wait and not self.slowed:
                self.slowed_seconds += wait
                self.slow_down(wait)
