"""What an event tells before it moves anything: who says it, what it is known by, and whose it can be."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from steno.core.assistants import handlers as assistants_handlers
from steno.core.chatkit import handlers as chatkit_handlers
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.realtime import handlers as realtime_handlers
from steno.core.realtime.state import RealtimeConversation
from steno.core.stream import Stream
from steno.limits import ID_CHARACTERS
from steno.wire import CLIENT_EVENTS, Event, RealtimeEvent, assistants, realtime, sessions

Handler = Callable[[Any, Any, Frame], Sequence[Fact]]
"""Each takes the conversation of its own family, and its own event: the keys of the tables see to that."""

HANDLERS: Final[Mapping[type[Event], Handler]] = dict(
    chain[tuple[type[Event], Handler]](
        realtime_handlers.HANDLERS.items(), assistants_handlers.HANDLERS.items(), chatkit_handlers.HANDLERS.items()
    )
)
"""What each event does to a conversation."""

SESSION_BEGINS: Final = (realtime.SessionCreated, realtime.TranscriptionSessionCreated)
"""Events that begin a session on their stream."""
_RARE: Final = frozenset(
    {*SESSION_BEGINS, sessions.SessionSeen, sessions.ClientSecretSeen, sessions.ChatKitSessionSeen}
)
"""Events that may belong to another conversation than the one before them."""
DELTAS: Final = (assistants.StepDeltaEvent, assistants.MessageDeltaEvent)
"""Events that name a step or a message alone."""
_OF_THREAD: Final = (assistants.RunEvent, assistants.StepEvent, assistants.MessageEvent)


class Route:
    """What there is to know of a kind of event before it moves anything, in one lookup."""

    __slots__ = ("follows", "handle", "identified", "sent", "tells_id")

    def __init__(self, kind: type[Event]) -> None:
        self.handle = HANDLERS[kind]
        self.sent = kind in CLIENT_EVENTS
        """Whether it is the client that says it."""
        self.identified = issubclass(kind, RealtimeEvent) and not self.sent
        """Whether its `event_id` is an identity: a client's repeat, and are none."""
        self.follows = issubclass(kind, RealtimeEvent) and kind not in _RARE
        """Whether it belongs to the voice session of its stream, where there is one."""
        self.tells_id = issubclass(kind, (*SESSION_BEGINS, sessions.SessionSeen))
        """Whether it tells the id of a session."""


ROUTES: Final = {kind: Route(kind) for kind in HANDLERS}
"""One for each kind of event."""


def event_id_of(event: Event | None) -> str | None:
    """Return what upstream calls `event`, where it calls it anything."""
    event_id = event.event_id if isinstance(event, RealtimeEvent) else None
    return event_id[:ID_CHARACTERS] if event_id else None


def replaces(event: RealtimeEvent, state: RealtimeConversation, stream: Stream, identity: str | None) -> bool:
    """Tell whether `event` begins another session on the stream where the present one was last heard of."""
    if identity and identity in state.seen:
        return False
    if not isinstance(event, SESSION_BEGINS) or event.session is None or not state.session_id:
        return False
    return event.session.id not in (None, state.session_id) and state.last_stream == stream.name


def thread_id_of(event: Event) -> str | None:
    """Return the id of the thread that `event` is about; a delta names none."""
    if isinstance(event, _OF_THREAD):
        return event.data.thread_id if event.data else None
    return event.data.id if isinstance(event, assistants.ThreadEvent) and event.data else None
