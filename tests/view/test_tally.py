"""What the facts of a conversation add up to, where user and model speak all the time and work is handed on."""

from typing import Any

import msgspec

from steno.core import facts
from steno.core.facts import Cost, Fact, Origin, Tokens
from steno.timestamps import SECOND
from steno.view.rows import Row, counted_at_end, row_of
from steno.view.tally import Tally

LIVE = "gpt-live-1"


def row(*told: Fact) -> Row:
    """Return the row of a conversation after these facts, a second apart."""
    tally = Tally("desk/live_1", "desk", "live")
    for at, fact in enumerate(told):
        tally.add(Origin(at=at * SECOND, source="desk", stream="desk/1/1"), fact)
    return row_of(tally, counted_at_end(tally), {}, (len(told) - 1) * SECOND)


def opened() -> Fact:
    return facts.SessionOpened(session_id="live_1", kind="live", model=LIVE, expires_at=None)


def segment(role: str, latency: float | None = None) -> Fact:
    return facts.SegmentFinished(
        role=role,
        model=LIVE,
        start_ms=0,
        end_ms=1_000,
        transcript=None,
        double_talk_seconds=0.0,
        turn_latency_seconds=latency,
    )


def metered(cost: Cost | None) -> Fact:
    return facts.SessionMetered(
        session_id="live_1", model=LIVE, seconds=1.0, active_seconds=1.0, paused_seconds=0.0, cost=cost
    )


def delegated() -> Fact:
    return facts.DelegationOpened(delegation_id="item_1", target="responses", response_id=None, offset_ms=None)


def started(model: str) -> Fact:
    return facts.ResponseStarted(response_id="resp_1", conversation_id=None, model=model)


def finished(model: str) -> Fact:
    rest: dict[str, Any] = dict.fromkeys(
        (
            *("reason", "conversation_id", "audio_seconds", "duration_seconds", "time_to_first_token_seconds"),
            *("time_to_first_audio_seconds", "turn_latency_seconds"),
        )
    )
    return facts.ResponseFinished(
        response_id="resp_1", status="completed", model=model, items=1, output=(), tokens=(), **rest
    )


def test_turns_are_what_the_user_said_and_latency_is_upstreams() -> None:
    made = row(opened(), segment("user"), segment("assistant", 0.4), segment("user"), segment("assistant", 0.2))

    assert (made.turns, made.turn_latency_seconds.last, made.turn_latency_seconds.worst) == (2, 0.2, 0.4)


def test_the_model_is_the_one_that_speaks_and_not_that_of_its_backend() -> None:
    assert row(opened(), delegated(), started("gpt-5.6"), finished("gpt-5.6")).model == LIVE
    assert row(opened(), segment("user"), started("gpt-5.6")).model == LIVE
    assert row(metered(None), started("gpt-5.6")).model == LIVE
    assert row(delegated(), started("gpt-5.6")).model == "gpt-5.6"  # no other one is known
    assert row(started("gpt-5.6"), finished("gpt-5.7")).model == "gpt-5.7"


def test_the_time_of_a_session_and_decisions_cost() -> None:
    tokens = (Tokens(model="small", direction="input", modality="text", cached=False, tokens=30),)
    decision = facts.DecisionMade(
        delegation_id=None,
        trigger_id="trigger_1",
        model="small",
        answers=1,
        refusals=0,
        tokens=tokens,
        cost=Cost(usd="0.002"),
    )
    made = row(opened(), metered(Cost(usd="0.01")), metered(None), metered(Cost(usd="0.02")), decision)
    unpriced = row(opened(), metered(Cost(usd="0.01")), metered(Cost(unpriced="no_rate")))

    assert (made.cost_usd, made.tokens.input, made.unpriced) == ("0.032", 30, {})
    assert (unpriced.cost_usd, unpriced.unpriced) == (None, {"no_rate": 1})


def test_a_session_whose_model_was_stopped_is_paused_until_it_wakes() -> None:
    pause, resume = facts.SessionPaused(session_id="live_1"), facts.SessionResumed("live_1", 5.0)

    assert [row(opened(), *more).state for more in ((), (pause,), (pause, resume))] == [
        "listening",
        "paused",
        "listening",
    ]
    assert row(opened(), pause, started("gpt-5.6")).state == "responding"


def test_a_response_that_was_steered_is_not_cut_off() -> None:
    broke = [facts.ResponseInterrupted(response_id="r", reason=each, model=None) for each in ("steered", "failed")]

    assert row(*broke).interruptions == 1


def test_a_response_that_only_prepared_a_context_is_no_answer() -> None:
    warm = msgspec.structs.replace(finished("gpt-5.6"), warm_up=True)

    assert (row(warm).responses, row(warm, finished("gpt-5.6")).responses) == (0, 1)
