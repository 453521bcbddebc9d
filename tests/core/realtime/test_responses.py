"""Responses: from their beginning over deltas to their object, which stands whatever came before it."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, EventRejected, Fact, Tokens
from tests.core.helpers import (
    NO_USAGE,
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
    play.emitted.clear()
    return play


def finished(key: str | None = "resp_1", status: str = "completed", **members: Any) -> facts.ResponseFinished:
    """The fact of a response that did nothing, at once."""
    fact = facts.ResponseFinished(
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
        cost=NO_USAGE,
    )
    return replaced(fact, **members)


def replaced(fact: facts.ResponseFinished, **members: Any) -> facts.ResponseFinished:
    return facts.ResponseFinished(**{**{name: getattr(fact, name) for name in fact.__struct_fields__}, **members})


def differed(*members: str, item: str = "item_1") -> facts.DeltasDiffered:
    return facts.DeltasDiffered(item_id=item, members=members)


def text(play: Play, item: str = "item_1") -> str:
    held: str = play.state().items[item].text()
    return held


# The beginning --------------------------------------------------------------------------------------------------


def test_response_begins_once() -> None:
    """A second `response.created` changes nothing, nor does one after the end."""
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


def test_response_without_an_id_cannot_begin() -> None:
    """No later event could name it."""
    play = Play()
    play.say(session())
    rejected = EventRejected(event="response.created", reason="missing_object")
    assert play.say(event("response.created"), created(None)) == [rejected, rejected]


def test_response_in_progress_is_unfinished() -> None:
    """The state has its object as upstream sent it."""
    play = begun()
    assert play.line()["unfinished"] == [created()["response"]]
    play.say(done())
    assert play.line()["unfinished"] == []


def test_oldest_response_is_abandoned_past_the_limit() -> None:
    """Its end is reported all the same, should it come."""
    play = begun(open_responses=2)
    assert play.say(created("resp_2")) == [
        facts.ResponseStarted(response_id="resp_2", conversation_id=None, model="gpt-realtime")
    ]
    assert play.say(created("resp_3")) == [
        facts.ResponseStarted(response_id="resp_3", conversation_id=None, model="gpt-realtime"),
        facts.ResponseAbandoned(response_id="resp_1", model="gpt-realtime", cost=NO_USAGE),
    ]
    assert play.say(done()) == [finished(duration_seconds=None)]


# Deltas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["output_text", "output_audio_transcript", "text", "audio_transcript"])
def test_text_grows_by_deltas(kind: str) -> None:
    """The first one that brings text is reported, the others are not. The state has the text at once."""
    play = begun()
    assert play.say(delta("", kind=kind)) == []
    [started] = play.say(delta("Hel", kind=kind), delta("", kind=kind), delta("lo", kind=kind))
    assert started == facts.ResponseOutputStarted(
        response_id="resp_1", model="gpt-realtime", output="text", after_seconds=0.0
    )
    assert text(play) == "Hello"


def test_first_output_is_reported_when_it_happens() -> None:
    """Text, arguments and audio each once a response, with their times, whatever becomes of the response."""
    play = begun()
    play.wait(300)
    play.say(delta('{"a"', kind="function_call_arguments"), delta("Hel"), audio(item_id="item_2"))
    play.wait(200)
    play.say(audio(item_id="item_2"), delta("lo"), done(status="cancelled"))

    assert [(started.output, started.after_seconds) for started in outputs(play)] == [("text", 0.3), ("audio", 0.3)]
    [ended] = play.of(facts.ResponseFinished)
    assert isinstance(ended, facts.ResponseFinished)
    assert (ended.time_to_first_token_seconds, ended.time_to_first_audio_seconds) == (0.3, 0.3)


def test_first_output_without_a_beginning_or_times() -> None:
    """It is reported once, and how long it took is not known."""
    play = begun()
    play.now = None
    play.say(delta("Hel", response_id="resp_9"), delta("lo", response_id="resp_9"), audio("AAAA"), audio("AAAA"))

    assert [(started.response_id, started.output, started.after_seconds) for started in outputs(play)] == [
        ("resp_9", "text", None),
        ("resp_1", "audio", None),
    ]


def outputs(play: Play) -> list[facts.ResponseOutputStarted]:
    return [fact for fact in play.of(facts.ResponseOutputStarted) if isinstance(fact, facts.ResponseOutputStarted)]


def test_arguments_grow_by_deltas() -> None:
    """Those of functions and of MCP calls alike."""
    play = begun()
    play.say(delta('{"a"', kind="function_call_arguments"), delta(":1}", kind="function_call_arguments"))
    play.say(delta("{}", "item_2", kind="mcp_call_arguments"))
    assert (text(play), text(play, "item_2")) == ('{"a":1}', "{}")


def test_parts_are_read_in_order() -> None:
    """Whichever grew first. Parts past the bound are not kept."""
    play = begun()
    play.say(delta("two", content_index=1), delta("one ", content_index=0), delta("three", content_index=256))
    assert text(play) == "one two"


def test_audio_is_measured_and_not_kept() -> None:
    """By the length of its base64, with escapes, padding, or none at all."""
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
def test_duration_of_audio_follows_from_its_format(formats: Event, seconds: float) -> None:
    """The response's own, or else the session's."""
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


@pytest.mark.parametrize(
    ("stray", "reason"), NAMELESS, ids=lambda value: value["type"] if isinstance(value, dict) else ""
)
def test_event_without_a_response_or_an_item_is_rejected(stray: Event, reason: str) -> None:
    """It is counted, and the state stays as it was."""
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
def test_first_event_that_names_a_response_begins_it(first: Event) -> None:
    """A client that joins in the middle of an answer gets no `response.created`. There are no durations then."""
    play = Play()
    play.say(session())
    emitted = play.say(first)
    assert emitted[0] == facts.ResponseStarted(
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


@pytest.mark.parametrize("first", [each for each in FIRST if "call_id" not in each], ids=lambda first: first["type"])
def test_empty_id_names_no_response(first: Event) -> None:
    """The event is rejected, and opens nothing. One that names a call is the only response's."""
    play = begun()
    stray = {**first, "response_id": ""}
    assert play.say(stray) == [EventRejected(event=stray["type"], reason="unknown_response")]
    assert list(play.state().open) == ["resp_1"]


