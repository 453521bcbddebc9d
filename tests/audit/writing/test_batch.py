"""A batch numbers and chains what waits, and remembers the checkpoint and the end of segment that it holds."""

import msgspec

from steno.audit import log_records
from steno.audit.record import GENESIS, link
from steno.audit.writing.batch import Batch, ChainHead, Rollover
from tests.audit.helpers import AT, chained, said, terms


def test_records_are_numbered_and_chained() -> None:
    batch = Batch(0, GENESIS, None)
    for number in (1, 2, 3):
        batch.add(said(number))

    lines, hashes = chained(3)
    assert (batch.lines, batch.seq, batch.head) == (lines, 3, hashes[-1])
    assert batch.size == len(b"".join(lines))


def test_records_are_hashed_under_the_key_of_their_segment() -> None:
    batch = Batch(6, b"h" * 32, b"key")
    batch.add(said(1))

    assert (batch.lines[0], batch.head) == link(7, said(1), b"h" * 32, b"key")


def test_a_checkpoint_names_the_record_before_it() -> None:
    batch = Batch(6, b"h" * 32, None)
    batch.add_checkpoint(AT)

    assert batch.checkpoint == ChainHead(6, b"h" * 32, AT)
    assert msgspec.json.decode(batch.lines[0])["body"] == {"last_seq": 6, "last_hash": b"h".hex() * 32}


def test_the_end_of_a_segment_is_its_last_record() -> None:
    rollover = Rollover(AT, "rotated", terms())
    batch = Batch(6, b"h" * 32, None)
    batch.end_segment(rollover)

    assert batch.rollover is rollover
    assert batch.lines == [link(7, log_records.closed(AT, "rotated"), b"h" * 32)[0]]
