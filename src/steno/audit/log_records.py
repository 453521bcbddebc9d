"""Records about the log itself: the bodies of `log.*`, and their entries in the form of `record.entry`. Pure."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from steno.audit.record import (
    CHECKPOINT,
    CLOSED,
    CURSOR,
    DAMAGED,
    GAP,
    OPENED,
    RETIRED,
    LogOpened,
    algorithm,
    entry,
    key_id,
)
from steno.timestamps import Micros, timestamp

Ending = Literal["closed", "rotated"]
"""Why a segment was closed: the log ended with it, or the next one begins."""
Loss = Literal["shed", "internal_error"]
"""Why facts are not recorded: the queue was full, or a bug."""
Damage = Literal["deleted", "renamed", "replaced", "truncated", "changed"]
"""What somebody else did to a segment."""

RETIRED_NAMES: Final = 100
"""Most segments that one `log.retired` names, so that the record stays short. The others follow in the next one."""


class SegmentSettings(Struct, frozen=True, kw_only=True):
    """How a segment is written, as its `log.opened` records it. It changes only with a new segment."""

    version: str
    """Of steno."""
    config_digest: str
    """Identifies the configuration without revealing it."""
    content_policy: str
    """What is kept of content."""
    key: bytes | None = None
    """The secret under which records are hashed, if they are. Only its id is recorded."""

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"SegmentSettings(version={self.version!r}, config_digest={self.config_digest!r})"


class Damaged(Struct, frozen=True):
    """The body of `log.damaged`."""

    segment: str
    damage: Damage
    last_seq: int
    """The last record that was written to that segment."""


class Checkpoint(Struct, frozen=True):
    """The body of `log.checkpoint`: number and hash of the record before it."""

    last_seq: int
    last_hash: str


class Retired(Struct, frozen=True):
    """The body of `log.retired`."""

    last_seq: int
    """The last record of the last segment that goes."""
    last_hash: str
    segments: Annotated[tuple[str, ...], Meta(min_length=1)]
    """The files that are deleted, the oldest first."""


class Cursor(Struct, frozen=True):
    """The body of `log.cursor`: how far the messages of a sender are that goes on under its id after a break."""

    id: Annotated[str, Meta(pattern="^[A-Za-z0-9._:-]{1,128}$")]
    """As the sender names itself."""
    stream: str
    """The stream that its messages are fed to from here on. Its source and the id name the sender."""
    frame: Annotated[int, Meta(ge=0)]
    """All that its messages up to this one led to stands before this record."""
    records: Annotated[int, Meta(ge=0)] = 0
    """So many records of the next message stand before it, too: the last ones of the stream."""
    former: Annotated[int, Meta(ge=0)] = 0
    """So many records of later messages stand before it as well: the last ones of the streams before this one."""
    of: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    """Where all cursors are stated again, as at the beginning of a segment: how many they are."""
    parts: tuple[Annotated[int, Meta(ge=0)], ...] | UnsetType = UNSET
    """Where the `former` records are of several processes: how many of each, in the order of the log."""


class _Gap(Struct, frozen=True):
    reason: Loss
    facts: int
    first_at: str | None
    last_at: str | None
    sources: Mapping[str, int] | UnsetType = UNSET


class _Closed(Struct, frozen=True):
    reason: Ending


def opened(
    at: Micros | None,
    settings: SegmentSettings,
    previous: bytes,
    recovered_bytes: int,
    *,
    log_id: str | None = None,
    nonce: str | None = None,
) -> bytes:
    """Return the entry that begins a segment.

    Args:
        at: its time.
        settings: how the segment is written.
        previous: the hash before it, as 32 raw bytes.
        recovered_bytes: how much the last writer left of a record that it did not finish.
        log_id: which log it is; None in the first record of one.
        nonce: makes that first record unlike that of any other log.
    """
    body = LogOpened(
        version=settings.version,
        algorithm=algorithm(settings.key),
        key_id=key_id(settings.key),
        config_digest=settings.config_digest,
        content_policy=settings.content_policy,
        previous=previous.hex(),
        recovered_bytes=recovered_bytes,
        log_id=UNSET if log_id is None else log_id,
        nonce=UNSET if nonce is None else nonce,
    )
    return _entry(at, OPENED, body)


def closed(at: Micros | None, reason: Ending) -> bytes:
    """Return the entry that ends a segment."""
    return _entry(at, CLOSED, _Closed(reason))


def checkpoint(at: Micros | None, last_seq: int, last_hash: bytes) -> bytes:
    """Return the entry that names the record before it."""
    return _entry(at, CHECKPOINT, Checkpoint(last_seq, last_hash.hex()))


def retired(at: Micros | None, last_seq: int, last_hash: bytes, names: Sequence[str]) -> bytes:
    """Return the entry that retires the segments `names`, oldest first. The newest of them ends with `last_seq`."""
    return _entry(at, RETIRED, Retired(last_seq, last_hash.hex(), tuple(names)))


def gap(
    at: Micros | None,
    reason: Loss,
    facts: int,
    first_at: Micros | None,
    last_at: Micros | None,
    sources: Mapping[str, int] | None = None,
) -> bytes:
    """Return the entry that stands for `facts` facts between two times that are not recorded.

    `sources` says how many of them are of each source that sheds.
    """
    return _entry(at, GAP, _Gap(reason, facts, _text(first_at), _text(last_at), sources or UNSET))


def cursor(at: Micros | None, body: Cursor) -> bytes:
    """Return the entry that says how far a sender is."""
    return _entry(at, CURSOR, body)


def damaged(at: Micros | None, damage: Damaged) -> bytes:
    """Return the entry that says what somebody else did to a segment."""
    return _entry(at, DAMAGED, damage)


def _entry(at: Micros | None, fact: str, body: Struct) -> bytes:
    return entry(at, fact, None, None, None, _ENCODER.encode(body))


def _text(at: Micros | None) -> str | None:
    return None if at is None else timestamp(at)


_ENCODER: Final = msgspec.json.Encoder()
