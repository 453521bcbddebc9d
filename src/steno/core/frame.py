"""A frame: one websocket message and when it was received."""

from msgspec import Struct

from steno.timestamps import Micros


class Frame(Struct, frozen=True, gc=False):
    """One websocket message."""

    payload: bytes
    at: Micros | None
    """When it was received; None where a recording does not say."""
    sent: bool = False
    """Whether the client said it. What upstream says is received."""
