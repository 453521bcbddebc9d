"""The thread that writes the audit log, so that whoever has something to record never waits for a disk. I/O.

Records are handed over without their numbers and wait in a queue; the thread takes all there are, gives them
their numbers, and puts them on the disk together. What could not be written is kept and tried again, in its
order, as long as it takes. When the queue is full, whoever fills it stops (`block`), or facts are dropped, counted
and stood for by a record (`shed`).
"""

import atexit
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final, Literal

from steno.audit.writing.log import AuditLog, Writing
from steno.audit.writing.queue import Call, Closing, Pending, Queue, Rotation
from steno.audit.writing.retention import RetentionPolicy
from steno.audit.writing.writer_loop import Hooks, Schedule, WriterLoop
from steno.timestamps import Micros

FLUSH_BYTES: Final = 256 * 1024
"""Records that are written before their time is up. Small: the thread that links them holds up others."""
RETRY_SECONDS: Final = 1.0
"""How long a failed write is left alone: a full disk is not helped by trying harder."""
LEAVE_SECONDS: Final = 5.0
"""How long a process that ends without having closed its log waits for what is not on the disk yet."""


def _nothing(*_: object) -> None:
    """Do nothing about what is told."""


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
        flush_bytes: int = FLUSH_BYTES,
        always: bool = False,
        when_full: Literal["block", "shed"] = "block",
        retry_seconds: float = RETRY_SECONDS,
        segment_seconds: float | None = None,
        checkpoint_records: int | None = None,
        checkpoint_seconds: float | None = None,
        retention_seconds: float | None = None,
        retention_bytes: int | None = None,
        now: Callable[[], Micros | None] = lambda: None,
        before_flush: Callable[[], None] = _nothing,
        on_full: Callable[[], None] = _nothing,
        on_room: Callable[[], None] = _nothing,
        on_checkpoint: Callable[[int, str, str | None], None] = _nothing,
        on_damage: Callable[[str, str], None] = _nothing,
        on_retired: Callable[[int], None] = _nothing,
        on_undeleted: Callable[[str, str], None] = _nothing,
        on_mistake: Callable[[Exception], None] = _nothing,
    ) -> None:
        """Write nothing before `start`.

        Args:
            log: what is written. Once started, nobody else may touch it.
            flush_seconds: the longest time a record waits for others before it is written.
            queue_bytes: the length of the records not yet on the disk at which the queue is full.
            flush_bytes: the length of the records that are written before their time is up; what is on the
                disk together is hardly more.
            always: whether records do not wait for others, whatever `flush_seconds`.
            when_full: whether a full queue takes what comes all the same, or sheds facts.
            retry_seconds: how long after a failed write the next one is tried.
            segment_seconds: the age at which a segment is closed and the next one begun.
            checkpoint_records: after how many records the head is told.
            checkpoint_seconds: the longest time between two tellings of the head.
            retention_seconds: the age past which closed segments are deleted.
            retention_bytes: the length of the log past which the oldest closed segments are deleted.
            now: the time of the records that the thread itself makes.
            before_flush: called before records are written. It may raise OSError, as a write that failed.
            on_full: called by `submit`, in its thread, when the queue has become full.
            on_room: when at most half of that is left. This and all below are called by the writing thread.
            on_checkpoint: with number, hash in hex and time of a head that is told in the log too.
            on_damage: with the name of a segment that somebody else did something to, and what.
            on_retired: with the nanosecond since 1970 at which the last record was written of those that were deleted.
                It may raise OSError, which is told like a segment that cannot be deleted.
            on_undeleted: with the name of a segment that could not be deleted, and the reason.
            on_mistake: with what was raised where a record could not be put into words. What it says may be content.
        """
        self._log = log
        self._on_full = on_full
        self._queue = Queue(
            queue_bytes=queue_bytes,
            flush_bytes=flush_bytes,
            flush_seconds=0.0 if always else flush_seconds,
            sheds=when_full == "shed",
        )
        schedule = Schedule(
            flush_bytes=flush_bytes,
            retry_seconds=retry_seconds,
            segment_seconds=segment_seconds,
            checkpoint_records=checkpoint_records,
            checkpoint_seconds=checkpoint_seconds,
        )
        hooks = Hooks(
            before_flush=before_flush,
            on_room=on_room,
            on_checkpoint=on_checkpoint,
            on_damage=on_damage,
            on_retired=on_retired,
            on_undeleted=on_undeleted,
            on_mistake=on_mistake,
        )
        self._work = WriterLoop(
            log, self._queue, RetentionPolicy(retention_seconds, retention_bytes), schedule, hooks, now
        )
        self._thread = threading.Thread(target=self._work.run, name="steno-audit", daemon=True)

    # What is asked from outside -------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write. From now on the log is the thread's, its end included.

        A process that ends without `close`, by an exception, tries to `leave` at least.
        """
        self._log.detach()
        self._thread.start()
        atexit.register(self.leave)

    def submit(self, fact: bytes | Pending) -> None:
        """Take one record, from what `format.entry` returned or still to be encoded. Does not wait, full or not."""
        if self._queue.put(fact):
            self._on_full()

    def rotate(self, at: Micros, writing: Writing | str) -> None:
        """Begin a new segment behind the records that were taken so far.

        It is written as `writing` says; or under the configuration of that digest, where nothing else changed.
        """
        self._queue.command(Rotation(at, writing))

    def call(self, function: Callable[[], None]) -> "Future[None]":
        """Let the thread call `function` when all that was submitted before is on the disk, before all else is.

        The future tells when it has returned, or what it raised; it is cancelled where that will never be.
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
            timeout: how many seconds that may take. Past it the thread gives up where a write fails, and
                leaves the log as it is: whole up to the last record that was flushed, but without its end.
        """
        self._finish(Closing(at, in_order=True), timeout)
        return not self._thread.is_alive() and self._log.ended

    def leave(self) -> None:
        """Write what waits, for up to `LEAVE_SECONDS`, without ending the log. As `close` otherwise."""
        self._finish(Closing(None, in_order=False), LEAVE_SECONDS)

    def _finish(self, closing: Closing, timeout: float) -> None:
        atexit.unregister(self.leave)
        self._queue.close(closing)
        self._thread.join(timeout)
        self._queue.give_up()

    @property
    def queued_bytes(self) -> int:
        """The length of the records that are not on the disk yet."""
        return self._queue.bytes

    @property
    def full(self) -> bool:
        """Whether the queue became full and has not become half empty since."""
        return self._queue.full

    @property
    def shed_records(self) -> int:
        """Facts that were dropped because the queue was full."""
        return self._queue.shed_facts

    @property
    def records(self) -> int:
        """Records put on the disk since the log was opened, those about the log itself included."""
        return self._log.flushed_records

    @property
    def flushed_seq(self) -> int:
        """The number of the last record that is on the disk."""
        return self._log.flushed_seq

    @property
    def retired_segments(self) -> int:
        """Segments deleted because of their age or the size of the log."""
        return self._work.retention.deleted

    @property
    def write_errors(self) -> Mapping[str, int]:
        """How often a write failed, by reason."""
        return self._work.write_errors

    @property
    def failing(self) -> str | None:
        """Why the last write failed; None when it did not."""
        return self._work.failing

    @property
    def checkpoints(self) -> int:
        """How often the head was told."""
        return self._work.checkpoints

    @property
    def damaged_segments(self) -> int:
        """Segments that somebody else did something to."""
        return self._work.damaged_segments

    @property
    def internal_errors(self) -> int:
        """Records that could not be encoded: a mistake of our own."""
        return self._work.internal_errors

    def unflushed_seconds(self, now: float) -> float:
        """Return the age of the oldest record that is not on the disk; `now` is of `time.monotonic`."""
        since = self._queue.taken_since
        if since is None:
            since = self._queue.since
        return 0.0 if since is None else max(0.0, now - since)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def stalled_seconds(self, now: float) -> float:
        """Return for how long the thread has hung in one attempt to write; `now` is of `time.monotonic`.

        It is 0 while there is nothing to write, and between attempts that fail: that is what it should do.
        """
        since = self._work.writing_since
        return 0.0 if since is None else max(0.0, now - since)
