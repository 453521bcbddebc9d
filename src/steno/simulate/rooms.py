"""A session in real time, and who is connected to it: the client that opened it, or the sidebands of a call."""

import math
from typing import Final, Literal

import anyio
import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from steno.simulate.interactive.beta import ALIASES, from_beta, to_beta
from steno.simulate.interactive.errors import EventRefusedError
from steno.simulate.interactive.handlers import Event
from steno.simulate.interactive.session import RealtimeSession, decoded

Role = Literal["client", "sideband"]

_NOT_ON_SIDEBANDS: Final = frozenset({"response.output_audio.delta"})  # the sound goes to the caller


class Guest(msgspec.Struct, eq=False, frozen=True):
    """A connection to a session."""

    connection: ServerConnection
    role: Role
    beta: bool
    """Whether it speaks the beta protocol."""

    async def send(self, event: Event, encoded: bytes) -> None:
        """Send an event, in the protocol of this connection, if it is for it."""
        if self.role == "sideband" and event["type"] in _NOT_ON_SIDEBANDS:
            return
        if self.beta:
            changed = to_beta(event)
            if changed is None:
                return
            encoded = msgspec.json.encode(changed)
        try:
            await self.connection.send(encoded, text=True)
        except ConnectionClosed:  # whoever reads from it sees it too
            return


class Room:
    """A session that goes on as time passes. What guests send is taken in one after the other."""

    def __init__(self, session: RealtimeSession, speed: float) -> None:
        """Divide every pause by `speed`; 0 and infinity leave no pauses."""
        self.session = session
        self._speed = speed
        self._at = 0.0
        """When it was, on the loop's clock, what it is in the session."""
        self._guests: list[Guest] = []
        self._turn = anyio.Lock()
        self._changed = anyio.Event()

    async def run(self) -> None:
        """Let the session go on until it ends, then close its connections."""
        self._at = anyio.current_time()
        while not self.session.ended:
            changed = self._changed
            with anyio.move_on_at(self._due()):
                await changed.wait()
                continue
            async with self._turn:
                due = self._due()
                if due <= anyio.current_time():
                    self._at = due
                    self.session.advance()
                    await self._send(self._guests)
        for guest in list(self._guests):
            await guest.connection.close(1000)

    def _due(self) -> float:
        """Return when the session goes on by itself, on the loop's clock."""
        pause = self.session.due()
        if pause is None:
            return math.inf
        return self._at + (pause / self._speed if 0 < self._speed < math.inf else 0.0)

    def end(self) -> None:
        """End the session."""
        self.session.end()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def attend(self, guest: Guest) -> None:
        """Serve a connection until it closes."""
        if self.session.ended:
            return
        self._guests.append(guest)
        try:
            async with self._turn:
                if guest.role == "sideband":
                    self._let_time_begin()
                    self.session.begin_call()
                await self._send(self._guests)
            self._wake()
            async for frame in guest.connection:
                await self._receive(guest, frame)
        except ConnectionClosed:
            return
        finally:
            self._guests.remove(guest)

    def _let_time_begin(self) -> None:
        """Let the pauses that follow begin now, where nothing was going on."""
        if self.session.due() is None:
            self._at = anyio.current_time()

    async def steer(self, event: Event) -> None:
        """Take in an event that comes another way than by a websocket."""
        async with self._turn:
            self._let_time_begin()
            self.session.receive(event)
            await self._send(self._guests)
        self._wake()

    async def _receive(self, guest: Guest, frame: str | bytes) -> None:
        async with self._turn:
            self._let_time_begin()
            if guest.beta:
                self._receive_beta(frame)
            else:
                self.session.receive(frame)
            await self._send(self._guests, guest)
        self._wake()

    def _receive_beta(self, frame: str | bytes) -> None:
        try:
            event = from_beta(decoded(frame))
        except EventRefusedError as refused:
            self.session.refuse(refused)
        else:
            self.session.receive(event, ALIASES)

    async def _send(self, guests: list[Guest], sender: Guest | None = None) -> None:
        """Send what the session has to say to all `guests`, errors to the `sender` alone."""
        for event in self.session.take():
            encoded = msgspec.json.encode(event)
            for guest in [sender] if sender and event["type"] == "error" else list(guests):
                await guest.send(event, encoded)
