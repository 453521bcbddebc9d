"""Content stays out of the chain: each text is in its file once, in order, until it is erased."""

import errno
import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from steno.audit.content_policy import BodyEncoder, ContentPolicy
from steno.audit.content_store import files as content_files
from steno.audit.content_store.files import ContentFiles, RemovedFile, file_name
from steno.core.facts import Content, MessageFinished
from tests.audit.helpers import broken, mode

CALL = "relay/call-1"


def path_of(log: Path, conversation: str = CALL) -> Path:
    return log / "words" / file_name(conversation)


def lines(log: Path, conversation: str = CALL) -> list[dict[str, Any]]:
    """Return the lines of the file of a conversation, decoded. The last one is complete."""
    data = path_of(log, conversation).read_bytes()
    assert data.endswith(b"\n")
    return [msgspec.json.decode(line) for line in data.splitlines()]


def texts(log: Path, conversation: str = CALL) -> list[str]:
    return [line["text"] for line in lines(log, conversation)[1:]]


def key_in(log: Path, conversation: str = CALL) -> bytes:
    """Return the key that stands in a file."""
    return bytes.fromhex(lines(log, conversation)[0]["key"])


def keep(files: ContentFiles, *contents: str, conversation: str = CALL) -> None:
    for text in contents:
        files.keep(conversation, "text", text)


def written(log: Path, *contents: str, conversation: str = CALL) -> ContentFiles:
    """Write texts, as one run of the daemon does."""
    files = ContentFiles(log)
    keep(files, *contents, conversation=conversation)
    files.flush()
    return files


# Kept -----------------------------------------------------------------------------------------------------


def test_a_file_begins_with_its_key_and_holds_a_text_a_line(tmp_path: Path) -> None:
    files = ContentFiles(tmp_path)
    kept = [files.keep(CALL, "transcript", "grüße\n🙂"), files.keep(CALL, "arguments", '{"n":1}')]
    files.flush()
    name = hashlib.sha256(CALL.encode()).hexdigest()[:32] + ".jsonl"
    key = key_in(tmp_path)
    hmacs = [hmac.digest(key, text.encode(), "sha256").hex() for text in ("grüße\n🙂", '{"n":1}')]

    assert len(key) == 32
    assert kept == [(name, hmacs[0]), (name, hmacs[1])]
    assert (tmp_path / "words" / name).read_text() == (
        f'{{"schema":"steno.words/1","conversation":"relay/call-1","key":"{key.hex()}"}}\n'
        f'{{"hmac":"{hmacs[0]}","kind":"transcript","text":"grüße\\n🙂"}}\n'
        f'{{"hmac":"{hmacs[1]}","kind":"arguments","text":"{{\\"n\\":1}}"}}\n'
    )


def test_the_body_of_a_record_has_the_hmac_of_a_text_and_not_the_text(tmp_path: Path) -> None:
    files = ContentFiles(tmp_path)
    encoder = BodyEncoder(ContentPolicy.of("full", files=True), files=files)
    content = Content("text", "my card is 4111 1111 1111 1111")
    fact = MessageFinished(message_id="m", run_id=None, role=None, status="completed", text=content)
    body = encoder.body(fact, CALL)
    files.flush()
    key = key_in(tmp_path)

    assert msgspec.json.decode(body)["text"] == {
        "kind": "text",
        "length": 30,
        "policy": "full",
        "file": path_of(tmp_path).name,
        "hmac": hmac.digest(key, content.text.encode(), "sha256").hex(),
    }
    assert texts(tmp_path) == [content.text]
    assert key.hex().encode() not in body


def test_only_the_owner_may_read_content_whatever_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    for number, umask in enumerate((0o000, 0o777)):
        log = tmp_path / str(number)
        log.mkdir()
        before = os.umask(umask)
        files = written(log, "one")
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", broken)
            keep(files, "two")
            with pytest.raises(OSError, match="broken"):
                files.flush()
        files.flush()
        os.umask(before)
        modes += [mode(log / "words"), mode(path_of(log))]

    assert modes == [0o700, 0o600, 0o700, 0o600]


def test_nothing_is_written_before_the_flush(tmp_path: Path) -> None:
    files = ContentFiles(tmp_path)
    keep(files, "one")
    assert list(tmp_path.iterdir()) == []

    files.flush()
    keep(files, "two")
    assert texts(tmp_path) == ["one"]


