"""One writer numbers and chains records across segments and restarts, whatever ended the last one."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.audit.log_records import SegmentSettings
from steno.audit.record import entry, key_id, segment_name
from steno.audit.verification.report import Reason
from steno.audit.writing.batch import ChainHead
from steno.audit.writing.log import AuditLog
from steno.errors import UnavailableError
from tests.audit.helpers import AT, ZEROS, broken, fault, files, opened, outline, proved, records, said, terms, write

FIRST = segment_name(1)


def outline_of(segment: bytes) -> list[str]:
    """Return the records of one segment in short."""
    return [record["event_id"] or record["fact"] for record in map(json.loads, segment.splitlines())]


# What is written ------------------------------------------------------------------------------------------


def test_a_small_log_to_the_letter(tmp_path: Path) -> None:
    """The format is a promise: other programs read these bytes."""
    with opened(tmp_path) as log:
        log.append(said(7))
        log.close(AT + 1)

    assert files(tmp_path) == {
        FIRST: b'{"seq":1,"at":"2026-01-01T00:00:00.123456Z","fact":"log.opened","conversation":null,'
        b'"stream":null,"event_id":null,"body":{"schema":"steno.audit/1","version":"1.2.3","algorithm":"sha256","key_id":null,'
        b'"config_digest":"c0ffee","content_policy":"none","previous":"%b","recovered_bytes":0},'
        b'"hash":"cc850ceecc5d0a886e7a5f9ce3513a3f7cfe4de6fb7666d02297ad94b7138342"}\n'
        b'{"seq":2,"at":"2026-01-01T00:00:00.123456Z","fact":"item.added","conversation":"relay/a",'
        b'"stream":"relay/1/1","event_id":"event_7","body":{"item_id":"item_7"},'
        b'"hash":"d4a49013d75def6f0b20f0f42fa48045ef5952f5f3da78c9810faf98b32211f7"}\n'
        b'{"seq":3,"at":"2026-01-01T00:00:00.123457Z","fact":"log.closed","conversation":null,"stream":null,'
        b'"event_id":null,"body":{"reason":"closed"},'
        b'"hash":"3ac31c5eed2c1e52bdfeed57f21c20fb3a2301dce40af78d1829da6e246fa3a1"}\n' % ZEROS.encode()
    }


def test_each_segment_but_the_first_repeats_which_log_it_is(tmp_path: Path) -> None:
    """Those of the same start too, and those of later ones; the nonce stands in the first record alone."""
    for number in range(2):
        with AuditLog.open(tmp_path, terms(), at=AT, segment_bytes=1 << 20, nonce=f"{number:032x}") as log:
            log.rotate(AT)
            log.close(AT)

    first, *later = [record for record in records(tmp_path) if record["fact"] == "log.opened"]
    assert log.log_id == first["hash"]
    assert [first["body"].get(member) for member in ("log_id", "nonce")] == [None, "0" * 32]
    assert [record["body"]["log_id"] for record in later] == [first["hash"]] * 3
    assert all("nonce" not in record["body"] for record in later)
    assert proved(files(tmp_path)).log_id == first["hash"]


def test_a_stranger_can_recompute_the_chain(tmp_path: Path) -> None:
    """With ten lines, a hash function, and nothing of steno."""
    write(tmp_path, range(20), segment_bytes=1500)
    write(tmp_path, range(3))

    previous, seq = bytes(32), 0
    for path in sorted(tmp_path.glob("audit-*.jsonl")):
        for line in path.read_bytes().splitlines():
            proved, _, rest = line.rpartition(b',"hash":"')
            computed = hashlib.sha256(previous + proved)
            assert rest == computed.hexdigest().encode() + b'"}'
            previous, seq = computed.digest(), seq + 1
            assert json.loads(line)["seq"] == seq
    assert seq > 25


def test_a_log_without_times_has_none(tmp_path: Path) -> None:
    with opened(tmp_path, at=None, segment_bytes=600) as log:
        log.append(said(1, at=None))
        log.append(said(2, at=None))
        log.close(None)

    assert outline(tmp_path) == [
        "| log.opened",
        "event_1",
        "log.closed",
        "| log.opened",
        "event_2",
        "log.closed",
    ]
    assert {record["at"] for record in records(tmp_path)} == {None}


def test_a_log_under_a_key(tmp_path: Path) -> None:
    write(tmp_path, [1], key=b"key")

    body = records(tmp_path)[0]["body"]
    assert (body["algorithm"], body["key_id"]) == ("hmac-sha256", "fb478b72f9718acd")
    assert proved(files(tmp_path), key=b"key").ok


# Segments -------------------------------------------------------------------------------------------------


def test_a_segment_is_closed_by_its_size(tmp_path: Path) -> None:
    """What comes after opens the next one, whose records about the log have the time of what came."""
    with opened(tmp_path, segment_bytes=800) as log:
        for number in range(4):
            log.append(said(number, at=AT + number))
        log.close(AT + 9)

    assert outline(tmp_path) == [
        *("| log.opened", "event_0", "event_1", "log.closed"),
        *("| log.opened", "event_2", "event_3", "log.closed"),
    ]
    assert [record["body"] for record in records(tmp_path) if record["fact"] == "log.closed"] == [
        {"reason": "rotated"},
        {"reason": "closed"},
    ]
    assert [record["at"][20:-1] for record in records(tmp_path)] == [
        *("123456", "123456", "123457", "123458"),
        *("123458", "123458", "123459", "123465"),
    ]
    assert proved(files(tmp_path)).ok


def test_a_segment_holds_a_record_however_small_it_is_to_be(tmp_path: Path) -> None:
    write(tmp_path, range(3), segment_bytes=1)

    assert outline(tmp_path) == [
        *("| log.opened", "event_0", "log.closed"),
        *("| log.opened", "event_1", "log.closed"),
        *("| log.opened", "event_2", "log.closed"),
    ]
    assert proved(files(tmp_path)).ok


def test_rotating_ends_one_segment_and_begins_the_next(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append(said(1))
        log.rotate(AT + 5)
        assert log.path.name == FIRST
        assert list(files(tmp_path)) == [FIRST]  # nothing is done before it is flushed
        log.flush()
        assert log.path.name == segment_name(4)
        log.append(said(2))
        log.close(AT)

    assert outline(tmp_path) == [
        *("| log.opened", "event_1", "log.closed"),
        *("| log.opened", "event_2", "log.closed"),
    ]
    assert proved(files(tmp_path)).ok


def test_each_start_opens_a_segment_that_names_the_hash_before(tmp_path: Path) -> None:
    write(tmp_path, [1])
    write(tmp_path, [2])

    held = records(tmp_path)
    assert outline(tmp_path) == [
        *("| log.opened", "event_1", "log.closed"),
        *("| log.opened", "event_2", "log.closed"),
    ]
    assert [record["seq"] for record in held] == [1, 2, 3, 4, 5, 6]
    assert held[3]["body"]["previous"] == held[2]["hash"]
    assert proved(files(tmp_path)).ok


# Flushed --------------------------------------------------------------------------------------------------


def test_nothing_is_written_before_the_flush(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        before = files(tmp_path)
        log.append(said(1))
        log.append(said(2))
        assert (log.flushed_seq, log.flushed_records) == (1, 1)
        assert files(tmp_path) == before

        log.flush()
        assert (log.flushed_seq, log.flushed_records, log.unflushed_bytes) == (3, 3, 0)
        assert outline(tmp_path) == ["| log.opened", "event_1", "event_2"]
        assert log.head.hex() == records(tmp_path)[-1]["hash"]


def test_leaving_without_closing_writes_but_does_not_end_the_log(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append(said(1))

    assert outline(tmp_path) == ["| log.opened", "event_1"]
    write(tmp_path, [2])
    assert proved(files(tmp_path)).ok


def test_leaving_by_an_error_writes_too(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.append(said(1))
    with pytest.raises(KeyError), log:
        raise KeyError

    assert outline(tmp_path) == ["| log.opened", "event_1"]


def test_leaving_raises_where_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path)
    log.append(said(1))
    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(OSError, match="broken"), log:
        pass

    assert log.released


def test_leaving_by_an_error_raises_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path)
    log.append(said(1))
    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(KeyError), log:
        raise KeyError

    assert log.released


def test_a_closed_log_takes_nothing_more(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.close(AT)
    before = files(tmp_path)

    with pytest.raises(ValueError, match="has ended"):
        log.append(said(1))
    log.close(AT)
    log.flush()
    log.release()
    assert log.ended
    assert files(tmp_path) == before


# One writer -----------------------------------------------------------------------------------------------


def test_a_second_writer_in_this_process_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(UnavailableError, match="another steno writes the audit log"):
        opened(tmp_path)
    opened(tmp_path).close(AT)


SECOND = """
import sys
from pathlib import Path
from steno.errors import UnavailableError
from tests.audit.helpers import opened

