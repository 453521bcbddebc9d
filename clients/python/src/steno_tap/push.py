"""The task of one conversation: connect, push, and again until everything has arrived.

Whether frames arrived is known in two ways. With `ack`, steno says what it has on its disk. Without, a ping follows
each batch: its pong says that steno's host has read what was before it. What no pong covered when a connection breaks
is reported as a gap.
"""

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Final

from steno_tap import backoff, websocket
from steno_tap.connection import ConnectError, Connection, connect
from steno_tap.queue import Flight
from steno_tap.websocket import Message, ProtocolError

if TYPE_CHECKING:
    from steno_tap.conversation import Conversation
    from steno_tap.pusher import Pusher

BATCH_BYTES: Final = 64 * 1024
"""What is written at once. The interpreter is shared with the application: it is held for a batch, then let go."""
GATHER_SECONDS: Final = 0.01
"""How long frames are gathered, so that a burst wakes the thread once."""
PING_SECONDS: Final = 15.0
SILENCE_SECONDS: Final = 60.0
"""A peer that says nothing to a ping for so long is gone. A steno that blocks reads nothing for a while only."""
HEALTHY_SECONDS: Final = 10.0
"""A connection that lasted so long begins the waits anew."""
CLOSE_SECONDS: Final = 2.0
"""How long the answer to a close frame is awaited."""
PONG_BUFFER_BYTES: Final = 64 * 1024
"""Where so much waits to be written, pings are not answered: their sender does not read."""

_NORMAL: Final = 1000
_AGAINST_RULES: Final = 1008
_TOO_BIG: Final = 1009


class _Broken(Exception):  # noqa: N818 - not an error of ours
    """The connection ended before the conversation did. `code` is that of steno's close frame, None without one."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


async def push(pusher: "Pusher", conversation: "Conversation") -> None:
    """Push `conversation` until it has ended and everything arrived, or until it is cancelled."""
    delays = backoff.delays()
    while not (_over(conversation) or conversation.given_up):
        begun = time.monotonic()
        try:
            if await _attempt(pusher, conversation):
                return
        except ConnectError as error:
            wait = max(backoff.slow_delay() if error.slow else next(delays), error.wait)
            pusher.log.report("connect", "cannot push to steno, trying again: %s", error)
        except _Broken as broken:
            if time.monotonic() - begun >= HEALTHY_SECONDS:
                delays = backoff.delays()
            wait = backoff.slow_delay() if broken.code == _AGAINST_RULES else next(delays)
            pusher.log.report("broken", "the connection to steno ended, connecting again: %s", broken)
        await _pause(pusher, conversation, wait)


def _over(conversation: "Conversation") -> bool:
    return conversation.ended_at is not None and conversation.queue.empty


async def _pause(pusher: "Pusher", conversation: "Conversation", seconds: float) -> None:
    """Wait for the next attempt, or until the conversation need not be pushed any more."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and not _over(conversation):
        if conversation.given_up or not pusher.patient:
            raise asyncio.CancelledError
        conversation.event.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(conversation.event.wait(), left)


async def _attempt(pusher: "Pusher", conversation: "Conversation") -> bool:
    """Return True when the conversation has ended. Raises ConnectError and _Broken."""
    queue = conversation.queue
    target = pusher.settings.target(conversation.name, conversation.resume, queue.first)
    connection = await connect(pusher.settings, target)
    if conversation.given_up:
        connection.abort()
        raise asyncio.CancelledError
    session = _Session(pusher, conversation, connection)
    with pusher.lock:
        conversation.connected = True
        pusher.sockets[conversation] = connection.sock
    pusher.log.again("connect")
    try:
        await session.run()
    except _Broken as broken:
        with pusher.lock:
            queue.rewind(time.time_ns())
            if broken.code == _TOO_BIG:
                queue.give_up_longest(session.carried)
        raise
    finally:
        connection.abort()
        with pusher.lock:
            conversation.connected = conversation.idle = False
            pusher.sockets.pop(conversation, None)
    return True


