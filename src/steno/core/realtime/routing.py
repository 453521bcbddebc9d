"""Which voice session a realtime event belongs to.

A stream carries one session: what names none belongs to it. Where it carries several, `sharing` decides. A name (an
envelope's subject, the source's own, a call id) goes before that, and lets a conversation outlive its stream. A session
object that came alone, as the reply to its creation, waits under its session id until the session begins on some
stream.
"""

from typing import Any, Final

from steno.core.bounded import BoundedSet
from steno.core.conversation import Conversation
from steno.core.frame import Frame
from steno.core.keys import conversation_key, numbered
from steno.core.memory import MemoryAccount
from steno.core.realtime.member import Member, names_in
from steno.core.realtime.sharing import (
    SESSION_BEGINS,
    SESSIONS,
    SharedStream,
    is_elsewhere,
)
from steno.core.realtime.state import RealtimeConversation
from steno.core.routing import AMBIGUOUS_SESSION, Openings, Router, Unfound
from steno.core.stream import Stream
from steno.limits import ID_CHARACTERS, OWNERS
from steno.wire import Event, realtime, sessions

CALL_ID_PREFIX: Final = "rtc_"
"""How the id of a call begins, for whoever names a conversation after the call that it is."""
_MAY_BELONG_ELSEWHERE: Final = frozenset(
    {*SESSION_BEGINS, realtime.ResponseCreated, sessions.SessionSeen, sessions.ClientSecretSeen}
)
"""Events that may belong to another conversation than the one before them on their stream."""


