"""Shards: the parts of what several processes with one configuration read, each part by one of them. Pure.

What has a name belongs to the shard that gets the highest SHA-256 of shard and name. So it depends on nothing else than
the name and the number of shards, and with one shard more only what that one gets moves.
"""

import hashlib
import re

from msgspec import Struct

from steno.limits import SHARDS


class Shard(Struct, frozen=True):
    """One of `count` processes."""

    number: int
    """From 1 to `count`."""
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard | None":
        """Read `2/4`, the second of four, or `02/16`; return None for anything else."""
        match = re.fullmatch("([0-9]{1,4})/([0-9]{1,4})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]) <= SHARDS:
            return None
        return cls(int(match[1]), int(match[2]))

    def of(self, name: str) -> int:
        """Return the number of the shard that `name` belongs to."""
        return max(range(1, self.count + 1), key=lambda number: hashlib.sha256(f"{number}/{name}".encode()).digest())

    def has(self, name: str) -> bool:
        """Return whether `name` belongs to this one."""
        return self.of(name) == self.number

    def __str__(self) -> str:
        """Return it as it is written: `2/4`."""
        return f"{self.number}/{self.count}"
