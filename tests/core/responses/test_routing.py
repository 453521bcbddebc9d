"""Which conversation an event belongs to: by name, by upstream's conversation, by chain, by lane."""

import pytest

from steno.core import facts
from steno.core.responses import routing
from steno.core.responses.state import ResponsesConversation
from steno.limits import LANES
from tests.core.helpers import BEGIN, SOURCE, STREAM, Play, cloud_event, session
from tests.core.responses.frames import Told, create, message, usage, whole


def responses_in(play: Play) -> dict[str, list[str]]:
    """The responses that ended in each open conversation."""
    return {key: [each["id"] for each in play.line(key)["responses"]] for key in play.open_keys}


def test_lanes_are_conversations() -> None:
    """Each by its name; without one it is the default."""
    play = Play()
    one, two, three = Told("resp_1"), Told("resp_2", "agent_1"), Told("resp_3", "agent/2")
    play.say(*(each.created() for each in (one, two, three)))
    play.say(
        one.delta("a", item="m1"), two.delta("b", item="m2"), three.delta("c", item="m3"), two.delta("b", item="m2")
    )
    play.say(one.ended("completed", message("m1", "a")), three.ended("completed", message("m3", "c")))
    play.say(two.ended("completed", message("m2", "bb")))
    assert responses_in(play) == {
        f"{STREAM}/default": ["resp_1"],
        f"{STREAM}/agent%2F2": ["resp_3"],
        f"{STREAM}/agent_1": ["resp_2"],
    }
    assert (play.rejected, play.of(facts.DeltasDiffered)) == ({}, [])
    closed = [fact for fact in play.close() if isinstance(fact, facts.ConversationClosed)]
    assert [fact.reason for fact in closed] == ["disconnected"] * 3


def test_a_conversation_of_upstream_outlives_its_streams() -> None:
    """And is the same on all of them."""
    play = Play()
    told = Told("resp_1", "a", conversation={"id": "conv_1"})
    play.say(told.created(), told.delta("Hi"), told.ended("completed", message(text="Hi")))
    play.close()
    play.stream = play.open(f"relay/{BEGIN}/2")
    play.say(create(conversation="conv_1"), sent=True)
    later = Told("resp_2", conversation={"id": "conv_1"})
    play.say(later.created(), later.delta("Ho", item="m2"), later.ended("completed", message("m2", "Ho")))
    assert responses_in(play) == {f"{SOURCE}/conv_1": ["resp_1", "resp_2"]}
    assert play.line(f"{SOURCE}/conv_1")["conversation_id"] == "conv_1"
    assert (play.rejected, play.of(facts.DeltasDiffered)) == ({}, [])


def test_a_chain_goes_on_where_it_began() -> None:
    """Whichever lane it comes on."""
    play = Play()
    play.say(*whole("resp_1", lane="a"), *whole("resp_2", lane="b", previous_response_id="resp_1"))
    assert responses_in(play) == {f"{STREAM}/a": ["resp_1", "resp_2"]}


def test_a_chain_goes_on_on_another_stream() -> None:
    """Its lane is over: it is known by the first response of it that was seen."""
    play = Play()
    play.say(*whole("resp_1"), *whole("resp_2", previous_response_id="resp_1"))
    play.close()
    play.stream = play.open(f"relay/{BEGIN}/2")
    play.say(create(previous_response_id="resp_2"), sent=True)
    play.say(*whole("resp_3", previous_response_id="resp_2"))
    assert responses_in(play) == {f"{SOURCE}/resp_1": ["resp_3"]}
    play.close()
    play.stream = play.open(f"relay/{BEGIN}/3")
    play.say(*whole("resp_4", previous_response_id="resp_3"), *whole("resp_5", previous_response_id="resp_9"))
    assert responses_in(play) == {f"{SOURCE}/resp_1": ["resp_3", "resp_4"], f"{SOURCE}/resp_9": ["resp_5"]}
    assert play.line(f"{SOURCE}/resp_9")["totals"]["complete"] is False


def test_an_envelope_names_the_conversation() -> None:
    """Before all that its event says, and its stream carries several of them."""
    play = Play()
    events = [(name, Told(f"resp_{name}", conversation={"id": "conv_1"})) for name in "ab"]
    for step in range(3):
        for name, told in events:
            each = (told.created, lambda told=told: told.delta("x"), told.ended)[step]
            play.say(cloud_event(each(), f"call-{name}"))
    assert responses_in(play) == {f"{SOURCE}/call-a": ["resp_a"], f"{SOURCE}/call-b": ["resp_b"]}
    assert play.rejected == {}


