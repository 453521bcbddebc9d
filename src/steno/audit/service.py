"""The audit log of a running daemon: opened, written by its thread, held against what the sources may read.

Where no folder is configured there is no log, and all that is asked of it here says so.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial as bound
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple, Protocol, Self

import anyio.to_thread
import msgspec
import structlog
from msgspec import Struct

from steno import __version__
from steno.audit.content_policy import BodyEncoder
from steno.audit.content_store.erase import Erasure, examined, remove
from steno.audit.content_store.files import ContentFiles
from steno.audit.record import entry
from steno.audit.setup import bodies_of, open_log, writing_of
from steno.audit.sink import AuditSink
from steno.audit.writing.log import AuditLog, Writing
from steno.audit.writing.writer import AuditWriter
from steno.config import Audit, Config, audit_directory, digest
from steno.errors import ConfigError, UnavailableError, UsageError
from steno.timestamps import Micros

STARTED = "daemon.started"
STOPPED = "daemon.stopped"
RELOADED = "daemon.reloaded"
DAY_SECONDS: Final = 86_400

Numbers = Mapping[tuple[str, ...], float]


class OpenedLog(NamedTuple):
    """What writes a log, from the start."""

    log: AuditLog
    bodies: BodyEncoder
    files: ContentFiles


class Backpressure(Protocol):
    """What feeds the log and can be held while the disk does not keep up: the pipeline."""

    def hold(self) -> None:
        """Ask the sources to read no more, until `release`."""

    def release(self) -> None:
        """Let the sources read again."""


class AuditService:
    """The log and its thread, or the lack of both."""

    def __init__(self, config: Config, opened: OpenedLog | None, now: Callable[[], Micros]) -> None:
        """Write into the log that was opened, if one was, once started; `now` is the time of its own records."""
        self._config = config
        self._sources = [source.name for source in config.sources]
        self._backpressure: Backpressure | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = structlog.get_logger()
        self.directory: Path | None = None
        self._writer: AuditWriter | None = None
        self._opened = opened
        if opened:
            self.directory = opened.log.directory
            self._writer = self._writer_of(opened, config.audit, now)

    @classmethod
    @contextmanager
    def open(cls, config: Config, environ: Mapping[str, str], at: Micros, now: Callable[[], Micros]) -> Iterator[Self]:
        """Open the audit log where the configuration or the environment says, if anywhere.

        Raises what `open_log` and `bodies_of` raise.
        """
        directory = audit_directory(config.audit, environ)
        if directory is None:
            yield cls(config, None, now)
            return
        files = ContentFiles(directory)
        bodies = bodies_of(config.audit, files)
        with open_log(directory, config, at) as log:
            yield cls(config, OpenedLog(log, bodies, files), now)

    def _writer_of(self, opened: OpenedLog, audit: Audit, now: Callable[[], Micros]) -> AuditWriter:
        return AuditWriter(
            opened.log,
            flush_seconds=audit.flush_seconds,
            flush_bytes=audit.flush_bytes,
            always=audit.flush == "always",
            queue_bytes=audit.queue_bytes,
            when_full=audit.when_full,
            segment_seconds=audit.segment_seconds,
            checkpoint_records=audit.checkpoint_records,
            checkpoint_seconds=audit.checkpoint_seconds,
            retention_seconds=None if audit.retention_days is None else audit.retention_days * DAY_SECONDS,
            retention_bytes=audit.retention_bytes,
            now=now,
            before_flush=opened.files.flush,
            on_full=self._hold,
            on_room=self._room,
            on_checkpoint=self._checkpoint,
            on_damage=self._damage,
            on_retired=opened.files.retire,
            on_undeleted=self._undeleted,
            on_mistake=self._mistake,
        )

    @property
    def sinks(self) -> Sequence[AuditSink]:
        """What facts are emitted to: one sink, or none where there is no log."""
        if self._writer is None or self._opened is None:
            return []
        return [AuditSink(self._writer, self._opened.bodies, self._config.audit.record_bytes)]

    # Life -----------------------------------------------------------------------------------------------

    def start(self, backpressure: Backpressure, at: Micros) -> None:
        """Begin to write, and hold `backpressure` while the queue is full. Called from the event loop."""
        self._backpressure = backpressure
        self._loop = asyncio.get_running_loop()
        if self._writer:
            self._writer.start()
            self._record(at, STARTED, {"version": __version__, "sources": self._sources})

    def finish(self, at: Micros, timeout: float) -> bool:
        """Write all that waits and end the log; return whether that was done within `timeout` seconds."""
        if self._writer is None:
            return True
        self._record(at, STOPPED, {})
        return self._writer.close(at, timeout)

    def reopen(self, at: Micros, config: Config, changes: Struct) -> None:
        """Begin a new segment under the configuration that was read again, and record what that changed.

        The key is read again too; the policy is the one that the daemon was started with.
        """
        if self._writer is None:
            return
        config_digest = digest(config)
        self._record(at, RELOADED, {"config_digest": config_digest, **msgspec.structs.asdict(changes)})
        self._writer.rotate(at, self._writing_anew(config_digest) or config_digest)

    def _writing_anew(self, config_digest: str) -> Writing | None:
        """Return what the next segments say, with the key as it is now; None where it cannot be read."""
        try:
            return msgspec.structs.replace(writing_of(self._config), config_digest=config_digest)
        except ConfigError as error:
            self._log.error("the key of the audit log cannot be read, and the old one stays", faults=[str(error)])
            return None

    def _record(self, at: Micros, fact: str, body: dict[str, object]) -> None:
        if self._writer:
            self._writer.submit(entry(at, fact, None, None, None, msgspec.json.encode(body)))

    # Back-pressure --------------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Stop reading: called by whoever told the fact that filled the queue, in the event loop."""
        if self._backpressure and not self._blocks:
            self._log.warning("records are dropped: the audit log cannot keep up", failing=self._failing)
        elif self._backpressure:
            self._backpressure.hold()
            self._log.warning("reading stops: the audit log cannot keep up", failing=self._failing)

    def _room(self) -> None:
        """Go on reading: called by the writing thread."""
        if self._loop:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._release)

    @property
    def _blocks(self) -> bool:
        return self._config.audit.when_full == "block"

    def _release(self) -> None:
        if self._backpressure and not self._blocks:
            self._log.info("records are written again")
        elif self._backpressure:
            self._backpressure.release()
            self._log.info("reading goes on")

    # Told by the writing thread -------------------------------------------------------------------------

    def _checkpoint(self, seq: int, head: str, at: str | None) -> None:
        """Tell the head of the log to the operational log: who keeps that line can hold the log against it."""
        self._log.info("audit checkpoint", head=f"{seq}:{head}", last_at=at)

    def _damage(self, segment: str, damage: str) -> None:
        self._log.error("somebody else changed the audit log", segment=segment, damage=damage)

    def _undeleted(self, segment: str, reason: str) -> None:
        self._log.warning("an old segment of the audit log cannot be deleted", segment=segment, reason=reason)

    def _mistake(self, error: Exception) -> None:
        """Tell where our own code went wrong. What it said is left out by the log, since that may hold words."""
        self._log.error("internal error; a record could not be written", exc_info=error)

    # Erased ---------------------------------------------------------------------------------------------

    async def erase(self, conversation: str, at: Micros, forget: Callable[[], bool], *, partial: bool) -> Erasure:
        """Remove the words of a conversation from the files beside the log, and record that it was done.

        Args:
            conversation: its key.
            at: now.
            forget: removes what is in memory, and tells whether there was anything.
            partial: whether to do it also where words stand in the log itself.

        Returns when that is on the disk. Raises UsageError where words stand in the log itself, unless `partial`, and
        UnavailableError where the file cannot be removed.
        """
        if self._writer is None or self._opened is None:
            raise UsageError("this daemon writes no audit log")
        log, _, files = self._opened
        await _done(self._writer.call(_nothing))  # so that what is to be looked through is on the disk
        traces = await anyio.to_thread.run_sync(bound(examined, log.directory, conversation, partial=partial))
        in_memory = forget()
        erased: list[Erasure] = []

        def erase() -> None:
            """Do it in the writing thread, whose the log is: its record cannot be shed."""
            erased.append(msgspec.structs.replace(remove(files, conversation, traces), in_memory=in_memory))
            if erased[0].found:
                log.append(erased[0].entry(at, conversation))

        try:
            await _done(self._writer.call(erase))
        except OSError as error:
            raise UnavailableError(f"cannot erase in {log.directory}: {error.strerror}") from error
        await _done(self._writer.call(_nothing))
        return erased[0]

    # Asked ----------------------------------------------------------------------------------------------

    @property
    def _failing(self) -> str | None:
        return self._writer.failing if self._writer else None

    @property
    def records(self) -> int:
        """Records on the disk since the start."""
        return self._writer.records if self._writer else 0

    def progressing(self, patience: float) -> bool:
        """Tell whether the writing thread lives and does not hang in one write for longer than `patience` seconds."""
        writer = self._writer
        return writer is None or (writer.alive and writer.stalled_seconds(monotonic()) < patience)

    def writable(self) -> bool:
        """Tell whether the last write went well and there is room; true where there is no log to write."""
        writer = self._writer
        return writer is None or (writer.alive and writer.failing is None and not writer.full)

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the process metrics that the log knows, and which version this is."""
        known: dict[str, Numbers] = {
            "steno_build_info": {(__version__,): 1},
            "steno_audit_enabled": {(): 1 if self._writer else 0},
        }
        writer = self._writer
        if writer is None:
            return known
        return {
            **known,
            "steno_audit_records_total": {(): writer.records},
            "steno_audit_write_errors_total": {(reason,): count for reason, count in writer.write_errors.items()},
            "steno_audit_queue_bytes": {(): writer.queued_bytes},
            "steno_audit_unflushed_seconds": {(): writer.unflushed_seconds(monotonic())},
            "steno_audit_blocked": {(): 1 if writer.full and self._blocks else 0},
            "steno_audit_flushed_seq": {(): writer.flushed_seq},
            "steno_audit_shed_records_total": {(): writer.shed_records},
            "steno_audit_unreadable_records_total": {(): writer.internal_errors},
            "steno_audit_checkpoints_total": {(): writer.checkpoints},
            "steno_audit_damaged_segments_total": {(): writer.damaged_segments},
            "steno_audit_retired_segments_total": {(): writer.retired_segments},
        }


def _nothing() -> None:
    """Be called when all that was submitted before is on the disk."""


async def _done(future: Future[None]) -> None:
    await asyncio.wrap_future(future)
