"""The audit log of a running daemon: opened, written by its thread, held against what the sources may read.

Where no folder is configured there is no log, and all that is asked of it here says so.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import msgspec
import structlog
from msgspec import Struct

from steno import __version__
from steno.audit.format import entry
from steno.audit.log import AuditLog
from steno.audit.writer import AuditWriter
from steno.config import Config, audit_directory, digest
from steno.core.frame import Micros
from steno.errors import UnavailableError
from steno.pipeline import Pipeline, Sink
from steno.sinks.audit import AuditSink

STARTED = "daemon.started"
STOPPED = "daemon.stopped"
RELOADED = "daemon.reloaded"

Numbers = Mapping[tuple[str, ...], float]


class Auditing:
    """The log and its thread, or the lack of both."""

    def __init__(self, config: Config, log: AuditLog | None) -> None:
        """Write into `log`, if there is one, once started."""
        self.directory = log.directory if log else None
        self._sources = [source.name for source in config.sources]
        self._pipeline: Pipeline | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = structlog.get_logger()
        self._writer = self._writer_of(log, config) if log else None

    def _writer_of(self, log: AuditLog, config: Config) -> AuditWriter:
        return AuditWriter(
            log,
            flush_seconds=config.audit.flush_seconds,
            queue_bytes=config.audit.queue_bytes,
            on_full=self._hold,
            on_room=self._room,
        )

    @property
    def sinks(self) -> Sequence[Sink]:
        """What the pipeline tells facts to."""
        return [AuditSink(self._writer)] if self._writer else []

    # Life -----------------------------------------------------------------------------------------------

    def start(self, pipeline: Pipeline, at: Micros) -> None:
        """Begin to write, and hold `pipeline` against the queue. Called from the event loop."""
        self._pipeline = pipeline
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

    def reopen(self, at: Micros, config_digest: str, changes: Struct) -> None:
        """Begin a new segment under the configuration that was read again, and record what that changed."""
        if self._writer:
            self._record(at, RELOADED, {"config_digest": config_digest, **msgspec.structs.asdict(changes)})
            self._writer.rotate(at, config_digest)

    def _record(self, at: Micros, fact: str, body: dict[str, object]) -> None:
        if self._writer:
            self._writer.submit(entry(at, fact, None, None, None, msgspec.json.encode(body)))

    # Back-pressure --------------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Stop reading: called by whoever told the fact that filled the queue, in the event loop."""
        if self._pipeline:
            self._pipeline.hold()
            self._log.warning("reading stops: the audit log cannot keep up", failing=self._failing)

    def _room(self) -> None:
        """Go on reading: called by the writing thread."""
        if self._loop:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        if self._pipeline:
            self._pipeline.release()
            self._log.info("reading goes on")

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
            "steno_audit_blocked": {(): 1 if writer.full else 0},
        }


@contextmanager
def opened_log(config: Config, environ: Mapping[str, str], at: Micros) -> Iterator[Auditing]:
    """Open the audit log where the configuration or the environment says, if anywhere.

    Raises UnavailableError, naming the folder, where it cannot be written, and what `AuditLog.open` raises.
    """
    directory = audit_directory(config.audit, environ)
    if directory is None:
        yield Auditing(config, None)
        return
    with open_log(directory, config, at) as log:
        yield Auditing(config, log)


def open_log(directory: Path, config: Config, at: Micros | None) -> AuditLog:
    """Begin a segment in `directory`; see `opened_log` for what it raises."""
    try:
        return AuditLog.open(
            directory,
            version=__version__,
            config_digest=digest(config),
            content_policy=config.audit.content,
            at=at,
            segment_bytes=config.audit.segment_bytes,
        )
    except OSError as error:
        raise UnavailableError(f"cannot write the audit log in {directory}: {error.strerror}") from error
