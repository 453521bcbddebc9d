"""What the caller heard of a response: all of it, an estimated part, or unknown."""

import pytest

from steno.core.facts import Content, ItemTruncated, PlaybackCleared, PlaybackStarted, PlaybackStopped
from steno.core.realtime.conversation_item import ConversationItem
from steno.core.transcript import GrowingText
from tests.core.helpers import Play, audio, created, done, event, message, session

SECOND_OF_AUDIO = "AAAA" * 16_000
"""48,000 bytes in base64."""
TEXT = "one two three four"


def spoken(seconds: int = 1) -> Play:
    """A response that said `TEXT` in so many seconds of audio, on a stream that carries it."""
    play = Play()
    play.say(session(), created())
    play.say(*[audio(SECOND_OF_AUDIO)] * seconds)
    play.say(done(output=[message("item_1", TEXT, "output_audio")]))
    return play


def heard(play: Play) -> tuple[object, object]:
    (turn,), (speech,) = play.line()["transcript"], play.line()["speech"]
    return turn["heard"], speech["heard_how"]


@pytest.mark.parametrize(
    ("end_ms", "text"),
    [(0, ""), (500, "one two"), (550, "one two"), (950, "one two three"), (1000, TEXT), (5000, TEXT), (-5, "")],
)
def test_truncation_reports_what_was_heard(end_ms: int, text: str) -> None:
    """The played share of the speech is the heard share of the text, cut at a word."""
    play = spoken()

    emitted = play.say(event("conversation.item.truncated", item_id="item_1", content_index=0, audio_end_ms=end_ms))

    assert emitted == [
        ItemTruncated(item_id="item_1", audio_end_ms=end_ms, generated_ms=1000.0, heard=Content("transcript", text))
    ]
    assert heard(play) == (text, "estimated")


def test_playback_that_ended_on_a_stream_with_audio_was_heard_in_full() -> None:
    """Its end says more than the length of the audio."""
    play = spoken()
    play.say(event("output_audio_buffer.started", response_id="resp_1"))
    play.say(event("output_audio_buffer.stopped", response_id="resp_1"))

    assert heard(play) == (TEXT, "whole")


def test_cleared_playback_was_heard_as_long_as_it_lasted() -> None:
    """From its start to its clear."""
    play = spoken()
    play.say(event("output_audio_buffer.started", response_id="resp_1"))
    play.wait(500)

    emitted = play.say(event("output_audio_buffer.cleared", response_id="resp_1"))

    assert emitted == [PlaybackCleared(response_id="resp_1", played_seconds=0.5)]
    assert heard(play) == ("one two", "estimated")


def test_end_of_playback_after_a_clear_changes_nothing() -> None:
    """What was cut off stays cut off."""
    play = spoken()
    play.say(event("output_audio_buffer.started", response_id="resp_1"))
    play.say(event("output_audio_buffer.cleared", response_id="resp_1"))
    play.say(event("output_audio_buffer.stopped", response_id="resp_1"))

    assert heard(play) == ("", "estimated")


def test_heard_text_is_unknown_on_a_sideband() -> None:
    """It carries no audio, so the length of the speech is unknown."""
    play = spoken(seconds=0)
    play.say(event("output_audio_buffer.started", response_id="resp_1"))
    play.wait(500)
    play.say(event("output_audio_buffer.cleared", response_id="resp_1"))

    assert heard(play) == (None, "unknown")
    assert play.line()["speech"][0]["heard_ms"] == 500


def test_heard_text_is_unknown_without_playback_events() -> None:
    """A plain websocket reports no playback."""
    assert heard(spoken()) == (None, "unknown")


def test_text_of_a_response_out_of_band_is_no_turn() -> None:
    """It is not in the transcript, and the response is kept like any other."""
    play = Play()
    play.say(session(), created("aside", conversation_id=None), created("answer", conversation_id="conv_1"))
    play.say(audio(response_id="aside", item_id="item_9"), audio(response_id="answer"))
    play.say(done("aside", conversation_id=None, output=[message("item_9", "calm")]))
    play.say(done("answer", conversation_id="conv_1", output=[message("item_1", TEXT)]))

    assert [turn["text"] for turn in play.line()["transcript"]] == [TEXT]
    assert len(play.line()["responses"]) == 2


@pytest.mark.parametrize(
    ("text", "ms", "cut"), [("", 500, ""), ("word", 500, ""), ("a b", 700, "a"), ("a b", 400, "a")]
)
def test_heard_text_is_cut_at_a_word(text: str, ms: float, cut: str) -> None:
    """Half a word was not heard as one."""
    item = ConversationItem("item_1")
    item.parts[0] = GrowingText()
    item.parts[0].append(text)
    item.audio_bytes, item.heard_ms = 48_000, ms

    assert item.heard() == (cut, "estimated")


def test_playback_that_ended_was_heard_in_full() -> None:
    """Until then nothing is known of what was heard."""
    play = Play()
    play.say(
        session(), created(), event("response.output_item.added", response_id="resp_1", item=message("item_1", "Hi."))
    )
    play.say(done(output=[message("item_1", "Hi.")]))
    assert play.say(event("output_audio_buffer.started", response_id="resp_1")) == [
        PlaybackStarted(response_id="resp_1", model="gpt-realtime", turn_latency_seconds=None)
    ]
    assert play.line()["transcript"][0]["heard"] is None
    assert play.say(event("output_audio_buffer.stopped", response_id="resp_1")) == [
        PlaybackStopped(response_id="resp_1")
    ]
    assert play.line()["transcript"][0]["heard"] == "Hi."
    assert play.say(event("output_audio_buffer.cleared", response_id="resp_2")) == [
        PlaybackCleared(response_id="resp_2")
    ]


def test_truncated_item_was_not_heard_in_full() -> None:
    """Not even where playback reports its end after that."""
    play = Play()
    play.say(session(), created(), done(output=[message("item_1", "Hi there.")]))
    play.say(event("conversation.item.truncated", item_id="item_1", audio_end_ms=10))
    play.say(event("output_audio_buffer.stopped", response_id="resp_1"))
    assert play.line()["transcript"][0]["heard"] is None


def test_truncation_stands_when_playback_is_cleared() -> None:
    """Upstream knows what was played. The time that is left was that of the next message."""
    play = spoken()
    play.say(created("resp_2"), audio(SECOND_OF_AUDIO, response_id="resp_2"))
    play.say(audio(SECOND_OF_AUDIO, response_id="resp_2", item_id="item_2"))
    play.say(done("resp_2", output=[message("item_1", TEXT), message("item_2", TEXT, "output_audio")]))
    play.say(event("output_audio_buffer.started", response_id="resp_2"))
    play.say(event("conversation.item.truncated", item_id="item_1", content_index=0, audio_end_ms=310))
    play.wait(500)
    play.say(event("output_audio_buffer.cleared", response_id="resp_2"))

    assert [speech["heard_ms"] for speech in play.line()["speech"]] == [310, 190.0]
