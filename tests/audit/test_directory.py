"""Segments are listed in order and read at either end. The folder is made with its mode."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from steno.audit.directory import BLOCK_BYTES, Opening, Tail, opened_at, prepare, read_opening, read_tail, segments
from steno.audit.record import GENESIS, segment_name
from steno.errors import DataError
from tests.audit.helpers import ZEROS, chained, mode, write


@pytest.fixture
def masked() -> Iterator[None]:
    """Let the umask hide everything from others, as a unit file may have it."""
    before = os.umask(0o077)
    yield
    os.umask(before)


# Read -----------------------------------------------------------------------------------------------------


def test_segments_are_listed_in_the_order_of_the_log(tmp_path: Path) -> None:
    names = [segment_name(seq) for seq in (100, 9, 1)]
    for name in [*names, ".lock", "audit-5.jsonl", segment_name(2) + ".gz"]:
        (tmp_path / name).touch()

    assert [path.name for path in segments(tmp_path)] == names[::-1]


def test_tail_of_a_segment(tmp_path: Path) -> None:
    lines, hashes = chained(3)
    path = tmp_path / segment_name(1)
    path.write_bytes(b"".join(lines))

    assert read_tail(path) == Tail(3, hashes[-1], path.stat().st_size, 0)


def test_tail_of_a_torn_segment_at_every_byte(tmp_path: Path) -> None:
    lines, hashes = chained(3)
    path = tmp_path / segment_name(1)
    whole = len(lines[0] + lines[1])
    for torn in range(len(lines[2])):
        path.write_bytes(lines[0] + lines[1] + lines[2][:torn])

        assert read_tail(path) == Tail(2, hashes[1], whole, torn)


@pytest.mark.parametrize("content", [b"", b"x", b'{"seq":1,"at'])
def test_tail_of_a_segment_without_a_record(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / segment_name(1)
    path.write_bytes(content)

    assert read_tail(path) == Tail(0, GENESIS, 0, len(content))


@pytest.mark.parametrize("torn", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES])
def test_tail_is_found_across_blocks(tmp_path: Path, torn: int) -> None:
    lines, hashes = chained(2)
    path = tmp_path / segment_name(1)
    path.write_bytes(b"".join(lines) + b"x" * torn)

    assert read_tail(path) == Tail(2, hashes[-1], len(b"".join(lines)), torn)


def test_tail_reads_the_end_only(tmp_path: Path) -> None:
    """A hole of a terabyte could not be read in the time that a test has."""
    lines, hashes = chained(2)
    path = tmp_path / segment_name(1)
    with path.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + lines[0] + lines[1])

    assert read_tail(path).hash == hashes[-1]


@pytest.mark.parametrize("content", [b"\n", b"{}\n", b"not a record\nnor this\n"])
def test_tail_that_is_no_record_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / segment_name(1)
    path.write_bytes(content)

    with pytest.raises(DataError, match="the last line is not a record"):
        read_tail(path)


@pytest.mark.parametrize("content", [b"", b"\n", b'{"seq":1', b"".join(chained(1)[0])])
def test_a_segment_that_does_not_begin_with_an_opening_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / segment_name(1)
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"the first line is not log\.opened"):
        read_opening(path)


def test_the_opening_says_what_was_before(tmp_path: Path) -> None:
    write(tmp_path, [1])

    assert read_opening(tmp_path / segment_name(1)) == Opening("steno.audit/1", "sha256", ZEROS, 0)


# Made -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("masked")
def test_the_folder_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    prepare(folder)

    assert mode(folder) == 0o750


def test_an_existing_folder_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    prepare(tmp_path)

    assert mode(tmp_path) == 0o711


def test_a_first_record_whose_time_is_none_has_none(tmp_path: Path) -> None:
    """Digits alone make no time."""
    write(tmp_path, [1])
    path = tmp_path / segment_name(1)
    line = path.read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(re.sub(rb'"at":"[0-9]{4}-[0-9]{2}', b'"at":"2026-99', line))

    assert opened_at(path) is None
