"""Conversations: which one an event belongs to, when one begins, and when and why it ends."""

import gc
import json
import weakref
from collections.abc import Callable
from typing import Any, Final

import pytest

from steno.core import facts
from steno.core.facts import EventRejected, Fact, Origin
from steno.core.frame import Frame
from steno.core.keys import key_part
from steno.timestamps import Micros
from tests.core.helpers import (
    BEGIN,
    NO_USAGE,
    SOURCE,
    STREAM,
    USAGE,
    Event,
    Play,
    cloud_event,
    created,
    delta,
    done,
    event,
    note,
    note_delta,
    run,
    session,
    step,
)

OPENED = facts.ConversationOpened(family="realtime")
SECOND_STREAM = "relay/1790000000000000/2"
CLEARED = event("input_audio_buffer.cleared")


def closed(reason: str, family: str = "realtime", **members: Any) -> facts.ConversationClosed:
    told = {"duration_seconds": 0.0, "events": 1, "responses": 0, "runs": 0, "tokens": ()}
    return facts.ConversationClosed(family=family, reason=reason, **{**told, **members})


UNKNOWN: Final[dict[str, Any]] = {"cost_usd": None, "unpriced": (facts.Unpriced("no_usage", 1),)}
"""What a conversation cost in which the usage of one thing was not reported."""


JOINED_LATE: Final[dict[str, Any]] = {"complete": False}
"""What a conversation says whose beginning was not seen."""


def ended(reason: str = "disconnected", code: int | None = 1000, frames: int = 1) -> facts.StreamClosed:
    return facts.StreamClosed(source=SOURCE, reason=reason, code=code, frames=frames)


def closings(play: Play) -> list[tuple[str | None, Micros | None, str]]:
    return [
        (origin.conversation, origin.at, fact.reason)
        for origin, fact in play.emitted
        if isinstance(fact, facts.ConversationClosed)
    ]


# Streams --------------------------------------------------------------------------------------------------------


def test_a_stream_opens_and_closes() -> None:
    """Even one on which nothing was said."""
    play = Play()
    play.pipeline.stream_opened(SECOND_STREAM, SOURCE, play.now)
    assert play.emitted == [
        (Origin(at=BEGIN, source=SOURCE, stream=SECOND_STREAM), facts.StreamOpened(source=SOURCE)),
    ]
    assert play.close(play.pipeline.streams[SECOND_STREAM], code=None) == [ended(code=None, frames=0)]


def test_a_fact_says_whom_it_is_about() -> None:
    """The event that caused it, its time, its stream, its conversation."""
    play = Play()
    play.wait(1)
    play.say({**session(), "event_id": "event_1"})
    origin = Origin(
        at=BEGIN + 1000,
        source=SOURCE,
        stream=STREAM,
        conversation=STREAM,
        family="realtime",
        event_id="event_1",
    )
    opened = facts.SessionOpened(session_id="sess_1", model="gpt-realtime", expires_at=None)
    assert play.emitted == [(origin, OPENED), (origin, opened)]


def test_an_id_that_is_too_long_is_cut() -> None:
    """It stands in every record. A name that is cut differs from others by its hash."""
    play = Play()
    play.say({**session(), "event_id": "e" * 300}, cloud_event(CLEARED, "s" * 300), cloud_event(CLEARED, "s" * 301))
    assert {origin.event_id for origin, _ in play.emitted} == {"e" * 256, None}
    assert play.open_keys == [STREAM, *(f"relay/{key_part('s' * length)}" for length in (300, 301))]
    assert len(set(play.open_keys)) == 3
    assert {len(key) for key in play.open_keys[1:]} == {len("relay/") + 256}


def test_a_name_does_not_pass_for_the_number_of_a_session() -> None:
    """Neither one that looks like it, nor one that is a source and a name."""
    play = Play()
    play.say(cloud_event(session("sess_1"), "b#2"), cloud_event(session("sess_2"), "b"))
    play.say(cloud_event(session("sess_3"), "b"), cloud_event(session("sess_4"), STREAM.removeprefix("relay/")))
    play.say(CLEARED)
    assert play.open_keys == ["relay/b%232", "relay/b#2", "relay/1790000000000000%2F1", STREAM]


