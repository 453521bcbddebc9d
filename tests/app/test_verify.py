"""What `steno verify` composes: the log, its content files, and the options that both are held against."""

import os
import pty
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from steno.app.verify import logs_of, trust_of, verify
from steno.audit.content_policy import BodyEncoder, ContentPolicy
from steno.audit.content_store.files import ContentFiles
from steno.audit.record import entry
from steno.audit.verification.trust import KnownHead, Trust
from steno.core.facts import Content, ItemAdded
from steno.errors import DataError, StenoError, UsageError
from tests.audit.helpers import AT, opened
from tests.processes import STENO, steno

HASH = "0a" * 32


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the folder of a log of three records, one with a text in a content file."""
    folder = tmp_path / "log"
    with opened(folder) as log:
        files = ContentFiles(folder)
        fact = ItemAdded(item_id="item_1", kind="message", role="user", text=Content("text", "hello"))
        body = BodyEncoder(ContentPolicy.of("full", files=True), files=files).body(fact, "relay/a")
        log.append(entry(AT, "item.added", "relay/a", None, None, body))
        files.flush()
        log.close(AT)
    return folder


@pytest.mark.parametrize(
    ("content", "last_line"),
    [(False, "head      3:"), (True, "words     1 text stands as it was kept")],
    ids=["the log", "the log and its content files"],
)
def test_a_log_is_verified_with_its_content_files_where_they_are_asked_for(
    log: Path, content: bool, last_line: str
) -> None:
    read: list[int] = []

    found = verify([log], Trust(), content=content, progress=read.append)

    assert found.ok
    assert found.lines()[:2] == ["the audit log holds", "proved    3 records in 1 segment"]
    assert found.lines()[-1].startswith(last_line)
    assert sum(read) == sum(path.stat().st_size for path in log.glob("audit-*"))


def test_content_that_is_missing_is_a_failure_of_a_log_that_holds(log: Path) -> None:
    next((log / "words").iterdir()).unlink()

    without, with_content = (verify([log], Trust(), content=content) for content in (False, True))

    assert (without.ok, with_content.ok, with_content.log.ok) == (True, False, True)


def test_content_files_belong_to_a_whole_log(log: Path) -> None:
    with pytest.raises(UsageError, match="give its folder"):
        verify(list(log.glob("audit-*")), Trust(), content=True)


def test_options_name_keys_and_heads(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sesame\n")

    trust = trust_of([tmp_path / "key"], [7], [f"12:{HASH}", f"3:{HASH}"])

    assert bool(trust.keys)
    assert (trust.keyed_from, trust.heads) == (
        7,
        (KnownHead(12, bytes.fromhex(HASH)), KnownHead(3, bytes.fromhex(HASH))),
    )


def test_without_options_a_log_is_held_against_nothing() -> None:
    trust = trust_of([], [], [])

    assert (bool(trust.keys), trust.keyed_from, trust.heads) == (False, 1, ())


@pytest.mark.parametrize(
    ("key_files", "keyed_from", "heads", "error"),
    [
        ([], [1], [], UsageError("--keyed-from says where a key came into use: give the key with --key-file")),
        (
            [],
            [],
            ["12"],
            UsageError("--head: a head is SEQ:HASH, a record's number and the 64 hex digits of its hash"),
        ),
        ([Path("gone")], [], [], DataError("cannot use the key in gone: cannot be read: no such file or directory")),
        (
            [Path("a"), Path("b"), Path("c")],
            [1, 5],
            [],
            UsageError("--keyed-from is given once, or once for each --key-file, in their order"),
        ),
        (
            [Path("a"), Path("b")],
            [5, 5],
            [],
            UsageError("--keyed-from: each key comes into use after the one before"),
        ),
    ],
    ids=["a record without a key", "no head", "no key", "fewer records than keys", "records in another order"],
)
def test_options_that_make_no_sense_are_errors(
    key_files: list[Path], keyed_from: list[int], heads: list[str], error: StenoError
) -> None:
    with pytest.raises(type(error)) as raised:
        trust_of(key_files, keyed_from, heads)

    assert str(raised.value) == str(error)


def test_options_name_ranges_of_keys_and_the_log(tmp_path: Path) -> None:
    keys = [tmp_path / "old", tmp_path / "new"]
    for key in keys:
        key.write_text(key.name)

    trust = trust_of(keys, [3, 9], [], "0A" * 32)

    assert (trust.keyed_from, trust.key_ranges, trust.log_id) == (3, (3, 9), HASH)
    assert trust_of(keys, [3], []).key_ranges == ()


def test_a_text_that_names_no_log_is_an_error() -> None:
    with pytest.raises(UsageError, match="--log: a log is named by the 64 hex digits"):
        trust_of([], [], [], "12")


def test_of_several_folders_each_is_proved(log: Path, tmp_path: Path) -> None:
    """One that does not hold is no reason to leave the next one out, and decides the exit code."""
    broken = tmp_path / "broken"
    shutil.copytree(log, broken)
    (segment,) = broken.glob("audit-*")
    segment.write_text(segment.read_text().replace('"user"', '"them"'))

    both, one_broken = steno("verify", log, log), steno("verify", broken, log)

    verdict = "the audit log holds"
    assert (both.returncode, both.stdout.decode().splitlines().count(verdict)) == (0, 2)
    assert (one_broken.returncode, one_broken.stdout.decode().splitlines().count(verdict)) == (1, 1)
    assert [line for line in one_broken.stdout.decode().splitlines() if line.endswith(":")] == [f"{broken}:", f"{log}:"]


@pytest.mark.parametrize(
    "trust", [Trust(heads=(KnownHead(1, bytes.fromhex(HASH)),)), Trust(log_id=HASH), Trust(keyed_from=2)]
)
def test_what_is_known_of_one_log_is_not_held_against_several(trust: Trust, log: Path) -> None:
    with pytest.raises(UsageError, match="prove each log by itself"):
        logs_of([log, log], trust)


def test_segments_are_of_one_log(log: Path) -> None:
    (segment,) = log.glob("audit-*")

    assert logs_of([segment, segment], Trust()) == [[segment, segment]]
    assert logs_of([log, segment], Trust()) == [[log, segment]]


def test_progress_is_gone_before_anything_is_printed(log: Path) -> None:
    """On a terminal. What is printed while a bar moves stands beside it."""
    other = shutil.copytree(log, log.parent / "other")
    ours, theirs = pty.openpty()
    with subprocess.Popen([*STENO, "verify", log, other], stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # so Linux says that nobody writes any more
            while part := os.read(ours, 65_536):
                shown += part
        os.close(ours)
    lines, bar = shown.split(b"\n"), "━".encode()

    assert process.returncode == 0
    assert shown.count(b"the audit log holds") == 2
    assert bar in shown
    assert [line for line in lines if bar in line and str(log.parent).encode() in line] == []
