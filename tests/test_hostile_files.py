"""A folder or a path that somebody else prepared: nothing waits for it, and nothing reads without end.

Each command is a process of its own under a limit of its address space: what fills memory ends with an error there, and
what waits for ever is ended by the guard of the test. Pipes, links, sockets and sparse files are real.
"""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from steno.audit.content_store.files import ContentFiles, file_name
from steno.audit.record import segment_name
from tests.audit.helpers import AT, files, opened, said, write
from tests.processes import STENO, running, steno, wait_for

ADDRESS_SPACE: Final = 1 << 30
"""What a command may map. `steno verify` of a small log takes a third of it, its libraries included."""
LIMITED: Final = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_SPACE}, {ADDRESS_SPACE}))"
SPARSE: Final = 20 << 30
CALL: Final = "relay/call-1"
SECOND: Final = segment_name(6)


def limited(*args: str | Path) -> tuple[int, str, str]:
    """Run a command; return its exit code, what it printed, and its errors."""
    done = steno(*args, limit=LIMITED)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# What somebody else puts in the place of a file -----------------------------------------------------------


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def link_to_the_file(path: Path) -> None:
    path.with_suffix(".bak").write_bytes(b"{}\n")
    path.symlink_to(path.with_suffix(".bak"))


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket is short
        try:
            sock.bind(path.name)
        finally:
            os.chdir(here)


def folder(path: Path) -> None:
    path.mkdir()


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, SPARSE)


