"""Plays on speech: what is heard, committed, transcribed and answered."""

from steno.simulate.interactive.configuration import new_transcription_session
from tests.simulate.interactive.plays import WEATHER, Play, done, errors, kinds

HEARD = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]


def test_a_commit_ends_what_the_caller_is_saying() -> None:
    play = Play()
    [started] = play.speak(500)

    committed = play.send("input_audio_buffer.commit")

    assert committed[0]["item_id"] == started["item_id"]


def test_speech_that_ends_in_silence_is_answered() -> None:
    play = Play()
    play.configure(audio={"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}})

    events = play.speak(1_200, 600)
    rest = play.rest()

    transcripts = [event for event in rest if event["type"].endswith("transcription.completed")]
    assert kinds(events) == HEARD
    assert [event["item_id"] for event in events[:3]] == [events[0]["item_id"]] * 3
    assert events[0]["audio_start_ms"] == 0
    assert events[1]["audio_end_ms"] == 1_700
    assert done(rest)["usage"]["input_token_details"]["audio_tokens"] == 17
    assert [event["item_id"] for event in transcripts] == [events[0]["item_id"]]
    assert transcripts[0]["usage"]["input_tokens"] == 17
    assert transcripts[0]["transcript"] in done(rest)["output"][0]["content"][0]["transcript"]


def test_speech_that_begins_during_an_answer_interrupts_it() -> None:
    play = Play()
    play.send("response.create")
    play.until("response.output_audio.delta")

    events = play.speak(200)

    response = done(events)
    assert kinds(events)[0] == "input_audio_buffer.speech_started"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}


def test_push_to_talk_waits_for_its_commit_and_for_its_response() -> None:
    play = Play()
    play.configure(audio={"input": {"turn_detection": None}})

    silent = play.speak(800, 2_000)
    committed = play.send("input_audio_buffer.commit") + play.rest()
    answered = play.ask("response.create")

    assert silent == []
    assert kinds(committed) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert done(answered)["usage"]["input_token_details"]["audio_tokens"] == 28


def test_a_cleared_buffer_holds_nothing_to_commit() -> None:
    play = Play()
    play.speak(500)

    cleared = play.send("input_audio_buffer.clear")
    [error] = errors(play.send("input_audio_buffer.commit"))

    assert kinds(cleared) == ["input_audio_buffer.cleared"]
    assert error["code"] == "input_audio_buffer_commit_empty"


def test_a_session_may_detect_speech_without_answering_it() -> None:
    play = Play()
    play.configure(audio={"input": {"turn_detection": {"type": "semantic_vad", "create_response": False}}})

    assert kinds(play.speak(400, 600) + play.rest()) == HEARD[:-1]


def test_every_second_utterance_names_a_function() -> None:
    play = Play()
    play.configure(tools=[WEATHER])

    first = done(play.speak(400, 600) + play.rest())
    second = done(play.speak(400, 600) + play.rest())

    assert [item.get("name") for item in (*first["output"], *second["output"])] == [None, "get_weather"]


def test_a_session_for_transcription_answers_nothing() -> None:
    play = Play(new_transcription_session("gpt-4o-transcribe"))

    events = play.speak(400, 600) + play.rest()
    [refused] = errors(play.send("response.create"))
    updated = play.send("session.update", session={"type": "transcription", "include": None})
    [other] = errors(play.configure())

    assert play.sent[0]["session"]["type"] == "transcription"
    assert kinds(events)[:5] == HEARD[:5]
    assert kinds(events)[-1] == "conversation.item.input_audio_transcription.completed"
    assert "response.created" not in kinds(events)
    assert (refused["param"], other["param"]) == ("type", "session.type")
    assert kinds(updated) == ["session.updated"]
