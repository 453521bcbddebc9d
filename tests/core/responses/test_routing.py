"""Which conversation an event belongs to: by name, by upstream's conversation, by chain, by lane."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Fact
from steno.core.responses import routing
from steno.core.responses.state import ResponsesConversation
from steno.limits import LANES
from tests.core.helpers import BEGIN, SOURCE, STREAM, Event, Play, cloud_event, session
from tests.core.responses.frames import Told, call, create, message, response, usage, whole


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


class Replies:
    """Replies over HTTP, each of which is a stream."""

    def __init__(self) -> None:
        """Begin before the first."""
        self.play = Play(idle_seconds=60)
        self.number = 1

    def say(self, *events: Event, code: int | None = 1000) -> list[Fact]:
        """Give a reply; return its facts without those of its stream."""
        self.number += 1
        stream = self.play.open(f"relay/{BEGIN}/{self.number}", reply=True)
        self.play.wait(1000)
        told = self.play.say(*events, on=stream) + self.play.close(stream, code)
        return [fact for fact in told if not isinstance(fact, facts.StreamClosed)]


@pytest.mark.parametrize("streamed", [True, False])
def test_a_chain_of_replies_is_one_conversation(streamed: bool) -> None:
    """By the id of its first response, until it is idle. A call was answered where the chain goes on."""
    replies = Replies()
    play = replies.play
    of = whole if streamed else bare
    replies.say(*of("resp_1", call()))
    assert [key for key, state in play.pipeline.registry.conversations.items() if state.calls] == [f"{SOURCE}/resp_1"]
    told = replies.say(*of("resp_2", previous_response_id="resp_1"))
    (ended,) = (fact for fact in told if isinstance(fact, facts.ToolCallFinished))
    assert (ended.call_id, ended.status) == ("call_1", "completed")
    (answer,) = (fact for fact in told if isinstance(fact, facts.ChainAnswered))
    assert (answer.tool_rounds, answer.responses) == (1, 2)
    replies.say(*of("resp_3", previous_response_id="resp_1"))
    replies.say(*of("resp_4"))
    assert responses_in(play) == {f"{SOURCE}/resp_1": ["resp_1", "resp_2", "resp_3"], f"{SOURCE}/resp_4": ["resp_4"]}
    play.wait(60_000)
    closed = [fact.reason for fact in play.tick() if isinstance(fact, facts.ConversationClosed)]
    assert (closed, play.rejected) == (["idle"] * 2, {})


def bare(key: str, *output: Event, **members: Any) -> list[Event]:
    """A response as the object that it is."""
    return [response(key, "completed", output=list(output), **members)]


def test_a_reply_that_is_not_stored_ends_with_its_stream() -> None:
    """Nothing can go on with it. A conversation of upstream's goes on all the same."""
    replies = Replies()
    told = replies.say(*bare("resp_1", store=False))
    assert [fact.reason for fact in told if isinstance(fact, facts.ConversationClosed)] == ["disconnected"]
    replies.say(*bare("resp_2", store=False, conversation={"id": "conv_1"}))
    assert replies.play.open_keys == [f"{SOURCE}/conv_1"]


def test_a_reply_that_breaks_off_gives_its_response_up() -> None:
    """The chain may go on with the one before it."""
    replies = Replies()
    replies.say(*whole("resp_1"))
    told = replies.say(Told("resp_2", previous_response_id="resp_1").created(), code=None)
    assert [type(fact) for fact in told] == [facts.ResponseStarted, facts.ResponseAbandoned]
    replies.say(*whole("resp_3", previous_response_id="resp_1"))
    assert responses_in(replies.play) == {f"{SOURCE}/resp_1": ["resp_1", "resp_3"]}


def test_an_error_in_place_of_a_reply_opens_nothing_that_outlives_it() -> None:
    """It names no response."""
    replies = Replies()
    replies.say(MISSING)
    assert replies.play.open_keys == []


