import random

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.streams import StreamReader

from steno_tap.websocket import (
    MESSAGE_BYTES,
    Message,
    ProtocolError,
    Reader,
    check_accepted,
    encode,
    encode_close,
    encode_texts,
    masked,
    new_key,
    parse_response,
    request,
)

LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 125, 126, 127, 1000, 65_535, 65_536, 100_001]


def read_frames(data: bytes) -> list[Frame]:
    """Return the frames in `data` as another implementation reads them, at a server."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    frames = []
    while not finished(reader.at_eof()):
        parsing = Frame.parse(reader.read_exact, mask=True, max_size=None)
        try:
            while True:
                next(parsing)
        except StopIteration as done:
            frames.append(done.value)
    return frames


def finished(at_eof: object) -> bool:
    try:
        next(at_eof)  # type: ignore[call-overload]  # a generator that returns its answer
    except StopIteration as done:
        return bool(done.value)
    raise AssertionError("it waits for more")


def as_server(frame: Frame) -> bytes:
    return frame.serialize(mask=False)


@pytest.mark.parametrize("length", LENGTHS)
def test_another_implementation_reads_what_is_encoded(length: int) -> None:
    payload = random.Random(length).randbytes(length)

    [frame] = read_frames(encode(0x1, payload))
    assert frame == Frame(Opcode.TEXT, payload)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_mask_is_that_of_the_rfc(length: int) -> None:
    payload, key = random.Random(length).randbytes(length), b"\x00\x80\xff\x01"

    assert masked(payload, key) == bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


def test_each_frame_has_a_key_of_its_own() -> None:
    first, second = encode_texts([b"same"])[2:6], encode_texts([b"same"])[2:6]

    assert first != second


def test_several_texts_are_several_messages() -> None:
    assert [frame.data for frame in read_frames(encode_texts([b"a", b"", "ü".encode()]))] == [b"a", b"", "ü".encode()]


def test_a_close_reason_is_cut_between_characters() -> None:
    [frame] = read_frames(encode_close(1000, "ü" * 100))

    assert frame.opcode is Opcode.CLOSE
    assert frame.data == (1000).to_bytes(2, "big") + ("ü" * 61).encode()


def test_a_server_of_another_implementation_accepts_the_handshake() -> None:
    key, server = new_key(), ServerProtocol()
    server.receive_data(request("127.0.0.1:9465", "/v1/push", key, {"Authorization": "Bearer t"}))
    [received] = server.events_received()
    assert isinstance(received, Request)
    answer = server.accept(received)
    server.send_response(answer)

    response = parse_response(b"".join(server.data_to_send()))
    assert response.status == 101
    check_accepted(response, key)


@pytest.mark.parametrize(
    "head",
    [b"", b"\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/2 200\r\n\r\n"],
)
def test_what_is_no_http_is_refused(head: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_response(head)


@pytest.mark.parametrize(
    "headers",
    ["", "Upgrade: websocket\r\n", "Upgrade: h2c\r\nSec-WebSocket-Accept: x\r\n", "Sec-WebSocket-Accept: {accept}\r\n"],
)
def test_an_answer_that_belongs_to_another_handshake_is_refused(headers: str) -> None:
    response = parse_response(f"HTTP/1.1 101 Switching\r\n{headers}\r\n".encode())

    with pytest.raises(ProtocolError):
        check_accepted(response, "dGhlIHNhbXBsZSBub25jZQ==")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_messages_are_read_however_they_are_cut(size: int) -> None:
    frames = [
        Frame(Opcode.TEXT, b'{"ack":1}'),
        Frame(Opcode.TEXT, b'{"a', fin=False),
        Frame(Opcode.PING, b"now"),
        Frame(Opcode.CONT, b'ck":2}'),
        Frame(Opcode.BINARY, b"x" * 300),
        Frame(Opcode.TEXT, b""),
        Frame(Opcode.CLOSE, b"\x03\xe9going"),
    ]
    data = b"".join(as_server(frame) for frame in frames)
    reader = Reader()
    found = [message for at in range(0, len(data), size) for message in reader.feed(data[at : at + size])]

    assert found == [
        Message(1, b'{"ack":1}'),
        Message(9, b"now"),
        Message(1, b'{"ack":2}'),
        Message(1, b"x" * 300),
        Message(1, b""),
        Message(8, b"\x03\xe9going"),
    ]
    assert (found[-1].close_code(), found[-1].close_reason()) == (1001, "going")
    assert Message(8, b"").close_code() is None


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1\x00",  # a reserved bit
        b"\x81\x81abcdX",  # a mask, which a server must not have
        b"\x80\x00",  # a continuation of nothing
        b"\x01\x00\x81\x00",  # a text within a text
        b"\x83\x00",  # an opcode that nobody knows
        b"\x09\x00",  # a ping in parts
        b"\x89\x7e\x00\x7e" + b"x" * 126,  # a ping that is too long
        b"\x81\x7f" + (1 << 62).to_bytes(8, "big"),  # a length that nobody has
        (b"\x01\x7e\xff\xff" + b"x" * 65_535) + (b"\x00\x7e\xff\xff" + b"x" * 65_535),  # endless parts
    ],
)
def test_what_breaks_the_rules_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Reader().feed(data))


def test_nothing_a_server_sends_is_held_without_bound() -> None:
    generator, held = random.Random(7), 0
    for _ in range(2000):
        reader = Reader()
        try:
            for _ in range(20):
                list(reader.feed(generator.randbytes(generator.randrange(64))))
        except ProtocolError:
            pass
        held = max(held, len(reader._buffer) + len(reader._parts))

    assert held <= 2 * MESSAGE_BYTES
