"""Responses that follow each other: lanes, steering, context that is sent again."""

from typing import Any

from steno.view.shapes import Mark, SpanMark
from tests.view.records import BEGIN, finished, record, shown


def started(at: float, key: str, **more: Any) -> Any:
    return record("response.started", at, response_id=key, conversation_id=None, model="gpt-5.6", **more)


def test_a_response_has_its_lane_and_what_it_follows() -> None:
    (span,) = shown(
        "k",
        [
            started(
                1, "two", previous_response_id="one", stream_id="left", in_flight=3, gap_seconds=0.5, gap_after="answer"
            ),
            finished(2, "two", service_tier="priority", reasoning_tokens=64, warm_up=True),
            record("context.resent", 2, response_id="two", previous_response_id="one", tokens=900, cached_tokens=800),
            record("chain.answered", 2, response_id="two", tool_rounds=2, responses=3, duration_seconds=9.0),
        ],
    ).spans

    expected = {
        "previous_response_id": "one",
        "stream_id": "left",
        "in_flight": 3,
        "gap_seconds": 0.5,
        "gap_after": "answer",
        "service_tier": "priority",
        "reasoning_tokens": 64,
        "warm_up": True,
        "resent_tokens": 900,
        "resent_cached_tokens": 800,
        "tool_rounds": 2,
        "chain_responses": 3,
        "chain_duration_seconds": 9.0,
    }
    assert expected.items() <= span.detail.items()


def test_a_response_that_was_steered_has_the_moment_in_it() -> None:
    made = shown(
        "k",
        [
            started(1, "one"),
            record("steer.accepted", 2, steer_id="s", response_id="one"),
            finished(2.5, "one", status="incomplete", reason="steered"),
            record(
                "steer.pending", 3, steer_id="s", response_id="one", reason="waiting_for_required_input", required=1
            ),
            record("steer.failed", 4, steer_id="t", response_id="one", code="response_not_active"),
        ],
    )

    assert made.spans[0].marks == [SpanMark("steered", BEGIN + 2)]
    assert [mark.label for mark in made.marks] == ["a steered response waits for input", "steering failed"]


def test_what_is_said_of_a_response_that_is_not_here_is_a_moment() -> None:
    made = shown(
        "k",
        [
            record("steer.accepted", 2, steer_id="s", response_id="one"),
            record("context.resent", 2, response_id="one", previous_response_id="o", tokens=9, cached_tokens=8),
            record("chain.answered", 2, response_id="one", tool_rounds=2, responses=3, duration_seconds=9.0),
            record("response.refused", 3, response_id="one", item_id="msg_1", model=None),
        ],
    )

    assert made.spans == []
    assert [mark.label for mark in made.marks] == [
        *("steered", "context was sent again", "the chain was answered", "the model refused"),
    ]
    assert made.marks[3] == Mark(BEGIN + 3, "refused", "the model refused", {"response_id": "one", "item_id": "msg_1"})