def test_a_client_event_that_is_received_is_out_of_place() -> None:
    """So is a server event that is sent. Neither begins a conversation."""
    play = Play()
    update = event("session.update", session={})
    assert play.say(update) == [EventRejected(event="session.update", reason="unexpected_direction")]
    assert play.say(session(), sent=True) == [EventRejected(event="session.created", reason="unexpected_direction")]
    assert play.open_keys == []
    assert play.say(update, event("input_audio_buffer.append", audio="AAAA"), sent=True) == [OPENED]


# Voice sessions -------------------------------------------------------------------------------------------------


def test_a_voice_session_is_known_by_its_stream() -> None:
    """It begins with the first event, whichever that is, and ends with its stream."""
    play = Play()
    assert play.say(CLEARED) == [OPENED]
    assert play.open_keys == [STREAM]
    play.wait(1500)
    play.say(CLEARED)
    assert play.close() == [closed("disconnected", events=2, duration_seconds=1.5, **JOINED_LATE), ended(frames=2)]
    assert play.open_keys == []


def test_another_session_on_the_same_stream_replaces_it() -> None:
    """The next has a number; the same session told again is the same. The former ends with its stream at the latest."""
    play = Play()
    play.say(session("sess_1"), session("sess_1"), created())
    assert play.say(session("sess_2"))[:1] == [OPENED]
    play.say(session("sess_3"))
    assert play.open_keys == [STREAM, f"{STREAM}#2", f"{STREAM}#3"]
    assert play.close() == [
        facts.ResponseAbandoned(response_id="resp_1", model="gpt-realtime", cost=NO_USAGE),
        closed("replaced", events=3, **UNKNOWN),
        closed("replaced"),
        closed("disconnected"),
        ended(frames=5),
    ]
    assert [state.key for state in play.closed] == [STREAM, f"{STREAM}#2", f"{STREAM}#3"]


def test_a_session_without_an_id_replaces_none() -> None:
    """It is not known to be another."""
    play = Play()
    play.say(session("sess_1"), event("session.created", session={"model": "m"}), event("session.created"))
    assert play.open_keys == [STREAM]


def test_a_session_that_follows_none_replaces_none() -> None:
    """What was said before it belongs to it."""
    play = Play()
    play.say(CLEARED, session("sess_1"))
    assert play.open_keys == [STREAM]


@pytest.mark.parametrize(
    ("expired", "shutdown", "reason"),
    [(False, False, "disconnected"), (True, False, "session_expired"), (True, True, "shutdown")],
)
def test_why_a_stream_ended_is_why_its_session_did(expired: bool, shutdown: bool, reason: str) -> None:
    """What the close says, unless it is we who stop."""
    play = Play()
    play.say(session())
    told = [facts.SessionExpired(session_id="sess_1", kind="realtime")] if reason == "session_expired" else []
    assert play.close(code=1001, expired=expired, shutdown=shutdown) == [*told, closed(reason), ended(reason, 1001)]


def test_a_session_that_upstream_called_expired_has_expired() -> None:
    """Whatever the code of the close is, unless it is we who stop."""
    expired = event("error", error={"type": "invalid_request_error", "code": "session_expired", "message": "Over."})
    play = Play()
    play.say(session(), expired)
    assert play.close(code=1006) == [
        closed("session_expired", events=2),
        ended("session_expired", 1006, frames=2),
    ]
    play = Play()
    play.say(session(), expired)
    assert play.close(shutdown=True) == [closed("shutdown", events=2), ended("shutdown", frames=2)]


def test_what_a_session_used_is_told_at_its_end() -> None:
    """Sums, so that nobody has to add up records."""
    play = Play()
    play.say(session(), done("resp_1", usage=USAGE), done("resp_2", "failed"))
    [told, _] = play.close()
    assert isinstance(told, facts.ConversationClosed)
    assert (told.responses, sum(bucket.tokens for bucket in told.tokens)) == (2, 100)


