"""All that grows has a bound. Each is reached here, and what is beyond it is lost in the documented way."""

from collections.abc import Callable

import pytest

from steno.core import facts
from steno.core.assistants import owners
from steno.core.assistants.owners import Owners
from steno.core.assistants.state import ThreadConversation
from steno.core.conversation import BUCKETS
from steno.core.facts import EventRejected, Tokens
from steno.core.keys import key_part
from steno.core.realtime import routing
from steno.core.sequence import SENDERS
from steno.core.transcript import PARTS
from steno.limits import CLOSED_WORD_CHARACTERS, ID_CHARACTERS, ID_CHARACTERS_MAX, OWNERS, Limits
from steno.metrics.sink import Metrics
from steno.wire import assistants
from tests.core.helpers import (
    BEGIN,
    SOURCE,
    STREAM,
    Event,
    Play,
    call,
    cloud_event,
    created,
    delta,
    done,
    event,
    line_of,
    note,
    note_delta,
    run,
    session,
    step,
    step_delta,
)

THREAD = f"{SOURCE}/thread_1"
CLEARED = event("input_audio_buffer.cleared")


def transcribed(number: int, index: int = 0) -> Event:
    """A transcription that is billed by duration."""
    return event(
        "conversation.item.input_audio_transcription.completed",
        item_id=f"user_{number}",
        content_index=index,
        transcript=f"{number}.{index}",
        usage={"type": "duration", "seconds": 1},
    )


# Conversations --------------------------------------------------------------------------------------------------


def test_least_recently_used_conversation_is_evicted_with_its_totals() -> None:
    """Its last fact has them, and so has the state that is handed over."""
    play = Play(conversations=3)
    used = {"input_tokens": 7, "output_tokens": 5}
    for name in ("a", "b", "c"):
        play.say(cloud_event(session(f"sess_{name}"), name), cloud_event(done(f"resp_{name}", usage=used), name))
    play.say(cloud_event(CLEARED, "a"))
    play.wait(1_500)
    play.emitted.clear()
    play.say(cloud_event(CLEARED, "d"))

    buckets = (
        Tokens("gpt-realtime", "input", "unknown", cached=False, tokens=7),
        Tokens("gpt-realtime", "output", "unknown", cached=False, tokens=5),
    )
    evicted = facts.ConversationClosed(
        family="realtime",
        reason="evicted",
        duration_seconds=0.0,
        events=2,
        responses=1,
        runs=0,
        tokens=buckets,
        cost_usd=None,
        unpriced=(facts.Unpriced("no_price_list", 1),),
    )
    closings = [(origin.conversation, origin.at, fact) for origin, fact in play.emitted if fact == evicted]
    assert closings == [("relay/b", BEGIN + 1_500_000, evicted)]
    assert play.open_keys == ["relay/c", "relay/a", "relay/d"]
    [line] = map(line_of, play.closed)
    assert (line["key"], line["closed_reason"], line["totals"]["responses"]) == ("relay/b", "evicted", {"completed": 1})
    assert [(each["direction"], each["tokens"]) for each in line["totals"]["tokens"]] == [("input", 7), ("output", 5)]


def test_no_token_is_lost_by_eviction() -> None:
    """Closed and open conversations add up to what was reported."""
    play = Play(conversations=2)
    for number in range(50):
        play.say(cloud_event(done(f"resp_{number}", usage={"input_tokens": 1 + number}), f"call-{number % 7}"))
    lines = [line_of(state) for state in (*play.closed, *play.pipeline.registry.conversations.values())]
    assert sum(each["tokens"] for line in lines for each in line["totals"]["tokens"]) == sum(range(1, 51))
    closed = [fact for fact in play.facts if isinstance(fact, facts.ConversationClosed)]
    assert sum(each.tokens for fact in closed for each in fact.tokens) == sum(range(1, 49))


