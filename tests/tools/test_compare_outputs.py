"""What two revisions wrote, byte for byte: which files differ, where, and how that is reported."""

import shutil
from pathlib import Path

import pytest

from tools import compare_outputs, revisions
from tools.compare_outputs import CONFIGURATIONS, TOGETHER, Comparison, Difference, Job

RUN = {"state": b"one\ntwo\n", "audit/audit-1.jsonl": b"{}\n", "exit": b"0\n", "stderr": b""}


def found(new: dict[str, bytes], base: dict[str, bytes] = RUN) -> list[Difference]:
    return list(compare_outputs.differences(base, new))


def test_equal_files_do_not_differ() -> None:
    """Nothing is reported of them."""
    assert found(dict(RUN)) == []


def test_the_first_line_that_differs_is_shown() -> None:
    """With its number, from 1 on."""
    assert found({**RUN, "state": b"one\ntow\n"}) == [Difference("state", 2, "two", "tow")]


def test_a_file_that_ends_early_or_late_differs() -> None:
    """A missing newline is a difference as well."""
    assert found({**RUN, "state": b"one\n"}) == [Difference("state", 2, "two", "end of file")]
    assert found({**RUN, "state": b"one\ntwo\nthree\n"}) == [Difference("state", 3, "end of file", "three")]
    assert found({**RUN, "state": b"one\ntwo"}) == [Difference("state", 2, "two", "two")]


def test_a_file_of_one_side_alone_differs() -> None:
    """A segment more or less, for instance."""
    more = {**RUN, "audit/audit-2.jsonl": b"{}\n"}

    assert found(more) == [Difference("audit/audit-2.jsonl", 0, "no such file", "3 bytes")]
    assert found(RUN, more) == [Difference("audit/audit-2.jsonl", 0, "3 bytes", "no such file")]


def test_a_run_that_fails_on_both_sides_is_no_equality() -> None:
    """It wrote nothing that could have differed."""
    failed = {"exit": b"78\n", "stderr": b"first\nlast\n"}

    assert found(failed, failed) == [Difference("exit", 0, "exit code 78: last", "exit code 78: last")]


def test_a_long_line_is_shown_around_its_first_difference() -> None:
    """What is before and after is left out, and that is shown."""
    base, new = (b"x" * 1000 + word + b"y" * 1000 for word in (b"base", b"new!"))

    (difference,) = found({**RUN, "state": new}, {**RUN, "state": base})

    assert difference.base == "…" + "x" * 40 + "base" + "y" * 76 + "…"
    assert difference.new == "…" + "x" * 40 + "new!" + "y" * 76 + "…"


def test_each_recording_is_replayed_alone_and_all_together() -> None:
    """Under each configuration, with outputs of the same names."""
    configured = {"plain": Path("/c/0.toml"), "full": Path("/c/1.toml")}
    recordings = [Path("/r/a/recording.jsonl"), Path("/r/b/recording.jsonl")]

    todo = compare_outputs.jobs(configured, recordings)

    assert [(job.configuration, job.recording) for job in todo] == [
        (configuration, recording)
        for configuration in ("plain", "full")
        for recording in ("a/recording.jsonl", "b/recording.jsonl", TOGETHER)
    ]
    outputs = ("--state", "state", "--metrics", "metrics", "--audit", "audit")
    assert todo[2].arguments == ("replay", "-c", "/c/0.toml", *outputs, *map(str, recordings))


def test_without_its_libraries_redaction_is_left_out() -> None:
    """Everything else is compared."""
    assert compare_outputs.configurations(redaction=True) == CONFIGURATIONS
    assert set(CONFIGURATIONS) - set(compare_outputs.configurations(redaction=False)) == {"redacted"}


def test_the_report_has_an_example_of_each_output_under_each_configuration() -> None:
    """And the counts of all."""
    first, second = Job("plain", "a", ("a",)), Job("plain", "b", ("b",))
    state, audit = Difference("state", 2, "x", "y"), Difference("audit/audit-1.jsonl", 0, "3 bytes", "no such file")
    result = Comparison(files=6, size=12_345, found=[(first, state), (second, state), (second, audit)])

    assert list(compare_outputs.report(result)) == [
        "compared        6 files, 12,345 bytes",
        "differences     3 files (2 state, 1 audit) of 2 runs",
        "The first of each output under each configuration:",
        "  plain: a: state, line 2",
        "    base  x",
        "    new   y",
        "  plain: b: audit/audit-1.jsonl",
        "    base  3 bytes",
        "    new   no such file",
    ]
    assert list(compare_outputs.report(Comparison(files=6, size=12_345)))[1:] == [
        "differences     none: every byte is the same"
    ]


@pytest.fixture
def configured(tmp_path: Path) -> dict[str, Path]:
    """Every configuration as a file."""
    paths = {name: tmp_path / f"{number}.toml" for number, name in enumerate(CONFIGURATIONS)}
    for name, path in paths.items():
        path.write_text(CONFIGURATIONS[name])
    return paths


def test_a_version_that_differs_is_found_in_the_audit_log_alone(tmp_path: Path, configured: dict[str, Path]) -> None:
    """Both sides are run for it, under every configuration; nothing else of their outputs differs."""
    other = tmp_path / "other"
    shutil.copytree(revisions.ROOT / "src", other / "src", ignore=shutil.ignore_patterns("__pycache__"))
    package = other / "src/steno/__init__.py"
    package.write_text(f'{package.read_text()}\n__version__ = "9.9.9"\n')
    todo = compare_outputs.jobs(configured, revisions.golden(revisions.ROOT)[:1])

    written = compare_outputs.run_both([revisions.ROOT, other], todo, tmp_path)

    result = compare_outputs.compare(written, todo)
    assert [(job.configuration, difference.output, difference.line) for job, difference in result.found] == [
        (configuration, "audit", 1) for configuration in CONFIGURATIONS
    ]
    assert ['"version":"9.9.9"' in difference.new for _, difference in result.found] == [True] * len(CONFIGURATIONS)
    assert result.files == len(CONFIGURATIONS) * len(
        ("state", "metrics", "segment", "lock", "stdout", "stderr", "exit")
    )


def test_the_same_code_writes_the_same_bytes(tmp_path: Path, configured: dict[str, Path]) -> None:
    """Two processes, no difference."""
    todo = compare_outputs.jobs(configured, revisions.golden(revisions.ROOT)[:2])

    result = compare_outputs.compare(compare_outputs.run_both([revisions.ROOT] * 2, todo, tmp_path), todo)

    assert result.found == []
    assert result.size > 0
