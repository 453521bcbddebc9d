"""Realtime session objects that come from REST replies and reach a stream through a relay."""

from typing import ClassVar

from steno.wire.base import TypedEvent, UnixSeconds
from steno.wire.realtime_objects import RealtimeSessionCreateResponse


class SessionSeen(TypedEvent, frozen=True, tag="realtime.session"):
    """A bare session object, as a relay passes REST replies on."""

    raw_member: ClassVar[str | None] = ""
    session: RealtimeSessionCreateResponse | None = None


class ClientSecretSeen(SessionSeen, frozen=True, tag="realtime.client_secret"):
    """A bare reply to the creation of a client secret."""

    raw_member: ClassVar[str | None] = "session"
    expires_at: UnixSeconds | None = None
