"""The objects inside events of the Responses API: responses, items, their parts.

Statuses and kinds are plain strings: an upstream that invents one must not make an event unreadable; the reducers know
the closed sets. What only some kinds of items have is read where the life of a tool call needs it, else it stays in the
bytes.

Source: the published API, the types of its SDK, and recordings of OpenAI.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw

from steno.wire.base import SIGN, Bounded, Id, Number, Wire
from steno.wire.realtime_objects import ErrorDetail
from steno.wire.usage import ResponseUsage, ToolUsage


class Part(Wire, frozen=True):
    """A part of a message or of reasoning: text, a refusal, or a summary. Annotations are left in the bytes."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None


class ResponseItem(Wire, frozen=True):
    """An item of a response, or of the input of a request: a message, reasoning, a tool call, or the output of one.

    The undecoded members are what a call was made with, or returned. Each kind of call has one of its own.
    """

    id: Id | None = None
    type: str | None = None
    status: str | None = None
    role: str | None = None
    content: Annotated[tuple[Part, ...], Bounded] | str | None = None
    """A text where it is the input of a request."""
    summary: Annotated[tuple[Part, ...], Bounded] | None = None
    call_id: Id | None = None
    execution: str | None = None
    """Who runs a search of tools: `server` or `client`."""
    name: str | None = None
    arguments: Raw = Raw()
    input: str | None = None
    code: str | None = None
    action: Raw = Raw()
    operation: Raw = Raw()
    queries: Raw = Raw()
    output: Raw = Raw()
    outputs: Raw = Raw()
    result: Raw = Raw()
    tools: Raw = Raw()
    error: ErrorDetail | str | None = None
    approval_request_id: Id | None = None
    approve: bool | None = None


class InputItem(Wire, frozen=True):
    """An item of the input of a request. A client chooses its forms: what is not an id is read only where it counts."""

    id: Id | None = None
    type: str | None = None
    role: str | None = None
    status: str | None = None
    content: Raw = Raw()
    call_id: Id | None = None
    output: Raw = Raw()
    approval_request_id: Id | None = None
    approve: bool | None = None


class IncompleteDetails(Wire, frozen=True):
    """Why a response is incomplete."""

    reason: str | None = None


class ConversationReference(Wire, frozen=True):
    """The conversation that a response is kept in."""

    id: Id | None = None


class DeclaredTool(Wire, frozen=True):
    """A tool that a response may call."""

    type: str | None = None
    model: str | None = None


class Response(Wire, frozen=True):
    """A response of the Responses API. `output` is empty until it has ended, `usage` null.

    `service_tier` is what was asked for until it has ended, then what it was served by.
    """

    id: Id | None = None
    object: Annotated[Literal["response"] | None, Meta(extra={SIGN: True})] = None
    """Realtime has objects of another name in events of the same."""
    status: str | None = None
    error: ErrorDetail | None = None
    incomplete_details: IncompleteDetails | None = None
    conversation: ConversationReference | Id | None = None
    previous_response_id: Id | None = None
    background: bool | None = None
    store: bool | None = None
    """Whether upstream keeps it, so that another one may go on with it. Where it says nothing, it does."""
    model: str | None = None
    service_tier: str | None = None
    output: Annotated[tuple[ResponseItem, ...], Bounded] | None = None
    tools: Annotated[tuple[DeclaredTool, ...], Bounded] | None = None
    usage: ResponseUsage | None = None
    tool_usage: ToolUsage | None = None
    metadata: dict[str, Any] | None = None


def conversation_id_of(reference: ConversationReference | str | None) -> str | None:
    """Return the id of the conversation that a response, or a request, names."""
    return (reference if isinstance(reference, str) else reference.id if reference else None) or None


class Steer(Wire, frozen=True):
    """Input that a client sends while a response is in progress."""

    id: Id | None = None
    previous_response_id: Id | None = None


class RateLimitWindow(Wire, frozen=True):
    """How much of a limit over a time is used up."""

    used_percent: Number | None = None
    window_minutes: Number | None = None
    reset_after_seconds: Number | None = None
    reset_at: Number | None = None


class RateLimitWindows(Wire, frozen=True):
    """The limits of an account: over hours, and over days."""

    primary: RateLimitWindow | None = None
    secondary: RateLimitWindow | None = None
