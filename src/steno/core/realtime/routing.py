"""Which voice session a realtime event belongs to.

A stream carries one session: what names none belongs to it. A name (an envelope's subject, the source's own, a call
id) goes before that, and lets a conversation outlive its stream. A session object that came alone, as the reply to
its creation, waits under its session id until the session begins on some stream.
"""

from typing import Any, Final

from steno.core.bounded import BoundedSet
from steno.core.conversation import Conversation
from steno.core.frame import Frame
from steno.core.realtime.state import RealtimeConversation
from steno.core.routing import Openings, Router
from steno.core.stream import Stream
from steno.limits import ID_CHARACTERS, OWNERS
from steno.wire import Event, realtime, sessions

CALL_ID_PREFIX: Final = "rtc_"
"""How the id of a call begins, for whoever names a conversation after the call that it is."""
SESSION_BEGINS: Final = (realtime.SessionCreated, realtime.TranscriptionSessionCreated)
"""Events that begin a session on their stream."""
_MAY_BELONG_ELSEWHERE: Final = frozenset({*SESSION_BEGINS, sessions.SessionSeen, sessions.ClientSecretSeen})
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

    def follows(self, kind: type[Event]) -> bool:
        """Return whether events of `kind` belong to the session of their stream."""
        return kind not in _MAY_BELONG_ELSEWHERE

    def identifies(self, kind: type[Event]) -> bool:
        """Return whether events of `kind` name their session."""
        return issubclass(kind, (*SESSION_BEGINS, sessions.SessionSeen))

    def find(
        self, stream: Stream, event: Any, frame: Frame, name: str | None, identity: str | None
    ) -> Conversation | None:
        """Return the session that `event` is about."""
        if isinstance(event, sessions.SessionSeen) and not name:
            return self._announced(stream, event, frame)
        named = name or stream.conversation
        base = f"{stream.source}/{named[:ID_CHARACTERS]}" if named else stream.name
        state = self._openings.conversations.get(self._key(base))
        seen: BoundedSet | None = None
        if isinstance(state, RealtimeConversation) and _replaces(event, state, stream, identity):
            seen = state.seen  # what was said to the session before may be delivered again to this one
            self._openings.replace(state, stream, event, frame)
            state = None
        if state is None and not named:
            state = self._begun(stream, event)
        if state is None:
            state = self._open(base, stream, event, frame, named)
            if seen:
                seen.move_to(state.memory)
                state.seen = seen
        if not isinstance(state, RealtimeConversation):
            return None  # a conversation of another family has that name
        if not name:
            stream.current[RealtimeConversation.family] = state
        return state

    def _open(self, base: str, stream: Stream, event: Event, frame: Frame, named: str | None) -> RealtimeConversation:
        state = RealtimeConversation(
            self._key(base), stream.source, stream.name, self._openings.limits, named=named is not None
        )
        state.base = base
        state.call_id = named[:ID_CHARACTERS] if named and named.startswith(CALL_ID_PREFIX) else None
        self._openings.open(state, stream, event, frame)
        return state

    def _begun(self, stream: Stream, event: Event) -> Conversation | None:
        """Return the conversation of a session that begins, where its object came before, alone."""
        if not isinstance(event, SESSION_BEGINS) or event.session is None or event.session.id is None:
            return None
        state = self._openings.conversations.get(self._sessions.get((stream.source, event.session.id), ""))
        return state if isinstance(state, RealtimeConversation) else None

    def _announced(self, stream: Stream, event: sessions.SessionSeen, frame: Frame) -> Conversation | None:
        """Return the conversation of a bare session object: the live one, or the one of its id."""
        if event.session is None or event.session.id is None:
            return None
        key = f"{stream.source}/{event.session.id[:ID_CHARACTERS]}"
        state = self._openings.conversations.get(self._sessions.get((stream.source, event.session.id), key))
        if state is None:
            state = RealtimeConversation(key, stream.source, stream.name, self._openings.limits, named=True)
            self._openings.open(state, stream, event, frame)
        return state if isinstance(state, RealtimeConversation) else None

    def _key(self, base: str) -> str:
        generation = self._generations.get(base, 1)
        return base if generation == 1 else f"{base}#{generation}"

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
        if state.base and reason in ("replaced", "evicted"):
            self._generations[state.base] = self._generations.get(state.base, 1) + 1
            if len(self._generations) > OWNERS:
                del self._generations[next(iter(self._generations))]

    def stream_closed(self, stream: Stream) -> None:
        """Forget how many sessions the stream had."""
        self._generations.pop(stream.name, None)


def _replaces(event: Event, state: RealtimeConversation, stream: Stream, identity: str | None) -> bool:
    """Return whether `event` begins another session on the stream that the present one was last heard on."""
    if identity and identity in state.seen:
        return False
    if not isinstance(event, SESSION_BEGINS) or event.session is None or not state.session_id:
        return False
    return event.session.id not in (None, state.session_id) and state.last_stream == stream.name
