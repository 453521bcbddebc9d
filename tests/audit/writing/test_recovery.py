"""A log continues where its last whole record ends, and no step of the repair loses what was left."""

from pathlib import Path

import pytest

from steno.audit.directory import segments
from steno.audit.record import GENESIS, segment_name
from steno.audit.writing import recovery
from steno.audit.writing.recovery import Recovered, Torn, cut, recover
from steno.errors import DataError
from tests.audit.helpers import chained, files, opened, proved, records, said, write
from tests.audit.tampered_log import TamperedLog


def test_an_empty_folder_begins_at_the_beginning(tmp_path: Path) -> None:
    assert recover(tmp_path) == Recovered(0, GENESIS, 0)


def test_a_torn_end_stays_until_the_next_segment_records_it(tmp_path: Path) -> None:
    lines, hashes = chained(2)
    path = tmp_path / segment_name(1)
    path.write_bytes(b"".join(lines) + b'{"seq":3')
    torn = Torn(path, len(b"".join(lines)))

    assert recover(tmp_path) == Recovered(2, hashes[-1], 8, torn, hashes[0].hex())
    assert recover(tmp_path) == Recovered(2, hashes[-1], 8, torn, hashes[0].hex())
    cut(torn)
    assert recover(tmp_path) == Recovered(2, hashes[-1], 0, None, hashes[0].hex())
    assert path.read_bytes() == b"".join(lines)


def test_a_torn_end_that_was_recorded_and_not_cut_is_cut_and_not_recorded_again(tmp_path: Path) -> None:
    write(tmp_path, [1])
    whole = (tmp_path / segment_name(1)).read_bytes()
    (tmp_path / segment_name(1)).write_bytes(whole + b'{"se')
    opened(tmp_path).release()
    (tmp_path / segment_name(1)).write_bytes(whole + b'{"se')  # as if it had been killed before the cut

    opened(tmp_path).release()

    assert [record["body"].get("recovered_bytes") for record in records(tmp_path)] == [0, None, None, 4, 0]
    assert proved(files(tmp_path)).ok


def test_a_log_is_named_by_its_first_record_wherever_that_is_repeated(tmp_path: Path) -> None:
    write(tmp_path, [1])
    named = records(tmp_path)[0]["hash"]
    write(tmp_path, [2])
    write(tmp_path, [3])

    assert recover(tmp_path).log_id == named
    (tmp_path / segment_name(1)).unlink()
    assert recover(tmp_path).log_id == named


def test_a_log_of_an_older_edition_without_its_first_record_is_named_by_the_hash_before_what_is_left(
    tmp_path: Path,
) -> None:
    log = TamperedLog(9, b"w" * 32).begin().add(said(1)).end()
    for name, held in log.held.items():
        (tmp_path / name).write_bytes(held)

    for _ in range(2):
        with opened(tmp_path) as later:
            assert later.log_id == (b"w" * 32).hex()
    assert [record["body"].get("log_id") for record in records(tmp_path) if record["fact"] == "log.opened"] == [
        None,
        (b"w" * 32).hex(),
        (b"w" * 32).hex(),
    ]


@pytest.mark.parametrize("scribbled", [b"x", b'{"seq":4', b"no record\n"])
def test_what_no_segment_records_is_left_for_verification_to_find(tmp_path: Path, scribbled: bytes) -> None:
    """No writer that died left it. To cut it off would hide that somebody wrote there."""
    write(tmp_path, [1])
    write(tmp_path, [2])
    with (tmp_path / segment_name(1)).open("ab") as file:
        file.write(scribbled)

    write(tmp_path, [3])

    assert files(tmp_path)[segment_name(1)].endswith(scribbled)
    assert not proved(files(tmp_path)).ok


@pytest.mark.parametrize("content", [b"", b'{"seq":3'])
def test_a_segment_that_was_hardly_begun_is_deleted(tmp_path: Path, content: bytes) -> None:
    lines, hashes = chained(2)
    (tmp_path / segment_name(1)).write_bytes(b"".join(lines))
    (tmp_path / segment_name(3)).write_bytes(content)

    assert recover(tmp_path) == Recovered(2, hashes[-1], len(content), None, hashes[0].hex())
    assert [path.name for path in segments(tmp_path)] == [segment_name(1)]


def test_a_log_that_was_hardly_begun_is_deleted(tmp_path: Path) -> None:
    (tmp_path / segment_name(1)).write_bytes(b"{")

    assert recover(tmp_path) == Recovered(0, GENESIS, 1)
    assert segments(tmp_path) == []


@pytest.mark.parametrize("kept", [0, 1])
def test_a_log_is_not_continued_where_records_are_missing(tmp_path: Path, kept: int) -> None:
    """The name of an empty file promises records before it. That they are gone must not be covered up."""
    if kept:
        (tmp_path / segment_name(1)).write_bytes(b"".join(chained(1)[0]))
    (tmp_path / segment_name(3)).touch()

    for _ in range(2):
        with pytest.raises(DataError, match=r"the records before audit-0+3\.jsonl are missing"):
            recover(tmp_path)


@pytest.mark.parametrize(
    ("member", "other"), [(b"steno.audit/1", b"steno.audit/2"), (b'"algorithm":"sha256"', b'"algorithm":"blake3"')]
)
def test_a_log_that_another_version_wrote_in_another_form_is_not_continued(
    tmp_path: Path, member: bytes, other: bytes
) -> None:
    """After a rollback: records of ours behind it would make a log that no version can verify. Nothing is touched."""
    write(tmp_path, [1])
    path = tmp_path / segment_name(1)
    theirs = path.read_bytes().replace(member, other)
    path.write_bytes(theirs)

    with pytest.raises(DataError, match="another version of steno wrote it"):
        recover(tmp_path)

    assert path.read_bytes() == theirs
    assert [each.name for each in segments(tmp_path)] == [segment_name(1)]


def test_a_log_whose_oldest_segment_cannot_be_read_has_no_name(tmp_path: Path) -> None:
    """Nothing in it says which log it is."""
    path = tmp_path / segment_name(5)
    path.write_bytes(b"nonsense\n")

    assert recovery._log_id([path]) is None
