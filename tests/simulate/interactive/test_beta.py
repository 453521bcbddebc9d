"""The beta protocol: the same play with other names."""

import json
from typing import Any

import pytest

from steno.simulate.interactive.beta import ALIASES, from_beta, to_beta
from steno.simulate.interactive.configuration import new_transcription_session
from tests.simulate.interactive.plays import WEATHER, Event, Play, kinds


class BetaPlay(Play):
    """A client of the beta protocol."""

    def raw(self, frame: str | bytes) -> list[Event]:
        self.session.receive(from_beta(json.loads(frame)), ALIASES)
        return self._take()

    def _take(self) -> list[Event]:
        return [changed for event in super()._take() if (changed := to_beta(event))]


def test_a_flat_session_is_shown_flat() -> None:
    play = BetaPlay()

    [updated] = play.send(
        "session.update",
        session={
            "modalities": ["text"],
            "voice": "sage",
            "temperature": 0.7,
            "input_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1"},
            "turn_detection": None,
            "max_response_output_tokens": 99,
            "tools": [WEATHER],
        },
    )

    session = updated["session"]
    assert updated["type"] == "session.updated"
    assert "audio" not in session
    assert (session["modalities"], session["voice"]) == (["text"], "sage")
    assert (session["input_audio_format"], session["output_audio_format"]) == ("g711_ulaw", "pcm16")
    assert session["input_audio_transcription"]["model"] == "whisper-1"
    assert (session["turn_detection"], session["max_response_output_tokens"]) == (None, 99)
    assert session["tools"] == [WEATHER]


def test_an_answer_has_the_names_of_beta() -> None:
    play = BetaPlay()
    play.say("Hello")

    spoken = play.ask("response.create", response={"modalities": ["text", "audio"], "voice": "verse"})
    written = play.ask("response.create", response={"modalities": ["text"]})

    response = next(event["response"] for event in spoken if event["type"] == "response.done")
    assert [kind for kind in dict.fromkeys(kinds(spoken)) if kind != "rate_limits.updated"] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert (response["modalities"], response["voice"]) == (["audio", "text"], "verse")
    assert response["output"][0]["content"][0]["type"] == "audio"
    assert response["output"][0]["object"] == "realtime.item"
    assert {"response.text.delta", "response.text.done"} <= set(kinds(written))


def test_what_the_assistant_said_before_is_taken_in() -> None:
    play = BetaPlay()
    content = [{"type": "text", "text": "Good day"}]

    [created] = play.send("conversation.item.create", item={"type": "message", "role": "assistant", "content": content})

    assert created["type"] == "conversation.item.created"
    assert created["item"]["content"] == content


def test_a_session_for_transcription_has_events_of_its_own() -> None:
    play = BetaPlay(new_transcription_session(""))

    [updated] = play.send(
        "transcription_session.update",
        session={"input_audio_transcription": {"model": "gpt-4o-transcribe"}, "modalities": ["text"]},
    )

    assert updated["type"] == "transcription_session.updated"
    assert updated["session"]["input_audio_transcription"]["model"] == "gpt-4o-transcribe"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "session.update", "session": {"audio": {}, "volume": 11}},
        {"type": "session.update", "session": {"input_audio_format": 7}},
        {"type": "session.update", "session": {"modalities": "all"}},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "assistant", "content": [7]}},
        {"type": "response.create", "response": {"input": [7]}},
        {"type": "transcription_session.update"},
    ],
)
def test_garbage_is_left_to_the_session(event: dict[str, Any]) -> None:
    play = BetaPlay()

    assert kinds(play.raw(json.dumps(event))) == ["error"]
