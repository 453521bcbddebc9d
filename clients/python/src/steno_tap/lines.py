"""What is captured, as the lines that steno reads. Pure.

A frame is `{"dir":"received"|"sent","at":...,"text":...}`. Its payload stands as a text, never as JSON in JSON: so it
arrives byte for byte, and no payload can pass for a member of its line. What is not UTF-8 stands as `base64`.
"""

import base64
import json
import time
from typing import Final, Literal

Direction = Literal["received", "sent"]
"""Who sent a frame: the provider (`received`) or the application (`sent`)."""

_QUOTED: Final = json.JSONEncoder(ensure_ascii=False).encode
_CONTROLS: Final = tuple(bytes((code,)) for code in range(0x20))
_LONG_BYTES: Final = 1024
"""From here on, looking for each control character takes less time than looking at each character."""


def frame_line(at_ns: int, direction: Direction, payload: str | bytes) -> bytes:
    """Return a frame that was captured at `at_ns`, nanoseconds since 1970 UTC, as a line without its newline."""
    return b'{"dir":"%b","at":"%b",%b}' % (direction.encode(), _timestamp(at_ns).encode(), _member(payload))


def _member(payload: str | bytes) -> bytes:
    if isinstance(payload, str):
        return b'"text":' + _quoted(payload.encode(errors="replace"))
    try:
        payload.decode()
    except UnicodeDecodeError:
        return b'"base64":"%b"' % base64.b64encode(payload)
    return b'"text":' + _quoted(payload)


def _quoted(text: bytes) -> bytes:
    """Return UTF-8 as a JSON string. Audio is long and holds nothing to escape, so it is copied, not gone through."""
    if len(text) < _LONG_BYTES or any(control in text for control in _CONTROLS):
        return _QUOTED(text.decode()).encode()
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


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
    seconds, micros = divmod(at_ns // 1000, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{micros:06d}Z"
