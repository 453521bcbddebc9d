"""The operational log: structlog, JSON lines or a form for people, on standard error.

It tells of the daemon, never of conversations: words and identifiers of people belong to the audit log.
"""

import logging
import sys
from typing import Any, Final, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

Format = Literal["auto", "json", "console"]
Level = Literal["debug", "info", "warning", "error"]


def configure(level: Level, form: Format, stream: TextIO | None = None) -> None:
    """Set up the operational log of this process, that of the libraries included.

    Args:
        level: the least severe line that is written.
        form: `json`, `console`, or `auto`: `console` when `stream` is a terminal.
        stream: where to; standard error when not given.
    """
    stream = stream or sys.stderr
    people = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[*shared, *_rendering(stream, people=people)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(stream, [*shared, structlog.stdlib.add_logger_name], people=people)


def _configure_libraries(stream: TextIO, shared: list[Processor], *, people: bool) -> None:
    """Let libraries' warnings through, in our form. At debug level websockets would print every header."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(stream, people=people),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


def _rendering(stream: TextIO, *, people: bool) -> list[Processor]:
    if people:
        plain = structlog.dev.plain_traceback  # a rich one would show local variables, and so words
        return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(tracebacks),
        _in_order,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put what a reader looks for first in front."""
    first = {name: event.pop(name) for name in ("at", "level", "event") if name in event}
    return {**first, **event}


def _json(value: Any, **_: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