def test_a_named_stream_is_one_conversation_but_for_its_lanes() -> None:
    """They have its name before theirs."""
    play = Play(conversation="desk-7")
    play.say(*whole("resp_1"), *whole("resp_2", previous_response_id="resp_0"), *whole("resp_3", lane="a"))
    assert responses_in(play) == {f"{SOURCE}/desk-7": ["resp_1", "resp_2"], f"{SOURCE}/desk-7/a": ["resp_3"]}
    told = Told("resp_4")
    play.say(told.created())
    assert [type(fact) for fact in play.close()] == [facts.StreamClosed]
    play.stream = play.open(f"relay/{BEGIN}/2", "desk-7")
    play.say(told.ended())
    assert responses_in(play)[f"{SOURCE}/desk-7"] == ["resp_1", "resp_2", "resp_4"]


def test_a_name_that_another_family_has_is_not_taken() -> None:
    """Its events are of no conversation."""
    play = Play(conversation="desk-7")
    play.say({**session(), "event_id": "e1"})
    play.say(*whole("resp_1"))
    assert play.rejected == {"no_conversation": 2}


def test_what_names_nothing_is_of_the_lane() -> None:
    """It may be the first that comes."""
    play = Play()
    play.say({"type": "keepalive", "sequence_number": 3}, {"type": "codex.response.metadata", "headers": {}})
    play.say({"type": "response.steer", "previous_response_id": "resp_0", "input": "x"}, sent=True)
    play.say({"type": "response.steer.accepted", "steer": None, "sequence_number": 1, "stream_id": "b"})
    assert play.open_keys == [f"{STREAM}/default", f"{STREAM}/b"]


def test_a_steer_is_of_the_response_that_it_names() -> None:
    """Whichever lane it comes on."""
    play = Play()
    told = Told("resp_1", "a")
    play.say(told.created())
    steer = {"id": "s", "previous_response_id": "resp_1"}
    play.say({"type": "response.steer", "previous_response_id": "resp_1", "input": "Stop"}, sent=True)
    play.say({"type": "response.steer.accepted", "steer": steer, "sequence_number": 1})
    assert play.open_keys == [f"{STREAM}/a"]


def test_a_response_given_up_with_its_connection() -> None:
    """Its conversation goes on. One in the background goes on as well."""
    play = Play()
    play.say(create(conversation="conv_1"), sent=True)
    play.say(*(Told(f"resp_{n}", f"l{n}", conversation={"id": "conv_1"}, background=n == 2).created() for n in (1, 2)))
    told = play.close()
    assert [fact.response_id for fact in told if isinstance(fact, facts.ResponseAbandoned)] == ["resp_1"]
    play.wait(3_600_000)
    assert [type(fact) for fact in play.tick()][:1] != [facts.SessionNearsEnd]


def test_a_lane_changes_its_conversation() -> None:
    """What it was about ends with the stream all the same."""
    play = Play()
    play.say(*whole("resp_1"))
    told = Told("resp_2", conversation={"id": "conv_1"})
    play.say(told.created(), told.delta("Hi"), told.ended("completed", message()))
    play.say(*whole("resp_3"))
    assert responses_in(play) == {f"{SOURCE}/conv_1": ["resp_2"], f"{STREAM}/default": ["resp_1", "resp_3"]}
    play.close()
    assert play.open_keys == [f"{SOURCE}/conv_1"]


def test_a_request_waits_for_the_response_on_its_lane() -> None:
    """What comes until that ends is not of the conversation that the request names."""
    play = Play()
    one, two = Told("resp_1"), Told("resp_2", conversation={"id": "conv_1"})
    play.say(one.created())
    play.say(create(conversation="conv_1"), sent=True)
    play.say(one.delta("Hi"), one.ended("completed", message(text="Hi")))
    play.say(two.created(), two.delta("Ho", item="m2"), two.ended("completed", message("m2", "Ho")))
    assert responses_in(play) == {f"{STREAM}/default": ["resp_1"], f"{SOURCE}/conv_1": ["resp_2"]}
    assert play.rejected == {}