def test_unannounced_responses_are_bounded() -> None:
    """Past the limit the oldest is abandoned, as with those that were announced."""
    play = Play(open_responses=2)
    play.say(session())
    for number in range(4):
        play.say(delta("a", response_id=f"resp_{number}", item_id=f"item_{number}"))
    assert list(play.state().open) == ["resp_2", "resp_3"]
    assert [fact.response_id for fact in play.facts if isinstance(fact, facts.ResponseAbandoned)] == [
        "resp_0",
        "resp_1",
    ]


def test_delta_after_the_end_is_rejected() -> None:
    """The terminal object stands."""
    play = begun()
    play.say(done(output=[message("item_1", "Hello")]))
    assert play.say(delta(" again")) == [EventRejected(event="response.output_text.delta", reason="unknown_response")]
    assert text(play) == "Hello"


def test_output_item_without_an_id_is_rejected() -> None:
    """Its response is known, and no item is."""
    play = begun()
    for name in ("added", "done"):
        rejected = EventRejected(event=f"response.output_item.{name}", reason="missing_object")
        assert play.say(event(f"response.output_item.{name}", response_id="resp_1")) == [rejected]


# The final form -------------------------------------------------------------------------------------------------

FINAL_FORMS = [
    event("response.output_text.done", **IDS, text="Hello"),
    event("response.output_audio_transcript.done", **IDS, transcript="Hello"),
    event("response.content_part.done", **IDS, part={"type": "text", "text": "Hello"}),
    event("response.content_part.done", **IDS, part={"type": "audio", "transcript": "Hello"}),
    event("response.output_item.done", response_id="resp_1", item=message("item_1", "Hello")),
    event("conversation.item.done", item=message("item_1", "Hello", "output_audio")),
]


@pytest.mark.parametrize("final", FINAL_FORMS, ids=lambda final: final["type"])
def test_final_text_replaces_what_the_deltas_built(final: Event) -> None:
    """It is reported where the two differ, and only there."""
    play = begun()
    play.say(delta("Hel"), delta("lo"))
    assert play.say(final) == []
    play = begun()
    play.say(delta("Hel"))
    assert play.say(final) == [differed("content")]
    assert text(play) == "Hello"
    play = begun()
    assert play.say(final) == []
    assert text(play) == "Hello"


def test_object_of_the_response_stands_last() -> None:
    """Even over an item that came in its final form before."""
    play = begun()
    play.say(delta("Hel"), event("response.output_text.done", **IDS, text="Hello"))
    assert play.say(done(output=[message("item_1", "Hello!")])) == [
        differed("content"),
        finished(items=1, output=(Content("text", "Hello!"),), time_to_first_token_seconds=0.0),
    ]
    assert text(play) == "Hello!"


