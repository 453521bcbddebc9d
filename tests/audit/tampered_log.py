"""A writer of audit logs that can err, or mean ill: it writes whatever it is told to."""

from typing import Any

import msgspec

from steno.audit.record import GENESIS, algorithm, entry, key_id, link, segment_name
from tests.audit.helpers import AT

Segments = dict[str, bytes]


class Forger:
    """Writes segments, kept as bytes by their names."""

    def __init__(self, seq: int = 1, previous: bytes = GENESIS, *, key: bytes | None = None) -> None:
        self.seq = seq
        self.head = previous
        self.key = key
        self.held: Segments = {}
        self._name = ""

    def begin(self, name: str | None = None, **changes: Any) -> "Forger":
        """Begin a segment with `log.opened`."""
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
        return self.tell("log.opened", **body | changes)

    def end(self) -> "Forger":
        """End a segment in order."""
        return self.tell("log.closed", reason="rotated")

    def checkpoint(self) -> "Forger":
        """Add a record that names the head before it."""
        return self.tell("log.checkpoint", last_seq=self.seq - 1, last_hash=self.head.hex())

    def tell(self, fact: str, **body: Any) -> "Forger":
        """Add a record."""
        return self.add(entry(AT, fact, None, None, None, msgspec.json.encode(body)))

    def add(self, told: bytes) -> "Forger":
        """Add a record from an entry."""
        line, self.head = link(self.seq, told, self.head, self.key)
        self.held[self._name] += line
        self.seq += 1
        return self


def lines(held: bytes) -> list[bytes]:
    """Return the lines of a segment."""
    return held.splitlines(keepends=True)
