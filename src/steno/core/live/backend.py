"""The responses of a backend: what a Live session passes on of the model of the Responses API that it delegates to.

Such a response is billed by itself, under its own model. Its snapshots come without its output, so what it says is
taken from its items, which come one by one and name no response: they belong to the one that is in progress for their
delegation. A call of a tool of the client's is over when its output is seen; on a sideband, which does not see it, when
the next response of the delegation begins, which upstream makes of that output.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import UNSET, UnsetType

from steno.core import facts, tools
from steno.core.billing import costs
from steno.core.billing import tools as tool_costs
from steno.core.billing.costs import Terms
from steno.core.conversation import DUPLICATED, NOTHING, counted
from steno.core.facts import Content, Fact
from steno.core.frame import Frame
from steno.core.live.delegation import BackendWork, OpenDelegation
from steno.core.live.state import LiveConversation
from steno.core.memory import text_bytes
from steno.core.responses import calls, items
from steno.core.responses.lifecycle import INCOMPLETE
from steno.core.vocabulary import RESPONSE_ENDS, closed, code, short
from steno.limits import LIST_ELEMENTS
from steno.wire import live, live_client, raw_member, raw_object
from steno.wire.live_objects import BackendEvent
from steno.wire.responses_objects import Response, ResponseItem

Inner = Callable[[LiveConversation, live.BackendResponseEvent, BackendEvent, Frame], Sequence[Fact]]

ENDS: Final = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}
"""The events that end a response, and its status where the object does not say it."""


def response_event(state: LiveConversation, event: live.BackendResponseEvent, frame: Frame) -> Sequence[Fact]:
    """Take an event of a backend's response. Most are pieces of a text, which its items say whole."""
    inner = event.event
    if inner is None or inner.type is None:
        return state.reject(event, "missing_object")
    handle = INNER.get(inner.type)
    if inner.response is None and _came_before(state, event, inner):
        return DUPLICATED
    return NOTHING if handle is None else handle(state, event, inner, frame)


def _came_before(state: LiveConversation, event: live.BackendResponseEvent, inner: BackendEvent) -> bool:
    """Return whether a piece of a response was delivered on another connection. Whole ones are known by their ids."""
    work = _work(state, event)
    return work is not None and not work.numbers.is_new(inner.sequence_number)


# Its beginning --------------------------------------------------------------------------------------------


def _created(
    state: LiveConversation, event: live.BackendResponseEvent, inner: BackendEvent, frame: Frame
) -> Sequence[Fact]:
    """Open a response."""
    response = inner.response
    if response is None or not response.id:
        return state.reject(event, "missing_object")
    if response.id in state.backend or response.id in state.ended_responses:
        return state.reject(event, "repeated")
    return _open(state, event, response, frame)


def _in_progress(
    state: LiveConversation, event: live.BackendResponseEvent, inner: BackendEvent, frame: Frame
) -> Sequence[Fact]:
    """Keep the object of a response that goes on, opened if its beginning was not seen."""
    response = inner.response
    if response is None or not response.id:
        return state.reject(event, "missing_object")
    if response.id in state.ended_responses:
        return state.reject(event, "ended")
    work = state.backend.get(response.id)
    if work is None:
        return _open(state, event, response, frame, begins=False)
    work.numbers.take(inner.sequence_number)
    _keep(state, work, event, frame)
    return NOTHING


def _open(
    state: LiveConversation,
    event: live.BackendResponseEvent,
    response: Response,
    frame: Frame,
    *,
    begins: bool = True,
) -> Sequence[Fact]:
    """Begin a response, which answers the calls of the one before it under the same delegation."""
    key, delegation_id = response.id or "", event.delegation_id
    answered = tools.finish_all(state, delegation_id, "completed", frame.at) if delegation_id else []
    delegation = state.delegations.get(delegation_id or "")
    if delegation is not None:
        delegation.responses += 1
    work = BackendWork(key, delegation_id, frame.at if begins else None, state.terms(short(response.model)))
    work.numbers.is_new(event.event.sequence_number if event.event else None)
    state.backend[key] = work
    _keep(state, work, event, frame)
    started = facts.ResponseStarted(response_id=key, conversation_id=None, model=work.terms.model)
    if len(state.backend) <= state.limits.open_responses:
        return (*answered, started)
    oldest = state.backend.pop(next(iter(state.backend)))
    return (*answered, started, state.abandoned(oldest))


