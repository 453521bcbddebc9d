"""What an envelope, a CloudEvent, says of the event in it: its conversation, its identity, its time."""

from typing import Final

from msgspec import Struct

from steno.timestamps import LATEST_SECOND, SECOND, Micros, parse_timestamp
from steno.wire import Enveloped

PLAUSIBLE_SECONDS: Final = 300
"""How far the time that an envelope states may be from its receipt; past it the clock that set it is not believed."""
LATEST_TIME: Final = LATEST_SECOND * SECOND
"""Where nothing says when an envelope was received, its own time must at least be one that can be written."""


class Envelope(Struct, frozen=True, gc=False):
    """What an envelope says of the event in it."""

    subject: str | None = None
    """The name of the conversation."""
    identity: str | None = None
    """What tells the event from all others in its conversation."""


NO_ENVELOPE: Final = Envelope()


def envelope_of(enveloped: Enveloped) -> Envelope:
    """Return what the envelope says. CloudEvents are told apart by source and id together."""
    source = enveloped.source
    return Envelope(enveloped.subject, f"{len(source)} {source}{enveloped.id}")


def event_time(stated: str | None, received: Micros | None) -> Micros | None:
    """Return the time that an envelope states, where it is plausible; else when it was received."""
    if stated is None:
        return received
    try:
        at = parse_timestamp(stated)
    except ValueError:  # CloudEvents have RFC 3339, and so do recordings: what is no such time there is none here
        return received
    if received is None:
        return at if 0 <= at < LATEST_TIME else None
    return plausible_time(at, received)


def plausible_time(stated: Micros | None, received: Micros) -> Micros:
    """Return the time that somebody else states, where it is plausible; else when it was received."""
    if stated is None or abs(stated - received) > PLAUSIBLE_SECONDS * SECOND:
        return received
    return stated
