"""What a family says about where its events belong. `registry.py` decides by it.

Each family's own routing is in `<family>/routing.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

from steno.core.conversation import NOTHING, Conversation
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.limits import ID_CHARACTERS, Limits
from steno.wire import Event
from steno.wire.spellings import fields_of

AMBIGUOUS_SESSION: Final = "ambiguous_session"
"""Why an event is rejected that may be of any of several sessions of its stream."""
Unfound = Literal["ambiguous_session"] | None
"""Why no conversation is found: it cannot be told which of several, or there is none."""

Handler = Callable[[Any, Any, Frame], Sequence[Fact]]
"""Moves a conversation of its own family by an event of its own kind, in place, and returns what has happened.

Disorder moves nothing: it comes back as one `EventRejected`, and is counted in `Conversation.rejected`.
"""


def passed(_state: Any, _event: object, _frame: Frame) -> Sequence[Fact]:
    """Do nothing: another event reports the same, and more. A handler that is a decision, not an omission."""
    return NOTHING


class Openings(Protocol):
    """What a router may ask of the registry."""

    @property
    def limits(self) -> Limits:
        """How much of a conversation may be held."""

    @property
    def conversations(self) -> Mapping[str, Conversation]:
        """The open conversations of all families, by key."""

    def open(self, state: Conversation, stream: Stream, event: Event, frame: Frame) -> None:
        """Open a conversation, which `event` is the first of."""

    def replace(self, state: Conversation, stream: Stream, event: Event, frame: Frame) -> None:
        """Close a conversation, since `event` begins another one in its place."""

    def supersede(self, state: Conversation) -> None:
        """Let a conversation end as `replaced` once it is silent, since another one has followed it on its stream."""

    def watch(self, state: Conversation) -> None:
        """Let a conversation end as `idle` once it is silent, since it is `shared` now."""


class Router(ABC):
    """Finds the conversations of one family's events, for one registry."""

    def __init__(self, openings: Openings) -> None:
        """Find conversations among those of `openings`, and open further ones there."""
        self._openings = openings

    def follows(self, kind: type[Event]) -> bool:  # noqa: ARG002  # families that follow streams read it
        """Return whether events of `kind` belong to the conversation that their stream is about, where there is one.

        The registry then does not ask `find`. True for most events of a family whose streams carry one session.
        """
        return False

    def identifies(self, kind: type[Event]) -> bool:  # noqa: ARG002  # likewise
        """Return whether events of `kind` say by which id their conversation is known: see `learn`."""
        return False

    @abstractmethod
    def find(
        self, stream: Stream, event: Any, frame: Frame, name: str | None, identity: str | None
    ) -> Conversation | Unfound:
        """Return the conversation of `event`, opened if it is new; else why it belongs to none.

        Args:
            stream: where the event came from.
            event: an event of this family.
            frame: the frame that it was decoded from.
            name: what an envelope calls the conversation.
            identity: what tells the event from all others in its conversation.
        """

    def learn(self, state: Any) -> None:  # noqa: B027  # most families have nothing to learn
        """Note by which id `state` is known from now on. Called after an event that `identifies` was handled."""

    def forget(self, state: Any, reason: str) -> None:  # noqa: B027  # as learn
        """Let nothing lead to `state` any more; it closes for `reason`."""

    def carried(self, stream: Stream) -> Sequence[Conversation]:  # noqa: ARG002  # families whose streams carry several
        """Return the open conversations of `stream` beside the one that it is about."""
        return ()

    def stream_closed(self, stream: Stream) -> None:  # noqa: B027  # as learn
        """Forget what was noted of a stream that ended."""


class Route:
    """What there is to know of a kind of event before it moves anything, in one look-up."""

    __slots__ = ("family", "follows", "handle", "identified", "identifies", "router", "sent")

    def __init__(self, kind: type[Event], family: str, handle: Handler, router: Router) -> None:
        """Collect it for events of `kind`."""
        self.family = family
        self.handle = handle
        self.router = router
        self.sent = kind.sent
        """Whether it is the client that says it; None where upstream does, too."""
        self.identified = kind.sent is False and any(name == "event_id" for name, _, _ in fields_of(kind))
        """Whether its `event_id` is an identity. Clients choose theirs and repeat them: those identify nothing."""
        self.follows = router.follows(kind)
        self.identifies = router.identifies(kind)


def event_id_of(event: Event | None) -> str | None:
    """Return what upstream calls `event`, where it calls it anything."""
    event_id: str | None = getattr(event, "event_id", None)
    return event_id[:ID_CHARACTERS] if event_id else None
