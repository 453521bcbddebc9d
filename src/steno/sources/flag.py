"""An event that takes memory only while it is waited for. A source has several, and waits for one now and then."""

import anyio


class Flag:
    """Is set once. An event of anyio does the same, and takes 760 bytes from the beginning."""

    __slots__ = ("_event", "_set")

    def __init__(self) -> None:
        """Begin unset."""
        self._set = False
        self._event: anyio.Event | None = None

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it, and let all go on that wait for it."""
        self._set = True
        if self._event:
            self._event.set()

    async def wait(self) -> None:
        """Wait until it is set."""
        if not self._set:
            self._event = self._event or anyio.Event()
            await self._event.wait()
