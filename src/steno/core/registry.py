"""All open conversations: which one an event belongs to, when one begins and when it ends."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal

from steno.core.assistants.owners import Owners
from steno.core.assistants.state import ThreadConversation
from steno.core.billing.prices import PriceTable
from steno.core.bounded import BoundedSet
from steno.core.chatkit.state import ChatKitConversation
from steno.core.conversation import Conversation
from steno.core.facts import (
    ConversationClosed,
    ConversationOpened,
    EventRejected,
    Fact,
    Origin,
    StreamClosed,
    StreamOpened,
    Unpriced,
)
from steno.core.frame import Frame
from steno.core.realtime.state import RealtimeConversation
from steno.core.routing import DELTAS, ROUTES, SESSION_BEGINS, event_id_of, replaces, thread_id_of
from steno.core.session import EXPIRED
from steno.core.stream import Stream
from steno.limits import ID_CHARACTERS, OWNERS, Limits
from steno.timestamps import SECOND, Micros, seconds, whole_second
from steno.wire import NAMES, Event, RealtimeEvent, sessions

CALL_ID_PREFIX: Final = "rtc_"
"""How the id of a call begins, for whoever names a conversation after the call that it is."""

DUPLICATE: Final = "duplicate"
"""Why an event that was delivered again is rejected. It says no fact: the first delivery said all."""

Closing = Literal["replaced", "disconnected", "session_expired", "idle", "evicted", "shutdown"]
Ending = Literal["disconnected", "session_expired", "shutdown"]


class Registry:
    """Every conversation that is open, the one that was silent longest first."""

    def __init__(
        self,
        limits: Limits,
        emit: Callable[[Origin, Fact], None],
        closed: Callable[[Conversation], None],
        prices: PriceTable | None = None,
    ) -> None:
        """Hold no conversation yet.

        Args:
            limits: how many conversations, and how much of each, may be held.
            emit: receives each fact, with whom it is about.
            closed: is given each conversation that ended, after its last fact was told.
            prices: what usage is priced by, in conversations that open from now on.
        """
        self.prices = prices
        self.conversations: OrderedDict[str, Conversation] = OrderedDict()
        self._limits = limits
        self._emit = emit
        self._closed = closed
        self._newest: Conversation | None = None
        self._opened = 0
        self._owners = Owners()
        self._sessions: dict[tuple[str, str], str] = {}
        """Source and id of each voice session that told its id: the key of its conversation."""
        self._generations: dict[str, int] = {}
        """Key of a voice session without its `#n`: how many were known by it, where it was more than one."""

    # Events ---------------------------------------------------------------------------------------------

    def feed(
        self, stream: Stream, event: Event, frame: Frame, name: str | None = None, identity: str | None = None
    ) -> str | None:
        """Let `event` move its conversation, and tell what follows from that.

        Args:
            stream: where the event came from.
            event: what was decoded.
            frame: the frame that it was decoded from.
            name: what an envelope calls the conversation; else the stream and the event decide.
            identity: what an envelope knows the event by; else the `event_id` of a received Realtime event.

        Returns:
            None, or why the event was rejected.
        """
        # The path of every event: a lookup, and no call but the handler's, where nothing is out of the ordinary.
        route = ROUTES[type(event)]
        if route.sent is not frame.sent:
            return self._reject(stream, event, frame, "unexpected_direction")
        if identity is None and route.identified:
            identity = event.event_id  # type: ignore[union-attr]  # only events that have one are
        state: Conversation | None = stream.voice if route.follows and not name else None
        if state is None or state.closed_reason is not None:
            state = self._find(stream, event, frame, name, identity)
            if state is None:
                return self._reject(stream, event, frame, "no_conversation")
        if identity and not state.seen.add(identity):
            state.note(DUPLICATE)
            return DUPLICATE
        state.events += 1
        state.last_stream = stream.name
        at = frame.at
        if at is not None and (state.last_at is None or at > state.last_at):
            state.last_at = at
        if state is not self._newest:
            self._newest = state
            self.conversations.move_to_end(state.key)
        facts = route.handle(state, event, frame)
        if not facts:
            return None
        if route.tells_id and isinstance(state, RealtimeConversation):
            self._know_session(state)
        origin = self._origin(state, frame.at, stream, event)
        for fact in facts:
            self._emit(origin, fact)
        first = facts[0]
        return first.reason if type(first) is EventRejected else None

    def _reject(self, stream: Stream, event: Event, frame: Frame, reason: str) -> str:
        """Tell of an event that no conversation is known for."""
        origin = Origin(at=frame.at, source=stream.source, stream=stream.name, event_id=event_id_of(event))
        self._emit(origin, EventRejected(event=NAMES[type(event)], reason=reason))
        return reason

    def _origin(self, state: Conversation, at: Micros | None, stream: Stream | None, event: Event | None) -> Origin:
        return Origin(
            at=at,
            source=state.source,
            stream=stream.name if stream else None,
            conversation=state.key,
            family=state.family,
            event_id=event_id_of(event),
        )

    # Which conversation ---------------------------------------------------------------------------------

    def _find(
        self, stream: Stream, event: Event, frame: Frame, name: str | None, identity: str | None
    ) -> Conversation | None:
        """Find the conversation of `event`, opened if it is new; None where it can belong to none."""
        if not isinstance(event, RealtimeEvent):
            return self._thread(stream, event, frame, name)
        if isinstance(event, sessions.ChatKitSessionSeen) or (isinstance(event, sessions.SessionSeen) and not name):
            return self._session(stream, event, frame, name)
        return self._realtime(stream, event, frame, name, identity)

    def _realtime(
        self, stream: Stream, event: RealtimeEvent, frame: Frame, name: str | None, identity: str | None
    ) -> Conversation | None:
        named = name or stream.conversation
        base = f"{stream.source}/{named[:ID_CHARACTERS]}" if named else stream.name
        state = self.conversations.get(self._key(base))
        seen: BoundedSet | None = None
        if isinstance(state, RealtimeConversation) and replaces(event, state, stream, identity):
            seen = state.seen  # what was said to the session before may be delivered again to this one
            self._close(state, "replaced", frame.at, stream, event)
            state = None
        if state is None and not named:
            state = self._told_of(stream, event)
        if state is None:
            state = self._opened_voice(base, stream, event, frame, named)
            state.seen = seen or state.seen
        if not isinstance(state, RealtimeConversation):
            return None  # another family's bears that very name
        if not name:
            stream.voice = state
        return state

    def _opened_voice(
        self, base: str, stream: Stream, event: RealtimeEvent, frame: Frame, named: str | None
    ) -> RealtimeConversation:
        key = self._key(base)
        state = RealtimeConversation(key, stream.source, stream.name, self._limits, named=named is not None)
        state.base = base
        state.call_id = named[:ID_CHARACTERS] if named and named.startswith(CALL_ID_PREFIX) else None
        self._open(state, stream, event, frame)
        return state

    def _know_session(self, state: RealtimeConversation) -> None:
        """Let the session that `state` is about now lead to it, and an earlier one no more."""
        if state.known_session:
            self._sessions.pop((state.source, state.known_session), None)
        state.known_session = state.session_id
        if state.session_id:
            self._sessions[state.source, state.session_id] = state.key

    def _told_of(self, stream: Stream, event: RealtimeEvent) -> RealtimeConversation | None:
        """Find the conversation of a session that began, where its object came before, as a reply to its creation."""
        if not isinstance(event, SESSION_BEGINS) or event.session is None or event.session.id is None:
            return None
        state = self.conversations.get(self._sessions.get((stream.source, event.session.id), ""))
        return state if isinstance(state, RealtimeConversation) else None

    def _key(self, base: str) -> str:
        generation = self._generations.get(base, 1)
        return base if generation == 1 else f"{base}#{generation}"

    def _session(
        self,
        stream: Stream,
        event: sessions.SessionSeen | sessions.ChatKitSessionSeen,
        frame: Frame,
        name: str | None,
    ) -> Conversation | None:
        """Find the conversation of a bare session object: the one that is named, that lives, or that has its id."""
        if event.session is None or event.session.id is None:
            return None
        kind = ChatKitConversation if isinstance(event, sessions.ChatKitSessionSeen) else RealtimeConversation
        key = f"{stream.source}/{(name or event.session.id)[:ID_CHARACTERS]}"
        state = self.conversations.get(self._sessions.get((stream.source, event.session.id), key))
        if state is None:
            state = kind(key, stream.source, stream.name, self._limits, named=True)
            self._open(state, stream, event, frame)
        return state if isinstance(state, kind) else None

    def _thread(self, stream: Stream, event: Event, frame: Frame, name: str | None) -> ThreadConversation | None:
        if isinstance(event, DELTAS):
            told = event.data
            owner = self._owners.find(stream.source, told.id) if told and told.id else None
            known = self.conversations.get(owner) if owner else None
            return known if isinstance(known, ThreadConversation) else None
        thread_id = thread_id_of(event)
        if thread_id is None:
            named = self.conversations.get(f"{stream.source}/{name[:ID_CHARACTERS]}") if name else stream.thread
            return named if isinstance(named, ThreadConversation) and named.closed_reason is None else None
        key = f"{stream.source}/{thread_id[:ID_CHARACTERS]}"
        state = self.conversations.get(key)
        if not isinstance(state, ThreadConversation):
            if state is not None:
                return None  # another family's session bears that very name
            state = ThreadConversation(key, stream.source, stream.name, self._limits)
            self._open(state, stream, event, frame)
        stream.thread = state
        self._owners.note(state, event)
        return state

    # Beginning and end ----------------------------------------------------------------------------------

    def _open(self, state: Conversation, stream: Stream, event: Event, frame: Frame) -> None:
        self._opened += 1
        state.number = self._opened
        state.prices = self.prices
        state.opened_at = state.last_at = frame.at
        self.conversations[state.key] = state
        self._emit(self._origin(state, frame.at, stream, event), ConversationOpened(family=state.family))
        if len(self.conversations) > self._limits.conversations:
            oldest = next(iter(self.conversations.values()))
            self._close(oldest, "evicted", frame.at, stream, event)

    def _close(
        self,
        state: Conversation,
        reason: Closing,
        at: Micros | None,
        stream: Stream | None = None,
        event: Event | None = None,
    ) -> None:
        self._forget(state, reason)
        origin = self._origin(state, at, stream, event)
        for fact in state.abandon():
            self._emit(origin, fact)
        state.closed_reason = reason
        totals = state.totals
        self._emit(
            origin,
            ConversationClosed(
                family=state.family,
                reason=reason,
                duration_seconds=seconds(state.opened_at, state.last_at),
                events=state.events,
                responses=sum(totals.responses.values()),
                runs=sum(totals.runs.values()),
                tokens=totals.buckets(),
                cost_usd=totals.cost_usd(),
                unpriced=tuple(Unpriced(reason, usages) for reason, usages in totals.unpriced.items()),
            ),
        )
        del self.conversations[state.key]
        self._closed(state)

    def _forget(self, state: Conversation, reason: Closing) -> None:
        """Let nothing lead to `state` any more; a voice session that goes on gets the next number."""
        if isinstance(state, ThreadConversation):
            self._owners.drop(state)
            return
        if isinstance(state, RealtimeConversation) and state.known_session:
            self._sessions.pop((state.source, state.known_session), None)
        if isinstance(state, RealtimeConversation) and state.base and reason in ("replaced", "evicted"):
            self._generations[state.base] = self._generations.get(state.base, 1) + 1
            if len(self._generations) > OWNERS:
                del self._generations[next(iter(self._generations))]

    # Streams and time -----------------------------------------------------------------------------------

    def stream_opened(self, stream: Stream, at: Micros | None) -> None:
        """Tell that `stream` began."""
        origin = Origin(at=at, source=stream.source, stream=stream.name)
        self._emit(origin, StreamOpened(source=stream.source))

    def stream_closed(
        self,
        stream: Stream,
        at: Micros | None,
        code: int | None,
        *,
        shutdown: bool,
        expired: bool = False,
        gap: str | None = None,
    ) -> Ending:
        """Close what ends with `stream`, and tell that it ended.

        Args:
            stream: the stream that ended.
            at: when.
            code: the websocket close code; None when the connection broke off.
            shutdown: whether we closed it, because we stop.
            expired: whether upstream's words say that the session reached its longest duration.
            gap: why events may be missing; of a closed list.

        Returns:
            Why it ended.
        """
        voice = stream.voice
        reason: Ending = "disconnected"
        if shutdown:
            reason = "shutdown"
        elif expired or (voice is not None and voice.expired):
            reason = "session_expired"
        if voice is not None and voice.closed_reason is None and reason == "session_expired":
            for fact in voice.session_life.end(EXPIRED):
                self._emit(self._origin(voice, at, stream, None), fact)
        if voice is not None and not voice.named and voice.closed_reason is None:
            self._close(voice, reason, at, stream)
        if shutdown:
            for state in [each for each in self.conversations.values() if each.last_stream == stream.name]:
                self._close(state, reason, at, stream)
        self._generations.pop(stream.name, None)
        origin = Origin(at=at, source=stream.source, stream=stream.name)
        closed = StreamClosed(source=stream.source, reason=reason, code=code, frames=stream.frames, gap=gap)
        self._emit(origin, closed)
        return reason

    def tick(self, at: Micros) -> None:
        """Do what is due up to `at`, each at the whole second it was due, however late this is."""
        idle = int(self._limits.idle_seconds * SECOND)
        due: list[tuple[Micros, int, bool, Conversation]] = []
        for state in self.conversations.values():
            due += [(when, state.number, False, state) for when in state.session_life.dues(at)]
            if state.named and state.last_at is not None and (when := whole_second(state.last_at + idle)) <= at:
                due.append((when, state.number, True, state))
        for when, _, is_idle, state in sorted(due, key=lambda each: each[:3]):
            if is_idle:
                self._close(state, "idle", when)
            elif state.closed_reason is None:
                self._emit(self._origin(state, when, None, None), state.session_life.reach())

    def close_all(self, at: Micros | None) -> None:
        """Close what is still open, because we stop."""
        for state in list(self.conversations.values()):
            self._close(state, "shutdown", at)
