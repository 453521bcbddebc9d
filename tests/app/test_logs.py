"""The operational log: lines for machines, a form for people, and no content or secret in either."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from steno.app import logs


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """Leave the logging of the process as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def logged(form: logs.Format, stream: io.StringIO, level: logs.Level = "info") -> str:
    logs.configure(level, form, stream)
    log = structlog.get_logger()
    log.debug("unimportant")
    log.warning("cannot connect", source="relay", retry_seconds=0.5)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["json", "auto"])
def test_lines_for_machines(form: logs.Format) -> None:
    """One JSON object a line: time, level and event first."""
    line = logged(form, io.StringIO())

    decoded = json.loads(line)
    assert list(decoded) == ["at", "level", "event", "source", "retry_seconds"]
    assert {**decoded, "at": None} == {
        "at": None,
        "level": "warning",
        "event": "cannot connect",
        "source": "relay",
        "retry_seconds": 0.5,
    }


def test_form_for_people_on_a_terminal() -> None:
    """On a terminal, `auto` is the form for people."""
    text = logged("auto", Terminal())

    assert "cannot connect" in text
    assert not text.startswith("{")


def test_no_colours_in_a_file() -> None:
    """The console form holds no control characters where it is not written to a terminal."""
    assert "\x1b" not in logged("console", io.StringIO())


def test_level() -> None:
    """A line that is less severe than the level is not written."""
    assert "unimportant" not in logged("json", io.StringIO())
    assert "unimportant" in logged("json", io.StringIO(), "debug")


def test_libraries_log_in_the_same_form_and_warnings_alone() -> None:
    """A library's warning is a line like ours; what websockets logs at debug level, with headers, is not written."""
    stream = io.StringIO()
    logs.configure("debug", "json", stream)

    logging.getLogger("websockets.client").debug("> Authorization: Bearer canary")
    logging.getLogger("websockets.client").warning("something %s", "odd")

    (line,) = stream.getvalue().splitlines()
    decoded = json.loads(line)
    assert (decoded["level"], decoded["event"], decoded["logger"]) == ("warning", "something odd", "websockets.client")


@pytest.mark.parametrize("form", ["json", "console"])
def test_tracebacks_show_no_values(form: logs.Format) -> None:
    """The place is logged; the variables are not, because they may hold content."""
    stream = io.StringIO()
    logs.configure("info", form, stream)

    text = "canary " * 2
    try:
        _ = [0][len(text)]
    except IndexError:
        structlog.get_logger().exception("internal error")

    assert "IndexError" in stream.getvalue()
    assert "canary canary" not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_messages_of_errors_are_left_out(form: logs.Format) -> None:
    """Of an error, its causes and those in its group, the types and the places are logged, and nothing else."""
    stream = io.StringIO()
    logs.configure("info", form, stream)

    try:
        try:
            int("canary")
        except ValueError as error:
            error.add_note("canary")
            raise ExceptionGroup("canary", [KeyError("canary")]) from error
    except ExceptionGroup:
        structlog.get_logger().exception("internal error")

    assert [kind in stream.getvalue() for kind in ("ExceptionGroup", "KeyError", "ValueError")] == [True] * 3
    assert "test_logs.py" in stream.getvalue()
    assert "canary" not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_values_that_a_task_held_are_left_out(form: logs.Format) -> None:
    """The library logs a task behind its sentence, and with it the error and its message."""
    stream = io.StringIO()
    logs.configure("info", form, stream)

    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=E('canary')>")

    assert "Task exception was never retrieved" in stream.getvalue()
    assert "canary" not in stream.getvalue()
