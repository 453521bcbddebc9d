"""Bytes in, an event out: never raises, whatever the bytes are.

The usual frame takes one pass of a compiled decoder. Whatever that refuses is looked at again, slowly, in
`fallback.py`, which finds out what it is instead: an envelope, a bare object, an event of an unknown type, an event
with a member nobody expects, or no event at all.
"""

import functools
import operator
from typing import Any, Final

import msgspec
from msgspec import Raw

from steno.limits import NESTING_DEPTH
from steno.wire import assistants, fallback, realtime, realtime_client, sessions
from steno.wire.base import AssistantsEvent, Drifted, Event, Malformed, RealtimeEvent, Unknown
from steno.wire.fallback import Enveloped

Decoded = Event | Unknown | Malformed | Drifted | Enveloped

BARE_EVENTS: Final[tuple[type[Event], ...]] = (
    sessions.SessionSeen,
    sessions.ClientSecretSeen,
    sessions.ChatKitSessionSeen,
    assistants.ThreadEvent,
    assistants.RunEvent,
    assistants.StepEvent,
    assistants.MessageEvent,
)
"""What a bare object is decoded to: it is no event of upstream's, and counts under the object's name."""

_EVENTS: Final[tuple[type[Event], ...]] = (
    *realtime.SERVER_EVENTS,
    *realtime_client.CLIENT_EVENTS,
    *assistants.EVENTS,
    *BARE_EVENTS,
)


NAMES: Final[dict[type[Event], str]] = {kind: str(kind.__struct_config__.tag) for kind in _EVENTS}
"""Event class to upstream's name for it."""

CLIENT_EVENTS: Final = frozenset(realtime_client.CLIENT_EVENTS)


def _carrying(member: str, *kinds: type[Event]) -> dict[type[Event], str]:
    return dict.fromkeys(kinds, member)


_WHOLE: Final = {
    **_carrying("response", realtime.ResponseCreated, realtime.ResponseDone),
    **_carrying("session", realtime.SessionCreated, realtime.SessionUpdated, sessions.ClientSecretSeen),
    **_carrying("session", realtime.TranscriptionSessionCreated, realtime.TranscriptionSessionUpdated),
    **_carrying("data", *assistants.EVENTS),
}
"""Event class to the member in which it carries an upstream object."""


def _union(kinds: tuple[type[Event], ...]) -> Any:
    """Return the union of `kinds`: built at run time, it is no type to a checker."""
    return functools.reduce(operator.or_, kinds)


_REALTIME: Final[msgspec.json.Decoder[RealtimeEvent]] = msgspec.json.Decoder(
    _union((*realtime.SERVER_EVENTS, *realtime_client.CLIENT_EVENTS))
)
_ASSISTANTS: Final[msgspec.json.Decoder[AssistantsEvent]] = msgspec.json.Decoder(_union(assistants.EVENTS))
_MEMBERS: Final[dict[str, msgspec.json.Decoder[msgspec.Struct]]] = {
    name: msgspec.json.Decoder(msgspec.defstruct("Member", [(name, Raw, Raw())]))
    for name in sorted(set(_WHOLE.values()))
}

_NEST_BYTES: Final = 2 * NESTING_DEPTH
"""A shorter JSON text cannot nest too deep: what is opened is closed again."""


def decode(payload: bytes, *, within: bool = False) -> Decoded:
    """Decode the `payload` of one frame.

    Args:
        payload: the bytes of one websocket message.
        within: whether they came in an envelope, which does not hold another.

    Returns:
        An event; `Unknown`, an event of a type not known here; `Drifted`, an event with members left out;
        `Enveloped`, one of these inside a CloudEvent; or `Malformed` with a reason that repeats nothing.
    """
    if not payload.isascii() and not fallback.is_utf8(payload):
        return Malformed(reason="not_utf8")
    event: Event
    try:
        if payload.startswith(b'{"event":'):
            event = _ASSISTANTS.decode(payload)
            if event.data is None:  # half a pair is none
                return fallback.decode(payload, None if within else _decode_within)
        else:
            event = _REALTIME.decode(payload)
    except (ValueError, RecursionError):  # msgspec's own errors, UnicodeDecodeError, and nesting without end
        return fallback.decode(payload, None if within else _decode_within)
    if len(payload) > _NEST_BYTES and fallback.too_deep(payload):
        return Malformed(reason="too_deep")
    return event


def _decode_within(payload: bytes) -> Decoded:
    return decode(payload, within=True)


def raw_object(event: Event, payload: bytes) -> bytes:
    """Return the bytes of the object that `event` carries, as they stood in its `payload`; empty if it has none.

    They are a copy: what is kept must not keep its frame alive.
    """
    name = _WHOLE.get(type(event))
    if name is None:
        return payload if type(event) in BARE_EVENTS else b""
    try:
        return bytes(getattr(_MEMBERS[name].decode(payload), name)) or payload  # a bare response is its own object
    except ValueError:  # half a character
        mended = fallback.replace_lone_surrogates(payload)  # of the same length
        kept = bytes(getattr(_MEMBERS[name].decode(mended), name))
        start = mended.find(kept)
        return payload[start : start + len(kept)] or payload