def test_names_whose_sessions_are_numbered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was forgotten begins again without a number."""
    monkeypatch.setattr(routing, "OWNERS", 2)
    play = Play()
    for name in ("a", "b", "c"):
        play.say(cloud_event(session("sess_1"), name), cloud_event(session("sess_2"), name))
    for name in ("b", "c"):
        play.say(cloud_event(CLEARED, name))
    assert play.open_keys == ["relay/a#2", "relay/b#2", "relay/c#2"]
    play.say(cloud_event(CLEARED, "a"))
    assert play.open_keys == ["relay/a#2", "relay/b#2", "relay/c#2", "relay/a"]


# Raw objects ----------------------------------------------------------------------------------------------------


def test_oldest_step_objects_are_dropped_past_the_limit() -> None:
    """They are counted as dropped, and the totals have them."""
    play = Play(kept_objects=2)
    play.say(*(step("completed", f"step_{number}") for number in range(5)))
    line = play.line(THREAD)
    assert [each["id"] for each in line["run_steps"]] == ["step_3", "step_4"]
    assert (line["totals"]["dropped_objects"], line["totals"]["run_steps"]) == (3, {"completed": 5})


def test_ended_tool_calls_in_the_state_are_bounded() -> None:
    """The newest are kept, and each had its fact."""
    play = Play(kept_objects=2)
    play.say(session())
    for number in range(4):
        play.say(done(f"resp_{number}", output=[call(f"item_{number}", f"call_{number}")]))
        output = {"id": f"out_{number}", "type": "function_call_output", "call_id": f"call_{number}", "output": "1"}
        play.say(event("conversation.item.done", item=output))
    assert [each["call_id"] for each in play.line()["tools"]] == ["call_2", "call_3"]
    assert len(play.of(facts.ToolCallFinished)) == 4


def test_object_in_progress_that_is_too_long_is_not_kept() -> None:
    """The response or session is reported all the same."""
    play = Play(object_bytes=1024)
    long = "x" * 1024
    play.say(created(metadata={"a": long}), {"object": "chatkit.session", "id": "cksess_1"})
    play.say({"object": "chatkit.session", "id": "cksess_1", "new": long})
    assert play.line()["unfinished"] == []
    assert play.line("relay/cksess_1")["session"] is None
    assert play.of(facts.ResponseStarted, facts.SessionChanged) == [
        facts.ResponseStarted(response_id="resp_1", conversation_id=None, model=None),
        facts.SessionChanged(session_id="cksess_1", model=None, expires_at=None, kind="chatkit"),
    ]


def test_responses_in_playback_are_bounded() -> None:
    """The duration of one that was forgotten is unknown."""
    play = Play(open_responses=2)
    play.say(*(event("output_audio_buffer.started", response_id=f"resp_{number}") for number in range(3)))
    play.wait(500)
    assert play.say(*(event("output_audio_buffer.cleared", response_id=f"resp_{number}") for number in range(3))) == [
        facts.PlaybackCleared(response_id="resp_0", played_seconds=None),
        facts.PlaybackCleared(response_id="resp_1", played_seconds=0.5),
        facts.PlaybackCleared(response_id="resp_2", played_seconds=0.5),
    ]


# Parts ----------------------------------------------------------------------------------------------------------


def test_parts_of_an_item_are_bounded() -> None:
    """Whether deltas or the final form bring them. The raw object has them all."""
    play = Play()
    play.say(session(), created())
    play.say(*(delta("x", content_index=index) for index in (0, PARTS - 1, PARTS, 2**31)))
    assert sorted(play.state().items["item_1"].parts) == [0, PARTS - 1]
    content = [{"type": "output_text", "text": "y"}] * (PARTS + 3)
    item = {"id": "item_2", "type": "message", "role": "assistant", "content": content}
    play.say(done(output=[item]))
    assert play.state().items["item_2"].text() == "y" * PARTS
    assert play.line()["responses"][0]["output"] == [item]


def test_transcribed_parts_are_bounded() -> None:
    """Parts past the bound count as one."""
    play = Play()
    play.say(session(), *(transcribed(1, index) for index in (0, PARTS - 1, PARTS, PARTS + 1, 2**31)))
    item = play.state().items["user_1"]
    assert (sorted(item.parts), sorted(item.transcribed)) == ([0, PARTS - 1], [0, PARTS - 1, PARTS])


def test_parts_of_a_message_and_of_a_step_are_bounded() -> None:
    """As those of an item are."""
    play = Play()
    play.say(note("in_progress"), step("in_progress", named="created"))
    play.say(*(note_delta("x", index=index) for index in (0, PARTS - 1, PARTS)))
    for index in (0, PARTS - 1, PARTS):
        function = {"name": "add", "arguments": "{}"}
        play.say(step_delta({"index": index, "id": f"call_{index}", "type": "function", "function": function}))
    state = play.state(THREAD)
    kept = [0, PARTS - 1]
    assert sorted(state.messages["msg_1"].parts) == kept
    assert (sorted(state.open_steps["step_1"].texts), sorted(state.open_steps["step_1"].call_ids)) == (kept, kept)


# Sums -----------------------------------------------------------------------------------------------------------


def test_models_of_transcriptions_are_bounded() -> None:
    """Past the bound seconds are summed as `other`, and none is lost."""
    play = Play()
    for number in range(BUCKETS + 3):
        play.say(session(kind="session.updated", input_audio_transcription={"model": f"m{number}"}))
        play.say(transcribed(number))
    seconds = play.line()["totals"]["seconds"]
    assert (len(seconds), sum(float(each["seconds"]) for each in seconds)) == (BUCKETS + 1, BUCKETS + 3)
    assert seconds[-2:] == [{"model": f"m{BUCKETS - 1}", "seconds": "1"}, {"model": "other", "seconds": "3"}]


WITH_WORD: dict[str, tuple[str, int, Callable[[str, str], Event]]] = {
    "model": ("steno_responses_total", 1, lambda key, word: done(key, model=word)),
    "reason": ("steno_responses_total", 3, lambda key, word: done(key, "failed", status_details=failure(word))),
    "code": ("steno_upstream_errors_total", 2, lambda _, word: event("error", **failure(word))),
    "run's model": ("steno_runs_total", 1, lambda key, word: run("completed", key, model=word)),
}
"""Where a word of upstream becomes a label: the metric, the place of the label, and an event that brings the word."""


def failure(word: str) -> Event:
    return {"error": {"type": "server_error", "code": word}}


@pytest.mark.parametrize("kind", WITH_WORD)
def test_values_of_a_label_are_bounded(kind: str) -> None:
    """Whichever event brings them. Values that are known keep their name."""
    metric, place, make = WITH_WORD[kind]
    play, metrics = Play(), Metrics(3)
    play.say(*(make(f"key_{key}", f"word_{number}") for key, number in enumerate((1, 2, 3, 4, 5, 1))))
    for origin, fact in play.emitted:
        if not isinstance(fact, facts.ResponseInterrupted):  # its reason takes one of the places
            metrics.emit(origin, fact)
    counted = {labels[place]: number for labels, number in metrics.numbers[metric].items() if number}
    assert counted == {"word_1": 2, "word_2": 1, "word_3": 1, "other": 2}


@pytest.mark.parametrize(("length", "shown"), [(CLOSED_WORD_CHARACTERS, "w" * CLOSED_WORD_CHARACTERS), (65, "other")])
def test_closed_word_is_short(length: int, shown: str) -> None:
    """A longer one is no name of a model or a code."""
    play = Play()
    word = "w" * length
    play.say(done(model=word, usage={"input_tokens": 1}), run("failed", last_error={"code": word, "message": ""}))
    [finished, ended] = play.of(facts.ResponseFinished, facts.RunFinished)
    assert isinstance(finished, facts.ResponseFinished)
    assert isinstance(ended, facts.RunFinished)
    assert (finished.model, finished.tokens[0].model, ended.reason) == (shown, shown, shown)


# Identifiers ----------------------------------------------------------------------------------------------------

WITH_ID: dict[str, Callable[[str], Event]] = {
    "event": lambda key: {**CLEARED, "event_id": key},
    "response": created,
    "item": lambda key: event("conversation.item.added", item={"id": key, "type": "message"}),
    "session": session,
    "call": lambda key: event("conversation.item.added", item={"id": "i", "call_id": key}),
    "thread": lambda key: run("queued", thread_id=key),
    "run": lambda key: run("queued", key),
    "step": lambda key: step("in_progress", key),
    "message": lambda key: note("in_progress", key),
    "chatkit": lambda key: {"object": "chatkit.session", "id": key},
}


@pytest.mark.parametrize("kind", WITH_ID)
def test_identifier_is_accepted_up_to_a_length(kind: str) -> None:
    """With one character more the frame is malformed: memory is keyed by identifiers."""
    play = Play()
    play.say(WITH_ID[kind]("x" * ID_CHARACTERS_MAX))
    assert (play.stream.malformed, play.stream.events) == ({}, 1)
    play.say(WITH_ID[kind]("y" * (ID_CHARACTERS_MAX + 1)))
    assert (play.stream.malformed, play.stream.events) == ({"bad_identifier": 1}, 1)


def test_key_of_a_conversation_is_cut() -> None:
    """A second event finds the conversation by the same cut. Another name with the same beginning does not."""
    play = Play(conversation="n" * 300)
    play.say(CLEARED, CLEARED)
    play.say(cloud_event(CLEARED, "s" * 300), cloud_event(CLEARED, "s" * 300))
    play.say(run("queued", thread_id="t" * 300), run("in_progress", thread_id="t" * 300))
    play.say(*[{"object": "realtime.session", "id": "r" * 300}] * 2)
    play.say(cloud_event(CLEARED, "s" * 300 + "x"))
    keys = [key_part(name) for name in ("n" * 300, "s" * 300, "t" * 300, "r" * 300, "s" * 300 + "x")]
    assert play.open_keys == [f"relay/{key}" for key in keys]
    assert {len(key) for key in keys} == {ID_CHARACTERS}
    assert [state.events for state in play.pipeline.registry.conversations.values()] == [2, 2, 2, 2, 1]


# Owners and senders ---------------------------------------------------------------------------------------------


def test_owners_of_steps_and_messages_are_bounded() -> None:
    """The oldest is forgotten first."""
    known = Owners()
    thread = ThreadConversation(THREAD, SOURCE, STREAM, Limits())
    for number in range(OWNERS + 2):
        message = assistants.Message(id=f"msg_{number}", thread_id="thread_1", status="in_progress")
        known.note(thread, assistants.MessageCreated(data=message))
    found = [known.find(SOURCE, f"msg_{number}") for number in (0, 1, 2, OWNERS + 1)]
    assert found == [None, None, THREAD, THREAD]


def test_delta_whose_owner_is_forgotten_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until an event of its message names the thread again."""
    monkeypatch.setattr(owners, "OWNERS", 2)
    play = Play()
    play.say(*(note("in_progress", f"msg_{number}", thread_id=f"thread_{number}") for number in range(3)))
    assert play.say(*(note_delta("Hi", f"msg_{number}") for number in range(3))) == [
        EventRejected(event="thread.message.delta", reason="no_conversation")
    ]
    play.say(note("in_progress", "msg_0", thread_id="thread_0"))
    assert play.say(note_delta("Hi", "msg_0")) == []


def test_senders_whose_sequence_is_known_are_bounded() -> None:
    """Gaps of a sender that was forgotten are not reported."""
    play = Play()
    for number in range(SENDERS):
        play.say(cloud_event(CLEARED, "call-1", source=f"//{number}", sequence="1"))
    play.say(cloud_event(CLEARED, "call-1", source="//0", sequence="2"))
    play.say(cloud_event(CLEARED, "call-1", source="//new", sequence="1"))
    for sender in ("//0", "//1", "//2"):
        play.say(cloud_event(CLEARED, "call-1", source=sender, sequence="5"))
    assert play.of(facts.EventsMissed) == [facts.EventsMissed(missing=2)]
