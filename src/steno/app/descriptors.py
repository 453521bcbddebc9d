"""Descriptors that others read at their own pace: pipes, terminals, sockets. Writing never waits for longer than asked.

O_NONBLOCK is not set on a descriptor that was inherited. The flag belongs to the open file, which the terminal, the
parent and its other children share: their writes would fail. Instead a write follows when the descriptor reports room,
and is no longer than what a pipe takes at once.
"""

import os
import select
import time
from typing import Final

WRITE_BYTES: Final = select.PIPE_BUF
"""The longest write. A pipe that reports room takes so much without waiting, and does not mix it with what others
write."""
AGAIN_SECONDS: Final = 0.01
"""A pause where a descriptor reports room, and has none after all."""


class Descriptor:
    """A descriptor, written in small steps."""

    def __init__(self, number: int) -> None:
        """Write to `number`, which the caller keeps open."""
        self._number = number
        self._room = select.poll()
        self._room.register(number, select.POLLOUT)

    @property
    def terminal(self) -> bool:
        """Whether people look at it."""
        return os.isatty(self._number)

    @property
    def gone(self) -> bool:
        """Whether nobody will read what is written: the pipe has no reader any more, the terminal was closed."""
        asked = select.poll()  # one of its own: another thread may be waiting for room
        asked.register(self._number, 0)
        return any(events & (select.POLLERR | select.POLLHUP) for _, events in asked.poll(0))

    def write(self, data: bytes | memoryview, wait_seconds: float) -> int:
        """Write the beginning of `data`; return how many bytes, 0 where there was no room within `wait_seconds`.

        Raises OSError.
        """
        if not self._room.poll(wait_seconds * 1000):
            return 0
        try:
            return os.write(self._number, memoryview(data)[:WRITE_BYTES])
        except BlockingIOError:  # somebody else made it non-blocking
            time.sleep(AGAIN_SECONDS)
            return 0


def open_standard() -> None:
    """Open `/dev/null` in place of each of the descriptors 0, 1 and 2 that is closed.

    Else the next file or socket gets that number, and what is meant for standard error is written into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # It gets the lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the library's own form
