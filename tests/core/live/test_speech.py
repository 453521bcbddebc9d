"""What is said in a Live session: plays."""

from typing import Any

from steno.core import facts
from steno.core.facts import Content
from tests.core.helpers import Play, event
from tests.core.live.plays import MODEL, heard, spoke, started

KEY = "relay/live_1"


def play(*events: Any, **limits: Any) -> Play:
    """A session that has begun."""
    begun = Play(**limits)
    begun.say(started(), *events)
    return begun


def segment(role: str, start: int | None, end: int | None, words: str | None, **changes: Any) -> facts.SegmentFinished:
    """What one of them said."""
    values: dict[str, Any] = {"model": MODEL, "double_talk_seconds": 0.0, "turn_latency_seconds": None, **changes}
    text = None if words is None else Content("transcript", words)
    return facts.SegmentFinished(role=role, start_ms=start, end_ms=end, transcript=text, **values)


def segments(told: Play) -> list[Any]:
    """What was reported as said, with what the end of the session reports."""
    told.close()
    return told.of(facts.SegmentFinished)


def test_a_pause_within_a_sentence_ends_nothing() -> None:
    told = play(heard(600, 800, "What"), heard(1_400, 1_600, " is it?"))
    assert segments(told) == [segment("user", 600, 1_600, "What is it?")]


def test_a_long_pause_ends_a_segment() -> None:
    """It is reported when the next one begins, or when the clock has gone on."""
    told = play(spoke(0, 200, "Hm."))
    assert told.say(spoke(901, 1_000, "Well.")) == [segment("assistant", 0, 200, "Hm.")]
    assert told.say(event("session.output_audio.delta", start_ms=2_300, end_ms=2_399)) == []
    assert told.say(event("session.output_audio.delta", start_ms=2_399, end_ms=2_400)) == [
        segment("assistant", 901, 1_000, "Well.")
    ]
    assert told.say(event("session.output_audio.delta", start_ms=1, end_ms=2)) == []


def test_whatever_has_a_place_moves_the_clock() -> None:
    """So a user who is not answered by words is done as well."""
    for kind in ("instructions", "thinking", "commentary"):
        told = play(heard(0, 200))
        assert told.say(event(f"session.{kind}.appended", start_ms=3_000, end_ms=3_000)) == [
            facts.ContextAppended(kind=kind, start_ms=3_000),
            segment("user", 0, 200, "hi"),
        ]
    delegated = play(heard(0, 200))
    delegated.say(event("session.delegation.created", delegation={"id": "item_1", "target": "client"}, offset_ms=4_000))
    assert delegated.facts[-1] == segment("user", 0, 200, "hi")


def test_turn_latency_is_that_of_the_server() -> None:
    """Decided once the model was silent: the words of the user may come after its first ones."""
    told = play(heard(0, 400), spoke(800, 1_000), heard(400, 600))
    assert segments(told) == [
        segment("user", 0, 600, "hihi"),
        segment("assistant", 800, 1_000, "hello", turn_latency_seconds=0.2),
    ]


def test_both_speak_at_once() -> None:
    """It counts for either."""
    told = play(heard(0, 600), spoke(400, 800), heard(600, 1_000))
    assert segments(told) == [
        segment("user", 0, 1_000, "hihi", double_talk_seconds=0.4),
        segment("assistant", 400, 800, "hello", double_talk_seconds=0.4),
    ]
    assert told.closed[0].exported().further["double_talk_seconds"] == "0.4"


def test_words_without_a_place() -> None:
    """They follow each other until the other one speaks."""
    told = play(heard(None, None, "a"), heard(None, None, "b"), spoke(None, None, "c"), heard(None, 7, "d"))
    assert segments(told) == [
        segment("user", None, None, "ab"),
        segment("user", None, None, "d"),
        segment("assistant", None, None, "c"),
    ]


def test_a_fragment_that_ends_before_it_begins_has_words_alone() -> None:
    told = play(heard(500, 100, "a"))
    assert told.line(KEY)["rejected"] == {"negative_duration": 1}
    assert segments(told) == [segment("user", None, None, "a")]


def test_a_place_that_comes_later_is_the_segments() -> None:
    told = play(heard(None, None, "a"), heard(200, 400, "b"))
    assert segments(told) == [segment("user", 200, 400, "ab")]


def test_words_that_come_late_stand_where_they_belong() -> None:
    """Far before the present ones they are a segment of their own, and shown in the order of the clock."""
    told = play(heard(5_000, 5_200, "later"), heard(100, 300, "earlier"))
    assert [turn["text"] for turn in told.line(KEY)["transcript"]] == ["earlier", "later"]
    assert segments(told) == [segment("user", 5_000, 5_200, "later"), segment("user", 100, 300, "earlier")]


def test_a_fragment_without_words_is_time() -> None:
    told = play(heard(0, 200, ""), event("session.input_transcript.delta", start_ms=200, end_ms=400))
    assert segments(told) == [segment("user", 0, 400, None)]


def test_two_connections_that_follow_a_session_say_each_word_once() -> None:
    """Whichever is ahead, and whatever ids the events have there."""
    told = play(heard(0, 200, "a"))
    side = told.open("relay/1/2")
    told.say(started(), heard(0, 200, "a"), heard(200, 400, "b"), on=side)
    told.say(heard(200, 400, "b"), heard(400, 600, "c"))
    told.say(heard(400, 600, "c"), on=side)
    assert told.line(KEY)["transcript"][0]["text"] == "abc"
    assert told.line(KEY)["rejected"] == {"duplicate": 3}


def test_segments_have_a_limit_and_so_have_their_words() -> None:
    """The oldest leave the transcript; what is said now goes on, in a new one where it had to leave."""
    told = play(items=1)
    told.say(heard(0, 200, "a"), spoke(100, 300, "b"), heard(200, 400, "c"))
    assert [turn["text"] for turn in told.line(KEY)["transcript"]] == ["c"]
    assert segments(told) == [
        segment("user", 0, 200, None, double_talk_seconds=0.1),
        segment("user", 200, 400, "c", double_talk_seconds=0.1),
        segment("assistant", 100, 300, None, double_talk_seconds=0.2),
    ]
