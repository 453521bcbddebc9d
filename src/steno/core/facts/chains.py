"""What can have happened along a chain of responses: each has the one before it in its context."""

from typing import ClassVar

from steno.core.facts.base import Fact

# Chains of responses --------------------------------------------------------------------------------------


class ContextResent(Fact, frozen=True):
    """A response had the context of the one before it in its input once more, and was billed for it.

    That is as many tokens as the one before had in its input and in its output, without its reasoning; at most the
    input that it is of. The one before is that of `previous_response_id`, or the last one of its conversation or lane
    where that is null and the request, if it was seen, repeats what a model made.
    """

    tag: ClassVar = "context.resent"
    response_id: str | None
    previous_response_id: str
    model: str | None
    tokens: int
    cached_tokens: int
    """How many of them came from the prompt cache, at most."""


class ChainAnswered(Fact, frozen=True):
    """A chain of responses came to one that completed and waits for no output of a tool."""

    tag: ClassVar = "chain.answered"
    response_id: str | None
    model: str | None
    tool_rounds: int
    """How many responses before it, since the last answer of the chain, ended with calls that the client runs."""
    responses: int
    """How many responses it took, itself included."""
    duration_seconds: float | None
    """From the first request of these, or its response where requests are not seen, to the end of the last."""


class SteerAccepted(Fact, frozen=True):
    """Upstream took on input for a response in progress: the response ends as `steered`, and a successor has it."""

    tag: ClassVar = "steer.accepted"
    steer_id: str | None
    response_id: str | None


class SteerPending(Fact, frozen=True):
    """The successor of a steered response waits for input that its client must send first."""

    tag: ClassVar = "steer.pending"
    steer_id: str | None
    response_id: str | None
    reason: str | None
    """waiting_for_required_input, or what upstream says."""
    required: int
    """How many inputs are missing: outputs of tools, approvals."""


class SteerFailed(Fact, frozen=True):
    """Upstream did not take on input for a response, or gave it back."""

    tag: ClassVar = "steer.failed"
    steer_id: str | None
    response_id: str | None
    code: str


class ResponseRefused(Fact, frozen=True):
    """The model refused: a message of a response is, in part or as a whole, a refusal."""

    tag: ClassVar = "response.refused"
    response_id: str | None
    item_id: str | None
    model: str | None
