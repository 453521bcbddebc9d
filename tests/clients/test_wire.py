"""What the recorder is read by, and what the comparison notices."""

import pytest
from msgspec.structs import replace
from websockets.frames import Frame, Opcode

from tests.clients import plays
from tests.clients.wire import DOWN, UP, Call, Exchange, Part, Traffic, traffic

ASKED = b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"
ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: realtime\r\n\r\n"


def frame(opcode: Opcode, data: bytes, *, mask: bool = False, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=mask)


TALK: list[Part] = [
    (UP, ASKED),
    (DOWN, ACCEPTED),
    (DOWN, frame(Opcode.TEXT, b'{"type":"session.', fin=False) + frame(Opcode.PING, b"are you there")),
    (UP, frame(Opcode.PONG, b"are you there", mask=True) + frame(Opcode.TEXT, b'{"type":"a"}', mask=True)),
    (DOWN, frame(Opcode.CONT, b'created"}')),
    (UP, frame(Opcode.TEXT, b'{"type":"' + b"b" * 70_000 + b'"}', mask=True)),
    (UP, frame(Opcode.CLOSE, b"\x03\xe8bye", mask=True)),
    (DOWN, frame(Opcode.CLOSE, b"\x03\xe8")),
]
LONG = b'{"type":"' + b"b" * 70_000 + b'"}'


@pytest.mark.parametrize("size", [1, 1000, 1 << 20], ids=str)
def test_messages_are_read_whole_in_whatever_parts_they_pass(size: int) -> None:
    parts = [(way, data[at : at + size]) for way, data in TALK for at in range(0, len(data), size)]

    (call,) = traffic([parts]).calls

    assert (call.target, call.subprotocol) == ("/v1/realtime?model=m", "realtime")
    assert call.sent == [(1, b'{"type":"a"}'), (1, LONG)]
    assert call.received == [(1, b'{"type":"session.created"}')]
    assert call.closes == (b"\x03\xe8bye", b"\x03\xe8")
    assert call.order.messages == [(UP, b'{"type":"a"}'), (DOWN, b'{"type":"session.created"}'), (UP, LONG)]


def test_requests_of_one_connection_are_told_apart() -> None:
    post = b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    get = b"GET /v1/threads/t HTTP/1.1\r\nHost: x\r\n\r\n"
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n?"

    found = traffic([[(UP, post), (DOWN, chunked), (UP, get), (DOWN, missing)]]).exchanges

    assert found == [
        Exchange("POST", "/v1/threads", b"{}", 200, b"abcde"),
        Exchange("GET", "/v1/threads/t", b"", 404, b"?"),
    ]


def test_a_client_may_hang_up_at_the_last_event_of_a_stream() -> None:
    get = b"GET /v1/threads/t HTTP/1.1\r\nHost: x\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"

    assert traffic([[(UP, get), (DOWN, chunked)]]).exchanges == [Exchange("GET", "/v1/threads/t", b"", 200, b"abc")]


CALL = traffic([TALK]).calls[0]
REPLY = Exchange("GET", "/v1/threads/t", b"", 200, b"{}")


@pytest.mark.parametrize(
    ("call", "reply"),
    [
        (replace(CALL, sent=CALL.sent[:1]), REPLY),
        (replace(CALL, sent=CALL.sent[::-1]), REPLY),
        (replace(CALL, received=[(1, b'{"type": "session.created"}')]), REPLY),
        (replace(CALL, received=[(2, b'{"type":"session.created"}')]), REPLY),
        (replace(CALL, closes=(b"\x03\xe8", b"\x03\xe8")), REPLY),
        (replace(CALL, subprotocol=None), REPLY),
        (replace(CALL, target="/v1/realtime"), REPLY),
        (CALL, replace(REPLY, answered=b"{ }")),
        (CALL, replace(REPLY, status=201)),
    ],
)
def test_a_difference_between_the_ends_is_noticed(call: Call, reply: Exchange) -> None:
    whole = Traffic([CALL], [REPLY])
    plays.same(whole, whole)
    with pytest.raises(AssertionError):
        plays.same(whole, Traffic([call], [reply]))
