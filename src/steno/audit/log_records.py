"""What a log tells of itself: the entries of all `log.*` records, in the form of `format.entry`. Pure."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from steno.audit.record import CHECKPOINT, CLOSED, DAMAGED, GAP, OPENED, RETIRED, LogOpened, algorithm, entry, key_id
from steno.timestamps import Micros, timestamp

Ending = Literal["closed", "rotated"]
"""Why a segment was ended: with its log, or to begin the next one."""
Loss = Literal["shed", "internal_error"]
"""Why facts are not recorded: there was no room, or a mistake of our own."""
Damage = Literal["deleted", "renamed", "replaced", "truncated", "changed"]
"""What somebody else did to a segment."""

RETIRED_NAMES: Final = 100
"""Segments that one `log.retired` names at most: a record stays short, the rest follows in the next."""


class Writing(Struct, frozen=True, kw_only=True):
    """What each `log.opened` tells of the one who writes. It changes with a new segment only."""

    version: str
    config_digest: str
    content_policy: str
    key: bytes | None = None

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"Writing(version={self.version!r}, config_digest={self.config_digest!r})"


class Damaged(Struct, frozen=True):
    """The body of `log.damaged`."""

    segment: str
    damage: Damage
    last_seq: int
    """The last record that was put on the disk in that segment."""


class Checkpoint(Struct, frozen=True):
    """The body of `log.checkpoint`: the record before it."""

    last_seq: int
    last_hash: str


class Retired(Struct, frozen=True):
    """The body of `log.retired`."""

    last_seq: int
    """The last record of the last segment that goes."""
    last_hash: str
    segments: Annotated[tuple[str, ...], Meta(min_length=1)]
    """The files that go, the oldest first."""


class _Gap(Struct, frozen=True):
    reason: Loss
    facts: int
    first_at: str | None
    last_at: str | None


class _Closed(Struct, frozen=True):
    reason: Ending


def opened(at: Micros | None, writing: Writing, previous: bytes, recovered_bytes: int) -> bytes:
    """Return the entry that begins a segment; `previous` is the hash before it, as 32 raw bytes."""
    body = LogOpened(
        version=writing.version,
        algorithm=algorithm(writing.key),
        key_id=key_id(writing.key),
        config_digest=writing.config_digest,
        content_policy=writing.content_policy,
        previous=previous.hex(),
        recovered_bytes=recovered_bytes,
    )
    return _entry(at, OPENED, body)


def closed(at: Micros | None, reason: Ending) -> bytes:
    """Return the entry that ends a segment."""
    return _entry(at, CLOSED, _Closed(reason))


def checkpoint(at: Micros | None, last_seq: int, last_hash: bytes) -> bytes:
    """Return the entry that tells the head: the number and the hash of the record before this very one."""
    return _entry(at, CHECKPOINT, Checkpoint(last_seq, last_hash.hex()))


def retired(at: Micros | None, last_seq: int, last_hash: bytes, names: Sequence[str]) -> bytes:
    """Return the entry that lets the segments `names` go, oldest first, of which the newest ends with `last_seq`."""
    return _entry(at, RETIRED, Retired(last_seq, last_hash.hex(), tuple(names)))


def gap(at: Micros | None, reason: Loss, facts: int, first_at: Micros | None, last_at: Micros | None) -> bytes:
    """Return the entry that stands for `facts` facts, between two times, that are not recorded."""
    return _entry(at, GAP, _Gap(reason, facts, _told(first_at), _told(last_at)))


def damaged(at: Micros | None, damage: Damaged) -> bytes:
    """Return the entry that tells what somebody else did to a segment."""
    return _entry(at, DAMAGED, damage)


def _entry(at: Micros | None, fact: str, body: Struct) -> bytes:
    return entry(at, fact, None, None, None, _ENCODER.encode(body))


def _told(at: Micros | None) -> str | None:
    return None if at is None else timestamp(at)


_ENCODER: Final = msgspec.json.Encoder()