def _keep(state: LiveConversation, work: BackendWork, event: live.BackendResponseEvent, frame: Frame) -> None:
    work.raw = state.within_limit(_raw_response(event, frame))
    state.backend.weigh(work.id)


def _raw_response(event: live.BackendResponseEvent, frame: Frame) -> bytes:
    return raw_member("response", raw_object(event, frame.payload))


# What it brings -------------------------------------------------------------------------------------------


def _work(state: LiveConversation, event: live.BackendResponseEvent) -> BackendWork | None:
    """Return the response in progress for the delegation of an event, the newest one."""
    of_delegation = (work for work in reversed(state.backend.values()) if work.delegation_id == event.delegation_id)
    return next(of_delegation, None)


def _text_delta(
    state: LiveConversation, event: live.BackendResponseEvent, _inner: BackendEvent, frame: Frame
) -> Sequence[Fact]:
    """Report the first piece of text or arguments of a response."""
    work = _work(state, event)
    if work is None or work.has_text:
        return NOTHING
    work.has_text = True
    work.first_text_seconds = state.elapsed(work.created_at, frame.at)
    return (
        facts.ResponseOutputStarted(
            response_id=work.id, model=work.terms.model, output="text", after_seconds=work.first_text_seconds
        ),
    )


def _item_added(
    state: LiveConversation, event: live.BackendResponseEvent, inner: BackendEvent, frame: Frame
) -> Sequence[Fact]:
    """Begin the call that an item is."""
    return _call(state, event, inner.item, frame)


def _item_done(
    state: LiveConversation, event: live.BackendResponseEvent, inner: BackendEvent, frame: Frame
) -> Sequence[Fact]:
    """Take the final form of an item: what it says, or the call that it is, complete or over."""
    item = inner.item
    if item is None:
        return state.reject(event, "missing_object")
    work = _work(state, event)
    if work is not None:
        _note(state, work, item)
    return (
        *_call(state, event, item, frame),
        *calls.settle(state, item, calls.key_of(item), frame.at),
        *calls.asked_or_listed(state, item),
    )


def _note(state: LiveConversation, work: BackendWork, item: ResponseItem) -> None:
    """Note what an item of a response says and calls, until that ends; no text that is too long to be kept."""
    work.items += 1
    _note_waits(work, item)
    for kind, number in calls.billed(Response(output=(item,))).items():
        work.listed = counted(work.listed, kind, number)
    said = items.content_of(item)
    size = text_bytes(said.text) if said is not None else 0
    if said is not None and len(work.said) < LIST_ELEMENTS and work.said_bytes + size <= state.limits.object_bytes:
        work.said.append(said)
        work.said_bytes += size
    state.backend.weigh(work.id)


def _note_waits(work: BackendWork, item: ResponseItem) -> None:
    """Note that a response waits for its client, or waits no more: upstream may run a shell itself."""
    if item.type in calls.OUTPUTS:
        work.wait_no_more_for(item.call_id or "")
    elif len(work.waits_for) < LIST_ELEMENTS:
        key = calls.key_of(item) if item.type in calls.RUN_BY_CLIENT and not calls.is_of_upstream(item) else None
        if item.type == "mcp_approval_request":
            key = item.id
        if key is not None:
            work.wait_for(key)


def _call(
    state: LiveConversation, event: live.BackendResponseEvent, item: ResponseItem | None, frame: Frame
) -> Sequence[Fact]:
    """Begin the call that an item is, or learn more of it."""
    key = calls.key_of(item) if item is not None else None
    if item is None or item.type not in calls.KINDS or key is None:
        return NOTHING
    work = _work(state, event)
    owner = event.delegation_id or (work.id if work else None)
    begun = tools.start(state, key, calls.KINDS[item.type], item.name, owner, item.id)
    call = state.calls.get(key)
    if call is not None and call.run_at is None and calls.is_of_upstream(item):
        call.run_at = frame.at
    return begun


def item_create(state: LiveConversation, event: live_client.ResponseItemCreate, frame: Frame) -> Sequence[Fact]:
    """Take what the client adds to the backend's input: the output of a call, or what a person decided."""
    return NOTHING if event.item is None else calls.answered_by(state, event.item, frame.at)


# Its end --------------------------------------------------------------------------------------------------


