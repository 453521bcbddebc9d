"""An erasure: what is removed, what is recorded, what a terminal shows, and when nothing is done."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from steno.audit.content_policy import BodyEncoder, ContentPolicy
from steno.audit.content_store.erase import Erasure, describe, erase_content
from steno.audit.content_store.files import file_name
from steno.audit.writing.log import AuditLog
from steno.errors import UnavailableError, UsageError
from tests.audit.content_store.helpers import CALL, ContentLog
from tests.audit.helpers import AT, broken, opened, records

GONE = "2 texts of {} are erased, and the key that proved them"
ERASURE = Erasure(file_name(CALL), 2, 300, held=True, chained=0)


def erased(log: ContentLog, *, partial: bool = False) -> Erasure:
    log.log.close(AT)
    return erase_content(log.directory, lambda: opened(log.directory), CALL, AT, partial=partial)


def test_an_erasure_removes_the_file_and_is_recorded(tmp_path: Path) -> None:
    log = ContentLog(tmp_path / "log")
    log.record("a", "b")
    size = log.file.stat().st_size

    erasure = erased(log)

    assert erasure == replace(ERASURE, size=size)
    assert (erasure.found, erasure.complete, log.file.exists()) == (True, True, False)
    record = records(log.directory)[-2]
    assert (record["fact"], record["conversation"], record["body"]) == (
        "content.erased",
        CALL,
        {"file": file_name(CALL), "texts": 2, "bytes": size, "chained": 0},
    )


def test_a_key_in_the_name_of_a_conversation_is_masked_in_the_record() -> None:
    assert b'"conversation":"relay/***"' in ERASURE.entry(AT, "relay/sk-0123456789abcdef")


def test_where_there_is_nothing_to_erase_the_log_is_not_opened(tmp_path: Path) -> None:
    log = ContentLog(tmp_path / "log")
    log.log.close(AT)

    erasure = erase_content(log.directory, lambda: pytest.fail("opened"), CALL, AT, partial=False)

    assert erasure == Erasure(file_name(CALL), 0, 0, held=False, chained=0)
    assert (erasure.found, erasure.complete) == (False, False)


def test_a_file_that_somebody_removed_is_recorded_as_erased(tmp_path: Path) -> None:
    """Its records name it, so the log has to say where it is."""
    log = ContentLog(tmp_path / "log")
    log.record("a")
    log.file.unlink()

    assert erased(log) == Erasure(file_name(CALL), 0, 0, held=True, chained=0)
    assert records(log.directory)[-2]["fact"] == "content.erased"


def test_content_in_records_is_left_alone_but_for_a_partial_erasure(tmp_path: Path) -> None:
    log = ContentLog(tmp_path / "log")
    log.record("a")
    log.bodies = BodyEncoder(ContentPolicy.of("full"))
    log.record("b", "c")

    with pytest.raises(UsageError) as raised:
        erased(log)

    assert str(raised.value) == (
        f"words of {CALL} stand in 2 records of the log itself, from record 3 on, where they cannot be erased: "
        "retention alone lets them go. With --partial, what stands in files is erased. With audit.content_files, words "
        "are kept in files from then on"
    )
    assert log.file.exists()
    erasure = erased(log, partial=True)
    assert (erasure.texts, erasure.chained, erasure.found, erasure.complete) == (1, 2, True, False)
    assert not log.file.exists()


def test_a_file_that_cannot_be_removed_is_an_error_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ContentLog(tmp_path / "log")
    log.record("a")
    log.log.close(AT)

    def open_log() -> AuditLog:
        monkeypatch.setattr(os, "unlink", broken)
        return opened(log.directory)

    with pytest.raises(UnavailableError) as raised:
        erase_content(log.directory, open_log, CALL, AT, partial=False)

    assert str(raised.value) == f"cannot erase in {log.directory}: broken"


@pytest.mark.parametrize(
    ("erasure", "line"),
    [
        (replace(ERASURE, held=False), "no words of {} are kept: nothing was erased"),
        (ERASURE, GONE),
        (
            replace(ERASURE, held=False, in_memory=True, chained=1),
            f"{GONE}; so are those in the memory of the daemon; 1 record of the log itself still holds words",
        ),
    ],
    ids=["nothing", "a file", "memory, and records"],
)
def test_a_terminal_shows_what_was_erased_and_what_is_left(erasure: Erasure, line: str) -> None:
    assert describe(CALL, erasure) == line.format(CALL)
