"""The file of the calls that are followed: what survives a restart, a crash, a disk that is full, and a stranger."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs

from steno.output_errors import OutputErrors
from steno.sources.attach import journal as journals
from steno.sources.attach.journal import Attached, Journal, Line
from tests.sources.helpers import counted

pytestmark = pytest.mark.anyio

CALL = Line(attached=Attached("calls", "rtc_1", "webhook", 1_700_000_000_000_000, {"desk": "berlin"}), delivery="wh_1")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def nothing() -> Iterable[Line]:
    return ()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def file_of(folder: Path) -> Path:
    return folder / ".attachments"


async def test_what_was_appended_is_read_by_the_next_one(tmp_path: Path) -> None:
    errors = OutputErrors()
    first = Journal(tmp_path, errors)
    empty = first.read()
    await first.append(CALL, nothing)
    await first.append(Line(ended="rtc_0"), nothing)
    kept = Journal(tmp_path, errors).read()

    assert (empty, kept) == ([], [CALL, Line(ended="rtc_0")])
    assert stat.S_IMODE(file_of(tmp_path).stat().st_mode) == 0o600
    assert counted(errors.numbers()["steno_output_errors_total"]) == {}


async def test_without_a_folder_nothing_is_kept() -> None:
    journal = Journal(None, OutputErrors())
    await journal.append(CALL, nothing)

    assert (journal.read(), journal.path) == ([], None)


async def test_a_torn_line_is_left_out_and_spoils_no_other(tmp_path: Path) -> None:
    """A crash in the middle of a write; and lines that are none of ours."""
    await Journal(tmp_path, OutputErrors()).append(CALL, nothing)
    with file_of(tmp_path).open("ab") as file:
        file.write(b'\xff\n[1]\n{"attached":{"source":"calls","call_id":"../x"}}\n{"attached":{"sou')
    again = Journal(tmp_path, OutputErrors())
    found = again.read()
    await again.append(Line(ended="rtc_1"), lambda: (Line(delivery="wh_1"),))

    assert found == [CALL]
    assert Journal(tmp_path, OutputErrors()).read() == [Line(delivery="wh_1")]


async def test_lines_that_come_together_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst of calls is few flushes."""
    writes: list[int] = []
    append = journals._append

    def counting(path: Path, data: bytes) -> None:
        writes.append(data.count(b"\n"))
        append(path, data)

    monkeypatch.setattr(journals, "_append", counting)
    journal = Journal(tmp_path, OutputErrors())
    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(journal.append, Line(ended=f"rtc_{number}"), nothing)

    assert sum(writes) == 100
    assert len(writes) <= 2
    assert len(Journal(tmp_path, OutputErrors()).read()) == 100


async def test_a_long_file_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no longer true goes; what is true stays."""
    monkeypatch.setattr(journals, "SPARE_BYTES", 2_000)
    journal = Journal(tmp_path, OutputErrors())
    for number in range(500):
        await journal.append(Line(ended=f"rtc_{number}"), lambda: (CALL,))

    assert file_of(tmp_path).stat().st_size <= 2_000
    assert CALL in Journal(tmp_path, OutputErrors()).read()
    assert names(tmp_path) == [".attachments"]
    assert stat.S_IMODE(file_of(tmp_path).stat().st_mode) == 0o600


async def test_a_disk_that_takes_nothing_is_counted_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon goes on. When there is room again, all that is true is written, in place of half a line."""
    errors, write = OutputErrors(), os.write

    def full(descriptor: int, data: bytes) -> int:
        if os.fstat(descriptor).st_size == 0:
            return write(descriptor, data[:5])
        raise OSError(28, "No space left on device")

    journal = Journal(tmp_path, errors)
    with capture_logs() as logs:
        monkeypatch.setattr(os, "write", full)
        await journal.append(CALL, nothing)
        await journal.append(CALL, lambda: (CALL,))
        monkeypatch.undo()
        await journal.append(Line(ended="rtc_1"), lambda: (CALL,))

    assert counted(errors.numbers()["steno_output_errors_total"]) == {("attachments", "no_space"): 2}
    assert [(line["event"], line["reason"]) for line in logs] == [
        ("the calls that are followed cannot be kept over a restart", "no_space")
    ]
    assert Journal(tmp_path, OutputErrors()).read() == [CALL]


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
async def test_what_is_no_file_of_ours_is_neither_read_nor_written(tmp_path: Path, kind: str) -> None:
    """Who may write into the folder cannot make the daemon wait, nor write elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    match kind:
        case "pipe":
            os.mkfifo(file_of(tmp_path))
        case "link":
            file_of(tmp_path).symlink_to(elsewhere)
        case _:
            file_of(tmp_path).mkdir()
    errors = OutputErrors()
    journal = Journal(tmp_path, errors)
    found = journal.read()
    await journal.append(CALL, nothing)

    assert (found, elsewhere.read_bytes()) == ([], b"")
    assert sum(errors.numbers()["steno_output_errors_total"].values()) == 2
