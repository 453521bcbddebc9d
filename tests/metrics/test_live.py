"""Live sessions in, numbers out."""

from typing import Any

from steno.core import facts
from steno.core.facts import Cost
from steno.limits import Limits
from steno.metrics.conversations import ConversationNumbers
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from tests.core.live.plays import closed, heard, spoke, started, used
from tests.metrics.test_conversations import BEGIN, House
from tests.metrics.test_sink import numbers, observed, told

MODEL = "gpt-live-1"


def metered(**changes: Any) -> facts.SessionMetered:
    values: dict[str, Any] = {"active_seconds": 0.0, "paused_seconds": 0.0, "cost": None, **changes}
    return facts.SessionMetered(session_id="live_1", model=MODEL, seconds=90.0, **values)


def test_seconds_are_what_each_report_adds() -> None:
    """Active and paused, with what that costs."""
    metrics = told(
        metered(active_seconds=60.0, cost=Cost(usd="0.5")),
        metered(paused_seconds=30.0, cost=Cost(usd="0.25")),
        metered(),
    )
    assert numbers(metrics) == {
        "steno_live_seconds_total": {("relay", MODEL, "active"): 60.0, ("relay", MODEL, "paused"): 30.0},
        "steno_cost_usd_total": {("relay", "realtime", MODEL): 0.75},
    }


def test_segments() -> None:
    """Double talk counts once, with the model's words; latency is the model's, the length of speech the user's."""
    said: dict[str, Any] = {"model": MODEL, "transcript": None, "double_talk_seconds": 0.4}
    metrics = told(
        facts.SegmentFinished(role="user", start_ms=0, end_ms=2_000, turn_latency_seconds=None, **said),
        facts.SegmentFinished(role="user", start_ms=None, end_ms=None, turn_latency_seconds=None, **said),
        facts.SegmentFinished(role="assistant", start_ms=2_500, end_ms=3_000, turn_latency_seconds=0.5, **said),
    )
    assert numbers(metrics) == {"steno_double_talk_seconds_total": {("relay", MODEL): 0.4}}
    assert observed(metrics) == {
        "steno_user_speech_duration_seconds": (1, 2.0),
        "steno_turn_latency_seconds": (1, 0.5),
    }


def test_delegations_and_decisions() -> None:
    """Only those that were answered are timed."""
    ended: dict[str, Any] = {"delegation_id": "item_1", "target": "client", "responses": 0}
    metrics = told(
        facts.DelegationFinished(status="answered", duration_seconds=1.5, **ended),
        facts.DelegationFinished(status="orphaned", duration_seconds=None, **ended),
        facts.DecisionMade(
            delegation_id=None,
            trigger_id="t_1",
            model="m",
            answers=1,
            refusals=0,
            tokens=(facts.Tokens("m", "input", "unknown", False, 7),),
            cost=Cost(unpriced="no_rate"),
        ),
    )
    counted = numbers(metrics)
    assert counted["steno_delegations_total"] == {
        ("relay", "client", "answered"): 1,
        ("relay", "client", "orphaned"): 1,
    }
    assert counted["steno_tokens_total"] == {("relay", "realtime", "m", "input", "unknown", "false"): 7}
    assert observed(metrics) == {"steno_delegation_duration_seconds": (1, 1.5)}


def test_ends_of_sessions_by_reason() -> None:
    """Of a closed list: upstream's word, that it said none, or that it did not say anything."""
    house = House()
    ends = {"content": "content", "because": "other", None: "unknown"}
    for reason in ends:
        pipeline = Pipeline(Limits(), [house.metrics])
        stream = pipeline.stream_opened("desk/2/1", "desk", BEGIN)
        house.pipeline = pipeline
        house.pipeline.streams["desk/1/1"] = stream
        house.feed(BEGIN, started(), closed(1, reason=reason))
    assert {
        labels[2]: count for labels, count in house.metrics.numbers["steno_sessions_closed_total"].items()
    } == dict.fromkeys(ends.values(), 1)


def test_the_fullest_context_is_shown() -> None:
    """Of the sessions that are open."""
    house = House()
    house.feed(BEGIN, started("live_1"), used(3, ratio=0.25), heard(0, 200), spoke(400, 600))
    stream = house.pipeline.stream_opened("desk/1/2", "desk", BEGIN)
    house.pipeline.streams["desk/1/1"] = stream
    house.feed(BEGIN, started("live_2"), used(3, ratio=0.5), used(4))
    assert house.numbers("steno_context_window_ratio") == {("desk", MODEL): 0.5}
    assert ConversationNumbers(house.pipeline, Metrics(1)).numbers()["steno_context_window_ratio"] == {
        ("desk", "other"): 0.5
    }
