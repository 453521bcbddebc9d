r"""Events that came as a text within their frame: what relays make of server-sent events. Pure.

An event source hands the data of an event on as a text. A relay that passes this on as it is sends

    {"event": "thread.run.created", "data": "{\"id\": ...}"}    a pair whose data is a JSON text
    "{\"type\": \"response.done\", ...}"                        a whole frame as a JSON text
    event: thread.run.created                                  the lines of one server-sent event
    data: {"id": ...}

`decode.py` says when these are read. Here the text is taken out. It must be an object in JSON.
"""

from typing import Final

import msgspec
from msgspec import Raw

from steno.wire.characters import replace_lone_surrogates
from steno.wire.secrets import mask, mask_text

LINES_MAX: Final = 10_000
"""Lines of a server-sent event. Real ones have a line or two; each costs some work."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""What some writers put before a text in UTF-8. A stream of server-sent events may begin with it."""
_STRING: Final = msgspec.json.Decoder(str)
_ANY: Final = msgspec.json.Decoder(Raw)
_BLANKS: Final = b" \t\r\n"


def text_in(raw: bytes) -> bytes | None:
    """Return the JSON object that the JSON string `raw` holds; None where it is no string, or holds none."""
    try:
        return _object(_STRING.decode(raw).encode())
    except ValueError:
        return None


def _object(text: bytes) -> bytes | None:
    """Return `text` where it is one whole JSON object, else None."""
    text = text.strip(_BLANKS)
    if not text.startswith(b"{"):
        return None
    try:
        _ANY.decode(replace_lone_surrogates(text) or b"")  # empty, and so no JSON, where too much had to be replaced
    except (ValueError, RecursionError):
        return None
    return text


def pair(name: str, data: bytes) -> bytes:
    """Return the frame of an event of which `data`, one JSON value, came apart."""
    return b'{"event":%b,"data":%b}' % (msgspec.json.encode(name), data)


class ServerSent(msgspec.Struct, frozen=True):
    """One server-sent event."""

    name: str | None
    data: bytes
    """A JSON object; a JSON string where it is none, as in `[DONE]`."""
    is_object: bool


def server_sent(payload: bytes) -> ServerSent | None:
    """Return the one server-sent event that `payload`, UTF-8, is the lines of; None where it is none, or several."""
    payload = payload.removeprefix(BYTE_ORDER_MARK).lstrip(b"\r\n")
    if not payload.startswith((b"event:", b"data:", b"id:", b"retry:", b":")):
        return None
    lines = payload.splitlines() if payload.count(b"\n") + payload.count(b"\r") <= LINES_MAX else []
    name, over = None, False
    data: list[bytes] = []
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:  # the end of an event, or of comments
            over = over or bool(data)
            name = name if data else None
        elif over and field:  # another event follows
            return None
        elif field == b"event":
            name = value.decode() or None
        elif field == b"data":
            data.append(value)
        elif field not in (b"", b"id", b"retry"):  # this is no event at all
            return None
    if not data:
        return None
    text = b"\n".join(data)
    found = _object(text)
    return ServerSent(name, found or msgspec.json.encode(text.decode()), is_object=found is not None)


def mask_frame(payload: bytes) -> bytes:
    """Return `payload`, which is no JSON, with its secrets hidden. One server-sent event stays one."""
    masked = mask(payload)
    sent = None if masked == payload else server_sent(payload)
    if sent is None or not sent.is_object:
        return masked
    name = b"" if sent.name is None else b"event: %b\n" % mask_text(sent.name).encode()
    return b"%bdata: %b\n\n" % (name, mask(sent.data))
