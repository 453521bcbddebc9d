"""Files are found in order, made with their modes, read from their end, and mended."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from steno.audit.format import GENESIS, link, segment_name
from steno.audit.segments import BLOCK_BYTES, Recovered, Segment, Tail, prepare, recover, segments, tail
from steno.errors import DataError
from tests.audit.plays import said


def chained(count: int, first: int = 1) -> tuple[list[bytes], list[bytes]]:
    """Return `count` linked lines from record `first` on, and their hashes."""
    lines, hashes, head = [], [], GENESIS
    for seq in range(first, first + count):
        line, head = link(seq, said(seq), head)
        lines.append(line)
        hashes.append(head)
    return lines, hashes


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture
def masked() -> Iterator[None]:
    """Let the umask hide everything from others, as a unit file may have it."""
    before = os.umask(0o077)
    yield
    os.umask(before)


# Found ----------------------------------------------------------------------------------------------------


def test_segments_are_listed_in_the_order_of_the_log(tmp_path: Path) -> None:
    names = [segment_name(seq) for seq in (100, 9, 1)]
    for name in [*names, ".lock", "audit-5.jsonl", segment_name(2) + ".gz"]:
        (tmp_path / name).touch()

    assert [path.name for path in segments(tmp_path)] == names[::-1]


def test_tail_of_a_segment(tmp_path: Path) -> None:
    lines, hashes = chained(3)
    path = tmp_path / segment_name(1)
    path.write_bytes(b"".join(lines))

    assert tail(path) == Tail(3, hashes[-1], path.stat().st_size, 0)


def test_tail_of_a_torn_segment_at_every_byte(tmp_path: Path) -> None:
    lines, hashes = chained(3)
    path = tmp_path / segment_name(1)
    whole = len(lines[0] + lines[1])
    for torn in range(len(lines[2])):
        path.write_bytes(lines[0] + lines[1] + lines[2][:torn])

        assert tail(path) == Tail(2, hashes[1], whole, torn)


@pytest.mark.parametrize("content", [b"", b"x", b'{"seq":1,"at'])
def test_tail_of_a_segment_without_a_record(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / segment_name(1)
    path.write_bytes(content)

    assert tail(path) == Tail(0, GENESIS, 0, len(content))


@pytest.mark.parametrize("torn", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES])
def test_tail_is_found_across_blocks(tmp_path: Path, torn: int) -> None:
    lines, hashes = chained(2)
    path = tmp_path / segment_name(1)
    path.write_bytes(b"".join(lines) + b"x" * torn)

    assert tail(path) == Tail(2, hashes[-1], len(b"".join(lines)), torn)


def test_tail_reads_the_end_only(tmp_path: Path) -> None:
    """A hole of a terabyte, which nobody could read in the time that a test has."""
    lines, hashes = chained(2)
    path = tmp_path / segment_name(1)
    with path.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + lines[0] + lines[1])

    assert tail(path).hash == hashes[-1]


@pytest.mark.parametrize("content", [b"\n", b"{}\n", b"not a record\nnor this\n"])
def test_tail_that_is_no_record_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / segment_name(1)
    path.write_bytes(content)

    with pytest.raises(DataError, match="the last line is not a record"):
        tail(path)


# Mended ---------------------------------------------------------------------------------------------------


def test_an_empty_folder_begins_at_the_beginning(tmp_path: Path) -> None:
    assert recover(tmp_path) == Recovered(0, GENESIS, 0)


def test_a_torn_end_is_cut_off(tmp_path: Path) -> None:
    lines, hashes = chained(2)
    path = tmp_path / segment_name(1)
    path.write_bytes(b"".join(lines) + b'{"seq":3')

    assert recover(tmp_path) == Recovered(2, hashes[-1], 8)
    assert path.read_bytes() == b"".join(lines)
    assert recover(tmp_path) == Recovered(2, hashes[-1], 0)


@pytest.mark.parametrize("content", [b"", b'{"seq":3'])
def test_a_segment_that_was_hardly_begun_is_deleted(tmp_path: Path, content: bytes) -> None:
    lines, hashes = chained(2)
    (tmp_path / segment_name(1)).write_bytes(b"".join(lines))
    (tmp_path / segment_name(3)).write_bytes(content)

    assert recover(tmp_path) == Recovered(2, hashes[-1], len(content))
    assert [path.name for path in segments(tmp_path)] == [segment_name(1)]


def test_a_log_that_was_hardly_begun_is_deleted(tmp_path: Path) -> None:
    (tmp_path / segment_name(1)).write_bytes(b"{")

    assert recover(tmp_path) == Recovered(0, GENESIS, 1)
    assert segments(tmp_path) == []


@pytest.mark.parametrize("kept", [0, 1])
def test_a_log_is_not_continued_where_records_are_missing(tmp_path: Path, kept: int) -> None:
    """The name of an empty file promises records before it; that they are gone is not to be covered up."""
    if kept:
        (tmp_path / segment_name(1)).write_bytes(b"".join(chained(1)[0]))
    (tmp_path / segment_name(3)).touch()

    for _ in range(2):
        with pytest.raises(DataError, match=r"the records before audit-0+3\.jsonl are missing"):
            recover(tmp_path)


# Made -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("masked")
def test_folder_and_file_have_their_modes_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    prepare(folder)
    segment = Segment(folder, 1)
    segment.write(b"x")
    segment.close()

    assert mode(folder) == 0o750
    assert mode(segment.path) == 0o640


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    prepare(tmp_path)

    assert mode(tmp_path) == 0o711


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / segment_name(1)).write_bytes(b"before")

    with pytest.raises(FileExistsError):
        Segment(tmp_path, 1).write(b"x")
    assert (tmp_path / segment_name(1)).read_bytes() == b"before"


def test_writes_follow_each_other(tmp_path: Path) -> None:
    segment = Segment(tmp_path, 1)
    segment.write(b"one\n")
    segment.write(b"two\n")
    segment.close()
    segment.close()

    assert segment.path.read_bytes() == b"one\ntwo\n"


def test_what_is_written_in_pieces_arrives_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:2]))
    segment = Segment(tmp_path, 1)
    segment.write(b"one and two\n")

    assert segment.path.read_bytes() == b"one and two\n"


@pytest.mark.parametrize("failing", ["fdatasync", "write"])
def test_a_write_that_failed_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    segment = Segment(tmp_path, 1)
    segment.write(b"one\n")
    write = os.write

    def fail(descriptor: int, data: bytes = b"") -> int:
        write(descriptor, data[:2])
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, failing, fail)
        with pytest.raises(OSError, match="full"):
            segment.write(b"two\n")
    assert segment.path.read_bytes() == b"one\n"

    segment.write(b"three\n")
    assert segment.path.read_bytes() == b"one\nthree\n"


def test_what_could_not_be_cut_at_once_is_cut_before_the_next_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(tmp_path, 1)
    segment.write(b"one\n")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        patched.setattr(os, "ftruncate", fail)
        with pytest.raises(OSError, match="broken"):
            segment.write(b"two\n")
        with pytest.raises(OSError, match="broken"):
            segment.write(b"two\n")
    assert segment.path.read_bytes() == b"one\ntwo\n"

    segment.write(b"three\n")
    assert segment.path.read_bytes() == b"one\nthree\n"


def test_a_file_that_could_not_be_made_for_certain_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(tmp_path, 1)

    def fail(_: object) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="broken"):
            segment.write(b"one\n")

    segment.write(b"one\n")
    assert segment.path.read_bytes() == b"one\n"