def _ended(
    state: LiveConversation, event: live.BackendResponseEvent, inner: BackendEvent, frame: Frame
) -> Sequence[Fact]:
    """End a response. Its object stands, whatever came before it, but for its output, which it is sent without."""
    response = inner.response
    if response is None or not response.id:
        return state.reject(event, "missing_object")
    if response.id in state.ended_responses:
        return state.reject(event, "repeated")
    begun = NOTHING if response.id in state.backend else _open(state, event, response, frame, begins=False)
    work: BackendWork = state.backend.pop(response.id)
    state.ended_responses.add(response.id)
    state.responses.add(_raw_response(event, frame))
    status = response.status if response.status in RESPONSE_ENDS else ENDS[inner.type or ""]
    state.totals.responses = counted(state.totals.responses, status)
    finished = _finished(state, work, response, status, frame)
    return (*begun, *finished, *_settle(state, work, status, frame))


def _finished(state: LiveConversation, work: BackendWork, response: Response, status: str, frame: Frame) -> list[Fact]:
    tier = short(response.service_tier)
    terms = Terms(short(response.model) or work.terms.model, work.terms.prices, tier)
    bill = costs.bill(state, response.usage, terms, work.id)
    reason = _reason(response, status)
    finished: list[Fact] = [
        facts.ResponseFinished(
            response_id=work.id,
            status=status,
            reason=reason,
            conversation_id=None,
            model=terms.model,
            items=work.items,
            output=tuple(work.said),
            audio_seconds=None,
            duration_seconds=state.elapsed(work.created_at, frame.at),
            time_to_first_token_seconds=work.first_text_seconds,
            time_to_first_audio_seconds=None,
            turn_latency_seconds=None,
            tokens=bill.tokens,
            cost=bill.cost,
            service_tier=tier or UNSET,
            cache_writes=bill.cache_writes or UNSET,
            reasoning_tokens=_reasoning(response),
        ),
        *tool_costs.bill(state, response.tool_usage, work.listed, terms, work.id, calls.drawn_by(response)),
    ]
    if status == "completed":
        return finished
    cause = "failed" if status == "failed" else reason or "unknown"
    state.totals.interrupt(cause)
    failure = reason if status == "failed" else None
    interrupted = facts.ResponseInterrupted(response_id=work.id, reason=cause, model=terms.model, code=failure)
    return [*finished, interrupted]


def _reasoning(response: Response) -> int | UnsetType:
    details = response.usage.output_token_details if response.usage else None
    return UNSET if details is None or details.reasoning_tokens is None else details.reasoning_tokens


def _reason(response: Response, status: str) -> str | None:
    """Return why a response ended with `status`; None if it was completed."""
    if status == "completed":
        return None
    if status == "failed":
        return code(response.error)
    details = response.incomplete_details
    return closed(details.reason, INCOMPLETE) if details and details.reason else "unknown"


def _settle(state: LiveConversation, work: BackendWork, status: str, frame: Frame) -> list[Fact]:
    """End the delegation of a response that ended, unless another response follows, with the outputs of its calls."""
    if status != "completed":
        over = tools.finish_all(state, work.delegation_id or work.id, "abandoned", None)
    elif work.waits_for:
        return []
    else:
        over = []
    delegation: OpenDelegation | None = state.delegations.get(work.delegation_id or "")
    if delegation is None:
        return over
    outcome = "answered" if status == "completed" else "failed"
    return [*over, state.finish_delegation(delegation, outcome, frame.at)]


def _erred(
    _state: LiveConversation, _event: live.BackendResponseEvent, inner: BackendEvent, _frame: Frame
) -> Sequence[Fact]:
    """Report an error of the backend."""
    message = None if inner.message is None else Content("message", inner.message)
    named = short(str(inner.code)) if inner.code is not None else None
    return (facts.UpstreamErred(code=named or "unknown", kind=None, message=message),)


INNER: Final[Mapping[str, Inner]] = {
    "response.created": _created,
    "response.queued": _in_progress,
    "response.in_progress": _in_progress,
    "response.output_text.delta": _text_delta,
    "response.function_call_arguments.delta": _text_delta,
    "response.output_item.added": _item_added,
    "response.output_item.done": _item_done,
    **dict.fromkeys(ENDS, _ended),
    "error": _erred,
}
"""Event of the Responses API to what it does here. All others are pieces of what items say whole."""
