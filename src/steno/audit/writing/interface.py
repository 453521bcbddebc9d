"""What an `AuditWriter` is given and what it gives back: options, the files beside the log, an observer, figures.

The owner implements the two protocols. `audit.service` and `audit.reports` do it in the product.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from steno.audit.log_records import Damaged
from steno.audit.writing.batch import ChainHead
from steno.audit.writing.progress import Mark
from steno.audit.writing.retention import RetentionPolicy
from steno.audit.writing.segment_age import Ages

RETRY_SECONDS: Final = 1.0
"""Time between a failed write and the next attempt. A full disk does not get better by trying harder."""


class WriterOptions(Struct, frozen=True, kw_only=True):
    """What the configuration decides about the writing of a log."""

    queue_bytes: int
    """Length of the records not yet on the disk at which the queue is full."""
    sheds: bool
    """Whether a full queue drops records. If not, it takes them all the same, and the observer stops the sender."""
    flush_seconds: float
    """Longest time a record waits for others before it is written; 0: it does not wait."""
    flush_bytes: int
    """Length of the records that are written before their time is up, and about the most that is written together."""
    segment_seconds: float
    """Age at which a segment is closed and the next one begun."""
    checkpoint_records: int
    """Number of records after which a checkpoint follows."""
    checkpoint_seconds: float
    """Longest time between two checkpoints."""
    retention: RetentionPolicy = RetentionPolicy()
    """Which of the closed segments are deleted."""
    retry_seconds: float = RETRY_SECONDS


class CompanionFiles(Protocol):
    """Files beside the log that hold what records refer to. Used by the writing thread alone."""

    def flush(self) -> None:
        """Return when all that records refer to is on the disk. Called before each write of records.

        An OSError counts as a failed write: the records wait, and both are tried again.
        """

    def retire(self, newest_ns: int) -> None:
        """Delete the files that only deleted segments referred to.

        Args:
            newest_ns: when the last record of those segments was written, in nanoseconds since 1970.

        An OSError, with the name of the file, counts as a segment that could not be deleted.
        """


class WriterObserver(Protocol):
    """Is notified of what happens to a log. No method may wait or raise.

    `full` and `shedding` are called in the thread that submits, all others in the writing thread.
    """

    def full(self, failing: str | None) -> None:
        """The queue has become full; `failing` is the reason where the last write failed."""

    def shedding(self, source: str, failing: str | None) -> None:
        """Records of `source`, which sheds, are dropped from now on; `failing` as in `full`."""

    def room(self) -> None:
        """At most half of a queue that was full is left."""

    def flushed(self, marks: Sequence[Mark]) -> None:
        """All that stands before these marks is on the disk, their cursors included."""

    def checkpoint(self, head: ChainHead) -> None:
        """A checkpoint with this head is on the disk."""

    def damaged(self, damaged: Damaged) -> None:
        """Somebody else changed a segment."""

    def retired(self, segment: str) -> None:
        """A segment of that name was deleted, since it is too old or the log too large."""

    def held(self, count: int, ages: Ages) -> None:
        """So many segments are too old and stay, since `ages` doubt the clock; or they no longer do."""

    def undeleted(self, segment: str, reason: str) -> None:
        """A file of that name, which retention no longer keeps, could not be deleted. It is tried again later."""

    def mistake(self, error: Exception) -> None:
        """A record could not be encoded: a bug. The text of `error` may hold content."""


class WriterStats(Struct, frozen=True, kw_only=True):
    """Figures of an `AuditWriter` at one moment. Counts begin with the start of the writer."""

    records: int
    """Records put on the disk, those about the log itself included."""
    flushed_seq: int
    """Number of the last record that is on the disk."""
    queued_bytes: int
    """Length of the records that are not on the disk yet."""
    unflushed_seconds: float
    """Age of the oldest of these; 0 where there is none."""
    full: bool
    """Whether the queue became full and has not become half empty since."""
    shed_records: int
    """Records dropped because the queue was full, or half full where their source sheds."""
    write_errors: Mapping[str, int]
    """Reason to how many writes failed for it."""
    failing: str | None
    """The reason of the last write, where it failed."""
    internal_errors: int
    """Records that could not be encoded."""
    checkpoints: int
    damaged_segments: int
    """Segments that somebody else changed."""
    retired_segments: int
    """Segments deleted because of their age or the size of the log."""
    held_segments: int
    """Segments that are too old by the clock, and stay since that is not trusted."""
    alive: bool
    """Whether the writing thread runs."""
    stalled_seconds: float
    """How long the thread has been at one record, or in one attempt to write. 0 while it waits, also between attempts
    that fail."""