try:
    opened(Path(sys.argv[1])).close(None)
except UnavailableError as error:
    sys.exit(str(error))
"""


def start_second(folder: Path) -> "subprocess.CompletedProcess[str]":
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", SECOND, str(folder)], capture_output=True, text=True, check=False, env=environ
    )


def test_a_second_process_is_refused_until_the_first_releases_the_folder(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        refused = start_second(tmp_path)
        log.close(AT)
    let_in = start_second(tmp_path)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"another steno writes the audit log in {tmp_path}: ")
    assert (let_in.returncode, let_in.stderr) == (0, "")
    assert outline(tmp_path) == ["| log.opened", "log.closed"] * 2


def test_a_log_that_cannot_be_opened_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="broken"):
            opened(tmp_path)

    opened(tmp_path).close(AT)
    assert outline(tmp_path) == ["| log.opened", "log.closed"]


def test_a_log_that_cannot_be_continued_is_released(tmp_path: Path) -> None:
    (tmp_path / FIRST).write_bytes(b"no record\n")
    for _ in range(2):
        with pytest.raises(Exception, match="not a record"):
            opened(tmp_path)


# Torn -----------------------------------------------------------------------------------------------------


def test_a_last_record_torn_at_any_byte_is_cut_off_and_the_chain_goes_on(tmp_path: Path) -> None:
    write(tmp_path / "made", [1, 2])
    whole = files(tmp_path / "made")[FIRST]
    start = whole.rindex(b'{"seq"')
    for end in range(start, len(whole)):
        folder = tmp_path / str(end)
        folder.mkdir()
        (folder / FIRST).write_bytes(whole[:end])
        if end > start:
            assert fault(files(folder)).reason == Reason.TORN

        write(folder, [3])

        assert outline(folder) == ["| log.opened", "event_1", "event_2", "| log.opened", "event_3", "log.closed"]
        assert records(folder)[3]["body"]["recovered_bytes"] == end - start
        report = proved(files(folder))
        assert (report.ok, report.recovered_bytes) == (True, end - start)


@pytest.mark.parametrize("kept", [0, 1, 40])
def test_a_segment_torn_in_its_first_line_is_begun_again(tmp_path: Path, kept: int) -> None:
    write(tmp_path, [1])
    write(tmp_path, [2])
    newest = tmp_path / segment_name(4)
    newest.write_bytes(newest.read_bytes()[:kept])

    write(tmp_path, [3])

    assert outline(tmp_path) == [
        *("| log.opened", "event_1", "log.closed"),
        *("| log.opened", "event_3", "log.closed"),
    ]
    report = proved(files(tmp_path))
    assert (report.ok, report.recovered_bytes) == (True, kept)


@pytest.mark.parametrize("kept", [0, 1, 40])
def test_a_log_torn_in_its_first_line_is_begun_again(tmp_path: Path, kept: int) -> None:
    write(tmp_path, [1])
    only = tmp_path / FIRST
    only.write_bytes(only.read_bytes()[:kept])

    write(tmp_path, [2])

    assert outline(tmp_path) == ["| log.opened", "event_2", "log.closed"]
    assert proved(files(tmp_path)).recovered_bytes == kept


# Failed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["write", "fdatasync", "open", "fsync"])
def test_what_could_not_be_written_is_written_by_the_next_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """In a segment, while the next one is made, and in that one: nothing is lost, doubled or out of order."""
    real = getattr(os, failing)
    failures = 0

    def fail_every_third_time(*args: object) -> object:
        nonlocal failures
        failures += 1
        if failures % 3 == 1:
            raise OSError(errno.ENOSPC, "full")
        return real(*args)

    with opened(tmp_path, segment_bytes=700) as log:
        for number in range(6):
            log.append(said(number))
        with monkeypatch.context() as patched:
            patched.setattr(os, failing, fail_every_third_time)
            while log.unflushed_bytes:
                try:
                    log.flush()
                except OSError:
                    assert proved(files(tmp_path)).ok or fault(files(tmp_path)).reason == Reason.UNBEGUN
        log.close(AT)

    assert failures >= 2
    assert [line for line in outline(tmp_path) if "event" in line] == [f"event_{number}" for number in range(6)]
    assert proved(files(tmp_path)).ok


def test_closing_may_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="broken"):
            log.close(AT)
        assert not log.ended
    log.close(AT)

    assert outline(tmp_path) == ["| log.opened", "| log.opened", "log.closed"]
    assert proved(files(tmp_path)).ok


def test_after_a_failed_sync_what_waits_is_numbered_anew_in_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failed segment holds what had counted, not a byte more."""
    with opened(tmp_path) as log:
        log.append(said(1))
        log.flush()
        counted = files(tmp_path)[FIRST]
        log.append(said(2, at=AT + 1))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", broken)
            for _ in range(3):
                with pytest.raises(OSError, match="broken"):
                    log.flush()
                assert (log.flushed_seq, files(tmp_path)) == (2, {FIRST: counted})
        log.close(AT + 2)

    assert outline(tmp_path) == ["| log.opened", "event_1", "| log.opened", "event_2", "log.closed"]
    assert [record["seq"] for record in records(tmp_path)] == [1, 2, 3, 4, 5]
    assert [record["at"][-4:] for record in records(tmp_path)] == ["456Z", "456Z", "457Z", "457Z", "458Z"]
    assert proved(files(tmp_path)).ok


