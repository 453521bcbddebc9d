"""Realtime conversations: a whole session, its configuration, user input, limits, errors, times, content."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, Tokens
from tests.core.helpers import (
    UNPRICED,
    Event,
    Play,
    created,
    done,
    event,
    message,
    run,
    session,
    spoken_turn,
)

TRANSCRIPTION = "conversation.item.input_audio_transcription"


def begun(**limits: Any) -> Play:
    play = Play(**limits)
    play.say(session(audio={"input": {"transcription": {"model": "whisper-1"}}}))
    play.emitted.clear()
    return play


def transcript(play: Play) -> list[tuple[str | None, str]]:
    return [(turn["role"], turn["text"]) for turn in play.line()["transcript"]]


# A whole session ------------------------------------------------------------------------------------------------


def test_spoken_turn_leads_to_one_fact_a_step() -> None:
    """The events come in the order of the recordings. Deltas lead to no fact."""
    play = Play()
    for each in [session(), *spoken_turn(1, "How are you?", "Very well.")]:
        play.say(each)
        play.wait(10)
    tokens = (
        Tokens("gpt-realtime", "input", "text", False, 16),
        Tokens("gpt-realtime", "input", "audio", False, 32),
        Tokens("gpt-realtime", "input", "text", True, 4),
        Tokens("gpt-realtime", "input", "audio", True, 8),
        Tokens("gpt-realtime", "output", "text", False, 10),
        Tokens("gpt-realtime", "output", "audio", False, 30),
    )
    assert play.facts == [
        facts.ConversationOpened(family="realtime"),
        facts.SessionOpened(session_id="sess_1", model="gpt-realtime", expires_at=None),
        facts.SpeechStarted(item_id="user_1", audio_start_ms=1000),
        facts.SpeechStopped(item_id="user_1", audio_end_ms=1700, duration_seconds=0.01),
        facts.InputCommitted(item_id="user_1"),
        facts.ItemAdded(item_id="user_1", kind="message", role="user"),
        facts.ResponseStarted(response_id="resp_1", conversation_id="conv_1", model="gpt-realtime"),
        facts.ItemAdded(item_id="item_1", kind="message", role="assistant"),
        facts.ResponseOutputStarted(response_id="resp_1", model="gpt-realtime", output="text", after_seconds=0.05),
        facts.ResponseOutputStarted(
            response_id="resp_1", model="gpt-realtime", output="audio", after_seconds=0.06, turn_latency_seconds=0.1
        ),
        facts.TranscriptionFinished(
            item_id="user_1",
            status="completed",
            code=None,
            model=None,
            transcript=Content("transcript", "How are you?"),
            seconds=2.0,
            tokens=(),
            cost=UNPRICED,
        ),
        facts.ResponseFinished(
            response_id="resp_1",
            status="completed",
            reason=None,
            conversation_id="conv_1",
            model="gpt-realtime",
            items=1,
            output=(Content("transcript", "Very well."),),
            audio_seconds=0.6,
            duration_seconds=0.15,
            time_to_first_token_seconds=0.05,
            time_to_first_audio_seconds=0.06,
            turn_latency_seconds=0.1,
            tokens=tokens,
            cost=UNPRICED,
        ),
        facts.RateLimitReported(kind="tokens", limit=9, remaining=5, reset_seconds=None),
    ]
    assert transcript(play) == [("user", "How are you?"), ("assistant", "Very well.")]
    assert play.rejected == {}


BETA = {
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "conversation.item.added": "conversation.item.created",
}


def test_beta_names_lead_to_the_same_facts_and_state() -> None:
    """Event by event."""
    modern, beta = Play(), Play()
    for each in [session(), *spoken_turn(1, "How are you?", "Very well.")]:
        modern.say(each)
        beta.say({**each, "type": BETA.get(each["type"], each["type"])})
    assert beta.facts == modern.facts
    assert beta.line() == modern.line()


# Sessions -------------------------------------------------------------------------------------------------------


def test_session_opens_and_changes() -> None:
    """The first event that reports it opens it, whichever that is: a sideband gets no `session.created`."""
    play = Play()
    assert play.say(session(kind="session.updated", expires_at=1_790_003_600)) == [
        facts.ConversationOpened(family="realtime"),
        facts.SessionOpened(session_id="sess_1", model="gpt-realtime", expires_at=1_790_003_600),
    ]
    assert play.say(session(kind="session.updated", model="gpt-realtime-2", expires_at=0)) == [
        facts.SessionChanged(session_id="sess_1", model="gpt-realtime-2", expires_at=None)
    ]
    assert play.line()["session"]["model"] == "gpt-realtime-2"


def test_session_event_without_a_session_is_rejected() -> None:
    """The configuration that is known stays."""
    play = begun()
    rejected = facts.EventRejected(event="session.updated", reason="missing_object")
    assert play.say(event("session.updated")) == [rejected]
    assert play.line()["session"]["id"] == "sess_1"


def test_session_object_that_is_too_long_is_not_kept() -> None:
    """The older object is removed as well: it is not in force any more."""
    play = begun(object_bytes=1024)
    play.say(session(kind="session.updated", instructions="x" * 2000))
    assert play.line()["session"] is None


def test_conversation_id_is_the_one_reported_last() -> None:
    """A response out of band reports none, and removes none."""
    play = begun()
    play.say(created(conversation_id="conv_1"), done(conversation_id="conv_1"))
    play.say(created("resp_2", conversation_id=None), done("resp_2", conversation_id=None))
    assert play.line()["conversation_id"] == "conv_1"
    play.say(event("conversation.created", conversation={"id": "conv_2"}), event("conversation.created"))
    assert play.line()["conversation_id"] == "conv_2"


# User input -----------------------------------------------------------------------------------------------------


def test_input_events_without_an_item_lead_to_facts() -> None:
    """The idle timeout and a key on a telephone; events whose content another event repeats do not."""
    play = begun()
    buffer = "input_audio_buffer"
    assert play.say(
        event(f"{buffer}.timeout_triggered", item_id="user_1"),
        event(f"{buffer}.dtmf_event_received", event="9"),
        event(f"{buffer}.cleared"),
        event(f"{TRANSCRIPTION}.segment", item_id="user_1", text="Hi"),
        event("mcp_list_tools.in_progress", item_id="item_1"),
    ) == [facts.InputTimedOut(item_id="user_1"), facts.DtmfReceived()]


# Limits and errors ----------------------------------------------------------------------------------------------


def test_rate_limit_of_an_unknown_kind_is_other() -> None:
    """Kinds become labels, so they are a closed list. An empty report leads to no fact."""
    play = begun()
    limits = [{"name": "requests", "remaining": 4.5}, {"name": "wishes", "reset_seconds": 1}, {}]
    assert play.say(event("rate_limits.updated", rate_limits=limits)) == [
        facts.RateLimitReported(kind="requests", limit=None, remaining=4.5, reset_seconds=None),
        facts.RateLimitReported(kind="other", limit=None, remaining=None, reset_seconds=1),
        facts.RateLimitReported(kind="other", limit=None, remaining=None, reset_seconds=None),
    ]
    assert play.say(event("rate_limits.updated", rate_limits=[]), event("rate_limits.updated")) == []


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        ({"type": "server_error", "code": "quota", "message": "No."}, "quota", "server_error"),
        ({"type": "server_error", "code": None, "message": "No."}, "server_error", "server_error"),
        ({"code": "a sentence, not a code!", "message": "No."}, "other", None),
        ({"code": "x" * 65, "message": "No."}, "other", None),
        ({"message": "No."}, "unknown", None),
    ],
)
def test_error_has_a_code_or_a_type(error: Event, code: str, kind: str | None) -> None:
    """Prose in place of a code is `other`."""
    expected = facts.UpstreamErred(code=code, kind=kind, message=Content("message", "No."))
    assert begun().say(event("error", error=error)) == [expected]


def test_error_without_details_is_reported() -> None:
    """Upstream reported that something failed."""
    assert begun().say(event("error")) == [facts.UpstreamErred(code="unknown", kind=None, message=None)]


# Times ----------------------------------------------------------------------------------------------------------


def test_recording_without_times_has_no_durations() -> None:
    """Everything else is the same."""
    timed, untimed = Play(), Play(timed=False)
    for each in [session(), *spoken_turn(1, "How are you?", "Very well.")]:
        timed.say(each)
        untimed.say(each)
    timeless = [fact for fact in untimed.facts if isinstance(fact, facts.ResponseFinished | facts.SpeechStopped)]
    assert [fact.duration_seconds for fact in timeless] == [None, None]
    assert [fact.turn_latency_seconds for fact in timeless if isinstance(fact, facts.ResponseFinished)] == [None]
    assert untimed.line() == timed.line()
    assert {origin.at for origin, _ in untimed.emitted} == {None}


# Content --------------------------------------------------------------------------------------------------------


def test_content_has_the_kind_that_policies_name() -> None:
    """Instructions, typed text, metadata and the end user."""
    play = Play()
    emitted = play.say(
        session(instructions="Be kind."),
        event("conversation.item.added", item={**message("item_1", "Hello", "input_text"), "role": "user"}),
        created(),
        done(metadata={"caller": "ann"}),
        run("queued", instructions="Be brief.", metadata={"ticket": "7"}),
        {
            "object": "chatkit.session",
            "id": "cksess_1",
            "user": "ann",
            "workflow": {"id": "wf_1", "state_variables": {"plan": "gold"}},
        },
    )

    contents = [
        value
        for fact in emitted
        for name in fact.__struct_fields__
        if isinstance(value := getattr(fact, name), Content)
    ]
    assert contents == [
        Content("instructions", "Be kind."),
        Content("text", "Hello"),
        Content("metadata", '{"caller":"ann"}'),
        Content("instructions", "Be brief."),
        Content("metadata", '{"ticket":"7"}'),
        Content("user", "ann"),
        Content("metadata", '{"plan":"gold"}'),
    ]
