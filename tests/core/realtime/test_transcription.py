"""The transcription of what the user said: grown, completed, repeated, cumulative, failed."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, Tokens
from tests.core.helpers import (
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
