"""What a recorded TCP connection carried: messages of websockets, or HTTP requests and their replies."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Final

import h11
import msgspec
from msgspec import Struct

_HEAD_END: Final = b"\r\n\r\n"
_TEXT, _CLOSE = 1, 8
_LENGTH_16, _LENGTH_64 = 126, 127

UP, DOWN = "sent", "received"
"""Which way bytes went, in the words of a recording: the client sent them, or received them."""
Part = tuple[str, bytes]
"""The way of some bytes, and these bytes."""
Message = tuple[int, bytes]
"""The opcode and the payload of a whole message."""


class Order(Struct, frozen=True, eq=False):
    """Messages with their ways. On another link of the same path they may be interleaved otherwise."""

    messages: list[Part]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order)

    __hash__ = None  # type: ignore[assignment]  # as for any list


class Call(Struct, frozen=True):
    """A websocket."""

    target: str
    subprotocol: str | None
    """The one that the server chose."""
    sent: list[Message]
    """By the client, unmasked."""
    received: list[Message]
    closes: tuple[bytes | None, bytes | None]
    """The payloads of the close frames of client and server."""
    order: Order
    """The messages of both ways as they passed."""


class Exchange(Struct, frozen=True):
    """An HTTP request and its reply."""

    method: str
    target: str
    asked: bytes
    status: int
    answered: bytes


class Traffic(Struct, frozen=True):
    """What several connections carried, in the order in which they were opened."""

    calls: list[Call]
    exchanges: list[Exchange]

    def figures(self) -> str:
        """Return how much it is, for people."""
        sent = [payload for call in self.calls for _, payload in call.sent]
        received = [payload for call in self.calls for _, payload in call.received]
        asked = [exchange.asked for exchange in self.exchanges]
        answered = [exchange.answered for exchange in self.exchanges]
        return (
            f"{len(self.calls)} websockets: {_sum(sent)} up, {_sum(received)} down; "
            f"{len(self.exchanges)} requests: {sum(map(len, asked)):,} bytes up, {sum(map(len, answered)):,} down"
        )


def _sum(payloads: list[bytes]) -> str:
    return f"{len(payloads):,} messages of {sum(map(len, payloads)):,} bytes"


def traffic(connections: Sequence[Sequence[Part]]) -> Traffic:
    """Return what was carried by connections, each given as the parts that passed, in order."""
    calls: list[Call] = []
    exchanges: list[Exchange] = []
    for parts in connections:
        up, down = (b"".join(part for way, part in parts if way == wanted) for wanted in (UP, DOWN))
        if down.startswith(b"HTTP/1.1 101 "):
            calls.append(_call(parts, up, down))
        else:
            exchanges.extend(_exchanges(up, down))
    return Traffic(calls, exchanges)


def logged(lines: Iterable[bytes]) -> Traffic:
    """Return what a client has logged of itself: of one websocket, and of requests."""
    messages: list[Part] = []
    calls: list[Call] = []
    exchanges: list[Exchange] = []
    for entry in map(msgspec.json.decode, lines):
        if "way" in entry:
            messages.append((entry["way"], entry["data"].encode()))
        elif "code" in entry:
            sent, received = ([(_TEXT, payload) for found, payload in messages if found == way] for way in (UP, DOWN))
            close = struct.pack("!H", entry["code"]) + entry["reason"].encode()
            subprotocol = entry["protocol"] or None
            calls.append(Call(entry["target"], subprotocol, sent, received, (close, close), Order(messages)))
        else:
            asked, answered = entry["asked"].encode(), entry["answered"].encode()
            exchanges.append(Exchange(entry["method"], entry["target"], asked, entry["status"], answered))
    return Traffic(calls, exchanges)


class Stream(Struct, frozen=True):
    """The frames of one stream that steno is to see."""

    frames: list[Part]
    ended: bool
    """Whether it ends with them. A reply does; the end of a websocket is left to who compares."""


def streams(carried: Traffic) -> Iterator[Stream]:
    """Yield each stream that steno is to see: the websockets, and the replies that it knows."""
    for call in carried.calls:
        yield Stream(call.order.messages, ended=False)
    for exchange in carried.exchanges:
        if _is_read(exchange) and exchange.status == HTTPStatus.OK:
            yield Stream([(DOWN, frame) for frame in _frames_of(exchange.answered)], ended=True)


def _is_read(exchange: Exchange) -> bool:
    """Return whether a reply is one that steno reads, as far as its request says."""
    if exchange.target.endswith("/responses"):
        return exchange.method == "POST"
    return "/threads/" in exchange.target or exchange.target.endswith("/client_secrets")


def _frames_of(body: bytes) -> Iterator[bytes]:
    """Yield the frames of a reply: its events, or itself."""
    if not body.startswith(b"event: "):
        yield body
        return
    for event in body.decode().rstrip("\n").split("\n\n"):
        members = dict(line.split(": ", 1) for line in event.splitlines())
        data = members["data"].encode() if members["data"].startswith("{") else msgspec.json.encode(members["data"])
        if data.startswith(b'{"type":"%b"' % members["event"].encode()):
            yield data
            continue
        yield b'{"event":"%s","data":%s}' % (members["event"].encode(), data)


def _call(parts: Sequence[Part], up: bytes, down: bytes) -> Call:
    request, _, frames_up = up.partition(_HEAD_END)
    response, _, frames_down = down.partition(_HEAD_END)
    sent, closed_up = _messages(frames_up)
    received, closed_down = _messages(frames_down)
    ends = [
        *((_index(parts, UP, len(request) + 4 + end), UP, payload) for _, payload, end in sent),
        *((_index(parts, DOWN, len(response) + 4 + end), DOWN, payload) for _, payload, end in received),
    ]
    return Call(
        target=request.split(b" ", 2)[1].decode(),
        subprotocol=_header(response, b"sec-websocket-protocol"),
        sent=[message[:2] for message in sent],
        received=[message[:2] for message in received],
        closes=(closed_up, closed_down),
        order=Order([(way, payload) for _, way, payload in sorted(ends, key=lambda end: end[0])]),
    )


def _index(parts: Sequence[Part], way: str, end: int) -> int:
    """Return in which part the `end`-th byte of a way has passed."""
    passed = 0
    for n, (found, part) in enumerate(parts):
        passed += len(part) if found == way else 0
        if passed >= end:
            return n
    raise AssertionError("a message ends after the last part")


def _header(head: bytes, name: bytes) -> str | None:
    for line in head.split(b"\r\n")[1:]:
        found, _, value = line.partition(b":")
        if found.lower() == name:
            return value.strip().decode()
    return None


def _messages(stream: bytes) -> tuple[list[tuple[int, bytes, int]], bytes | None]:
    """Return the whole messages of a stream of frames, each with where it ends, and the payload of the close frame."""
    messages: list[tuple[int, bytes, int]] = []
    begun: tuple[int, list[bytes]] | None = None
    closed = None
    for final, opcode, payload, end in _frames(stream):
        if opcode == _CLOSE:
            closed = payload
        elif opcode > _CLOSE:  # pings and pongs are of the hop
            continue
        else:
            kind, parts = begun or (opcode, [])
            parts.append(payload)
            begun = (kind, parts)
            if final:
                messages.append((kind, b"".join(parts), end))
                begun = None
    return messages, closed


def _frames(stream: bytes) -> Iterator[tuple[bool, int, bytes, int]]:
    """Yield FIN, opcode, payload and end of each whole frame. Extensions are a fault: nobody here agrees on one."""
    at = 0
    while at + 2 <= len(stream):
        first, second = stream[at], stream[at + 1]
        assert not first & 0x70, "a frame has bits of an extension"
        at += 2
        length = second & 0x7F
        if length == _LENGTH_16:
            (length,) = struct.unpack_from("!H", stream, at)
            at += 2
        elif length == _LENGTH_64:
            (length,) = struct.unpack_from("!Q", stream, at)
            at += 8
        mask = b""
        if second & 0x80:
            mask = stream[at : at + 4]
            at += 4
        payload = stream[at : at + length]
        if len(payload) < length:
            return
        at += length
        yield bool(first & 0x80), first & 0x0F, _unmasked(payload, mask), at


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    if not mask:
        return payload
    size = len(payload)
    whole = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(size, "big")


def _exchanges(up: bytes, down: bytes) -> Iterator[Exchange]:
    """Yield the requests of a connection that may have carried several, with the body of each."""
    server, client = h11.Connection(h11.SERVER), h11.Connection(h11.CLIENT)
    server.receive_data(up)
    client.receive_data(down)
    while isinstance(request := server.next_event(), h11.Request):
        asked = _body(server)
        client.send(h11.Request(method=request.method, target=request.target, headers=request.headers))
        if client.our_state is h11.SEND_BODY:
            for part in (h11.Data(data=asked), h11.EndOfMessage()):
                client.send(part)
        response = client.next_event()
        assert isinstance(response, h11.Response), f"no reply to {request.method!r} {request.target!r}: {response}"
        answered = _body(client, cut=True)
        yield Exchange(request.method.decode(), request.target.decode(), asked, response.status_code, answered)
        server.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
        server.send(h11.EndOfMessage())
        if not server.our_state is client.our_state is client.their_state is h11.DONE:
            return
        server.start_next_cycle()
        client.start_next_cycle()


def _body(side: h11.Connection, *, cut: bool = False) -> bytes:
    """Return a body. One that may be `cut` may lack its end: a client hangs up at the last event of a stream."""
    parts = []
    while isinstance(event := side.next_event(), h11.Data):
        parts.append(bytes(event.data))
    assert isinstance(event, h11.EndOfMessage) or (cut and event is h11.NEED_DATA), f"a body that has no end: {event}"
    return b"".join(parts)
