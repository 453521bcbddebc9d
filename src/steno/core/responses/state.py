"""The state of a conversation of responses, and what it gives up when no further event will come."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from steno.core import tools
from steno.core.billing import costs
from steno.core.billing.costs import Terms
from steno.core.bounded import BoundedObjects, BoundedSet
from steno.core.conversation import NOTHING, Exported, counted
from steno.core.facts import Fact, ResponseAbandoned, ResponseFinished, ResponseInterrupted
from steno.core.memory import InProgress
from steno.core.responses.approving import ApprovingConversation
from steno.core.responses.in_progress import EndedResponse, Flight, OpenResponse, Request
from steno.core.responses.item import ResponsesItem, transcript_entry
from steno.core.transcript import Transcript
from steno.limits import ENDED_IDS, LANES, Limits
from steno.timestamps import Micros
from steno.wire import responses
from steno.wire.responses_base import ResponsesEvent

FAILED: Final = "failed"
TIP_BYTES: Final = 640
"""A response that ended and may be followed."""


class ResponsesConversation(ApprovingConversation):
    """A conversation of upstream's, a chain of responses, or what is said on a lane of a connection."""

    __slots__ = (
        "_ended_responses",
        "_request_number",
        "_said",
        "begins_late",
        "connection",
        "flight",
        "items",
        "keeps",
        "open",
        "requests",
        "responses",
        "speaking",
        "tips",
        "transcript",
    )

    family = "responses"
    unique_usages = True
    begun_by = (responses.ResponseCreate, responses.Created)
    is_session = True

    def __init__(self, key: str, source: str, stream: str, limits: Limits, *, named: bool, keeps: bool = False) -> None:
        """Begin without responses. One that `keeps` goes on where its stream ends, since a sender gave it its name."""
        super().__init__(key, source, stream, limits, named=named)
        self.keeps = keeps
        self.begins_late = False
        """Whether its first response follows one that was not seen."""
        self.connection: tuple[str, Micros | None] | None = None
        """A stream that turned out to be a connection with a longest duration, and when it began, until that is
        reported."""
        self.flight = Flight()
        """What is in progress on the stream that it was heard on last."""
        self.transcript: Transcript[ResponsesItem] = Transcript(limits, self.rejected, self.memory, newest_last=True)
        self.items = self.transcript.entries
        self.open: InProgress[str, OpenResponse] = InProgress(self.memory)
        self.speaking: OpenResponse | None = None
        """The open response that an event was about last: the next one most often is."""
        self.requests: InProgress[int, Request] = InProgress(self.memory, lambda _: 0)
        self._request_number = 0
        self._said = 0
        self.responses = BoundedObjects(limits, self.memory)
        self.tips: OrderedDict[str, EndedResponse] = OrderedDict()
        """The newest responses that ended, the last one behind: others may follow them."""
        self._ended_responses: BoundedSet | None = None

    @property
    def ended_responses(self) -> BoundedSet:
        """The newest responses that ended."""
        if self._ended_responses is None:
            self._ended_responses = BoundedSet(ENDED_IDS, self.memory)
        return self._ended_responses

    @property
    def complete(self) -> bool:
        """Whether its beginning was seen."""
        return super().complete and not self.begins_late

    # What an event is about -----------------------------------------------------------------------------

    def response_of(self, event: ResponsesEvent) -> OpenResponse | None:
        """Return the open response that an event is about which names none: the newest one of its lane."""
        lane, found = event.stream_id, self.speaking
        if found is None or found.lane != lane or not self.is_here(found.stream):
            lanes = (each for each in reversed(self.open.values()) if each.lane == lane and self.is_here(each.stream))
            found = self.speaking = next(lanes, None)
        return found

    def is_busy(self, stream: str, lane: str | None) -> bool:
        """Return whether a response is in progress on a `lane` of a `stream`, which no error came for."""
        return any(each.lane == lane and each.stream == stream and each.erred is None for each in self.open.values())

    def is_here(self, stream: str) -> bool:
        """Return whether what came on `stream` is of the connection that was heard last.

        A sender that names the conversation may go on with it on another stream.
        """
        return stream == self.last_stream or self.keeps

    def item(self, key: str) -> ResponsesItem:
        """Return the item `key`; a new one is added as the last."""
        item = self.items.get(key)
        if item is None:
            item = ResponsesItem(key)
            self.transcript.add(key, item)
        return item

    def add_said(self, item: ResponsesItem) -> None:
        """Add a message of a client as the last item. It has no id; what it is kept under is none."""
        self._said += 1
        self.transcript.add(f"\0{self._said}", item)

    # Requests and chains --------------------------------------------------------------------------------

    def add_request(self, request: Request) -> None:
        """Note a request. Past the limit the oldest is forgotten."""
        self._request_number += 1
        self.requests[self._request_number] = request
        if len(self.requests) > LANES:
            del self.requests[next(iter(self.requests))]

    def take_request(self, event: ResponsesEvent) -> Request | None:
        """Take the oldest request of the lane of `event`, which answers it; None where none was seen."""
        for number, request in self.requests.items():
            if request.lane == event.stream_id and self.is_here(request.stream):
                del self.requests[number]
                return request
        return None

    def last_of(self, lane: str | None) -> EndedResponse | None:
        """Return the response of a lane that ended last."""
        lanes = (each for each in reversed(self.tips.values()) if each.lane == lane and self.is_here(each.stream))
        return next(lanes, None)

    def last(self) -> EndedResponse | None:
        """Return the response that ended last."""
        return self.tips[next(reversed(self.tips))] if self.tips else None

    def add_tip(self, ended: EndedResponse) -> None:
        """Note a response that ended and may be followed. Past the limit the oldest is forgotten."""
        if ended.id not in self.tips:
            self.memory.charge(TIP_BYTES)
        self.tips[ended.id] = ended
        if len(self.tips) > LANES:
            self.tips.popitem(last=False)
            self.memory.charge(-TIP_BYTES)

    def open_response(self, response: OpenResponse) -> None:
        """Let a response be open."""
        self.open[response.id] = response
        self.speaking = response
        response.flight = self.flight
        self.flight.responses += 1

    def close_response(self, response: OpenResponse) -> None:
        """Let a response be open no more."""
        if self.open.pop(response.id, None) is not None and response.flight is not None:
            response.flight.responses -= 1
        if self.speaking is response:
            self.speaking = None

    def terms(self, model: str | None, tier: str | None) -> Terms:
        """Return what a usage of `model` that begins now is billed by."""
        return Terms(model, self.prices, tier)

    # What is shown, and what ends -----------------------------------------------------------------------

    def exported(self) -> Exported:
        """Return its responses, and what was said in them."""
        turns = (self.items[key] for key in self.transcript.order)
        return Exported(
            responses=self.responses.objects,
            transcript=[transcript_entry(item) for item in turns if item.kind == "message"],
        )

    def unfinished(self) -> list[bytes]:
        """Return the raw objects of the responses in progress."""
        return [response.raw for response in self.open.values() if response.raw]

    def unbilled(self) -> int:
        """Return how many responses are still to be billed."""
        return len(self.open)

    def dropped_objects(self) -> int:
        """Return how many raw responses could not be kept."""
        return self.responses.dropped

    def erase_content(self) -> None:
        """Drop the text of all items, and all raw responses, ended or not."""
        super().erase_content()
        self.responses.drop_all()
        for key, response in self.open.items():
            response.raw = b""
            self.open.weigh(key)
        self.transcript.erase()

    def stream_over(self, stream: str) -> Sequence[Fact]:
        """Give up the responses of a connection that ended: none of them goes on elsewhere but in the background."""
        if self.session_life.id == stream:
            self.session_life.close()
        if self.keeps:
            return NOTHING
        over = [each for each in self.open.values() if each.stream == stream and not each.background]
        for number in [number for number, each in self.requests.items() if each.stream == stream]:
            del self.requests[number]
        return [fact for response in over for fact in self.give_up(response)]

    def abandon(self) -> list[Fact]:
        """Give up what is in progress: responses, requests, and tool calls."""
        gone = [fact for response in list(self.open.values()) for fact in self.give_up(response)]
        self.requests.clear()
        return [*gone, *tools.finish_all(self, None, "abandoned", None)]

    def give_up(self, response: OpenResponse) -> Sequence[Fact]:
        """Give up a response that was begun, with the calls in it. What it used is unknown.

        One that an error came for has failed by that.
        """
        self.close_response(response)
        cost = costs.of_no_usage(self, response.id)
        calls = tools.finish_all(self, response.id, "abandoned", None)
        if response.erred is None:
            abandoned = ResponseAbandoned(response_id=response.id, model=response.terms.model, cost=cost)
            return (abandoned, *calls)
        code, at = response.erred
        self.ended_responses.add(response.id)
        self.totals.responses = counted(self.totals.responses, FAILED)
        self.totals.interrupt(FAILED)
        model = response.terms.model
        return (
            ResponseFinished(
                response_id=response.id,
                status=FAILED,
                reason=code,
                conversation_id=self.conversation_id,
                model=model,
                items=len(response.places),
                output=(),
                audio_seconds=None,
                duration_seconds=self.elapsed(response.created_at, at),
                time_to_first_token_seconds=response.first_text_seconds,
                time_to_first_audio_seconds=response.first_audio_seconds,
                turn_latency_seconds=None,
                tokens=(),
                cost=cost,
            ),
            ResponseInterrupted(response_id=response.id, reason=FAILED, code=code, model=model),
            *calls,
        )
