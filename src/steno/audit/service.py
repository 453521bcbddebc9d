"""The audit log of a running daemon: opened, written by its own thread, reported on, ended.

Where no folder is configured there is no log. The service is there all the same: it has no sinks and records nothing.
"""

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial as bound
from pathlib import Path
from time import monotonic
from typing import Final, Literal, NamedTuple, Self

import anyio.to_thread
import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from steno import __version__
from steno.audit.acknowledging import Acknowledgements
from steno.audit.anchoring import Anchors, AnchorStats
from steno.audit.content_policy import BodyEncoder
from steno.audit.content_store.erase import Erasure, find_erasable, remove
from steno.audit.content_store.files import ContentFiles
from steno.audit.log_records import SegmentSettings
from steno.audit.record import entry
from steno.audit.reports import Backpressure, WriterReports
from steno.audit.setup import anchors_of, bodies_of, open_log, options_of, recovered_windows, settings_of
from steno.audit.sink import AuditSink
from steno.audit.writing.batch import ChainHead
from steno.audit.writing.interface import WriterStats
from steno.audit.writing.log import AuditLog
from steno.audit.writing.writer import AuditWriter
from steno.config import Config, audit_directory, digest
from steno.core.keys import conversation_key
from steno.errors import ConfigError, UnavailableError, UsageError
from steno.timestamps import Micros

NONCE_BYTES: Final = 16
"""Randomness in the first record of a log."""
STARTED: Final = "daemon.started"
STOPPED: Final = "daemon.stopped"
RELOADED: Final = "daemon.reloaded"
DRAINING: Final = "daemon.draining"
CLOCK_CHANGED: Final = "daemon.clock_changed"
CallFact = Literal["call_attached", "call_released"]
"""What happens to a call that the daemon was asked to follow: `daemon.call_attached` and `daemon.call_released`."""
Status = Literal["on", "off", "unwritable"]
"""Of the log, as `/readyz` has it: `off` where none is configured."""
BEHIND_SECONDS: Final = 10.0
"""How long after its time a record may wait to be on the disk before the log counts as one that cannot be written."""

Numbers = Mapping[tuple[str, ...], float]


class LogParts(NamedTuple):
    """The parts of a log that is written."""

    log: AuditLog
    """The writing thread's alone once it runs."""
    bodies: BodyEncoder
    files: ContentFiles
    """As `log`."""
    reports: WriterReports
    writer: AuditWriter
    anchors: Anchors | None
    acknowledgements: Acknowledgements


