"""The frames of a websocket as they pass, and the messages in them. No I/O.

What passes is the bytes themselves: a data frame is neither decoded nor masked anew, and a long one need not have come
to its end. So a message of any length takes no memory here, unless it is read along. Control frames are taken out,
since pings are of one hop, and a close has to be known.
"""

from typing import Final

from msgspec import Struct

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

CONTINUATION: Final = 0x0
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

PROTOCOL_ERROR: Final = 1002
MESSAGE_TOO_BIG: Final = 1009

_FINAL: Final = 0x80
_MASKED: Final = 0x80
_RESERVED: Final = 0x70
_OPCODE: Final = 0x0F
_CONTROL: Final = 0x8
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127
CONTROL_BYTES: Final = 125
"""The longest payload of a control frame."""

TOO_BIG: Final = "frame_too_big"
NO_MEMORY: Final = "memory"
INTERNAL_ERROR: Final = "internal_error"
ENCODING: Final = "encoding"
"""Of a reply: it is compressed in a way that is not known here, not as it says, or by too much."""
UNFED: Final = (TOO_BIG, NO_MEMORY, INTERNAL_ERROR, ENCODING)
"""Why a message that passed was not read along: a closed list."""


class Budget:
    """Bytes of messages that are read along and have not come to their end, over all calls."""

    def __init__(self, limit: int) -> None:
        """Allow `limit` bytes."""
        self.held = 0
        self.limit = limit

    def take(self, size: int) -> bool:
        """Hold so many bytes more; return whether there is room for them."""
        if self.held + size > self.limit:
            return False
        self.held += size
        return True


class Passed:
    """What one read brought."""

    __slots__ = ("close", "fault", "forward", "messages", "pings", "unfed")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.forward: list[bytes] = []
        """Bytes for the other side, in order."""
        self.messages: list[bytes] = []
        """Payloads of the messages that ended, to be read along."""
        self.unfed: list[str] = []
        """Why messages that ended are not among them: of `UNFED`."""
        self.pings: bytes | None = None
        """Payload of the last ping. An answer to the last one answers all."""
        self.close: bytes | None = None
        """Payload of the close frame. Nothing is read after it."""
        self.fault: int | None = None
        """The close code for what must not pass. Nothing is read after it."""