Place = Callable[[Path], None]
KINDS: Final[dict[Place, str]] = {
    pipe: "it is no regular file (a named pipe)",
    link_to_zeros: "it is no regular file (a symbolic link)",
    link_to_itself: "it is no regular file (a symbolic link)",
    link_to_the_file: "it is no regular file (a symbolic link)",
    bound_socket: "it is no regular file (a socket)",
    folder: "it is no regular file (a directory)",
    sparse: "the line is longer than any record",
}
"""Each, and what `steno verify` says of it in the place of a segment."""
PLACES: Final = pytest.mark.parametrize("place", KINDS, ids=lambda place: place.__name__)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the folder of a log of three segments."""
    write(tmp_path / "log", range(4), segment_bytes=1000)
    write(tmp_path / "log", range(4, 6))
    assert list(files(tmp_path / "log"))[1] == SECOND
    return tmp_path / "log"


# Verified -------------------------------------------------------------------------------------------------


@PLACES
def test_what_is_no_segment_is_the_fault(log: Path, place: Place) -> None:
    (log / SECOND).unlink()
    place(log / SECOND)

    code, printed, errors = limited("verify", log)

    line = ", line 1" if place is sparse else ""
    assert (code, errors) == (1, "")
    assert printed.splitlines()[:2] == [
        f"THE AUDIT LOG DOES NOT HOLD: {SECOND}{line}, record 6: {KINDS[place]}",
        "proved    before it, 5 records in 2 segments",
    ]


@PLACES
def test_what_stands_behind_the_newest_segment_is_a_fault_too(log: Path, place: Place) -> None:
    place(log / segment_name(13))

    code, printed, _ = limited("verify", log)

    assert code == 1
    assert KINDS[place] in printed.splitlines()[0]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (pipe, "is a named pipe"),
        (link_to_zeros, "is a device"),
        (bound_socket, "is a socket"),
        (link_to_itself, "Too many levels of symbolic links"),
    ],
)
def test_a_segment_that_is_named_and_is_no_file_is_refused(tmp_path: Path, place: Place, reason: str) -> None:
    place(tmp_path / SECOND)

    code, printed, errors = limited("verify", tmp_path / SECOND)

    assert (code, printed) == (65, "")
    assert reason in errors
    assert SECOND in errors


def test_links_that_an_operator_made_are_followed(log: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(log)
    (tmp_path / SECOND).symlink_to(log / SECOND)

    assert limited("verify", tmp_path / "link")[0] == 0
    assert limited("verify", tmp_path / SECOND)[0] == 0


def test_a_line_without_an_end_behind_whole_records_is_named_by_its_place(log: Path) -> None:
    newest = log / list(files(log))[-1]
    os.truncate(newest, SPARSE)

    code, printed, _ = limited("verify", log)

    assert code == 1
    assert printed.startswith(f"THE AUDIT LOG DOES NOT HOLD: {newest.name}, line 5, record 13: the line is longer")


def test_many_other_files_are_passed_over(log: Path) -> None:
    """Names that are nearly those of segments among them."""
    for number in range(20_000):
        os.mknod(log / f"audit-{number:019}.jsonl")
    (log / ("audit-" + "\u0661" * 20 + ".jsonl")).touch()
    (log / f"{segment_name(1)}\n").touch()

    assert limited("verify", log)[0] == 0


def test_the_first_of_many_segments_that_are_none_is_the_fault(log: Path) -> None:
    for number in range(100, 20_000):
        os.mknod(log / segment_name(number))

    code, printed, _ = limited("verify", log)

    assert code == 1
    assert printed.startswith(f"THE AUDIT LOG DOES NOT HOLD: {segment_name(100)}, record 13: the segment holds no rec")


@PLACES
def test_content_files_that_are_none_are_missing(log: Path, place: Place) -> None:
    words = ContentFiles(log)
    name, keyed = words.keep(CALL, "text", "good day")
    words.flush()
    with opened(log) as audit:
        audit.append(
            said(7).replace(
                b'"item_id"',
                b'"c":{"kind":"text","length":8,"file":"%b","hmac":"%b"},"item_id"' % (name.encode(), keyed.encode()),
            )
        )
        audit.close(AT)
    assert limited("verify", log, "--words")[0] == 0
    (words.folder / name).unlink()
    place(words.folder / name)

    code, printed, _ = limited("verify", log, "--words")

    assert code == 1
    assert "WORDS ARE MISSING: 1 text," in printed


# Keys, configurations, price lists ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (pipe, "cannot be read: is a named pipe"),
        (bound_socket, "cannot be read: is a socket"),
        (folder, "cannot be read: is a directory"),
        (link_to_zeros, "longer than"),
        (sparse, "longer than"),
    ],
)
def test_a_file_that_an_operator_names_is_not_waited_for(log: Path, tmp_path: Path, place: Place, reason: str) -> None:
    named = tmp_path / "named"
    place(named)
    (tmp_path / "steno.toml").write_text(f'[prices]\nfile = "{named}"\n')

    results = [
        limited("verify", log, "--key-file", named),
        limited("check", "-c", named),
        limited("replay", "-", "-c", tmp_path / "steno.toml"),
    ]

    assert [code for code, _, _ in results] == [65, 78, 78]
    assert all(str(named) in errors for _, _, errors in results)
    assert all(reason.removeprefix("cannot be read: ") in errors for _, _, errors in results)


def test_a_key_may_come_from_a_descriptor(tmp_path: Path) -> None:
    """As the shell hands it over: `--key-file <(command)`."""
    write(tmp_path, [1], key=b"key")
    command = f"{' '.join(STENO)} verify {tmp_path} --key-file <(echo key)"

    assert subprocess.run(["bash", "-c", command], capture_output=True, check=False).returncode == 0


# The daemon, and erasure ----------------------------------------------------------------------------------


def configured(log: Path) -> Path:
    config = log.parent / "steno.toml"
    config.write_text(
        f'[http]\nlisten = "127.0.0.1:0"\n'
        f'[audit]\ndirectory = "{log}"\nflush_seconds = 0.05\ncontent_files = true\ncontent = "full"\n'
    )
    return config


@PLACES
def test_a_daemon_does_not_go_on_behind_what_is_no_segment(log: Path, place: Place) -> None:
    """It ends at once, and says which file it is."""
    place(log / segment_name(13))

    code, _, errors = limited("run", "-c", configured(log))

    assert code == 65
    assert segment_name(13) in errors.splitlines()[-1]


@pytest.mark.parametrize("place", [pipe, link_to_zeros, folder])
def test_a_daemon_goes_on_where_something_else_stands_among_its_segments(log: Path, place: Place) -> None:
    (log / SECOND).unlink()
    place(log / SECOND)
    place(log / "words")

    with running(configured(log)) as daemon:
        wait_for(lambda: daemon.metric("steno_audit_records_total") >= 2)
        assert daemon.stop() == 0


@PLACES
def test_erasure_is_refused_where_a_segment_cannot_be_searched(log: Path, place: Place) -> None:
    words = ContentFiles(log)
    words.keep(CALL, "text", "good day")
    words.flush()
    (log / SECOND).unlink()
    place(log / SECOND)

    code, _, errors = limited("erase", "-c", configured(log), "--conversation", CALL)

    assert code == 65
    assert SECOND in errors
    assert (log / "words" / file_name(CALL)).exists()


@pytest.fixture(autouse=True)
def no_sparse_file_is_left(tmp_path: Path) -> Iterator[None]:
    """Delete what a copy of the folder would fill a disk with."""
    yield
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.lstat().st_size >= SPARSE:
            path.unlink()
