"""Realtime conversations: sessions, what the user does, items in order, playback, errors."""

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
    play.told.clear()
    return play


def order(play: Play) -> list[str]:
    return list(play.state().order)


def transcript(play: Play) -> list[tuple[str | None, str]]:
    return [(turn["role"], turn["text"]) for turn in play.line()["transcript"]]


def item(key: str, text: str | None = None, role: str = "user", after: str | None = None, name: str = "added") -> Event:
    kind = "input_text" if role == "user" else "output_text"
    content = [] if text is None else [{"type": kind, "text": text}]
    told = {"id": key, "type": "message", "role": role, "content": content}
    return event(f"conversation.item.{name}", item=told, previous_item_id=after)


# A whole session ------------------------------------------------------------------------------------------------


def test_a_spoken_turn_in_the_order_of_the_recordings() -> None:
    """Each thing that happened is told once, deltas never."""
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


def test_beta_names_say_the_same() -> None:
    """A session in the names of before tells the same facts and leads to the same state."""
    modern, beta = Play(), Play()
    for each in [session(), *spoken_turn(1, "How are you?", "Very well.")]:
        modern.say(each)
        beta.say({**each, "type": BETA.get(each["type"], each["type"])})
    assert beta.facts == modern.facts
    assert beta.line() == modern.line()


# Sessions -------------------------------------------------------------------------------------------------------


def test_a_session_opens_and_changes() -> None:
    """The first object that tells of it opens it, whichever event brings it: a sideband hears none be created."""
    play = Play()
    assert play.say(session(kind="session.updated", expires_at=1_790_003_600)) == [
        facts.ConversationOpened(family="realtime"),
        facts.SessionOpened(session_id="sess_1", model="gpt-realtime", expires_at=1_790_003_600),
    ]
    assert play.say(session(kind="session.updated", model="gpt-realtime-2", expires_at=0)) == [
        facts.SessionChanged(session_id="sess_1", model="gpt-realtime-2", expires_at=None)
    ]
    assert play.line()["session"]["model"] == "gpt-realtime-2"


def test_a_session_without_its_object_is_rejected() -> None:
    """There is nothing to take over."""
    play = begun()
    rejected = facts.EventRejected(event="session.updated", reason="missing_object")
    assert play.say(event("session.updated")) == [rejected]
    assert play.line()["session"]["id"] == "sess_1"


def test_a_session_that_is_too_long_is_not_kept() -> None:
    """Its facts are told; the object that stood there before is not the present one any more."""
    play = begun(object_bytes=1024)
    play.say(session(kind="session.updated", instructions="x" * 2000))
    assert play.line()["session"] is None


def test_the_conversation_learns_its_id() -> None:
    """From whichever event tells it first; one out of band has none, and unsets none."""
    play = begun()
    play.say(created(conversation_id="conv_1"), done(conversation_id="conv_1"))
    play.say(created("resp_2", conversation_id=None), done("resp_2", conversation_id=None))
    assert play.line()["conversation_id"] == "conv_1"
    play.say(event("conversation.created", conversation={"id": "conv_2"}), event("conversation.created"))
    assert play.line()["conversation_id"] == "conv_2"


# What the user says ---------------------------------------------------------------------------------------------


def transcribed(text: str, item: str = "user_1", index: int = 0, **members: Any) -> Event:
    usage = {"type": "tokens", "input_tokens": 7, "output_tokens": 3}
    told = {"item_id": item, "content_index": index, "transcript": text, "usage": usage, **members}
    return event(f"{TRANSCRIPTION}.completed", **told)


def finished(text: str, *, paid: bool = True, item: str = "user_1") -> facts.TranscriptionFinished:
    tokens = (
        Tokens("whisper-1", "input", "unknown", False, 7),
        Tokens("whisper-1", "output", "unknown", False, 3),
    )
    return facts.TranscriptionFinished(
        item_id=item,
        status="completed",
        code=None,
        model="whisper-1",
        transcript=Content("transcript", text),
        seconds=None,
        tokens=tokens if paid else (),
        cost=UNPRICED if paid else None,
    )


