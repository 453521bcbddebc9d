"""What whoever verifies a log has from elsewhere than from its folder: keys, and heads that were kept. Pure.

A chain proves that records stand as they were chained, not who chained them. A key shows that it was somebody who
had it; a head, the number and the hash of a record noted down once, that the log still has that record.
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
    """A record as it was once seen."""

    seq: int
    hash: bytes
    """32 raw bytes."""


_HEAD: Final = re.compile(r"([1-9][0-9]{0,19}):([0-9a-fA-F]{64})")


def parse_head(text: str) -> KnownHead:
    """Return the head that `SEQ:HASH` names, its hash in hex. Raises ValueError where the text is none."""
    match = _HEAD.fullmatch(text)
    if match is None:
        raise ValueError("a head is SEQ:HASH, a record's number and the 64 hex digits of its hash")
    return KnownHead(int(match[1]), bytes.fromhex(match[2]))


class Keys:
    """Secrets, told apart by their ids. Not shown by anything."""

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


class Keying:
    """Says under which key a segment is to be proved, and that no segment falls back behind the one before it."""

    def __init__(self, keys: Keys, keyed_from: int) -> None:
        self._keys = keys
        self._keyed_from = keyed_from
        self.used: dict[str, int] = {}
        """The ids of the keys in the order of their use, each with the record that first names it."""

    @property
    def unreached(self) -> bool:
        """Whether a key was to be used, and was not."""
        return bool(self._keys) and not self.used

    @property
    def next_seq(self) -> int:
        """The record that must not be reached while no key is in use."""
        return self._keyed_from if self.unreached else NEVER

    def key_of(self, seq: int, named: str, name: str | None) -> bytes | None:
        """Return the key of the segment that begins with record `seq`; None where it has none.

        Args:
            seq: the number of its `log.opened`.
            named: the algorithm that stands there.
            name: the id of the key that stands there.

        Raises Refusal where its key was not given, or where it has none after another had one. That it should have
        one already is told by `next_seq`.
        """
        if named != algorithm(None if name is None else b""):
            raise Refusal(Reason.ALGORITHM)
        if name is not None:
            return self._given(seq, name)
        if self.used:
            raise Refusal(Reason.KEYLESS)
        return None

    def _given(self, seq: int, name: str) -> bytes:
        detail = f"key id {name}" if re.fullmatch("[0-9a-f]{16}", name) else ""
        secret = self._keys.get(name)
        if secret is None:
            raise Refusal(Reason.KEY if self._keys else Reason.KEYED, detail)
        self.used.setdefault(name, seq)
        return secret


class Heads:
    """Heads that were kept, held against the log in the order of their numbers."""

    def __init__(self, heads: Iterable[KnownHead]) -> None:
        self._due = deque(sorted(dict.fromkeys(heads), key=lambda head: head.seq))
        self.held: list[int] = []
        """Those that the log has."""
        self.before: list[int] = []
        """Those of records before the first that is given."""

    @property
    def next_seq(self) -> int:
        """The next record that one was kept of."""
        return self._due[0].seq if self._due else NEVER

    @property
    def due(self) -> tuple[int, ...]:
        """Those of records that were not reached."""
        return tuple(head.seq for head in self._due)

    def begin(self, first_seq: int, previous: bytes) -> None:
        """Begin with record `first_seq`. Of all before it, only the hash of the very last can be known."""
        while self.next_seq < first_seq - 1:
            self.before.append(self._due.popleft().seq)
        self.check(first_seq - 1, previous)

    def check(self, seq: int, hashed: bytes) -> None:
        """Hold record `seq` against what was kept of it. Raises Refusal where that differs."""
        while self.next_seq == seq:
            if self._due.popleft().hash != hashed:
                raise Refusal(Reason.HEAD, f"record {seq}")
            self.held.append(seq)
