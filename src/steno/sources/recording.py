"""A frame as a line of a recording, and back. Pure.

A frame is `{"dir":"received"|"sent","at":...,"data":...}`. Where it is not JSON, `text` or `base64` stands in place of
`data`, so that the same bytes are read back. Where a sender knows that frames are missing stands
`{"dir":"gap","at":...,"frames":...,"bytes":...,"reason":...}`, with why they are. The end of a connection is
`{"dir":"close","at":...,"code":...,"reason":...}`, with `"local":true` where steno closed it because it stopped, and
with `"gap":"broken_off"` or another `Gap` where events may be missing. Where the connection had a name for its
conversation, the first line has it: `"conversation":"rtc_..."`; where it is the reply to one request, and no connection
that goes on, `"reply":true`. Secrets are masked. A line that is too long to be held
is read as the end of its connection.
"""

import base64
import binascii
import io
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import IO, Final, Literal, TypeVar, get_args

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from steno.core.facts import MISSING
from steno.core.frame import Frame
from steno.core.vocabulary import closed
from steno.limits import LINE_BYTES
from steno.timestamps import Micros, parse_timestamp, timestamp
from steno.wire.secrets import mask, mask_text
from steno.wire.texts import mask_frame

Gap = Literal["broken_off", "closed", "unresponsive", "frame_too_big", "blocked", "internal_error", "truncated"]
"""Why events may be missing at the end of a stream: a closed list."""


class Close(Struct, frozen=True):
    """The end of a connection. `code` is that of the close frame; None where none came."""

    at: Micros | None
    code: int | None
    reason: str
    local: bool = False
    """Whether steno closed it because it stopped."""
    gap: Gap | None = None


class Missed(Struct, frozen=True):
    """Frames that never came, as their sender says."""

    at: Micros | None
    frames: int
    bytes: int
    """Their length; 0 where it is not known."""
    reason: str
    """One of `core.facts.MISSING`."""


class _Line(Struct, frozen=True, gc=False):
    dir: Literal["received", "sent", "gap", "close"]
    at: str | None = None
    data: Raw | UnsetType = UNSET
    text: str | None = None
    base64: str | None = None
    code: int | None = None
    reason: str | None = None
    local: bool = False
    gap: str | None = None
    conversation: str | None = None
    reply: bool = False
    frames: int | None = None
    bytes: int = 0


TOO_BIG: Final = 1009
"""The code by which a connection is closed over a message that is too big."""
MISSED_MAX: Final = 2**53
"""Most missing frames that a line is believed. Past it a float, and so Prometheus, no longer counts by ones."""
_BLOCK_BYTES: Final = 1 << 18
"""How much of a recording is read at a time. A line that a block ends in is put together from its parts."""
_LINE: Final = msgspec.json.Decoder(_Line)
_JSON: Final = msgspec.json.Decoder(Raw)
_PLAIN: Final = (b'{"type":', b'{"event":')
"""The begin of a line that is a bare frame, as most are: such a line need not be searched for `dir`."""
_DATA: Final = b'Z","data":{'
_RECEIVED: Final = b'{"dir":"received","at":"'
_SECOND_BYTES: Final = 20
"""Of a time up to its fraction, `2026-01-01T00:00:00.`"""
_BEGUN_BYTES: Final = len(_RECEIVED) + _SECOND_BYTES
_FRAME_AT: Final = _BEGUN_BYTES + len(b'000000Z","data":')
_cut_received: Final = struct.Struct(f"{_BEGUN_BYTES}s6s{len(_DATA)}s").unpack_from
"""The begin of a line up to the fraction of its second, that fraction, and what stands between it and the payload."""

E = TypeVar("E")


def frame_line(frame: Frame, conversation: str | None = None, *, reply: bool = False) -> bytes:
    """Return `frame` as a line with its newline.

    The first line of a stream names its `conversation`, if it has one, and says whether it is a `reply`.
    """
    direction = b"sent" if frame.sent else b"received"
    name = b"" if conversation is None else b'"conversation":%b,' % msgspec.json.encode(conversation)
    kind = b'"reply":true,' if reply else b""
    return b'{"dir":"%b",%b%b%b%b}\n' % (direction, _at(frame.at), name, kind, _member(frame.payload))


def _member(payload: bytes) -> bytes:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return b'"base64":"%b"' % base64.b64encode(mask(payload))
    try:
        _JSON.decode(payload)
    except (ValueError, RecursionError):
        return b'"text":' + msgspec.json.encode(mask_frame(payload).decode(errors="replace"))
    return b'"data":' + mask(payload)


def close_line(close: Close) -> bytes:
    """Return the end of a connection as a line with its newline."""
    members = b'"code":%b,"reason":%b' % (
        msgspec.json.encode(close.code),
        msgspec.json.encode(mask_text(close.reason)),
    )
    local = b',"local":true' if close.local else b""
    gap = b"" if close.gap is None else b',"gap":%b' % msgspec.json.encode(close.gap)
    return b'{"dir":"close",%b%b%b%b}\n' % (_at(close.at), members, local, gap)


def gap_line(missed: Missed) -> bytes:
    """Return where frames are missing as a line with its newline."""
    members = b'"frames":%d,"bytes":%d,"reason":"%b"' % (missed.frames, missed.bytes, missed.reason.encode())
    return b'{"dir":"gap",%b%b}\n' % (_at(missed.at), members)


def _at(at: Micros | None) -> bytes:
    return b"" if at is None else b'"at":"%b",' % timestamp(at).encode()


_TOO_LONG: Final = close_line(Close(None, TOO_BIG, "", gap="frame_too_big"))


