"""The audit log of a replay: the daemon's, written without a thread."""

from contextlib import ExitStack
from pathlib import Path
from typing import Final

from steno.audit.content_store.files import ContentFiles
from steno.audit.setup import bodies_of, open_log
from steno.audit.sink import AuditSink
from steno.audit.writing.log import AuditLog
from steno.audit.writing.queue import Pending
from steno.config import Config
from steno.errors import UnavailableError

FLUSH_BYTES: Final = 1024 * 1024
"""Records that are written together: enough that waiting for the disk costs little a record."""


def opened(directory: Path, config: Config, stack: ExitStack) -> tuple["ReplayLog", AuditSink]:
    """Open the log in `directory` until `stack` ends. Return it, and the sink that writes into it.

    Raises DataError where the log that is there cannot be continued, UnavailableError where it cannot be written, and
    ConfigError where a key or a pattern is wrong.
    """
    files = ContentFiles(directory)
    bodies = bodies_of(config.audit, files)
    log = ReplayLog(stack.enter_context(open_log(directory, config, None)), files)
    stack.callback(log.leave)
    return log, AuditSink(log, bodies, config.audit.record_bytes)


class ReplayLog:
    """Where the sink submits its records. Content is written before the records that refer to it."""

    def __init__(self, log: AuditLog, files: ContentFiles) -> None:
        """Write into `log`, and what its records refer to into `files`."""
        self._log = log
        self._files = files

    def submit(self, fact: bytes | Pending) -> None:
        """Add one record. Raises UnavailableError where the disk does not take it."""
        try:  # a context manager would take 1 us a record
            self._log.append(fact if isinstance(fact, bytes) else fact.entry())
            if self._log.unflushed_bytes >= FLUSH_BYTES:
                self._files.flush()
                self._log.flush()
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Flush all to the disk, and end the log in order. Raises UnavailableError as `submit` does."""
        try:
            self._files.flush()
            self._log.close(None)
        except OSError as error:
            raise self._failed(error) from error

    def leave(self) -> None:
        """Keep what was written when the replay fails, but no record whose content could not be written."""
        try:
            self._files.flush()
        except OSError:
            self._log.release()

    def _failed(self, error: OSError) -> UnavailableError:
        """Give up what could not be written, and return what to raise."""
        self._log.release()
        return UnavailableError(f"cannot write the audit log in {self._log.directory}: {error.strerror}")
