"""Which Live session an event belongs to.

A connection carries one session, and most events name none: they belong to it. A session is known by its id, under
which all connections of one source that follow it lead to one conversation: its own, and sidebands. It ends with the
last of them. Its key is the name that an envelope or the source gives it, else the id, where its first event has that,
else the name of the stream: a client speaks before the session has an id.

A relay may send another session over the same connection. Then the former one has been replaced, and ends when it is
silent. Where it goes on, which an event that names it shows, the connection carries both: what names a session or a
delegation belongs to the one that it names, and the rest is rejected as `ambiguous_session` while both are open.
"""

from typing import Any, Final

from steno.core.conversation import Conversation
from steno.core.frame import Frame
from steno.core.keys import conversation_key, numbered
from steno.core.live.state import LiveConversation
from steno.core.routing import AMBIGUOUS_SESSION, Openings, Router, Unfound
from steno.core.session import CLOSED
from steno.core.stream import Stream
from steno.limits import ID_CHARACTERS, OWNERS
from steno.wire import Event, live

SESSION_ID_PREFIX: Final = "live_"
"""How the id of a session begins, for whoever names a conversation after the session that it is."""
SESSIONS: Final = 32
"""Sessions of one connection that are told apart. Real ones carry one."""
_NAMES_SESSION: Final = (
    live.SessionStarted,
    live.LiveSessionUpdated,
    live.LiveSessionClosed,
    live.TransportRinging,
    live.TransportAnswered,
    live.TransportFailed,
)
_OF_SESSION: Final = (live.SessionStarted, live.LiveSessionUpdated, live.LiveSessionClosed)

FAMILY: Final = LiveConversation.family


