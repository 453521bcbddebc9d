"""The operational log: structlog, JSON lines or a form for people, on standard error.

It tells of the daemon, never of conversations: words and identifiers of people belong to the audit log. Of an error
of our own it tells the type and the places, not the message, which may hold words.
"""

import logging
import sys
from collections.abc import Iterator
from typing import Any, Final, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

Format = Literal["auto", "json", "console"]
Level = Literal["debug", "info", "warning", "error"]

_TRACE: Final = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_MESSAGES: Final = frozenset({"exc_value", "exc_notes", "syntax_error"})
"""What an error says of itself: a number that is none, or a key that is missing, may be somebody's words."""


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
    _configure_libraries(stream, [*shared, structlog.stdlib.add_logger_name, _first_line], people=people)


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
        return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=_print)]
    return [
        structlog.processors.ExceptionRenderer(_stacks),
        _in_order,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _first_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave out what a library adds to its sentence: asyncio shows what a task held."""
    return {**event, "event": str(event["event"]).partition("\n")[0]}


def trace(error: BaseException) -> str:
    """Return where `error` and its causes come from, for people: no message, no variable."""
    lines = _lines(_stacks((type(error), error, error.__traceback__)))
    return "\n".join(("Traceback, the innermost call first, without words:", *lines, ""))


def _print(stream: TextIO, exc_info: ExcInfo) -> None:
    stream.write(f"\n{trace(exc_info[1])}")


def _stacks(exc_info: ExcInfo) -> list[dict[str, Any]]:
    return _without_messages(_TRACE(exc_info))


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


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put what a reader looks for first in front."""
    first = {name: event.pop(name) for name in ("at", "level", "event") if name in event}
    return {**first, **event}


def _json(value: Any, **_: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
