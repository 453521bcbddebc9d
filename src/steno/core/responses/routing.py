"""Which conversation an event of the Responses API belongs to.

Theory of operation
-------------------

Only the events that carry a whole response, and requests, say where they belong. In this order it is

1. the name that an envelope gives it,
2. the conversation of upstream's that the response is kept in (`conversation`),
3. the conversation of the response that it follows (`previous_response_id`), whichever stream that was on; where that
   was not seen, or is over, the one of the chain's root, as far back as is known,
4. where its stream is the reply to one request (`Stream.reply`), the response itself, which begins a chain: further
   replies go on with it. One that upstream does not store ends with its reply, since nothing can go on with it.
5. the lane that it came on: `<stream>/<stream_id>`, or `<stream>/default`. Where the source gives a stream a name, that
   name stands in place of the stream, alone for the lane that has no name of its own.

All other events belong to the conversation that their lane was about last. A stream without lanes has that as its own,
and the registry asks nobody (`Router.follows`).

Of more than `LANES` conversations that end with a connection, the one that it was about longest ago ends as `replaced`:
no connection has the room of others.

The response of each id is remembered, with the conversation and the root of its chain. Conversations of lanes end with
their stream. All others have a name that outlives it. One that only a request has named ends with its stream as well,
or when it is idle, until a response of it is seen: upstream may know nothing of what the request goes on with.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from steno.core.conversation import Conversation
from steno.core.frame import Frame
from steno.core.keys import conversation_key, key_part
from steno.core.memory import text_bytes
from steno.core.responses.in_progress import Flight
from steno.core.responses.state import ResponsesConversation
from steno.core.routing import Openings, Router
from steno.core.stream import Stream
from steno.limits import CHAINED_BYTES, CHAINED_RESPONSES, LANES
from steno.timestamps import Micros
from steno.wire import Event, responses
from steno.wire.responses_objects import conversation_id_of
from steno.wire.responses_output import OUTPUT_EVENTS

DEFAULT: Final = "default"
"""What the lane is called of requests that name none."""
FAMILY: Final = ResponsesConversation.family
_FOLLOWING: Final = frozenset({*OUTPUT_EVENTS, responses.ResponseMetadata, responses.KeptAlive})
_STEERS: Final = (responses.SteerAccepted, responses.SteerPending, responses.SteerFailed)
_OF_STEERING: Final = (responses.ResponseSteer, *_STEERS)

Lane = tuple[str | None, str | None]
"""The name that an envelope gives an event, and its `stream_id`."""


class _Link(Struct, frozen=True):
    """Where a response leads to."""

    key: str
    """Its conversation."""
    root: str
    """The first response of its chain that is known."""


class _Connection:
    """What is known of one stream."""

    __slots__ = ("begun_at", "flight", "lanes", "opened", "session")

    def __init__(self, begun_at: Micros | None) -> None:
        self.begun_at = begun_at
        self.flight = Flight()
        self.session: str | None = None
        """The key of the conversation whose request showed that it is a connection that upstream keeps for a time."""
        self.lanes: OrderedDict[Lane, str] = OrderedDict()
        """The key of the conversation that each lane was about last. That may be over: it may have been heard of on
        other connections, too."""
        self.opened: OrderedDict[str, ResponsesConversation] = OrderedDict()
        """The open conversations that end with it, by key, the one that was spoken of last behind."""

    def about(self, lane: Lane, state: ResponsesConversation) -> bool:
        """Note that `lane` is about `state` now; return whether that is news.

        Past the limit the lane that was silent longest is forgotten.
        """
        if state.key in self.opened:
            self.opened.move_to_end(state.key)
        former = self.lanes.get(lane)
        self.lanes[lane] = state.key
        self.lanes.move_to_end(lane)
        if len(self.lanes) > LANES:
            self.lanes.popitem(last=False)
        return former != state.key

    @property
    def has_one_lane(self) -> bool:
        """Whether no envelope and no event names a lane. Of a further one nobody may have seen the beginning."""
        return len(self.lanes) == 1 and (None, None) in self.lanes


class ResponsesRouter(Router):
    """Finds conversations by the responses in them, and by lane."""

    def __init__(self, openings: Openings) -> None:
        """Know of no response yet."""
        super().__init__(openings)
        self._links: OrderedDict[tuple[str, str], _Link] = OrderedDict()
        """Source and response to where it leads."""
        self._links_bytes = 0
        self._connections: dict[str, _Connection] = {}

    def follows(self, kind: type[Event]) -> bool:
        """Return whether events of `kind` say nothing of where they belong."""
        return kind in _FOLLOWING

    def find(
        self,
        stream: Stream,
        event: Any,
        frame: Frame,
        name: str | None,
        identity: str | None,  # noqa: ARG002  # a session that is replaced asks for it, not here
    ) -> Conversation | None:
        """Return the conversation of `event`, opened where it is new."""
        connection = self._connections.get(stream.name)
        if connection is None:
            connection = self._connections[stream.name] = _Connection(frame.at)
        lane = (name, event.stream_id)
        if type(event) in _FOLLOWING:  # most events of a connection with lanes
            last = self.at(connection.lanes.get(lane))
            if last is not None:
                return last
        found = _Search(self, stream, connection, lane, event, frame).state()
        if found is None:
            return None
        found.flight = connection.flight
        if self._moves(stream, connection, lane, event) and connection.about(lane, found):
            if connection.has_one_lane:
                stream.current[FAMILY] = found
            else:
                stream.current.pop(FAMILY, None)
        self._note(stream, connection, found, event)
        return found

    def _moves(self, stream: Stream, connection: _Connection, lane: Lane, event: Event) -> bool:
        """Return whether the next events of a lane are about what `event` is about.

        A request waits while another response is in progress on its lane: until then that one goes on.
        """
        if isinstance(event, responses.ResponseCreate):
            last = self.at(connection.lanes.get(lane))
            return last is None or not last.is_busy(stream.name, event.stream_id)
        return not isinstance(event, _OF_STEERING)

    def _note(self, stream: Stream, connection: _Connection, state: ResponsesConversation, event: Any) -> None:
        """Note what an event says of responses, and of its connection."""
        if isinstance(event, responses.OfResponse):
            self._link(stream, state, event)
            if state.shared:
                self._confirm(state)
        elif isinstance(event, responses.ResponseCreate) and connection.session is None:
            connection.session = state.key
            state.connection = (stream.name, connection.begun_at)

    def _confirm(self, state: ResponsesConversation) -> None:
        """Let a conversation that a request had named outlive its stream, since a response of it was seen."""
        state.named, state.shared = True, False
        connection = self._connections.get(state.stream)
        if connection is not None:
            connection.opened.pop(state.key, None)

    def _link(self, stream: Stream, state: ResponsesConversation, event: responses.OfResponse) -> None:
        response = event.response
        if response is None or response.id is None:
            return
        key = (stream.source, response.id)
        known = self._links.get(key)
        if known is None:
            former = self.link(stream, response.previous_response_id)
            root = former.root if former else response.previous_response_id or response.id
            self._remember(key, _Link(state.key, root))
        elif known.key != state.key:
            self._links_bytes -= _link_bytes(key, known)
            self._remember(key, _Link(state.key, known.root))

    def _remember(self, key: tuple[str, str], link: _Link) -> None:
        """Note where a response leads to. Past the limits the one that was asked for longest ago is forgotten."""
        self._links[key] = link
        self._links_bytes += _link_bytes(key, link)
        while len(self._links) > CHAINED_RESPONSES or self._links_bytes > CHAINED_BYTES:
            self._links_bytes -= _link_bytes(*self._links.popitem(last=False))

    def link(self, stream: Stream, response_id: str | None) -> _Link | None:
        """Return where a response leads to; None where it was not seen, or is forgotten."""
        key = (stream.source, response_id or "")
        found = self._links.get(key)
        if found is not None:
            self._links.move_to_end(key)
        return found

    def at(self, key: str | None) -> ResponsesConversation | None:
        """Return the open conversation `key` of this family."""
        state = self._openings.conversations.get(key) if key is not None else None
        return state if isinstance(state, ResponsesConversation) else None

    def open(
        self,
        key: str,
        stream: Stream,
        event: Event,
        frame: Frame,
        *,
        named: bool,
        keeps: bool,
        asked: bool = False,
    ) -> ResponsesConversation | None:
        """Return the conversation `key`, opened where it is new; None where another family has one of that name.

        One that is only `asked` for ends with its stream, and in silence as well.
        """
        if key in self._openings.conversations:
            return self.at(key)
        state = ResponsesConversation(key, stream.source, stream.name, self._openings.limits, named=named, keeps=keeps)
        state.shared = asked
        self._openings.open(state, stream, event, frame)
        return state

    def replace(self, state: ResponsesConversation, stream: Stream, event: Event, frame: Frame) -> None:
        """Close `state`, since its connection has too many lanes."""
        self._openings.replace(state, stream, event, frame)

    def carried(self, stream: Stream) -> Sequence[Conversation]:
        """Return the open conversations that `stream` was about last, or that end with it, in the order they began."""
        connection = self._connections.get(stream.name)
        if connection is None:
            return ()
        keys = (connection.session, *connection.lanes.values())
        spoken_of = {state.key: state for state in map(self.at, keys) if state is not None}
        return sorted({**connection.opened, **spoken_of}.values(), key=lambda state: state.number)

    def stream_closed(self, stream: Stream) -> None:
        """Forget the lanes of a stream that ended."""
        self._connections.pop(stream.name, None)

    def forget(self, state: ResponsesConversation, reason: str) -> None:  # noqa: ARG002  # whatever it is
        """Let no lane lead to `state`."""
        for name in (state.stream, state.last_stream):
            connection = self._connections.get(name)
            if connection is not None:
                connection.opened.pop(state.key, None)
                for lane in [lane for lane, key in connection.lanes.items() if key == state.key]:
                    del connection.lanes[lane]


def _link_bytes(key: tuple[str, str], link: _Link) -> int:
    """Return how many bytes the texts of a link take at most."""
    return text_bytes(key[1]) + text_bytes(link.key) + text_bytes(link.root)


class _Search:
    """The search for the conversation of one event."""

    __slots__ = ("_connection", "_event", "_frame", "_lane", "_router", "_stream")

    def __init__(
        self,
        router: ResponsesRouter,
        stream: Stream,
        connection: _Connection,
        lane: Lane,
        event: Any,
        frame: Frame,
    ) -> None:
        self._router = router
        self._stream = stream
        self._connection = connection
        self._lane = lane
        self._event = event
        self._frame = frame

    def state(self) -> ResponsesConversation | None:
        """Return the conversation of the event."""
        event = self._event
        name = self._lane[0]
        if name:
            return self._named(name, keeps=True)
        if isinstance(event, responses.OfResponse):
            return self._of_response(event)
        if isinstance(event, responses.ResponseCreate):
            return self._by_names(conversation_id_of(event.conversation), event.previous_response_id)
        if isinstance(event, responses.ResponseSteer):
            return self._of_known(event.previous_response_id) or self._last()
        if isinstance(event, _STEERS):
            return self._of_known(event.steer.previous_response_id if event.steer else None) or self._last()
        return self._last()

    def _of_response(self, event: responses.OfResponse) -> ResponsesConversation | None:
        response = event.response
        if response is None or response.id is None:
            return self._last()
        begins = response.id if self._stream.reply and response.store is not False else None
        named = conversation_id_of(response.conversation)
        return self._of_known(response.id) or self._by_names(named, response.previous_response_id, begins)

    def _of_known(self, response_id: str | None) -> ResponsesConversation | None:
        """Return the open conversation of a response that was seen."""
        link = self._router.link(self._stream, response_id)
        return self._router.at(link.key) if link else None

    def _by_names(
        self, conversation_id: str | None, previous: str | None, begins: str | None = None
    ) -> ResponsesConversation | None:
        """Return the conversation by what a response, or a request, names; else the chain that it `begins`."""
        if conversation_id:
            return self._named(conversation_id)
        if not previous:
            return self._named(begins) if begins and not self._stream.conversation else self._of_lane()
        known = self._of_known(previous)
        if known is not None:
            return known
        if self._stream.conversation:
            return self._of_lane()
        link = self._router.link(self._stream, previous)
        state = self._named(link.root if link else previous)
        if state is not None and not state.events:
            state.begins_late = True
        return state

    def _named(self, name: str, *, keeps: bool = False) -> ResponsesConversation | None:
        key = conversation_key(self._stream.source, name)
        asked = not keeps and isinstance(self._event, responses.ResponseCreate)
        state = self._router.open(
            key, self._stream, self._event, self._frame, named=not asked, keeps=keeps, asked=asked
        )
        if state is not None and state.shared and not state.events:
            self._ends_here(state)
        return state

    def _last(self) -> ResponsesConversation | None:
        """Return the conversation that the lane was about last."""
        return self._router.at(self._connection.lanes.get(self._lane)) or self._of_lane()

    def _of_lane(self) -> ResponsesConversation | None:
        """Return the conversation of the lane itself."""
        stream, lane = self._stream, self._lane[1]
        if stream.conversation:
            base = conversation_key(stream.source, stream.conversation)
            key = f"{base}/{key_part(lane)}" if lane else base
            return self._router.open(key, stream, self._event, self._frame, named=True, keeps=True)
        key = f"{stream.name}/{key_part(lane or DEFAULT)}"
        state = self._router.open(key, stream, self._event, self._frame, named=False, keeps=False)
        if state is not None:
            self._ends_here(state)
        return state

    def _ends_here(self, state: ResponsesConversation) -> None:
        """Let `state` end with its stream. Past the limit the one that was spoken of longest ago ends now."""
        opened = self._connection.opened
        opened[state.key] = state
        if len(opened) > LANES:
            self._router.replace(next(iter(opened.values())), self._stream, self._event, self._frame)