# Checkpoints ----------------------------------------------------------------------------------------------


def test_a_checkpoint_names_the_record_before_it(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append(said(1))
        log.add_checkpoint(AT + 1)
        heads = [log.checkpoint]  # not before it is on the disk
        log.flush()
        heads.append(log.checkpoint)
        log.close(AT)

    held = records(tmp_path)
    assert held[2]["fact"] == "log.checkpoint"
    assert held[2]["body"] == {"last_seq": 2, "last_hash": held[1]["hash"]}
    assert heads == [None, ChainHead(2, bytes.fromhex(held[1]["hash"]), AT + 1)]
    assert proved(files(tmp_path)).ok


def test_a_checkpoint_that_begins_a_segment_names_its_opening(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.rotate(AT)
        log.add_checkpoint(AT)
        log.close(AT)

    held = records(tmp_path)
    assert outline(tmp_path) == ["| log.opened", "log.closed", "| log.opened", "log.checkpoint", "log.closed"]
    assert held[3]["body"] == {"last_seq": 3, "last_hash": held[2]["hash"]}


# Other settings -------------------------------------------------------------------------------------------


def test_a_new_segment_may_have_other_settings(tmp_path: Path) -> None:
    """The key too: from its first record on, and not before."""
    other = SegmentSettings(version="1.2.4", config_digest="beef", content_policy="redacted", key=b"other")
    with opened(tmp_path, key=b"key") as log:
        log.append(said(1))
        log.rotate(AT, other)
        log.append(said(2))
        log.rotate(AT, msgspec.structs.replace(other, config_digest="cafe"))
        log.close(AT)

    terms = ("version", "config_digest", "content_policy", "key_id")
    assert [
        tuple(record["body"][term] for term in terms) for record in records(tmp_path) if "schema" in record["body"]
    ] == [
        ("1.2.3", "c0ffee", "none", key_id(b"key")),
        ("1.2.4", "beef", "redacted", key_id(b"other")),
        ("1.2.4", "cafe", "redacted", key_id(b"other")),
    ]
    segments = list(files(tmp_path).values())
    assert proved({FIRST: segments[0]}, key=b"key").ok
    assert proved(dict(list(files(tmp_path).items())[1:]), whole=False, key=b"other").ok


def test_a_key_is_not_shown(tmp_path: Path) -> None:
    with opened(tmp_path, key=b"canary") as log:
        assert "canary" not in repr(log.settings)


# Damaged --------------------------------------------------------------------------------------------------


def replaced(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").rename(path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "renamed": lambda path: path.rename(path.with_name("old")),
    "replaced": replaced,
    "truncated": lambda path: os.truncate(path, 0),
    "changed": lambda path: os.truncate(path, 1 << 16),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_the_segment_is_recorded_in_a_new_one(tmp_path: Path, damage: str) -> None:
    """The next flush finds it. The log goes on, also at the next start, and does not verify."""
    with opened(tmp_path) as log:
        log.append(said(1))
        log.flush()
        DAMAGES[damage](tmp_path / FIRST)
        log.append(said(2))
        log.flush()
        found = [msgspec.structs.asdict(each) for each in log.damages()]
        log.append(said(3))
        log.close(AT)

    expected = {"segment": FIRST, "damage": damage, "last_seq": 2}
    newest = files(tmp_path)[segment_name(3)]
    assert found == [expected]
    assert outline_of(newest) == ["log.opened", "log.damaged", "event_2", "event_3", "log.closed"]
    assert json.loads(newest.splitlines()[1])["body"] == expected
    assert log.damages() == []

    write(tmp_path, [4])
    held = files(tmp_path)
    assert list(held)[-1] == segment_name(8)
    assert proved(held).ok == (damage == "replaced")  # by the same bytes


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_a_closed_segment_is_recorded_in_this_one(tmp_path: Path, damage: str) -> None:
    write(tmp_path, [1])
    with opened(tmp_path) as log:
        DAMAGES[damage](tmp_path / FIRST)
        log.add_checkpoint(AT)
        log.flush()
        log.add_checkpoint(AT)
        log.close(AT)

    assert outline_of(files(tmp_path)[segment_name(4)]) == [
        *("log.opened", "log.damaged", "log.checkpoint", "log.checkpoint", "log.closed")
    ]
    damaged = json.loads(files(tmp_path)[segment_name(4)].splitlines()[1])["body"]
    assert damaged == {"segment": FIRST, "damage": damage, "last_seq": 3}


def test_a_segment_that_was_closed_meanwhile_is_watched(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.rotate(AT)
        log.flush()
        os.truncate(tmp_path / FIRST, 10)
        log.add_checkpoint(AT)
        log.close(AT)

    assert [json.loads(line)["body"] for line in files(tmp_path)[segment_name(3)].splitlines()[1:2]] == [
        {"segment": FIRST, "damage": "truncated", "last_seq": 2}
    ]


def test_damage_is_recorded_once_however_often_the_write_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as log:
        (tmp_path / FIRST).unlink()
        log.append(said(1))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", broken)
            for _ in range(3):
                with pytest.raises(OSError, match="broken"):
                    log.flush()
        log.close(AT)

    assert outline(tmp_path) == ["| log.opened", "log.damaged", "event_1", "log.closed"]
    assert len(log.damages()) == 1
    assert log.unflushed_bytes == 0


# Any ------------------------------------------------------------------------------------------------------

NAMES = st.none() | st.text(max_size=20)
TIMES = st.none() | st.integers(0, 2**52)
ENTRIES = st.builds(entry, TIMES, st.just("x.y"), NAMES, NAMES, NAMES, st.sampled_from([b"{}", b'{"a":[1]}']))
STEPS = st.lists(st.sampled_from(["flush", "rotate", "start", "die"]) | ENTRIES, max_size=30)


@settings(deadline=None)
@given(STEPS, st.integers(1, 3000))
def test_any_life_of_a_log_verifies(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str | bytes], segment_bytes: int
) -> None:
    """Records come and are flushed, segments are closed, the writer starts again, or dies with what it held."""
    folder = tmp_path_factory.mktemp("log")
    log = opened(folder, segment_bytes=segment_bytes)
    for step in steps:
        match step:
            case "flush":
                log.flush()
            case "rotate":
                log.rotate(AT)
            case "start":
                log.close(AT)
                log = opened(folder, segment_bytes=segment_bytes)
            case "die":
                log.release()
                log = opened(folder, segment_bytes=segment_bytes)
            case bytes():
                log.append(step)
    log.close(AT)

    report = proved(files(folder))
    assert report.ok
    assert report.last_seq == log.flushed_seq
    assert report.head == log.head.hex()
