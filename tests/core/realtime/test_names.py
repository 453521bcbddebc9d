"""Both names of an event, each with an `event_id` of its own: the part goes by the one that comes first."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content
from steno.wire import realtime
from steno.wire.base import TypedEvent, name_of
from tests.core.helpers import Event, Play, audio, call, created, delta, done, event, message, session, spoken_turn

IDS = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}


def _twins() -> dict[str, str]:
    """The beta name of each GA one, from the vocabulary itself: the class of the one is a subclass of the other's."""
    pairs: dict[str, str] = {}
    for kind in realtime.SERVER_EVENTS:
        (base,) = kind.__bases__
        if base in realtime.SERVER_EVENTS and issubclass(base, TypedEvent):
            pairs[name_of(base)] = name_of(kind)
    return pairs


TWINS = _twins()


def test_vocabulary_has_these_pairs() -> None:
    """A pair that is added to the vocabulary is added to the plays below."""
    assert TWINS == {
        "session.created": "transcription_session.created",
        "session.updated": "transcription_session.updated",
        "conversation.item.added": "conversation.item.created",
        "response.output_text.delta": "response.text.delta",
        "response.output_text.done": "response.text.done",
        "response.output_audio_transcript.delta": "response.audio_transcript.delta",
        "response.output_audio_transcript.done": "response.audio_transcript.done",
        "response.output_audio.delta": "response.audio.delta",
        "response.output_audio.done": "response.audio.done",
    }


def told(count: int = 2) -> list[Event]:
    """A session with spoken turns and an answer in writing."""
    turns = [turn for number in range(1, count + 1) for turn in spoken_turn(number, "And now?", f"Number {number}.")]
    where = {**IDS, "response_id": "resp_w", "item_id": "item_w"}
    written = [
        created("resp_w"),
        *(delta(piece, "item_w", response_id="resp_w") for piece in ("In ", "writing", ".")),
        event("response.output_text.done", **where, text="In writing."),
        done("resp_w", output=[message("item_w", "In writing.")]),
    ]
    return [session(), session(kind="session.updated"), *turns, *written]


def numbered(events: list[Event]) -> list[Event]:
    return [{**each, "event_id": f"event_{number}"} for number, each in enumerate(events)]


def doubled(events: list[Event], *, beta_first: bool) -> list[Event]:
    """Each event that has two names comes under both."""
    both: list[Event] = []
    for each in events:
        twin = TWINS.get(each["type"])
        pair = [each] if twin is None else [each, {**each, "type": twin}]
        both += reversed(pair) if beta_first else pair
    return both


def late(events: list[Event]) -> list[Event]:
    """The second names come when the response is about to end, after those of the whole answer."""
    both: list[Event] = []
    held: list[Event] = []
    for each in events:
        if each["type"] == "response.done":
            both += held
            held = []
        both.append(each)
        twin = TWINS.get(each["type"])
        if twin is not None:
            held.append({**each, "type": twin})
    return both


def play_of(events: list[Event]) -> Play:
    play = Play()
    for each in numbered(events):
        play.wait(20)
        play.say(each)
    return play


@pytest.mark.parametrize("beta_first", [False, True])
def test_stream_that_says_all_twice_is_the_stream_that_says_it_once(*, beta_first: bool) -> None:
    """The same facts and the same state. Each second name is counted as a duplicate."""
    events = told()
    once, twice = Play(timed=False), Play(timed=False)
    once.say(*numbered(events))
    twice.say(*numbered(doubled(events, beta_first=beta_first)))
    pairs = sum(1 for each in events if each["type"] in TWINS)

    assert twice.facts == once.facts
    assert twice.line() == {**once.line(), "rejected": {"duplicate": pairs}}
    assert twice.rejected == {"duplicate": pairs}
    assert (pairs, [turn["text"] for turn in twice.line()["transcript"]][-1]) == (22, "In writing.")


def test_second_names_may_come_later() -> None:
    """When all the first ones have come."""
    events = [each for each in told() if each["type"] not in ("session.created", "session.updated")]
    once, twice = Play(timed=False), Play(timed=False)
    once.say(session(), *numbered(events))
    twice.say(session(), *numbered(late(events)))
    pairs = sum(1 for each in events if each["type"] in TWINS)

    assert twice.facts == once.facts
    assert twice.line() == {**once.line(), "rejected": {"duplicate": pairs}}


@pytest.mark.parametrize(
    ("first", "second"), [("output_text", "text"), ("audio_transcript", "output_audio_transcript")]
)
def test_each_part_has_a_name_of_its_own(first: str, second: str) -> None:
    """A server may change names between parts, between responses and between sessions."""
    play = Play()
    play.say(session(), created(), delta("One.", kind=first), delta("Two.", kind=second, content_index=1))
    play.say(delta("Three.", "item_2", kind=second), done(), created("resp_2"))
    play.say(delta("Four.", "item_3", kind=second, response_id="resp_2"))

    assert [turn["text"] for turn in play.line()["transcript"]] == ["One.Two.", "Three.", "Four."]
    assert play.rejected == {}


