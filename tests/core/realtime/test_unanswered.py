"""Turns of the user that ended without an answer: what ends one, what answers it, and what is no such turn."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import TurnUnanswered
from tests.core.helpers import Event, Play, audio, call, created, delta, done, event, message, session

TICKS = 1_000
ASIDE: dict[str, Any] = {"conversation_id": None}


def spoke(item: str = "user_1") -> list[Event]:
    """One utterance, as the voice detector reports it."""
    return [
        event("input_audio_buffer.speech_started", item_id=item),
        event("input_audio_buffer.speech_stopped", item_id=item),
        event("input_audio_buffer.committed", item_id=item),
    ]


def committed(item: str) -> Event:
    return event("input_audio_buffer.committed", item_id=item)


def typed(text: str) -> Event:
    item = {"id": "typed_1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return event("conversation.item.added", item=item)


def output_of(call_id: str) -> Event:
    item = {"id": f"out_{call_id}", "type": "function_call_output", "call_id": call_id, "output": "{}"}
    return event("conversation.item.added", item=item)


def judged(*events: Event, then: str = "speech", timed: bool = True) -> list[TurnUnanswered]:
    """Let a session take events, half a second each, and then end the turn. Return what is said of it."""
    play = Play(timed=timed)
    play.say(session())
    for each in events:
        play.wait(500)
        play.say(each)
    play.wait(500)
    if then == "speech":
        play.say(event("input_audio_buffer.speech_started", item_id="user_9"))
    else:
        play.close()
    return [fact for fact in play.facts if isinstance(fact, TurnUnanswered)]


CALLED = [created(), done(output=[call("item_1", "call_1")])]
"""A response that does nothing but call a tool."""
ANSWERED: dict[str, list[Event]] = {
    "a response is in progress": [created()],
    "a response spoke": [created(), audio(), done()],
    "a response speaks": [created(), audio()],
    "its words came, and its audio passes elsewhere": [created(), delta("Yes", kind="output_audio_transcript"), done()],
    "it was written": [created(), delta("Yes"), done()],
    "its end alone has its words": [created(), done(output=[message("item_1", "Yes")])],
    "its end alone was seen": [done(output=[message("item_1", "Yes")])],
    "it was heard": [created(), event("output_audio_buffer.started", response_id="resp_1"), done()],
    "it calls a tool": [created(), delta("{", kind="function_call_arguments", call_id="call_1")],
    "a tool runs": CALLED,
    "a tool ran, and a response goes on": [*CALLED, output_of("call_1"), created("resp_2")],
    "it was spoken over before a word": [
        created(),
        done(status="cancelled", status_details={"type": "cancelled", "reason": "turn_detected"}),
    ],
    "it was written to instead": [typed("Hello?")],
}
NOT_ANSWERED: dict[str, list[Event]] = {
    "nothing came": [],
    "a response failed": [created(), done(status="failed")],
    "a response was cancelled before a word": [created(), done(status="cancelled")],
    "a response had nothing to say": [created(), done()],
    "a response was aside": [created(**ASIDE), delta("No"), done(output=[message("item_1", "No")], **ASIDE)],
    "a response is in progress aside": [created(**ASIDE)],
    "a tool ran, and nothing came of it": [*CALLED, output_of("call_1")],
    "a response is going on that has spoken before": [],
}


@pytest.mark.parametrize("then", ["speech", "session"])
@pytest.mark.parametrize("answer", ANSWERED)
def test_an_answer_that_has_begun_answers(answer: str, then: str) -> None:
    """However it goes on."""
    assert judged(*spoke(), *ANSWERED[answer], then=then) == []


@pytest.mark.parametrize("then", ["speech", "session"])
@pytest.mark.parametrize("answer", NOT_ANSWERED)
def test_a_turn_that_nothing_answers_is_unanswered(answer: str, then: str) -> None:
    """Whether the user speaks again or the session is over; the wait begins with the end of speech."""
    before = [created("resp_0"), audio(response_id="resp_0")] if "before" in answer else []
    events = NOT_ANSWERED[answer]

    assert judged(*before, *spoke(), *events, then=then) == [
        TurnUnanswered(item_id="user_1", ended_by=then, waited_seconds=1.0 + 0.5 * len(events))
    ]


def test_a_turn_before_its_commit_is_that_of_its_speech() -> None:
    """Some servers never report the commit."""
    assert judged(*spoke()[:2]) == [TurnUnanswered(item_id="user_1", ended_by="speech", waited_seconds=0.5)]


def test_each_turn_is_judged_by_itself() -> None:
    """An answer to one is none to the next, and a call that hangs since the one before holds no answer up."""
    answered = judged(*spoke(), created(), delta("Yes"), done(), *spoke("user_2"))
    hung = judged(*spoke(), *CALLED, *spoke("user_2"))

    assert [each.item_id for each in answered] == ["user_2"]
    assert [each.item_id for each in hung] == ["user_2"]


def test_without_times_a_call_that_hangs_may_be_of_this_turn() -> None:
    """Nothing is made up."""
    assert judged(*spoke(), *CALLED, *spoke("user_2"), timed=False) == []
    assert judged(*spoke(), timed=False) == [TurnUnanswered(item_id="user_1", ended_by="speech", waited_seconds=None)]


def test_a_turn_ends_once() -> None:
    """Who speaks again and again has not asked again."""
    started = event("input_audio_buffer.speech_started", item_id="user_2")

    assert len(judged(*spoke(), started, started, then="session")) == 1


def test_input_that_is_committed_in_pieces_is_one_turn() -> None:
    """As with push-to-talk. The wait begins with the last piece."""
    assert judged(committed("a"), committed("b"), then="session") == [
        TurnUnanswered(item_id="b", ended_by="session", waited_seconds=0.5)
    ]
    assert judged(committed("a"), committed("b"), created(), audio(), done(), then="session") == []


def test_silence_is_no_turn() -> None:
    """The idle timeout commits it."""
    timeout = event("input_audio_buffer.timeout_triggered", item_id="silence")

    assert judged(timeout, committed("silence"), then="session") == []


@pytest.mark.parametrize("kind", ["transcription", "translation"])
def test_a_session_that_gives_no_answers_leaves_none_out(kind: str) -> None:
    play = Play()
    play.say(session(type=kind), *spoke(), *spoke("user_2"))
    play.close()

    assert play.of(TurnUnanswered) == []


def test_a_conversation_that_steno_ends_goes_on_elsewhere() -> None:
    """At the end of the daemon, and where there are too many."""
    stopped, crowded = Play(), Play(conversations=1)
    stopped.say(session(), *spoke())
    stopped.close(shutdown=True)
    crowded.say(session(), *spoke())
    crowded.say(session("sess_2"), on=crowded.open("relay/1/2"))

    assert [play.of(TurnUnanswered) for play in (stopped, crowded)] == [[], []]
    assert [getattr(fact, "reason", None) for fact in crowded.of(facts.ConversationClosed)] == ["evicted"]


def test_what_broke_off_may_have_been_answered_unseen() -> None:
    """Of what comes after it in the same conversation, everything is seen again."""
    play = Play(conversation="call-1")
    play.say(session(), *spoke())
    play.pipeline.stream_closed(play.stream, play.now, None, gap="broken_off")
    again = play.open("relay/1/2", "call-1")
    play.say(session(), *spoke("user_2"), on=again)
    play.say(*spoke("user_3"), on=again)

    assert [getattr(fact, "item_id", None) for fact in play.of(TurnUnanswered)] == ["user_2"]


def test_a_named_conversation_that_falls_silent_ends_its_turn() -> None:
    """When that was, nobody knows."""
    play = Play(conversation="call-1", idle_seconds=60)
    play.say(session(), *spoke())
    play.close()
    play.wait(120 * TICKS)
    ended = play.tick()

    assert [type(fact) for fact in ended] == [TurnUnanswered, facts.ConversationClosed]
    assert ended[0] == TurnUnanswered(item_id="user_1", ended_by="session", waited_seconds=None)
