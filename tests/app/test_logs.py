"""The operational log: lines for machines, a form for people, and no content or secret in either."""

import json
import logging
import math
from collections.abc import Iterator

import pytest
import structlog

from steno.app import logs
from steno.app.log_capture import RateLimit
from steno.app.log_queue import IMPORTANT, ORDINARY, WARNING, LogLine


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """Leave the logging of the process as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


class Collected:
    """Takes lines in place of the thread that writes them."""

    def __init__(self, *, terminal: bool = False) -> None:
        self.terminal = terminal
        self.lines: list[LogLine] = []

    def submit(self, line: LogLine) -> None:
        self.lines.append(line)

    def text(self) -> str:
        return b"".join(line.data for line in self.lines).decode()


def installed(level: logs.Level, form: logs.Format, *, terminal: bool = False) -> Collected:
    output = Collected(terminal=terminal)
    logs.OperationalLog(output, level, form).install()
    return output


def logged(form: logs.Format, level: logs.Level = "info", *, terminal: bool = False) -> str:
    output = installed(level, form, terminal=terminal)
    log = structlog.get_logger()
    log.debug("unimportant")
    log.warning("cannot connect", source="relay", retry_seconds=0.5)
    return output.text()


@pytest.mark.parametrize("form", ["json", "auto"])
def test_lines_for_machines(form: logs.Format) -> None:
    """One JSON object a line: time, level and event first."""
    line = logged(form)

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
    text = logged("auto", terminal=True)

    assert "cannot connect" in text
    assert not text.startswith("{")


def test_no_colours_in_a_file() -> None:
    """The console form holds no control characters where it is not written to a terminal."""
    assert "\x1b" not in logged("console")


def test_level() -> None:
    """A line that is less severe than the level is not written."""
    assert "unimportant" not in logged("json")
    assert "unimportant" in logged("json", "debug")


def test_libraries_log_in_the_same_form_and_warnings_alone() -> None:
    """A library's warning is a line like ours; what websockets logs at debug level, with headers, is not written."""
    output = installed("debug", "json")

    logging.getLogger("websockets.client").debug("> Authorization: Bearer canary")
    logging.getLogger("websockets.client").warning("something %s", "odd")

    (line,) = output.text().splitlines()
    decoded = json.loads(line)
    assert (decoded["level"], decoded["event"], decoded["logger"]) == ("warning", "something odd", "websockets.client")


@pytest.mark.parametrize("form", ["json", "console"])
def test_tracebacks_show_no_values(form: logs.Format) -> None:
    """The place is logged; the variables are not, because they may hold content."""
    output = installed("info", form)

    text = "canary " * 2
    try:
        _ = [0][len(text)]
    except IndexError:
        structlog.get_logger().exception("internal error")

    assert "IndexError" in output.text()
    assert "canary canary" not in output.text()


@pytest.mark.parametrize("form", ["json", "console"])
def test_messages_of_errors_are_left_out(form: logs.Format) -> None:
    """Of an error, its causes and those in its group, the types and the places are logged, and nothing else."""
    output = installed("info", form)

    try:
        try:
            int("canary")
        except ValueError as error:
            error.add_note("canary")
            raise ExceptionGroup("canary", [KeyError("canary")]) from error
    except ExceptionGroup:
        structlog.get_logger().exception("internal error")

    assert [kind in output.text() for kind in ("ExceptionGroup", "KeyError", "ValueError")] == [True] * 3
    assert "test_logs.py" in output.text()
    assert "canary" not in output.text()


@pytest.mark.parametrize("form", ["json", "console"])
def test_values_that_a_task_held_are_left_out(form: logs.Format) -> None:
    """The library logs a task behind its sentence, and with it the error and its message."""
    output = installed("info", form)

    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=E('canary')>")

    assert "Task exception was never retrieved" in output.text()
    assert "canary" not in output.text()


def test_a_logger_that_exists_follows_the_level() -> None:
    """A source keeps its logger, with its name in it, for as long as it lives."""
    output = Collected()
    log = logs.OperationalLog(output, "error", "json")
    log.install()
    source = structlog.get_logger().bind(source="relay")

    source.info("before")
    log.configure("info", "json")
    source.info("after")

    assert [json.loads(line.data)["event"] for line in output.lines] == ["after"]


def test_marks_are_for_the_writer_and_in_no_line() -> None:
    """A gap is as important as an error; a head of the audit log is said again as well."""
    output = installed("info", "json")
    log = structlog.get_logger()

    log.info("connected")
    log.warning("cannot connect")
    log.warning("stream ended", important=True)
    log.error("broken")
    log.info("audit checkpoint", head="1:00", again=True)

    assert [(line.level, line.importance, line.again) for line in output.lines] == [
        ("info", ORDINARY, False),
        ("warning", WARNING, False),
        ("warning", IMPORTANT, False),
        ("error", IMPORTANT, False),
        ("info", IMPORTANT, True),
    ]
    assert list(json.loads(output.lines[-1].data)) == ["at", "level", "event", "head"]


def test_a_text_that_no_encoding_has_is_a_line() -> None:
    """Half a pair of surrogates, which JSON may hold, is written as its number."""
    output = installed("info", "console")

    structlog.get_logger().info("odd", name="\ud800")

    assert "ud800" in output.text()


def test_what_a_library_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that names the logger and the number follows when its time is over."""
    output = Collected()
    log = logs.OperationalLog(output, "info", "json")
    log._limit = RateLimit(lines=1)
    log.install()

    for _ in range(3):
        logging.getLogger("websockets.server").error("opening handshake failed")
    monkeypatch.setattr(logs, "monotonic", lambda: math.inf)
    log.tick()

    said = [{**json.loads(line.data), "at": None} for line in output.lines]
    assert said[-1] == {
        "at": None,
        "level": "warning",
        "event": "a library logs too much",
        "logger": "websockets.server",
        "lines_left_out": 2,
    }
    assert (len(said), log.left_out) == (2, 2)


def test_there_is_no_other_level() -> None:
    """A misspelled one is a mistake of ours, and is found at once."""
    logger = logs._LineLogger(lambda _: None)

    with pytest.raises(AttributeError):
        _ = logger.informal
