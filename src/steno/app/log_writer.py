"""The thread that writes the operational log, so that nobody who logs waits for a disk, a pipe or a terminal.

Whatever fails (a full disk, a reader that is gone) is tried again every second, for as long as the process lives: a
disk gets room, and a FIFO gets another reader. Meanwhile lines wait in a bounded queue, which drops and counts.

- A line that was cut goes on where it was cut. Where the reader has gone in the middle of a line, the line is written
  again from its beginning, on a new line: nobody knows what the former reader took along.
- A descriptor that takes nothing may hang the thread itself, in spite of `descriptors`. So it is a daemon thread, and
  `close` waits for a bounded time.
"""

import errno
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from steno.app.descriptors import WRITE_BYTES, Descriptor
from steno.app.log_queue import LogLine, LogQueue

RETRY_SECONDS: Final = 1.0
"""Time between a failed write and the next attempt."""
LOOK_SECONDS: Final = 0.1
"""How often it is looked whether the log is to end, while its reader takes nothing."""


class LogWriter:
    """Writes lines to a descriptor. `submit` may be called by any thread, in any state."""

    def __init__(
        self,
        descriptor: int,
        *,
        dropped: Callable[[Mapping[str, int], str | None], LogLine] | None = None,
        failed: Callable[[OSError], str] | None = None,
    ) -> None:
        """Write nothing before `start`.

        Args:
            descriptor: where to; it stays open.
            dropped: renders the line that says how many lines of each level were dropped, and why writing had failed.
            failed: counts a write that failed, and returns the reason. Called in the writing thread.
        """
        self.queue: Final = LogQueue()
        self.failing: str | None = None
        """Why the last write failed; None where it did not."""
        self._descriptor = Descriptor(descriptor)
        self._dropped = dropped
        self._failed = failed
        self._failure: str | None = None
        """Why a write failed since the last time that this was said."""
        self._closing = threading.Event()
        self._deadline = 0.0
        self._written = False
        """Whether all was written when the thread ended."""
        self._thread = threading.Thread(target=self._run, name="steno-log", daemon=True)

    @property
    def terminal(self) -> bool:
        """Whether people look at it."""
        return self._descriptor.terminal

    @property
    def gone(self) -> bool:
        """Whether nobody reads it any more, which is known without a write."""
        return self._descriptor.gone

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def submit(self, line: LogLine) -> None:
        """Take a line. Never waits."""
        self.queue.put(line)

    def close(self, seconds: float) -> bool:
        """Write what waits, for up to `seconds`; return whether that was done. Nothing is written from then on."""
        self._deadline = monotonic() + seconds
        self._closing.set()
        self.queue.wake()
        self._thread.join(seconds + LOOK_SECONDS)
        return self._written

    # In the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            data = self._next()
            if data:
                if not self._write(data):
                    return
            elif self._closing.is_set():
                self._written = True
                return
            else:
                self.queue.wait()

    def _next(self) -> bytes:
        batch = self.queue.take(WRITE_BYTES)
        lines = list(batch.lines)
        if batch.dropped and self._dropped:
            lines.insert(0, self._dropped(batch.dropped, self._failure))
            self._failure = None
        return b"".join(line.data for line in lines)

    def _write(self, data: bytes) -> bool:
        """Write all of `data`; return whether that was done before the log had to end."""
        done = 0
        while done < len(data):
            closing = self._closing.is_set()  # looked at before the attempt: at the end there is one more
            try:
                taken = self._descriptor.write(memoryview(data)[done:], LOOK_SECONDS)
            except OSError as error:
                self._note(error)
                if closing:
                    return False
                if error.errno == errno.EPIPE:
                    data, done = _from_new_line(data, done), 0
                self._closing.wait(RETRY_SECONDS)
            else:
                self.failing = None
                done += taken
                if closing and not taken and monotonic() >= self._deadline:
                    return False
        return True

    def _note(self, error: OSError) -> None:
        self.failing = self._failure = self._failed(error) if self._failed else error.strerror


def _from_new_line(data: bytes, done: int) -> bytes:
    """Return what is left of `data` when `done` bytes are written, a cut line from its beginning."""
    begin = data.rfind(b"\n", 0, done) + 1
    return data[begin:] if begin == done else b"\n" + data[begin:]
