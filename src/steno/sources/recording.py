"""A frame as a line of a recording, and back. Pure.

Written is `{"dir":"received"|"sent","at":...,"data":...}`; where a frame is no JSON, `text` or `base64` stands in
place of `data`, so that it comes back as it was. A connection's end is `{"dir":"close","code":...,"reason":...}`,
with `"local":true` when it was steno that closed because it stopped, and `"gap":"broken_off"` and its like where
events may be missing. Where the connection had a name for its conversation, the first line has it:
`"conversation":"rtc_..."`. Secrets are masked.
"""

import base64
import binascii
from typing import Final, Literal, get_args

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from steno.core.frame import Frame
from steno.timestamps import Micros, parse_timestamp, timestamp
from steno.wire.secrets import mask, mask_text

Gap = Literal["broken_off", "closed", "unresponsive", "frame_too_big", "blocked", "internal_error"]
"""Why events may be missing at the end of a stream: a closed list."""


class Close(Struct, frozen=True):
    """A connection ended."""

    at: Micros | None
    code: int | None
    reason: str
    local: bool = False
    """Whether steno closed it, because it stopped."""
    gap: Gap | None = None


class _Line(Struct, frozen=True, gc=False):
    dir: Literal["received", "sent", "close"]
    at: str | None = None
    data: Raw | UnsetType = UNSET
    text: str | None = None
    base64: str | None = None
    code: int | None = None
    reason: str | None = None
    local: bool = False
    gap: str | None = None
    conversation: str | None = None


_LINE: Final = msgspec.json.Decoder(_Line)
_JSON: Final = msgspec.json.Decoder(Raw)
_PLAIN: Final = (b'{"type":', b'{"event":')
"""How a line begins that is a bare frame, as most are: it need not be searched for `dir`."""


def frame_line(frame: Frame, conversation: str | None = None) -> bytes:
    """Return `frame` as a line, newline included; the first of a stream names its `conversation`, if it has a name."""
    direction = b"sent" if frame.sent else b"received"
    name = b"" if conversation is None else b'"conversation":%b,' % msgspec.json.encode(conversation)
    return b'{"dir":"%b",%b%b%b}\n' % (direction, _at(frame.at), name, _member(frame.payload))


def _member(payload: bytes) -> bytes:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return b'"base64":"%b"' % base64.b64encode(mask(payload))
    try:
        _JSON.decode(payload)
    except (ValueError, RecursionError):
        return b'"text":' + msgspec.json.encode(mask(payload).decode(errors="replace"))
    return b'"data":' + mask(payload)


def close_line(close: Close) -> bytes:
    """Return the end of a connection as a line, newline included."""
    members = b'"code":%b,"reason":%b' % (
        msgspec.json.encode(close.code),
        msgspec.json.encode(mask_text(close.reason)),
    )
    local = b',"local":true' if close.local else b""
    gap = b"" if close.gap is None else b',"gap":%b' % msgspec.json.encode(close.gap)
    return b'{"dir":"close",%b%b%b%b}\n' % (_at(close.at), members, local, gap)


def _at(at: Micros | None) -> bytes:
    return b"" if at is None else b'"at":"%b",' % timestamp(at).encode()


def parse(line: bytes) -> Frame | Close:
    """Return what a `line` without its newline records. A line that is no envelope is itself a frame received."""
    if line.startswith(_PLAIN) or b'"dir"' not in line:
        return Frame(line, None)
    try:
        told = _LINE.decode(line)
    except (ValueError, RecursionError):
        return Frame(line, None)
    at = _parsed(told.at)
    if told.dir == "close":
        gap = next((word for word in get_args(Gap) if word == told.gap), None)
        return Close(at, told.code, told.reason or "", told.local, gap)
    payload = _payload(told)
    return Frame(line, None) if payload is None else Frame(payload, at, told.dir == "sent")


def conversation_of(line: bytes) -> str | None:
    """Return the name that a recording's first line gives its conversation."""
    if line.startswith(_PLAIN) or b'"conversation"' not in line:
        return None
    try:
        return _LINE.decode(line).conversation
    except (ValueError, RecursionError):
        return None


def _payload(told: _Line) -> bytes | None:
    if told.data is not UNSET:
        return bytes(told.data)
    if told.text is not None:
        return told.text.encode()
    try:
        return None if told.base64 is None else base64.b64decode(told.base64, validate=True)
    except binascii.Error:
        return None


def _parsed(at: str | None) -> Micros | None:
    try:
        return None if at is None else parse_timestamp(at)
    except ValueError:
        return None
