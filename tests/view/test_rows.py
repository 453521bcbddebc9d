"""A conversation as a row: what it does now, and what it adds up to, while it is open and after its end."""

import pytest

from steno.view.rows import Latency, Row, TokenSums, ToolCalls
from tests.core.helpers import BEGIN, Event, event
from tests.view.plays import ViewPlay

SECOND = BEGIN / 1_000_000

CREATED = event("session.created", session={"id": "sess_1", "type": "realtime", "model": "gpt-realtime"})
HEARD = event("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=10)
SILENT = event("input_audio_buffer.speech_stopped", item_id="item_1", audio_end_ms=1000)
COMMITTED = event("input_audio_buffer.committed", item_id="item_1")


def created(key: str = "resp_1") -> Event:
    return event("response.created", response={"id": key, "status": "in_progress", "output": []})


def sound(key: str = "resp_1") -> Event:
    return event(
        "response.output_audio.delta", response_id=key, item_id="item_2", output_index=0, content_index=0, delta="AAAA"
    )


def done(key: str = "resp_1", **members: object) -> Event:
    usage = {"input_tokens": 40, "output_tokens": 8, "total_tokens": 48}
    return event("response.done", response={"id": key, "status": "completed", "output": [], "usage": usage, **members})


def called(key: str = "resp_1") -> Event:
    item = {"id": "item_3", "type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"}
    return event("response.output_item.done", response_id=key, output_index=0, item=item)


def returned() -> Event:
    item = {"id": "item_4", "type": "function_call_output", "call_id": "call_1", "output": "{}"}
    return event("conversation.item.added", item=item)


def test_what_a_conversation_does_now_follows_its_events() -> None:
    play = ViewPlay()
    seen = []
    for step in (CREATED, HEARD, SILENT, COMMITTED, created(), called(), done(), returned()):
        play.wait(100)
        play.say(step)
        seen.append(play.row().state)
    play.wait(61_000)
    seen.append(play.row().state)
    play.close()
    seen.append(play.row().state)

    assert seen == [
        *("listening", "speaking", "waiting", "waiting", "responding", "responding", "tool", "waiting"),
        *("idle", "closed"),
    ]


@pytest.mark.parametrize(
    ("steps", "before"),
    [
        ((CREATED, HEARD), "speaking"),
        ((CREATED, created(), sound()), "responding"),
        ((CREATED, created(), called(), done()), "tool"),
    ],
)
def test_a_conversation_whose_stream_ended_is_idle_until_something_comes(steps: tuple[Event, ...], before: str) -> None:
    play = ViewPlay(conversation="call")
    seen = []
    for step in steps:
        play.wait(100)
        play.say(step)
    seen.append(play.row().state)
    play.close(code=1006)
    seen.append(play.row().state)
    play.wait(2_000)
    play.say(HEARD, on=play.open("relay/2", "call"))
    seen.append(play.row().state)

    assert seen == [before, "idle", "speaking"]


def test_a_row_says_what_a_conversation_adds_up_to_open_and_ended() -> None:
    play = ViewPlay()
    for pause, step in (
        *((0, CREATED), (1000, HEARD), (1000, SILENT), (20, COMMITTED)),
        *((300, created()), (200, sound()), (100, done())),
        (0, event("error", error={"type": "invalid_request_error", "code": "late", "message": "too late"})),
        (0, event("conversation.item.truncated", item_id="item_none", content_index=0, audio_end_ms=3)),
    ):
        play.wait(pause)
        play.say(step)
    row = play.row()
    play.wait(380)
    play.close(code=None)
    ended = play.row()

    assert row == Row(
        key="relay/1790000000000000/1",
        family="realtime",
        source="relay",
        labels={"desk": "front"},
        kind="realtime",
        stream="relay/1790000000000000/1",
        open=True,
        closed_reason=None,
        model="gpt-realtime",
        opened_at=SECOND,
        last_event_at=(BEGIN + 2_620_000) / 1_000_000,
        closed_at=None,
        age_seconds=2.62,
        state="listening",
        events=9,
        turns=1,
        unanswered_turns=0,
        responses=1,
        interruptions=0,
        turn_latency_seconds=Latency(0.52, 0.52),
        tool_calls=ToolCalls(0, 0, 0),
        tokens=TokenSums(40, 8),
        cost_usd=None,
        unpriced={"no_price_list": 1},
        gaps=0,
        errors=1,
        rejected=1,
    )
    assert (ended.open, ended.state, ended.closed_reason, ended.closed_at) == (
        *(False, "closed", "disconnected"),
        SECOND + 3,
    )
    assert (ended.age_seconds, ended.events, ended.tokens, ended.unpriced) == (3, 9, row.tokens, row.unpriced)


def test_who_speaks_again_or_leaves_was_not_answered_and_a_late_commit_begins_no_wait() -> None:
    play = ViewPlay()
    play.say(CREATED, HEARD, SILENT, COMMITTED, HEARD)  # not answered
    play.say(SILENT, created(), sound(), COMMITTED, done())  # answered before the commit came
    answered = play.row()
    play.say(HEARD, SILENT, COMMITTED)
    play.close()

    assert (answered.turns, answered.unanswered_turns, answered.state) == (2, 1, "listening")
    assert (play.row().turns, play.row().unanswered_turns) == (3, 2)


def test_a_silence_that_is_committed_is_no_turn() -> None:
    play = ViewPlay()
    play.say(CREATED, event("input_audio_buffer.timeout_triggered", item_id="item_1"), COMMITTED)

    assert (play.row().turns, play.row().state) == (0, "listening")


def test_a_gap_of_the_stream_is_one_of_its_conversations() -> None:
    play = ViewPlay(conversation="call-7")
    play.say(CREATED)
    play.pipeline.stream_closed(play.stream, play.now, None, gap="broken_off")

    assert (play.row().gaps, play.row().open) == (1, True)
