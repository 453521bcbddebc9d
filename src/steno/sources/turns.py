"""Attempts to connect take turns: so many at a time, and so many a second.

A thousand streams that lose their server at once wait a random time each, and that is still a thousand handshakes in
the first second where nothing but chance spreads them. Where few streams connect, nobody waits here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

TURNS: Final = 32
"""Attempts at a time. Neither the server nor our own loop has a thousand handshakes at once."""
TURN_SECONDS: Final = 0.1
"""How long a turn is taken at least, also by an attempt that was refused at once: 320 attempts a second."""


class Turns:
    """The attempts of one process."""

    def __init__(self) -> None:
        """Begin with all turns free."""
        self._free = asyncio.Semaphore(TURNS)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Wait for a turn, and take it."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        until = loop.time() + TURN_SECONDS
        try:
            yield
        finally:
            loop.call_at(until, self._free.release)
