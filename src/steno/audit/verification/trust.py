"""What a log is held against that does not come from its folder: keys, and heads that were kept. Pure.

A chain shows that records stand as they were chained, not who chained them. A key shows that its owner did. A head, the
number and the hash of a record that was noted elsewhere, shows that the log still has that record.
"""

import re
from collections import deque
from collections.abc import Iterable, Sequence
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


LOG_ID: Final = re.compile(r"[0-9a-fA-F]{64}")


def parse_log_id(text: str) -> str:
    """Return the id of a log in lower case. Raises ValueError where the text has another form."""
    if not LOG_ID.fullmatch(text):
        raise ValueError("a log is named by the 64 hex digits that `steno verify` shows of it")
    return text.lower()


class Keys:
    """Secrets in the order of their use, each with its id. Their representation shows none."""

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._secrets = [(key_id(secret), secret) for secret in secrets]

    def __bool__(self) -> bool:
        return bool(self._secrets)

    @property
    def ids(self) -> list[str | None]:
        """Their ids, in order."""
        return [name for name, _ in self._secrets]

    def get(self, name: str) -> bytes | None:
        """Return the secret whose id is `name`."""
        return dict(self._secrets).get(name)


NO_KEYS: Final = Keys()


class Trust(Struct, frozen=True, kw_only=True):
    """What a log is held against."""

    keys: Keys = NO_KEYS
    keyed_from: int = 1
    """With keys: the record from which on every record must be hashed under one of them."""
    key_ranges: tuple[int, ...] = ()
    """For each of the keys the record from which on it, or one after it, must be in use. Empty: each is used once."""
    heads: tuple[KnownHead, ...] = ()
    log_id: str | None = None
    """Which log it must be: the hash of its first record, in hex."""


class KeyCheck:
    """Finds the key of each segment, and checks that each holds for its own part of the log alone.

    Somebody who has a key that was replaced must not be able to write what comes later. So:

    - Without ranges, each key is used for one stretch of the log, in the order in which the keys were given. A log that
      begins at record 1 has all of them. Where the beginning of a log is missing, so may be the use of its first keys.
    - With ranges, a key is not accepted where a later one must be in use.

    In either case the log does not go on without a key after it had one.
    """

    def __init__(self, keys: Keys, keyed_from: int, ranges: Sequence[int] = ()) -> None:
        self._keys = keys
        self._ids = keys.ids if ranges else list(dict.fromkeys(keys.ids))
        self._ranges = tuple(ranges)
        self._keyed_from = keyed_from
        self._whole = False
        self._at: int | None = None
        """The place of the key in use among those that were given."""
        self.used: list[tuple[str, int]] = []
        """The ids of the keys in the order of their use, each with the first record of the segment that names it."""

    def begin(self, *, whole: bool) -> None:
        """Begin with the first segment. `whole`: the log is given from its first record on."""
        self._whole = whole and not self._ranges

    @property
    def next_seq(self) -> int:
        """The record at which another key must be in use than now; else `NEVER`."""
        if not self._keys:
            return NEVER
        if self._ranges:
            return next((seq for seq in self._ranges[0 if self._at is None else self._at + 1 :]), NEVER)
        return self._keyed_from if self._at is None else NEVER

    def check(self, seq: int) -> None:
        """Raise Refusal where record `seq` must be hashed under another key than it is."""
        if seq >= self.next_seq:
            raise Refusal(Reason.UNKEYED) if self._at is None else self._replaced(self.used[-1][0])

    def key_of(self, seq: int, algorithm_name: str, name: str | None) -> bytes | None:
        """Return the key of the segment that begins with record `seq`; None where it has none.

        Args:
            seq: the number of its `log.opened`.
            algorithm_name: the algorithm that stands there.
            name: the id of the key that stands there.

        Raises Refusal where its key was not given or was replaced before, and where it has none after another segment
        had one. Whether it should have another one already is for `check`.
        """
        if algorithm_name != algorithm(None if name is None else b""):
            raise Refusal(Reason.ALGORITHM)
        if name is not None:
            return self._given(seq, name)
        if self.used:
            raise Refusal(Reason.KEYLESS)
        return None

    def _given(self, seq: int, name: str) -> bytes:
        secret = self._keys.get(name)
        if secret is None:
            raise Refusal(Reason.KEY if self._keys else Reason.KEYED, _shown(name))
        if not self.used or self.used[-1][0] != name:
            self._at = self._place(name)
            self.used.append((name, seq))
        return secret

    def _place(self, name: str) -> int:
        """Return which of the keys comes into use. Raises Refusal where another one has replaced it."""
        start = 0 if self._at is None else self._at
        if name not in self._ids[start:]:
            raise self._replaced(name)
        return self._ids.index(name, start)

    def _replaced(self, name: str) -> Refusal:
        return Refusal(Reason.REPLACED, _shown(name))

    def missing(self) -> tuple[Reason, str] | None:
        """Return why a whole log that ends here lacks a key, and which; None where it does not."""
        if self.next_seq != NEVER:
            return Reason.UNREACHED, f"record {self.next_seq}"
        used = {name for name, _ in self.used}
        first = 0 if self._whole or not self.used else self._ids.index(self.used[0][0])
        unused = next((name for name in self._ids[first:] if name not in used), None)
        return None if unused is None else (Reason.UNUSED, _shown(unused))


def _shown(name: str) -> str:
    """Return the id of a key for a report. One that is none may hold what moves the cursor of a terminal."""
    return f"key id {name}" if re.fullmatch("[0-9a-f]{16}", name) else ""


class IdentityCheck:
    """Finds out which log it is, and holds that against the one that it must be.

    A log is named by the hash of its first record, and each later `log.opened` repeats it. The first record proves it.
    Where that was retired, a key shows that its owner repeated it; logs of the first edition do not.
    """

    def __init__(self, wanted: str | None) -> None:
        self._wanted = wanted
        self.log_id: str | None = None
        """Which log it is, in hex; None as long as nothing says it."""

    @property
    def unchecked(self) -> bool:
        """Whether it must be a certain log, and nothing says which one it is."""
        return self._wanted is not None and self.log_id is None

    def prove(self, hashed: bytes) -> None:
        """Take the hash of record 1. Raises Refusal where it is another log."""
        self.hold(hashed.hex())

    def hold(self, log_id: str) -> None:
        """Take what a `log.opened` repeats. Raises Refusal where it is another log, or none."""
        if not LOG_ID.fullmatch(log_id) or (self.log_id is not None and log_id != self.log_id):
            raise Refusal(Reason.IDENTITY)
        if self._wanted not in {None, log_id}:
            raise Refusal(Reason.OTHER, f"log {log_id}")
        self.log_id = log_id


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
