"""Items: their order, their text, and their final form."""

from typing import Any

from steno.core import facts
from tests.core.helpers import (
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


def order(play: Play) -> list[str]:
    return list(play.state().order)


def transcript(play: Play) -> list[tuple[str | None, str]]:
    return [(turn["role"], turn["text"]) for turn in play.line()["transcript"]]


def item(key: str, text: str | None = None, role: str = "user", after: str | None = None, name: str = "added") -> Event:
    kind = "input_text" if role == "user" else "output_text"
    content = [] if text is None else [{"type": kind, "text": text}]
    data = {"id": key, "type": "message", "role": role, "content": content}
    return event(f"conversation.item.{name}", item=data, previous_item_id=after)


def test_item_stands_behind_the_one_it_names() -> None:
    """Whatever the order of events. One that names an unknown item stands last."""
    play = begun()
    play.say(item("a"), item("b", after="a"), item("c", after="a"), item("d", after="nobody"), item("e"))
    assert order(play) == ["a", "c", "b", "d", "e"]
    play.say(item("e", after="a"))
    assert order(play) == ["a", "e", "c", "b", "d"]
    play.say(item("b", after="b"))
    assert order(play) == ["a", "e", "c", "b", "d"]


def test_item_without_an_id_is_rejected() -> None:
    """So is an event without an item."""
    play = begun()
    for name in ("added", "created", "done"):
        rejected = facts.EventRejected(event=f"conversation.item.{name}", reason="missing_object")
        assert play.say(event(f"conversation.item.{name}")) == [rejected]
        assert play.say(event(f"conversation.item.{name}", item={"type": "message"})) == [rejected]
    assert play.line()["rejected"] == {"missing_object": 6}


def test_typed_message_has_its_text_at_once() -> None:
    """The parts are read in order."""
    play = begun()
    content = [{"type": "input_text", "text": "One "}, {"type": "input_image"}, {"type": "input_text", "text": "two."}]
    play.say(event("conversation.item.added", item={"id": "a", "type": "message", "role": "user", "content": content}))
    assert transcript(play) == [("user", "One two.")]


def test_final_form_of_a_spoken_message_keeps_its_transcript() -> None:
    """The transcript may come before it, and is not in it."""
    play = begun()
    play.say(event(f"{TRANSCRIPTION}.completed", item_id="user_1", transcript="Hello"))
    content = [{"type": "input_audio", "transcript": None}]
    final = {"id": "user_1", "type": "message", "role": "user", "content": content}
    assert play.say(event("conversation.item.done", item=final)) == []
    assert transcript(play) == [("user", "Hello")]


def test_truncated_item_is_reported() -> None:
    """An unknown item cannot be truncated."""
    play = begun()
    truncated = event("conversation.item.truncated", item_id="item_1", content_index=0, audio_end_ms=310)
    rejected = facts.EventRejected(event="conversation.item.truncated", reason="unknown_item")
    assert play.say(truncated) == [rejected]
    play.say(item("item_1", "Well", "assistant"))
    assert play.say(truncated) == [facts.ItemTruncated(item_id="item_1", audio_end_ms=310)]
    assert play.say(event("conversation.item.truncated")) == [rejected]


def test_deleted_item_is_removed() -> None:
    """The others stay in order. It cannot be deleted twice."""
    play = begun()
    play.say(item("a", "A"), item("b", "B", after="a"), item("c", "C", after="b"))
    assert play.say(event("conversation.item.deleted", item_id="b")) == [facts.ItemDeleted(item_id="b")]
    assert transcript(play) == [("user", "A"), ("user", "C")]
    rejected = facts.EventRejected(event="conversation.item.deleted", reason="unknown_item")
    assert play.say(event("conversation.item.deleted", item_id="b")) == [rejected]
    assert play.say(event("conversation.item.deleted")) == [rejected]


def test_oldest_items_go_past_the_number_of_items() -> None:
    """Their text is no longer counted."""
    play = begun(items=3)
    play.say(*(item(f"item_{number}", str(number)) for number in range(5)))
    assert transcript(play) == [("user", "2"), ("user", "3"), ("user", "4")]
    assert play.state().transcript.characters == 3


def test_oldest_texts_go_past_the_budget() -> None:
    """The items stay. The text of the newest item goes last."""
    play = begun(transcript_bytes=1024)
    play.say(item("a", "x" * 600), item("b", "y" * 400))
    play.say(item("c", "z" * 100))
    assert transcript(play) == [("user", ""), ("user", "y" * 400), ("user", "z" * 100)]
    play.say(item("d", "w" * 1000, after="a"))
    assert transcript(play) == [("user", ""), ("user", "w" * 1000), ("user", ""), ("user", "")]
    play.say(item("e", "v" * 2000))
    assert (transcript(play), play.state().transcript.characters) == ([("user", "")] * 5, 0)


def test_retrieved_item_gives_its_text_to_an_item_without_any() -> None:
    """A text that is known stays."""
    play = begun()
    play.say(item("a"), item("b"))
    play.say(event(f"{TRANSCRIPTION}.completed", item_id="b", transcript="Known."))
    for key in "ab":
        retrieved = {
            "id": key,
            "type": "message",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": "Asked."}],
        }
        play.say(event("conversation.item.retrieved", item=retrieved))
    assert [text for _, text in transcript(play)] == ["Asked.", "Known."]
