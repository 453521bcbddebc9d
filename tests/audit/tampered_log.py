"""Writes audit logs that are wrong, or that somebody forged: any record, any segment, with right hashes."""

from typing import Any

import msgspec

from steno.audit.record import GENESIS, algorithm, entry, key_id, link, segment_name
from tests.audit.helpers import AT

Segments = dict[str, bytes]


class TamperedLog:
    """Writes segments, and keeps their bytes by their names."""

    def __init__(self, seq: int = 1, previous: bytes = GENESIS, *, key: bytes | None = None) -> None:
        self.seq = seq
        self.head = previous
        self.key = key
        self.held: Segments = {}
        self._name = ""

    def begin(self, name: str | None = None, **changes: Any) -> "TamperedLog":
        """Begin a segment with `log.opened`, its body with `changes`."""
        self._name = name or segment_name(self.seq)
        self.held[self._name] = b""
        body = {
            "schema": "steno.audit/1",
            "version": "1.2.3",
            "algorithm": algorithm(self.key),
            "key_id": key_id(self.key),
            "config_digest": "c0ffee",
            "content_policy": "none",
            "previous": self.head.hex(),
            "recovered_bytes": 0,
        }
        return self.record("log.opened", **body | changes)

    def end(self) -> "TamperedLog":
        """End a segment in order."""
        return self.record("log.closed", reason="rotated")

    def checkpoint(self) -> "TamperedLog":
        """Add a checkpoint of the head before it."""
        return self.record("log.checkpoint", last_seq=self.seq - 1, last_hash=self.head.hex())

    def record(self, fact: str, **body: Any) -> "TamperedLog":
        """Add a record of the log itself."""
        return self.add(entry(AT, fact, None, None, None, msgspec.json.encode(body)))

    def add(self, record: bytes) -> "TamperedLog":
        """Add a record that `entry` returned."""
        line, self.head = link(self.seq, record, self.head, self.key)
        self.held[self._name] += line
        self.seq += 1
        return self


def lines(held: bytes) -> list[bytes]:
    """Return the lines of a segment."""
    return held.splitlines(keepends=True)