# Names ----------------------------------------------------------------------------------------------------------


def test_a_named_session_outlives_its_stream() -> None:
    """It goes on where the name is heard again, also as another session."""
    play = Play(conversation="call-1")
    play.say(session("sess_1"))
    assert play.close() == [ended()]
    assert play.open_keys == ["relay/call-1"]
    again = play.open(SECOND_STREAM, "call-1")
    assert play.say(session("sess_2"), on=again)[-1:] == [
        facts.SessionChanged(session_id="sess_2", model="gpt-realtime", expires_at=None)
    ]
    assert play.open_keys == ["relay/call-1"]
    assert (play.line("relay/call-1")["stream"], play.line("relay/call-1")["events"]) == (STREAM, 2)


def test_envelopes_interleave_two_sessions_on_one_stream() -> None:
    """Their subjects keep them apart."""
    play = Play()
    for name in ("call-1", "call-2"):
        play.say(cloud_event(session(f"sess_{name}"), name), cloud_event(created(), name))
    play.say(
        cloud_event(delta("one"), "call-1"),
        cloud_event(delta("two"), "call-2"),
        cloud_event(delta(" and"), "call-1"),
    )
    play.say(cloud_event(done(), "call-2"))
    assert play.state("relay/call-1").items["item_1"].text() == "one and"
    assert play.state("relay/call-2").items["item_1"].text() == "two"
    assert [len(play.line(f"relay/{name}")["responses"]) for name in ("call-1", "call-2")] == [0, 1]
    assert play.rejected == {}
    assert play.close() == [ended(frames=8)]
    assert play.open_keys == ["relay/call-1", "relay/call-2"]


def test_another_session_under_the_same_subject_replaces_it() -> None:
    """On the same stream; the next has a number, and the subject leads to it."""
    play = Play()
    play.say(cloud_event(session("sess_1"), "call-1"), cloud_event(session("sess_2"), "call-1"))
    play.say(cloud_event(created(), "call-1"))
    assert closings(play) == [("relay/call-1", BEGIN, "replaced")]
    assert play.open_keys == ["relay/call-1#2"]
    assert play.line("relay/call-1#2")["events"] == 2


@pytest.mark.parametrize("subject", [None, ""])
def test_an_envelope_without_a_subject_names_nothing(subject: str | None) -> None:
    """It belongs to its stream, and ends with it."""
    play = Play()
    assert play.say(cloud_event(CLEARED, subject)) == [OPENED]
    assert play.open_keys == [STREAM]
    assert play.close() == [closed("disconnected", **JOINED_LATE), ended()]


def test_an_envelope_without_a_subject_belongs_to_the_name_of_its_stream() -> None:
    """Where the stream has one."""
    play = Play(conversation="call-1")
    play.say(cloud_event(CLEARED), CLEARED, cloud_event(CLEARED, "call-2"), CLEARED)
    assert play.open_keys == ["relay/call-2", "relay/call-1"]
    assert play.line("relay/call-1")["events"] == 3


# Families -------------------------------------------------------------------------------------------------------


def test_sessions_from_replies_are_known_by_their_own_ids() -> None:
    """A relay may pass any of them on, on one stream."""
    chat = {"id": "cksess_1", "object": "chatkit.session", "user": "ann", "expires_at": 5}
    secret = {"value": "ek_1", "expires_at": 7, "session": {"id": "sess_2", "model": "m"}}
    ann = facts.Content("user", "ann")
    play = Play()
    assert play.say(chat, chat) == [
        facts.ConversationOpened(family="chatkit"),
        facts.SessionOpened(session_id="cksess_1", model=None, expires_at=5, kind="chatkit", user=ann),
        facts.SessionChanged(session_id="cksess_1", model=None, expires_at=5, kind="chatkit", user=ann),
    ]
    assert play.say({"id": "sess_1", "object": "realtime.session"}, secret) == [
        OPENED,
        facts.SessionOpened(session_id="sess_1", model=None, expires_at=None),
        OPENED,
        facts.SessionOpened(session_id="sess_2", model="m", expires_at=7, kind="client_secret"),
    ]
    assert play.open_keys == ["relay/cksess_1", "relay/sess_1", "relay/sess_2"]
    assert play.line("relay/sess_2")["session"] == {"id": "sess_2", "model": "m"}
    nameless = {"object": "realtime.session"}
    assert play.say(nameless) == [EventRejected(event="realtime.session", reason="no_conversation")]


