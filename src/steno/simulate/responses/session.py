"""One connection to the Responses API: requests in, events out.

    session = ResponsesSession(Random(7), 1_790_000_000, Store())
    session.receive('{"type":"response.create","model":"gpt-5.6-sol","input":"Good evening."}')
    session.take()                                # response.created, response.in_progress
    while session.due() is not None:              # seconds until something happens without the client
        session.advance()
        session.take()

The requests of one lane are answered one after the other, lanes beside each other.
"""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final

import msgspec

from steno.simulate.interactive.errors import EventRefusedError, invalid_value, missing
from steno.simulate.interactive.session import decoded
from steno.simulate.responses.answers import STEERED, Answering, Plan, waits_for_client
from steno.simulate.responses.moves import moves
from steno.simulate.responses.objects import Object
from steno.simulate.responses.request import Asked, asked_of
from steno.simulate.responses.steering import PENDING_MAX, Steer, refused, required_input, steer_of
from steno.simulate.responses.store import Store
from steno.simulate.steps import Ids
from steno.simulate.tasks import Running, Tasks

LANES_MAX: Final = 32
"""Lanes with a name of one connection."""
ACTIVE_MAX: Final = 16
"""Responses in progress of one connection, as upstream has it."""
QUEUED_MAX: Final = 100
"""Requests of one lane that wait."""


class Lane(msgspec.Struct, eq=False):
    """The requests of one lane: the one that is answered, and those that wait."""

    waiting: deque[Asked]
    active: Answering | None = None
    running: Running | None = None
    steers: list[Steer] = []


class ResponsesSession(Tasks):
    """The state of one connection. All its methods return at once."""

    def __init__(self, rng: Random, started_at: int, store: Store, plan: Plan = moves) -> None:
        """Begin at the Unix second `started_at`. `store` has the responses of other connections."""
        super().__init__()
        self.ended = False
        self.store = Store(store)
        self._rng = rng
        self._ids = Ids(rng)
        self._started_at = started_at
        self._plan = plan
        self._out: list[Object] = []
        self._lanes: dict[str | None, Lane] = {}
        self._pending: dict[str, list[Steer]] = {}
        """Steering input of responses that wait for their client."""

    @property
    def second(self) -> int:
        """The Unix second of its clock."""
        return self._started_at + int(self.now)

    def take(self) -> list[Object]:
        """Remove and return the events that are to be sent now, in order."""
        taken, self._out = self._out, []
        return taken

    def join(self) -> None:
        """Take no note: nobody else listens to a connection."""

    def end(self) -> None:
        """End the connection."""
        self.ended = True

    # What the client sends.

    def receive(self, frame: str | bytes | Object) -> None:
        """Take in a client event. What is none is answered with an `error` event."""
        lane = None
        try:
            asked = frame if isinstance(frame, dict) else decoded(frame)
            lane = asked.get("stream_id")
            self._handler(asked)(asked)
        except EventRefusedError as error:
            self._refuse(error, lane if isinstance(lane, str) else None)

    def _handler(self, asked: Object) -> Callable[[Object], None]:
        handlers = {"response.create": self._create, "response.steer": self._steer}
        kind = asked.get("type")
        if kind is None:
            raise missing("type")
        handler = handlers.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise invalid_value("type", f"'{str(kind)[:80]}' is no client event. There are: {', '.join(handlers)}.")
        return handler

    def _refuse(self, error: EventRefusedError, lane: str | None) -> None:
        told = {"type": "invalid_request_error", "code": error.code, "message": error.message, "param": error.param}
        members: Object = {"stream_id": lane} if lane is not None else {}
        self._out.append({"type": "error", "status": 400, "error": told, **members})

    # Requests.

    def _create(self, asked: Object) -> None:
        request = asked_of(asked)
        lane = self._lanes.get(request.lane) or self._new_lane(request.lane)
        if len(lane.waiting) >= QUEUED_MAX:
            raise invalid_value("stream_id", f"Up to {QUEUED_MAX} requests of a lane may wait.")
        lane.waiting.append(request)
        self._begin_next()

    def _new_lane(self, name: str | None) -> Lane:
        if len(self._lanes) > LANES_MAX:
            raise invalid_value("stream_id", f"A connection has up to {LANES_MAX} lanes.")
        self._lanes[name] = Lane(deque())
        return self._lanes[name]

    def _begin_next(self) -> None:
        """Begin what waits on lanes that are free."""
        for lane in self._lanes.values():
            while lane.active is None and lane.waiting and self._active() < ACTIVE_MAX:
                self._begin(lane, lane.waiting.popleft())

    def _active(self) -> int:
        return sum(lane.active is not None for lane in self._lanes.values())

    def _begin(self, lane: Lane, request: Asked) -> None:
        """Begin a response, with the steering input that has waited for this request."""
        steered = self._pending.pop(request.previous_response_id or "", [])
        read = [entry for steer in steered for entry in steer.read]
        request = msgspec.structs.replace(request, read=[*read, *request.read])
        try:
            before = self.store.before(request)
        except EventRefusedError as error:
            self._refuse(error, request.lane)
            return
        lane.active = Answering(self._rng, request, before, lambda: self.second, self._send)
        lane.running = Running(lane.active.task(self._plan, lambda: self._end(lane)))
        self._step(lane.running)

    def _send(self, sent: Object) -> None:
        self._out.append(sent)

    def _end(self, lane: Lane) -> None:
        """Go on after a response has ended: with its successor, where it was steered, and with what waits."""
        done, steers = lane.active, lane.steers
        lane.active, lane.running, lane.steers = None, None, []
        if done is None:
            return
        self.store.keep(done.kept(), done.draft.asked)
        if steers and waits_for_client(done.draft.object):
            self._wait(done, steers)
        elif steers:
            lane.waiting.appendleft(_successor(done, steers))
        self._begin_next()

    # Steering.

    def _steer(self, asked: Object) -> None:
        steer = steer_of(asked)
        lane = next((each for each in self._lanes.values() if _is(each, steer.previous_response_id)), None)
        if lane is None or lane.active is None:
            known = self.store.find(steer.previous_response_id)
            code = "response_already_completed" if known else "response_not_found"
            self._out.append(refused(steer, code, "There is no such response in progress."))
            return
        draft = lane.active.draft
        if len(lane.steers) >= PENDING_MAX:
            message = f"Up to {PENDING_MAX} inputs may wait for the successor of a response."
            self._out.append(refused(steer, "too_many_pending_steers", message, draft.sequence, draft.asked.lane))
            return
        lane.steers.append(msgspec.structs.replace(steer, id=self._ids.plain("steer")))
        draft.emit("response.steer.accepted", steer=lane.steers[-1].named())
        if draft.can_stop and lane.running:
            self.interrupt(lane.running, STEERED)

    def _wait(self, done: Answering, steers: list[Steer]) -> None:
        """Keep steering input until the client has sent what a response waits for."""
        self._pending[done.draft.id] = steers
        for steer in steers:
            done.draft.emit(
                "response.steer.pending",
                reason="waiting_for_required_input",
                required_input=required_input(done.draft.object),
                steer=steer.named(),
            )


def _is(lane: Lane, response_id: str) -> bool:
    return lane.active is not None and lane.active.draft.id == response_id


def _successor(done: Answering, steers: list[Steer]) -> Asked:
    """Return the request of the response that continues a steered one, with its settings."""
    asked, before = done.draft.asked, done.draft.id
    read = [entry for steer in steers for entry in steer.read]
    shown = {**asked.shown, "previous_response_id": before}
    return msgspec.structs.replace(asked, read=read, previous_response_id=before, shown=shown)
