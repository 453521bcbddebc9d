"""A record of an audit log, `steno.audit/1`: its members, its link to the record before, the names of its files. Pure.

    {"seq":1,"at":"2026-01-01T00:00:00.000000Z","fact":"log.opened",...,"body":{...},"hash":"<64 hex digits>"}

One record a line, compact JSON, members in this order: seq, at, fact, conversation, stream, event_id, body, hash. Let P
be the bytes of the line before `,"hash":"`. Then hash is SHA-256(previous || P), or HMAC-SHA-256 under a key, where
previous is the hash of the record before it as 32 raw bytes; for record 1, 32 zero bytes. So a line is proved as it
stands, without being parsed or brought into a canonical form.

An entry is a record without its number and its hash: the members from `"at":` to the end of the body.
"""

import hmac
import math
import re
from binascii import hexlify
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Final, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType

from steno.timestamps import SECOND, Micros, parse_timestamp, written_second

SCHEMA: Final = "steno.audit/1"
ALGORITHMS: Final = frozenset({"sha256", "hmac-sha256"})
"""How records are hashed: plainly, or under a key."""
GENESIS: Final = bytes(32)
"""Stands for the hash before record 1."""

OPENED: Final = "log.opened"
"""Begins every segment: which steno writes, how it hashes, and the hash of the record before."""
CLOSED: Final = "log.closed"
"""Ends a segment that was closed in order."""
RETIRED: Final = "log.retired"
"""Names segments that are deleted because of their age or the size of the log, and the last record in them."""
GAP: Final = "log.gap"
"""Declares how many facts could not be recorded."""
CHECKPOINT: Final = "log.checkpoint"
"""Names the record before it, which the operational log names too."""
DAMAGED: Final = "log.damaged"
"""Says that somebody else changed a segment."""
CURSOR: Final = "log.cursor"
"""Says up to which message of a sender all that they led to stands before it."""

# Records --------------------------------------------------------------------------------------------------


class LogOpened(Struct, frozen=True, kw_only=True):
    """The body of `log.opened`."""

    schema: str = SCHEMA
    version: str
    """The version of steno that writes."""
    algorithm: str
    """sha256, or hmac-sha256 under the key that `key_id` names."""
    key_id: str | None
    config_digest: str
    content_policy: str
    previous: str
    """The hash of the record before this one, in hex; zeros before record 1."""
    recovered_bytes: int
    """How many bytes the last writer left of a record that it did not finish."""
    log_id: str | UnsetType = UNSET
    """Which log it is: the hash of its first record, in hex. Not in that record itself."""
    nonce: str | UnsetType = UNSET
    """In the first record of a daemon's log: makes its hash differ from that of every other log."""