class _Session:
    """One connection, from its handshake to its end."""

    def __init__(self, pusher: "Pusher", conversation: "Conversation", connection: Connection) -> None:
        self.carried = 0
        """Items that this connection has carried."""
        self._pusher = pusher
        self._conversation = conversation
        self._connection = connection
        self._probe: tuple[bytes, Flight] | None = None
        self._probes = 0
        self._heard_at = time.monotonic()
        self._probed_at = self._heard_at

    async def run(self) -> None:
        """Push until the conversation has ended and everything arrived. Raises _Broken."""
        writing, reading, watching = tasks = [
            asyncio.ensure_future(part) for part in (self._write(), self._read(), self._watch())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
                await self._say_goodbye(reading)
            else:
                (reading if reading.done() else watching).result()
        except (OSError, ProtocolError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
            raise _Broken(reason) from None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self) -> None:
        conversation = self._conversation
        while True:
            lines = self._take()
            if lines:
                await self._connection.send(websocket.encode_texts(lines) + self._next_probe())
            elif _over(conversation):
                return
            else:
                await conversation.event.wait()
            pressing = conversation.queue.waiting and lines
            await asyncio.sleep(0 if pressing or conversation.ended_at is not None else GATHER_SECONDS)

    def _take(self) -> list[bytes]:
        conversation = self._conversation
        with self._pusher.lock:
            items = conversation.queue.take(BATCH_BYTES)
            if not items:
                conversation.event.clear()
                conversation.idle = True
        self.carried += len(items)
        return [item.line() for item in items]

    def _next_probe(self) -> bytes:
        """Return a ping for what was taken so far, nothing where one is on its way."""
        if self._probe is not None:
            return b""
        self._probes += 1
        payload = b"%d" % self._probes
        with self._pusher.lock:
            self._probe = payload, self._conversation.queue.in_flight
        self._probed_at = time.monotonic()
        return websocket.encode(websocket.PING, payload)

    async def _read(self) -> None:
        async for message in self._connection.messages():
            self._heard_at = time.monotonic()
            if message.opcode == websocket.TEXT:
                self._acknowledged(message.payload)
            elif message.opcode == websocket.PONG:
                self._answered(message.payload)
            elif message.opcode == websocket.PING:
                self._answer(message.payload)
            else:
                self._closed(message)
        raise _Broken("it broke off without a close frame")

    def _acknowledged(self, text: bytes) -> None:
        try:
            number = json.loads(text)["ack"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return  # other messages are for those who understand them
        if not self._pusher.settings.ack or type(number) is not int:
            return
        with self._pusher.lock:
            self._conversation.queue.confirm(number)
        self._wake_at_end()

    def _answered(self, payload: bytes) -> None:
        if self._probe is None or self._probe[0] != payload:
            return
        flight = self._probe[1]
        self._probe = None
        with self._pusher.lock:
            queue = self._conversation.queue
            queue.arrived(flight)
            more = queue.in_flight.items
        if more:
            self._connection.writer.write(self._next_probe())
        self._wake_at_end()

    def _wake_at_end(self) -> None:
        if self._conversation.ended_at is not None:
            self._conversation.event.set()

    def _answer(self, payload: bytes) -> None:
        writer = self._connection.writer
        if writer.transport.get_write_buffer_size() < PONG_BUFFER_BYTES:
            writer.write(websocket.encode(websocket.PONG, payload))

    def _closed(self, message: Message) -> None:
        code, reason = message.close_code(), message.close_reason()
        self._connection.writer.write(websocket.encode_close(code or _NORMAL))
        raise _Broken(f"it closed with {code} {reason}".rstrip(), code)

    async def _watch(self) -> None:
        """Notice a peer that has gone without a word."""
        while True:
            await asyncio.sleep(PING_SECONDS / 3)
            now = time.monotonic()
            if self._probe is not None and now - max(self._heard_at, self._probed_at) > SILENCE_SECONDS:
                raise _Broken(f"it has not answered for {SILENCE_SECONDS:.0f} seconds")
            if self._probe is None and now - self._heard_at > PING_SECONDS:
                self._connection.writer.write(self._next_probe())

    async def _say_goodbye(self, reading: "asyncio.Future[None]") -> None:
        with contextlib.suppress(OSError):
            await self._connection.send(websocket.encode_close(_NORMAL))
        await asyncio.wait((reading,), timeout=CLOSE_SECONDS)
