"""Several sessions on one stream: one after the other, or mixed. Whose an event is, and which cannot be told."""

import json
from collections import Counter
from typing import Any, Final

import pytest

from steno.core import facts
from steno.core.facts import EventRejected
from steno.core.realtime import member, sharing
from steno.core.stream import Stream
from steno.limits import SUPERSEDED_SECONDS
from tests.core.helpers import (
    STREAM,
    Event,
    Play,
    created,
    delta,
    done,
    event,
    message,
    session,
    spoken_turn,
    voice_session,
)
from tests.core.realtime.calls import begin, closings, dialogue, of, said, turn, typed
from tests.vocabulary import HANDLERS, NAMES, decode

SECOND, THIRD, FOURTH = f"{STREAM}#2", f"{STREAM}#3", f"{STREAM}#4"
LIMITS: Final = event("rate_limits.updated", rate_limits=[{"name": "tokens", "limit": 9, "remaining": 5}])
TOLD: Final = "ambiguous_session"


def is_watched(play: Play) -> bool:
    """Whether the router is asked for each event of the stream."""
    return "realtime" not in play.stream.current


# In turn --------------------------------------------------------------------------------------------------------


def test_late_events_of_a_session_that_was_followed_are_its_own() -> None:
    """Its response ends, what its caller said is written down; all else is the newest session's."""
    play = Play()
    first = turn("A")
    play.say(*begin("A"), *first[:12], *begin("B"), *first[12:], *turn("B"))
    assert said(play) == {STREAM: dialogue("A", 1), SECOND: dialogue("B", 1)}
    assert play.rejected == {}
    assert play.state().totals.responses == play.state(SECOND).totals.responses == {"completed": 1}
    play.close()
    assert closings(play) == {STREAM: "replaced", SECOND: "disconnected"}


def test_a_session_that_was_followed_ends_in_silence() -> None:
    """At the whole second, however late the tick; the stream is about the other one alone then, and nobody is asked."""
    play = Play()
    play.say(*begin("A"), *turn("A"), *begin("B"))
    play.wait(int(SUPERSEDED_SECONDS) * 1000)
    play.tick()
    assert closings(play) == {STREAM: "replaced"}
    assert is_watched(play)
    play.wait(1000)
    play.say(*turn("B"))
    assert not is_watched(play)
    assert said(play) == {SECOND: dialogue("B", 1)}


def test_without_times_a_stream_is_watched_for_a_number_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the former session is open; it ends where the recording does."""
    monkeypatch.setattr(sharing, "WATCHED_EVENTS", 10)
    play = Play(timed=False)
    play.say(*begin("A"), *begin("B"), *turn("B"))
    assert is_watched(play)
    play.pipeline.registry.settle(play.stream)
    assert closings(play) == {STREAM: "replaced"}
    play.say(LIMITS)
    assert not is_watched(play)


def test_sessions_that_number_their_items_anew_follow_each_other() -> None:
    """What announces an id is not of the session that has it already."""
    play = Play()
    play.say(session("sess_1"), *spoken_turn(1, "one asks", "one answers"))
    play.say(session("sess_2"), *spoken_turn(1, "two asks", "two answers"))
    assert said(play) == {STREAM: ["one asks", "one answers"], SECOND: ["two asks", "two answers"]}
    assert play.rejected == {}


def test_sessions_that_number_their_events_anew_follow_each_other() -> None:
    """The same `event_id` in another session is another event; in the same one it is a duplicate."""
    play = Play()
    for who in "AB":
        frames = [{**frame, "event_id": f"event_{number}"} for number, frame in enumerate(begin(who) + turn(who))]
        play.say(*frames, frames[-1])
    assert said(play) == {STREAM: dialogue("A", 1), SECOND: dialogue("B", 1)}
    assert play.rejected == {"duplicate": 2}


def test_a_conversation_may_be_resumed_by_the_next_session() -> None:
    """Its id then is no sign that the former session goes on."""
    play = Play()
    resumed = event("conversation.created", conversation={"id": "conv_1"})
    for number in (1, 2):
        play.say(session(f"sess_{number}"), resumed, created(f"resp_{number}"), done(f"resp_{number}"))
    assert [play.line(key)["conversation_id"] for key in (STREAM, SECOND)] == ["conv_1", "conv_1"]
    play.say(created("resp_3", conversation_id="conv_1"))
    assert list(play.state(SECOND).open) == ["resp_3"]
    assert not play.rejected


def test_a_session_that_is_created_again_is_the_same() -> None:
    """On a stream of one, and on one of several."""
    play = Play()
    play.say(*begin("A"), *begin("A"), *begin("B"), *begin("B"))
    assert play.open_keys == [STREAM, SECOND]
    assert [play.state(key).events for key in play.open_keys] == [2, 2]


def test_a_response_may_have_another_conversation_than_the_one_before() -> None:
    """Some servers give each one an id of its own: that alone is no sign of a second session."""
    play = Play()
    for number in range(4):
        key = f"resp_{number}"
        play.say(created(key, conversation_id=f"conv_{number}"), done(key, conversation_id=f"conv_{number}"))
    assert play.open_keys == [STREAM]
    assert not is_watched(play)


def test_an_item_that_two_former_sessions_have_tells_nothing() -> None:
    """Nor is it taken for the newest session's."""
    play = Play()
    for who in "AB":
        play.say(*begin(who), typed("", "item_9", f"{who}'s", None))
    done_again = event("conversation.item.done", item=message("item_9", "whose?"))
    assert play.say(*begin("C"), done_again)[-1:] == [EventRejected(event="conversation.item.done", reason=TOLD)]
    assert said(play) == {STREAM: ["A's"], SECOND: ["B's"], THIRD: []}


