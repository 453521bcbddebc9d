"""A folder or segments are read from the disk; a path that holds no log is named."""

import os
from pathlib import Path

import pytest

from steno.audit.record import LINE_BYTES, segment_name
from steno.audit.verification import files as room
from steno.audit.verification.files import describe, read_keys, verify
from steno.audit.verification.report import ClaimedDamage, Fault, Reason
from steno.audit.verification.trust import KnownHead, Trust
from steno.errors import DataError, UsageError
from tests.audit.helpers import AT, files, opened, said, write
from tests.audit.tampered_log import TamperedLog


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the folder of a log of three segments."""
    write(tmp_path / "log", range(4), segment_bytes=1000)
    write(tmp_path / "log", range(4, 6))
    return tmp_path / "log"


def test_a_folder_holds(log: Path) -> None:
    report = verify([log])

    assert (report.ok, report.segments, report.first_seq, report.last_seq) == (True, 3, 1, 12)
    assert describe(report)[:3] == [
        "the audit log holds",
        "proved    12 records in 3 segments",
        "records   1 to 12",
    ]


def test_a_folder_under_a_key_holds(tmp_path: Path) -> None:
    write(tmp_path, [1], key=b"key")
    (tmp_path / "key").write_bytes(b"key\n")

    assert verify([tmp_path], trust=Trust(keys=read_keys([tmp_path / "key"]))).ok
    assert not verify([tmp_path]).ok


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: no such file or directory"), (b"\n", "is empty"), (b"\xff", "is not UTF-8")],
)
def test_a_key_that_cannot_be_used_is_named_by_its_file(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)

    with pytest.raises(DataError) as raised:
        read_keys([tmp_path / "key"])

    assert str(raised.value) == f"cannot use the key in {tmp_path / 'key'}: {reason}"


def test_a_known_head_finds_a_tail_that_is_missing(log: Path) -> None:
    head = KnownHead(12, bytes.fromhex(verify([log]).head or ""))
    (log / list(files(log))[-1]).unlink()

    assert verify([log]).ok
    assert verify([log], trust=Trust(heads=(head,))).fault == Fault(list(files(log))[-1], 4, 9, Reason.CUT, "record 12")


def test_segments_hold_in_any_order_relative_to_the_hash_before_them(log: Path) -> None:
    first, second, third = (log / name for name in files(log))

    assert verify([third, second]).first_seq == 6
    assert verify([third, second]).ok
    assert verify([second]).ok
    assert verify([first]).previous == "0" * 64
    assert any("relative to the hash" in line for line in describe(verify([second])))


def test_segments_that_do_not_follow_each_other_do_not_hold(log: Path) -> None:
    first, _, third = (log / name for name in files(log))

    assert verify([first, third]).fault == Fault(third.name, 1, 6, Reason.MISSING)
    assert verify([first, first]).fault == Fault(first.name, 1, 6, Reason.NUMBER)


def test_the_first_fault_is_named_with_the_last_record_before_it(log: Path) -> None:
    second = log / list(files(log))[1]
    second.write_bytes(second.read_bytes().replace(b"item_3", b"item_4"))

    report = verify([log])

    assert report.fault == Fault(second.name, 2, 7, Reason.HASH)
    assert report.last_seq == 6


@pytest.mark.parametrize("number", range(2))
def test_a_segment_that_was_renamed_is_missing(log: Path, number: int) -> None:
    """Not so the newest: only a known head finds a tail that was cut off."""
    path = log / list(files(log))[number]
    path.rename(path.with_suffix(".bak"))

    report = verify([log])

    assert report.fault is not None
    assert report.fault.reason == (Reason.MISSING if number else Reason.BEGINNING)


def test_a_torn_last_line_does_not_hold_until_the_next_start_cuts_it_off(log: Path) -> None:
    newest = log / list(files(log))[-1]
    os.truncate(newest, newest.stat().st_size - 10)

    report = verify([log])

    assert report.fault == Fault(newest.name, 4, 12, Reason.TORN)
    assert any("its next start mends it" in line for line in describe(report))
    opened(log).close(AT)
    assert verify([log]).ok


def test_a_log_that_is_being_written_holds_up_to_its_last_flush(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append(said(1))
        log.flush()
        log.append(said(2))

        assert verify([tmp_path]).last_seq == log.flushed_seq == 2


@pytest.mark.parametrize(("number", "damage"), [(0, "truncated"), (1, "deleted"), (1, "changed")])
def test_the_damage_that_the_log_records_of_a_segment_at_fault_is_reported(
    tmp_path: Path, number: int, damage: str
) -> None:
    """A segment that was cut at its end, or deleted, is a fault of the next one."""
    log = TamperedLog().begin().add(said(1)).begin().add(said(2))
    name = list(log.held)[number]
    log.begin().record("log.damaged", segment=name, damage=damage, last_seq=9)
    for each, held in log.held.items():
        (tmp_path / each).write_bytes(held)
    _damage(tmp_path / name, damage)

    report = verify([tmp_path])

    assert report.fault is not None
    assert report.damage == ClaimedDamage(name, damage)  # type: ignore[arg-type]  # the parameters are of the closed list


def _damage(path: Path, damage: str) -> None:
    held = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(held[: held.index(b"\n") + 1])
    else:
        path.write_bytes(held.replace(b"item_2", b"item_3"))


def test_a_line_that_is_too_long_is_not_a_torn_one(log: Path) -> None:
    newest = log / list(files(log))[-1]
    with newest.open("ab") as file:
        file.write(b"x" * LINE_BYTES)

    report = verify([log])

    assert report.fault == Fault(newest.name, 5, 13, Reason.LONG)


def test_all_bytes_are_reported_as_progress(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PROGRESS_BYTES", 500)
    read: list[int] = []

    verify([log], read.append)

    assert sum(read) == sum(map(len, files(log).values()))
    assert len(read) > 3


def test_a_path_without_a_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(DataError, match=f"{tmp_path} holds no audit log"):
        verify([tmp_path])
    with pytest.raises(DataError, match=r"notes\.txt is no segment"):
        verify([tmp_path / "notes.txt"])
    with pytest.raises(DataError, match=r"cannot read .*audit-0+1\.jsonl: No such file"):
        verify([tmp_path / segment_name(1)])
    with pytest.raises(DataError, match="gone is no segment"):
        verify([tmp_path / "gone"])


def test_two_logs_are_not_verified_as_one(log: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one folder, or segments of one log"):
        verify([log, tmp_path])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(log: Path) -> None:
    (log / segment_name(1)).chmod(0)

    with pytest.raises(DataError, match="Permission denied"):
        verify([log])
