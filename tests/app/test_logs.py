"""The operational log: lines for machines, a form for people, and no secrets in either."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from steno.app import logs


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
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

    told = json.loads(line)
    assert list(told) == ["at", "level", "event", "source", "retry_seconds"]
    assert {**told, "at": None} == {
        "at": None,
        "level": "warning",
        "event": "cannot connect",
        "source": "relay",
        "retry_seconds": 0.5,
    }


def test_form_for_people_on_a_terminal() -> None:
    """On a terminal, people read it."""
    text = logged("auto", Terminal())

    assert "cannot connect" in text
    assert not text.startswith("{")


def test_no_colours_where_nobody_sees_them() -> None:
    """A file that is asked to hold the console form holds no control characters."""
    assert "\x1b" not in logged("console", io.StringIO())


def test_level() -> None:
    """What is less severe than the level is not written."""
    assert "unimportant" not in logged("json", io.StringIO())
    assert "unimportant" in logged("json", io.StringIO(), "debug")


def test_libraries_speak_in_the_same_form_and_only_of_what_matters() -> None:
    """A library's warning is a line like ours; what websockets says at debug level, headers included, is not."""
    stream = io.StringIO()
    logs.configure("debug", "json", stream)

    logging.getLogger("websockets.client").debug("> Authorization: Bearer canary")
    logging.getLogger("websockets.client").warning("something %s", "odd")

    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["level"], told["event"], told["logger"]) == ("warning", "something odd", "websockets.client")


@pytest.mark.parametrize("form", ["json", "console"])
def test_tracebacks_show_no_values(form: logs.Format) -> None:
    """Where it went wrong is told; what was in the variables may be somebody's words."""
    stream = io.StringIO()
    logs.configure("info", form, stream)

    words = "canary " * 2
    try:
        _ = [0][len(words)]
    except IndexError:
        structlog.get_logger().exception("internal error")

    assert "IndexError" in stream.getvalue()
    assert "canary canary" not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_error_does_not_repeat_words(form: logs.Format) -> None:
    """Neither it, nor its causes, nor those in its group say more than what they are, and where."""
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
def test_a_library_does_not_repeat_what_a_task_held(form: logs.Format) -> None:
    """A task is shown behind the sentence of asyncio, and with it the error and what it says."""
    stream = io.StringIO()
    logs.configure("info", form, stream)

    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=E('canary')>")

    assert "Task exception was never retrieved" in stream.getvalue()
    assert "canary" not in stream.getvalue()