def test_an_item_may_name_one_before_it_that_nobody_has() -> None:
    """Its own speech says whose it is."""
    play = Play()
    play.say(*begin("A"), *turn("A"), *begin("B"), event("input_audio_buffer.speech_started", item_id="item_9"))
    play.say(event("input_audio_buffer.committed", item_id="item_9", previous_item_id="item_8"))
    assert list(play.state(SECOND).items) == ["item_9"]


def test_sessions_whose_replies_came_before_are_told_apart_under_their_own_ids() -> None:
    """They outlive the stream, as where each has its own."""
    play = Play()
    play.say(*({"object": "realtime.session", "id": f"sess_{who}1"} for who in "AB"))
    play.say(*begin("A"), *turn("A", 1), *begin("B"), *turn("B", 1), *turn("A", 2), *turn("B", 2))
    assert said(play) == {"relay/sess_A1": dialogue("A", 1, 2), "relay/sess_B1": dialogue("B", 1, 2)}
    play.close()
    assert closings(play) == {}


# Mixed ----------------------------------------------------------------------------------------------------------


def test_a_call_goes_on_while_another_one_shares_its_stream() -> None:
    """Turn by turn: each has its own words and responses. What names nothing that is known is rejected."""
    play = Play()
    play.say(*begin("A"), *turn("A", 1), *begin("B"), *turn("B", 1))
    assert play.rejected == {}
    play.say(*turn("A", 2), *turn("B", 2))
    assert said(play) == {STREAM: dialogue("A", 1, 2), SECOND: dialogue("B", 1, 2)}
    assert [play.state(key).totals.responses for key in said(play)] == [{"completed": 2}] * 2
    # A's speech went to B before the sign came. B's, and the limits after each response, are nobody's.
    assert play.rejected == {TOLD: 4}
    play.close()
    assert closings(play) == {STREAM: "disconnected", SECOND: "disconnected"}


def test_no_latency_is_made_up_of_two_callers() -> None:
    """A speech that was taken for the other session's begins no wait there."""
    play = Play()
    play.say(*begin("A"), *turn("A", 1), *begin("B"), *turn("B", 1))
    play.say(*turn("A", 2)[:3])
    play.wait(5000)
    play.say(*turn("B", 2))
    finished = [
        fact for fact in play.facts if isinstance(fact, facts.ResponseFinished) and fact.response_id == "resp_B2"
    ]
    assert [fact.turn_latency_seconds for fact in finished] == [0.0]


