"""The operational log of a daemon on standard error, from its first line to the end of the process.

It puts together what renders lines (`logs`), what others would print (`log_capture`), and the thread that writes them
(`log_writer`).
"""

import atexit
import faulthandler
from collections.abc import Mapping
from time import monotonic
from typing import Final

from steno.app.log_capture import take_over
from steno.app.log_queue import LogLine
from steno.app.log_writer import LogWriter
from steno.app.logs import Format, Level, OperationalLog
from steno.output_errors import OutputErrors

STANDARD_ERROR: Final = 2
LEAVE_SECONDS: Final = 1.0
"""How long a process that ends waits for its log to be written. A reader that has stopped must not hold it up."""


class DaemonLog:
    """The operational log of a daemon on standard error, from its first line to the end of the process."""

    def __init__(self, level: Level = "info", form: Format = "auto") -> None:
        """Write from now on what this process logs, and what it would print to standard error."""
        self.errors: Final = OutputErrors()
        """Failures of the outputs that the daemon goes on without, the log's own among them."""
        self._writer = LogWriter(STANDARD_ERROR, dropped=self._dropped, failed=self._failed)
        self._log = OperationalLog(self._writer, level, form)
        self._log.install()
        self.configure = self._log.configure
        self.tick = self._log.tick
        self._leave_by: float | None = None
        take_over(self._writer.submit, terminal=self._writer.terminal)
        self._writer.start()
        # A crash, and the SIGABRT of a service manager that saw no sign of life, end with the stacks of all threads:
        # files, lines and functions, no values.
        faulthandler.enable(STANDARD_ERROR)
        atexit.register(self._leave)

    def end_by(self, moment: float) -> None:
        """Have the log end by `moment`, of `time.monotonic`, where its reader takes nothing."""
        self._leave_by = moment

    def numbers(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Return the process metric: name to labels to value."""
        return {"steno_log_lines_dropped_total": {(): self._writer.queue.dropped + self._log.left_out}}

    def _failed(self, error: OSError) -> str:
        return self.errors.count("log", error)

    def _dropped(self, counts: Mapping[str, int], reason: str | None) -> LogLine:
        return self._log.line("warning", "lines of this log were dropped", **counts, reason=reason)

    def _leave(self) -> None:
        left = LEAVE_SECONDS if self._leave_by is None else self._leave_by - monotonic()
        self._writer.close(max(0.0, min(left, LEAVE_SECONDS)))
