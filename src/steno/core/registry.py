"""All open conversations: which one an event belongs to, when one begins and when it ends.

Theory of operation
-------------------

Every event that is not rejected moves exactly one conversation. Which one is decided in this order:

1. *Direction.* A client event received from upstream, or the reverse, is rejected as `unexpected_direction`.
2. *The stream's conversation.* Most events of a session name no session: their stream carries one, and they belong to
   it. `Route.follows` says of which kinds of events that holds, and `Stream.current` has the conversation. This is the
   path of every delta: one look-up, and no call but the handler's.
3. *The family's router.* All others name something: an envelope has a subject, a run its thread, a session its id. The
   router of the event's family (`<family>/routing.py`) knows what its ids lead to, and opens a conversation for what is
   new. A stream that turns out to carry several sessions has no conversation of its own: all its events take this way
   (`realtime/sharing.py`). Where the router answers None, the event is rejected as `no_conversation`; where it cannot
   tell which of several, as `ambiguous_session`.
4. *Once only.* An event whose identity was seen in that conversation lately is a `duplicate`: it moves nothing. An
   identity that events of two kinds have identifies none (`Conversation.delivered_again`).

A conversation has a key that no other open one has: `<source>/<name>` where something names it, else the name of its
stream. Keys of all families share one table, so that a name belongs to one family at a time; an event of another family
with that name is rejected as `no_conversation`. Two families that speak on one stream would both have its name: the
second one's has a `~` behind it. A session that replaces another under the same key opens `<key>#2`, and so on.

Conversations end for one reason of a closed list (`endings.Closing`). One without a name ends with its stream. One with
a name, and every thread, outlives its streams: it ends when it is idle or evicted, or with the stream that it was last
heard on where steno closes that. Past `limits.conversations` the one that was silent longest is evicted, which depends
only on what was fed, so that replay evicts the same one. `conversations` is ordered by the last event for that, and
`_newest` spares the reordering while one conversation goes on speaking. So it is past `limits.memory_bytes`, once no
kept object is left to be dropped: see `core/memory.py`.

Time comes in: with frames, and by `tick` on whole seconds. What was due in a silence happens at the second at which it
was due, in order of time and then of opening, however late the tick that brings it: see `deadlines`.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from steno.core.billing.claims import Claims
from steno.core.billing.prices import PriceTable
from steno.core.conversation import DUPLICATE, DUPLICATED, Conversation
from steno.core.deadlines import Deadlines
from steno.core.endings import OURS, Closing, Ending, closing_fact
from steno.core.facts import ConversationOpened, EventRejected, Fact, Origin, StreamClosed, StreamOpened
from steno.core.family import Family
from steno.core.frame import Frame
from steno.core.last_heard import LastHeard
from steno.core.memory import MemoryBudget
from steno.core.omission import within_bounds
from steno.core.routing import AMBIGUOUS_SESSION, Route, Router, event_id_of
from steno.core.session import EXPIRED
from steno.core.stream import Stream
from steno.limits import FACTS_OF_A_KIND, SUPERSEDED_SECONDS, Limits
from steno.timestamps import SECOND, Micros
from steno.wire import Event, name_of


class Registry:
    """Every conversation that is open, the one that was silent longest first. It is what routers know as `Openings`."""

    def __init__(
        self,
        limits: Limits,
        families: Iterable[Family],
        emit: Callable[[Origin, Fact], None],
        closed: Callable[[Conversation], None],
        prices: PriceTable | None = None,
        mixed: Callable[[Stream], None] = lambda _: None,
    ) -> None:
        """Hold no conversation yet.

        Args:
            limits: how many conversations, and how much of each, may be held.
            families: whose events may come.
            emit: receives each fact, with whom it is about.
            closed: receives each conversation that ended, after its last fact.
            prices: what usage is priced by.
            mixed: receives each stream once, when an event of it could not be told to be of one of its sessions.
        """
        self.limits = limits
        self.conversations: OrderedDict[str, Conversation] = OrderedDict()
        self.routes: dict[type[Event], Route] = {}
        self._routers: dict[str, Router] = {}
        for family in families:
            router = self._routers[family.name] = family.router(self)
            for kind, handle in family.handlers.items():
                self.routes[kind] = Route(kind, family.name, handle, router)
        self._emit = emit
        self._closed = closed
        self.memory = MemoryBudget(limits.conversation_bytes)
        self._mixed = mixed
        self._newest: Conversation | None = None
        self._superseded: OrderedDict[str, Conversation] = OrderedDict()
        """Conversations that another one has followed on their stream; some of them may have gone on since."""
        self._streams: dict[str, Stream] = {}
        self._deadlines = Deadlines(int(limits.idle_seconds * SECOND), int(SUPERSEDED_SECONDS * SECOND))
        self._last_heard: LastHeard | None = None
        """Kept while we end streams, until the next second."""
        self._opened = 0
        self.claims = Claims(self._streams, prices)
        """Which sources follow the same session or call, and what all are priced by."""

    @property
    def prices(self) -> PriceTable | None:
        """What usage that begins from now on is priced by. What has begun keeps the prices of its beginning."""
        return self.claims.prices

    @prices.setter
    def prices(self, prices: PriceTable | None) -> None:
        self.claims.prices = prices

    # Events ---------------------------------------------------------------------------------------------

    def feed(
        self,
        route: Route,
        stream: Stream,
        event: Event,
        frame: Frame,
        name: str | None = None,
        identity: str | None = None,
    ) -> str | None:
        """Let `event` move its conversation, and emit what follows from that.

        Args:
            route: what `routes` has for events of its kind.
            stream: where the event came from.
            event: what was decoded.
            frame: the frame that it was decoded from.
            name: what an envelope calls the conversation; else the stream and the event decide.
            identity: what an envelope knows the event by; else the `event_id` of a received event that has one.

        Returns:
            None, or why the event was rejected.
        """
        # The path of every event: a look-up, and no call but the handler's, where nothing is out of the ordinary.
        if route.sent is not frame.sent and route.sent is not None:
            return self._reject(stream, event, frame, "unexpected_direction")
        if identity is None and route.identified:
            identity = event.event_id  # type: ignore[attr-defined]  # only events that have one are identified
        state = stream.current.get(route.family) if route.follows and not name else None
        if state is None or state.closed_reason is not None:
            found = route.router.find(stream, event, frame, name, identity)
            if not isinstance(found, Conversation):
                return self._reject(stream, event, frame, found or "no_conversation")
            state = found
        if identity and not state.seen.add(identity) and state.delivered_again(identity, type(event)):
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
            if self._last_heard is not None:
                self._newest = None  # so that no event is missed
                self._last_heard.heard(state)
        facts = route.handle(state, event, frame)
        rejected = self._report(route, state, stream, event, at, facts) if facts else None
        if self.memory.over:
            self._relieve(stream, event, frame)
        return rejected

    def _report(
        self, route: Route, state: Conversation, stream: Stream, event: Event, at: Micros | None, facts: Sequence[Fact]
    ) -> str | None:
        """Emit the facts of an event that has any. Return why it was rejected, None where it was not."""
        if facts is DUPLICATED:
            state.events -= 1
            state.note(DUPLICATE)
            return DUPLICATE
        if route.identifies:
            route.router.learn(state)
            self._know(state)
        if state.session_life.reported:
            state.session_life.reported = False
            self._deadlines.watch(state)
        if len(facts) > FACTS_OF_A_KIND:
            facts = within_bounds(facts)
        origin = Origin(
            at=at,
            source=state.source,
            stream=stream.name,
            conversation=state.key,
            family=state.family,
            event_id=event_id_of(event),
        )
        for fact in facts:
            self._emit(origin, fact)
        first = facts[0]
        return first.reason if type(first) is EventRejected else None

    def _know(self, state: Conversation) -> None:
        """Let `state` be known by the ids of its session and call, for another source may follow them."""
        self.claims.learn(state, [name for name in (state.session_name, state.call_id) if name])

    def _reject(self, stream: Stream, event: Event, frame: Frame, reason: str) -> str:
        """Emit that no conversation is known for an event, and return the reason."""
        origin = Origin(at=frame.at, source=stream.source, stream=stream.name, event_id=event_id_of(event))
        self._emit(origin, EventRejected(event=name_of(type(event)), reason=reason))
        if reason == AMBIGUOUS_SESSION and not stream.ambiguous:
            stream.ambiguous = True
            self._mixed(stream)
        return reason

    # Beginning and end ----------------------------------------------------------------------------------

    def open(self, state: Conversation, stream: Stream, event: Event, frame: Frame) -> None:
        """Open `state`, which `event` is the first of; past the limit the one that was silent longest is evicted."""
        if len(self.conversations) >= self.limits.conversations:
            self._replace_one(stream, event, frame)
        while state.key in self.conversations:  # of another family, which spoke on the same stream
            state.key += "~"
        self._opened += 1
        state.number = self._opened
        state.opened_by = type(event)
        state.claims = self.claims
        self._know(state)
        state.opened_at = state.last_at = frame.at
        self.conversations[state.key] = state
        state.memory.open(self.memory)
        self._deadlines.watch(state)
        if self._last_heard is not None:
            self._last_heard.heard(state)
        self._emit(_origin(state, frame.at, stream, event), ConversationOpened(family=state.family))
        if len(self.conversations) > self.limits.conversations:
            oldest = next(iter(self.conversations.values()))
            self._close(oldest, "evicted", frame.at, stream, event)

    def _replace_one(self, stream: Stream, event: Event, frame: Frame) -> None:
        """Make room for a conversation: the first one ends that another has followed, if there is any."""
        while self._superseded:
            _, followed = self._superseded.popitem(last=False)
            if followed.superseded:  # it has not gone on since
                self._close(followed, "replaced", frame.at, stream, event)
                return

    def _relieve(self, stream: Stream, event: Event, frame: Frame) -> None:
        """Make all conversations hold less than they may: objects go first, then who was silent longest."""
        while self.memory.over and self.memory.drop_oldest():
            pass
        while self.memory.over and self.conversations:
            oldest = next(iter(self.conversations.values()))
            self._close(oldest, "evicted", frame.at, stream, event)

    def replace(self, state: Conversation, stream: Stream, event: Event, frame: Frame) -> None:
        """Close `state`, since `event` begins another session in its place."""
        self._close(state, "replaced", frame.at, stream, event)

    def supersede(self, state: Conversation) -> None:
        """Let `state` end as `replaced` once it is silent, or where room is needed: another session has followed it."""
        state.superseded = True
        self._superseded[state.key] = state
        self._deadlines.watch(state)

    def watch(self, state: Conversation) -> None:
        """Let `state` end once it is silent, since it now is one that does."""
        self._deadlines.watch(state)

    def _close(
        self,
        state: Conversation,
        reason: Closing,
        at: Micros | None,
        stream: Stream | None = None,
        event: Event | None = None,
    ) -> None:
        self._routers[state.family].forget(state, reason)
        origin = _origin(state, at, stream, event)
        over = () if reason in OURS else state.session_over(at if stream else None)  # by silence: nobody knows when
        for fact in (*over, *state.abandon()):
            self._emit(origin, fact)
        state.closed_reason = reason
        self._deadlines.forget(state)
        self.claims.forget(state)
        self._let_go(state)
        self._emit(origin, closing_fact(state, reason))
        del self.conversations[state.key]
        self._superseded.pop(state.key, None)
        self._closed(state)

    def _let_go(self, state: Conversation) -> None:
        """Let nothing keep the memory of `state`, which ends: its streams may say nothing more for long."""
        state.memory.close()
        if self._newest is state:
            self._newest = None
        for name in (state.stream, state.last_stream):
            stream = self._streams.get(name)
            # One that expired says so when its stream ends.
            if stream is not None and stream.current.get(state.family) is state and not state.expired:
                del stream.current[state.family]

    def close_all(self, at: Micros | None) -> None:
        """Close what is still open, because we stop."""
        for state in list(self.conversations.values()):
            self._close(state, "shutdown", at)

    # Streams --------------------------------------------------------------------------------------------

    def stream_opened(self, stream: Stream, at: Micros | None) -> None:
        """Emit that `stream` began."""
        self._streams[stream.name] = stream
        self.claims.begin(stream.source)
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
        """Close what ends with `stream`, and emit that it ended.

        Args:
            stream: the stream that ended.
            at: when.
            code: the websocket close code; None when the connection broke off.
            shutdown: whether we closed it, because we stop.
            expired: whether upstream's close reason says that the session reached its longest duration.
            gap: why events may be missing; of a closed list.

        Returns:
            Why it ended.
        """
        sessions = self._sessions_of(stream)
        if gap is not None:
            for state in sessions:
                state.broke_off()
        reason: Ending = "disconnected"
        if shutdown:
            reason = "shutdown"
        elif expired or any(state.expired for state in sessions):
            reason = "session_expired"
        for state in sessions:
            only_others = reason == "session_expired" and not expired and not state.expired
            self._end_session(state, "disconnected" if only_others else reason, at, stream)
        if shutdown:
            for state in self._last_heard_on(stream):
                self._close(state, reason, at, stream)
        self._streams.pop(stream.name, None)
        for router in self._routers.values():
            router.stream_closed(stream)
        origin = Origin(at=at, source=stream.source, stream=stream.name)
        closed = StreamClosed(source=stream.source, reason=reason, code=code, frames=stream.frames, gap=gap)
        self._emit(origin, closed)
        return reason

    def _sessions_of(self, stream: Stream) -> list[Conversation]:
        """Return the sessions that a stream carries, in the order in which they began."""
        carried = [state for router in self._routers.values() for state in router.carried(stream)]
        return carried + [each for each in stream.current.values() if each.is_session and each not in carried]

    def _last_heard_on(self, stream: Stream) -> list[Conversation]:
        """Return the conversations that were last heard on `stream`, the one that was silent longest first."""
        if self._last_heard is None:
            self._last_heard = LastHeard(self.conversations.values())
            self._newest = None
        return self._last_heard.on(stream.name)

    def settle(self, stream: Stream) -> None:
        """Close the sessions of `stream` that another one has followed, since no frame of it will come."""
        sessions = self._sessions_of(stream)
        at = max((state.last_at for state in sessions if state.last_at is not None), default=None)
        for state in sessions:
            if state.superseded:
                self._close(state, "replaced", at, stream)

    def _end_session(self, state: Conversation, reason: Ending, at: Micros | None, stream: Stream) -> None:
        """End the session that a stream carried; the conversation with it, unless it has a name."""
        if state.closed_reason is not None:
            return
        if state.superseded:
            self._close(state, "replaced", at, stream)
            return
        if reason == "session_expired":
            # No response and no call of an expired session is ended by upstream, whoever goes on under its name.
            for fact in (*state.session_life.end(EXPIRED), *state.abandon()):
                self._emit(_origin(state, at, stream, None), fact)
        if not state.named:
            self._close(state, reason, at, stream)
            return
        for fact in state.stream_over(stream.name):
            self._emit(_origin(state, at, stream, None), fact)

    # Time -----------------------------------------------------------------------------------------------

    def tick(self, at: Micros) -> None:
        """Do what is due up to `at`, each at the whole second it was due, however late this is."""
        self._last_heard = None
        states = self._deadlines.take(at)
        try:
            for when, _, silent, state in self._deadlines.due(states, at):
                if silent:
                    self._close(state, "replaced" if state.superseded else "idle", when)
                elif state.closed_reason is None:
                    self._emit(_origin(state, when, None, None), state.session_life.reach())
        finally:  # also where our own code raises: the others are due at the next tick
            for state in states:
                if state.closed_reason is None:
                    self._deadlines.watch(state)


def _origin(state: Conversation, at: Micros | None, stream: Stream | None, event: Event | None) -> Origin:
    return Origin(
        at=at,
        source=state.source,
        stream=stream.name if stream else None,
        conversation=state.key,
        family=state.family,
        event_id=event_id_of(event),
    )
