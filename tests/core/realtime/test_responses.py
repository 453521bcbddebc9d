"""Responses: from their beginning over deltas to the object that stands, whatever came before it."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, EventRejected, Fact, Tokens
from tests.core.helpers import (
    STREAM,
    UNPRICED,
    USAGE,
    Event,
    Play,
    audio,
    call,
    created,
    delta,
    done,
    event,
    message,
    session,
)

IDS = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}


def begun(**limits: Any) -> Play:
    """A session in which one response has begun."""
    play = Play(**limits)
    play.say(session(), created())
    play.told.clear()
    return play


def finished(key: str | None = "resp_1", status: str = "completed", **members: Any) -> facts.ResponseFinished:
    """The fact of a response that did nothing, at once."""
    told = facts.ResponseFinished(
        response_id=key,
        status=status,
        reason=None,
        conversation_id=None,
        model="gpt-realtime",
        items=0,
        output=(),
        audio_seconds=None,
        duration_seconds=0.0,
        time_to_first_token_seconds=None,
        time_to_first_audio_seconds=None,
        turn_latency_seconds=None,
        tokens=(),
    )
    return replaced(told, **members)


def replaced(fact: facts.ResponseFinished, **members: Any) -> facts.ResponseFinished:
    return facts.ResponseFinished(**{**{name: getattr(fact, name) for name in fact.__struct_fields__}, **members})


def differed(*members: str, item: str = "item_1") -> facts.DeltasDiffered:
    return facts.DeltasDiffered(item_id=item, members=members)


def text(play: Play, item: str = "item_1") -> str:
    words: str = play.state().items[item].text()
    return words


# The beginning --------------------------------------------------------------------------------------------------


def test_a_response_begins_once() -> None:
    """A second beginning changes nothing, nor does one after its end."""
    play = Play()
    play.say(session())
    assert play.say(created(conversation_id="conv_1", model="gpt-x")) == [
        facts.ResponseStarted(response_id="resp_1", conversation_id="conv_1", model="gpt-x")
    ]
    rejected = EventRejected(event="response.created", reason="repeated")
    assert play.say(created()) == [rejected]
    play.say(done())
    assert play.say(created()) == [rejected]
    assert play.line()["rejected"] == {"repeated": 2}


def test_a_response_without_an_id_cannot_begin() -> None:
    """No later event could find it."""
    play = Play()
    play.say(session())
    rejected = EventRejected(event="response.created", reason="missing_object")
    assert play.say(event("response.created"), created(None)) == [rejected, rejected]


def test_what_has_begun_is_shown_as_unfinished() -> None:
    """A recording that was cut shows what was under way, as upstream sent it."""
    play = begun()
    assert play.line()["unfinished"] == [created()["response"]]
    play.say(done())
    assert play.line()["unfinished"] == []


def test_too_many_at_once_give_up_the_oldest() -> None:
    """It is told, and its end, should it come, is told too."""
    play = begun(open_responses=2)
    assert play.say(created("resp_2")) == [
        facts.ResponseStarted(response_id="resp_2", conversation_id=None, model="gpt-realtime")
    ]
    assert play.say(created("resp_3")) == [
        facts.ResponseStarted(response_id="resp_3", conversation_id=None, model="gpt-realtime"),
        facts.ResponseAbandoned(response_id="resp_1", model="gpt-realtime"),
    ]
    assert play.say(done()) == [finished(duration_seconds=None)]


# Deltas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["output_text", "output_audio_transcript", "text", "audio_transcript"])
def test_words_grow_by_deltas(kind: str) -> None:
    """They say nothing, and the state has them at once."""
    play = begun()
    assert play.say(delta("Hel", kind=kind), delta("", kind=kind), delta("lo", kind=kind)) == []
    assert text(play) == "Hello"


def test_arguments_grow_by_deltas() -> None:
    """Of functions and of MCP alike."""
    play = begun()
    play.say(delta('{"a"', kind="function_call_arguments"), delta(":1}", kind="function_call_arguments"))
    play.say(delta("{}", "item_2", kind="mcp_call_arguments"))
    assert (text(play), text(play, "item_2")) == ('{"a":1}', "{}")


def test_parts_are_read_in_order() -> None:
    """Whichever grew first, and only as many as are kept."""
    play = begun()
    play.say(delta("two", content_index=1), delta("one ", content_index=0), delta("three", content_index=256))
    assert text(play) == "one two"


def test_audio_is_measured_and_not_kept() -> None:
    """By the length of its text: escapes, padding, and no text at all included."""
    play = begun()
    pieces = ["AAAA", "AAA=", "AA==", "A=", "=", "", "+/+/"]
    play.say(*(audio(piece) for piece in pieces))
    play.feed(rb'{"type":"response.output_audio.delta","response_id":"resp_1","delta":"+\/+\/"}')
    play.say(event("response.output_audio.delta", response_id="resp_1", delta=None))
    assert play.state().open["resp_1"].audio_bytes == 3 + 2 + 1 + 3 + 3
    (item,) = play.state().items.values()
    assert (item.audio_bytes, item.parts) == (3 + 2 + 1 + 3, {})


@pytest.mark.parametrize(
    ("formats", "seconds"),
    [
        ({}, 1.0),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}}}}, 1.0),
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, 6.0),
        ({"audio": {"output": {"format": "g711_alaw"}}}, 6.0),
        ({"output_audio_format": "g711_ulaw"}, 6.0),
        ({"output_audio_format": "opus"}, 1.0),
    ],
)
def test_how_long_audio_lasts_follows_from_its_format(formats: Event, seconds: float) -> None:
    """The response's own, or the session's."""
    play = begun()
    play.say(audio("AAAA" * 16_000))
    assert play.say(done(**formats)) == [
        finished(audio_seconds=seconds, time_to_first_audio_seconds=0.0),
    ]
    play = Play()
    play.say(session(**formats), created(), audio("AAAA" * 16_000))
    assert play.say(done()) == [finished(audio_seconds=seconds, time_to_first_audio_seconds=0.0)]


NAMELESS = [
    (delta("a", response_id=None), "unknown_response"),
    (delta("a", item_id=None), "missing_id"),
    (delta("a", response_id="resp_2", item_id=None), "missing_id"),
    (delta("a", kind="mcp_call_arguments", item_id=None), "missing_id"),
    (audio(response_id=None), "unknown_response"),
    (event("response.output_audio_transcript.done", **{**IDS, "item_id": None}, transcript="a"), "missing_id"),
    (event("response.content_part.done", **{**IDS, "response_id": None}, part={"text": "a"}), "unknown_response"),
    (event("response.output_item.done", response_id=None, item=message("item_1", "a")), "unknown_response"),
    (event("response.output_item.added", response_id="resp_2", item={"type": "message"}), "missing_object"),
]


@pytest.mark.parametrize(("stray", "reason"), NAMELESS, ids=lambda told: told["type"] if isinstance(told, dict) else "")
def test_what_names_no_response_or_item_is_rejected(stray: Event, reason: str) -> None:
    """It is counted, and leaves the state as it was."""
    play = begun()
    before = play.line()
    assert play.say(stray) == [EventRejected(event=stray["type"], reason=reason)]
    assert play.line() == {**before, "rejected": {reason: 1}, "events": before["events"] + 1}
    assert (play.rejected, play.state().items, list(play.state().open)) == ({reason: 1}, {}, ["resp_1"])


LATE = {**IDS, "response_id": "resp_2"}
FIRST = [
    delta("a", response_id="resp_2"),
    delta("a", kind="function_call_arguments", response_id="resp_2"),
    audio(response_id="resp_2"),
    event("response.output_text.done", **LATE, text="a"),
    event("response.output_audio_transcript.done", **LATE, transcript="a"),
    event("response.content_part.done", **LATE, part={"text": "a"}),
    event("response.function_call_arguments.done", **LATE, arguments="a", call_id="call_1"),
    event("response.output_item.added", response_id="resp_2", item=message("item_1", "a")),
    event("response.output_item.done", response_id="resp_2", item=message("item_1", "a")),
]


@pytest.mark.parametrize("first", FIRST, ids=lambda first: first["type"])
def test_the_first_event_that_names_a_response_begins_it(first: Event) -> None:
    """Whoever joins in the middle of an answer never sees its `response.created`; it has no durations then."""
    play = Play()
    play.say(session())
    told = play.say(first)
    assert told[0] == facts.ResponseStarted(
        response_id="resp_2", conversation_id=None, model=play.state().session_model
    )
    assert play.rejected == {}
    (ended,) = [fact for fact in play.say(done(id="resp_2")) if isinstance(fact, facts.ResponseFinished)]
    assert (ended.duration_seconds, ended.time_to_first_token_seconds, ended.time_to_first_audio_seconds) == (
        None,
        None,
        None,
    )
    assert play.say(first) == [EventRejected(event=first["type"], reason="unknown_response")]


@pytest.mark.parametrize("first", FIRST, ids=lambda first: first["type"])
def test_an_empty_id_names_no_response(first: Event) -> None:
    """Whatever comes with it is rejected, once."""
    play = begun()
    stray = {**first, "response_id": ""}
    assert play.say(stray) == [EventRejected(event=stray["type"], reason="unknown_response")]
    assert list(play.state().open) == ["resp_1"]


def test_responses_that_were_only_named_are_bounded_too() -> None:
    """Past the limit the oldest is given up, whoever began it."""
    play = Play(open_responses=2)
    play.say(session())
    for number in range(4):
        play.say(delta("a", response_id=f"resp_{number}", item_id=f"item_{number}"))
    assert list(play.state().open) == ["resp_2", "resp_3"]
    assert [fact.response_id for fact in play.facts if isinstance(fact, facts.ResponseAbandoned)] == [
        "resp_0",
        "resp_1",
    ]


def test_what_comes_after_the_end_is_rejected() -> None:
    """The object that ended it stands."""
    play = begun()
    play.say(done(output=[message("item_1", "Hello")]))
    assert play.say(delta(" again")) == [EventRejected(event="response.output_text.delta", reason="unknown_response")]
    assert text(play) == "Hello"


def test_an_output_item_without_an_id_is_rejected() -> None:
    """Its response is known, but no place for it."""
    play = begun()
    for name in ("added", "done"):
        rejected = EventRejected(event=f"response.output_item.{name}", reason="missing_object")
        assert play.say(event(f"response.output_item.{name}", response_id="resp_1")) == [rejected]


# What stands ----------------------------------------------------------------------------------------------------

WHOLES = [
    event("response.output_text.done", **IDS, text="Hello"),
    event("response.output_audio_transcript.done", **IDS, transcript="Hello"),
    event("response.content_part.done", **IDS, part={"type": "text", "text": "Hello"}),
    event("response.content_part.done", **IDS, part={"type": "audio", "transcript": "Hello"}),
    event("response.output_item.done", response_id="resp_1", item=message("item_1", "Hello")),
    event("conversation.item.done", item=message("item_1", "Hello", "output_audio")),
]


@pytest.mark.parametrize("whole", WHOLES, ids=lambda whole: whole["type"])
def test_a_whole_replaces_what_the_deltas_built(whole: Event) -> None:
    """Where they add up to it, nothing is told; where they do not, that is."""
    play = begun()
    play.say(delta("Hel"), delta("lo"))
    assert play.say(whole) == []
    play = begun()
    play.say(delta("Hel"))
    assert play.say(whole) == [differed("content")]
    assert text(play) == "Hello"
    play = begun()
    assert play.say(whole) == []
    assert text(play) == "Hello"


def test_the_response_itself_has_the_last_word() -> None:
    """Also over an item that was told whole before."""
    play = begun()
    play.say(delta("Hel"), event("response.output_text.done", **IDS, text="Hello"))
    assert play.say(done(output=[message("item_1", "Hello!")])) == [
        differed("content"),
        finished(items=1, output=(Content("text", "Hello!"),), time_to_first_token_seconds=0.0),
    ]
    assert text(play) == "Hello!"


def test_parts_that_the_final_form_does_not_have_are_gone() -> None:
    """They were never said. But a final form without any content tells nothing."""
    play = begun()
    play.say(delta("One."), delta("Two.", content_index=1))
    assert play.say(event("conversation.item.done", item=message("item_1", "", content=[]))) == []
    assert text(play) == "One.Two."
    assert play.say(event("conversation.item.done", item=message("item_1", "One."))) == [differed("content")]
    assert (text(play), play.state().transcript.characters) == ("One.", 4)


def test_a_part_without_words_takes_none() -> None:
    """Some servers leave the part out, and audio without a transcript says nothing about it."""
    play = begun()
    play.say(delta("Hello"))
    silent = message("item_1", "", content=[{"type": "output_audio", "transcript": None}])
    assert play.say(event("response.content_part.done", **IDS), event("conversation.item.done", item=silent)) == []
    assert text(play) == "Hello"


def test_arguments_that_differ_are_told_as_arguments() -> None:
    """They are no words of the model to the caller."""
    play = begun()
    play.say(delta('{"a":', kind="function_call_arguments"))
    whole = event("response.function_call_arguments.done", **IDS, call_id="call_1", arguments='{"a":1}')
    assert play.say(whole) == [differed("arguments")]
    assert text(play) == '{"a":1}'


# The end --------------------------------------------------------------------------------------------------------


def test_a_response_that_was_completed() -> None:
    """What it said, how much it used, how long it took."""
    play = begun()
    play.wait(100)
    play.say(delta("Hello"))
    play.wait(150)
    items = [message("item_1", "Hello"), message("item_2", "Hi", "output_audio"), call("item_3", "call_1", '{"a":1}')]
    assert play.say(done(output=items, conversation_id="conv_1", usage=USAGE)) == [
        facts.ToolCallStarted(call_id="call_1", kind="function", name="look_up"),
        finished(
            conversation_id="conv_1",
            items=3,
            output=(Content("text", "Hello"), Content("transcript", "Hi"), Content("arguments", '{"a":1}')),
            duration_seconds=0.25,
            time_to_first_token_seconds=0.1,
            tokens=(
                Tokens("gpt-realtime", "input", "text", False, 16),
                Tokens("gpt-realtime", "input", "audio", False, 32),
                Tokens("gpt-realtime", "input", "text", True, 4),
                Tokens("gpt-realtime", "input", "audio", True, 8),
                Tokens("gpt-realtime", "output", "text", False, 10),
                Tokens("gpt-realtime", "output", "audio", False, 30),
            ),
            cost=UNPRICED,
        ),
    ]


@pytest.mark.parametrize(
    ("status", "details", "reason"),
    [
        ("cancelled", {"type": "cancelled", "reason": "turn_detected"}, "turn_detected"),
        ("cancelled", {"type": "cancelled", "reason": "client_cancelled"}, "client_cancelled"),
        ("cancelled", {"type": "cancelled", "reason": "a reason of tomorrow"}, "other"),
        ("cancelled", None, "unknown"),
        ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"}, "max_output_tokens"),
        ("incomplete", {"type": "incomplete", "reason": "content_filter"}, "content_filter"),
        ("failed", {"type": "failed", "error": {"type": "server_error", "code": None}}, "server_error"),
        ("failed", {"type": "failed", "error": {"code": "insufficient_quota"}}, "insufficient_quota"),
        ("failed", {"type": "failed"}, "unknown"),
        ("failed", None, "unknown"),
    ],
)
def test_a_response_that_broke_off_says_why(status: str, details: Event | None, reason: str) -> None:
    """Once as its end, once as what happened to it: of failures the cause is that, and the code stands beside it."""
    cause, code = ("failed", reason) if status == "failed" else (reason, None)
    play = begun()
    assert play.say(done(status=status, status_details=details)) == [
        finished(status=status, reason=reason),
        facts.ResponseInterrupted(response_id="resp_1", reason=cause, model="gpt-realtime", code=code),
    ]
    totals = play.line()["totals"]
    assert (totals["responses"], totals["interruptions"]) == ({status: 1}, {cause: 1})


@pytest.mark.parametrize("status", ["in_progress", "paused", None])
def test_an_end_with_a_status_that_is_none_is_an_end(status: str | None) -> None:
    """Every `response.done` gives one finished response."""
    play = begun()
    told = play.say(event("response.done", response={"id": "resp_1", "status": status}))
    assert [fact for fact in told if isinstance(fact, facts.ResponseFinished)] == [
        finished(status="other", reason="unknown")
    ]


def test_details_that_are_a_word_are_no_details() -> None:
    """One dialect says `unimplemented` in their place; a completed response needs none."""
    play = begun()
    assert play.say(done(status_details="unimplemented")) == [finished()]
    assert play.pipeline.source("relay").drifted == 1


def test_an_end_without_a_beginning_is_an_end() -> None:
    """An interruption may overtake it. There is no beginning to measure from."""
    play = begun()
    assert play.say(done("resp_2", output=[message("item_9", "Hi")])) == [
        finished("resp_2", items=1, output=(Content("text", "Hi"),), duration_seconds=None)
    ]
    assert text(play, "item_9") == "Hi"


def test_an_end_without_an_id_is_an_end() -> None:
    """Each time, since nobody can tell whether it is the same."""
    play = begun()
    told = finished(None, duration_seconds=None)
    assert play.say(done(None), done(None)) == [told, told]


def test_an_end_that_is_told_twice_counts_once() -> None:
    """Usage above all."""
    play = begun()
    play.say(done(usage=USAGE))
    before = play.line()
    rejected = EventRejected(event="response.done", reason="repeated")
    assert play.say(done(usage=USAGE)) == [rejected]
    assert play.line() == {**before, "rejected": {"repeated": 1}, "events": before["events"] + 1}


def test_an_end_of_nothing_is_rejected() -> None:
    """Without the object there is no status."""
    rejected = EventRejected(event="response.done", reason="missing_object")
    assert begun().say(event("response.done")) == [rejected]


def test_usage_beside_the_response_counts() -> None:
    """One dialect puts it there, and an empty one into the response."""
    play = begun()
    usage = {"total_tokens": 7, "input_tokens": 5, "output_tokens": 2}
    told = play.say({**done(usage={}), "usage": usage})
    tokens = (
        Tokens("gpt-realtime", "input", "unknown", False, 5),
        Tokens("gpt-realtime", "output", "unknown", False, 2),
    )
    assert told == [finished(tokens=tokens, cost=UNPRICED)]


def test_the_model_is_the_responses_else_the_sessions() -> None:
    """Where a compatible server names one, it is believed."""
    play = begun()
    assert play.say(done(model="gpt-x")) == [finished(model="gpt-x")]
    assert play.say(done("resp_2", model="a sentence: it names no model!")) == [
        finished("resp_2", model="other", duration_seconds=None)
    ]
    play = Play()
    play.say(created())
    assert play.say(done()) == [finished(model=None)]


def test_two_responses_at_once_do_not_mix() -> None:
    """Their deltas name them."""
    play = begun()
    play.say(created("resp_2"))
    play.say(delta("one"), delta("two", "item_2", response_id="resp_2"), delta(" and", "item_1"))
    play.wait(50)
    assert play.say(done("resp_2"), done()) == [
        finished("resp_2", duration_seconds=0.05, time_to_first_token_seconds=0.0),
        finished(duration_seconds=0.05, time_to_first_token_seconds=0.0),
    ]
    assert (text(play), text(play, "item_2")) == ("one and", "two")


# What is kept ---------------------------------------------------------------------------------------------------


def test_ended_responses_are_kept_as_they_came() -> None:
    """In the order in which they ended, known members or not."""
    play = begun()
    play.say(created("resp_2"))
    one, two = done(new={"a": [1.5]}), done("resp_2", "failed", max_output_tokens="inf")
    play.say(two, one)
    assert play.line()["responses"] == [two["response"], one["response"]]


def test_more_than_are_kept_push_the_oldest_out() -> None:
    """How many went is told, and all of them count."""
    play = begun(kept_objects=2, object_bytes=1024)
    play.say(done("resp_2"), done("resp_3", metadata={"long": "x" * 1024}), done("resp_4"), done("resp_5"))
    line = play.line()
    assert [response["id"] for response in line["responses"]] == ["resp_4", "resp_5"]
    assert (line["totals"]["dropped_objects"], line["totals"]["responses"]) == (2, {"completed": 4})


def test_none_at_all_may_be_kept() -> None:
    """A daemon that only counts needs none."""
    play = begun(kept_objects=0)
    play.say(done())
    line = play.line()
    assert (line["responses"], line["totals"]["dropped_objects"]) == ([], 1)


def test_ids_of_the_ended_are_remembered_so_far() -> None:
    """A repetition after a thousand others is not known any more; it is an end like any."""
    play = begun()
    play.say(*(done(f"resp_{number}") for number in range(1025)))
    assert play.say(done("resp_1")) == [EventRejected(event="response.done", reason="repeated")]
    assert play.say(done("resp_0")) == [finished("resp_0", duration_seconds=None)]
    assert len(play.state().ended_responses) == 1024


def test_invented_models_do_not_make_the_totals_grow_for_ever() -> None:
    """Past a number of different ones they are summed as `other`, and no token is lost."""
    play = begun()
    play.say(*(done(f"r{number}", model=f"m{number}", usage={"input_tokens": 1}) for number in range(600)))
    tokens = play.line()["totals"]["tokens"]
    assert (len(tokens), sum(each["tokens"] for each in tokens)) == (513, 600)
    assert tokens[-1] == {"model": "other", "direction": "input", "modality": "unknown", "cached": False, "tokens": 88}


def test_invented_codes_do_not_either() -> None:
    """Of failures the cause is counted, not the code."""
    play = begun()
    failures = (done(f"r{number}", "failed", status_details={"error": {"code": f"c{number}"}}) for number in range(600))
    play.say(*failures)
    interruptions = play.line()["totals"]["interruptions"]
    assert interruptions == {"failed": 600}


# Giving up ------------------------------------------------------------------------------------------------------


def test_what_is_in_progress_when_the_stream_ends_is_given_up() -> None:
    """First the responses, then the calls; then the conversation closes."""
    play = begun()
    play.say(event("response.output_item.added", response_id="resp_1", item=call("item_1", "call_1", "")))
    expected: list[Fact] = [
        facts.ResponseAbandoned(response_id="resp_1", model="gpt-realtime"),
        facts.ToolCallFinished(
            call_id="call_1",
            kind="function",
            name="look_up",
            status="abandoned",
            duration_seconds=None,
            arguments=None,
            output=None,
        ),
        facts.ConversationClosed(
            family="realtime",
            reason="disconnected",
            duration_seconds=0.0,
            events=3,
            responses=0,
            runs=0,
            tokens=(),
        ),
        facts.StreamClosed(source="relay", reason="disconnected", code=1006, frames=3),
    ]
    assert play.close(code=1006) == expected
    assert play.open_keys == []
    assert [(state.key, state.closed_reason) for state in play.closed] == [(STREAM, "disconnected")]
