"""A session of the Realtime API that answers its client: a client event in, server events out.

    session = RealtimeSession(Random(7), 1_790_000_000, new_session("gpt-realtime"))
    session.take()                                # session.created
    session.receive('{"type":"response.create"}')
    session.take()                                # response.created
    while session.due() is not None:              # seconds until something happens without the client
        session.advance()
        session.take()

Who uses it keeps the time: `due` says how long to wait before `advance`.
"""

from collections.abc import Mapping
from random import Random

import msgspec

from steno.simulate.interactive import callers
from steno.simulate.interactive.errors import EventRefusedError, invalid_value
from steno.simulate.interactive.handlers import HANDLERS, Event, Handler
from steno.simulate.interactive.state import State


class RealtimeSession:
    """One session. All its methods return at once."""

    def __init__(self, rng: Random, started_at: int, configuration: Event, *, call_id: str | None = None) -> None:
        """Begin at the Unix second `started_at` with a configuration of `new_session`."""
        self._state = State(rng, started_at, configuration, call_id)
        self._called = False
        if call_id is None:
            self._state.emit("session.created", session=self._state.configuration)

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._state.ended

    def take(self) -> list[Event]:
        """Remove and return the events that are to be sent now, in order."""
        taken, self._state.out = self._state.out, []
        return taken

    def due(self) -> float | None:
        """Return in how many seconds the session goes on by itself, or None where it waits for its client."""
        return self._state.due()

    def advance(self) -> None:
        """Go on with what is due next, as if its time had come."""
        self._state.advance()

    def join(self) -> None:
        """Let the caller of a simulated call speak. Without effect from the second time on."""
        if not self._called:
            self._called = True
            self._state.begin(callers.call(self._state))

    def end(self) -> None:
        """End the session: the call was hung up."""
        self._state.ended = True

    def receive(self, frame: str | bytes | Event, aliases: Mapping[str, Handler] | None = None) -> None:
        """Take in a client event. What is none, or has no effect, is answered with an `error` event.

        `aliases` are further types of events.
        """
        event_id = None
        try:
            event = frame if isinstance(frame, dict) else decoded(frame)
            event_id = _event_id(event)
            _handler(event, aliases or {})(self._state, event)
        except EventRefusedError as refused:
            self.refuse(refused, event_id)

    def refuse(self, refused: EventRefusedError, event_id: str | None = None) -> None:
        """Send an `error` event."""
        self._state.emit("error", error=refused.members(event_id))


def decoded(frame: str | bytes) -> Event:
    """Return a client event. Raises `EventRefusedError` where the frame is none."""
    try:
        event = msgspec.json.decode(frame)
    except (ValueError, RecursionError):
        raise EventRefusedError("invalid_json", "The message is not valid JSON.") from None
    if not isinstance(event, dict):
        raise EventRefusedError("invalid_event", "The message is not an object.")
    return event


def _event_id(event: Event) -> str | None:
    event_id = event.get("event_id")
    return event_id[:512] if isinstance(event_id, str) else None


def _handler(event: Event, aliases: Mapping[str, Handler]) -> Handler:
    kind = event.get("type")
    if kind is None:
        raise EventRefusedError("invalid_event", "The event has no 'type'.", "type")
    handler = (HANDLERS.get(kind) or aliases.get(kind)) if isinstance(kind, str) else None
    if handler is None:
        raise invalid_value("type", f"'{str(kind)[:80]}' is no client event. There are: {', '.join(HANDLERS)}.")
    return handler