NAMESAKES: dict[str, Event] = {
    "realtime": cloud_event(session("one"), "one"),
    "session": {"id": "one", "object": "realtime.session"},
    "chatkit": {"id": "one", "object": "chatkit.session"},
    "assistants": run("queued", thread_id="one"),
}


@pytest.mark.parametrize("first", NAMESAKES)
@pytest.mark.parametrize("then", NAMESAKES)
def test_families_may_use_one_name_without_harm(first: str, then: str) -> None:
    """Whose it is already, keeps it; another family's event is rejected."""
    play = Play()
    play.say(NAMESAKES[first])
    family = play.state("relay/one").family
    told = play.say(NAMESAKES[then])
    same = {first, then} <= {"realtime", "session"} or first == then
    assert [type(fact) for fact in told if isinstance(fact, EventRejected)] == ([] if same else [EventRejected])
    assert play.state("relay/one").family == family
    twice = {"duplicate": 1} if first == then == "realtime" else {}  # the very same envelope
    assert play.rejected == (twice if same else {"no_conversation": 1})


# Silence --------------------------------------------------------------------------------------------------------


def idle_scene() -> Play:
    """Three named conversations and one that has no name, touched in turn, then silence."""
    play = Play(idle_seconds=10.5)
    play.say(run("queued"), session("sess_1"))
    play.wait(1_300)
    play.say(cloud_event(CLEARED, "call-1"))
    play.wait(100)
    play.say(run("queued", thread_id="thread_2"))
    play.wait(2_000)
    play.say(cloud_event(CLEARED, "call-1"))
    return play


def every_second(play: Play) -> None:
    for _ in range(40):
        play.wait(500)
        play.tick()


def at_once(play: Play) -> None:
    play.wait(20_000)
    play.tick()


def by_a_frame(play: Play) -> None:
    play.wait(20_000)
    play.feed(b"no event at all")


@pytest.mark.parametrize("pass_time", [every_second, at_once, by_a_frame])
def test_what_is_silent_closes_at_the_second_it_was_due(pass_time: Callable[[Play], None]) -> None:
    """Whether ticks come each second or once after a gap: the same frames give the same facts."""
    play = idle_scene()
    pass_time(play)
    assert closings(play) == [
        ("relay/thread_1", BEGIN + 11_000_000, "idle"),
        ("relay/thread_2", BEGIN + 12_000_000, "idle"),
        ("relay/call-1", BEGIN + 14_000_000, "idle"),
    ]
    assert play.open_keys == [STREAM]


def test_a_word_keeps_it_open() -> None:
    """Silence is counted from the last one."""
    play = Play(idle_seconds=10)
    for _ in range(5):
        play.say(run("in_progress"))
        play.wait(9_900)
        play.tick()
    assert play.open_keys == ["relay/thread_1"]


def test_a_thread_that_closed_may_be_heard_of_again() -> None:
    """It opens anew under its own name."""
    play = Play(idle_seconds=10)
    play.say(run("queued"))
    play.wait(11_000)
    assert play.say(run("in_progress")) == [
        facts.RunAbandoned(run_id="run_1", model="gpt-4o", cost=NO_USAGE),
        closed("idle", "assistants", **UNKNOWN, **JOINED_LATE),
        facts.ConversationOpened(family="assistants"),
        facts.RunStarted(run_id="run_1", assistant_id=None, model="gpt-4o"),
    ]
    over = {"event": "done", "data": "[DONE]"}
    play.wait(11_000)
    play.tick()
    assert play.say(over) == [EventRejected(event="done", reason="no_conversation")]


