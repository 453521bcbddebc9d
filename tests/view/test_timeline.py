"""A conversation as a picture: the recordings of the house as records, and what a timeline shows of each.

A timeline is held against the state of the same conversation (`--state`), which is made on another way: the totals are
the same, and so is what was said and heard.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from steno.view.shapes import Mark, Span, SpanMark
from steno.view.timeline import Record, Timeline
from steno.view.transcript import Said
from tests.view.records import BEGIN, finished, record, shown, text
from tests.work_counter import Work

GOLDEN = Path(__file__).parents[1] / "golden"


def timelines(folder: Path, **options: Any) -> dict[str, Timeline]:
    """Return the timeline of each conversation of an audit log, with its stream's own records left out."""
    records: dict[str, list[Record]] = {}
    for line in (folder / "audit.jsonl").read_bytes().splitlines():
        conversation = json.loads(line)["conversation"]
        if conversation:
            records.setdefault(conversation, []).append(msgspec.json.decode(line, type=Record))
    return {key: shown(key, each, **options) for key, each in records.items()}


def states(folder: Path) -> dict[str, dict[str, Any]]:
    documents = json.loads((folder / "state.json").read_text())
    return {each["key"]: each for each in documents if each["schema"] == "steno.conversation/1"}


# Against the state ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(each.name for each in GOLDEN.iterdir() if (each / "audit.jsonl").exists()))
def test_what_a_timeline_adds_up_is_what_the_state_has(name: str) -> None:
    made = timelines(GOLDEN / name)
    for key, state in states(GOLDEN / name).items():
        totals = dict(made[key].totals)
        known = {"tokens", "seconds", "cost_usd", "unpriced", "runs", "run_steps", "interruptions"}

        def order(bucket: dict[str, Any]) -> str:
            return json.dumps(bucket, sort_keys=True)

        assert {each: totals[each] for each in known - {"tokens"}} == {
            each: state["totals"][each] for each in known - {"tokens"}
        }
        assert sorted(totals["tokens"], key=order) == sorted(state["totals"]["tokens"], key=order)
        costs = [Decimal(span.cost["usd"] or 0) for span in made[key].spans if span.cost]
        assert totals["cost_usd"] is None or sum(costs) == Decimal(totals["cost_usd"])
        assert sum(totals["responses"].values()) == sum(state["totals"]["responses"].values())
        assert made[key].row.tokens.input + made[key].row.tokens.output == sum(
            each["tokens"] for each in state["totals"]["tokens"]
        )


@pytest.mark.parametrize("name", sorted(each.name for each in GOLDEN.iterdir() if (each / "audit.jsonl").exists()))
def test_spans_stand_in_their_order_and_within_the_conversation(name: str) -> None:
    for made in timelines(GOLDEN / name).values():
        for span in made.spans:
            times = [at for at in (made.began_at, span.begin, *(each.at for each in span.marks)) if at is not None]
            assert span.begin is None or span.end is None or span.begin <= span.end
            assert times == sorted(times), span
        assert len({span.id for span in made.spans}) == len(made.spans)


def test_an_answer_that_the_caller_broke_into_is_shown_to_scale() -> None:
    (made,) = timelines(GOLDEN / "barge-in").values()
    session, speech, answer = made.spans

    assert (session.lane, session.begin, session.end, session.status) == (
        *("session", BEGIN, BEGIN + 2.529),
        "disconnected",
    )
    assert (speech.lane, speech.begin, speech.end, speech.status, speech.marks) == (
        *("speech", BEGIN + 0.501, BEGIN + 1.201, "committed"),
        [SpanMark("committed", BEGIN + 1.203)],
    )
    assert (answer.lane, answer.label, answer.status) == ("response", "gpt-realtime", "cancelled")
    assert [(mark.kind, round((mark.at or 0) - BEGIN, 3)) for mark in answer.marks] == [
        *(("first_token", 1.944), ("first_audio", 1.974), ("interrupted", 2.475)),
    ]
    assert answer.cost is not None
    assert answer.cost["usd"] == "0.002604"
    assert answer.cost["lines"][0].keys() == {"rate", "per", "quantity", "direction", "modality", "cached"}


# What was said ----------------------------------------------------------------------------------------------

SPEAKS = [
    record("item.added", 1, item_id="item_1", kind="message", role="assistant", text=None),
    finished(2, "resp_1", text("transcript", "We are open until six"), audio_seconds=2.0),
]
BEGINS = record("response.started", 0.5, response_id="resp_1", conversation_id=None, model=None)