def test_a_flush_without_content_writes_nothing(tmp_path: Path) -> None:
    files = ContentFiles(tmp_path)
    files.flush()
    assert list(tmp_path.iterdir()) == []

    keep(files, "one")
    files.flush()
    data = path_of(tmp_path).read_bytes()
    files.flush()
    assert path_of(tmp_path).read_bytes() == data


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of files and folders in the order in which they are synced."""
    names: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    return names


def test_all_is_on_the_disk_when_the_flush_returns(tmp_path: Path, synced: list[str]) -> None:
    """A new file is synced, then the folders that name it; later the file alone."""
    files = written(tmp_path, "one", "two")
    assert synced == [file_name(CALL), "words", tmp_path.name]

    keep(files, "three")
    files.flush()
    assert synced[3:] == [file_name(CALL)]


def test_a_file_that_takes_the_place_of_another_is_synced_with_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[str]
) -> None:
    files = written(tmp_path, "one")
    keep(files, "two")
    fail(files, unsynced, monkeypatch)
    synced.clear()
    files.flush()

    assert synced == [file_name(CALL).replace(".jsonl", ".copy"), file_name(CALL), "words", tmp_path.name]


def test_each_conversation_has_a_file_and_a_key_of_its_own(tmp_path: Path) -> None:
    files = ContentFiles(tmp_path)
    hmacs = {files.keep(call, "text", "yes")[1] for call in ("relay/a", "relay/b")}
    keep(files, "no", conversation="relay/a")
    files.flush()

    assert len(list((tmp_path / "words").iterdir())) == 2
    assert (texts(tmp_path, "relay/a"), texts(tmp_path, "relay/b")) == (["yes", "no"], ["yes"])
    assert key_in(tmp_path, "relay/a") != key_in(tmp_path, "relay/b")
    assert len(hmacs) == 2


@pytest.mark.parametrize(
    ("conversation", "recorded"),
    [
        ("relay/../../etc/passwd", "relay/../../etc/passwd"),
        ("relay/a\nb\x00", "relay/a\nb\x00"),
        ("relay/" + "\x01" * 256, "relay/" + "\x01" * 256),
        ("relay/grüße 🙂", "relay/grüße 🙂"),
        ("replay/caf\udce9", "replay/caf?"),
        ("", ""),
    ],
)
def test_a_conversation_may_have_any_name(tmp_path: Path, conversation: str, recorded: str) -> None:
    """The file is found again by it, and names it as records do."""
    for text in ("one", "two"):
        written(tmp_path, text, conversation=conversation)

    (path,) = (tmp_path / "words").iterdir()
    assert path == path_of(tmp_path, conversation)
    assert lines(tmp_path, conversation)[0]["conversation"] == recorded
    assert texts(tmp_path, conversation) == ["one", "two"]
    assert ContentFiles(tmp_path).erase(conversation).texts == 2


def test_the_keys_of_few_files_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are read again from their files, also where lines wait to be written."""
    monkeypatch.setattr(content_files, "KEYS_KEPT", 3)
    files = ContentFiles(tmp_path)
    calls = [f"relay/{number}" for number in range(10)]
    for text in ("one", "two"):
        for call in calls:
            keep(files, text, conversation=call)
        for call in calls:
            keep(files, f"{text} more", conversation=call)
        files.flush()

    assert len(files._files) == 3
    assert {tuple(texts(tmp_path, call)) for call in calls} == {("one", "one more", "two", "two more")}


# Gone on with ---------------------------------------------------------------------------------------------


def test_another_run_goes_on_with_the_file_and_its_key(tmp_path: Path) -> None:
    written(tmp_path, "one")
    key = key_in(tmp_path)
    written(tmp_path, "two")

    assert (texts(tmp_path), key_in(tmp_path)) == (["one", "two"], key)


@pytest.mark.parametrize("torn", [1, 10, 60])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: int) -> None:
    """No record names it, since a file is flushed before its record."""
    written(tmp_path, "one", "two")
    key = key_in(tmp_path)
    os.truncate(path_of(tmp_path), path_of(tmp_path).stat().st_size - torn)
    written(tmp_path, "three")

    assert (texts(tmp_path), key_in(tmp_path)) == (["one", "three"], key)