def test_what_has_no_times_does_not_keep_the_others_open() -> None:
    """Of two recordings one may know when and the other not."""
    play = Play(timed=False, idle_seconds=10)
    play.say(run("queued"))
    play.now = BEGIN
    play.say(run("queued", thread_id="thread_2"))
    play.wait(11_000)
    play.tick()
    assert play.open_keys == ["relay/thread_1"]


def test_a_time_that_an_envelope_states_moves_nothing_back() -> None:
    """What was said first is due first, whichever came first."""
    earlier = "2026-09-21T14:12:40Z"  # 40 s before BEGIN
    play = Play(idle_seconds=60)
    play.say(cloud_event(CLEARED, "call-1"), cloud_event(CLEARED, "call-2", time=earlier))
    play.say(cloud_event(CLEARED, "call-1", time=earlier))
    play.wait(100_000)
    play.tick()
    assert closings(play) == [
        ("relay/call-2", BEGIN + 20_000_000, "idle"),
        ("relay/call-1", BEGIN + 60_000_000, "idle"),
    ]


# Too many -------------------------------------------------------------------------------------------------------


def test_too_many_conversations_close_the_one_that_was_silent_longest() -> None:
    """Whatever family it is of, and even if it is not named."""
    play = Play(conversations=2)
    play.say(run("queued"), session("sess_1"), run("in_progress"))
    told = play.say(run("queued", thread_id="thread_2"))
    assert told == [
        facts.ConversationOpened(family="assistants"),
        closed("evicted"),
        facts.RunStarted(run_id="run_1", assistant_id=None, model="gpt-4o"),
    ]
    assert play.open_keys == ["relay/thread_1", "relay/thread_2"]
    assert [origin.conversation for origin, fact in play.emitted if fact == closed("evicted")] == [STREAM]


def test_a_voice_session_that_was_evicted_goes_on_under_the_next_number() -> None:
    """What it is told of afterwards must not be added to what was already told as its sum."""
    play = Play(conversations=1)
    play.say(session("sess_1"), run("queued"))
    abandoned = facts.RunAbandoned(run_id="run_1", model="gpt-4o", cost=NO_USAGE)
    assert play.say(created())[:3] == [OPENED, abandoned, closed("evicted", "assistants", **UNKNOWN, **JOINED_LATE)]
    assert play.open_keys == [f"{STREAM}#2"]
    play.say(created("resp_2"))
    assert play.line(f"{STREAM}#2")["events"] == 2


def test_what_was_closed_is_not_kept_alive() -> None:
    """A conversation may hold megabytes; nothing of the daemon may hold on to it."""
    play = Play(idle_seconds=10)
    play.say(step("in_progress", named="created"), note("in_progress", named="created"), note_delta("Hi"))
    play.say(step("completed"), step("in_progress"), note("completed"), note("in_progress"))
    thread = weakref.ref(play.state("relay/thread_1").memory)
    play.wait(11_000)
    play.say(run("queued", thread_id="thread_2"))
    play.closed.clear()
    gc.collect()
    assert thread() is None


def test_a_stream_remembers_a_bounded_number_of_unknown_types() -> None:
    """Each cut to a length; what comes after them is `other`."""
    play = Play()
    play.say(*({"type": f"t{number}"} for number in range(100)), {"type": "t0"}, {"type": "u" * 1000})
    assert len(play.stream.unknown) == 65
    assert (play.stream.unknown["t0"], play.stream.unknown["other"]) == (2, 37)
    stranger = play.open(SECOND_STREAM)
    play.say({"type": "u" * 1000}, on=stranger)
    assert stranger.unknown == {"u" * 256: 1}


# The end of all -------------------------------------------------------------------------------------------------


