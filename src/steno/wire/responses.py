"""What is said in the Responses API: one Struct a type. The same events come by websocket and as server-sent events.

The events of the output of a response have a file of their own. `response.done` and the `codex.*` events come from the
backend of an agent, which speaks the same protocol.

Source: `type` and members as in the published API, the types of its SDK, and recordings.
"""

from typing import ClassVar, Final

from msgspec import UNSET, Raw, UnsetType

from steno.wire.base import BareObject, Id, Sign, Vocabulary
from steno.wire.realtime_objects import ErrorDetail
from steno.wire.responses_base import ResponsesEvent
from steno.wire.responses_objects import (
    ConversationReference,
    RateLimitWindow,
    RateLimitWindows,
    Response,
    Steer,
)
from steno.wire.responses_output import OUTPUT_EVENTS

# The life of a response -----------------------------------------------------------------------------------


class OfResponse(ResponsesEvent, frozen=True):
    """Base of the events that carry a whole response."""

    raw_member: ClassVar[str | None] = "response"
    response: Response | None = None


class Begun(OfResponse, frozen=True):
    """Base of the events that say that a response goes on."""


class Ended(OfResponse, frozen=True):
    """Base of the events that end a response. The object stands, whatever came before it."""

    status: ClassVar[str] = "completed"
    """How it ended, where the object does not say it."""


class Created(Begun, frozen=True, tag="response.created"):
    """A response began."""


class Queued(Begun, frozen=True, tag="response.queued"):
    """A response waits for its turn."""


class InProgress(Begun, frozen=True, tag="response.in_progress"):
    """A response is at work."""


class Completed(Ended, frozen=True, tag="response.completed"):
    """A response ended as it should."""


class Failed(Ended, frozen=True, tag="response.failed"):
    """A response failed."""

    status: ClassVar[str] = "failed"


class Incomplete(Ended, frozen=True, tag="response.incomplete"):
    """A response broke off: at a limit, by a filter, or since its client steered it."""

    status: ClassVar[str] = "incomplete"


class Done(Ended, frozen=True, tag="response.done"):
    """The end of a response, whatever its status. Not of the public API; also an object that stands alone."""


# Steering, limits, errors ---------------------------------------------------------------------------------


class SteerAccepted(ResponsesEvent, frozen=True, tag="response.steer.accepted"):
    """The input of a client was taken on; the successor of the response will have it."""

    steer: Steer | None = None


class SteerPending(ResponsesEvent, frozen=True, tag="response.steer.pending"):
    """The successor waits for input that the client must send first, such as the outputs of tools."""

    steer: Steer | None = None
    reason: str | None = None
    required_input: tuple[Raw, ...] | None = None


class SteerFailed(ResponsesEvent, frozen=True, tag="response.steer.failed"):
    """The input of a client was not taken on, or is given back."""

    steer: Steer | None = None
    error: ErrorDetail | None = None


class ResponsesError(ResponsesEvent, frozen=True, tag="error"):
    """Something failed: a request, a response, or the connection. As a server-sent event it has no `error` within."""

    error: ErrorDetail | None = None
    code: str | int | None = None
    message: str | None = None


class RateLimitsReported(ResponsesEvent, frozen=True, tag="codex.rate_limits"):
    """What is left of the limits of an account. Not of the public API."""

    rate_limits: RateLimitWindows | None = None
    primary: RateLimitWindow | None = None
    secondary: RateLimitWindow | None = None


class ResponseMetadata(ResponsesEvent, frozen=True, tag="codex.response.metadata"):
    """Headers of a reply, as an event. Not read, and not of the public API."""


class KeptAlive(ResponsesEvent, frozen=True, tag="keepalive"):
    """Nothing happened for a while."""


# What a client says ---------------------------------------------------------------------------------------


class ResponseCreate(ResponsesEvent, frozen=True, tag="response.create"):
    """The client asks for a response: the body of a request, and the lane. `generate` false asks for none yet."""

    sent: ClassVar[bool] = True
    model: str | None = None
    input: Raw = Raw()
    """A text, or items. A client may send all of its context again, so that only the newest of many are looked at."""
    previous_response_id: Id | None = None
    conversation: ConversationReference | Id | None = None
    generate: bool | None = None
    response: UnsetType = UNSET
    """Where Realtime has all of this."""


class ResponseSteer(ResponsesEvent, frozen=True, tag="response.steer"):
    """The client sends input to a response in progress."""

    sent: ClassVar[bool] = True
    previous_response_id: Id | None = None
    input: Raw = Raw()


SERVER_EVENTS: Final[tuple[type[ResponsesEvent], ...]] = (
    Created, Queued, InProgress, Completed, Failed, Incomplete, Done, *OUTPUT_EVENTS,
    SteerAccepted, SteerPending, SteerFailed, ResponsesError, RateLimitsReported, ResponseMetadata, KeptAlive,
)  # fmt: skip
"""What upstream says."""

CLIENT_EVENTS: Final[tuple[type[ResponsesEvent], ...]] = (ResponseCreate, ResponseSteer)
"""What a client says."""

VOCABULARY: Final = Vocabulary(
    typed=(*SERVER_EVENTS, *CLIENT_EVENTS),
    objects={"response": BareObject(Done, "response", in_progress=InProgress)},
    prefixes=("response.steer.", "codex."),
    signs=(
        Sign(member="sequence_number", weight=4),
        Sign(member="response", inner="object", begins="response", weight=2),
        *(Sign(member=name, event="error", weight=1) for name in ("stream_id", "status", "code", "message")),
        *(
            Sign(member=name, event="response.create", weight=1)
            for name in ("input", "model", "previous_response_id", "generate", "stream_id")
        ),
    ),
)