def test_sessions_that_are_mixed_from_the_first_frames() -> None:
    """No id connects a session with its conversation: the words of each stay together, under no session's name."""
    play = Play()
    updated = [of(who, session(kind="session.updated"))[0] for who in "AB"]
    play.say(*begin("A"), *begin("B"), *updated)
    for one, other in zip(turn("A") + turn("A", 2), turn("B") + turn("B", 2), strict=True):
        play.say(one, other)
    found = said(play)
    assert found.pop(STREAM) == found.pop(SECOND) == []
    assert [sorted(texts) for texts in found.values()] == [sorted(dialogue(who, 1, 2)) for who in "AB"]
    assert [play.state(key).totals.responses for key in (THIRD, FOURTH)] == [{"completed": 2}] * 2
    assert {play.state(key).session_model for key in (THIRD, FOURTH)} == {"gpt-realtime"}
    assert set(play.rejected) == {TOLD}


def test_sessions_whose_turns_alternate_from_the_first_one() -> None:
    """Whole turns follow each other, so that nothing overlaps: the second conversation may be the first session's.

    What the second caller said came before the first sign. Whose it is shows by the answer behind it.
    """
    play = Play()
    play.say(*begin("A"), *begin("B"))
    for number in (1, 2, 3):
        for who in "AB":
            play.say(*turn(who, number))
    assert [sorted(filter(None, texts)) for texts in said(play).values()] == [
        [],
        sorted(dialogue("A", 1, 2, 3)),
        sorted(dialogue("B", 1, 2, 3)),
    ]
    assert [state.totals.responses for state in play.pipeline.registry.conversations.values()] == [
        {},
        {"completed": 3},
        {"completed": 3},
    ]


def test_the_words_of_a_caller_whom_another_session_answers_are_in_doubt() -> None:
    """Nothing but the order of frames says whose the question is. It is not put among the words of the other caller."""
    play = Play()
    play.say(*of("A", created()), *of("B", event("input_audio_buffer.committed", item_id="item_1")))
    play.say(*of("B", created()))
    transcript = "conversation.item.input_audio_transcription.completed"
    assert play.say(*of("B", event(transcript, item_id="item_1", transcript="Mine."))) == [
        EventRejected(event=transcript, reason=TOLD)
    ]

    added = event("conversation.item.added", item={"id": "item_2", "type": "message"}, previous_item_id="item_1")
    play.say(*of("B", event("response.output_item.added", response_id="resp_1", item={"id": "item_2"})))
    play.say(*of("B", added, event(transcript, item_id="item_1", transcript="Mine.")))
    assert said(play) == {STREAM: [""], SECOND: ["", "Mine."]}


def test_three_sessions() -> None:
    play = Play()
    for who in "ABC":
        play.say(*begin(who), *turn(who, 1))
    for number in (2, 3):
        for who in "CAB":
            play.say(*turn(who, number))
    assert said(play) == {key: dialogue(who, 1, 2, 3) for key, who in ((STREAM, "A"), (SECOND, "B"), (THIRD, "C"))}


def test_session_created_back_and_forth_is_a_sign() -> None:
    """The first session goes on, and is not opened again and again."""
    play = Play()
    for _ in range(5):
        play.say(*begin("A"), *begin("B"))
    assert play.open_keys == [STREAM, SECOND]
    assert play.say(LIMITS) == [EventRejected(event="rate_limits.updated", reason=TOLD)]


def test_conversations_that_interleave_on_a_stream_that_was_joined_late() -> None:
    """No session was seen to begin. A response of another conversation, while one is in progress, is another's."""
    play = Play()
    play.say(*of("A", created()), *of("B", created()))
    play.say(*of("A", delta("one")), *of("B", delta("two")), *of("A", done(output=[message("item_1", "one")])))
    play.say(*of("B", done(output=[message("item_1", "two")])))
    assert said(play) == {STREAM: ["one"], SECOND: ["two"]}
    play.say(*of("C", created()))
    assert play.line(THIRD)["conversation_id"] == "conv_C1"