class RealtimeRouter(Router):
    """Finds voice sessions by stream, by name and by session id."""

    def __init__(self, openings: Openings) -> None:
        """Know of no session yet."""
        super().__init__(openings)
        self._sessions: dict[tuple[str, str], str] = {}
        """Source and session id to the key of its conversation."""
        self._generations: dict[str, int] = {}
        """Key without its `#n` to how many sessions it has had, where it had more than one."""
        self._shared: dict[str, SharedStream] = {}
        """The name of a stream to its sessions, where it has had more than one."""

    def follows(self, kind: type[Event]) -> bool:
        """Return whether events of `kind` belong to the session of their stream."""
        return kind not in _MAY_BELONG_ELSEWHERE

    def identifies(self, kind: type[Event]) -> bool:
        """Return whether events of `kind` name their session."""
        return issubclass(kind, (*SESSION_BEGINS, realtime.SessionUpdated, sessions.SessionSeen))

    def find(
        self, stream: Stream, event: Any, frame: Frame, name: str | None, identity: str | None
    ) -> Conversation | Unfound:
        """Return the session that `event` is about."""
        if isinstance(event, sessions.SessionSeen) and not name:
            return self._announced(stream, event, frame)
        if name or stream.conversation:
            return self._named(name or stream.conversation or "", stream, event, frame, name, identity)
        shared = self._shared.get(stream.name)
        if shared is not None:
            return self._of_shared(shared, stream, event, frame, identity)
        state = self._alone(stream, event)
        if state is not None and (_is_another(event, state) or is_elsewhere(state, event)):
            shared = self._shared[stream.name] = SharedStream(stream.name, state, self._openings.watch)
            if not isinstance(event, SESSION_BEGINS):
                shared.mix()
            return self._another(shared, stream, event, frame, identity)
        if state is None:
            state = self._open(stream.name, stream, event, frame)
        stream.current[RealtimeConversation.family] = state
        return state

    # One session, or one name ---------------------------------------------------------------------------

    def _alone(self, stream: Stream, event: Event) -> RealtimeConversation | None:
        """Return the open conversation of a stream that carries one session."""
        state = stream.current.get(RealtimeConversation.family)
        if state is None or state.closed_reason is not None:
            state = self._openings.conversations.get(self._key(stream.name)) or self._begun(stream, event)
        return state if isinstance(state, RealtimeConversation) else None

    def _named(
        self, named: str, stream: Stream, event: Event, frame: Frame, name: str | None, identity: str | None
    ) -> Conversation | Unfound:
        """Return the session of a name: an envelope's `name`, or the stream's own."""
        base = self._base(stream.source, named)
        state = self._openings.conversations.get(self._key(base))
        seen: BoundedSet | None = None
        if isinstance(state, RealtimeConversation) and _replaces(event, state, stream, identity):
            seen = state.seen  # what was said to the session before may be delivered again to this one
            self._openings.replace(state, stream, event, frame)
            state = None
        if state is None:
            state = self._open(base, stream, event, frame, named)
            _continue_seen(state, seen)
        if not isinstance(state, RealtimeConversation):
            return None  # a conversation of another family has that name
        if not name:
            stream.current[RealtimeConversation.family] = state
        return state

    def _base(self, source: str, named: str) -> str:
        """Return the key, without its number, of what is called `named`. A recording's file may be called so, too."""
        key = conversation_key(source, named)
        held = self._openings.conversations.get(self._key(key))
        return key if held is None or held.named else f"{key}~"

    def _open(
        self, base: str, stream: Stream, event: Event, frame: Frame, named: str | None = None
    ) -> RealtimeConversation:
        state = RealtimeConversation(
            self._key(base), stream.source, stream.name, self._openings.limits, named=named is not None
        )
        state.base = base
        state.call_id = named[:ID_CHARACTERS] if named and named.startswith(CALL_ID_PREFIX) else None
        self._openings.open(state, stream, event, frame)
        return state

    def _begun(self, stream: Stream, event: Event) -> Conversation | None:
        """Return the conversation of a session that begins, where its object came before, alone."""
        session = _session_begun(event)
        state = self._openings.conversations.get(self._sessions.get((stream.source, session), "")) if session else None
        return state if isinstance(state, RealtimeConversation) else None

    def _announced(self, stream: Stream, event: sessions.SessionSeen, frame: Frame) -> Conversation | None:
        """Return the conversation of a bare session object: the live one, or the one of its id."""
        if event.session is None or event.session.id is None:
            return None
        key = conversation_key(stream.source, event.session.id)
        state = self._openings.conversations.get(self._sessions.get((stream.source, event.session.id), key))
        if state is None:
            state = RealtimeConversation(key, stream.source, stream.name, self._openings.limits, named=True)
            self._openings.open(state, stream, event, frame)
        return state if isinstance(state, RealtimeConversation) else None

    # Several sessions on one stream ---------------------------------------------------------------------

    def _of_shared(
        self, shared: SharedStream, stream: Stream, event: Event, frame: Frame, identity: str | None
    ) -> Conversation | Unfound:
        """Return the session that an event on a stream of several is about."""
        if (state := shared.at_work(event)) is not None:
            return state
        if identity and shared.seen is not None and identity in shared.seen and not shared.begins(event):
            known = shared.open_states()
            if known:
                return known[-1]  # which counts it as a duplicate
        self._follow(shared, stream, frame)
        found = shared.owner(event, names_in(event), frame.at)
        if found == "another":
            return self._another(shared, stream, event, frame, identity)
        if not isinstance(found, Member):
            return AMBIGUOUS_SESSION if found == AMBIGUOUS_SESSION else None
        state = found.state
        if state is None:
            state = self._open_next(shared, stream, event, frame)
            state.conversation_id = found.conversation_id
            _continue_seen(state, shared.seen)
            found.resume(state)
        return state

    def _another(
        self, shared: SharedStream, stream: Stream, event: Event, frame: Frame, identity: str | None
    ) -> RealtimeConversation:
        """Open the conversation of a further session; the one before it has ended, or is about to."""
        if shared.seen is not None and identity and identity in shared.seen:
            shared.seen = None  # each session numbers its events anew
        former = shared.current.state
        if not shared.mixed and former is not None and former.base == stream.name:
            self._openings.supersede(former)
        state = self._begun(stream, event)
        if not isinstance(state, RealtimeConversation):
            state = self._open_next(shared, stream, event, frame)
            if not isinstance(event, SESSION_BEGINS):
                shared.configure(state)
        _continue_seen(state, shared.seen)
        self._crowded(shared, stream, event, frame)
        shared.begin(state, _session_begun(event), frame.at)
        self._follow(shared, stream, frame)
        return state

    def _open_next(self, shared: SharedStream, stream: Stream, event: Event, frame: Frame) -> RealtimeConversation:
        """Open a further conversation of a stream, under the next number."""
        if any(member.key == self._key(stream.name) for member in shared.members):
            self._count(stream.name)
        state = self._open(stream.name, stream, event, frame)
        state.shared = shared.mixed
        self._openings.watch(state)
        return state

    def _crowded(self, shared: SharedStream, stream: Stream, event: Event, frame: Frame) -> None:
        """Make room for a further session: the one that was silent longest ends."""
        if len(shared.members) < SESSIONS:
            return
        gone = shared.oldest()
        if gone.state is not None and gone.state.base == stream.name:
            self._openings.replace(gone.state, stream, event, frame)
        shared.members.remove(gone)

    def _follow(self, shared: SharedStream, stream: Stream, frame: Frame) -> None:
        """Let the registry find the session by itself where the stream carries one alone again, and else ask here."""
        alone = shared.settle(frame.at)
        if alone is None:
            stream.current.pop(RealtimeConversation.family, None)
        else:
            stream.current[RealtimeConversation.family] = alone

    def carried(self, stream: Stream) -> list[Conversation]:
        """Return the open conversations of a stream of several sessions."""
        shared = self._shared.get(stream.name)
        if shared is None:
            return []
        return [each for each in shared.open_states() if each.base == stream.name or each is shared.current.state]

    # Keys and ids ---------------------------------------------------------------------------------------

    def _key(self, base: str) -> str:
        return numbered(base, self._generations.get(base, 1))

    def _count(self, base: str) -> None:
        """Give the next session of `base` another number."""
        self._generations[base] = self._generations.pop(base, 1) + 1  # the name that was used last is forgotten last
        if len(self._generations) > OWNERS:
            del self._generations[next(iter(self._generations))]

    def learn(self, state: RealtimeConversation) -> None:
        """Let the session that `state` is about now lead to it, and an earlier one no more."""
        if state.known_session:
            self._sessions.pop((state.source, state.known_session), None)
        state.known_session = state.session_id
        if state.session_id:
            self._sessions[state.source, state.session_id] = state.key

    def forget(self, state: RealtimeConversation, reason: str) -> None:
        """Let nothing lead to `state`; a session that goes on under its name gets the next number."""
        if state.known_session:
            self._sessions.pop((state.source, state.known_session), None)
        goes_on = reason in ("replaced", "evicted") or state.shared
        if state.base and goes_on and state.key == self._key(state.base):
            self._count(state.base)

    def stream_closed(self, stream: Stream) -> None:
        """Forget the sessions of a stream, and how many there were."""
        self._generations.pop(stream.name, None)
        self._shared.pop(stream.name, None)


def _session_begun(event: Event) -> str | None:
    """Return the id of the session that `event` begins."""
    return event.session.id if isinstance(event, SESSION_BEGINS) and event.session is not None else None


def _is_another(event: Event, state: RealtimeConversation) -> bool:
    """Return whether `event` begins another session than `state`, which its stream carries."""
    session = _session_begun(event)
    return session is not None and bool(state.session_id) and session != state.session_id


def _replaces(event: Event, state: RealtimeConversation, stream: Stream, identity: str | None) -> bool:
    """Return whether `event` begins another session on the stream that the present one was last heard on."""
    if identity and identity in state.seen:
        return False
    return _is_another(event, state) and state.last_stream == stream.name


def _continue_seen(state: RealtimeConversation, seen: BoundedSet | None) -> None:
    """Let `state` know the newest events of the session before it, which may be delivered again, and be charged for."""
    if seen is not None and seen is not state.seen:
        state.seen.move_to(MemoryAccount())  # nobody is charged for what is let go
        seen.move_to(state.memory)
        state.seen = seen
