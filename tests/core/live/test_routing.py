"""Which Live session an event belongs to: plays."""

from steno.core import facts
from tests.core.helpers import STREAM, Play, cloud_event, event
from tests.core.live.plays import SESSION, closed, delegated, heard, spoke, started, used

KEY = "relay/live_1"


def texts(told: Play, key: str) -> list[str]:
    """What was said in a conversation."""
    return [turn["text"] for turn in told.line(key)["transcript"]]


def test_a_session_is_known_by_its_id() -> None:
    told = Play()
    told.say(started(), heard(0, 200))
    assert told.open_keys == [KEY]


def test_a_connection_that_begins_without_an_id_is_known_by_its_stream() -> None:
    told = Play()
    told.say(event("session.start"), sent=True)
    told.say(started(), heard(0, 200))
    assert told.open_keys == [STREAM]
    assert told.line(STREAM)["session"]["id"] == "live_1"


def test_a_name_goes_before_the_id() -> None:
    """That of a source, such as the id that it follows, and that of an envelope."""
    told = Play(conversation="live_1")
    told.say(started(), heard(0, 200))
    assert (told.open_keys, told.line(KEY)["call_id"]) == ([KEY], "live_1")
    told.close()
    assert told.open_keys == [KEY]  # another connection may follow it
    enveloped = Play()
    enveloped.say(cloud_event(started(), "call-7"), cloud_event(heard(0, 200), "call-7"))
    assert enveloped.open_keys == ["relay/call-7"]
    assert texts(enveloped, "relay/call-7") == ["hi"]


def test_connections_to_one_session_share_its_conversation() -> None:
    """It ends with the last of them."""
    told = Play()
    told.say(started(), heard(0, 200, "a"))
    side = told.open("relay/1/2")
    told.say(started(), spoke(300, 400, "b"), on=side)
    told.close()
    assert (told.open_keys, texts(told, KEY)) == ([KEY], ["a", "b"])
    told.say(used(3), on=side)
    told.close(side)
    assert [state.closed_reason for state in told.closed] == ["disconnected"]


def test_a_connection_that_comes_again_goes_on_with_the_time() -> None:
    """Nothing is billed twice."""
    told = Play()
    told.say(started(), used(10))
    told.close()
    again = told.open("relay/1/2")
    told.say(started(), used(15), on=again)
    assert told.line(KEY)["totals"]["seconds"] == [{"model": "gpt-live-1", "seconds": "5"}]
    assert told.line(KEY)["usage"]["seconds"] == "15"


def test_another_session_on_the_same_connection_follows_the_former() -> None:
    """Which still has its late end, and goes when it is silent."""
    told = Play()
    told.say(started("live_1"), heard(0, 200, "a"), started("live_2"), heard(0, 200, "b"))
    assert (texts(told, KEY), texts(told, "relay/live_2")) == (["a"], ["b"])
    told.say(closed(7))
    assert told.line(KEY)["usage"]["usage_final"]
    told.say(heard(200, 400, "c"))
    assert texts(told, "relay/live_2") == ["bc"]
    told.wait(121_000)
    told.tick()
    assert [(state.key, state.closed_reason) for state in told.closed] == [(KEY, "replaced")]


def test_sessions_that_both_go_on_are_told_apart_by_what_names_them() -> None:
    """Nothing is guessed of the rest, until one of them is over."""
    told = Play()
    told.say(started("live_1"), delegated("item_1", "client"), started("live_2"))
    told.say(event("session.updated", session={**SESSION, "model": "gpt-live-1.1"}))
    assert told.say(heard(0, 200)) == [
        facts.EventRejected(event="session.input_transcript.delta", reason="ambiguous_session")
    ]
    told.say(event("session.commentary.append", delegation_id="item_1"))
    assert told.line(KEY)["delegations"][0]["status"] == "answered"
    told.say(closed(3))
    told.say(heard(200, 400, "b"))
    assert texts(told, "relay/live_2") == ["b"]
    told.close()
    assert sorted(state.key for state in told.closed) == [KEY, "relay/live_2"]


def test_a_name_that_begins_another_session_replaces_the_former() -> None:
    told = Play(conversation="front")
    told.say(started("live_1"), heard(0, 200, "a"), started("live_2"), heard(0, 200, "b"))
    assert told.open_keys == ["relay/front#2"]
    assert texts(told, "relay/front#2") == ["b"]


def test_a_name_of_another_family_is_none_of_its_own() -> None:
    told = Play()
    told.say(cloud_event(event("session.created", session={"id": "sess_1"}), "front"))
    told.say(cloud_event(started(), "front"))
    assert told.rejected == {"no_conversation": 1}


def test_a_stream_of_two_families_has_a_conversation_of_each() -> None:
    """Whichever spoke first has the name of the stream as its key."""
    told = Play()
    told.say(heard(0, 200), event("session.created", session={"id": "sess_1"}), heard(200, 400))
    assert [(key, told.state(key).family) for key in told.open_keys] == [(f"{STREAM}~", "realtime"), (STREAM, "live")]
    told.close()
    assert told.open_keys == []


def test_an_evicted_session_that_goes_on_is_billed_for_what_is_new() -> None:
    """Its connection still tells which one it is."""
    told = Play(conversations=1)
    told.say(started(), used(10))
    other = told.open("relay/1/2")
    told.say(started("live_2"), on=other)
    told.say(used(15))
    assert told.open_keys == [f"{KEY}#2"]
    assert told.line(f"{KEY}#2")["totals"]["seconds"] == [{"model": "gpt-live-1", "seconds": "5"}]


def test_a_session_that_a_connection_joins_without_its_beginning() -> None:
    """Its totals may be those of a part of it."""
    told = Play()
    told.say(heard(0, 200, event_id="event_1"))
    assert told.open_keys == [STREAM]
    assert not told.state(STREAM).complete
    told.say(event("transport.ringing", session_id="live_1"))
    assert told.open_keys == [STREAM]


def test_translation_sessions_stay_what_they_are() -> None:
    """Some of their events are called as those of Live."""
    told = Play()
    told.say(
        event("session.created", session={"id": "sess_1", "type": "translation", "model": "gpt-realtime-translate"}),
        event("session.output_transcript.delta", delta="bonjour", event_id="event_1", elapsed_ms=200),
        event("session.output_audio.delta", delta="AAAA", event_id="event_2"),
    )
    told.say(event("session.close"), sent=True)
    told.say(event("session.closed", event_id="event_3"))
    assert [told.state(key).family for key in told.open_keys] == ["realtime"]
    assert told.rejected == {}
