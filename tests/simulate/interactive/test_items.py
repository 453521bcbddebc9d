"""Plays on the items of a conversation: those of the client, deleted ones, truncated ones."""

import pytest

from steno.simulate.interactive import items
from tests.simulate.interactive.plays import Event, Play, done, errors, kinds


def test_items_stand_where_the_client_puts_them() -> None:
    play = Play()
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "?"}]}

    play.send("conversation.item.create", item={**item, "id": "a"})
    play.send("conversation.item.create", item={**item, "id": "c"})
    between = play.send("conversation.item.create", item={**item, "id": "b"}, previous_item_id="a")
    first = play.send("conversation.item.create", item={**item, "id": "z"}, previous_item_id="root")
    twice = errors(play.send("conversation.item.create", item={**item, "id": "a"}))
    nowhere = errors(play.send("conversation.item.create", item=item, previous_item_id="q"))

    assert [event["previous_item_id"] for event in (*between, *first)] == ["a", "a", None, None]
    assert [error["param"] for error in (*twice, *nowhere)] == ["item.id", "previous_item_id"]


def test_a_deleted_item_is_gone_and_is_not_read_again() -> None:
    play = Play()
    play.configure(output_modalities=["text"])
    [added, _] = play.say("a" + " a" * 299)
    usage = done(play.ask("response.create"))["usage"]

    deleted = play.send("conversation.item.delete", item_id=added["item"]["id"])
    again = errors(play.send("conversation.item.delete", item_id=added["item"]["id"]))
    after = done(play.ask("response.create"))["usage"]["input_tokens"]

    assert kinds(deleted) == ["conversation.item.deleted"]
    assert [error["code"] for error in again] == ["item_delete_invalid_item_id"]
    assert after == usage["total_tokens"] - 304  # 300 words, and 4 of the message


def test_a_truncated_message_has_lost_its_transcript() -> None:
    play = Play()
    item = done(play.ask("response.create"))["output"][0]
    before = play.send("conversation.item.retrieve", item_id=item["id"])

    too_long = errors(play.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=10**6))
    cut = play.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=400)
    after = play.send("conversation.item.retrieve", item_id=item["id"])

    assert [error["param"] for error in too_long] == ["audio_end_ms"]
    assert [(event["type"], event["audio_end_ms"]) for event in cut] == [("conversation.item.truncated", 400)]
    assert len(before[0]["item"]["content"][0]["audio"]) > len(after[0]["item"]["content"][0]["audio"])
    assert after[0]["item"]["content"][0]["transcript"] is None


def test_only_the_assistant_is_truncated() -> None:
    play = Play()
    [added, _] = play.say("Mine")

    [error] = errors(play.send("conversation.item.truncate", item_id=added["item"]["id"], audio_end_ms=0))

    assert error["param"] == "item_id"


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "message", "role": "pirate", "content": []}, "item.role"),
        ({"type": "message", "role": "user"}, "item.content"),
        (
            {"type": "message", "role": "user", "content": [{"type": "output_text", "text": "x"}]},
            "item.content[0].type",
        ),
        ({"type": "message", "role": "user", "content": [{"type": "input_text"}]}, "item.content[0].text"),
        ({"type": "function_call", "name": "x"}, "item.arguments"),
        ({"type": "message", "role": "user", "content": [], "mood": "x"}, "item.mood"),
    ],
)
def test_an_item_is_checked(item: Event, param: str) -> None:
    [error] = errors(Play().send("conversation.item.create", item=item))

    assert error["param"] == param


def test_items_of_every_kind_are_taken_without_their_sound() -> None:
    play = Play()
    sound, picture = (
        {"type": "input_audio", "audio": "AAAA", "transcript": "Hm"},
        {"type": "input_image", "image_url": "x"},
    )
    user = {"type": "message", "role": "user", "content": [sound, picture]}
    call = {"type": "function_call", "name": "f", "call_id": "call_1", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "4"}

    events = [event for item in (user, call, output) for event in play.send("conversation.item.create", item=item)]

    shown = [event["item"] for event in events if event["type"] == "conversation.item.done"]
    assert shown[0]["content"] == [{"type": "input_audio", "transcript": "Hm"}, picture]
    assert [item.get("status") for item in shown] == ["completed", "completed", None]
    assert list(shown[2]) == ["id", "type", "call_id", "output"]


def test_a_conversation_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "ITEMS_MAX", 2)
    play = Play()
    play.say("one")
    play.say("two")

    [error] = errors(play.say("three"))

    assert error["param"] == "item"
