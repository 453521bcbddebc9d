"""Lines of files that grow: rotation, truncation, long lines, pipes."""

import fcntl
import os
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.regular_files import NotRegularError
from steno.sources import growing_file
from steno.sources.growing_file import (
    TOO_LONG,
    Ended,
    GrowingFile,
    Input,
    Lines,
    Pipe,
    Truncated,
    open_input,
    reason_of,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no pipe."""
    monkeypatch.setattr(growing_file, "LOOK_SECONDS", 0)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def read_all(source: Input) -> list[bytes]:
    """Read until nothing more comes."""
    lines: list[bytes] = []
    while (more := source.read()) is not None:
        lines += more
    return lines


@given(st.binary(max_size=80).map(lambda data: data.replace(b"\r", b"\n")), st.integers(1, 9), st.integers(2, 12))
def test_lines_do_not_depend_on_how_they_are_read(data: bytes, step: int, longest: int) -> None:
    lines, once = Lines(longest), Lines(longest)

    parts = [line for at in range(0, len(data), step) for line in lines.add(data[at : at + step])]

    assert parts + lines.end() == once.add(data) + once.end()
    whole = [line.lstrip(b"\0") for line in data.split(b"\n")]
    expected = [TOO_LONG if len(line) > longest else line.strip() for line in whole]
    blank = [len(line) <= longest and not line.strip() for line in whole]
    assert parts + Lines(longest).end() == parts
    assert once.add(b"") == []
    assert [line for line, empty in zip(expected, blank, strict=True) if not empty] == _again(data, longest)


def _again(data: bytes, longest: int) -> list[bytes]:
    lines = Lines(longest)
    return lines.add(data) + lines.end()


def test_a_file_is_read_on_from_where_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    append(path, "one\ntwo\nthr")
    source = GrowingFile(path, 100, from_end=False)

    first = read_all(source)
    append(path, "ee\n\nfour\n")
    second = read_all(source)
    source.close()

    assert (first, second) == ([b"one", b"two"], [b"three", b"four"])


def test_what_a_file_holds_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    append(path, "one\n")
    source = GrowingFile(path, 100, from_end=True)
    append(path, "two\n")

    assert read_all(source) == [b"two"]


def test_a_file_that_is_rotated_is_read_to_its_end_first(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    append(path, "one\n")
    source = GrowingFile(path, 100, from_end=False)
    before = read_all(source)
    path.rename(tmp_path / "frames.jsonl.1")
    between = read_all(source)
    append(tmp_path / "frames.jsonl.1", "two\nthree")
    append(path, "four\n")

    after = read_all(source)

    assert (before, between, after) == ([b"one"], [], [b"two", b"three", b"four"])


def test_what_comes_between_a_look_and_the_rotation_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, rotated = tmp_path / "frames.jsonl", tmp_path / "frames.jsonl.1"
    append(path, "one\n")
    source = GrowingFile(path, 100, from_end=False)
    read_all(source)

    def rotate(_: Path) -> int:
        append(rotated, "two\n")
        return real(path)

    real = growing_file._opened
    path.rename(rotated)
    append(path, "three\n")
    monkeypatch.setattr(growing_file, "_opened", rotate)

    first = source.read()
    monkeypatch.setattr(growing_file, "_opened", real)

    assert [*(first or ()), *read_all(source)] == [b"two", b"three"]


def test_a_file_that_is_truncated_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    append(path, "one\ntwo\npar")
    source = GrowingFile(path, 100, from_end=False)
    read_all(source)
    path.write_text("new\n")

    with pytest.raises(Truncated):
        source.read()

    assert read_all(source) == [b"new"]


@pytest.mark.parametrize("held", ["one\n", "one\n" * 1_000])
@pytest.mark.parametrize("from_end", [False, True])
def test_a_file_that_is_truncated_and_longer_again_is_read_from_its_beginning(
    held: str, from_end: bool, tmp_path: Path
) -> None:
    """Nothing says so but that what was read last stands there no more."""
    path = tmp_path / "frames.jsonl"
    append(path, held)
    source = GrowingFile(path, 100, from_end=from_end)
    read_all(source)
    path.write_text("first\n" + "another\n" * 2_000)

    with pytest.raises(Truncated):
        source.read()

    assert read_all(source) == [b"first", *[b"another"] * 2_000]


def test_the_hole_is_left_out_that_a_writer_leaves_which_does_not_append(tmp_path: Path) -> None:
    """It writes on where it was, and the file was truncated: before that are NUL bytes, more than a line may have."""
    path = tmp_path / "frames.jsonl"
    with path.open("w") as writer:
        writer.write("one\n" * 100)
        writer.flush()
        source = GrowingFile(path, 100, from_end=False)
        read_all(source)
        os.truncate(path, 0)
        writer.write("two\n")
    append(path, "three\n")

    with pytest.raises(Truncated):
        source.read()

    assert read_all(source) == [b"two", b"three"]


def test_a_line_in_many_parts_is_read_on_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing_file, "READ_BYTES", 2)
    path = tmp_path / "frames.jsonl"
    append(path, "one-two\n")
    source = GrowingFile(path, 100, from_end=False)

    assert [source.read() for _ in range(5)] == [[], [], [], [b"one-two"], None]


def test_a_pipe_may_have_any_descriptor() -> None:
    """Where a thousand connections are open, it has a high one."""
    reading, writing = os.pipe()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    source = Pipe(fcntl.fcntl(reading, fcntl.F_DUPFD_CLOEXEC, 2_000), 100, owned=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    os.close(reading)
    os.write(writing, b"one\n")

    lines = source.read()
    source.close()
    os.close(writing)

    assert lines == [b"one"]


def test_a_named_pipe_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    os.mkfifo(path)
    source = open_input(str(path), 100, from_end=True)

    nothing = source.read()
    append(path, "one\n")
    first = read_all(source)
    append(path, "two\n")
    second = read_all(source)
    source.close()

    assert (nothing, first, second) == (None, [b"one"], [b"two"])


def test_a_pipe_ends_with_its_writer() -> None:
    reading, writing = os.pipe()
    source = Pipe(reading, 100, owned=True)
    os.write(writing, b"one\ntwo")

    first = source.read()
    os.close(writing)
    last = source.read()
    with pytest.raises(Ended):
        source.read()

    assert (first, last) == ([b"one"], [b"two"])


@pytest.mark.parametrize(("make", "reason"), [(Path.mkdir, "no_file"), (lambda _: None, "missing")])
def test_why_a_file_cannot_be_read(make: object, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "frames"
    make(path)  # type: ignore[operator]  # see the parameters

    with pytest.raises(OSError) as caught:  # noqa: PT011  # its kind is what is looked at
        open_input(str(path), 100, from_end=False)

    assert reason_of(caught.value) == reason


def test_other_reasons() -> None:
    assert reason_of(PermissionError(13, "Permission denied")) == "not_permitted"
    assert reason_of(OSError(5, "Input/output error")) == "unreadable"
    assert reason_of(NotRegularError(Path("/"), "a folder")) == "no_file"
