"""What is captured, as the lines that steno reads. Pure.

A frame is `{"dir":"received"|"sent","at":...,"text":...}`. Its payload stands as a text, never as JSON in JSON: so it
arrives byte for byte, and no payload can pass for a member of its line. What is not UTF-8 stands as `base64`.
"""

import base64
import json
from datetime import datetime, timedelta, timezone
from typing import Final, Literal

Direction = Literal["received", "sent"]
"""Who sent a frame: the provider (`received`) or the application (`sent`)."""

_QUOTED: Final = json.JSONEncoder(ensure_ascii=False).encode
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def frame_line(at_ns: int, direction: Direction, payload: str | bytes) -> bytes:
    """Return a frame that was captured at `at_ns`, nanoseconds since 1970 UTC, as a line without its newline."""
    return f'{{"dir":"{direction}","at":"{_timestamp(at_ns)}",{_member(payload)}}}'.encode(errors="replace")


def _member(payload: str | bytes) -> str:
    if isinstance(payload, str):
        return f'"text":{_QUOTED(payload)}'
    try:
        return f'"text":{_QUOTED(payload.decode())}'
    except UnicodeDecodeError:
        return f'"base64":"{base64.b64encode(payload).decode()}"'


def gap_line(at_ns: int, frames: int, payload_bytes: int, reason: str) -> bytes:
    """Return the line that stands where `frames` frames of `payload_bytes` bytes in all are missing."""
    return (
        f'{{"dir":"gap","at":"{_timestamp(at_ns)}","frames":{frames},"bytes":{payload_bytes},'
        f'"reason":{_QUOTED(reason)}}}'
    ).encode(errors="replace")


def close_line(at_ns: int, code: int | None, reason: str) -> bytes:
    """Return the line that says how the application's connection ended. `code` is None where no close frame came."""
    members = f'"code":{"null" if code is None else code},"reason":{_QUOTED(reason)}'
    return f'{{"dir":"close","at":"{_timestamp(at_ns)}",{members}}}'.encode(errors="replace")


def _timestamp(at_ns: int) -> str:
    at = _EPOCH + timedelta(microseconds=at_ns // 1000)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
