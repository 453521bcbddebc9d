"""Acknowledgements to one sender: `{"ack": n}` once all that its first n messages led to is on the disk.

For each message the connection calls `begin`, feeds it where that is true, and calls `end`. `run` sends what is new,
one message for all that was flushed meanwhile, so that a sender that reads slowly delays nobody and fills no queue.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from websockets.exceptions import ConnectionClosed

from steno.sources.protocols import Followed
from steno.timestamps import Micros


class Acknowledgement:
    """What one sender was sent, and what it is to be sent next."""

    def __init__(self, followed: Followed, *, resumes: bool) -> None:
        """Send nothing before `run`. A sender that `resumes` is sent at once what the log has of it."""
        self._followed = followed
        self._number = -1 if resumes else 0
        """What was sent, or is sent next."""
        self._news = anyio.Event()
        followed.acknowledge = self._acknowledge
        if resumes:
            self._acknowledge(followed.flushed)

    def _acknowledge(self, number: int) -> None:
        if number > self._number:
            self._number = number
            self._news.set()

    @property
    def full(self) -> bool:
        """Whether the next message is not to be fed, since records of it would be dropped."""
        return self._followed.full

    def begin(self, at: Micros) -> bool:
        """Return whether the next message, of time `at`, is to be fed; False where it was fed before."""
        if self._followed.begin(at):
            return True
        self._number = min(self._number, self._followed.flushed - 1)  # it may not know: it has sent it again
        self._acknowledge(self._followed.flushed)
        return False

    def end(self) -> bool:
        """Note that the message was fed. False where records of it were dropped: the sender must send it again."""
        fed = self._followed.end()
        if fed and self._followed.idle:
            self._acknowledge(self._followed.number)
        return fed

    async def run(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send by `send` what is new, until the connection has ended."""
        with suppress(ConnectionClosed):
            while True:
                await self._news.wait()
                self._news = anyio.Event()
                await send(f'{{"ack":{self._number}}}')
