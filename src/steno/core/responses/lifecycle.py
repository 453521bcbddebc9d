"""The life of a response: from its beginning to the object that ends it, which stands whatever came before it."""

from collections.abc import Sequence
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from steno.core import facts
from steno.core.billing import costs
from steno.core.billing import tools as tool_costs
from steno.core.billing.costs import Bill, Terms
from steno.core.conversation import NOTHING, counted
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.responses import calls, chain, items
from steno.core.responses.chain import COMPLETED
from steno.core.responses.in_progress import OpenResponse
from steno.core.responses.state import FAILED, ResponsesConversation
from steno.core.vocabulary import RESPONSE_ENDS, closed, code, short
from steno.wire import raw_object, responses
from steno.wire.responses_objects import Response, conversation_id_of

UNDERWAY: Final = frozenset({"queued", "in_progress"})
INCOMPLETE: Final = frozenset({"max_output_tokens", "max_messages", "content_filter", "steered"})
"""Why a response may be incomplete."""
SPELLINGS: Final = {"max_tokens": "max_output_tokens"}
"""An older word, and the one that it is now."""


# The beginning --------------------------------------------------------------------------------------------


def begun(state: ResponsesConversation, event: responses.Begun, frame: Frame) -> Sequence[Fact]:
    """Open a response. One whose beginning was not seen is opened by what says that it goes on."""
    return _begun(state, event, frame)


def _begun(state: ResponsesConversation, event: responses.OfResponse, frame: Frame) -> Sequence[Fact]:
    response = event.response
    if response is None or response.id is None:
        return state.reject(event, "missing_object")
    created = isinstance(event, responses.Created)
    known = state.open.get(response.id) if created else _known(state, event, response.id)
    if known is not None and not created:
        known.numbers.take(event.sequence_number)
        return NOTHING
    if known is not None or response.id in state.ended_responses:
        return state.reject(event, "repeated" if created else "ended")
    failed = _failed_before(state, event)
    opened = _open(state, event, response, frame, created=created)
    opened.raw = state.within_limit(raw_object(event, frame.payload))
    state.open_response(opened)
    return (*failed, *chain.started(state, opened, response), *_too_many(state))


def _known(state: ResponsesConversation, event: responses.OfResponse, response_id: str | None) -> OpenResponse | None:
    """Return the open response that an event is about: the one that it names, else the one whose next number it has.

    Some gateways give a response another id in each event.
    """
    key = response_id or ""
    known = state.open.get(key)
    if known is not None or event.sequence_number is None or key in state.ended_responses:
        return known
    goes_on = state.response_of(event)
    return goes_on if goes_on is not None and goes_on.numbers.expected == event.sequence_number else None


def _failed_before(state: ResponsesConversation, event: responses.OfResponse) -> Sequence[Fact]:
    """End the response before it on its lane where an error came for that, and nothing else."""
    former = state.response_of(event)
    return state.give_up(former) if former is not None and former.erred is not None else NOTHING


def _open(
    state: ResponsesConversation, event: responses.OfResponse, response: Response, frame: Frame, *, created: bool
) -> OpenResponse:
    """Return a response that begins under what holds now."""
    terms = state.terms(short(response.model), short(response.service_tier))
    at = frame.at if created else None
    opened = OpenResponse(response.id or "", state.last_stream, event.stream_id, at, terms)
    opened.numbers.is_new(event.sequence_number)
    opened.background = response.background is True
    opened.request = state.take_request(event)
    state.conversation_id = conversation_id_of(response.conversation) or state.conversation_id
    return opened


def _too_many(state: ResponsesConversation) -> Sequence[Fact]:
    """Give up the oldest response where too many are open."""
    if len(state.open) <= state.limits.open_responses:
        return NOTHING
    return state.give_up(next(iter(state.open.values())))


# The end --------------------------------------------------------------------------------------------------


