"""The operational log: sets up structlog and the standard library's logging to write one form to standard error.

That form is JSON lines, or lines with colours for people. The operational log is about the daemon, never about
conversations: content and identifiers of people belong to the audit log alone. Of an error in our own code it has the
types and the places in the code, not the message, because messages may hold content.
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

_TRANSFORM: Final = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_MESSAGES: Final = frozenset({"exc_value", "exc_notes", "syntax_error"})
"""Members with the message of an error. The text that is not a number, or the key that is missing, may be content."""


def configure(level: Level, form: Format, stream: TextIO | None = None) -> None:
    """Set up the operational log of this process, with what libraries log. It may be called again.

    Args:
        level: the least severe line that is written.
        form: `json`, `console`, or `auto`: `console` where `stream` is a terminal, else `json`.
        stream: where lines are written; standard error where it is not given.
    """
    stream = stream or sys.stderr
    console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[*shared, *_renderers(stream, console=console)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(stream, [*shared, structlog.stdlib.add_logger_name, _first_line], console=console)


def _configure_libraries(stream: TextIO, shared: list[Processor], *, console: bool) -> None:
    """Write the warnings of libraries in our form. At debug level websockets would print every header."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(stream, console=console),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


def _renderers(stream: TextIO, *, console: bool) -> list[Processor]:
    if console:
        return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=_print_trace)]
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