def test_a_conversation_that_comes_back_is_another_than_the_one_between() -> None:
    """The response between them ended before it could be told apart: it stays where it was."""
    play = Play()
    play.say(*of("A", created(), done()), *of("B", created(), done()), *of("A", created("resp_2"), done("resp_2")))
    play.say(*of("B", created("resp_2"), done("resp_2")))
    held = {key: [json.loads(raw)["id"] for raw in play.state(key).responses.objects] for key in play.open_keys}
    assert held == {STREAM: ["resp_A1", "resp_B1", "resp_B2"], SECOND: ["resp_A2"]}


def mixed() -> Play:
    """Two sessions whose turns are known to be mixed."""
    play = Play()
    play.say(*begin("A"), *turn("A", 1), *begin("B"), *turn("B", 1), *turn("A", 2))
    play.pipeline.source("relay").frames_rejected.clear()
    return play


@pytest.mark.parametrize(
    "frame",
    [
        LIMITS,
        event("error", error={"type": "server_error", "message": "Gone."}),
        event("input_audio_buffer.speech_started", item_id="item_9"),
        event("response.output_text.delta", response_id="resp_9", item_id="item_9", delta="whose?"),
        event("response.created", response={"id": "resp_9"}),
        event("response.created", response={"id": "resp_9", "conversation_id": None}),
        event("session.updated", session={"id": "sess_9"}),
        event("conversation.item.added", item={"id": "item_9", "type": "message"}, previous_item_id="item_8"),
        event("conversation.item.truncated", item_id=None),
    ],
)
def test_what_cannot_be_told_is_rejected(frame: Event) -> None:
    """It moves neither session. It is a fact and a count, as whatever is rejected."""
    play = mixed()
    before = {key: play.line(key) for key in play.open_keys}
    assert play.say(frame) == [EventRejected(event=frame["type"], reason=TOLD)]
    assert play.rejected == {TOLD: 1}
    assert {key: play.line(key) for key in play.open_keys} == before


def test_an_id_that_two_sessions_have_tells_nothing() -> None:
    """Whoever sends it: one session cannot write into another by naming what both have."""
    play = mixed()
    play.say(typed("", "item_9", "A's", "item_A2"), typed("", "item_9", "B's", "item_B1"))
    shared = message("item_9", "whose?")
    assert play.say(event("conversation.item.done", item=shared)) == [
        EventRejected(event="conversation.item.done", reason=TOLD)
    ]
    assert [texts[-1] for texts in said(play).values()] == ["B's", "A's"] or said(play)[STREAM][-1] == "A's"
    crossed = event("response.done", response={"id": "resp_A1", "conversation_id": "conv_B1"})
    assert play.say(crossed) == [EventRejected(event="response.done", reason=TOLD)]


def test_a_mixed_stream_is_told_of_once() -> None:
    """However much of it cannot be told, so that the operational log has a line a stream."""
    told: list[Stream] = []
    play = mixed()
    play.pipeline.registry._mixed = told.append  # what the daemon gives at the start
    play.stream.ambiguous = False
    play.say(LIMITS, LIMITS, LIMITS)
    assert told == [play.stream]


def test_what_names_nothing_is_the_only_session_s_that_is_heard() -> None:
    """After the others were silent. What begins a new item or response may still be theirs."""
    play = mixed()
    play.wait(int(SUPERSEDED_SECONDS + 1) * 1000)
    play.say(*of("B", done("resp_2")))
    assert play.say(LIMITS) == [facts.RateLimitReported(kind="tokens", limit=9, remaining=5, reset_seconds=None)]
    assert play.say(event("input_audio_buffer.speech_started", item_id="item_9"))[0].reason == TOLD  # type: ignore[attr-defined]


def test_a_session_of_a_mixed_stream_ends_when_it_is_idle() -> None:
    """Its end is not said on such a stream. Then it carries one session again."""
    play = mixed()
    play.wait(3_000_000)
    play.say(*of("B", done("resp_2")))
    play.wait(700_000)
    play.tick()
    assert closings(play) == {STREAM: "idle"}
    assert play.say(LIMITS)[0] != EventRejected(event="rate_limits.updated", reason=TOLD)
    play.say(*turn("B", 3))
    assert said(play)[SECOND] == dialogue("B", 1, 3)


