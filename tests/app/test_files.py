"""Outputs of a command: complete or as they were, and the state in its order."""

import errno
import io
import os
import stat
from pathlib import Path
from unittest.mock import Mock

import pytest

from steno.app.files import METRICS_MODE, STANDARD, STATE_MODE, StateWriter, output, written
from steno.core.stream import Stream
from steno.errors import UnavailableError


@pytest.mark.parametrize("mode", [STATE_MODE, METRICS_MODE])
def test_output_takes_its_place_when_it_is_complete(mode: int, tmp_path: Path) -> None:
    """Until then a reader sees the former file. The mode is the one that is asked for."""
    path = tmp_path / "out"
    path.write_bytes(b"former")

    with output(path, mode) as file:
        file.write(b"new")
        during = path.read_bytes()

    assert (during, path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"former", b"new", mode)
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path) -> None:
    """Fail in the middle of writing."""
    with output(path, STATE_MODE) as file:
        file.write(b"half")
        raise ZeroDivisionError


def test_failure_leaves_the_former_file(tmp_path: Path) -> None:
    """Nothing of the new one is left over."""
    path = tmp_path / "out"
    path.write_bytes(b"former")

    with pytest.raises(ZeroDivisionError):
        write_half(path)

    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == {path: b"former"}


def test_link_stays_a_link(tmp_path: Path) -> None:
    """The file that it leads to is replaced."""
    (tmp_path / "real").write_bytes(b"former")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with output(tmp_path / "link", STATE_MODE) as file:
        file.write(b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """The error names the path."""
    with (
        pytest.raises(UnavailableError, match=r"cannot write .*/missing/out: No such file"),
        output(tmp_path / "missing" / "out", STATE_MODE),
    ):
        pass


@pytest.mark.parametrize("name", ["circle", "circle/out", "n" * 300])
def test_what_cannot_be_a_path_is_named(name: str, tmp_path: Path) -> None:
    """Links in a circle stay as they are."""
    circle = tmp_path / "circle"
    circle.symlink_to("circle")

    with pytest.raises(UnavailableError, match=f"cannot write .*/{name}: "), output(tmp_path / name, METRICS_MODE):
        pass

    assert circle.is_symlink()


def test_streams_stand_behind_the_conversations() -> None:
    """Streams that ended come first among them, in the order of their ends."""
    file = io.BytesIO()
    writer = StateWriter(file)

    for name in ("relay/1/2", "relay/1/1"):
        writer.ended(Stream(name, "relay"))
    before = file.getvalue()
    writer.finish((), [Stream("relay/1/3", "relay")])

    names = [line.split(b'"stream":"')[1].split(b'"')[0] for line in file.getvalue().splitlines()]
    assert (before, names) == (b"", [b"relay/1/2", b"relay/1/1", b"relay/1/3"])


FULL = Path("/dev/full")
"""A device on which no room is left."""


def write_to(path: Path) -> None:
    with written(path, STATE_MODE) as file:
        file.write(b"state")
        file.flush()


def test_an_output_without_room_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match="cannot write /dev/full: No space left on device"):
        write_to(FULL)

    with FULL.open("wb", buffering=0) as full:
        monkeypatch.setattr("sys.stdout", Mock(buffer=full))
        with pytest.raises(UnavailableError, match="cannot write standard output: No space left"):
            write_to(STANDARD)
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(UnavailableError, match="cannot write standard output: it is closed"):
        write_to(STANDARD)

    monkeypatch.setattr("steno.app.files.os.fsync", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(UnavailableError, match=r"cannot write .*/state: No space left on device"):
        write_to(tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_gone_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line ends quietly then."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        monkeypatch.setattr("sys.stdout", Mock(buffer=pipe))
        with pytest.raises(BrokenPipeError):
            write_to(STANDARD)