def test_a_transcript_grows_and_is_replaced() -> None:
    """What stands at the end is the whole; on the way, the deltas."""
    play = begun()
    play.say(event("input_audio_buffer.committed", item_id="user_1"))
    assert play.say(event(f"{TRANSCRIPTION}.delta", item_id="user_1", delta=" How")) == []
    assert play.say(event(f"{TRANSCRIPTION}.delta", item_id="user_1", delta=" are")) == []
    assert transcript(play) == [("user", " How are")]
    assert play.say(transcribed("How are you?")) == [finished("How are you?")]
    assert transcript(play) == [("user", "How are you?")]


def test_a_transcript_may_come_late_and_out_of_order() -> None:
    """Turns stand in the order of what was said."""
    play = begun()
    play.say(event("input_audio_buffer.committed", item_id="user_1"))
    play.say(event("input_audio_buffer.committed", item_id="user_2", previous_item_id="user_1"))
    play.say(transcribed("Second.", "user_2"), transcribed("First.", "user_1"))
    assert transcript(play) == [("user", "First."), ("user", "Second.")]


def test_a_repeated_transcript_is_rejected_and_its_usage_counts_once() -> None:
    """One in ten comes twice; a different one stands, and costs nothing more."""
    play = begun()
    play.say(transcribed("Hello"))
    rejected = facts.EventRejected(event=f"{TRANSCRIPTION}.completed", reason="repeated")
    assert play.say(transcribed("Hello")) == [rejected]
    assert play.say(transcribed("Hello.")) == [finished("Hello.", paid=False)]
    assert transcript(play) == [("user", "Hello.")]
    assert [each["tokens"] for each in play.line()["totals"]["tokens"]] == [7, 3]


def test_a_cumulative_transcript_is_finished_once() -> None:
    """Some servers say `completed` while they are still writing."""
    play = begun()
    assert play.say(transcribed("How", status="in_progress")) == []
    assert play.say(transcribed("How are", status="in_progress")) == []
    assert play.say(transcribed("How are you?", status="completed")) == [finished("How are you?")]
    assert [each["tokens"] for each in play.line()["totals"]["tokens"]] == [7, 3]


def test_each_part_of_a_turn_has_a_transcript_of_its_own() -> None:
    """Two pieces of audio in one item are transcribed, and paid, apart."""
    play = begun()
    assert play.say(transcribed("One.", index=1)) == [finished("One.")]
    assert play.say(transcribed("Zero.", index=0)) == [finished("Zero.")]
    assert transcript(play) == [("user", "Zero.One.")]


def test_a_transcription_by_duration() -> None:
    """Seconds stand under the model that wrote it down, as decimal text."""
    play = begun()
    told = play.say(transcribed("Hi", usage={"type": "duration", "seconds": 3}))
    play.say(transcribed("Ho", "user_2", usage={"type": "duration", "seconds": 0.25}))
    assert [fact.seconds for fact in told if isinstance(fact, facts.TranscriptionFinished)] == [3.0]
    assert play.line()["totals"]["seconds"] == [{"model": "whisper-1", "seconds": "3.25"}]


def test_a_transcription_that_failed() -> None:
    """Why is told, and the turn stays without words."""
    play = begun()
    play.say(event("input_audio_buffer.committed", item_id="user_1"))
    error = {"type": "server_error", "code": "DeploymentNotFound", "message": "No such deployment."}
    assert play.say(event(f"{TRANSCRIPTION}.failed", item_id="user_1", error=error)) == [
        facts.TranscriptionFinished(
            item_id="user_1",
            status="failed",
            code="DeploymentNotFound",
            model="whisper-1",
            transcript=None,
            seconds=None,
            tokens=(),
        )
    ]
    assert transcript(play) == [("user", "")]


@pytest.mark.parametrize("name", ["delta", "completed"])
def test_a_transcript_of_nothing_is_rejected(name: str) -> None:
    """Without an item there is no place for it."""
    play = begun()
    rejected = facts.EventRejected(event=f"{TRANSCRIPTION}.{name}", reason="missing_id")
    assert play.say(event(f"{TRANSCRIPTION}.{name}", delta="Hi", transcript="Hi")) == [rejected]


def test_the_small_things_are_told_too() -> None:
    """Silence, a key on the telephone (not which), and nothing of what another event says better."""
    play = begun()
    buffer = "input_audio_buffer"
    assert play.say(
        event(f"{buffer}.timeout_triggered", item_id="user_1"),
        event(f"{buffer}.dtmf_event_received", event="9"),
        event(f"{buffer}.cleared"),
        event(f"{TRANSCRIPTION}.segment", item_id="user_1", text="Hi"),
        event("mcp_list_tools.in_progress", item_id="item_1"),
    ) == [facts.InputTimedOut(item_id="user_1"), facts.DtmfReceived()]


