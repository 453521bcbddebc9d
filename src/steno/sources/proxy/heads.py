"""Heads of requests and replies: what is refused in them, and what of them passes. Pure.

h11 parses. What it forgives, and another parser may read otherwise, is refused here: by such differences requests are
smuggled past a proxy.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import Final

import h11
from msgspec import Struct

from steno.sources.proxy.refusal import Refused
from steno.sources.proxy.target import Upstream

HEAD_BYTES: Final = 64 * 1024
"""The longest head. The longest real ones, with cookies, have some 16 KiB."""

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Headers of one hop (RFC 9110 section 7.6.1): they do not pass, nor do those that `Connection` names."""
_WEBSOCKET_HOP: Final = frozenset(
    (b"sec-websocket-key", b"sec-websocket-accept", b"sec-websocket-version", b"sec-websocket-extensions")
)
_PLACES: Final = frozenset((b"location", b"content-location"))
_NOT_NAMED: Final = frozenset((b"host", b"content-length", b"authorization"))
"""What `Connection` cannot take out of a request: it is of the message, not of the hop."""
_BAD_BYTES: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)|\x00")
_FOLD: Final = re.compile(rb"\r\n[ \t]")
_FRAMING: Final = re.compile(rb"\r\n(content-length|transfer-encoding)[ \t]*:[ \t]*([^\r]*)", re.IGNORECASE)
_ACCEPT: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16


class RequestHead(Struct, frozen=True):
    """What a client asks for."""

    method: bytes
    target: bytes
    """As the client sent it. Its query may hold a key."""
    headers: Headers
    """As the client sent them, names in its spelling."""


class ResponseHead(Struct, frozen=True):
    """What the provider answers."""

    status: int
    headers: Headers
    """As the provider sent it, names in its spelling."""
    reason: bytes = b""


def check_head(head: bytes) -> None:
    """Raise Refused where the head of a request, with the empty line at its end, could be read in two ways."""
    if _BAD_BYTES.search(head):
        raise Refused(400, "head", "the head of the request has a line that does not end by CR LF")
    if _FOLD.search(head):
        raise Refused(400, "head", "the head of the request has a folded line")
    framing = [(name.lower(), value.strip()) for name, value in _FRAMING.findall(head)]
    names = [name for name, _ in framing]
    if len(names) > 1:
        raise Refused(400, "head", "the request says its length more than once")
    if any(name == b"content-length" and not value.isdigit() for name, value in framing):
        raise Refused(400, "head", "the length of the request is no number")


def ambiguous(response: h11.Response) -> bool:
    """Return whether the reply says its length in two ways."""
    names = [name for name, _ in response.headers]
    return b"content-length" in names and b"transfer-encoding" in names


def words(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Return the comma-separated words of the headers called `name`, in lower case."""
    found = [value for key, value in headers if key.lower() == name]
    return [word.strip().lower() for value in found for word in value.split(b",") if word.strip()]


def _passing(headers: Headers, dropped: frozenset[bytes]) -> Headers:
    named = frozenset(words(headers, b"connection")) - _NOT_NAMED
    out = dropped | HOP_BY_HOP | named
    return [(name, value) for name, value in headers if name.lower() not in out]


def request_headers(request: RequestHead, upstream: Upstream, *, websocket_key: bytes | None) -> Headers:
    """Return the headers of the request to the provider: those of the client, but the ones of its own hop.

    A `websocket_key` makes it a handshake. Neither `Via` nor `X-Forwarded-For` is added: the provider sees what it saw
    before, and steno adds nothing of its own to what it passes.
    """
    headers = [(name, value) for name, value in request.headers if name.lower() != b"host"]
    passing = [
        (b"Host", upstream.authority.encode()),
        *_passing(headers, _WEBSOCKET_HOP if websocket_key else frozenset()),
    ]
    if websocket_key is not None:
        passing += [
            (b"Connection", b"Upgrade"),
            (b"Upgrade", b"websocket"),
            (b"Sec-WebSocket-Version", b"13"),
            (b"Sec-WebSocket-Key", websocket_key),
        ]
    elif words(request.headers, b"transfer-encoding"):
        passing.append((b"Transfer-Encoding", b"chunked"))
    return passing


def response_headers(response: ResponseHead, upstream: Upstream, *, accept: bytes | None = None) -> Headers:
    """Return the headers of the reply to the client; those of a handshake that succeeded with its `accept`."""
    passing = [
        (name, upstream.location(value) if name.lower() in _PLACES else value)
        for name, value in _passing(response.headers, _WEBSOCKET_HOP if accept else frozenset())
    ]
    if accept is not None:
        passing = [(name, value) for name, value in passing if name.lower() != b"content-length"]
        passing += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"), (b"Sec-WebSocket-Accept", accept)]
    return passing


# Handshakes of websockets ---------------------------------------------------------------------------------


def asks_for_websocket(request: h11.Request) -> bool:
    """Return whether `request` is the handshake of a websocket; raises Refused where it is a wrong one."""
    headers = list(request.headers)
    if b"websocket" not in words(headers, b"upgrade") or b"upgrade" not in words(headers, b"connection"):
        return False
    if request.method != b"GET" or request.http_version != b"1.1":
        raise Refused(400, "handshake", "a websocket is opened by GET and HTTP/1.1")
    if words(headers, b"content-length") not in ([], [b"0"]) or words(headers, b"transfer-encoding"):
        raise Refused(400, "handshake", "the handshake of a websocket has no body")
    if words(headers, b"sec-websocket-version") != [b"13"]:
        raise Refused(426, "handshake", "the version of the websocket must be 13")
    keys = [value for name, value in headers if name == b"sec-websocket-key"]
    if len(keys) != 1 or not _is_key(keys[0]):
        raise Refused(400, "handshake", "the handshake has no valid Sec-WebSocket-Key")
    return True


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


def accept_of(key: bytes) -> bytes:
    """Return the `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`."""
    return base64.b64encode(hashlib.sha1(key + _ACCEPT, usedforsecurity=False).digest())


def is_accepted(response: h11.InformationalResponse, key: bytes) -> bool:
    """Return whether a 101 opens the websocket that was asked for by `key`, without extensions."""
    headers = list(response.headers)
    return (
        words(headers, b"upgrade") == [b"websocket"]
        and b"upgrade" in words(headers, b"connection")
        and [value for name, value in headers if name == b"sec-websocket-accept"] == [accept_of(key)]
        and not words(headers, b"sec-websocket-extensions")
    )