class AuditService:
    """The log and its thread, or the lack of both."""

    def __init__(self, config: Config, parts: LogParts | None) -> None:
        """Record nothing before `start`. Use `open`."""
        self._config = config
        self._parts = parts
        self._settings = parts.log.settings if parts else None
        """How the segments are written that `reopen` began last."""
        self._log = structlog.get_logger()

    @classmethod
    @contextmanager
    def open(cls, config: Config, environ: Mapping[str, str], at: Micros, now: Callable[[], Micros]) -> Iterator[Self]:
        """Open the audit log where the configuration or the environment says, if anywhere.

        Args:
            config: all of the configuration, for its digest.
            environ: the environment, for the folder.
            at: the time of the record that begins the segment.
            now: returns the time of the records that the writing thread itself adds.

        Raises what `open_log` and `bodies_of` raise.
        """
        directory = audit_directory(config.audit, environ)
        if directory is None:
            yield cls(config, None)
            return
        files = ContentFiles(directory)
        bodies = bodies_of(config.audit, files)
        with open_log(directory, config, at, secrets.token_hex(NONCE_BYTES)) as log:
            anchors = anchors_of(config.audit, log.log_id)
            reports = WriterReports(anchors, blocks=config.audit.when_full == "block")
            writer = AuditWriter(log, options_of(config.audit), reports, files, now)
            acknowledgements = Acknowledgements(writer, now, recovered_windows(directory, config))
            writer.remember(acknowledgements.senders)
            yield cls(config, LogParts(log, bodies, files, reports, writer, anchors, acknowledgements))

    @property
    def directory(self) -> Path | None:
        """The folder of the log; None where there is none."""
        return self._parts.log.directory if self._parts else None

    @property
    def log_id(self) -> str | None:
        """Which log it is, as `steno verify --log` takes it; None where there is none."""
        return self._parts.log.log_id if self._parts else None

    @property
    def sinks(self) -> Sequence[AuditSink]:
        """What facts are emitted to: one sink, or none where there is no log."""
        if self._parts is None:
            return []
        writer = self._parts.writer
        bodies, record_bytes = self._parts.bodies, self._config.audit.record_bytes
        return [AuditSink(writer, bodies, record_bytes, writer, self._parts.acknowledgements)]

    @property
    def acknowledgements(self) -> Acknowledgements | None:
        """What says which messages of senders are on the disk; None where there is no log."""
        return self._parts.acknowledgements if self._parts else None

    def shed_from(self, sources: Collection[str]) -> None:
        """Let no record of `sources` hold the others: theirs are dropped where half of the queue is taken."""
        if self._parts:
            self._parts.writer.shedding = frozenset(sources)

    # Life -----------------------------------------------------------------------------------------------

    def start(self, backpressure: Backpressure, at: Micros) -> None:
        """Begin to write, and hold `backpressure` while the queue is full. Called from the event loop."""
        if self._parts:
            self._parts.reports.attach(backpressure, asyncio.get_running_loop())
            self._parts.writer.start()
            if self._parts.anchors:
                self._parts.anchors.start()
            sources = [source.name for source in self._config.sources]
            self._record(at, STARTED, {"version": __version__, "sources": sources})

    def reopen(self, at: Micros, config: Config, changes: Struct) -> None:
        """Begin a new segment under the configuration that was read again, and record what that changed.

        The key is read again too. The content policy stays the one that the daemon was started with.
        """
        if self._parts is None or self._settings is None:
            return
        config_digest = digest(config)
        self._record(at, RELOADED, {"config_digest": config_digest, **msgspec.structs.asdict(changes)})
        self._settings = replace(self._with_current_key(self._settings), config_digest=config_digest)
        self._parts.writer.rotate(at, self._settings)

    def _with_current_key(self, settings: SegmentSettings) -> SegmentSettings:
        """Return `settings` with the key as it is now, or as they are where it cannot be read."""
        try:
            return settings_of(self._config)
        except ConfigError as error:
            self._log.error("the key of the audit log cannot be read, and the old one stays", faults=[str(error)])
            return settings

    def clock_changed(self, at: Micros, change: Struct) -> None:
        """Record what was noticed of the host's clocks."""
        self._record(at, CLOCK_CHANGED, msgspec.structs.asdict(change))

    def draining(self, at: Micros, calls: int, seconds: float) -> None:
        """Record that from now on calls begin elsewhere; `calls` run on here, for `seconds` at most."""
        self._record(at, DRAINING, {"calls": calls, "seconds": seconds})

    def call_noted(self, at: Micros, fact: CallFact, source: str, call_id: str, body: Mapping[str, object]) -> None:
        """Record what happened to a call that the daemon was asked to follow; `body` has what is known besides."""
        key = conversation_key(source, call_id)
        self._record(at, f"daemon.{fact}", {"source": source, "call_id": call_id, **body}, key)

    def finish(self, at: Micros, timeout: float) -> bool:
        """Write all that waits and end the log; return whether that was done within `timeout` seconds.

        The head of its last record is anchored in what is left of that time.
        """
        if self._parts is None:
            return True
        began = monotonic()
        self._record(at, STOPPED, {})
        ended = self._parts.writer.close(at, timeout)
        if anchors := self._parts.anchors:
            log = self._parts.log
            head = ChainHead(log.flushed_seq, log.head, at) if ended else None
            anchors.finish(head, max(0.0, timeout - (monotonic() - began)))
        return ended

    def _record(self, at: Micros, fact: str, body: dict[str, object], conversation: str | None = None) -> None:
        if self._parts:
            self._parts.writer.submit(entry(at, fact, conversation, None, None, msgspec.json.encode(body)))

    # Erased ---------------------------------------------------------------------------------------------

    async def erase(self, conversation: str, at: Micros, forget: Callable[[], bool], *, partial: bool) -> Erasure:
        """Remove the content of a conversation from the files beside the log, and record that it was done.

        Args:
            conversation: its key.
            at: the time of the record.
            forget: removes what is in memory; returns whether there was anything.
            partial: whether to do it also where content is in the log itself.

        Returns when that is on the disk. Raises UsageError where content is in the log itself, unless `partial`, and
        UnavailableError where the file cannot be removed.
        """
        if self._parts is None:
            raise UsageError("this daemon writes no audit log: audit.directory names its folder")
        log, files, writer = self._parts.log, self._parts.files, self._parts.writer
        await _done(writer.call(_nothing))  # so that all that is to be searched is on the disk
        references = await anyio.to_thread.run_sync(bound(find_erasable, log.directory, conversation, partial=partial))
        in_memory = forget()
        erased: list[Erasure] = []

        def erase() -> None:
            # In the writing thread, which owns log and files. The record does not pass the queue, so it cannot be shed.
            erased.append(replace(remove(files, conversation, references), in_memory=in_memory))
            if erased[0].found:
                log.append(erased[0].entry(at, conversation))

        try:
            await _done(writer.call(erase))
        except OSError as error:
            raise UnavailableError(f"cannot erase in {log.directory}: {error.strerror}") from error
        await _done(writer.call(_nothing))
        return erased[0]

    # Asked ----------------------------------------------------------------------------------------------

    def _stats(self) -> WriterStats | None:
        return self._parts.writer.stats() if self._parts else None

    @property
    def records(self) -> int:
        """Records on the disk since the start."""
        stats = self._stats()
        return stats.records if stats else 0

    def progressing(self, patience: float) -> bool:
        """Return whether the writing thread lives, and has not been at one record or write for `patience` seconds."""
        stats = self._stats()
        return stats is None or (stats.alive and stats.stalled_seconds < patience)

    @property
    def lag_seconds(self) -> float | None:
        """How much longer than configured the oldest record waits to be on the disk; None where there is no log."""
        stats = self._stats()
        return max(0.0, stats.unflushed_seconds - self._config.audit.flush_seconds) if stats else None

    def writable(self) -> bool:
        """Return whether the last write succeeded, there is room, and the writing thread keeps up.

        True where there is no log to write.
        """
        stats = self._stats()
        if stats is None:
            return True
        keeps_up = stats.unflushed_seconds < self._config.audit.flush_seconds + BEHIND_SECONDS
        return stats.alive and stats.failing is None and not stats.full and keeps_up

    @property
    def status(self) -> Status:
        """Whether there is a log, and whether it can be written, in a word."""
        if self._parts is None:
            return "off"
        return "on" if self.writable() else "unwritable"

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the process metrics that the log knows, and the version: name to labels to value."""
        stats = self._stats()
        known: dict[str, Numbers] = {
            "steno_build_info": {(__version__,): 1},
            "steno_audit_enabled": {(): 1 if stats else 0},
        }
        if stats:
            known |= _numbers(stats, blocks=self._config.audit.when_full == "block")
        if self._parts and self._parts.anchors:
            known |= _anchored(self._parts.anchors.stats)
        return known


def _numbers(stats: WriterStats, *, blocks: bool) -> dict[str, Numbers]:
    return {
        "steno_audit_records_total": {(): stats.records},
        "steno_audit_write_errors_total": {(reason,): count for reason, count in stats.write_errors.items()},
        "steno_audit_queue_bytes": {(): stats.queued_bytes},
        "steno_audit_unflushed_seconds": {(): stats.unflushed_seconds},
        "steno_audit_blocked": {(): 1 if stats.full and blocks else 0},
        "steno_audit_flushed_seq": {(): stats.flushed_seq},
        "steno_audit_shed_records_total": {(): stats.shed_records},
        "steno_audit_unreadable_records_total": {(): stats.internal_errors},
        "steno_audit_checkpoints_total": {(): stats.checkpoints},
        "steno_audit_damaged_segments_total": {(): stats.damaged_segments},
        "steno_audit_retired_segments_total": {(): stats.retired_segments},
        "steno_audit_held_segments": {(): stats.held_segments},
    }


def _anchored(stats: AnchorStats) -> dict[str, Numbers]:
    return {
        "steno_audit_anchors_total": {(kind,): count for kind, count in stats.done.items()},
        "steno_audit_anchor_failures_total": {(kind,): count for kind, count in stats.failed.items()},
        "steno_audit_anchored_seq": {(): stats.seq},
    }


def _nothing() -> None:
    """Is called once all that was submitted before is on the disk."""


async def _done(future: Future[None]) -> None:
    await asyncio.wrap_future(future)
