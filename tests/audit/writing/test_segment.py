"""One file takes records until a sync fails, and shows what others did to it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from steno.audit.record import segment_name
from steno.audit.writing.segment import Segment
from tests.audit.helpers import broken, mode

# Written --------------------------------------------------------------------------------------------------


def test_the_file_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    segment = Segment(tmp_path, 1)
    segment.write(b"x")
    os.umask(before)

    assert mode(segment.path) == 0o640


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


def test_a_write_that_is_done_in_pieces_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:2]))
    segment = Segment(tmp_path, 1)
    segment.write(b"one and two\n")

    assert segment.path.read_bytes() == b"one and two\n"


def fail_half_way(patched: pytest.MonkeyPatch) -> None:
    """Let half of each write succeed before the disk is full."""
    write = os.write

    def fail(descriptor: int, data: bytes) -> int:
        write(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "full")

    patched.setattr(os, "write", fail)


def test_a_write_that_failed_leaves_nothing_behind_and_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(tmp_path, 1)
    segment.write(b"one\n")
    with monkeypatch.context() as patched:
        fail_half_way(patched)
        with pytest.raises(OSError, match="full"):
            segment.write(b"two\n")
    assert (segment.path.read_bytes(), segment.size, segment.abandoned) == (b"one\n", 4, False)

    segment.write(b"three\n")
    assert (segment.path.read_bytes(), segment.damage()) == (b"one\nthree\n", None)


def test_what_could_not_be_cut_at_once_is_cut_before_the_next_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(tmp_path, 1)
    segment.write(b"one\n")
    with monkeypatch.context() as patched:
        fail_half_way(patched)
        patched.setattr(os, "ftruncate", broken)
        with pytest.raises(OSError, match="full"):
            segment.write(b"two\n")
        with pytest.raises(OSError, match="broken"):
            segment.write(b"two\n")
    assert segment.path.read_bytes() == b"one\ntw"

    segment.write(b"three\n")
    assert segment.path.read_bytes() == b"one\nthree\n"


def test_a_sync_that_failed_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment(tmp_path, 1)
    segment.write(b"one\n")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="broken"):
            segment.write(b"two\n")

    assert segment.abandoned
    segment.leave()
    assert segment.path.read_bytes() == b"one\n"


def test_an_abandoned_file_is_not_left_before_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment(tmp_path, 1)
    segment.write(b"one\n")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        patched.setattr(os, "ftruncate", broken)
        with pytest.raises(OSError, match="broken"):
            segment.write(b"two\n")
        with pytest.raises(OSError, match="broken"):
            segment.leave()
    assert segment.path.read_bytes() == b"one\ntwo\n"

    segment.leave()
    assert segment.path.read_bytes() == b"one\n"


@pytest.mark.parametrize("failing", ["fchmod", "write", "fdatasync", "fsync", "fstat"])
def test_a_file_that_could_not_be_made_for_certain_goes_away_and_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    segment = Segment(tmp_path, 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, failing, broken)
        with pytest.raises(OSError, match="broken"):
            segment.write(b"one\n")
    assert (list(tmp_path.iterdir()), segment.abandoned) == ([], False)

    segment.write(b"two\n")
    assert segment.path.read_bytes() == b"two\n"


def test_a_file_that_could_not_go_away_goes_before_it_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(tmp_path, 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        patched.setattr(os, "unlink", broken)
        with pytest.raises(OSError, match="broken"):
            segment.write(b"one\n")
    assert segment.path.read_bytes() == b"one\n"

    segment.write(b"two\n")
    assert segment.path.read_bytes() == b"two\n"


# Damaged --------------------------------------------------------------------------------------------------


def replace(path: Path) -> None:
    path.rename(path.with_name("old"))
    path.write_bytes(path.with_name("old").read_bytes())


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"two")
    os.utime(path, ns=(1, 1))


def link_elsewhere(path: Path) -> None:
    path.rename(path.with_name("old"))
    path.symlink_to(path.with_name("old"))


@pytest.mark.parametrize(
    ("act", "damage"),
    [
        (lambda path: None, None),
        (lambda path: path.read_bytes(), None),
        (lambda path: path.chmod(0o600), None),
        (lambda path: path.unlink(), "deleted"),
        (lambda path: path.rename(path.with_suffix(".old")), "renamed"),
        (replace, "replaced"),
        (link_elsewhere, "replaced"),
        (lambda path: os.truncate(path, 0), "truncated"),
        (lambda path: os.truncate(path, 3), "truncated"),
        (lambda path: os.truncate(path, 5), "changed"),
        (overwrite, "changed"),
    ],
)
def test_what_others_do_to_the_file_is_seen(tmp_path: Path, act: Callable[[Path], None], damage: str | None) -> None:
    segment = Segment(tmp_path, 1)
    assert segment.damage() is None
    segment.write(b"one\n")
    act(segment.path)

    assert segment.damage() == damage


def test_what_was_cut_off_by_others_is_not_filled_with_zeros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment(tmp_path, 1)
    segment.write(b"one\n")
    with monkeypatch.context() as patched:
        fail_half_way(patched)
        patched.setattr(os, "ftruncate", broken)
        with pytest.raises(OSError, match="full"):
            segment.write(b"two\n")
    os.truncate(segment.path, 0)
    segment.cut_dirty_tail()

    assert (segment.path.read_bytes(), segment.damage()) == (b"", "truncated")
