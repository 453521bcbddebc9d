"""Upstream's words: a frozen Struct per object and event, and the decoder. Pure.

`decode` turns the bytes of a frame into an event and never raises. `raw_object` gives the bytes of the object that
an event carries, so that nothing of it is lost. `mask` hides secrets in such bytes.
"""

from steno.wire.base import AssistantsEvent, Drifted, Event, Malformed, RealtimeEvent, Unknown
from steno.wire.decode import CLIENT_EVENTS, NAMES, Decoded, decode, raw_object
from steno.wire.fallback import Enveloped
from steno.wire.secrets import mask

__all__ = [
    "CLIENT_EVENTS",
    "NAMES",
    "AssistantsEvent",
    "Decoded",
    "Drifted",
    "Enveloped",
    "Event",
    "Malformed",
    "RealtimeEvent",
    "Unknown",
    "decode",
    "mask",
    "raw_object",
]