# Items ----------------------------------------------------------------------------------------------------------


def test_items_stand_behind_the_one_they_name() -> None:
    """Whatever order they come in; one that names nobody known stands last."""
    play = begun()
    play.say(item("a"), item("b", after="a"), item("c", after="a"), item("d", after="nobody"), item("e"))
    assert order(play) == ["a", "c", "b", "d", "e"]
    play.say(item("e", after="a"))
    assert order(play) == ["a", "e", "c", "b", "d"]
    play.say(item("b", after="b"))
    assert order(play) == ["a", "e", "c", "b", "d"]


def test_an_item_without_an_id_is_rejected() -> None:
    """It has no place."""
    play = begun()
    for name in ("added", "created", "done"):
        rejected = facts.EventRejected(event=f"conversation.item.{name}", reason="missing_object")
        assert play.say(event(f"conversation.item.{name}")) == [rejected]
        assert play.say(event(f"conversation.item.{name}", item={"type": "message"})) == [rejected]
    assert play.line()["rejected"] == {"missing_object": 6}


def test_what_was_typed_has_its_words_at_once() -> None:
    """Several parts are read in order."""
    play = begun()
    content = [{"type": "input_text", "text": "One "}, {"type": "input_image"}, {"type": "input_text", "text": "two."}]
    play.say(event("conversation.item.added", item={"id": "a", "type": "message", "role": "user", "content": content}))
    assert transcript(play) == [("user", "One two.")]


def test_the_final_form_of_a_spoken_turn_does_not_take_its_words() -> None:
    """Its transcript may come before it, and stands in another event."""
    play = begun()
    play.say(transcribed("Hello"))
    content = [{"type": "input_audio", "transcript": None}]
    told = {"id": "user_1", "type": "message", "role": "user", "content": content}
    assert play.say(event("conversation.item.done", item=told)) == []
    assert transcript(play) == [("user", "Hello")]


def test_a_truncated_item_keeps_what_is_known_of_it() -> None:
    """How far it was heard is told; an item that nobody knows cannot be truncated."""
    play = begun()
    truncated = event("conversation.item.truncated", item_id="item_1", content_index=0, audio_end_ms=310)
    rejected = facts.EventRejected(event="conversation.item.truncated", reason="unknown_item")
    assert play.say(truncated) == [rejected]
    play.say(item("item_1", "Well", "assistant"))
    assert play.say(truncated) == [facts.ItemTruncated(item_id="item_1", audio_end_ms=310)]
    assert play.say(event("conversation.item.truncated")) == [rejected]


def test_a_deleted_item_is_gone() -> None:
    """Its neighbours close the gap; it cannot go twice."""
    play = begun()
    play.say(item("a", "A"), item("b", "B", after="a"), item("c", "C", after="b"))
    assert play.say(event("conversation.item.deleted", item_id="b")) == [facts.ItemDeleted(item_id="b")]
    assert transcript(play) == [("user", "A"), ("user", "C")]
    rejected = facts.EventRejected(event="conversation.item.deleted", reason="unknown_item")
    assert play.say(event("conversation.item.deleted", item_id="b")) == [rejected]
    assert play.say(event("conversation.item.deleted")) == [rejected]


def test_more_items_than_are_kept_push_the_oldest_out() -> None:
    """The transcript is bounded, the totals are not."""
    play = begun(items=3)
    play.say(*(item(f"item_{number}", str(number)) for number in range(5)))
    assert transcript(play) == [("user", "2"), ("user", "3"), ("user", "4")]
    assert play.state().transcript.characters == 3


def test_more_words_than_are_kept_push_the_oldest_out() -> None:
    """The items stay; their words go, the oldest first, and the newest item's last."""
    play = begun(transcript_bytes=1024)
    play.say(item("a", "x" * 600), item("b", "y" * 400))
    play.say(item("c", "z" * 100))
    assert transcript(play) == [("user", ""), ("user", "y" * 400), ("user", "z" * 100)]
    play.say(item("d", "w" * 1000, after="a"))
    assert transcript(play) == [("user", ""), ("user", "w" * 1000), ("user", ""), ("user", "")]
    play.say(item("e", "v" * 2000))
    assert (transcript(play), play.state().transcript.characters) == ([("user", "")] * 5, 0)


