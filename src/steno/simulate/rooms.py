"""A session in real time, and who is connected to it: the client that opened it, or the sidebands of a call."""

import asyncio
import math
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import anyio
import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

Event = dict[str, Any]


class Session(Protocol):
    """What answers its client, as a state machine. Who runs it keeps the time."""

    @property
    def ended(self) -> bool:
        """Whether it is over."""

    def take(self) -> list[Event]:
        """Remove and return the events that are to be sent now, in order."""

    def due(self) -> float | None:
        """Return in how many seconds it goes on by itself, or None where it waits for its client."""

    def advance(self) -> None:
        """Go on with what is due next, as if its time had come."""

    def receive(self, frame: str | bytes | Event) -> None:
        """Take in a client event."""

    def join(self) -> None:
        """Take note of a sideband: the caller of a simulated call begins to speak."""

    def end(self) -> None:
        """End: the call was hung up."""


def as_it_is(event: Event) -> Event | None:
    """Return an event unchanged."""
    return event


class Guest(msgspec.Struct, eq=False, frozen=True):
    """A connection to a session."""

    connection: ServerConnection
    shown: Callable[[Event], Event | None] = as_it_is
    """Returns an event in the protocol of this connection, or None where it is not for it."""
    received: Callable[[str | bytes], None] | None = None
    """Takes in a frame, where that is not in the protocol of the session."""
    sideband: bool = False
    """Whether it listens to a call."""

    async def send(self, event: Event, encoded: bytes) -> None:
        """Send an event, if it is for this connection."""
        changed = self.shown(event)
        if changed is None:
            return
        if changed is not event:
            encoded = msgspec.json.encode(changed)
        try:
            await self.connection.send(encoded, text=True)
        except ConnectionClosed:  # whoever reads from it sees it too
            return


SessionT = TypeVar("SessionT", bound=Session)


class Room(Generic[SessionT]):
    """A session that goes on as time passes. What guests send is taken in one after the other."""

    def __init__(self, session: SessionT, speed: float) -> None:
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
                if guest.sideband:
                    self._let_time_begin()
                    self.session.join()
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
            if guest.received:
                guest.received(frame)
            else:
                self.session.receive(frame)
            await self._send(self._guests, guest)
        self._wake()

    async def _send(self, guests: list[Guest], sender: Guest | None = None) -> None:
        """Send what the session has to say to all `guests`, errors to the `sender` alone."""
        for event in self.session.take():
            encoded = msgspec.json.encode(event)
            for guest in [sender] if sender and event["type"] == "error" else list(guests):
                await guest.send(event, encoded)


class Rooms(Generic[SessionT]):
    """The sessions of one provider that go on whoever is connected to them, by name."""

    def __init__(self, speed: float, most: int) -> None:
        """Keep `most` at the same time: the oldest ends when there is another one. `speed` divides every pause."""
        self._speed = speed
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self._rooms: dict[str, Room[SessionT]] = {}

    def open(self, name: str, session: SessionT) -> Room[SessionT]:
        """Let a session go on from now."""
        if len(self._rooms) >= self._most:
            next(iter(self._rooms.values())).end()
        room = self._rooms[name] = Room(session, self._speed)
        task = asyncio.create_task(self._run(name, room))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return room

    async def _run(self, name: str, room: Room[SessionT]) -> None:
        try:
            await room.run()
        finally:
            del self._rooms[name]

    def __iter__(self) -> Iterator[Room[SessionT]]:
        """Iterate over the sessions, the oldest first."""
        return iter(self._rooms.values())

    def find(self, name: str) -> Room[SessionT] | None:
        """Return a session that has not ended, or None."""
        room = self._rooms.get(name)
        return room if room and not room.session.ended else None

    async def close(self) -> None:
        """End all sessions."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