def test_a_response_that_an_error_came_for_holds_nothing_up() -> None:
    """The next error is of the request behind it."""
    play = Play()
    error = {"type": "error", "error": {"code": "server_error"}}
    play.say(Told("resp_1").created(), error)
    play.say(create(conversation="conv_1"), sent=True)
    play.say(error)
    assert not play.state(f"{SOURCE}/conv_1").requests


def test_a_conversation_that_three_streams_carried_is_over_on_all_of_them() -> None:
    """What comes on the second one afterwards is of its lane."""
    play = Play(idle_seconds=5)
    streams = [play.stream, *(play.open(f"relay/{BEGIN}/{number}") for number in (2, 3))]
    for number, stream in enumerate(streams):
        told = Told(f"resp_{number}", conversation={"id": "conv_1"})
        play.say(told.created(), told.ended(), on=stream)
    play.wait(10_000)
    play.tick()
    assert play.open_keys == []
    play.say(Told().delta("Hi"), on=streams[1])
    assert play.open_keys == [f"relay/{BEGIN}/2/default"]
    assert play.rejected == {"unknown_response": 1}


def test_an_evicted_conversation_is_left() -> None:
    """What comes of it later begins anew."""
    play = Play(conversations=1)
    one, two = Told("resp_1", "a"), Told("resp_2", "b")
    play.say(one.created(), two.created(), one.delta("x"), one.ended("completed", message(), usage=usage(1, 1)))
    assert play.open_keys == [f"{STREAM}/a"]
    closed = [fact.reason for fact in play.facts if isinstance(fact, facts.ConversationClosed)]
    assert closed == ["evicted", "evicted"]
    play.close()
    assert play.open_keys == []


def test_lanes_and_responses_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past it the one that was silent longest is forgotten; its conversation still ends with the stream."""
    monkeypatch.setattr(routing, "CHAINED_RESPONSES", 3)
    play = Play()
    for n in range(LANES + 5):
        play.say(*whole(f"resp_{n}", lane=f"l{n}"))
    play.say(*whole("resp_x", lane="x", previous_response_id=f"resp_{LANES + 4}"))
    play.say(*whole("resp_y", lane="y", previous_response_id="resp_0"))
    assert responses_in(play)[f"{STREAM}/l{LANES + 4}"] == [f"resp_{LANES + 4}", "resp_x"]
    assert responses_in(play)[f"{SOURCE}/resp_0"] == ["resp_y"]
    play.close()
    assert play.open_keys == [f"{SOURCE}/resp_0"]


def test_long_ids_are_remembered_up_to_a_bound_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that is forgotten begins anew. Going on elsewhere counts its texts once."""
    monkeypatch.setattr(routing, "CHAINED_BYTES", 1_100)
    play = Play()
    ids = [f"resp_{n}".ljust(200, "x") for n in range(3)]
    for lane, each in enumerate(ids):
        play.say(*whole(each, lane=f"l{lane}"))
    for name in "abababab":
        play.say(cloud_event(Told("r" * 100).created(), name))
    play.say(*whole("resp_x", previous_response_id=ids[0]), *whole("resp_y", previous_response_id=ids[2]))
    assert responses_in(play)[f"{STREAM}/l2"] == [ids[2], "resp_y"]
    assert responses_in(play)[f"{SOURCE}/{ids[0]}"] == ["resp_x"]


def test_no_connection_has_the_room_of_others() -> None:
    """Of too many conversations that end with it, the one that it was about longest ago ends before."""
    play = Play()
    for number in range(LANES):
        play.say(*whole(f"resp_{number}", lane=f"lane_{number}"))
    play.say(*whole("resp_x", lane="lane_0"), *whole("resp_y", lane="lane_y"))
    assert [state.key for state in play.closed] == [f"{STREAM}/lane_1"]
    assert play.closed[0].closed_reason == "replaced"
    assert len(play.open_keys) == LANES


def test_two_sources_know_nothing_of_each_other() -> None:
    """A chain is one source's."""
    play = Play()
    play.say(*whole("resp_1"))
    other = play.open(f"desk/{BEGIN}/1", source="desk")
    play.say(*whole("resp_2", previous_response_id="resp_1"), on=other)
    assert "desk/resp_1" in play.open_keys
    assert all(isinstance(play.state(key), ResponsesConversation) for key in play.open_keys)