@pytest.mark.parametrize("left", [b"", b'{"schema":"steno.wor'])
def test_a_file_whose_first_line_is_torn_is_begun_anew(tmp_path: Path, left: bytes) -> None:
    written(tmp_path, "one")
    path_of(tmp_path).write_bytes(left)
    written(tmp_path, "two")

    assert texts(tmp_path) == ["two"]
    assert list((tmp_path / "words").iterdir()) == [path_of(tmp_path)]


HEADER = '{"schema":"steno.words/1","conversation":"relay/call-1","key":"%s"}\n'


@pytest.mark.parametrize(
    "content",
    [
        "a note\n",
        HEADER % "00",
        HEADER % ("x" * 64),
        (HEADER % ("0" * 64)).replace("call-1", "call-2"),
        (HEADER % ("0" * 64)).replace("words/1", "words/2"),
        '{"conversation":' + "[" * 100_000 + "\n",
    ],
)
def test_a_file_that_somebody_else_wrote_is_set_aside(tmp_path: Path, content: str) -> None:
    path = path_of(tmp_path)
    path.parent.mkdir()
    path.write_text(content)
    written(tmp_path, "one")

    assert texts(tmp_path) == ["one"]
    assert path.with_suffix(".damaged").read_text() == content


def test_a_file_that_cannot_be_read_is_an_error_and_left_alone(tmp_path: Path) -> None:
    path_of(tmp_path).mkdir(parents=True)

    with pytest.raises(IsADirectoryError):
        ContentFiles(tmp_path).keep(CALL, "text", "one")
    assert path_of(tmp_path).is_dir()


# Failed ---------------------------------------------------------------------------------------------------


def half_written(patched: pytest.MonkeyPatch) -> None:
    """Write half of the data before the disk is full."""
    write = os.write

    def fail(descriptor: int, data: bytes) -> int:
        write(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "broken")

    patched.setattr(os, "write", fail)