@pytest.mark.parametrize(
    ("played", "heard", "status"),
    [
        ([], None, "completed"),
        ([record("playback.stopped", 4, response_id="resp_1")], "We are open until six", "completed"),
        ([record("playback.cleared", 3, response_id="resp_1", played_seconds=1.0)], "We are", "truncated"),
        ([record("playback.cleared", 3, response_id="resp_1", played_seconds=None)], None, "completed"),
        (
            [
                record("item.truncated", 3, item_id="item_1", audio_end_ms=700, heard=text("transcript", "We")),
                record("playback.cleared", 3, response_id="resp_1", played_seconds=1.0),
            ],
            *("We", "truncated"),
        ),
    ],
)
def test_what_was_heard_is_what_playback_says(played: list[Record], heard: str | None, status: str) -> None:
    (entry,) = shown("k", [BEGINS, *SPEAKS, *played]).transcript

    assert (entry.item_id, entry.text, entry.heard, entry.status) == (
        *("item_1", "We are open until six", heard),
        status,
    )


def test_calls_and_their_outputs_stand_among_the_turns() -> None:
    call: dict[str, Any] = {"call_id": "call_1", "kind": "function", "name": "hours"}
    made = shown(
        "k",
        [
            record("item.added", 0, item_id="item_1", kind="message", role="user", text=text("text", "Open?")),
            record("tool_call.started", 1, **call),
            record(
                "tool_call.finished",
                3,
                **call,
                status="completed",
                duration_seconds=1.5,
                arguments=text("arguments", "{}"),
                output=text("output", "9-18"),
            ),
            record("tool_call.started", 4, **{**call, "call_id": "call_2"}),
        ],
    )

    assert [(said.kind, said.role, said.text, said.characters, said.status) for said in made.transcript] == [
        ("text", "user", "Open?", 5, None),
        ("tool_call", "assistant", "{}", 2, "completed"),
        ("tool_output", "tool", "9-18", 4, "completed"),
        ("tool_call", "assistant", None, None, None),
    ]
    assert [(span.label, span.status, span.end) for span in made.spans] == [
        *(("hours", "completed", BEGIN + 3), ("hours", None, None)),
    ]


def test_whom_texts_are_withheld_from_sees_lengths_alone() -> None:
    error = record("upstream.erred", 5, code="late", kind=None, message=text("message", "Ada is late"), effect="benign")
    made = shown("k", [BEGINS, *SPEAKS, error], content="withheld")

    assert b"until six" not in msgspec.json.encode(made)
    assert b"Ada" not in msgspec.json.encode(made)
    assert made.transcript == [
        Said(at=BEGIN + 1, item_id="item_1", role="assistant", kind="speech", characters=21, status="completed")
    ]
    assert made.marks == [
        Mark(
            *(BEGIN + 5, "error", "late"),
            {"code": "late", "effect": "benign", "message": None, "message_characters": 11},
        )
    ]


# What is missing --------------------------------------------------------------------------------------------


def test_what_began_before_the_first_record_begins_where_its_duration_says() -> None:
    made = shown(
        "k",
        [
            finished(5, "resp_1", duration_seconds=1.5),
            record("response.output_started", 6, response_id="resp_2", model=None, output="audio", after_seconds=0.25),
            record("playback.stopped", 7, response_id="resp_0"),
        ],
    )

    assert [(span.lane, span.begin, span.end, span.status) for span in made.spans] == [
        ("response", BEGIN + 3.5, BEGIN + 5, "completed"),
        ("response", BEGIN + 5.75, None, None),
        ("playback", None, BEGIN + 7, "stopped"),
    ]


def test_push_to_talk_is_a_commit_and_a_silence_is_no_speech() -> None:
    made = shown(
        "k",
        [
            record("input.committed", 1, item_id="item_1"),
            record("input.timed_out", 2, item_id="item_2"),
            record("input.committed", 2, item_id="item_2"),
        ],
    )

    assert [(span.begin, span.end, span.status) for span in made.spans] == [(None, BEGIN + 1, "committed")]
    assert made.marks == [Mark(BEGIN + 2, "note", "silence", {"item_id": "item_2"})]


