"""Conversations in which a backend of the Responses API asks a person, and lists the tools of servers."""

from steno.core.bounded import BoundedSet
from steno.core.conversation import Conversation
from steno.limits import ENDED_IDS, Limits


class ApprovingConversation(Conversation):
    """What has been asked and listed in a conversation: each is reported once, however many events say it."""

    __slots__ = ("_decisions", "_requested")

    def __init__(self, key: str, source: str, stream: str, limits: Limits, *, named: bool) -> None:
        """Begin with nothing asked."""
        super().__init__(key, source, stream, limits, named=named)
        self._requested: BoundedSet | None = None
        self._decisions: BoundedSet | None = None

    @property
    def requested(self) -> BoundedSet:
        """The newest items that asked a person, or listed tools: each is reported once."""
        if self._requested is None:
            self._requested = BoundedSet(ENDED_IDS, self.memory)
        return self._requested

    @property
    def decisions(self) -> BoundedSet:
        """The newest requests for approval that a person has decided about."""
        if self._decisions is None:
            self._decisions = BoundedSet(ENDED_IDS, self.memory)
        return self._decisions