def spoken(told: Told) -> list[Event]:
    """A response that says who it is."""
    item, text = f"msg_{told.key}", f"{told.key} says."
    ended = message(item, text)
    return [told.created(), *(told.delta(piece, item=item) for piece in text), told.ended("completed", ended)]


def test_two_replies_at_once_of_one_chain() -> None:
    """Their events are told apart by their streams."""
    play = Play()
    one, two = (Told(f"resp_{n}", previous_response_id="resp_0") for n in (1, 2))
    streams = [play.open(f"relay/{BEGIN}/{n}", reply=True) for n in (2, 3)]
    play.say(*whole("resp_0"), on=streams[0])
    for events in zip(spoken(one), spoken(two), strict=True):
        for event, stream in zip(events, streams, strict=True):
            play.say(event, on=stream)
    assert responses_in(play) == {f"{SOURCE}/resp_0": ["resp_0", "resp_1", "resp_2"]}
    assert (play.of(facts.DeltasDiffered), play.rejected) == ([], {})


MISSING = {"type": "error", "error": {"code": "previous_response_not_found", "message": "Gone."}, "status": 400}


@pytest.mark.parametrize("named", [{"previous_response_id": "resp_0"}, {"conversation": "conv_0"}])
def test_a_refused_request_opens_nothing_that_outlives_its_stream(named: dict[str, str]) -> None:
    """Upstream knows nothing of what it would go on with. Its session ends with its connection."""
    play = Play()
    play.say(create(**named), sent=True)
    key = f"{SOURCE}/{next(iter(named.values()))}"
    state = play.state(key)
    (erred,) = play.say(MISSING)
    assert isinstance(erred, facts.UpstreamErred)
    play.say(create(), sent=True)
    play.say(*whole("resp_1"))
    assert (play.open_keys, state.session_life.status) == ([key, f"{STREAM}/default"], "active")
    closed = [fact.reason for fact in play.close() if isinstance(fact, facts.ConversationClosed)]
    assert (closed, play.open_keys) == (["disconnected"] * 2, [])


def test_a_refused_request_is_forgotten_in_silence() -> None:
    """Its connection may last for much longer, and ask again."""
    play = Play(idle_seconds=60)
    play.say(create(previous_response_id="resp_0"), sent=True)
    play.say(MISSING)
    play.wait(60_000)
    assert [fact.reason for fact in play.tick() if isinstance(fact, facts.ConversationClosed)] == ["idle"]
    play.say(create(previous_response_id="resp_0"), sent=True)
    assert play.open_keys == [f"{SOURCE}/resp_0"]


def test_refused_requests_take_no_room_of_others() -> None:
    """One connection may ask for any number of chains that are not known."""
    play = Play()
    for n in range(LANES + 2):
        play.say(create(previous_response_id=f"resp_{n}"), sent=True)
        play.say(MISSING)
    assert play.open_keys == [f"{SOURCE}/resp_{n}" for n in range(2, LANES + 2)]
    closed = [fact.reason for fact in play.facts if isinstance(fact, facts.ConversationClosed)]
    assert closed == ["replaced"] * 2


def test_a_chain_that_upstream_goes_on_with_outlives_the_stream() -> None:
    """Once a response of it is seen. The session is its connection's alone."""
    play = Play()
    play.say(create(previous_response_id="resp_0"), sent=True)
    play.say(*whole("resp_1", previous_response_id="resp_0"))
    play.say(create(), sent=True)
    play.say(*whole("resp_2"))
    state = play.state(f"{SOURCE}/resp_0")
    play.close()
    assert responses_in(play) == {f"{SOURCE}/resp_0": ["resp_1"]}
    assert (state.session_life.status, state.named) == ("closed", True)


def test_the_session_of_a_named_stream_ends_with_its_connection() -> None:
    """Its conversation goes on."""
    play = Play(conversation="desk-7")
    play.say(create(), sent=True)
    play.say(*whole("resp_1"))
    play.close()
    assert play.state(f"{SOURCE}/desk-7").session_life.status == "closed"


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