def unsynced(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(os, "fsync", broken)


def unopened(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(os, "open", broken)


def unnamed(patched: pytest.MonkeyPatch) -> None:
    """Write files, but fail to sync the folder."""
    patched.setattr(content_files, "sync_folder", broken)


FAILURES = [half_written, unsynced, unopened, unnamed]


def fail(files: ContentFiles, failure: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        failure(patched)
        with pytest.raises(OSError, match="broken"):
            files.flush()


@pytest.mark.parametrize("failure", FAILURES)
def test_a_flush_that_failed_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """However often, and with more texts meanwhile: each is there once, in order."""
    files = ContentFiles(tmp_path)
    for text in ("one", "two"):
        keep(files, text)
        fail(files, failure, monkeypatch)
    files.flush()
    assert texts(tmp_path) == ["one", "two"]

    keep(files, "three")
    files.flush()
    assert texts(tmp_path) == ["one", "two", "three"]
    assert list((tmp_path / "words").iterdir()) == [path_of(tmp_path)]


@pytest.mark.parametrize("failure", [half_written, unsynced, unopened])
def test_texts_that_were_there_before_a_flush_failed_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Callable[[pytest.MonkeyPatch], None]
) -> None:
    files = written(tmp_path, "one")
    key = key_in(tmp_path)
    for text in ("two", "three"):
        keep(files, text)
        fail(files, failure, monkeypatch)
        assert list((tmp_path / "words").iterdir()) == [path_of(tmp_path)]
    files.flush()

    assert (texts(tmp_path), key_in(tmp_path)) == (["one", "two", "three"], key)
    assert list((tmp_path / "words").iterdir()) == [path_of(tmp_path)]


def test_after_a_sync_that_failed_the_texts_go_into_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may have dropped what it could not write, and the next sync would not fail."""
    files = written(tmp_path, "one")
    before = path_of(tmp_path).open("rb")  # so that the number of the file is not given out again
    with before:
        keep(files, "two")
        fail(files, unsynced, monkeypatch)
        files.flush()

        assert texts(tmp_path) == ["one", "two"]
        assert path_of(tmp_path).stat().st_ino != os.fstat(before.fileno()).st_ino


def test_files_that_were_written_are_not_written_again_where_another_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = written(tmp_path, "one", conversation="relay/b")
    keep(files, "one", conversation="relay/a")
    keep(files, "two", conversation="relay/b")
    put = content_files._put

    def put_all_but_b(path: Path, how: int, data: bytes) -> None:
        if path == path_of(tmp_path, "relay/b"):
            broken()
        put(path, how, data)

    with monkeypatch.context() as patched:
        patched.setattr(content_files, "_put", put_all_but_b)
        with pytest.raises(OSError, match="broken"):
            files.flush()
    assert texts(tmp_path, "relay/a") == ["one"]

    files.flush()
    assert (texts(tmp_path, "relay/a"), texts(tmp_path, "relay/b")) == (["one"], ["one", "two"])


# Erased ---------------------------------------------------------------------------------------------------


def test_an_erasure_removes_the_texts_and_the_key(tmp_path: Path) -> None:
    files = written(tmp_path, "one", "two")
    keep(files, "other", conversation="relay/b")
    files.flush()
    size = path_of(tmp_path).stat().st_size

    assert files.erase(CALL) == RemovedFile(file_name(CALL), 2, size)
    assert list((tmp_path / "words").iterdir()) == [path_of(tmp_path, "relay/b")]
    assert files.erase(CALL) == RemovedFile(file_name(CALL), 0, 0)


def test_an_erasure_is_on_the_disk_when_it_returns(tmp_path: Path, synced: list[str]) -> None:
    files = written(tmp_path, "one")
    synced.clear()
    files.erase(CALL)

    assert synced == ["words"]


def test_another_run_can_erase(tmp_path: Path) -> None:
    written(tmp_path, "one")
    assert ContentFiles(tmp_path).erase(CALL).texts == 1

    assert list((tmp_path / "words").iterdir()) == []


def test_there_need_be_nothing_to_erase(tmp_path: Path) -> None:
    assert ContentFiles(tmp_path).erase(CALL) == RemovedFile(file_name(CALL), 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_texts_that_are_not_written_yet_are_erased_too(tmp_path: Path) -> None:
    """Nothing is written for that."""
    files = written(tmp_path, "one")
    keep(files, "two")
    keep(files, "one", conversation="relay/b")

    assert [files.erase(CALL).texts, files.erase("relay/b").texts] == [2, 1]
    files.flush()
    assert list((tmp_path / "words").iterdir()) == []


def test_files_that_failures_left_are_erased_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a writer that died, and a file that was set aside."""
    files = written(tmp_path, "one")
    keep(files, "two")
    fail(files, unsynced, monkeypatch)
    for suffix in (".copy", ".damaged"):
        path_of(tmp_path).with_suffix(suffix).write_text("content")

    assert files.erase(CALL).texts == 2
    assert list((tmp_path / "words").iterdir()) == []


def test_texts_after_an_erasure_get_a_new_key(tmp_path: Path) -> None:
    files = written(tmp_path, "one")
    key = key_in(tmp_path)
    files.erase(CALL)
    keep(files, "two")
    files.flush()

    assert texts(tmp_path) == ["two"]
    assert key_in(tmp_path) != key


def test_texts_that_were_erased_before_they_were_written_do_not_come_back(tmp_path: Path) -> None:
    files = ContentFiles(tmp_path)
    _, first = files.keep(CALL, "text", "yes")
    files.erase(CALL)
    _, second = files.keep(CALL, "text", "yes")
    files.flush()

    assert [line["hmac"] for line in lines(tmp_path)[1:]] == [second]
    assert second != first


def test_another_process_may_erase_while_nothing_waits_here(tmp_path: Path) -> None:
    """Texts from then on have another key."""
    files = written(tmp_path, "one")
    key = key_in(tmp_path)
    ContentFiles(tmp_path).erase(CALL)
    keep(files, "two")
    files.flush()

    assert texts(tmp_path) == ["two"]
    assert key_in(tmp_path) != key


def test_a_file_that_somebody_deleted_is_begun_anew(tmp_path: Path) -> None:
    """With another key. Texts from before go with the file, written or not."""
    files = written(tmp_path, "one")
    key = key_in(tmp_path)
    keep(files, "two")
    path_of(tmp_path).unlink()
    path_of(tmp_path).parent.rmdir()
    files.flush()
    assert list(tmp_path.iterdir()) == []

    keep(files, "three")
    files.flush()
    assert texts(tmp_path) == ["three"]
    assert key_in(tmp_path) != key


def test_a_file_that_somebody_deleted_before_it_was_written_can_be_erased(tmp_path: Path) -> None:
    files = written(tmp_path, "one")
    keep(files, "two")
    path_of(tmp_path).unlink()

    assert files.erase(CALL).file == file_name(CALL)
    files.flush()
    assert list((tmp_path / "words").iterdir()) == []
