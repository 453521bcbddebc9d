"""Upstream's vocabulary: a frozen Struct per object and event, and the decoder. Pure.

A `Decoder` turns the bytes of a frame into an event and never raises. `raw_object` gives the bytes of the object that
an event carries, so that nothing of it is lost. `mask` hides secrets in such bytes.
"""

from steno.wire.base import (
    Drifted,
    Event,
    Malformed,
    PairedEvent,
    Sign,
    TypedEvent,
    Unknown,
    Vocabulary,
    name_of,
)
from steno.wire.decode import Decoded, Decoder, StreamDecoder, raw_member, raw_object
from steno.wire.fallback import Embedded, Enveloped
from steno.wire.secrets import mask

__all__ = [
    "Decoded",
    "Decoder",
    "Drifted",
    "Embedded",
    "Enveloped",
    "Event",
    "Malformed",
    "PairedEvent",
    "Sign",
    "StreamDecoder",
    "TypedEvent",
    "Unknown",
    "Vocabulary",
    "mask",
    "name_of",
    "raw_member",
    "raw_object",
]