def test_parts_that_the_final_form_does_not_have_are_dropped() -> None:
    """Unless it has no content at all, which means nothing."""
    play = begun()
    play.say(delta("One."), delta("Two.", content_index=1))
    assert play.say(event("conversation.item.done", item=message("item_1", "", content=[]))) == []
    assert text(play) == "One.Two."
    assert play.say(event("conversation.item.done", item=message("item_1", "One."))) == [differed("content")]
    assert (text(play), play.state().transcript.characters) == ("One.", 4)


def test_final_form_without_text_keeps_the_text() -> None:
    """Some servers leave the part out, and audio may have no transcript."""
    play = begun()
    play.say(delta("Hello"))
    silent = message("item_1", "", content=[{"type": "output_audio", "transcript": None}])
    assert play.say(event("response.content_part.done", **IDS), event("conversation.item.done", item=silent)) == []
    assert text(play) == "Hello"


def test_arguments_that_differ_are_reported_as_arguments() -> None:
    """The member of the fact says so."""
    play = begun()
    play.say(delta('{"a":', kind="function_call_arguments"))
    final = event("response.function_call_arguments.done", **IDS, call_id="call_1", arguments='{"a":1}')
    assert play.say(final) == [differed("arguments")]
    assert text(play) == '{"a":1}'


# The end --------------------------------------------------------------------------------------------------------


def test_completed_response_is_reported() -> None:
    """With its output, its usage, and its durations."""
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
        ("cancelled", {"type": "cancelled", "reason": "an unknown reason"}, "other"),
        ("cancelled", None, "unknown"),
        ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"}, "max_output_tokens"),
        ("incomplete", {"type": "incomplete", "reason": "content_filter"}, "content_filter"),
        ("failed", {"type": "failed", "error": {"type": "server_error", "code": None}}, "server_error"),
        ("failed", {"type": "failed", "error": {"code": "insufficient_quota"}}, "insufficient_quota"),
        ("failed", {"type": "failed"}, "unknown"),
        ("failed", None, "unknown"),
    ],
)
def test_response_that_broke_off_has_a_reason(status: str, details: Event | None, reason: str) -> None:
    """In its end, and as an interruption. The cause of a failure is `failed`, with the code beside it."""
    cause, code = ("failed", reason) if status == "failed" else (reason, None)
    play = begun()
    assert play.say(done(status=status, status_details=details)) == [
        finished(status=status, reason=reason),
        facts.ResponseInterrupted(response_id="resp_1", reason=cause, model="gpt-realtime", code=code),
    ]
    totals = play.line()["totals"]
    assert (totals["responses"], totals["interruptions"]) == ({status: 1}, {cause: 1})


@pytest.mark.parametrize("status", ["in_progress", "paused", None])
def test_end_with_an_unknown_status_is_an_end(status: str | None) -> None:
    """Each `response.done` leads to one finished response."""
    play = begun()
    emitted = play.say(event("response.done", response={"id": "resp_1", "status": status}))
    assert [fact for fact in emitted if isinstance(fact, facts.ResponseFinished)] == [
        finished(status="other", reason="unknown")
    ]


def test_status_details_of_a_wrong_type_are_ignored() -> None:
    """One dialect sends `unimplemented`. A completed response needs no details."""
    play = begun()
    assert play.say(done(status_details="unimplemented")) == [finished()]
    assert play.pipeline.source("relay").drifted == 1


def test_end_without_a_beginning_is_an_end() -> None:
    """An interruption may overtake the beginning. There is no duration then."""
    play = begun()
    assert play.say(done("resp_2", output=[message("item_9", "Hi")])) == [
        finished("resp_2", items=1, output=(Content("text", "Hi"),), duration_seconds=None)
    ]
    assert text(play, "item_9") == "Hi"


def test_end_without_an_id_is_an_end() -> None:
    """Each one, since nothing says that they are the same."""
    play = begun()
    expected = finished(None, duration_seconds=None)
    assert play.say(done(None), done(None)) == [expected, expected]


def test_repeated_end_is_rejected() -> None:
    """Its usage does not count again."""
    play = begun()
    play.say(done(usage=USAGE))
    before = play.line()
    rejected = EventRejected(event="response.done", reason="repeated")
    assert play.say(done(usage=USAGE)) == [rejected]
    assert play.line() == {**before, "rejected": {"repeated": 1}, "events": before["events"] + 1}