def test_gaps_losses_and_turns_without_an_answer_are_marked() -> None:
    closed = {"source": "relay", "reason": "disconnected", "code": None, "frames": 4}
    made = shown(
        "k",
        [
            record("turn.unanswered", 2, item_id="a", ended_by="speech", waited_seconds=1.0),
            record("stream.closed", 3, **closed, gap="broken_off"),
            record("stream.closed", 3, **closed, gap=None),
            record("stream.resumed", 4, source="relay", former="relay/1/1", seconds=1.0, gap="broken_off"),
            record("events.missed", 5, missing=7, reason="queue_full"),
            record("event.rejected", 6, event="response.done", reason="unknown_response"),
            record("something.new", 7),
        ],
        omitted=3,
    )

    assert [(mark.kind, mark.label, (mark.at or 0) - BEGIN) for mark in made.marks] == [
        ("unanswered", "not answered", 2),
        ("gap", "broken_off", 3),
        ("gap", "resumed", 4),
        ("missed", "queue_full", 5),
        ("rejected", "unknown_response", 6),
    ]
    assert made.omitted == 3


def test_a_name_that_comes_twice_is_two_spans() -> None:
    made = shown("k", [BEGINS, finished(1, "resp_1"), BEGINS, finished(2, "resp_1")])

    assert [span.id for span in made.spans] == ["response:resp_1", "response:resp_1#2"]


def test_times_may_be_unknown() -> None:
    made = shown("k", [record("response.started", None, response_id="r", conversation_id=None, model=None)])

    assert made.spans == [
        Span(id="response:r", lane="response", label="response", detail={"response_id": "r"}, begin=None)
    ]


@pytest.mark.parametrize("lasted", [-1.0, 1e300])
def test_a_duration_that_cannot_be_says_nothing_of_the_beginning(lasted: float) -> None:
    made = shown("relay/call", [finished(3.0, "one", duration_seconds=lasted)])

    assert [(span.begin, span.end) for span in made.spans] == [(None, BEGIN + 3)]


def many(first: str, second: str, **members: str) -> Callable[[int], list[Record]]:
    """Return what makes so many records of two kinds, each with ids of its own."""

    def made(number: int) -> list[Record]:
        ids = ("item_id", "response_id", "call_id", "session_id")
        return [
            record(fact, 0.0, **dict.fromkeys(ids, f"{prefix}{n}"), **members)
            for fact, prefix in ((first, "a"), (second, members.get("prefix", "a")))
            for n in range(number)
        ]

    return made


def answers(number: int) -> list[Record]:
    started = [record("response.started", 0.0, response_id=f"r{n}") for n in range(number)]
    added = [record("item.added", 0.0, item_id=f"i{n}", kind="message", role="assistant") for n in range(number)]
    return [*started, *added, *(record("response.finished", 0.0, response_id=f"r{n}") for n in range(number))]


def metered(number: int) -> list[Record]:
    """Return reports of a session's time, each by a rate of its own: steno writes none, but who can write a log can."""
    return [
        record(
            "session.metered",
            0.0,
            session_id="s",
            active_seconds=1.0,
            cost={"usd": "1", "lines": [{"rate": str(n), "per": "second", "quantity": "1"}]},
        )
        for n in range(number)
    ]


@pytest.mark.parametrize(
    "made",
    [
        many("tool_call.started", "tool_call.finished"),
        many("input.committed", "input.committed"),
        many("input.timed_out", "input.committed", prefix="b"),
        many("speech.started", "transcription.finished", prefix="b"),
        many("response.interrupted", "response.interrupted", prefix="b"),
        many("session.opened", "conversation.closed"),
        many("segment.finished", "segment.finished", role="user"),
        metered,
        answers,
    ],
)
def test_the_work_of_a_timeline_grows_with_its_records_alone(made: Callable[[int], list[Record]]) -> None:
    steps = []
    for number in (150, 300):
        records = made(number)
        with Work() as work:
            shown("relay/call", records)
        steps.append(work.steps)

    assert steps[1] < 2.5 * steps[0]


def test_the_end_of_a_conversation_ends_all_of_its_sessions() -> None:
    opened = [record("session.opened", 1.0, session_id=name, kind=name) for name in ("realtime", "transcription")]
    made = shown("relay/call", [*opened, record("conversation.closed", 2.0, reason="ended")])

    assert [(span.begin, span.end, span.status) for span in made.spans] == [(BEGIN + 1, BEGIN + 2, "ended")] * 2


def test_what_several_responses_may_have_said_is_behind_all_turns() -> None:
    made = shown(
        "relay/call",
        [
            record("response.started", 1.0, response_id="one"),
            record("response.started", 1.0, response_id="two"),
            record("item.added", 2.0, item_id="i", kind="message", role="assistant"),
            finished(3.0, "one", text("transcript", "First")),
            finished(4.0, "two", text("transcript", "Second")),
        ],
    )

    assert [(each.item_id, each.text) for each in made.transcript] == [("i", "Second"), (None, "First")]