def test_when_we_stop_everything_closes() -> None:
    """With its stream, what was heard of there last; the rest at the very end."""
    play = Play()
    second = play.open(SECOND_STREAM)
    play.say(session("sess_1"), run("queued"), run("queued", thread_id="thread_2"))
    play.say(cloud_event(CLEARED, "call-1"), run("in_progress", thread_id="thread_2"), on=second)
    play.emitted.clear()
    play.close(shutdown=True)
    expected: list[tuple[str | None, Micros | None, str]] = [
        (STREAM, BEGIN, "shutdown"),
        ("relay/thread_1", BEGIN, "shutdown"),
    ]
    assert closings(play) == expected
    play.pipeline.registry.close_all(play.now)
    expected += [("relay/call-1", BEGIN, "shutdown"), ("relay/thread_2", BEGIN, "shutdown")]
    assert closings(play) == expected
    assert play.open_keys == []
    told: list[Fact] = [fact for fact in play.facts if isinstance(fact, facts.StreamClosed)]
    assert told == [ended("shutdown", frames=3)]


# Redelivered, and hostile -----------------------------------------------------------------------------------------


def test_a_session_that_is_told_of_again_is_not_another() -> None:
    """A redelivered beginning does not end what has gone on since."""
    play = Play()
    begun = cloud_event(session("sess_1"), "call-1")
    play.say(begun, cloud_event(session("sess_1", "session.updated"), "call-1"), begun)
    assert play.open_keys == ["relay/call-1"]
    assert play.rejected == {"duplicate": 1}


def test_an_identifier_that_is_too_long_spoils_its_event() -> None:
    """Memory is keyed by identifiers: none may be as long as its sender likes."""
    play = Play()
    play.say({"type": "input_audio_buffer.speech_started", "event_id": "e" * 513})
    assert play.stream.malformed == {"bad_identifier": 1}
    assert play.open_keys == []


def test_an_envelope_from_the_end_of_time_has_no_time() -> None:
    """Where nothing tells when it was received, a time that cannot be written is none."""
    play = Play()
    late = cloud_event(session(), "call-1", time="9999-12-31T23:59:59-23:59")
    play.pipeline.feed(play.stream, Frame(json.dumps(late).encode(), None))
    assert {origin.at for origin, _ in play.emitted[1:]} == {None}


def test_an_error_is_about_the_thread_that_its_envelope_names() -> None:
    """Not about the one that was spoken of last."""
    play = Play()
    play.say(cloud_event(run("queued", thread_id="t1"), "t1"), cloud_event(run("queued", thread_id="t2"), "t2"))
    play.say(cloud_event({"event": "error", "data": {"error": {"code": "server_error"}}}, "t1"))
    erred = [origin.conversation for origin, fact in play.emitted if isinstance(fact, facts.UpstreamErred)]
    assert erred == ["relay/t1"]


# Entered in the middle ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "complete"),
    [
        (session(), True),
        (event("transcription_session.created", session={"id": "sess_1"}), True),
        (event("session.updated", session={"id": "sess_1"}), False),
        (created(), False),
        (CLEARED, False),
        ({"event": "thread.created", "data": {"id": "thread_1", "object": "thread"}}, True),
        (run("queued"), False),
    ],
)
def test_a_conversation_says_whether_its_beginning_was_seen(first: dict[str, Any], complete: bool) -> None:
    play = Play()
    play.say(first)
    play.pipeline.registry.close_all(BEGIN)
    (closing,) = [fact for _, fact in play.emitted if isinstance(fact, facts.ConversationClosed)]

    assert closing.complete is complete


@pytest.mark.parametrize(
    ("then", "complete"),
    [
        ((session(),), True),
        ((event("session.updated", session={"id": "sess_1"}),), False),
        ((created(), session()), False),
    ],
)
def test_a_client_that_speaks_first_hides_no_beginning(then: tuple[dict[str, Any], ...], complete: bool) -> None:
    """Some send their settings as soon as they are connected, before the server has said anything."""
    play = Play()
    play.say(event("session.update", session={"type": "realtime"}), sent=True)
    play.say(*then)
    play.pipeline.registry.close_all(BEGIN)
    (closing,) = [fact for _, fact in play.emitted if isinstance(fact, facts.ConversationClosed)]

    assert closing.complete is complete