def test_kinds_of_one_part_have_names_of_their_own() -> None:
    """Text and transcript are two kinds, however upstream mixes them."""
    play = Play()
    play.say(session(), created(), delta("a"), delta("b", kind="audio_transcript"), delta("c"))
    play.say(delta("d", kind="text"), delta("e", kind="output_audio_transcript"), delta("f", kind="audio_transcript"))

    assert play.state().items["item_1"].text() == "abcf"
    assert play.rejected == {"duplicate": 2}


@pytest.mark.parametrize(("deltas", "end"), [("output_text", "text"), ("text", "output_text")])
def test_end_of_a_part_may_have_the_other_name(deltas: str, end: str) -> None:
    """It is the truth of the part, once. The same end under the other name says nothing any more."""
    play = Play()
    play.say(session(), created(), delta("Hel", kind=deltas))
    ended = event(f"response.{end}.done", **IDS, text="Hello")
    assert play.say(ended) == [facts.DeltasDiffered(item_id="item_1", members=("content",))]
    assert play.say(event(f"response.{deltas}.done", **IDS, text="Hello!")) == []
    assert play.say(delta("lo", kind=end)) == []

    assert play.state().items["item_1"].text() == "Hello"
    assert play.rejected == {"duplicate": 2}


def test_part_that_only_its_end_brought_has_the_name_of_that() -> None:
    """Deltas of the other name that come late are duplicates. A part without a text has no name."""
    play = Play()
    play.say(session(), created(), event("response.output_text.done", **IDS, text=None), delta("Hi", kind="text"))
    play.say(event("response.output_text.done", **{**IDS, "content_index": 1}, text="there"))
    play.say(delta("there", kind="text", content_index=1))

    assert play.state().items["item_1"].text() == "Hithere"
    assert play.rejected == {"duplicate": 1}


def test_speech_is_measured_once_in_each_part() -> None:
    """By item and part; where no item is named, by response and part."""
    play = Play()
    play.say(session(), created(), audio(), audio(content_index=1))
    for kind in ("audio", "output_audio", "audio"):
        play.say(*(delta("AAAA", kind=kind, content_index=index) for index in (0, 1, 2)))
        play.say(delta("AAAA", kind=kind, item_id=None), delta("AAAA", kind=kind, item_id=None, content_index=None))

    response, item = play.state().open["resp_1"], play.state().items["item_1"]
    assert item.audio_bytes == 3 * (2 + 1 + 2 + 1)
    assert response.audio_bytes == item.audio_bytes + 3 * (2 * 2)
    assert play.rejected == {"duplicate": 2 + 3 + 2}


def test_ends_of_speech_are_duplicates_by_part() -> None:
    """The end under the other name alone is the end. One of an unknown item is passed over."""
    play = Play()
    play.say(session(), created(), audio())
    for kind, index in (("audio", 0), ("output_audio", 1), ("audio", 1), ("audio", 1)):
        play.say(event(f"response.{kind}.done", **{**IDS, "content_index": index}))
    play.say(event("response.audio.done", response_id="resp_1"), event("response.output_audio.done", **IDS))

    assert play.rejected == {"duplicate": 2}


def test_names_of_many_parts_are_bounded() -> None:
    """Parts past the bound are measured, under whichever name they come."""
    play = Play()
    play.say(session(), created())
    play.say(*(audio(content_index=index) for index in range(300)))
    item = play.state().items["item_1"]

    assert (len(item.audio_parts), item.audio_bytes) == (256, 900)


def test_item_is_added_once() -> None:
    """An item that its own name reports again is moved; under the other name it is a duplicate."""
    play = Play()
    typed = {"id": "a", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    play.say(session())
    added = facts.ItemAdded(item_id="a", kind="message", role="user", text=Content("text", "Hi"))
    for name, expected in (("created", [added]), ("added", []), ("created", [added])):
        assert play.say(event(f"conversation.item.{name}", item=typed)) == expected

    play.say(event("conversation.item.deleted", item_id="a"))
    assert play.say(event("conversation.item.added", item=typed)) == [added]
    assert play.rejected == {"duplicate": 1}


def test_session_is_reported_once() -> None:
    """One that says something else under the other name is a change."""
    play = Play()
    changed: dict[str, Any] = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    for kind in ("session.created", "transcription_session.created", "transcription_session.updated"):
        play.say(session(kind=kind))
    play.say(session(kind="session.updated"), session(kind="session.updated", **changed))

    assert [type(fact) for fact in play.facts[1:]] == [
        facts.SessionOpened,
        facts.SessionChanged,
        facts.SessionChanged,
    ]
    assert play.rejected == {"duplicate": 2}


def test_duplicate_opens_no_response() -> None:
    """A response that was not announced begins with an event that has an effect."""
    play = Play()
    play.say(session(), created(), delta("a"), done(output=[call("item_2", "call_1")]))
    play.say(delta("a", kind="text", response_id="resp_2"))

    assert (list(play.state().open), play.rejected) == ([], {"duplicate": 1})
