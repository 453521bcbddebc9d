"""What is said of an audit log while it is written: lines of the operational log, back-pressure, acknowledgements."""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

import structlog

from steno.audit.anchoring import Anchors
from steno.audit.log_records import Damaged
from steno.audit.writing.batch import ChainHead
from steno.audit.writing.progress import Mark
from steno.audit.writing.segment_age import DAY_NS, Ages
from steno.timestamps import timestamp

SHEDDING_LOGGED_SECONDS: Final = 60.0
"""How often it is logged that records of sources that shed are dropped: under load that begins several times a second.
"""

CALM_SECONDS: Final = 10.0
"""How long the queue must have had room for that to be logged: under load it becomes full several times a second."""


class Backpressure(Protocol):
    """What feeds the log and can be held while the disk does not keep up: the pipeline."""

    def hold(self) -> None:
        """Ask the sources to read no more, until `release`."""

    def release(self) -> None:
        """Let the sources read again."""


class WriterReports:
    """The observer of the writer: lines of the operational log, and back-pressure where the configuration says so."""

    def __init__(self, anchors: Anchors | None = None, *, blocks: bool) -> None:
        """Hold nothing back before `attach`.

        Args:
            anchors: what takes checkpoints elsewhere.
            blocks: whether sources are held while the queue is full.
        """
        self._blocks = blocks
        self._anchors = anchors
        self._log = structlog.get_logger()
        self._backpressure: Backpressure | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._times = 0
        """How often the queue has become full since that was logged as over."""
        self._failing: str | None = None
        """The reason that was logged last."""
        self._shedding_logged = -math.inf
        """When it was last logged that a source sheds, by the clock of the event loop."""
        self._calm: asyncio.TimerHandle | None = None
        """Logs that it is over, unless the queue becomes full again."""

    def attach(self, backpressure: Backpressure, loop: asyncio.AbstractEventLoop) -> None:
        """Hold `backpressure`, which lives in `loop`, from now on."""
        self._backpressure = backpressure
        self._loop = loop

    def full(self, failing: str | None) -> None:
        """Stop reading. Called in the event loop, by whatever emitted the fact that filled the queue."""
        if self._backpressure is None:
            return
        if self._blocks:
            self._backpressure.hold()
        if self._calm:
            self._calm.cancel()
        self._times += 1
        if self._times == 1 or failing not in {None, self._failing}:
            self._failing = failing
            event = "reading stops" if self._blocks else "records are dropped"
            self._log.warning(f"{event}: the audit log cannot keep up", failing=failing, important=not self._blocks)

    def shedding(self, source: str, failing: str | None) -> None:
        """Log that records of `source` are dropped. Called in the event loop."""
        if self._loop is None or self._loop.time() < self._shedding_logged + SHEDDING_LOGGED_SECONDS:
            return
        self._shedding_logged = self._loop.time()
        event = "records of a source that sheds are dropped: the audit log cannot keep up"
        self._log.warning(event, source=source, failing=failing, important=True)

    def room(self) -> None:
        """Go on reading. Called by the writing thread, so the event loop is asked to do it."""
        if self._loop:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        if self._backpressure is None or self._loop is None:
            return
        if self._blocks:
            self._backpressure.release()
        if self._calm:
            self._calm.cancel()
        self._calm = self._loop.call_later(CALM_SECONDS, self._over)

    def _over(self) -> None:
        """Log that the queue has had room for a while. A queue that fills again and again is one event of the log."""
        self._log.info("reading goes on" if self._blocks else "records are written again", times=self._times)
        self._times, self._failing = 0, None

    def flushed(self, marks: Sequence[Mark]) -> None:
        """Acknowledge what is on the disk. Called by the writing thread, so the event loop is asked to do it."""
        if self._loop:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(_acknowledge, marks)

    def checkpoint(self, head: ChainHead) -> None:
        """Write the head of the log to the operational log: whoever keeps that line can check the log against it."""
        last_at = None if head.at is None else timestamp(head.at)
        self._log.info("audit checkpoint", head=f"{head.seq}:{head.hash.hex()}", last_at=last_at, again=True)
        if self._anchors:
            self._anchors.submit(head)

    def damaged(self, damaged: Damaged) -> None:
        """Report that somebody else changed a segment."""
        self._log.error("somebody else changed the audit log", segment=damaged.segment, damage=damaged.damage)

    def retired(self, segment: str) -> None:
        """Report each segment that retention deleted: that cannot be undone."""
        self._log.warning("an old segment of the audit log was deleted", segment=segment)

    def held(self, count: int, ages: Ages) -> None:
        """Report that retention waits, or that it goes on."""
        if count or ages.behind_ns:
            ahead, behind = ages.doubted_ns // DAY_NS, ages.behind_ns // DAY_NS
            self._log.warning(
                "old segments of the audit log stay: the clock is doubted", segments=count, days=ahead, behind=behind
            )
        else:
            self._log.warning("old segments of the audit log are deleted again: the clock is trusted")

    def undeleted(self, segment: str, reason: str) -> None:
        """Report that retention could not delete a file."""
        self._log.warning("an old segment of the audit log cannot be deleted", segment=segment, reason=reason)

    def mistake(self, error: Exception) -> None:
        """Report a bug. The log leaves the text of the error out, since it may hold content."""
        self._log.error("internal error; a record could not be written", exc_info=error)


def _acknowledge(marks: Sequence[Mark]) -> None:
    for mark in marks:
        mark.progress.flushed(mark.frame)
