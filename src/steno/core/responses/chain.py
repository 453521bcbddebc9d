"""Chains: which response follows which, how long lies between them, and what is sent, and billed, once more.

Theory of operation
-------------------

Each response has in its context all that came before it in its chain. Upstream may hold that context and be told by
`previous_response_id` where to go on, or the client sends all of it again, with that null. Which response one follows
is decided when it begins, in this order:

1. The one that `previous_response_id` names. Where that was not seen here, it follows none that is known.
2. The last one of its conversation, where it has a `conversation` of upstream's.
3. The last one of its lane, where the request repeats what a model made, or was not seen: the order of the lane is all
   that there is then. A request that only says something new begins anew.

Warm-ups (`generate: false`) prepare a context and answer nothing. They are not in a chain: what follows one by its id
follows what came before.

A *turn* of a chain is what lies between two answers: the responses up to one that completed and waits for no output of
a tool. Its *tool rounds* are those that ended with calls which the client runs.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from steno.core import facts
from steno.core.billing.costs import Bill
from steno.core.conversation import NOTHING
from steno.core.facts import Fact
from steno.core.responses import calls
from steno.core.responses.in_progress import EndedResponse, OpenResponse
from steno.core.responses.state import ResponsesConversation
from steno.core.vocabulary import short
from steno.timestamps import Micros
from steno.wire.responses_objects import Response, conversation_id_of

TOOL_CALLS: Final = "tool_calls"
ANSWER: Final = "answer"
CUT_OFF: Final = "cut_off"
COMPLETED: Final = "completed"


def started(state: ResponsesConversation, opened: OpenResponse, response: Response) -> Sequence[Fact]:
    """Report that a response began, and that the calls of the one before it were answered."""
    answered = join(state, opened, response)
    former = opened.former
    gap = state.elapsed(former.at, opened.requested_at) if former else None
    begun = facts.ResponseStarted(
        response_id=opened.id,
        conversation_id=conversation_id_of(response.conversation),
        model=opened.terms.model,
        previous_response_id=response.previous_response_id or UNSET,
        stream_id=opened.lane or UNSET,
        in_flight=state.flight.responses,
        gap_seconds=UNSET if gap is None else gap,
        gap_after=UNSET if gap is None or former is None else _after(former),
    )
    return (*answered, begun)


def join(state: ResponsesConversation, opened: OpenResponse, response: Response) -> Sequence[Fact]:
    """Note which response one follows, and since when it is waited for.

    Report that the calls of that one were answered, where the request with their outputs was not seen.
    """
    if opened.request is not None:
        opened.requested_at = opened.request.at
    former = opened.former = _former(state, opened, response)
    return calls.follow(state, former.id) if former is not None and opened.request is None else NOTHING


def _former(state: ResponsesConversation, opened: OpenResponse, response: Response) -> EndedResponse | None:
    """Return the response that one follows; None where it is the first, or that is not known."""
    if response.previous_response_id:
        return state.tips.get(response.previous_response_id)
    if conversation_id_of(response.conversation):
        return state.last()
    if opened.request is not None and not opened.request.follows:
        return None
    return state.last_of(opened.lane)


def _after(former: EndedResponse) -> str:
    if former.waits:
        return TOOL_CALLS
    return CUT_OFF if former.responses else ANSWER


# The end --------------------------------------------------------------------------------------------------


def warms_up(opened: OpenResponse, response: Response, status: str) -> bool:
    """Return whether a response only prepared a context: by its request, or since it completed and made nothing."""
    if opened.request is not None:
        return opened.request.warms_up
    usage = response.usage
    made_nothing = not response.output and usage is not None and usage.output_tokens == 0
    return status == COMPLETED and made_nothing and not opened.places


def ended(
    state: ResponsesConversation,
    opened: OpenResponse,
    response: Response,
    bill: Bill,
    status: str,
    seen: Sequence[str | None],
    at: Micros | None,
) -> Sequence[Fact]:
    """Report what an ended response was billed for once more, and the answer that its chain may have come to."""
    resent = _resent(opened, response, bill)
    context = _context(response, bill)
    if warms_up(opened, response, status):
        _add_warm_up(state, opened, context)
        return resent
    former = opened.former
    waits = status == COMPLETED and calls.waits(state, response, seen)
    answered = status == COMPLETED and not waits
    rounds = (former.rounds if former else 0) + waits
    responses = (former.responses if former else 0) + 1
    begun_at = former.begun_at if former and former.responses else opened.requested_at
    if response.id is not None:
        turn = (0, 0, None) if answered else (rounds, responses, begun_at)
        state.add_tip(EndedResponse(response.id, opened.stream, opened.lane, at, context, waits, *turn))
    if not answered:
        return resent
    duration = state.elapsed(begun_at, at)
    model = short(response.model) or opened.terms.model
    answer = facts.ChainAnswered(
        response_id=response.id, model=model, tool_rounds=rounds, responses=responses, duration_seconds=duration
    )
    return (*resent, answer)


def _add_warm_up(state: ResponsesConversation, opened: OpenResponse, context: int | None) -> None:
    """Let what follows a warm-up follow what came before that, with the context that it prepared."""
    before = opened.former or EndedResponse(opened.id, opened.stream, opened.lane, None, None, False, 0, 0, None)
    if opened.id:
        state.add_tip(replace(before, id=opened.id, context_tokens=context))


def _context(response: Response, bill: Bill) -> int | None:
    """Return how many tokens the next response of the chain has of this one in its input."""
    if not bill.tokens:
        return None
    details = response.usage.output_token_details if response.usage else None
    reasoning = (details.reasoning_tokens if details else None) or 0
    return max(0, sum(bucket.tokens for bucket in bill.tokens) - reasoning)


def _resent(opened: OpenResponse, response: Response, bill: Bill) -> Sequence[Fact]:
    former = opened.former
    put = [bucket for bucket in bill.tokens if bucket.direction == "input"]
    tokens = min((former.context_tokens if former else None) or 0, sum(bucket.tokens for bucket in put))
    if former is None or not tokens:
        return NOTHING
    return (
        facts.ContextResent(
            response_id=response.id,
            previous_response_id=former.id,
            model=put[0].model,
            tokens=tokens,
            cached_tokens=min(tokens, sum(bucket.tokens for bucket in put if bucket.cached)),
        ),
    )
