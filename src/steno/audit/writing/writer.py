"""The thread that writes the audit log, as its owner sees it: no sender ever waits for a disk. I/O.

The theory of operation is at the head of the package, `steno.audit.writing`.
"""

import atexit
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from time import monotonic
from typing import Final

from steno.audit.log_records import SegmentSettings
from steno.audit.writing.interface import CompanionFiles, WriterObserver, WriterOptions, WriterStats
from steno.audit.writing.log import AuditLog
from steno.audit.writing.progress import NOTHING_ENDED, Ended, Progress
from steno.audit.writing.queue import Call, Closing, Queue, Rotation, Submission
from steno.audit.writing.writer_loop import WriterLoop
from steno.timestamps import Micros

LEAVE_SECONDS: Final = 5.0
"""How long a process that ends without having closed its log waits for what is not on the disk yet."""


class AuditWriter:
    """Writes `log` in a thread of its own, which also ends it.

    `submit` is for one thread at a time; all else may be called from any.
    """

    def __init__(
        self,
        log: AuditLog,
        options: WriterOptions,
        observer: WriterObserver,
        files: CompanionFiles,
        now: Callable[[], Micros],
    ) -> None:
        """Write nothing before `start`.

        Args:
            log: what is written. Once started, nobody else may touch it but in a function given to `call`.
            options: what the configuration decides.
            observer: is notified of what happens.
            files: what records refer to; flushed before they are.
            now: returns the time of the records that the thread itself adds.
        """
        self._log = log
        self._observer = observer
        self._queue = Queue(
            queue_bytes=options.queue_bytes,
            flush_bytes=options.flush_bytes,
            flush_seconds=options.flush_seconds,
            sheds=options.sheds,
        )
        self._loop = WriterLoop(log, self._queue, options, observer, files, now)
        self.shedding: frozenset[str] = frozenset()
        """The sources that shed. Whoever submits a record of one calls `submit_or_shed`."""
        self._thread = threading.Thread(target=self._loop.run, name="steno-audit", daemon=True)

    def start(self) -> None:
        """Begin to write. From now on the log is the thread's, its end included.

        A process that ends without `close`, by an exception, at least tries to `leave`.
        """
        self._log.detach()
        self._thread.start()
        atexit.register(self.leave)

    def submit(self, record: Submission) -> None:
        """Take one record without its number. Does not wait, full or not."""
        if self._queue.put(record):
            self._observer.full(self._loop.failing)

    def submit_or_shed(self, record: Submission, source: str) -> None:
        """Take one record of a `source` that sheds, or drop it where half of the queue is taken. Does not wait."""
        if self._queue.put_or_shed(record, source):
            self._observer.shedding(source, self._loop.failing)

    def progress(self, name: str | None = None, ended: Ended = NOTHING_ENDED) -> Progress:
        """Return what follows the messages of a sender, from `ended` on; `name` as in `Progress`."""
        return Progress(self._queue, name, ended)

    def remember(self, senders: Callable[[], Iterable[Progress]]) -> None:
        """Let each segment have cursors for all that `senders` returns. It is called by any thread."""
        self._queue.senders = senders

    @property
    def idle(self) -> bool:
        """Whether all that was submitted is on the disk."""
        return self._queue.bytes == 0

    @property
    def drops(self) -> bool:
        """Whether a record that is submitted now is dropped."""
        return self._queue.drops

    def take_whole(self, *, whole: bool) -> None:
        """Drop no record from now on, until this is called again without `whole`: for the time of one message."""
        self._queue.whole = whole

    @property
    def shed_records(self) -> int:
        """Records that were dropped so far."""
        return self._queue.shed_records

    def rotate(self, at: Micros, settings: SegmentSettings) -> None:
        """Begin a new segment with these settings behind the records that were submitted so far."""
        self._queue.command(Rotation(at, settings))

    def call(self, function: Callable[[], None]) -> "Future[None]":
        """Let the thread call `function` when all that was submitted before is on the disk, before anything else is.

        The future is done when it has returned or raised, and is cancelled where it will never be called.
        """
        future: Future[None] = Future()
        if not self._queue.command(Call(function, future)):
            future.cancel()
        return future

    def close(self, at: Micros | None, timeout: float) -> bool:
        """Write what waits, end the log in order, and return whether all of it was on the disk in time.

        Only after `start`. Nothing may be submitted from now on.

        Args:
            at: the time of the record that ends the log.
            timeout: how many seconds that may take. Past it the thread gives up where a write fails, and leaves the
                log without its end: it holds up to the last record that was flushed.
        """
        self._finish(Closing(at, in_order=True), timeout)
        return not self._thread.is_alive() and self._log.ended

    def leave(self) -> None:
        """Write what waits, for up to `LEAVE_SECONDS`, without ending the log. Otherwise as `close`."""
        self._finish(Closing(None, in_order=False), LEAVE_SECONDS)

    def _finish(self, closing: Closing, timeout: float) -> None:
        atexit.unregister(self.leave)
        self._queue.close(closing)
        self._thread.join(timeout)
        self._queue.give_up()

    def stats(self, now: float | None = None) -> WriterStats:
        """Return the figures as of `now`, of `time.monotonic`.

        No lock is taken, so that no reader waits for a disk: each figure is exact, but another thread may have moved
        one between two.
        """
        now = monotonic() if now is None else now
        queue, loop = self._queue, self._loop
        since = queue.taken_since
        if since is None:
            since = queue.since
        return WriterStats(
            records=self._log.flushed_records,
            flushed_seq=self._log.flushed_seq,
            queued_bytes=queue.bytes,
            unflushed_seconds=_age(since, now),
            full=queue.full,
            shed_records=queue.shed_records,
            write_errors=dict(loop.write_errors),
            failing=loop.failing,
            internal_errors=loop.internal_errors,
            checkpoints=loop.checkpoints,
            damaged_segments=loop.damaged_segments,
            retired_segments=loop.retention.deleted,
            held_segments=loop.retention.held,
            alive=self._thread.is_alive(),
            stalled_seconds=_age(loop.writing_since, now),
        )


def _age(since: float | None, now: float) -> float:
    return 0.0 if since is None else max(0.0, now - since)
