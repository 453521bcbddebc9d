"""A session of the Live API that answers its client: a client event in, server events out.

session = LiveSession(Random(7), 1_790_000_000)
session.receive('{"type":"session.start","session":{"model":"gpt-live-1"}}')
session.take()                                # session.started
while session.due() is not None:              # seconds until something happens without the client
    session.advance()
    session.take()
"""

from random import Random
from typing import Final

from steno.simulate.interactive.errors import EventRefusedError, invalid_value, missing
from steno.simulate.interactive.session import decoded
from steno.simulate.live import callers
from steno.simulate.live.configuration import Event
from steno.simulate.live.handlers import HANDLERS, Handler
from steno.simulate.live.state import State
from steno.simulate.responses.answers import Plan
from steno.simulate.responses.moves import moves
from steno.simulate.voice_scripts import SCRIPTS, Script

_START: Final = "session.start"


class LiveSession:
    """One session. All its methods return at once."""

    def __init__(
        self,
        rng: Random,
        started_at: int,
        *,
        script: Script | None = None,
        plan: Plan = moves,
        call: Event | None = None,
        line: callers.Line = "websocket",
    ) -> None:
        """Begin at the Unix second `started_at`. `call` is the configuration of a call, on a `line` that is none.

        Raises `EventRefusedError` where the configuration is none.
        """
        chosen = script or rng.choice(SCRIPTS)
        self._state = State(rng, started_at, chosen, plan, call=call is not None, standby=line == "webrtc")
        self._line = line
        self._joined = False
        if call is not None:
            HANDLERS[_START](self._state, {"session": call})
            self._state.out.clear()  # nobody listens yet

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._state.ended

    @property
    def id(self) -> str | None:
        """The id of the session, once it has started."""
        return (self._state.session or {}).get("id")

    def take(self) -> list[Event]:
        """Remove and return the events that are to be sent now, in order."""
        taken, self._state.out = self._state.out, []
        return taken

    def due(self) -> float | None:
        """Return in how many seconds the session goes on by itself, or None where it waits for its client."""
        return None if self.ended else self._state.due()

    def advance(self) -> None:
        """Go on with what is due next, as if its time had come."""
        self._state.advance()

    def wait(self, seconds: float) -> None:
        """Let time pass in which nothing goes on."""
        self._state.wait(seconds)

    def snapshot(self) -> Event:
        """Return the event with which a sideband begins."""
        identity = {"event_id": self._state.new_id("event"), "type": "session.started"}
        return {**identity, "session": self._state.session}

    def join(self) -> None:
        """Let the caller of a simulated call speak. Without effect from the second time on, and over a websocket."""
        if not self._joined and self._state.call:
            self._joined = True
            self._state.begin(callers.clock(self._state))
            self._state.begin(callers.call(self._state, self._line))

    def end(self) -> None:
        """End the session: the call was hung up."""
        self._state.close("close_requested")

    def lose(self) -> None:
        """End the session: its client has gone without a word."""
        self._state.close("connection_lost")

    def receive(self, frame: str | bytes | Event) -> None:
        """Take in a client event. What is none, or has no effect, is answered with an `error` event."""
        event: Event = {}
        try:
            event = frame if isinstance(frame, dict) else decoded(frame)
            self._handler(event)(self._state, event)
        except EventRefusedError as refused:
            self._refuse(refused, event)

    def _handler(self, event: Event) -> Handler:
        kind = event.get("type")
        if kind is None:
            raise missing("type")
        handler = HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise invalid_value("type", f"'{str(kind)[:80]}' is no client event. There are: {', '.join(HANDLERS)}.")
        if self._state.session is None and kind != _START:
            raise EventRefusedError("session_not_started", "Send 'session.start' first.")
        return handler

    def _refuse(self, refused: EventRefusedError, event: Event) -> None:
        told = {"type": "invalid_request_error", "code": refused.code, "message": refused.message}
        self._state.emit("error", error={**told, "param": refused.param, **self._state.answer_to(event)})
