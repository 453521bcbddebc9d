"""The operational log: structlog and the standard library's logging write one form to standard error.

That form is JSON lines, or lines with colours for people. The operational log is about the daemon, never about
conversations: content and identifiers of people belong to the audit log alone. Of an error in our own code it has the
types and the places in the code, not the message, because messages may hold content.

Lines are rendered where they are logged, and written by a thread (`log_writer`). Two members of an event are for that
thread, and stand in no line: `important=True` makes a line one of the last to be dropped, and `again=True` has it said
later where it was dropped all the same.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Any, Final, Literal, Protocol, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from steno.app.log_capture import LibraryHandler, RateLimit, line_of
from steno.app.log_queue import LogLine

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}

Format = Literal["auto", "json", "console"]
Level = Literal["debug", "info", "warning", "error"]

_TRANSFORM: Final = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_MESSAGES: Final = frozenset({"exc_value", "exc_notes", "syntax_error"})
"""Members with the message of an error. The text that is not a number, or the key that is missing, may be content."""


class LogOutput(Protocol):
    """What takes rendered lines: a `log_writer.LogWriter`."""

    @property
    def terminal(self) -> bool:
        """Whether people look at it."""

    def submit(self, line: LogLine) -> None:
        """Take a line. Never waits."""


class OperationalLog:
    """The log of this process: what is logged anywhere in it goes to one output."""

    def __init__(self, output: LogOutput, level: Level = "info", form: Format = "auto") -> None:
        """Log nothing before `install`."""
        self._output = output
        self._limit = RateLimit()
        self._stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")
        self.configure(level, form)

    def configure(self, level: Level, form: Format) -> None:
        """Set the least severe level that is written, and the form. Loggers that exist already follow.

        Args:
            level: the least severe line that is written.
            form: `json`, `console`, or `auto`: `console` where the output is a terminal, else `json`.
        """
        terminal = self._output.terminal
        self._level = LEVELS[level]
        self._renderers = _renderers(console=form == "console" or (form == "auto" and terminal), colours=terminal)

    def install(self) -> None:
        """Take what this process logs, its libraries included. At debug level websockets would log every header."""
        logger = _LineLogger(self._output.submit)
        structlog.configure(
            processors=[self._above_level, structlog.stdlib.add_log_level, self._stamp, self._marked],
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
            logger_factory=lambda *_: logger,
            cache_logger_on_first_use=False,
        )
        handler = LibraryHandler(self._output.submit, self._limit)
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[
                    structlog.stdlib.add_log_level,
                    self._stamp,
                    structlog.stdlib.add_logger_name,
                    _first_line,
                ],
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, self._rendered],
            )
        )
        root = logging.getLogger()
        root.handlers = [handler]
        root.setLevel(logging.WARNING)

    @property
    def left_out(self) -> int:
        """Lines of libraries that were left out."""
        return self._limit.left_out

    def tick(self) -> None:
        """Say what was left out of libraries that said too much. Called every second or so."""
        for name, lines in self._limit.ended(monotonic()).items():
            self._output.submit(self.line("warning", "a library logs too much", logger=name, lines_left_out=lines))

    def line(self, level: Level, event: str, **members: Any) -> LogLine:
        """Return a line of the log's own, whatever the level."""
        stamped = self._stamp(None, level, {"event": event, "level": level, **members})
        return line_of(self._rendered(None, level, stamped), level)

    # Processors of structlog ----------------------------------------------------------------------------

    def _above_level(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if LEVELS[method] < self._level:
            raise structlog.DropEvent
        return event

    def _marked(self, logger: WrappedLogger, method: str, event: EventDict) -> tuple[tuple[str], Mapping[str, bool]]:
        """Render an event, and take out what is meant for the writer."""
        marks = {mark: bool(event.pop(mark)) for mark in ("important", "again") if mark in event}
        return (self._rendered(logger, method, event),), marks

    def _rendered(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        done: Any = event
        for renderer in self._renderers:
            done = renderer(logger, method, done)
        return str(done)


class _LineLogger:
    """What structlog hands rendered lines to, by the name of their level."""

    def __init__(self, submit: Callable[[LogLine], None]) -> None:
        self._submit = submit

    def __getattr__(self, level: str) -> Callable[..., None]:
        if level not in LEVELS:
            raise AttributeError(level)
        return lambda text, **marks: self._submit(line_of(text, level, **marks))


def _renderers(*, console: bool, colours: bool) -> Sequence[Processor]:
    if console:
        return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=_print_trace)]
    return [
        structlog.processors.ExceptionRenderer(_stacks),
        _order_members,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _first_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep the first line of what a library logs: asyncio adds the values that a task held."""
    return {**event, "event": str(event["event"]).partition("\n")[0]}


def trace(error: BaseException) -> str:
    """Return the types and the stacks of `error` and of its causes as text, without messages and variables."""
    lines = _lines(_stacks((type(error), error, error.__traceback__)))
    return "\n".join(("Traceback, innermost call first, without messages:", *lines, ""))


def _print_trace(stream: TextIO, exc_info: ExcInfo) -> None:
    stream.write(f"\n{trace(exc_info[1])}")


def _stacks(exc_info: ExcInfo) -> list[dict[str, Any]]:
    return _without_messages(_TRANSFORM(exc_info))


def _without_messages(stacks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in stack.items() if name not in _MESSAGES}
        | {"exceptions": [_without_messages(inner) for inner in stack.get("exceptions", ())]}
        for stack in stacks
    ]


def _lines(stacks: list[dict[str, Any]], indent: str = "") -> Iterator[str]:
    for stack in stacks:
        yield f"{indent}{stack['exc_type']}"
        for frame in reversed(stack["frames"]):
            yield f'{indent}  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}'
        for inner in stack["exceptions"]:
            yield from _lines(inner, indent + "    ")


def _order_members(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put time, level and event first: readers look for them first."""
    first = {name: event.pop(name) for name in ("at", "level", "event") if name in event}
    return {**first, **event}


def _json(value: Any, **_: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
