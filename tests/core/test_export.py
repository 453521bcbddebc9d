"""The lines of `--state`: what a conversation and a stream look like when they are written out."""

import json
from typing import Any

import pytest

from steno.core.export import conversation_line, seconds_text, stream_line
from tests.core.helpers import (
    STREAM,
    USAGE,
    Event,
    Play,
    audio,
    call,
    cloud_event,
    created,
    delta,
    done,
    event,
    line_of,
    message,
    note,
    run,
    session,
    step,
    text_parts,
)

TOTALS: dict[str, Any] = {
    "tokens": [],
    "seconds": [],
    "cost_usd": "0",
    "unpriced": {},
    "complete": True,
    "responses": {},
    "runs": {},
    "run_steps": {},
    "interruptions": {},
    "dropped_objects": 0,
}


UNKNOWN: dict[str, Any] = {"cost_usd": None, "unpriced": {"no_usage": 1}}
"""What a conversation cost in which the usage of one thing was not reported."""


def test_a_voice_session_as_a_line() -> None:
    """Every member has its place, also where there is nothing to say."""
    play = Play()
    play.say(
        session(),
        created(),
        done(output=[message("item_1", "Hi")], usage={"input_tokens": 0, "output_tokens": 5}),
        created("resp_2"),
    )
    assert line_of(play.state()) == {
        "schema": "steno.conversation/1",
        "key": STREAM,
        "family": "realtime",
        "stream": STREAM,
        "open": True,
        "closed_reason": None,
        "conversation_id": None,
        "call_id": None,
        "session": session()["session"],
        "responses": [
            done(output=[message("item_1", "Hi")], usage={"input_tokens": 0, "output_tokens": 5})["response"]
        ],
        "runs": [],
        "run_steps": [],
        "messages": [],
        "unfinished": [created("resp_2")["response"]],
        "transcript": [{"item_id": "item_1", "role": "assistant", "text": "Hi", "heard": None}],
        "speech": [],
        "tools": [],
        "totals": {
            **TOTALS,
            "tokens": [
                {"model": "gpt-realtime", "direction": "output", "modality": "unknown", "cached": False, "tokens": 5}
            ],
            "cost_usd": None,
            "unpriced": {"no_price_list": 1},
            "responses": {"completed": 1},
        },
        "rejected": {},
        "events": 4,
    }


def test_a_thread_as_a_line() -> None:
    """Of each run and message the last object, of each step the one that it ended with."""
    play = Play()
    play.say(run("queued"), run("in_progress"), step("in_progress"), step("completed"))
    play.say(
        note("in_progress"), note("completed", content=text_parts("Hi")), step("in_progress", "step_2"), run("failed")
    )
    assert line_of(play.state("relay/thread_1")) == {
        "schema": "steno.conversation/1",
        "key": "relay/thread_1",
        "family": "assistants",
        "stream": STREAM,
        "open": True,
        "closed_reason": None,
        "conversation_id": None,
        "call_id": None,
        "session": None,
        "responses": [],
        "runs": [run("failed")["data"]],
        "run_steps": [step("completed")["data"], step("in_progress", "step_2")["data"]],
        "messages": [note("completed", content=text_parts("Hi"))["data"]],
        "unfinished": [],
        "transcript": [{"item_id": "msg_1", "role": "assistant", "text": "Hi", "heard": None}],
        "speech": [],
        "tools": [],
        "totals": {
            **TOTALS,
            **UNKNOWN,
            "complete": False,
            "runs": {"failed": 1},
            "run_steps": {"completed": 1, "failed": 1},
        },
        "rejected": {},
        "events": 8,
    }


def test_a_chatkit_session_as_a_line() -> None:
    """It has a session and nothing else yet; the end user's name stands in it, the secret does not."""
    chat = {"id": "cksess_1", "object": "chatkit.session", "user": "ann", "client_secret": "hunter2"}
    play = Play()
    play.say(chat)
    line = line_of(play.state("relay/cksess_1"))
    assert (line["family"], line["session"], line["transcript"], line["totals"]) == (
        "chatkit",
        {**chat, "client_secret": "***"},
        [],
        TOTALS,
    )


def test_a_closed_conversation_says_why() -> None:
    """And what was in progress is not any more."""
    play = Play()
    play.say(session(), created())
    play.close()
    [line] = [line_of(state) for state in play.closed]
    assert (line["open"], line["closed_reason"], line["unfinished"]) == (False, "disconnected", [])


