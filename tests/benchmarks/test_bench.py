"""The table of all figures: what it says of each, and that a subject which fails stops no other."""

import sys

import msgspec

from benchmarks import bench
from benchmarks.bench import Subject
from benchmarks.figures import Figure

KEPT = Figure("replay", "json.loads", (1.1, 1.3, 1.15), 1.2, note="20.1 us / 17.5 us")
MISSED = Figure("events a second", "the SDK", (5.0, 6.4), 6.5, least=True)


def program(*lines: str) -> list[str]:
    return [sys.executable, "-c", "\n".join(lines)]


def test_a_row_says_the_median_the_spread_and_what_became_of_the_bound() -> None:
    """A figure with many digits is whole; what was skipped says why."""
    figures = (
        KEPT,
        MISSED,
        Figure("memory", "-", (48_123.4,), None, "KiB"),
        Figure("live", "a|b", (), 2.0, note="skipped: it is not there"),
    )

    assert list(bench.table([Subject("a", figures), Subject("b", (), "ValueError: no | such\nthing")]))[2:] == [
        "| replay | json.loads | 1.15 | 1.1 - 1.3 | <= 1.2 | holds | 20.1 us / 17.5 us |",
        "| events a second | the SDK | 5.7 | 5 - 6.4 | >= 6.5 | **missed** |  |",
        "| memory | - | 48,123 KiB | 48,123 - 48,123 |  |  |  |",
        "| live | a\\|b |  |  | <= 2 | skipped | skipped: it is not there |",
        "| b | | | | | **failed** | ValueError: no \\| such thing |",
    ]


def test_figures_go_from_a_process_to_the_table() -> None:
    """Each is said as it comes; what else is printed is no figure."""
    heard: list[str] = []
    line = msgspec.json.encode(KEPT).decode()

    subject = bench.measured("a", program(f"print('a library says hello')\nprint({line!r})"), 60, heard.append)

    assert subject == Subject("a", (KEPT,))
    assert heard == [KEPT.line()]


def test_a_subject_that_fails_keeps_what_it_found() -> None:
    """The last line of its errors says why; without one, its exit code."""
    line = msgspec.json.encode(KEPT).decode()

    raised = bench.measured("a", program(f"print({line!r}, flush=True)", "raise ValueError('no such thing')"), 60)
    ended = bench.measured("b", program("raise SystemExit(3)"), 60)

    assert raised == Subject("a", (KEPT,), "ValueError: no such thing")
    assert ended == Subject("b", (), "exit code 3")


def test_a_subject_that_hangs_is_ended_with_what_it_started() -> None:
    """After the time that it has."""
    hangs = program("import subprocess, sys", "subprocess.run([sys.executable, '-c', 'input()'], stdin=0)", "input()")

    assert bench.measured("a", hangs, 0.0) == Subject("a", (), "took longer than 0 s")


def test_the_page_names_the_machine_and_the_revision() -> None:
    """Without them the figures say nothing."""
    page = bench.report([Subject("a", (KEPT,))], full=False)

    assert page.startswith("# Results\n\nWritten by `make bench`.")
    assert all(word in page for word in (" cores, ", "Python 3.", "websockets 1", "\n- revision ", "| replay |"))


def test_every_program_is_a_subject() -> None:
    """`rows/` is the list."""
    assert "throughput" in bench.names()
    assert "__init__" not in bench.names()


def test_a_figure_that_was_skipped_neither_holds_nor_misses() -> None:
    """It has no median to judge."""
    skipped = Figure("live", "the SDK", (), 6.5, note="skipped: it is not there")

    assert skipped.holds is None
    assert skipped.line() == "live / the SDK: skipped: it is not there"
    assert (KEPT.holds, MISSED.holds) == (True, False)
