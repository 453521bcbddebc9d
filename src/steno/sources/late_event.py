"""An event that is made when somebody waits for it: asyncio's has a deque of its own, and with it 880 bytes.

A source has several, and nobody waits for most of them before it ends.
"""

import anyio


class LateEvent:
    """As `anyio.Event`, which it becomes when it is first waited for."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        """Begin unset."""
        self._event: anyio.Event | None = None
        self._is_set = False

    def set(self) -> None:
        """Let all go on that wait, now or later."""
        self._is_set = True
        if self._event is not None:
            self._event.set()

    def is_set(self) -> bool:
        """Return whether it was set."""
        return self._is_set

    async def wait(self) -> None:
        """Wait until it is set."""
        if self._event is None:
            self._event = anyio.Event()
            if self._is_set:
                self._event.set()
        await self._event.wait()
