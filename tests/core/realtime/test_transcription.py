"""The transcription of what the user said: grown, completed, repeated, cumulative, failed."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, Tokens
from tests.core.helpers import (
    NO_USAGE,
    UNPRICED,
    Event,
    Play,
    event,
    session,
)

TRANSCRIPTION = "conversation.item.input_audio_transcription"


def begun(**limits: Any) -> Play:
    play = Play(**limits)
    play.say(session(audio={"input": {"transcription": {"model": "whisper-1"}}}))
    play.emitted.clear()
    return play


def transcript(play: Play) -> list[tuple[str | None, str]]:
    return [(turn["role"], turn["text"]) for turn in play.line()["transcript"]]


def transcribed(text: str, item: str = "user_1", index: int = 0, **members: Any) -> Event:
    usage = {"type": "tokens", "input_tokens": 7, "output_tokens": 3}
    data = {"item_id": item, "content_index": index, "transcript": text, "usage": usage, **members}
    return event(f"{TRANSCRIPTION}.completed", **data)


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


def test_transcript_grows_and_is_replaced() -> None:
    """It is the text of the deltas until the transcription is completed."""
    play = begun()
    play.say(event("input_audio_buffer.committed", item_id="user_1"))
    assert play.say(event(f"{TRANSCRIPTION}.delta", item_id="user_1", delta=" How")) == []
    assert play.say(event(f"{TRANSCRIPTION}.delta", item_id="user_1", delta=" are")) == []
    assert transcript(play) == [("user", " How are")]
    assert play.say(transcribed("How are you?")) == [finished("How are you?")]
    assert transcript(play) == [("user", "How are you?")]


def test_transcript_may_come_late_and_out_of_order() -> None:
    """Turns stand in the order in which their input was committed."""
    play = begun()
    play.say(event("input_audio_buffer.committed", item_id="user_1"))
    play.say(event("input_audio_buffer.committed", item_id="user_2", previous_item_id="user_1"))
    play.say(transcribed("Second.", "user_2"), transcribed("First.", "user_1"))
    assert transcript(play) == [("user", "First."), ("user", "Second.")]


def test_repeated_transcript_is_rejected() -> None:
    """A different transcript of the same part stands, and its usage does not count again."""
    play = begun()
    play.say(transcribed("Hello"))
    rejected = facts.EventRejected(event=f"{TRANSCRIPTION}.completed", reason="repeated")
    assert play.say(transcribed("Hello")) == [rejected]
    assert play.say(transcribed("Hello.")) == [finished("Hello.", paid=False)]
    assert transcript(play) == [("user", "Hello.")]
    assert [each["tokens"] for each in play.line()["totals"]["tokens"]] == [7, 3]


def test_cumulative_transcript_is_finished_once() -> None:
    """Some servers send `completed` with the status `in_progress` until the last one."""
    play = begun()
    assert play.say(transcribed("How", status="in_progress")) == []
    assert play.say(transcribed("How are", status="in_progress")) == []
    assert play.say(transcribed("How are you?", status="completed")) == [finished("How are you?")]
    assert [each["tokens"] for each in play.line()["totals"]["tokens"]] == [7, 3]


def test_each_part_of_an_item_has_its_own_transcript() -> None:
    """Two pieces of audio in one item are transcribed and billed apart."""
    play = begun()
    assert play.say(transcribed("One.", index=1)) == [finished("One.")]
    assert play.say(transcribed("Zero.", index=0)) == [finished("Zero.")]
    assert transcript(play) == [("user", "Zero.One.")]


def test_transcription_by_duration_adds_up_seconds() -> None:
    """They are kept by the model that transcribed, as decimal text."""
    play = begun()
    emitted = play.say(transcribed("Hi", usage={"type": "duration", "seconds": 3}))
    play.say(transcribed("Ho", "user_2", usage={"type": "duration", "seconds": 0.25}))
    assert [fact.seconds for fact in emitted if isinstance(fact, facts.TranscriptionFinished)] == [3.0]
    assert play.line()["totals"]["seconds"] == [{"model": "whisper-1", "seconds": "3.25"}]


def test_failed_transcription_is_reported() -> None:
    """The turn stays without text."""
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
def test_transcription_without_an_item_is_rejected(name: str) -> None:
    """There is no item to add it to."""
    play = begun()
    rejected = facts.EventRejected(event=f"{TRANSCRIPTION}.{name}", reason="missing_id")
    assert play.say(event(f"{TRANSCRIPTION}.{name}", delta="Hi", transcript="Hi")) == [rejected]


# What it is billed by -------------------------------------------------------------------------------------------


COMMITTED = event("input_audio_buffer.committed", item_id="user_1")
GREW = event(f"{TRANSCRIPTION}.delta", item_id="user_1", content_index=0, delta=" How")
FAILED = event(f"{TRANSCRIPTION}.failed", item_id="user_1", content_index=0, error={"code": "server_error"})


def given_up(model: str | None = "whisper-1", item: str = "user_1") -> facts.TranscriptionFinished:
    return facts.TranscriptionFinished(
        item_id=item,
        status="abandoned",
        code=None,
        model=model,
        transcript=None,
        seconds=None,
        tokens=(),
        cost=NO_USAGE,
    )


def costs(play: Play) -> list[tuple[str, facts.Cost | None]]:
    """How each transcription ended, and what it cost."""
    return [(fact.status, fact.cost) for fact in play.facts if isinstance(fact, facts.TranscriptionFinished)]


def closing(play: Play) -> tuple[str | None, tuple[facts.Unpriced, ...]]:
    """Close the stream. Return what the conversation cost, and what of it has no price."""
    (closed,) = [fact for fact in play.close() if isinstance(fact, facts.ConversationClosed)]
    return closed.cost_usd, closed.unpriced


UNKNOWN = (None, (facts.Unpriced("no_usage", 1),))


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ([COMMITTED, GREW, GREW], [("abandoned", NO_USAGE)]),
        ([GREW], [("abandoned", NO_USAGE)]),
        ([COMMITTED], [("abandoned", NO_USAGE)]),
        ([COMMITTED, transcribed("How", status="in_progress")], [("abandoned", NO_USAGE)]),
        ([event(f"{TRANSCRIPTION}.segment", item_id="user_1", text="How")], [("abandoned", NO_USAGE)]),
        ([COMMITTED, event(f"{TRANSCRIPTION}.segment", item_id="user_1", text="How"), FAILED], [("failed", NO_USAGE)]),
        ([COMMITTED, GREW, transcribed("How are you?", usage=None)], [("completed", NO_USAGE)]),
        ([COMMITTED, transcribed("How are you?", usage={})], [("completed", NO_USAGE)]),
        ([COMMITTED, GREW, FAILED], [("failed", NO_USAGE)]),
    ],
)
def test_a_transcription_whose_usage_nobody_counted_is_not_free(
    said: list[Event], ends: list[tuple[str, facts.Cost]]
) -> None:
    """It was begun; by the end it has words and no usage, or nobody reported what became of it."""
    play = begun()
    play.say(*said)
    assert closing(play) == UNKNOWN
    assert costs(play) == ends


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ([], []),
        ([COMMITTED, FAILED], [("failed", None)]),
        ([COMMITTED, FAILED, FAILED], [("failed", None), ("failed", None)]),
    ],
)
def test_a_transcription_that_made_nothing_costs_nothing(
    said: list[Event], ends: list[tuple[str, facts.Cost | None]]
) -> None:
    """Upstream says that there is none."""
    play = begun()
    play.say(*said)
    assert closing(play) == ("0", ())
    assert costs(play) == ends


def test_a_failed_transcription_may_have_a_usage() -> None:
    """Where a server reports one, it counts."""
    play = begun()
    play.say(COMMITTED, {**FAILED, "usage": {"type": "duration", "seconds": 2}})
    assert costs(play) == [("failed", UNPRICED)]
    assert play.line()["totals"]["seconds"] == [{"model": "whisper-1", "seconds": "2"}]


def test_a_commit_begins_nothing_in_a_session_that_does_not_transcribe() -> None:
    """Its audio goes to the model alone."""
    play = Play()
    play.say(session(audio={"input": {"transcription": None}}), COMMITTED)
    assert closing(play) == ("0", ())


def test_events_after_the_end_begin_no_other_transcription() -> None:
    """Neither a late piece of it nor a late or repeated commit."""
    play = begun()
    play.say(COMMITTED, COMMITTED, transcribed("How", usage={"type": "duration", "seconds": 0}), GREW, COMMITTED)
    play.say(event(f"{TRANSCRIPTION}.segment", item_id="user_1", text="How"), event(f"{TRANSCRIPTION}.segment"))
    assert closing(play) == ("0", ())
    assert costs(play) == [("completed", facts.Cost(usd="0"))]


def test_a_transcription_is_of_the_model_that_the_session_had_at_the_commit() -> None:
    """The session has another one, or none, when it ends."""
    play = begun()
    play.say(COMMITTED, event("input_audio_buffer.committed", item_id="user_2"))
    play.say(session(kind="session.updated", audio={"input": {"transcription": {"model": "gpt-4o-transcribe"}}}))
    play.say(event("input_audio_buffer.committed", item_id="user_3"))
    play.say(session(kind="session.updated", audio={"input": {"transcription": None}}))
    play.say(transcribed("Three.", "user_3"), transcribed("One."))
    assert [fact.model for fact in play.facts if isinstance(fact, facts.TranscriptionFinished)] == [
        "gpt-4o-transcribe",
        "whisper-1",
    ]
    assert given_up(item="user_2") in play.close()


@pytest.mark.parametrize("deltas", [0, 2])
def test_a_commit_begins_the_part_that_comes_first(deltas: int) -> None:
    """A server that counts parts from 1 has one transcription, of the model at the commit."""
    play = begun()
    play.say(COMMITTED)
    play.say(session(kind="session.updated", audio={"input": {"transcription": {"model": "gpt-4o-transcribe"}}}))
    for _ in range(deltas):
        play.say(event(f"{TRANSCRIPTION}.delta", item_id="user_1", content_index=1, delta="O"))
    play.say(transcribed("One.", index=1), transcribed("Two.", index=2))
    play.close()
    ended = [fact for fact in play.facts if isinstance(fact, facts.TranscriptionFinished)]
    assert [(fact.status, fact.model) for fact in ended] == [
        ("completed", "whisper-1"),
        ("completed", "gpt-4o-transcribe"),
    ]


def test_open_transcriptions_are_bounded() -> None:
    """Past the limit the oldest is given up. What comes of it later is billed beside that."""
    play = begun(open_responses=2)
    for number in (1, 2):
        play.say(event("input_audio_buffer.committed", item_id=f"user_{number}"))
    third = play.say(event(f"{TRANSCRIPTION}.delta", item_id="user_3", delta="Hi"))
    assert third == [given_up()]
    assert play.say(transcribed("One.")) == [finished("One.")]
    assert [fact for fact in play.close() if isinstance(fact, facts.TranscriptionFinished)] == [
        given_up(item="user_2"),
        given_up(item="user_3"),
    ]
