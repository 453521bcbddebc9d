"""Files that are opened only where they are files."""

import os
from pathlib import Path

import pytest

from steno.regular_files import NotRegularError, open_regular, read_named


def test_a_file_is_opened_and_a_link_to_it_where_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"held")
    (tmp_path / "link").symlink_to(tmp_path / "file")

    for path in (tmp_path / "file", tmp_path / "link"):
        with open_regular(path) as file:
            assert file.read() == b"held"
    with pytest.raises(NotRegularError, match="is a symbolic link"):
        open_regular(tmp_path / "link", follow=False)


def test_what_takes_the_place_of_a_file_while_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.touch()
    opens = os.open

    def replaced(*args: object) -> int:
        path.unlink()
        os.mkfifo(path)
        return opens(*args)  # type: ignore[arg-type]  # what was passed is passed on

    monkeypatch.setattr(os, "open", replaced)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(NotRegularError, match="is a named pipe"):
        open_regular(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_device_that_was_named_is_read_as_far_as_it_was_asked_for() -> None:
    assert read_named(Path("/dev/zero"), 5) == bytes(5)
    assert read_named(Path(os.devnull), 5) == b""


def test_a_descriptor_that_was_handed_over_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"held")
    os.close(writing)
    try:
        assert read_named(Path(f"/dev/fd/{reading}"), 9) == b"held"
    finally:
        os.close(reading)
