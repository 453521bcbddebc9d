"""Which clients run, and what was compared."""

import os

import pytest

pytest.register_assert_rewrite("tests.clients.plays", "tests.clients.harness")
collect_ignore = [] if os.environ.get("STENO_CLIENTS") == "all" else ["test_all.py", "test_openai.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was equal, so that it can be quoted."""
    passed = terminalreporter.stats.get("passed", [])
    compared = sorted(str(value) for report in passed for name, value in report.user_properties if name == "compared")
    if compared:
        terminalreporter.section("equal at both ends, and known to steno")
        for line in compared:
            terminalreporter.write_line(line)