# Playback -------------------------------------------------------------------------------------------------------


def test_playback_tells_what_was_heard() -> None:
    """All of it when it stopped by itself; else that is not known."""
    play = begun()
    play.say(created(), event("response.output_item.added", response_id="resp_1", item=message("item_1", "Hi.")))
    play.say(done(output=[message("item_1", "Hi.")]))
    assert play.say(event("output_audio_buffer.started", response_id="resp_1")) == [
        facts.PlaybackStarted(response_id="resp_1", model="gpt-realtime", turn_latency_seconds=None)
    ]
    assert play.line()["transcript"][0]["heard"] is None
    assert play.say(event("output_audio_buffer.stopped", response_id="resp_1")) == [
        facts.PlaybackStopped(response_id="resp_1")
    ]
    assert play.line()["transcript"][0]["heard"] == "Hi."
    assert play.say(event("output_audio_buffer.cleared", response_id="resp_2")) == [
        facts.PlaybackCleared(response_id="resp_2")
    ]


def test_what_was_cut_off_was_not_heard_to_its_end() -> None:
    """Even where playback says that it has stopped."""
    play = begun()
    play.say(created(), done(output=[message("item_1", "Hi there.")]))
    play.say(event("conversation.item.truncated", item_id="item_1", audio_end_ms=10))
    play.say(event("output_audio_buffer.stopped", response_id="resp_1"))
    assert play.line()["transcript"][0]["heard"] is None


# Limits and errors ----------------------------------------------------------------------------------------------


def test_rate_limits_of_a_kind_nobody_knows_are_lumped() -> None:
    """A word of upstream's becomes a label only from a closed list; an empty report is none."""
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
def test_an_error_has_a_code_or_a_type(error: Event, code: str, kind: str | None) -> None:
    """Prose is content, never a code."""
    told = facts.UpstreamErred(code=code, kind=kind, message=Content("message", "No."))
    assert begun().say(event("error", error=error)) == [told]


def test_an_error_without_anything_is_one() -> None:
    """Upstream said that something failed."""
    assert begun().say(event("error")) == [facts.UpstreamErred(code="unknown", kind=None, message=None)]


# Times -----------------------------------------------------------------------------------------------------------


def test_without_times_there_are_no_durations() -> None:
    """A recording need not know when; everything else is told."""
    timed, untimed = Play(), Play(timed=False)
    for each in [session(), *spoken_turn(1, "How are you?", "Very well.")]:
        timed.say(each)
        untimed.say(each)
    told = [fact for fact in untimed.facts if isinstance(fact, facts.ResponseFinished | facts.SpeechStopped)]
    assert [fact.duration_seconds for fact in told] == [None, None]
    assert [fact.turn_latency_seconds for fact in told if isinstance(fact, facts.ResponseFinished)] == [None]
    assert untimed.line() == timed.line()
    assert {origin.at for origin, _ in untimed.told} == {None}


def test_an_item_that_was_asked_for_tells_its_words_where_there_are_none() -> None:
    """What is known already stands."""
    play = begun()
    play.say(item("a"), item("b"))
    play.say(event("conversation.item.input_audio_transcription.completed", item_id="b", transcript="Known."))
    for key in "ab":
        told = {
            "id": key,
            "type": "message",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": "Asked."}],
        }
        play.say(event("conversation.item.retrieved", item=told))
    assert [text for _, text in transcript(play)] == ["Asked.", "Known."]


# Words that policies name ------------------------------------------------------------------------------------------


def test_words_of_every_kind_are_told_as_such() -> None:
    """What a model is told to be, what was typed, what a client attached, who the user is."""
    play = Play()
    told = play.say(
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

    words = [
        value for fact in told for name in fact.__struct_fields__ if isinstance(value := getattr(fact, name), Content)
    ]
    assert words == [
        Content("instructions", "Be kind."),
        Content("text", "Hello"),
        Content("metadata", '{"caller":"ann"}'),
        Content("instructions", "Be brief."),
        Content("metadata", '{"ticket":"7"}'),
        Content("user", "ann"),
        Content("metadata", '{"plan":"gold"}'),
    ]
