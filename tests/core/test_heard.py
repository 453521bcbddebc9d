"""What the caller heard of what was said: known, estimated by proportion, or not to be known."""

import pytest

from steno.core.facts import Content, ItemTruncated, PlaybackCleared
from steno.core.realtime.state import ConversationItem
from steno.core.transcript import GrowingText
from tests.core.helpers import Play, audio, created, done, event, message, session

SECOND_OF_AUDIO = "AAAA" * 16_000
"""48,000 bytes in base64."""
WORDS = "one two three four"


def spoken(seconds: int = 1) -> Play:
    """A response that said `WORDS` in so many seconds of audio, on a stream that carries it."""
    play = Play()
    play.say(session(), created())
    play.say(*[audio(SECOND_OF_AUDIO)] * seconds)
    play.say(done(output=[message("item_1", WORDS, "output_audio")]))
    return play


def heard(play: Play) -> tuple[object, object]:
    (turn,), (speech,) = play.line()["transcript"], play.line()["speech"]
    return turn["heard"], speech["heard_how"]


@pytest.mark.parametrize(
    ("end_ms", "words"),
    [(0, ""), (500, "one two"), (550, "one two"), (950, "one two three"), (1000, WORDS), (5000, WORDS), (-5, "")],
)
def test_truncation_tells_how_much_was_heard(end_ms: int, words: str) -> None:
    """The played part of the speech is the heard part of the words, to the last whole one."""
    play = spoken()

    told = play.say(event("conversation.item.truncated", item_id="item_1", content_index=0, audio_end_ms=end_ms))

    assert told == [
        ItemTruncated(item_id="item_1", audio_end_ms=end_ms, generated_ms=1000.0, heard=Content("transcript", words))
    ]
    assert heard(play) == (words, "estimated")


def test_what_was_played_to_its_end_was_heard() -> None:
    """Playback that stopped by itself is known."""
    play = spoken()
    play.say(event("output_audio_buffer.started", response_id="resp_1"))
    play.say(event("output_audio_buffer.stopped", response_id="resp_1"))

    assert heard(play) == (WORDS, "whole")


def test_what_was_cleared_was_heard_for_as_long_as_it_played() -> None:
    """The time between start and clear is what was played."""
    play = spoken()
    play.say(event("output_audio_buffer.started", response_id="resp_1"))
    play.wait(500)

    told = play.say(event("output_audio_buffer.cleared", response_id="resp_1"))

    assert told == [PlaybackCleared(response_id="resp_1", played_seconds=0.5)]
    assert heard(play) == ("one two", "estimated")


def test_a_stop_after_a_clear_does_not_make_it_whole() -> None:
    """What was cut off stays cut off."""
    play = spoken()
    play.say(event("output_audio_buffer.started", response_id="resp_1"))
    play.say(event("output_audio_buffer.cleared", response_id="resp_1"))
    play.say(event("output_audio_buffer.stopped", response_id="resp_1"))

    assert heard(play) == ("", "estimated")


def test_a_sideband_cannot_know() -> None:
    """It carries no audio: how long the speech was is not known, and so not which words were heard."""
    play = spoken(seconds=0)
    play.say(event("output_audio_buffer.started", response_id="resp_1"))
    play.wait(500)
    play.say(event("output_audio_buffer.cleared", response_id="resp_1"))

    assert heard(play) == (None, "unknown")
    assert play.line()["speech"][0]["heard_ms"] == 500


def test_nobody_tells() -> None:
    """A socket tells nothing of playback."""
    assert heard(spoken()) == (None, "unknown")


def test_out_of_band_is_no_turn() -> None:
    """The text of a response outside the conversation is no turn of the transcript."""
    play = Play()
    play.say(session(), created("aside", conversation_id=None), created("answer", conversation_id="conv_1"))
    play.say(audio(response_id="aside", item_id="item_9"), audio(response_id="answer"))
    play.say(done("aside", conversation_id=None, output=[message("item_9", "calm")]))
    play.say(done("answer", conversation_id="conv_1", output=[message("item_1", WORDS)]))

    assert [turn["text"] for turn in play.line()["transcript"]] == [WORDS]
    assert len(play.line()["responses"]) == 2


@pytest.mark.parametrize(
    ("text", "ms", "cut"), [("", 500, ""), ("word", 500, ""), ("a b", 700, "a"), ("a b", 400, "a")]
)
def test_words_are_cut_whole(text: str, ms: float, cut: str) -> None:
    """Half a word was not heard as one."""
    item = ConversationItem("item_1")
    item.parts[0] = GrowingText()
    item.parts[0].append(text)
    item.audio_bytes, item.heard_ms = 48_000, ms

    assert item.heard() == (cut, "estimated")
