"""What a log is held against that does not come from its folder: keys, and heads that were kept. Pure.

A chain shows that records stand as they were chained, not who chained them. A key shows that its owner did. A head, the
number and the hash of a record that was noted elsewhere, shows that the log still has that record.
"""

import re
from collections import deque
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from steno.audit.record import algorithm, key_id
from steno.audit.verification.report import Reason, Refusal

NEVER: Final = 10**20
"""A number that no record has: they have at most 20 digits."""


class KnownHead(Struct, frozen=True):
    """The number and the hash of a record, noted when it was the newest."""

    seq: int
    hash: bytes
    """32 raw bytes."""


_HEAD: Final = re.compile(r"([1-9][0-9]{0,19}):([0-9a-fA-F]{64})")


def parse_head(text: str) -> KnownHead:
    """Return the head that `SEQ:HASH` names, its hash in hex. Raises ValueError where the text has another form."""
    match = _HEAD.fullmatch(text)
    if match is None:
        raise ValueError("a head is SEQ:HASH, a record's number and the 64 hex digits of its hash")
    return KnownHead(int(match[1]), bytes.fromhex(match[2]))


class Keys:
    """Secrets by their ids. Their representation shows none."""

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._secrets = {key_id(secret): secret for secret in secrets}

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def get(self, name: str) -> bytes | None:
        """Return the secret whose id is `name`."""
        return self._secrets.get(name)


NO_KEYS: Final = Keys()


class Trust(Struct, frozen=True, kw_only=True):
    """What a log is held against."""

    keys: Keys = NO_KEYS
    keyed_from: int = 1
    """With keys: the record from which on every record must be hashed under one of them."""
    heads: tuple[KnownHead, ...] = ()


class KeyCheck:
    """Finds the key of each segment, and checks that the log does not go on without one after it had one."""

    def __init__(self, keys: Keys, keyed_from: int) -> None:
        self._keys = keys
        self._keyed_from = keyed_from
        self.used: dict[str, int] = {}
        """The ids of the keys in the order of their use, each with the first record of the segment that names it."""

    @property
    def unused(self) -> bool:
        """Whether keys were given, and no segment has named one so far."""
        return bool(self._keys) and not self.used

    @property
    def next_seq(self) -> int:
        """The record that must be hashed under a key, as long as none is in use; else `NEVER`."""
        return self._keyed_from if self.unused else NEVER

    def key_of(self, seq: int, algorithm_name: str, name: str | None) -> bytes | None:
        """Return the key of the segment that begins with record `seq`; None where it has none.

        Args:
            seq: the number of its `log.opened`.
            algorithm_name: the algorithm that stands there.
            name: the id of the key that stands there.

        Raises Refusal where its key was not given, and where it has none after another segment had one. Whether it
        should have one already is for `next_seq`.
        """
        if algorithm_name != algorithm(None if name is None else b""):
            raise Refusal(Reason.ALGORITHM)
        if name is not None:
            return self._given(seq, name)
        if self.used:
            raise Refusal(Reason.KEYLESS)
        return None

    def _given(self, seq: int, name: str) -> bytes:
        # An id that is none is not repeated: in a forged log it may hold what moves a terminal's cursor.
        detail = f"key id {name}" if re.fullmatch("[0-9a-f]{16}", name) else ""
        secret = self._keys.get(name)
        if secret is None:
            raise Refusal(Reason.KEY if self._keys else Reason.KEYED, detail)
        self.used.setdefault(name, seq)
        return secret


class HeadCheck:
    """Holds known heads against the log, in the order of their numbers."""

    def __init__(self, heads: Iterable[KnownHead]) -> None:
        self._waiting = deque(sorted(dict.fromkeys(heads), key=lambda head: head.seq))
        self.found: list[int] = []
        """Records that have the hash of their head."""
        self.before: list[int] = []
        """Records that stand before the first that was given, so that their heads cannot be checked."""

    @property
    def next_seq(self) -> int:
        """The next record of which a head is known; else `NEVER`."""
        return self._waiting[0].seq if self._waiting else NEVER

    @property
    def unreached(self) -> tuple[int, ...]:
        """Records of which a head is known, behind the last one so far."""
        return tuple(head.seq for head in self._waiting)

    def begin(self, first_seq: int, previous: bytes) -> None:
        """Begin with record `first_seq`. Of all records before it, only the hash of the last one is known."""
        while self.next_seq < first_seq - 1:
            self.before.append(self._waiting.popleft().seq)
        self.check(first_seq - 1, previous)

    def check(self, seq: int, hashed: bytes) -> None:
        """Hold record `seq` against its head, if one is known. Raises Refusal where the hashes differ."""
        while self.next_seq == seq:
            if self._waiting.popleft().hash != hashed:
                raise Refusal(Reason.HEAD, f"record {seq}")
            self.found.append(seq)
