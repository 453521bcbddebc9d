"""The record of an audit log, `steno.audit/1`: its members, its time, its link to the record before. Pure.

    {"seq":1,"at":"2026-01-01T00:00:00.000000Z","fact":"log.opened",...,"body":{...},"hash":"<64 hex digits>"}

One record a line, compact JSON, members in this order: seq, at, fact, conversation, stream, event_id, body,
hash. Let P be the bytes of the line before `,"hash":"`. Then hash is SHA-256(previous || P), or HMAC-SHA-256
under a key, where previous is the hash of the record before it as 32 raw bytes; for record 1, 32 zero bytes.
Nothing needs to be parsed or put in a canonical form to prove a line.
"""

import hashlib
import hmac
import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from steno.timestamps import Micros, parse_timestamp, timestamp

SCHEMA: Final = "steno.audit/1"
GENESIS: Final = bytes(32)
"""What stands for the hash before record 1."""

OPENED: Final = "log.opened"
"""Begins every segment: who writes, how it is hashed, and the hash of the record before."""
CLOSED: Final = "log.closed"
"""Ends a segment that was closed in order."""
RETIRED: Final = "log.retired"
"""Names the last record that was let go when old segments were deleted."""
GAP: Final = "log.gap"
"""Declares that facts could not be recorded, and how many."""
CHECKPOINT: Final = "log.checkpoint"
"""Tells the head of the log, which is told outside of it too."""
DAMAGED: Final = "log.damaged"
"""Tells that somebody else did something to a segment."""

# Records --------------------------------------------------------------------------------------------------


class _Entry(Struct, frozen=True, gc=False):
    """The members of a record between its number and its hash, in their order."""

    at: str | None
    fact: str
    conversation: str | None
    stream: str | None
    event_id: str | None
    body: Raw


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
    """Bytes of a record that was being written when the writer died: cut off before this record."""


def entry(
    at: Micros | None,
    fact: str,
    conversation: str | None,
    stream: str | None,
    event_id: str | None,
    body: bytes,
) -> bytes:
    """Return a record without its number and its hash: the members from `"at":` up to and including the body.

    Args:
        at: when it was so; None where a recording has no times.
        fact: its name, such as `response.finished`.
        conversation: the key of the conversation it is about.
        stream: the name of the stream that told it.
        event_id: the upstream event that caused it.
        body: a JSON object. Raises ValueError where it is not on one line.
    """
    if b"\n" in body:  # Raw copies whatever it is given
        raise ValueError("a record is one line")
    when = None if at is None else timestamp(at)
    try:
        return _ENCODER.encode(_Entry(when, fact, conversation, stream, event_id, Raw(body)))[1:-1]
    except UnicodeEncodeError:  # the name of a recording need not be text
        told = (_text(conversation), _text(stream), _text(event_id))
        return _ENCODER.encode(_Entry(when, fact, *told, Raw(body)))[1:-1]


def _text(name: str | None) -> str | None:
    return None if name is None else name.encode(errors="replace").decode()


_ENCODER: Final = msgspec.json.Encoder()


def moment(entry: bytes) -> Micros | None:
    """Return the time that an `entry` begins with."""
    told = entry[len(b'"at":') : entry.index(b",")]
    return None if told == b"null" else parse_timestamp(told[1:-1].decode())


# The chain ------------------------------------------------------------------------------------------------


def link(seq: int, entry: bytes, previous: bytes, key: bytes | None = None) -> tuple[bytes, bytes]:
    """Return record `seq` as a line, newline included, and its hash as 32 raw bytes.

    Args:
        seq: its number; the first one is 1.
        entry: what `entry` returned.
        previous: the hash of the record before it, as 32 raw bytes; `GENESIS` before the first.
        key: the secret under which the log is hashed, if it is.
    """
    proved = b'{"seq":%d,%b' % (seq, entry)
    hashed = digest(previous, proved, key)
    return b'%b,"hash":"%b"}\n' % (proved, hashed.hex().encode()), hashed


def digest(previous: bytes, proved: bytes, key: bytes | None = None) -> bytes:
    """Return the hash, as 32 raw bytes, of a record whose line is `proved` up to its hash."""
    if key is None:
        return hashlib.sha256(previous + proved).digest()
    return hmac.digest(key, previous + proved, "sha256")


def algorithm(key: bytes | None) -> str:
    """Return the name of the algorithm that hashes with `key`, or without one."""
    return "sha256" if key is None else "hmac-sha256"


def key_id(key: bytes | None) -> str | None:
    """Return what tells a key from others without telling the key."""
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
"""A whole line, newline included. That its body is JSON is not seen by this."""
HASH_BYTES: Final = len(b',"hash":""}\n') + 64
"""Where P ends, from the end of the line."""

# Segments -------------------------------------------------------------------------------------------------

_SEGMENT: Final = re.compile(r"audit-([0-9]{20})\.jsonl")


def segment_name(seq: int) -> str:
    """Return the name of the file whose first record is `seq`."""
    return f"audit-{seq:020}.jsonl"


def segment_seq(name: str) -> int | None:
    """Return the first record that a file's name promises; None where it is not the name of a segment."""
    match = _SEGMENT.fullmatch(name)
    return int(match[1]) if match else None
