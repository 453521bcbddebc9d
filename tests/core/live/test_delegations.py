"""Work that a Live session hands on: plays."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Tokens
from tests.core.helpers import UNPRICED, Play, event
from tests.core.live.plays import USAGE, backend, closed, delegated, response, started

KEY = "relay/live_1"


def play(*events: Any, **limits: Any) -> Play:
    """A session that has begun."""
    begun = Play(**limits)
    begun.say(started(), *events)
    begun.emitted.clear()
    return begun


def opened(key: str = "item_1", target: str = "client", **changes: Any) -> facts.DelegationOpened:
    """A delegation that begins."""
    values: dict[str, Any] = {"response_id": None, "offset_ms": None, **changes}
    return facts.DelegationOpened(delegation_id=key, target=target, **values)


def finished(key: str = "item_1", target: str = "client", **changes: Any) -> facts.DelegationFinished:
    """A delegation that ended."""
    values: dict[str, Any] = {"status": "answered", "responses": 0, "duration_seconds": 0.0, **changes}
    return facts.DelegationFinished(delegation_id=key, target=target, **values)


def test_the_client_answers_by_commentary() -> None:
    """Thinking says how far it is."""
    told = play()
    assert told.say(delegated(target="client", offset_ms=400)) == [opened(offset_ms=400)]
    told.wait(1_500)
    assert told.say(event("session.thinking.append", content="...", delegation_id="item_1"), sent=True) == []
    assert told.say(event("session.commentary.append", content="14", delegation_id="item_1"), sent=True) == [
        finished(duration_seconds=1.5)
    ]
    assert told.line(KEY)["delegations"] == [
        {
            "delegation_id": "item_1",
            "target": "client",
            "status": "answered",
            "responses": 0,
            "offset_ms": 400,
            "duration_seconds": 1.5,
        }
    ]


def test_its_acknowledgement_answers_no_other() -> None:
    """Where the client is seen, the two are one."""
    told = play(delegated("item_1", "client"), delegated("item_2", "client"))
    told.say(event("session.commentary.append", delegation_id="item_2"), sent=True)
    assert told.say(event("session.commentary.appended")) == [facts.ContextAppended(kind="commentary", start_ms=None)]
    assert list(told.state(KEY).delegations) == ["item_1"]


def test_a_sideband_sees_the_acknowledgement_alone() -> None:
    """It is taken for the answer of the oldest one that is the client's."""
    told = play(delegated("item_1", "responses"), delegated("item_2", "client"), delegated("item_3", "client"))
    assert told.say(event("session.commentary.appended"))[1:] == [finished("item_2")]
    assert told.say(event("session.commentary.appended"))[1:] == [finished("item_3")]
    assert told.say(event("session.commentary.appended"))[1:] == []


def test_what_nobody_answers_is_orphaned() -> None:
    """With the session, whether upstream confirms its end or not."""
    orphaned = finished(status="orphaned", duration_seconds=None)
    assert orphaned in play(delegated(target="client")).say(closed(1))
    assert orphaned in play(delegated(target="client")).close()


def test_open_delegations_have_a_limit() -> None:
    told = play(delegated("item_1", "client"), open_responses=1)
    assert told.say(delegated("item_2", "client")) == [
        finished("item_1", status="orphaned", duration_seconds=None),
        opened("item_2"),
    ]
    assert [each["status"] for each in told.line(KEY)["delegations"]] == ["orphaned", "open"]


@pytest.mark.parametrize("most", [0, 1])
def test_the_log_of_delegations_has_a_limit(most: int) -> None:
    told = play(kept_objects=most)
    for key in ("item_1", "item_2"):
        told.say(delegated(key, "client"), event("session.commentary.append", delegation_id=key))
    assert [each["delegation_id"] for each in told.line(KEY)["delegations"]] == ["item_2"][:most]


def test_what_does_not_fit() -> None:
    told = play(delegated(target="client"))
    repeated = [facts.EventRejected(event="session.delegation.created", reason="repeated")]
    assert told.say(delegated(target="client")) == repeated
    told.say(event("session.commentary.append", delegation_id="item_1"))
    assert told.say(delegated(target="client")) == repeated
    assert told.say(event("session.delegation.created", delegation={"target": "client"})) == [
        facts.EventRejected(event="session.delegation.created", reason="missing_id")
    ]
    assert told.say(delegated("item_2", "martians")) == [opened("item_2", "other")]


def test_a_delegation_that_is_told_of_after_its_answer() -> None:
    """How long it took is not known."""
    told = play(backend("response.completed", response=response("resp_1", "completed", usage=USAGE)))
    assert told.say(delegated(response_id="resp_1")) == [
        opened(target="responses", response_id="resp_1"),
        finished(target="responses", responses=1, duration_seconds=None),
    ]


def test_a_decision_is_billed_by_itself() -> None:
    """Under its own model, and kept whole."""
    decision = {
        "model": "gpt-5.6-mini",
        "answers": [{"type": "predicate", "probability": 0.9}, {"type": "refusal", "name": "q"}],
        "usage": USAGE,
    }
    told = play(delegated(target="decisions"))
    happened = told.say(
        event("decision.event", delegation_id="item_1", event={"type": "decision.completed", "decision": decision})
    )
    assert happened == [
        facts.DecisionMade(
            delegation_id="item_1",
            trigger_id=None,
            model="gpt-5.6-mini",
            answers=2,
            refusals=1,
            tokens=(
                Tokens("gpt-5.6-mini", "input", "unknown", False, 10),
                Tokens("gpt-5.6-mini", "output", "unknown", False, 5),
            ),
            cost=UNPRICED,
        ),
        finished(target="decisions"),
    ]
    assert told.line(KEY)["decisions"] == [decision]


def test_a_decision_that_a_transcript_triggered() -> None:
    """It answers nothing that was delegated, and without a usage it is not free."""
    told = play(delegated(target="client"))
    (made,) = told.say(event("decision.event", trigger_id="t_1", event={"decision": {"model": "m"}}))
    assert isinstance(made, facts.DecisionMade)
    assert (made.trigger_id, made.answers, made.cost and made.cost.unpriced) == ("t_1", 0, "no_usage")
    assert told.say(event("decision.event")) == [facts.EventRejected(event="decision.event", reason="missing_object")]
