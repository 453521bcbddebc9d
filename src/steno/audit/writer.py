"""The thread that writes the audit log, so that whoever has something to record never waits for a disk. I/O.

Records are handed over without their numbers and wait in a queue; the thread takes all there are, gives them
their numbers, and puts them on the disk together. What could not be written is kept and tried again, in its
order, as long as it takes: nothing is dropped. The queue says when it is full, and whoever fills it stops.
"""

import errno
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

from msgspec import Struct

from steno.audit.log import AuditLog
from steno.core.frame import Micros

FLUSH_BYTES: Final = 256 * 1024
"""Records that are written before their time is up. Small: the thread that links them holds up others."""
RETRY_SECONDS: Final = 1.0
"""How long a failed write is left alone: a full disk is not helped by trying harder."""

REASONS: Final = {
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EFBIG: "no_space",
    errno.EROFS: "read_only",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
}
"""Why a write failed, in the words that are counted; every other error is `io`."""


class _Rotation(Struct, frozen=True):
    """Stands in the queue between records: those after it belong in a new segment."""

    at: Micros
    config_digest: str


class AuditWriter:
    """Writes `log` from a thread of its own, which also ends it.

    `submit` is for one thread at a time; all else may be called from any.
    """

    def __init__(
        self,
        log: AuditLog,
        *,
        flush_seconds: float,
        queue_bytes: int,
        on_full: Callable[[], None] = lambda: None,
        on_room: Callable[[], None] = lambda: None,
        flush_bytes: int = FLUSH_BYTES,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """Write nothing before `start`.

        Args:
            log: what is written. Once started, nobody else may touch it.
            flush_seconds: the longest time a record waits for others before it is written.
            queue_bytes: the length of the records not yet on the disk at which the queue is full.
            on_full: called by `submit`, in its thread, when the queue has become full.
            on_room: called by the writing thread when at most half of that is left.
            flush_bytes: the length of the records that are written before their time is up.
            retry_seconds: how long after a failed write the next one is tried.
        """
        self._log = log
        self._flush_seconds = flush_seconds
        self._flush_bytes = min(flush_bytes, queue_bytes)
        self._queue_bytes = queue_bytes
        self._retry_seconds = retry_seconds
        self._on_full = on_full
        self._on_room = on_room
        self._thread = threading.Thread(target=self._run, name="steno-audit", daemon=True)
        self._changed = threading.Condition(threading.Lock())
        """Held for moments only, never while something is written or linked."""
        # What follows changes under `_changed`.
        self._queue: list[bytes | _Rotation] = []
        self._waiting_bytes = 0
        self._queued_since: float | None = None
        self._closing: tuple[Micros | None] | None = None
        """Holds the time at which the log ends, once it is to end."""
        self._given_up = False
        self.queued_bytes = 0
        """The length of the records that are not on the disk yet."""
        self.full = False
        """Whether the queue became full and has not become half empty since."""
        # What follows changes in the writing thread only.
        self._writing_since: float | None = None
        self._batch_since: float | None = None
        self.write_errors = dict.fromkeys(("no_space", "read_only", "io", "permission"), 0)
        """How often a write failed, by reason."""
        self.failing: str | None = None
        """Why the last write failed; None when it did not."""

    # What is asked from outside -------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write. From now on the log is the thread's, its end included."""
        self._log.detach()
        self._thread.start()

    def submit(self, entry: bytes) -> None:
        """Take one record, from what `format.entry` returned. Does not wait, full or not."""
        size = len(entry)
        became_full = False
        with self._changed:
            self._queue.append(entry)
            self.queued_bytes += size
            before = self._waiting_bytes
            self._waiting_bytes = before + size
            if self._queued_since is None:
                self._queued_since = monotonic()
                self._changed.notify()
            elif before < self._flush_bytes <= self._waiting_bytes:
                self._changed.notify()
            if self.queued_bytes >= self._queue_bytes and not self.full:
                self.full = became_full = True
        if became_full:
            self._on_full()

    def rotate(self, at: Micros, config_digest: str) -> None:
        """Begin a new segment, under another configuration, behind the records that were taken so far."""
        with self._changed:
            self._queue.append(_Rotation(at, config_digest))
            if self._queued_since is None:
                self._queued_since = monotonic()
                self._changed.notify()

    def close(self, at: Micros | None, timeout: float) -> bool:
        """Write what waits, end the log in order, and return whether all of it was on the disk in time.

        Only after `start`. Nothing may be submitted from now on.

        Args:
            at: the time of the record that ends the log.
            timeout: how many seconds that may take. Past it the thread gives up where a write fails, and
                leaves the log as it is: whole up to the last record that was flushed, but without its end.
        """
        with self._changed:
            self._closing = (at,)
            self._changed.notify()
        self._thread.join(timeout)
        with self._changed:
            self._given_up = True
            self._changed.notify()
        return not self._thread.is_alive() and self._log.ended

    @property
    def records(self) -> int:
        """Records put on the disk since the log was opened, those about the log itself included."""
        return self._log.flushed_records

    def unflushed_seconds(self, now: float) -> float:
        """Return the age of the oldest record that is not on the disk; `now` is of `time.monotonic`."""
        since = self._batch_since
        if since is None:
            since = self._queued_since
        return 0.0 if since is None else max(0.0, now - since)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def stalled_seconds(self, now: float) -> float:
        """Return for how long the thread has hung in one attempt to write; `now` is of `time.monotonic`.

        It is 0 while there is nothing to write, and between attempts that fail: that is what it should do.
        """
        since = self._writing_since
        return 0.0 if since is None else max(0.0, now - since)

    # The thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            size = 0
            for each in batch:
                if isinstance(each, _Rotation):
                    self._log.rotate(each.at, each.config_digest)
                else:
                    self._log.append(each)
                    size += len(each)
            if not self._persist(self._log.flush):
                self._log.release()
                return
            self._written(size)
        at = self._closing[0] if self._closing else None
        if not self._persist(lambda: self._log.close(at)):
            self._log.release()

    def _take(self) -> list[bytes | _Rotation] | None:
        """Wait for something to write, and for company for it; return it, None when the log is to end."""
        with self._changed:
            while self._queued_since is None:
                if self._closing:
                    return None
                self._changed.wait()
            due = self._queued_since + self._flush_seconds
            while not self._closing and self._waiting_bytes < self._flush_bytes:
                left = due - monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            batch, self._queue = self._queue, []
            self._waiting_bytes = 0
            self._batch_since, self._queued_since = self._queued_since, None
            return batch

    def _persist(self, write: Callable[[], None]) -> bool:
        """Write until it goes well; return False when told to give up before."""
        while True:
            self._writing_since = monotonic()
            try:
                write()
            except OSError as error:
                self.failing = REASONS.get(error.errno or 0, "io")
                self.write_errors[self.failing] += 1
            else:
                self.failing = None
                return True
            finally:
                self._writing_since = None
            with self._changed:
                if self._changed.wait_for(lambda: self._given_up, self._retry_seconds):
                    return False

    def _written(self, size: int) -> None:
        """Note that a batch is on the disk."""
        self._batch_since = None
        with self._changed:
            self.queued_bytes -= size
            has_room = self.full and self.queued_bytes <= self._queue_bytes // 2
            if has_room:
                self.full = False
        if has_room:
            self._on_room()
