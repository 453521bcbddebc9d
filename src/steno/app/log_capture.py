"""What others would write to standard error: loggers of libraries, warnings, errors of threads, and plain prints.

In a daemon all of it takes the way of the operational log. A write of their own could wait for ever, and its text could
hold content.
"""

import io
import logging
import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

import structlog
from msgspec import Struct

from steno.app.log_queue import IMPORTANT, ORDINARY, WARNING, LogLine
from steno.limits import LOG_LIBRARY_LINES, LOG_LIBRARY_LOGGERS, LOG_LIBRARY_SECONDS

Submit = Callable[[LogLine], None]

IMPORTANCE: Final = {"warning": WARNING, "error": IMPORTANT, "critical": IMPORTANT}
"""How important a line is by its level; all others are `ORDINARY`."""
TEXT_CHARACTERS: Final = 64 * 1024
"""Longest text without an end of line that `LineStream` holds."""


def line_of(text: str, level: str, *, important: bool = False, again: bool = False) -> LogLine:
    """Return `text`, which was rendered at `level`, as a line to write."""
    importance = IMPORTANT if important or again else IMPORTANCE.get(level, ORDINARY)
    return LogLine(f"{text}\n".encode(errors="backslashreplace"), level, importance, again)


# Libraries ------------------------------------------------------------------------------------------------


class _Window(Struct):
    """What one logger has said lately."""

    began: float
    lines: int = 0
    left_out: int = 0


class RateLimit:
    """How much each logger of a library may say: so many lines in a time, by the monotonic clock."""

    def __init__(self, lines: int = LOG_LIBRARY_LINES, seconds: float = LOG_LIBRARY_SECONDS) -> None:
        """Let `lines` of each logger through in `seconds`."""
        self.left_out = 0
        """Lines left out since the start."""
        self._lines = lines
        self._seconds = seconds
        self._windows: dict[str, _Window] = {}

    def admits(self, logger: str, now: float) -> bool:
        """Return whether a line of `logger` may be written; count it either way."""
        if logger not in self._windows and len(self._windows) >= LOG_LIBRARY_LOGGERS:
            logger = "other"
        window = self._windows.setdefault(logger, _Window(now))
        if now >= window.began + self._seconds and not window.left_out:
            window.began, window.lines = now, 0
        window.lines += 1
        if window.lines <= self._lines:
            return True
        window.left_out += 1
        self.left_out += 1
        return False

    def ended(self, now: float) -> dict[str, int]:
        """Return what was left out of each logger whose time is over; it begins anew."""
        over = {
            logger: window
            for logger, window in list(self._windows.items())
            if window.left_out and now >= window.began + self._seconds
        }
        found = {logger: window.left_out for logger, window in over.items()}
        for window in over.values():
            window.began, window.lines, window.left_out = now, 0, 0
        return found


class LibraryHandler(logging.Handler):
    """Hands on what loggers of the standard library's `logging` say, as far as the rate limit admits it."""

    def __init__(self, submit: Submit, limit: RateLimit) -> None:
        """Submit formatted lines to `submit`."""
        super().__init__()
        self._submit = submit
        self._limit = limit

    def emit(self, record: logging.LogRecord) -> None:
        """Submit one line. Never waits, and never raises."""
        if not self._limit.admits(record.name, monotonic()):
            return
        try:
            self._submit(line_of(self.format(record), record.levelname.lower()))
        except Exception:  # noqa: BLE001  # a line that cannot be formatted is dropped: whoever logged must go on
            self._limit.left_out += 1


# What Python itself prints --------------------------------------------------------------------------------


class LineStream(io.TextIOBase):
    """Stands for `sys.stderr` or the output of a console: whole lines are submitted, and nothing ever waits."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, submit: Submit, *, terminal: bool) -> None:
        """Submit lines to `submit`; `terminal` says whether people look at them."""
        self._submit = submit
        self._terminal = terminal
        self._text = ""

    def isatty(self) -> bool:
        """Return whether people look at it."""
        return self._terminal

    def writable(self) -> bool:
        """It can be written."""
        return True

    def write(self, text: str) -> int:
        """Submit the lines that are whole now, and keep the rest."""
        self._text += text
        whole, newline, self._text = self._text.rpartition("\n")
        if newline:
            self._put(whole + newline)
        elif len(self._text) > TEXT_CHARACTERS:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Submit what has no end of line yet: the controls of a terminal, or the last word of a program."""
        rest, self._text = self._text, ""
        if rest:
            self._put(rest)

    def _put(self, text: str) -> None:
        self._submit(LogLine(text.encode(errors=self.errors), "warning", WARNING))


def take_over(submit: Submit, *, terminal: bool) -> None:
    """Let warnings, errors of threads, errors that nobody catches and plain prints take the way of the log."""
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_failed
    sys.unraisablehook = _not_raised
    sys.stderr = LineStream(submit, terminal=terminal)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread else None
    structlog.get_logger().error("internal error: a thread has ended", thread=name, exc_info=failure.exc_value)


def _not_raised(failure: "sys.UnraisableHookArgs") -> None:
    where = getattr(failure.object, "__qualname__", type(failure.object).__name__)
    structlog.get_logger().error("internal error where none can be raised", where=where, exc_info=failure.exc_value)
