"""Work that a Live session hands on to its client or to the Decisions API, and its answers. `backend` has the rest.

The client answers a delegation by commentary that names it. A connection that does not see what the client says is only
told that some commentary entered the session: it is taken for the answer of the oldest delegation to the client.
Thinking that is added is how far the work is, and answers nothing.
"""

from collections.abc import Sequence
from typing import Final

from steno.core import facts
from steno.core.billing import costs
from steno.core.conversation import NOTHING
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.live import speech
from steno.core.live.delegation import OpenDelegation
from steno.core.live.state import ORPHANED, LiveConversation
from steno.core.vocabulary import DELEGATION_TARGETS, closed, short
from steno.wire import live, live_client, raw_member, raw_object
from steno.wire.live_objects import Decision

ANSWERED: Final = "answered"
CLIENT: Final = "client"


def created(state: LiveConversation, event: live.DelegationCreated, frame: Frame) -> Sequence[Fact]:
    """Open a delegation. Past the limit of what is open the oldest is given up."""
    delegation = event.delegation
    if delegation is None or not delegation.id:
        return state.reject(event, "missing_id")
    if delegation.id in state.delegations or delegation.id in state.ended_delegations:
        return state.reject(event, "repeated")
    opened = OpenDelegation(delegation.id, closed(delegation.target, DELEGATION_TARGETS), frame.at, event.offset_ms)
    state.delegations[delegation.id] = opened
    given_up: Sequence[Fact] = NOTHING
    if len(state.delegations) > state.limits.open_responses:
        given_up = (state.finish_delegation(next(iter(state.delegations.values())), ORPHANED, None),)
    return (
        *given_up,
        facts.DelegationOpened(
            delegation_id=opened.id,
            target=opened.target,
            response_id=delegation.response_id,
            offset_ms=opened.offset_ms,
        ),
        *_done_before(state, opened, delegation.response_id),
        *speech.go_on(state, event.offset_ms),
    )


def _done_before(state: LiveConversation, opened: OpenDelegation, response_id: str | None) -> Sequence[Fact]:
    """End a delegation whose beginning comes late: its response has ended, or counts that it is one of it."""
    if response_id is None:
        return NOTHING
    opened.responses = int(response_id in state.ended_responses or response_id in state.backend)
    if response_id not in state.ended_responses:
        return NOTHING
    return (state.finish_delegation(opened, ANSWERED, None),)


# The client's ---------------------------------------------------------------------------------------------


def commentary_append(state: LiveConversation, event: live_client.CommentaryAppend, frame: Frame) -> Sequence[Fact]:
    """Take the client's answer to a delegation."""
    state.acknowledgements += 1
    delegation = state.delegations.get(event.delegation_id or "")
    return NOTHING if delegation is None else (state.finish_delegation(delegation, ANSWERED, frame.at),)


_commentary_appended = speech.appended("commentary")


def commentary_appended(state: LiveConversation, event: live.CommentaryAppended, frame: Frame) -> Sequence[Fact]:
    """Report that commentary entered the session. Where the client is not seen, it is an answer of its own."""
    reported = _commentary_appended(state, event, frame)
    if state.acknowledgements:
        state.acknowledgements -= 1
        return reported
    waiting = next((each for each in state.delegations.values() if each.target == CLIENT), None)
    if waiting is None:
        return reported
    return (*reported, state.finish_delegation(waiting, ANSWERED, frame.at))


# Decisions ------------------------------------------------------------------------------------------------


def decided(state: LiveConversation, event: live.DecisionEvent, frame: Frame) -> Sequence[Fact]:
    """Bill a decision, and end the delegation that it answers."""
    decision = event.event.decision if event.event else None
    if decision is None:
        return state.reject(event, "missing_object")
    state.decided.add(raw_member("decision", raw_object(event, frame.payload)))
    delegation = state.delegations.get(event.delegation_id or "")
    answered = () if delegation is None else (state.finish_delegation(delegation, ANSWERED, frame.at),)
    return (_made(state, event, decision), *answered)


def _made(state: LiveConversation, event: live.DecisionEvent, decision: Decision) -> Fact:
    model, answers = short(decision.model), decision.answers or ()
    bill = costs.bill(state, decision.usage, state.terms(model, "decisions"), event.trigger_id or event.event_id)
    return facts.DecisionMade(
        delegation_id=event.delegation_id,
        trigger_id=event.trigger_id,
        model=model,
        answers=len(answers),
        refusals=sum(answer.type == "refusal" for answer in answers),
        tokens=bill.tokens,
        cost=bill.cost,
    )