def test_end_without_a_response_is_rejected() -> None:
    """There is no status to report."""
    rejected = EventRejected(event="response.done", reason="missing_object")
    assert begun().say(event("response.done")) == [rejected]


def test_usage_beside_the_response_counts() -> None:
    """One dialect sends it there, with an empty one in the response."""
    play = begun()
    usage = {"total_tokens": 7, "input_tokens": 5, "output_tokens": 2}
    emitted = play.say({**done(usage={}), "usage": usage})
    tokens = (
        Tokens("gpt-realtime", "input", "unknown", False, 5),
        Tokens("gpt-realtime", "output", "unknown", False, 2),
    )
    assert emitted == [finished(tokens=tokens, cost=UNPRICED)]


def test_model_is_the_one_of_the_response_or_of_the_session() -> None:
    """Compatible servers name one in the response."""
    play = begun()
    assert play.say(done(model="gpt-x")) == [finished(model="gpt-x")]
    assert play.say(done("resp_2", model="a sentence: it names no model!")) == [
        finished("resp_2", model="other", duration_seconds=None)
    ]
    play = Play()
    play.say(created())
    assert play.say(done()) == [finished(model=None)]


def test_two_open_responses_do_not_mix() -> None:
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
    """In the order of their ends, with unknown members."""
    play = begun()
    play.say(created("resp_2"))
    one, two = done(new={"a": [1.5]}), done("resp_2", "failed", max_output_tokens="inf")
    play.say(two, one)
    assert play.line()["responses"] == [two["response"], one["response"]]


def test_oldest_response_objects_are_dropped_past_the_limit() -> None:
    """They are counted as dropped, and all responses count in the totals."""
    play = begun(kept_objects=2, object_bytes=1024)
    play.say(done("resp_2"), done("resp_3", metadata={"long": "x" * 1024}), done("resp_4"), done("resp_5"))
    line = play.line()
    assert [response["id"] for response in line["responses"]] == ["resp_4", "resp_5"]
    assert (line["totals"]["dropped_objects"], line["totals"]["responses"]) == (2, {"completed": 4})


def test_no_response_object_need_be_kept() -> None:
    """A limit of 0 drops each of them."""
    play = begun(kept_objects=0)
    play.say(done())
    line = play.line()
    assert (line["responses"], line["totals"]["dropped_objects"]) == ([], 1)


def test_ids_of_ended_responses_are_bounded() -> None:
    """A repeated end is recognised after 1,024 others, and not after half as many more."""
    play = begun()
    play.say(*(done(f"resp_{number}") for number in range(1537)))
    assert play.say(done("resp_512")) == [EventRejected(event="response.done", reason="repeated")]
    assert play.say(done("resp_0")) == [finished("resp_0", duration_seconds=None)]
    assert len(play.state().ended_responses) == 1026


def test_totals_are_bounded_in_models() -> None:
    """Past the bound tokens are summed as `other`, and none is lost."""
    play = begun()
    play.say(*(done(f"r{number}", model=f"m{number}", usage={"input_tokens": 1}) for number in range(600)))
    tokens = play.line()["totals"]["tokens"]
    assert (len(tokens), sum(each["tokens"] for each in tokens)) == (513, 600)
    assert tokens[-1] == {"model": "other", "direction": "input", "modality": "unknown", "cached": False, "tokens": 88}


def test_interruptions_are_bounded_in_reasons() -> None:
    """Failures count by their cause and not by their code."""
    play = begun()
    failures = (done(f"r{number}", "failed", status_details={"error": {"code": f"c{number}"}}) for number in range(600))
    play.say(*failures)
    interruptions = play.line()["totals"]["interruptions"]
    assert interruptions == {"failed": 600}


# Giving up ------------------------------------------------------------------------------------------------------


def test_work_in_progress_is_abandoned_with_the_stream() -> None:
    """Responses first, then tool calls. Then the conversation closes."""
    play = begun()
    play.say(event("response.output_item.added", response_id="resp_1", item=call("item_1", "call_1", "")))
    expected: list[Fact] = [
        facts.ResponseAbandoned(response_id="resp_1", model="gpt-realtime", cost=NO_USAGE),
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
            cost_usd=None,
            unpriced=(facts.Unpriced("no_usage", 1),),
        ),
        facts.StreamClosed(source="relay", reason="disconnected", code=1006, frames=3),
    ]
    assert play.close(code=1006) == expected
    assert play.open_keys == []
    assert [(state.key, state.closed_reason) for state in play.closed] == [(STREAM, "disconnected")]
