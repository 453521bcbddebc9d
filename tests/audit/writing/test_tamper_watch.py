"""What others do to closed segments is found once: at once what the folder shows, the rest at a close look."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from steno.audit.log_records import Damaged
from steno.audit.record import segment_name
from steno.audit.writing.tamper_watch import TamperWatch
from tests.audit.helpers import write

FIRST = segment_name(1)


def watched(folder: Path) -> TamperWatch:
    """Watch a log of two closed segments, of three records each, and a newest one."""
    for number in range(3):
        write(folder, [number])
    watch = TamperWatch(folder)
    watch.add_all()
    return watch


def replaced(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").rename(path)


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x")
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(
    ("act", "damage"),
    [
        (Path.unlink, "deleted"),
        (lambda path: path.rename(path.with_name("old")), "renamed"),
        (replaced, "replaced"),
    ],
)
def test_what_the_folder_shows_is_found_at_once(tmp_path: Path, act: Callable[[Path], object], damage: str) -> None:
    watch = watched(tmp_path)
    assert watch.look(closely=False) == []
    act(tmp_path / FIRST)
    os.utime(tmp_path, ns=(1, 1))  # the kernel's clock may not have ticked meanwhile

    assert watch.look(closely=False) == [Damaged(FIRST, damage, 3)]  # type: ignore[arg-type]  # a word of the table
    assert watch.look(closely=True) == []


@pytest.mark.parametrize(
    ("act", "damage"),
    [
        (lambda path: os.truncate(path, 10), "truncated"),
        (appended, "changed"),
        (overwritten, "changed"),
    ],
)
def test_what_a_file_shows_is_found_at_a_close_look(tmp_path: Path, act: Callable[[Path], object], damage: str) -> None:
    watch = watched(tmp_path)
    act(tmp_path / FIRST)

    assert watch.look(closely=False) == []
    assert watch.look(closely=True) == [Damaged(FIRST, damage, 3)]  # type: ignore[arg-type]  # a word of the table
    assert watch.look(closely=True) == []


def test_all_damage_is_found_in_the_order_of_the_log(tmp_path: Path) -> None:
    watch = watched(tmp_path)
    for seq in (4, 1):
        (tmp_path / segment_name(seq)).unlink()

    assert watch.look(closely=True) == [Damaged(FIRST, "deleted", 3), Damaged(segment_name(4), "deleted", 6)]


def test_other_files_the_newest_and_what_is_to_be_deleted_are_not_watched(tmp_path: Path) -> None:
    watch = watched(tmp_path)
    (tmp_path / "other").touch()
    (tmp_path / segment_name(7)).unlink()
    watch.forget(FIRST)
    (tmp_path / FIRST).unlink()

    assert watch.look(closely=True) == []