class FrameReader:
    """One direction of a websocket."""

    def __init__(self, *, masked: bool, longest_message: int, longest_read: int, budget: Budget) -> None:
        """Read the frames of a client where they are `masked`, else those of a server.

        Args:
            masked: whether they must be masked.
            longest_message: the longest message that may pass.
            longest_read: the longest message that is read along.
            budget: what messages that have not ended may hold together.
        """
        self.left = 0
        """How much of the present data frame is still to come: not 0 while the other side is within a frame."""
        self._masked = masked
        self._longest_message = longest_message
        self._longest_read = longest_read
        self._budget = budget
        self._rest = b""
        self._mask = b""
        self._final = True
        self._open = False
        """Whether a message has begun that has not ended."""
        self._size = 0
        self._frame = bytearray()
        """What came of the present frame, masked. No list of pieces: there may be millions, of a byte each."""
        self._message = bytearray()
        """The frames before it of the present message."""
        self._held = 0
        self._skipped: str | None = None

    def drop(self) -> None:
        """Hold nothing any more."""
        self._budget.held -= self._held
        self._held = 0
        self._frame, self._message = bytearray(), bytearray()

    def take(self, data: bytes) -> Passed:  # noqa: PLR0915  # a loop over small frames, where each call costs
        """Take in what came."""
        passed = Passed()
        if self._rest:
            data, self._rest = self._rest + data, b""
        pos, end = 0, len(data)
        if self.left:
            pos = self._collect(data, 0, passed)
        start = 0  # of what is to be forwarded
        while end - pos > 1:
            first, second = data[pos], data[pos + 1]
            length, body = second & 0x7F, pos + 2
            if length == _TWO_BYTES:
                body += 2
                length = int.from_bytes(data[pos + 2 : body])
            elif length == _EIGHT_BYTES:
                body += 8
                length = int.from_bytes(data[pos + 2 : body])
            if second & _MASKED:
                body += 4
            if bool(second & _MASKED) != self._masked or first & _RESERVED:
                passed.fault = PROTOCOL_ERROR
                break
            if body > end:
                break
            opcode = first & _OPCODE
            if opcode >= _CONTROL:
                if not first & _FINAL or length > CONTROL_BYTES or opcode > PONG:
                    passed.fault = PROTOCOL_ERROR
                    break
                if body + length > end:
                    break
                if pos > start:
                    passed.forward.append(data[start:pos])
                start = pos = body + length
                self._control(opcode, self._unmasked(data, body, pos), passed)
                if passed.close is not None:
                    return passed
                continue
            size = self._size + length
            if opcode > BINARY or (opcode == CONTINUATION) != self._open:
                passed.fault = PROTOCOL_ERROR
                break
            if size > self._longest_message:
                passed.fault = MESSAGE_TOO_BIG
                break
            pos = body + length
            if first & _FINAL and not self._open and pos <= end and length <= self._longest_read:
                passed.messages.append(self._unmasked(data, body, pos))  # the way of nearly every message
                continue
            self._open, self._size, self._final = True, size, bool(first & _FINAL)
            self._mask = data[body - 4 : body] if self._masked else b""
            self.left = length
            pos = body
            pos += self._collect(data, pos, passed)
        if pos > start:
            passed.forward.append(data[start:pos] if start or pos < end else data)
        if passed.fault is None and pos < end:
            self._rest = data[pos:]
        return passed

    def _unmasked(self, data: bytes, body: int, end: int) -> bytes:
        return apply_mask(data[body:end], data[body - 4 : body]) if self._masked else data[body:end]

    def _control(self, opcode: int, payload: bytes, passed: Passed) -> None:
        if opcode == PING:
            passed.pings = payload
        elif opcode == CLOSE:
            passed.close = payload

    # A message of several frames, or one that comes in parts ---------------------------------------------

    def _collect(self, data: bytes, pos: int, passed: Passed) -> int:
        """Take what has come of the present frame from `pos` on; return how much that is."""
        part = min(self.left, len(data) - pos)
        self.left -= part
        if self._skipped is None:
            if self._size > self._longest_read:
                self._skip(TOO_BIG)
            elif not self._budget.take(part):
                self._skip(NO_MEMORY)
            else:
                self._held += part
                self._frame += data[pos : pos + part]
        if not self.left:
            self._end_frame(passed)
        return part

    def _skip(self, reason: str) -> None:
        self.drop()
        self._skipped = reason

    def _end_frame(self, passed: Passed) -> None:
        if self._skipped is None:
            frame = apply_mask(self._frame, self._mask) if self._masked else bytes(self._frame)
            self._frame = bytearray()
            if not self._final:
                self._message += frame
            else:
                passed.messages.append(bytes(self._message) + frame if self._message else frame)
        elif self._final:
            passed.unfed.append(self._skipped)
        if self._final:
            self.drop()
            self._open, self._size, self._skipped = False, 0, None


class CloseFrame(Struct, frozen=True):
    """What a close frame says."""

    code: int
    reason: str

    @staticmethod
    def of(payload: bytes) -> "CloseFrame":
        """Return what `payload` says; the code is 1005 where it says none."""
        if len(payload) < 2:  # noqa: PLR2004  # a code has two bytes
            return CloseFrame(1005, "")
        return CloseFrame(int.from_bytes(payload[:2]), payload[2:].decode(errors="replace"))


def control_frame(opcode: int, payload: bytes, mask: bytes | None) -> bytes:
    """Return a control frame; to a server, masked by the four bytes `mask`."""
    if mask is None:
        return bytes((_FINAL | opcode, len(payload))) + payload
    return bytes((_FINAL | opcode, _MASKED | len(payload))) + mask + apply_mask(payload, mask)


def close_payload(code: int, reason: str = "") -> bytes:
    """Return the payload of a close frame."""
    return code.to_bytes(2) + reason.encode()