def read_lines(file: IO[bytes], longest: int = LINE_BYTES) -> Iterator[list[bytes]]:
    """Yield the lines of a recording, with their newlines, many at a time.

    A line of more than `longest` bytes is not held. In its place stands the end of the connection, as the daemon
    records it where a frame is too big: what follows is another stream.
    """
    begun: list[bytes] = []
    """The parts of a line whose end was not read yet."""
    length = 0
    read = getattr(file, "read1", file.read)  # what a pipe has by now is read, and not waited for more
    while block := read(min(_BLOCK_BYTES, longest)):  # so that no line within a block is too long
        lines, ends = io.BytesIO(block).readlines(), block.endswith(b"\n")
        length += len(lines[0].removesuffix(b"\n"))
        if length > longest:
            begun = [_TOO_LONG]
        else:
            begun.append(lines[0])
        if ends or len(lines) > 1:
            lines[0] = b"".join(begun)
            begun = [] if ends else [lines.pop()]
            length = sum(map(len, begun))
            yield lines
    if begun:
        yield [b"".join(begun)]


def frames_in(
    lines: Iterator[bytes], look: Callable[[bytes], E | None], others: list[bytes]
) -> Iterator[tuple[Frame, E]]:
    """Yield the frames of `lines`, with their newlines, and what `look` finds in each, up to one that is to be parsed.

    That line is added to `others`. As `quick` for each line, in half of the time: a second is read once.
    """
    begun, second = b"", 0
    for line in lines:
        try:
            begin, micros, data = _cut_received(line)
        except struct.error:  # a shorter line
            begin = micros = data = b""
        if begin == begun and data == _DATA and line[-3:] == b"}}\n" and micros.isdigit():
            frame = Frame(line[_FRAME_AT:-2], second + int(micros))
        elif (found := quick(line)) is None:
            others.append(line)
            return
        else:
            frame = found
            if frame.at is not None and not frame.sent:
                begun, second = begin, frame.at - int(micros)
        event = look(frame.payload)
        if event is None:  # the line may not be what it looks like
            others.append(line)
            return
        yield frame, event


def quick(line: bytes) -> Frame | None:
    """Return the frame of a `line`, with its newline, in the form that nearly all have; None of any other.

    It is cut out of the line and not looked at, which takes a fifth of the time of `parse`. Where its payload is not
    one JSON object, the line is not what it looks like, and is to be parsed.
    """
    begun = _begun(line[:_BEGUN_BYTES])
    if begun is None:
        return Frame(line[:-1], None) if line.startswith(_PLAIN) and line.endswith(b"}\n") else None
    second, at, sent = begun
    micros = line[at : at + 6]
    if line[at + 6 : at + 17] != _DATA or line[-3:] != b"}}\n" or not micros.isdigit():
        return None
    return Frame(line[at + 16 : -2], second + int(micros), sent)


@lru_cache(maxsize=256)  # frames of one second share it
def _begun(text: bytes) -> tuple[Micros, int, bool] | None:
    """Return the second of a line that begins with `text`, where its fraction stands, and whether it was sent.

    None where it does not begin as lines of frames do.
    """
    for begin, sent in ((_RECEIVED, False), (b'{"dir":"sent","at":"', True)):
        end = len(begin) + _SECOND_BYTES
        second = _time(text[len(begin) : end].decode("latin-1") + "0Z") if text.startswith(begin) else None
        if second is not None:
            return second, end, sent
    return None


def parse(line: bytes) -> Frame | Missed | Close:
    """Return the frame, the gap or the end that `line`, without its newline, records. Never raises.

    A line that is not in the form of a recording is itself a frame that was received: files of bare events replay too.
    """
    if line.startswith(_PLAIN) or b'"dir"' not in line:
        return Frame(line, None)
    try:
        decoded = _LINE.decode(line)
    except (ValueError, RecursionError):
        return Frame(line, None)
    at = _time(decoded.at)
    if decoded.dir == "close":
        gap = next((known for known in get_args(Gap) if known == decoded.gap), None)
        return Close(at, decoded.code, decoded.reason or "", decoded.local, gap)
    if decoded.dir == "gap":
        return _missed(decoded, at) or Frame(line, None)
    payload = _payload(decoded)
    return Frame(line, None) if payload is None else Frame(payload, at, decoded.dir == "sent")


def _missed(line: _Line, at: Micros | None) -> Missed | None:
    if line.frames is None or not 0 < line.frames <= MISSED_MAX or not 0 <= line.bytes <= MISSED_MAX:
        return None
    return Missed(at, line.frames, line.bytes, closed(line.reason, MISSING))


def conversation_of(line: bytes) -> str | None:
    """Return the name that the first line of a recording gives its conversation; None where it gives none."""
    if line.startswith(_PLAIN) or b'"conversation"' not in line:
        return None
    try:
        return _LINE.decode(line).conversation
    except (ValueError, RecursionError):
        return None


def is_reply(line: bytes) -> bool:
    """Return whether the first line of a recording says that it is the reply to one request."""
    if line.startswith(_PLAIN) or b'"reply"' not in line:
        return False
    try:
        return _LINE.decode(line).reply
    except (ValueError, RecursionError):
        return False


def _payload(line: _Line) -> bytes | None:
    if line.data is not UNSET:
        return bytes(line.data)
    if line.text is not None:
        return line.text.encode()
    try:
        return None if line.base64 is None else base64.b64decode(line.base64, validate=True)
    except binascii.Error:
        return None


def _time(at: str | None) -> Micros | None:
    try:
        return None if at is None else parse_timestamp(at)
    except ValueError:
        return None