def test_a_session_that_has_replaced_another_is_silent_as_long_as_its_stream_is_open() -> None:
    """Nothing else than its stream ends it, as where it had been the first."""
    play = Play()
    play.say(*begin("A"), *turn("A"), *begin("B"))
    play.wait(10_000_000)
    play.tick()
    assert closings(play) == {STREAM: "replaced"}
    assert play.open_keys == [SECOND]


def test_where_room_is_needed_a_session_that_was_followed_ends_first() -> None:
    """As `replaced`, when the next one begins."""
    play = Play(conversations=2)
    play.say(*begin("A"), *turn("A"), event("thread.none"), *begin("B"))
    told = play.say(*begin("C"))
    assert [type(fact) for fact in told[:2]] == [facts.ConversationClosed, facts.ConversationOpened]
    assert closings(play) == {STREAM: "replaced"}


def test_a_session_that_expires_ends_no_other_one() -> None:
    play = mixed()
    play.state().expired = True
    play.close(code=1001)
    assert closings(play) == {STREAM: "session_expired", SECOND: "disconnected"}


def test_a_session_that_was_evicted_goes_on_under_the_next_number() -> None:
    """It is known by its ids still."""
    play = Play(conversations=2)
    play.say(*begin("A"), *turn("A", 1), *begin("B"), *turn("B", 1), *turn("A", 2), *turn("B", 2), *begin("C"))
    assert closings(play) == {STREAM: "evicted"}
    play.say(*turn("A", 3))
    assert said(play)[FOURTH] == dialogue("A", 3)
    assert play.line(FOURTH)["conversation_id"] == "conv_A1"


def test_a_late_event_of_a_session_that_has_ended_moves_nothing() -> None:
    """It does not open it again, and it is not the newest session's."""
    play = Play()
    play.say(*begin("A"), *turn("A", 1), *begin("B"))
    play.pipeline.registry.settle(play.stream)
    late = of("A", event("conversation.item.truncated", item_id="item_1", audio_end_ms=5))
    assert play.say(*late) == [EventRejected(event="conversation.item.truncated", reason="no_conversation")]
    play.say(*turn("A", 2))
    assert said(play)[THIRD][-2:] == dialogue("A", 2)


def test_sessions_of_one_stream_are_bounded() -> None:
    """The one that was silent longest makes room; what is remembered of each is bounded too."""
    play = Play()
    for number in range(sharing.SESSIONS * 3):
        play.say(*begin(f"X{number}x"), *begin("A"))
    shared = play.pipeline.registry._routers["realtime"]._shared[STREAM]  # type: ignore[attr-defined]  # what it holds
    assert len(shared.members) == len(play.open_keys) == sharing.SESSIONS
    for number in range(2_000):
        play.say(event("input_audio_buffer.speech_started", item_id=f"item_A{number}"))
        play.say(*of("A", event("conversation.item.done", item={"id": "item_1"}, previous_item_id=f"p{number}")))
    assert all(len(each.linked) <= member.LINKED and len(each.awaited) <= member.AWAITED for each in shared.members)
    shared.current.awaited.clear()
    for number in range(member.AWAITED * 2):
        speech = event("input_audio_buffer.speech_started", item_id=f"item_{number}")
        heard = decode(json.dumps(speech).encode())
        shared.current.heard(heard, member.names_in(heard), mixed=False)
    assert len(shared.current.awaited) <= member.AWAITED
    play.close()
    assert play.pipeline.registry._routers["realtime"]._shared == {}  # type: ignore[attr-defined]  # as before


def test_a_stream_that_carries_one_session_asks_nobody() -> None:
    """Its events find their conversation by one look-up, but for those that may be another's."""
    play = Play()
    asked: Counter[str] = Counter()
    router = play.pipeline.registry.routes[_kind("response.output_text.delta")].router
    find = router.find
    router.find = lambda stream, event, *rest: (asked.update([type(event).__name__]), find(stream, event, *rest))[1]  # type: ignore[method-assign]
    play.say(*voice_session())
    assert asked == {"SessionCreated": 1, "ResponseCreated": 5}


def _kind(name: str) -> Any:
    return next(kind for kind in HANDLERS if NAMES[kind] == name)