def ended(state: ResponsesConversation, event: responses.Ended, frame: Frame) -> Sequence[Fact]:
    """End a response. It need not have been seen to begin."""
    response = event.response
    if response is None:
        return state.reject(event, "missing_object")
    if response.status in UNDERWAY and isinstance(event, responses.Done):  # an object that stands alone
        return _begun(state, event, frame)
    if response.id is not None and response.id in state.ended_responses:
        return state.reject(event, "repeated")
    opened = _known(state, event, response.id)
    answered: Sequence[Fact] = NOTHING
    if opened is None:
        opened = _open(state, event, response, frame, created=False)
        answered = chain.join(state, opened, response)
    state.close_response(opened)
    if response.id is not None:
        state.ended_responses.add(response.id)
    if opened.id and opened.id != response.id:
        state.ended_responses.add(opened.id)
        response = replace(response, id=opened.id)
    state.responses.add(raw_object(event, frame.payload))
    return (*answered, *_settled(state, response, opened, frame), *_finish(state, event, response, opened, frame))


def _settled(state: ResponsesConversation, response: Response, opened: OpenResponse, frame: Frame) -> Sequence[Fact]:
    """Take the final form of all items of a response."""
    return [
        fact
        for place, item in enumerate(response.output or ())
        if items.key_of(item)
        for fact in items.output_done(state, items.key_in_output(state, opened, item, place), item, opened, frame.at)
    ]


def _finish(
    state: ResponsesConversation,
    event: responses.Ended,
    response: Response,
    opened: OpenResponse,
    frame: Frame,
) -> Sequence[Fact]:
    """Count an ended response. Report its end, what its chain came to, and the calls that are lost by it."""
    status = closed(response.status if response.status in RESPONSE_ENDS else event.status, RESPONSE_ENDS)
    terms = Terms(
        short(response.model) or opened.terms.model,
        opened.terms.prices,
        short(response.service_tier) or opened.terms.tier,
    )
    seen = [item.kind for item in items.seen_of(state, opened)]
    bill = costs.bill(state, response.usage, terms, response.id)
    billed = tool_costs.bill(
        state, response.tool_usage, calls.billed(response, seen), terms, response.id, calls.drawn_by(response)
    )
    finished = _finished(state, response, opened, terms, bill, status, frame)
    if finished.warm_up is UNSET:
        state.totals.responses = counted(state.totals.responses, status)
    cut_off = _interrupted(state, finished)
    return (
        finished,
        *cut_off,
        *billed,
        *calls.end_with(state, response, broke_off=bool(cut_off)),
        *chain.ended(state, opened, response, bill, status, seen, frame.at),
    )


def _finished(
    state: ResponsesConversation,
    response: Response,
    opened: OpenResponse,
    terms: Terms,
    bill: Bill,
    status: str,
    frame: Frame,
) -> facts.ResponseFinished:
    contents = items.contents(state, response, opened)
    details = response.usage.output_token_details if response.usage else None
    reasoning = details.reasoning_tokens if details else None
    return facts.ResponseFinished(
        response_id=response.id,
        status=status,
        reason=_reason(response, opened, status),
        conversation_id=conversation_id_of(response.conversation),
        model=terms.model,
        items=len(contents),
        output=tuple([content for content in contents if content is not None]),
        audio_seconds=None,
        duration_seconds=state.elapsed(opened.created_at, frame.at),
        time_to_first_token_seconds=opened.first_text_seconds,
        time_to_first_audio_seconds=opened.first_audio_seconds,
        turn_latency_seconds=None,
        tokens=bill.tokens,
        cost=bill.cost,
        metadata=facts.metadata_content(response.metadata),
        service_tier=short(response.service_tier) or UNSET,
        cache_writes=bill.cache_writes or UNSET,
        reasoning_tokens=UNSET if reasoning is None else reasoning,
        warm_up=chain.warms_up(opened, response, status) or UNSET,
    )


def _reason(response: Response, opened: OpenResponse, status: str) -> str | None:
    """Return why a response ended with `status`; None if it was completed."""
    if status == COMPLETED:
        return None
    if status == FAILED:
        return code(response.error) if response.error or not opened.erred else opened.erred[0]
    reason = response.incomplete_details.reason if response.incomplete_details else None
    return closed(SPELLINGS.get(reason, reason), INCOMPLETE) if reason else "unknown"


def _interrupted(state: ResponsesConversation, finished: facts.ResponseFinished) -> Sequence[Fact]:
    """Report that a response broke off, where it did."""
    if finished.reason is None:
        return NOTHING
    cause = FAILED if finished.status == FAILED else finished.reason
    state.totals.interrupt(cause)
    return (
        facts.ResponseInterrupted(
            response_id=finished.response_id,
            reason=cause,
            code=finished.reason if cause == FAILED else None,
            model=finished.model,
        ),
    )
