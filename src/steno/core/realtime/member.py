"""One session of a stream that carries several: what it is known by, and whether an event is its own.

`sharing` explains when that is asked.
"""

from typing import Any, Final

from msgspec import Struct

from steno.core.bounded import BoundedSet
from steno.core.realtime.state import RealtimeConversation
from steno.wire import Event, realtime, realtime_client
from steno.wire.realtime_objects import conversation_of

LINKED: Final = 256
"""Ids of a session that its state does not have. They are needed while a turn or a late event is under way."""
AWAITED: Final = 16
"""Items that are announced at one time; past it the oldest is no longer waited for."""
REMEMBERED_ITEMS: Final = 64
"""Items that are remembered of a session that ended: a late event, or a further turn, names one of the last."""

_ANNOUNCES_ITEM: Final = (
    realtime.ItemAdded,
    realtime.InputCommitted,
    realtime.SpeechStarted,
    realtime_client.ItemCreate,
)
"""Events that are the first of an item, or one of the first."""


class Names(Struct, frozen=True, gc=False):
    """What an event names."""

    session: str | None
    conversation: str | None
    response: str | None
    item: str | None
    previous: str | None
    call: str | None


def names_in(event: Any) -> Names:
    """Return what `event` names, of whatever kind it is."""
    session = getattr(event, "session", None)
    response = getattr(event, "response", None)
    created = getattr(event, "conversation", None)
    item = getattr(event, "item", None)
    return Names(
        session=session.id if session else None,
        conversation=conversation_of(response) if response else created.id if created else None,
        response=getattr(event, "response_id", None) or (response.id if response else None),
        item=getattr(event, "item_id", None) or (item.id if item else None),
        previous=getattr(event, "previous_item_id", None),
        call=getattr(event, "call_id", None) or (item.call_id if item else None),
    )


class Member:
    """One session of a stream."""

    __slots__ = (
        "_conversation_id",
        "_doubted",
        "_evicted",
        "_session_id",
        "_state",
        "awaited",
        "key",
        "left",
        "linked",
    )

    def __init__(self, state: RealtimeConversation) -> None:
        """Begin with the conversation of the session."""
        self.linked = BoundedSet(LINKED)
        """Ids of items and responses that events connected with it, whether or not its state has them."""
        self.left = BoundedSet(LINKED)
        """Ids of items and responses that it had when it ended."""
        self.awaited: dict[str, None] = {}
        """Items that were announced, by speech or its commit, and have not entered the conversation."""
        self._doubted: set[str] = set()
        """Items of its conversation that may be another session's."""
        if state.spoken_item and state.spoken_item not in state.items:
            self.linked.add(state.spoken_item)
            self.awaited[state.spoken_item] = None
        self.resume(state)

    def resume(self, state: RealtimeConversation) -> None:
        """Go on as `state`, the conversation before having ended."""
        self._state: RealtimeConversation | None = state
        self._session_id: str | None = None
        self._conversation_id: str | None = None
        self._evicted = False
        self.key = state.key

    def doubt(self) -> None:
        """Forget what was taken for its own since nothing else claimed it.

        What its conversation has stays, but for what a caller said that no answer follows, and that follows none.
        """
        self.linked = BoundedSet(LINKED)
        self.awaited.clear()
        state = self.state
        answered = False
        for item in [] if state is None else state.newest_items(REMEMBERED_ITEMS):
            if item.role == "user" and not item.placed and not answered:
                self._doubted.add(item.id)
            answered = item.role == "assistant"

    @property
    def state(self) -> RealtimeConversation | None:
        """Its conversation; None once that has ended. Its ids are noted then, and the state is let go."""
        state = self._state
        if state is not None and state.closed_reason is not None:
            self._session_id, self._conversation_id = state.session_id, state.conversation_id
            self._evicted = state.closed_reason == "evicted"
            for key in (*state.order.newest(REMEMBERED_ITEMS), *state.open):
                self.left.add(key)
            self._state = state = None
        return state

    def may_be_heard(self) -> bool:
        """Return whether the session may go on: it is open, or its conversation ended for want of room alone."""
        return self.state is not None or self._evicted

    @property
    def session_id(self) -> str | None:
        """The id of the session, where that is known."""
        state = self.state
        return (state.session_id if state else self._session_id) or None

    @property
    def conversation_id(self) -> str | None:
        """Upstream's id of its conversation, where that is known."""
        state = self.state
        return state.conversation_id if state else self._conversation_id

    def has_item(self, key: str | None) -> bool:
        """Return whether the item `key` is known to be its own."""
        return key is not None and key not in self._doubted and (key in self.linked or self._had_item(key))

    def _had_item(self, key: str) -> bool:
        """Return whether its conversation has the item `key`, or had it."""
        state = self.state
        return key in self.left or (state is not None and key in state.items)

    def has_response(self, key: str | None) -> bool:
        """Return whether the response `key` is known to be its own."""
        state = self.state
        if key is None:
            return False
        return key in self.left or (state is not None and (key in state.open or key in state.ended_responses))

    def owns(self, event: Event, names: Names) -> bool:
        """Return whether an id that `event` names says that it is of this session."""
        if names.conversation is not None and names.conversation == self.conversation_id:
            return True
        state = self.state
        called = state is not None and names.call is not None and names.call in state.calls
        if isinstance(event, realtime.ResponseCreated):
            return False
        if isinstance(event, _ANNOUNCES_ITEM):
            return self.has_item(names.previous) or called or self._awaits(names.item)
        return self.has_response(names.response) or self.has_item(names.item) or called

    def _awaits(self, key: str | None) -> bool:
        """Return whether the item `key` was announced before: by the speech that it becomes, or by its response."""
        state = self.state
        if key is None or state is None:
            return False
        item = state.items.get(key)
        return key in self.awaited or (item is not None and item.response_id in state.open)

    def goes_on(self, event: Event, names: Names) -> bool:
        """Return whether `event`, which it owns, begins something new and is no late one."""
        if isinstance(event, realtime.ResponseCreated):
            return not self.has_response(names.response)
        return isinstance(event, _ANNOUNCES_ITEM) and not self.has_item(names.item) and self.has_item(names.previous)

    def heard(self, event: Event, names: Names, *, mixed: bool) -> None:
        """Note what an event connected with this session, and, on a mixed stream, that it goes on."""
        state = self.state
        if state is None:
            return
        state.superseded = state.superseded and not mixed
        self._doubted.difference_update((names.item, names.previous))  # something else says that it is its own
        if isinstance(event, realtime.SpeechStarted | realtime.InputCommitted) and names.item is not None:
            self.awaited[names.item] = None
            if len(self.awaited) > AWAITED:
                del self.awaited[next(iter(self.awaited))]
        elif isinstance(event, realtime.ItemAdded):
            self.awaited.pop(names.item or "", None)
        for key in (names.item, names.previous):
            if key is not None and key not in state.items:
                self.linked.add(key)