def entry(
    at: Micros | None,
    fact: str,
    conversation: str | None,
    stream: str | None,
    event_id: str | None,
    body: bytes,
) -> bytes:
    """Return the entry of a record.

    Args:
        at: its time; None where a recording has no times.
        fact: its name, such as `response.finished`.
        conversation: the key of the conversation it is about.
        stream: the name of the stream it came from.
        event_id: the upstream event that caused it.
        body: a JSON object.

    Raises ValueError where `body` is not on one line.
    """
    if b"\n" in body:
        raise ValueError("a record is one line")
    about = _names(conversation, stream)
    try:
        identity = _ENCODER.encode(event_id)
    except UnicodeEncodeError:
        identity = _string(event_id)
    if at is None:
        return b'"at":null,"fact":"%b",%b,"event_id":%b,"body":%b' % (fact.encode(), about, identity, body)
    return b'"at":"%b.%06dZ","fact":"%b",%b,"event_id":%b,"body":%b' % (
        written_second(at // SECOND),
        at % SECOND,
        fact.encode(),
        about,
        identity,
        body,
    )


@lru_cache(maxsize=1_024)  # the records of a conversation share them
def _names(conversation: str | None, stream: str | None) -> bytes:
    """Return the two members of an entry that say what it is about."""
    return b'"conversation":%b,"stream":%b' % (_string(conversation), _string(stream))


def _string(name: str | None) -> bytes:
    try:
        return _ENCODER.encode(name)
    except UnicodeEncodeError:  # the name of a recording need not be text
        return _ENCODER.encode((name or "").encode(errors="replace").decode())


_ENCODER: Final = msgspec.json.Encoder()


class Timed(Protocol):
    """Has a time of its own."""

    @property
    def at(self) -> Micros | None:
        """Its time; None where a recording has no times."""


def time_of(item: bytes | Timed) -> Micros | None:
    """Return the time of an entry, or of what stands among entries."""
    if not isinstance(item, bytes):
        return item.at
    at = item[len(b'"at":') : item.index(b",")]
    return None if at == b"null" else parse_timestamp(at[1:-1].decode())


# The chain ------------------------------------------------------------------------------------------------


def link(seq: int, entry: bytes, previous: bytes, key: bytes | None = None) -> tuple[bytes, bytes]:
    """Return record `seq` as a line, newline included, and its hash as 32 raw bytes.

    Args:
        seq: its number; the first one is 1.
        entry: what `record.entry` returned.
        previous: the hash of the record before it, as 32 raw bytes; `GENESIS` before the first.
        key: the secret under which the log is hashed, if it is.
    """
    line = bytearray()
    _, hashed = link_all(line, (entry,), seq - 1, previous, key)
    return bytes(line), hashed


def link_all(
    lines: bytearray,
    entries: Iterable[bytes],
    seq: int,
    previous: bytes,
    key: bytes | None = None,
    longest: float = math.inf,
) -> tuple[int, bytes]:
    """Append records to `lines` until these are `longest` bytes long or more.

    Returns the number and the hash of the last record. The arguments are those of `link`, but that `seq` is the number
    of the record before. All that is written goes through this loop, so it calls nothing of ours.
    """
    for entry in entries:
        if len(lines) >= longest:
            break
        seq += 1
        proved = b'{"seq":%d,%b' % (seq, entry)
        chained = previous + proved
        previous = sha256(chained).digest() if key is None else hmac.digest(key, chained, "sha256")
        lines += b'%b,"hash":"%b"}\n' % (proved, hexlify(previous))
    return seq, previous


def digest(previous: bytes, proved: bytes, key: bytes | None = None) -> bytes:
    """Return the hash, as 32 raw bytes, of a record whose line is `proved` up to its hash."""
    if key is None:
        return sha256(previous + proved).digest()
    return hmac.digest(key, previous + proved, "sha256")


def algorithm(key: bytes | None) -> str:
    """Return the name of the algorithm that hashes with `key`, or without one."""
    return "sha256" if key is None else "hmac-sha256"


def key_id(key: bytes | None) -> str | None:
    """Return what identifies a key without revealing it."""
    return None if key is None else hmac.digest(key, b"steno.audit key id", "sha256")[:8].hex()


_STRING: Final = r'(?:null|"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+")'
RECORD: Final = re.compile(
    (
        r'\{"seq":(?P<seq>[1-9][0-9]{0,19})'
        r',"at":(?P<at>null|"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")'
        rf',"fact":"(?P<fact>[a-z_.]+)","conversation":{_STRING},"stream":{_STRING},"event_id":{_STRING}'
        r',"body":(?P<body>\{.*\}),"hash":"(?P<hash>[0-9a-f]{64})"\}\n'
    ).encode()
)
"""A whole line, newline included. It does not check that the body is JSON."""
HASH_BYTES: Final = len(b',"hash":""}\n') + 64
"""Where P ends, from the end of the line."""

LINE_BYTES: Final = 4 * 1024 * 1024
"""Longest line that is read as a record. `audit.record_bytes` allows 1 MiB; records of the log itself are shorter."""

# Segments -------------------------------------------------------------------------------------------------

_SEGMENT: Final = re.compile(r"audit-([0-9]{20})\.jsonl")


def segment_name(seq: int) -> str:
    """Return the name of the file whose first record is `seq`."""
    return f"audit-{seq:020}.jsonl"


def segment_seq(name: str) -> int | None:
    """Return the number of the first record by a file's name; None where it is not the name of a segment."""
    match = _SEGMENT.fullmatch(name)
    return int(match[1]) if match else None