def test_objects_stand_as_upstream_sent_them() -> None:
    """Digits, spacing and members that nobody knows included; one that is spread over lines is put on one."""
    play = Play()
    exact = b'{"id":"resp_1", "new":{"x":1.10,"y":1e999,"z":12345678901234567890123},"status":"completed"}'
    pretty = b'{\n  "id": "resp_2",\n  "x": 1.10\n}'
    play.feed(b'{"type":"response.done","response":%b}' % exact)
    play.feed(b'{"type":"response.done","response":%b}' % pretty)
    line = conversation_line(play.state())
    assert b'"responses":[' + exact + b',{"id":"resp_2","x":1.10}]' in line
    assert line.count(b"\n") == 1


def test_a_bare_response_stands_there_too() -> None:
    """There is no event around it, and so it is all that came."""
    play = Play()
    bare = {"object": "realtime.response", "id": "resp_1", "status": "completed"}
    play.say(bare, {**bare, "id": "resp_2"}, {**bare, "id": "resp_3", "status": "in_progress"})
    line = line_of(play.state())
    assert line["responses"] == [bare, {**bare, "id": "resp_2"}]
    assert line["unfinished"] == [{**bare, "id": "resp_3", "status": "in_progress"}]


def test_secrets_are_hidden() -> None:
    """At any depth of every kind of object."""
    secret: Event = {"client_secret": {"value": "hunter2"}, "tools": [{"type": "mcp", "headers": {"X": "hunter2"}}]}
    play = Play()
    play.say(
        session(**secret), created(metadata={"api_key": "hunter2"}), done("resp_2", x={"authorization": "hunter2"})
    )
    play.say(run("queued", tools=[{"authorization": "hunter2"}]), step("in_progress", metadata={"password": "hunter2"}))
    lines = conversation_line(play.state()) + conversation_line(play.state("relay/thread_1"))
    assert b"hunter2" not in lines
    assert lines.count(b'"***"') == 6


def test_a_stream_as_a_line() -> None:
    """Frames are events, known or not, or they are malformed."""
    play = Play()
    play.say(session(), {"type": "ping"}, {"type": "ping"}, cloud_event({"type": "pong"}), event("response.done"))
    play.feed(b"nothing")
    play.feed(b"[]")
    assert json.loads(stream_line(play.stream)) == {
        "schema": "steno.stream/1",
        "stream": STREAM,
        "frames": 7,
        "events": 5,
        "unknown": {"ping": 2, "pong": 1},
        "malformed": {"not_json": 1, "not_object": 1},
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (3.0, "3"), (3.25, "3.25"), (0.1 + 0.2, "0.3"), (100.0, "100"), (1e-9, "0"), (2.0**53, str(2**53))],
)
def test_seconds_are_decimal_text(value: float, text: str) -> None:
    """Neither an exponent nor digits that nobody meant."""
    assert seconds_text(value) == text


def test_what_was_used_has_no_price_without_a_price_list() -> None:
    """Nor has what nobody counted; why is reported, with how many usages."""
    play = Play()
    play.say(session(), created(), audio(), done(usage=USAGE), done("resp_2", usage=USAGE), done("resp_3"))
    play.say(
        event(
            "conversation.item.input_audio_transcription.completed",
            item_id="item_1",
            transcript="Hi",
            usage={"type": "duration", "seconds": 1},
        )
    )
    totals = line_of(play.state())["totals"]
    assert (totals["cost_usd"], totals["unpriced"]) == (None, {"no_price_list": 3, "no_usage": 1})


@pytest.mark.parametrize("key", [STREAM, "relay/thread_1", "relay/cksess_1"])
def test_words_that_were_erased_are_in_no_line(key: str) -> None:
    """Nor are upstream's objects, which hold them; what was counted stays."""
    play = Play()
    typed = event("conversation.item.added", item={**message("item_0", "SECRET", "input_text"), "role": "user"})
    play.say(session(instructions="SECRET"), typed, created(metadata={"a": "SECRET"}), delta("SECRET"))
    play.say(done(output=[call("item_2", "call_1", "SECRET")]), created("resp_2", metadata={"a": "SECRET"}))
    play.say(run("queued", instructions="SECRET"), step("in_progress"), step("completed"), note("in_progress"))
    play.say(note("completed", content=text_parts("SECRET")), step("in_progress", "step_2", metadata={"a": "SECRET"}))
    play.say({"id": "cksess_1", "object": "chatkit.session", "user": "SECRET"})
    before = line_of(play.state(key))
    assert "SECRET" in repr(before)

    play.state(key).erase_content()

    after = line_of(play.state(key))
    assert "SECRET" not in repr(after)
    assert {**after["totals"], "dropped_objects": 0} == before["totals"]
    assert [each["item_id"] for each in after["transcript"]] == [each["item_id"] for each in before["transcript"]]