class LiveRouter(Router):
    """Finds Live sessions by stream, by name and by session id."""

    def __init__(self, openings: Openings) -> None:
        """Know of no session yet."""
        super().__init__(openings)
        self._sessions: dict[tuple[str, str], str] = {}
        """Source and session id to the key of its conversation."""
        self._generations: dict[str, int] = {}
        """Key without its `#n` to how many sessions it has had, where it had more than one."""
        self._last: dict[str, tuple[str, str | None]] = {}
        """Stream to the id and the model of the session that it was about last."""
        self._mixed: dict[str, list[LiveConversation]] = {}
        """Stream to its sessions, where it has had more than one."""

    def follows(self, kind: type[Event]) -> bool:
        """Return whether events of `kind` belong to the session of their stream."""
        return not issubclass(kind, _NAMES_SESSION)

    def identifies(self, kind: type[Event]) -> bool:
        """Return whether events of `kind` name their session."""
        return issubclass(kind, _OF_SESSION)

    def find(
        self,
        stream: Stream,
        event: Any,
        frame: Frame,
        name: str | None,
        identity: str | None,  # noqa: ARG002  # it decides nothing here: an event that comes again moves nothing
    ) -> Conversation | Unfound:
        """Return the session that `event` is about."""
        session = _session_of(event)
        if name or stream.conversation:
            return self._named(name or stream.conversation or "", stream, event, frame, own=not name)
        state = self._known(stream, session) if session else self._present(stream, event)
        if state == AMBIGUOUS_SESSION:
            return state
        if state is None:
            state = self._open(self._base(stream, session), stream, event, frame)
        if isinstance(event, live.LiveSessionClosed) and stream.name in state.streams:
            return state  # the late end of a session that another one has followed
        return self._carry(stream, state)

    # Which one ------------------------------------------------------------------------------------------

    def _known(self, stream: Stream, session: str) -> LiveConversation | None:
        """Return the open conversation of a session: one that has its id, or that of the stream, which has none yet."""
        key = self._sessions.get((stream.source, session))
        state: Conversation | None = self._openings.conversations.get(key) if key else None
        if state is None:
            state = stream.current.get(FAMILY)
            if not isinstance(state, LiveConversation) or state.session_id not in (None, session):
                return None
        return state if isinstance(state, LiveConversation) and state.closed_reason is None else None

    def _present(self, stream: Stream, event: Event) -> "LiveConversation | Unfound":
        """Return the conversation of an event that names no session."""
        several = [state for state in self._mixed.get(stream.name, ()) if state.closed_reason is None]
        if several:
            return _owner(several, event)
        state = stream.current.get(FAMILY) or self._openings.conversations.get(self._key(stream.name))
        return state if isinstance(state, LiveConversation) and state.closed_reason is None else None

    def _named(self, named: str, stream: Stream, event: Event, frame: Frame, *, own: bool) -> LiveConversation | None:
        """Return the session of a name: an envelope's, or the stream's `own`."""
        base = conversation_key(stream.source, named)
        state = self._openings.conversations.get(self._key(base))
        if isinstance(state, LiveConversation) and _is_another(state, event):
            self._openings.replace(state, stream, event, frame)
            state = None
        if state is None:
            state = self._open(base, stream, event, frame, named)
        if not isinstance(state, LiveConversation):
            return None  # a conversation of another family has that name
        state.named = True
        if own:
            stream.current[FAMILY] = state
        return state

    def _open(
        self, base: str, stream: Stream, event: Event, frame: Frame, named: str | None = None
    ) -> LiveConversation:
        state = LiveConversation(
            self._key(base), stream.source, stream.name, self._openings.limits, named=named is not None
        )
        state.base = base
        state.call_id = named[:ID_CHARACTERS] if named and named.startswith(SESSION_ID_PREFIX) else None
        if _session_of(event) is None and stream.name in self._last:
            state.session_id, state.model = self._last[stream.name]
        self._openings.open(state, stream, event, frame)
        return state

    def _base(self, stream: Stream, session: str | None) -> str:
        """Return the key, without its number, of a session that begins, or that goes on after it was evicted."""
        session = session or self._last.get(stream.name, ("", None))[0]
        return conversation_key(stream.source, session) if session else stream.name

    # The streams of a session ---------------------------------------------------------------------------

    def _carry(self, stream: Stream, state: LiveConversation) -> LiveConversation:
        """Let `stream` be one that carries `state`, and its events lead to it."""
        if stream.name not in state.streams:
            state.streams.append(stream.name)
            if len(state.streams) > 1 and not state.named:  # it outlives the one that ends first
                state.named = True
                self._openings.watch(state)
        former = stream.current.get(FAMILY)
        if isinstance(former, LiveConversation) and former is not state and former.closed_reason is None:
            self._share(stream, former, state)
        if not self._is_mixed(stream):
            stream.current[FAMILY] = state
        return state

    def _share(self, stream: Stream, former: LiveConversation, state: LiveConversation) -> None:
        """Let `state` follow the `former` session on its stream; where it was there before, both go on."""
        states = self._mixed.setdefault(stream.name, [former])
        goes_on = state in states
        if not goes_on:
            states.append(state)
            del states[:-SESSIONS]
            if not former.named:
                self._openings.supersede(former)
            return
        for each in states:
            each.superseded = False
            each.shared = not each.named
            self._openings.watch(each)
        stream.current.pop(FAMILY)

    def _is_mixed(self, stream: Stream) -> bool:
        return any(state.shared and state.closed_reason is None for state in self._mixed.get(stream.name, ()))

    def carried(self, stream: Stream) -> list[Conversation]:
        """Return the open conversations of a stream of several sessions."""
        return [state for state in self._mixed.get(stream.name, ()) if state.closed_reason is None]

    def stream_closed(self, stream: Stream) -> None:
        """Let the sessions of a stream end with the last one that carries them."""
        self._last.pop(stream.name, None)
        self._generations.pop(stream.name, None)
        states = [*self._mixed.pop(stream.name, ()), stream.current.get(FAMILY)]
        for state in states:
            if isinstance(state, LiveConversation) and stream.name in state.streams:
                state.streams.remove(stream.name)
                state.named = state.named and len(state.streams) > 1

    # Keys and ids ---------------------------------------------------------------------------------------

    def _key(self, base: str) -> str:
        return numbered(base, self._generations.get(base, 1))

    def learn(self, state: LiveConversation) -> None:
        """Let the id of its session lead to `state`, and an earlier one no more."""
        if state.known_session:
            self._sessions.pop((state.source, state.known_session), None)
        state.known_session = state.session_id
        if state.session_id:
            self._sessions[state.source, state.session_id] = state.key
            for stream in state.streams:
                self._last[stream] = (state.session_id, state.model)

    def forget(self, state: LiveConversation, reason: str) -> None:
        """Let nothing lead to `state`; a session that goes on under its name gets the next number."""
        if state.known_session:
            self._sessions.pop((state.source, state.known_session), None)
        for stream in state.streams:
            if state in self._mixed.get(stream, ()):
                self._mixed[stream].remove(state)
        goes_on = reason in ("replaced", "evicted") or state.shared
        if state.base and goes_on and state.key == self._key(state.base):
            self._generations[state.base] = self._generations.pop(state.base, 1) + 1
            if len(self._generations) > OWNERS:
                del self._generations[next(iter(self._generations))]


def _session_of(event: Event) -> str | None:
    """Return the id of the session that `event` names."""
    if isinstance(event, _OF_SESSION):
        return (event.session.id if event.session else None) or None
    return getattr(event, "session_id", None) or None


def _is_another(state: LiveConversation, event: Event) -> bool:
    """Return whether `event` begins another session than that of `state`."""
    session = _session_of(event) if isinstance(event, live.SessionStarted) else None
    return session is not None and state.session_id not in (None, session)


def _owner(states: list[LiveConversation], event: Event) -> "LiveConversation | Unfound":
    """Return which of several sessions of a stream an event is of that names none."""
    delegation = getattr(event, "delegation_id", None)
    if delegation:
        known = [each for each in states if delegation in each.delegations or delegation in each.ended_delegations]
        if len(known) == 1:
            return known[0]
    going_on = [each for each in states if each.session_life.status != CLOSED]
    newest = (going_on or states)[-1]
    return AMBIGUOUS_SESSION if len(going_on) > 1 and any(each.shared for each in going_on) else newest
