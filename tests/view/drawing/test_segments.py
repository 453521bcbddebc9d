"""Sessions that are spoken all the time: who spoke when, and when nobody did."""

from typing import Any

from steno.view.shapes import Mark
from steno.view.timeline import Record
from tests.view.records import BEGIN, record, shown, text

OPENED = record("session.opened", 0, session_id="live_1", kind="live", model="gpt-live-1", expires_at=None)


def segment(at: float | None, role: str, start: int | None, end: int | None, said: str, **more: Any) -> Record:
    measures = {"double_talk_seconds": 0.0, "turn_latency_seconds": None}
    words = text("transcript", said)
    return record(
        "segment.finished",
        at,
        role=role,
        model="gpt-live-1",
        start_ms=start,
        end_ms=end,
        transcript=words,
        **{**measures, **more},
    )


def test_segments_stand_where_they_were_said_and_not_where_they_were_reported() -> None:
    made = shown(
        "k",
        [
            OPENED,
            segment(5.2, "assistant", 2_400, 4_000, "We are open.", double_talk_seconds=0.6, turn_latency_seconds=0.4),
            segment(5.3, "user", 1_000, 3_000, "Are you open?"),
            segment(9, "user", None, None, "Thank you."),
        ],
    )

    assert [(span.lane, span.label, span.begin, span.end, span.status) for span in made.spans[1:]] == [
        ("voice", "model", BEGIN + 2.4, BEGIN + 4, "finished"),
        ("speech", "user", BEGIN + 1, BEGIN + 3, "finished"),
        ("speech", "user", None, BEGIN + 9, "finished"),
    ]
    assert made.spans[1].detail == {
        "model": "gpt-live-1",
        "start_ms": 2_400,
        "end_ms": 4_000,
        "double_talk_seconds": 0.6,
        "turn_latency_seconds": 0.4,
    }


def test_words_stand_in_the_order_in_which_they_were_said() -> None:
    """Whatever was heard of the model is unknown, and not nothing."""
    made = shown(
        "k",
        [
            OPENED,
            record("tool_call.started", 3.5, call_id="c", kind="function", name="hours"),
            segment(5.2, "assistant", 2_400, 3_400, "We are open."),
            segment(5.3, "user", 1_000, 3_000, "Are you open?"),
        ],
    )

    assert [
        (said.role, said.kind, said.text, said.heard, round((said.at or 0) - BEGIN, 3)) for said in made.transcript
    ] == [
        ("user", "speech", "Are you open?", None, 1),
        ("assistant", "speech", "We are open.", None, 2.4),
        ("assistant", "tool_call", None, None, 3.5),
    ]


def test_without_times_words_stand_by_upstreams_clock() -> None:
    """Each in a place of one of them; what has none stands where it was reported."""
    made = shown(
        "k",
        [
            segment(None, "assistant", 400, 900, "One"),
            segment(None, "user", None, None, "Two"),
            record("tool_call.started", None, call_id="c", kind="function", name="hours"),
            segment(None, "user", 100, 300, "Three"),
        ],
    )

    assert [(span.begin, span.end) for span in made.spans] == [(None, None)] * 4
    assert [said.text or said.kind for said in made.transcript] == ["Three", "Two", "tool_call", "One"]


def test_a_pause_lasts_until_the_model_wakes_or_the_session_ends() -> None:
    made = shown(
        "k",
        [
            OPENED,
            record("session.paused", 10, session_id="live_1"),
            record("session.paused", 11, session_id="live_1"),
            record("session.resumed", 40, session_id="live_1", paused_seconds=30.0),
            record("input.muted", 41),
            record("input.unmuted", 45),
            record("session.paused", 50, session_id="live_1"),
            record("session.finished", 59, session_id="live_1", kind="live", reason="expired"),
        ],
    )

    assert [(span.label, span.begin, span.end, span.status) for span in made.spans if span.lane == "pause"] == [
        ("paused", BEGIN + 10, BEGIN + 40, "over"),
        ("muted", BEGIN + 41, BEGIN + 45, "over"),
        ("paused", BEGIN + 50, BEGIN + 59, "closed"),
    ]


def test_a_pause_whose_beginning_was_not_seen_begins_where_its_length_says() -> None:
    made = shown(
        "k", [record("session.resumed", 40, session_id="live_1", paused_seconds=30.0), record("input.unmuted", 45)]
    )

    assert [(span.label, span.begin, span.end) for span in made.spans] == [
        ("paused", BEGIN + 10, BEGIN + 40),
        ("muted", None, BEGIN + 45),
    ]


def test_what_the_client_adds_and_the_telephone_are_moments() -> None:
    made = shown(
        "k",
        [
            record("context.appended", 2, kind="instructions", start_ms=1_900),
            record("call.rang", 3, session_id="live_1"),
            record("call.answered", 8, session_id="live_1", ringing_seconds=5.0),
            record("dtmf.sent", 9),
            record("call.failed", 10, session_id="live_1", code="busy"),
        ],
    )

    assert made.marks == [
        Mark(BEGIN + 2, "note", "instructions for the model", {"kind": "instructions", "start_ms": 1_900}),
        Mark(BEGIN + 3, "note", "the telephone rings", {}),
        Mark(BEGIN + 8, "note", "the call was answered", {"ringing_seconds": 5.0}),
        Mark(BEGIN + 9, "note", "a key was sent", {}),
        Mark(BEGIN + 10, "note", "the call failed", {"code": "busy"}),
    ]
