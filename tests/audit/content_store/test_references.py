"""The content of a conversation in the records of a log: texts, digests, and names of content files."""

from pathlib import Path

import pytest

from steno.audit.content_policy import BodyEncoder, ContentPolicy
from steno.audit.content_store.references import ContentReferences, content_fields, content_references
from tests.audit.content_store.helpers import CALL, ContentLog

NOTHING = ContentReferences(chained=0, first_seq=None, in_files=False)
IN_FILES = ContentReferences(chained=0, first_seq=None, in_files=True)


def test_records_with_texts_of_the_conversation_are_counted(tmp_path: Path) -> None:
    """A conversation whose key begins with that of another one is not that one."""
    log = ContentLog(tmp_path / "log", in_files=False)
    log.record("a", "b")
    log.record("c", conversation=CALL + "0")

    assert content_references(log.directory, CALL) == ContentReferences(chained=2, first_seq=2, in_files=False)
    assert content_references(log.directory, "relay/nobody") == NOTHING


def test_a_content_file_counts_until_it_is_erased_and_again_when_there_is_a_new_one(tmp_path: Path) -> None:
    log = ContentLog(tmp_path / "log")
    log.record("a")
    found = [content_references(log.directory, CALL)]
    log.erase()
    found.append(content_references(log.directory, CALL))
    log.record("b")
    found.append(content_references(log.directory, CALL))

    assert found == [IN_FILES, NOTHING, IN_FILES]
    assert content_references(log.directory, "relay/nobody") == NOTHING


@pytest.mark.parametrize(
    ("digest_key", "expected"),
    [(None, NOTHING), (b"k" * 32, ContentReferences(chained=1, first_seq=2, in_files=False))],
    ids=["a length", "a digest"],
)
def test_a_digest_counts_as_content_and_a_length_does_not(
    tmp_path: Path, digest_key: bytes | None, expected: ContentReferences
) -> None:
    """Who has the key can confirm a guess by a digest."""
    log = ContentLog(tmp_path / "log")
    log.bodies = BodyEncoder(ContentPolicy.of("none"), digest_key=digest_key)
    log.record("a")

    assert content_references(log.directory, CALL) == expected


@pytest.mark.parametrize("line", [b" torn", b'"body":{"a":' + b"[" * 100_000], ids=["torn", "nested too deep"])
def test_a_segment_that_is_empty_and_a_line_that_is_no_record_are_skipped(tmp_path: Path, line: bytes) -> None:
    log = ContentLog(tmp_path / "log")
    log.record("a")
    (log.directory / f"audit-{99:020}.jsonl").write_bytes(b"")
    (log.directory / f"audit-{98:020}.jsonl").write_bytes(b'{"seq":98,"conversation":"relay/call-1",' + line)

    assert content_references(log.directory, CALL) == IN_FILES


def test_content_fields_are_found_at_any_depth() -> None:
    one, two = {"kind": "text", "length": 1}, {"kind": "output", "length": 2, "file": "0f.jsonl"}
    body = {"text": one, "calls": [{"output": two}, {"kind": "function"}], "length": 7}

    assert list(content_fields(body)) == [one, two]
