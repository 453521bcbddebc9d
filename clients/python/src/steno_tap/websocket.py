"""The client's side of RFC 6455, as far as pushing needs it. Pure but for randomness: bytes in, messages out.

The application has a websocket library, or it has another one, or none, and its version is its own affair. So the tap
brings the little that it needs: one handshake, masked text messages, ping, pong and close. No extension is offered,
and what a server sends is short: acknowledgements.
"""

import base64
import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

MESSAGE_BYTES: Final = 64 * 1024
"""The longest message of a server that is read. An acknowledgement has some twenty bytes."""
HEAD_BYTES: Final = 64 * 1024
"""The longest head of an HTTP answer that is read."""
CLOSE_REASON_BYTES: Final = 123
"""RFC 6455, section 5.5: a control frame has 125 bytes at most, two of which are the code."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTROL: Final = (CLOSE, PING, PONG)
_SHORT: Final = 126
_LONG: Final = 127


class ProtocolError(Exception):
    """The peer does not speak the protocol."""


@dataclass(frozen=True, slots=True)
class Response:
    """The head of an HTTP answer. Names of headers are in lower case; of several of a name the last one counts."""

    status: int
    headers: dict[str, str]


def new_key() -> str:
    """Return a key for one handshake."""
    return base64.b64encode(os.urandom(16)).decode()


def request(host: str, target: str, key: str, headers: dict[str, str]) -> bytes:
    """Return the request of a handshake. `host` is the header's value, with a port where it is not the usual one."""
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def parse_response(head: bytes) -> Response:
    """Return the head of an answer, up to and with its empty line. Raises ProtocolError."""
    first, *rest = head.decode("latin-1").split("\r\n")
    parts = first.split(" ", 2)
    if not parts[0].startswith("HTTP/1.") or len(parts) < 2 or not (parts[1].isascii() and parts[1].isdigit()):  # noqa: PLR2004 - version and status
        raise ProtocolError("the answer is no HTTP/1.1")
    pairs = (line.partition(":") for line in rest if ":" in line)
    return Response(int(parts[1]), {name.strip().lower(): value.strip() for name, _, value in pairs})


def check_accepted(response: Response, key: str) -> None:
    """Raise ProtocolError where a 101 is not the answer to `key`: a cache or another protocol is talking."""
    expected = base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
    if response.headers.get("upgrade", "").lower() != "websocket":
        raise ProtocolError("the answer upgrades to no websocket")
    if response.headers.get("sec-websocket-accept") != expected:
        raise ProtocolError("the answer does not belong to this handshake")
    if "sec-websocket-extensions" in response.headers:
        raise ProtocolError("the answer has an extension that was not offered")


def encode(opcode: int, payload: bytes) -> bytes:
    """Return a whole message as one masked frame."""
    return _encode(opcode, payload, os.urandom(4))


def encode_texts(payloads: Iterable[bytes]) -> bytes:
    """Return UTF-8 texts as masked messages, one after the other."""
    return b"".join([_encode(TEXT, payload, os.urandom(4)) for payload in payloads])


def encode_close(code: int, reason: str = "") -> bytes:
    """Return a close frame."""
    text = reason.encode()[:CLOSE_REASON_BYTES].decode(errors="ignore").encode()
    return encode(CLOSE, code.to_bytes(2, "big") + text)


def _encode(opcode: int, payload: bytes, key: bytes) -> bytes:
    length = len(payload)
    if length < _SHORT:
        head = bytes((0x80 | opcode, 0x80 | length))
    elif length < 1 << 16:
        head = bytes((0x80 | opcode, 0x80 | _SHORT)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | _LONG)) + length.to_bytes(8, "big")
    return head + key + _MASKED(payload, key)


def masked(payload: bytes, key: bytes) -> bytes:
    """Return `payload` with each byte combined with that of the four of `key` which is due (RFC 6455, section 5.3)."""
    length = len(payload)
    mask = key * (length // 4) + key[: length % 4]
    # As numbers, which C combines at once: a loop over bytes would hold the interpreter a hundred times as long.
    return (int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")).to_bytes(length, "little")


def _fastest() -> Callable[[bytes, bytes], bytes]:
    """Return the masking in C that the application has with `websockets`, where it does the same as that above."""
    with contextlib.suppress(Exception):  # whatever another version does at its import
        from websockets.speedups import apply_mask  # noqa: PLC0415 - it may be absent

        if all(
            apply_mask(b"steno"[:end], b"\x00\x80\xff\x01") == masked(b"steno"[:end], b"\x00\x80\xff\x01")
            for end in range(6)
        ):
            return apply_mask
    return masked


_MASKED: Final = _fastest()


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the server, or a control frame. `opcode` is TEXT (also for binary), CLOSE, PING or PONG."""

    opcode: int
    payload: bytes

    def close_code(self) -> int | None:
        """Return the code of a close frame, None where it has none."""
        return int.from_bytes(self.payload[:2], "big") if len(self.payload) > 1 else None

    def close_reason(self) -> str:
        """Return the reason of a close frame."""
        return self.payload[2:].decode(errors="replace")


class Reader:
    """Messages out of the bytes of a server, however they are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts = bytearray()
        self._fragmented = False

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that `data` completes. Raises ProtocolError; then the connection is of no use."""
        self._buffer += data
        while (frame := self._next_frame()) is not None:
            message = self._message(*frame)
            if message is not None:
                yield message

    def _next_frame(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:  # noqa: PLR2004 - the shortest head of a frame
            return None
        length = buffer[1] & 0x7F
        if buffer[0] & 0x70 or buffer[1] & 0x80:
            raise ProtocolError("a frame has reserved bits or a mask")
        begin = {_SHORT: 4, _LONG: 10}.get(length, 2)
        if len(buffer) < begin:
            return None
        if begin > 2:  # noqa: PLR2004 - the length stands in further bytes
            length = int.from_bytes(buffer[2:begin], "big")
        if length > MESSAGE_BYTES:
            raise ProtocolError("a message is too long")
        if len(buffer) < begin + length:
            return None
        frame = bool(buffer[0] & 0x80), buffer[0] & 0x0F, bytes(buffer[begin : begin + length])
        del buffer[: begin + length]
        return frame

    def _message(self, final: bool, opcode: int, payload: bytes) -> Message | None:
        if opcode in _CONTROL:
            if not final or len(payload) > CLOSE_REASON_BYTES + 2:
                raise ProtocolError("a control frame is fragmented or too long")
            return Message(opcode, payload)
        if opcode > 2 or (opcode == 0) is not self._fragmented:  # noqa: PLR2004 - 0 goes on, 1 is text, 2 is binary
            raise ProtocolError("a frame has no place here")
        self._parts += payload
        if len(self._parts) > MESSAGE_BYTES:
            raise ProtocolError("a message is too long")
        self._fragmented = not final
        if not final:
            return None
        message = Message(TEXT, bytes(self._parts))
        self._parts.clear()
        return message
