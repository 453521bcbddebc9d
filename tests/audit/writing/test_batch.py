"""A batch numbers and chains what waits, and remembers the checkpoint and the end of segment that it holds."""

import msgspec

from steno.audit import log_records
from steno.audit.record import GENESIS, link
from steno.audit.writing.batch import Batch, ChainHead, CheckpointMark, Rollover, records_from
from tests.audit.helpers import AT, chained, said, terms


def test_records_are_numbered_and_chained() -> None:
    batch = Batch(0, GENESIS, None)
    for number in (1, 2, 3):
        batch.add(said(number))

    lines, hashes = chained(3)
    assert (bytes(batch.lines), batch.seq, batch.head) == (b"".join(lines), 3, hashes[-1])


def test_records_are_taken_until_the_lines_are_long_enough() -> None:
    lines, hashes = chained(3)
    batch = Batch(0, GENESIS, None)
    entries = [said(number) for number in (1, 2, 3)]

    assert batch.add_all(entries, len(lines[0]) + 1) == 2
    assert (bytes(batch.lines), batch.seq, batch.head) == (b"".join(lines[:2]), 2, hashes[1])
    assert batch.add_all(entries[2:], len(batch.lines)) == 0
    assert batch.add_all(entries[2:], len(batch.lines) + 1) == 1
    assert (bytes(batch.lines), batch.seq, batch.head) == (b"".join(lines), 3, hashes[2])


def test_records_that_stand_together_end_at_a_mark() -> None:
    mark = CheckpointMark(AT)
    entries = [said(1), said(2), mark, mark, said(3)]

    assert [records_from(entries, first) for first in (0, 1, 4)] == [[said(1), said(2)], [said(2)], [said(3)]]


def test_records_are_hashed_under_the_key_of_their_segment() -> None:
    batch = Batch(6, b"h" * 32, b"key")
    batch.add(said(1))

    assert (bytes(batch.lines), batch.head) == link(7, said(1), b"h" * 32, b"key")


def test_a_checkpoint_names_the_record_before_it() -> None:
    batch = Batch(6, b"h" * 32, None)
    batch.add_checkpoint(AT)

    assert batch.checkpoint == ChainHead(6, b"h" * 32, AT)
    assert msgspec.json.decode(batch.lines)["body"] == {"last_seq": 6, "last_hash": b"h".hex() * 32}


def test_the_end_of_a_segment_is_its_last_record() -> None:
    rollover = Rollover(AT, "rotated", terms())
    batch = Batch(6, b"h" * 32, None)
    batch.end_segment(rollover)

    assert batch.rollover is rollover
    assert bytes(batch.lines) == link(7, log_records.closed(AT, "rotated"), b"h" * 32)[0]
