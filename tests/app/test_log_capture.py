"""What others print and log, on its way into the operational log: at a bounded rate, in whole lines."""

import logging

from steno.app.log_capture import TEXT_CHARACTERS, LibraryHandler, LineStream, RateLimit, line_of
from steno.app.log_queue import IMPORTANT, ORDINARY, WARNING, LogLine
from steno.limits import LOG_LIBRARY_LOGGERS


def admitted(limit: RateLimit, logger: str, *times: float) -> list[bool]:
    return [limit.admits(logger, now) for now in times]


def test_each_logger_has_its_lines_in_each_time() -> None:
    """Past them its lines are left out, and another logger's are not."""
    limit = RateLimit(lines=2, seconds=10)

    assert admitted(limit, "a", 0, 1, 2, 9) == [True, True, False, False]
    assert admitted(limit, "b", 9) == [True]
    assert limit.left_out == 2


def test_a_time_that_left_nothing_out_ends_by_itself() -> None:
    """A logger that keeps to its rate is never mentioned."""
    limit = RateLimit(lines=2, seconds=10)

    assert admitted(limit, "a", 0, 1, 10, 11, 20) == [True] * 5
    assert limit.ended(100) == {}


def test_what_was_left_out_is_said_once_its_time_is_over() -> None:
    """Until that is said the logger stays silent, so that what is said is the whole number."""
    limit = RateLimit(lines=1, seconds=10)
    admitted(limit, "a", 0, 1, 2)

    early = limit.ended(9)
    late = admitted(limit, "a", 11)
    said = limit.ended(12)

    assert (early, late, said) == ({}, [False], {"a": 3})
    assert (limit.ended(100), admitted(limit, "a", 13)) == ({}, [True])


def test_loggers_without_end_share_one_count() -> None:
    """The names of loggers are no way to fill the memory, or the log."""
    limit = RateLimit(lines=1, seconds=10)

    seen = [limit.admits(f"logger {number}", 0) for number in range(10 * LOG_LIBRARY_LOGGERS)]

    assert sum(seen) == LOG_LIBRARY_LOGGERS + 1
    assert list(limit.ended(10)) == ["other"]


def test_a_line_that_cannot_be_formatted_is_left_out() -> None:
    """Whoever logs it goes on, and it is counted."""
    lines: list[LogLine] = []
    limit = RateLimit()
    handler = LibraryHandler(lines.append, limit)

    handler.handle(logging.LogRecord("a", logging.WARNING, "a.py", 1, "%d", ("no number",), None))
    handler.handle(logging.LogRecord("a", logging.ERROR, "a.py", 1, "%d", (1,), None))

    assert (lines, limit.left_out) == ([LogLine(b"1\n", "error", IMPORTANT)], 1)


def test_importance_of_a_line() -> None:
    """By its level, unless it is marked."""
    assert [line_of("", level).importance for level in ("debug", "info", "warning", "error", "critical")] == [
        ORDINARY,
        ORDINARY,
        WARNING,
        IMPORTANT,
        IMPORTANT,
    ]
    assert line_of("", "info", important=True).importance == IMPORTANT
    assert line_of("", "info", again=True) == LogLine(b"\n", "info", IMPORTANT, again=True)


def test_a_stream_submits_whole_lines() -> None:
    """A traceback is printed in many pieces. What has no end of line follows when it is flushed, or when it is long."""
    lines: list[bytes] = []
    stream = LineStream(lambda line: lines.append(line.data), terminal=True)

    print("one", "line", file=stream)
    stream.write("two\nthr")
    stream.write("ee")
    before = list(lines)
    stream.flush()
    stream.write("x" * (TEXT_CHARACTERS + 1))
    stream.flush()

    assert (before, stream.isatty()) == ([b"one line\n", b"two\n"], True)
    assert lines[2:] == [b"three", b"x" * (TEXT_CHARACTERS + 1)]
