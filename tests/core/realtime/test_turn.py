"""Turn latency: the transitions as a table, and what a caller waits for in each kind of session."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.core import facts
from steno.core.realtime.turn import TRANSITIONS, WAITS, Event, State, Turn
from steno.timestamps import Micros
from tests.core.helpers import Play, audio, call, created, done, event, session

SPEECH_STARTED = "input_audio_buffer.speech_started"
SPEECH_STOPPED = "input_audio_buffer.speech_stopped"
COMMITTED = "input_audio_buffer.committed"
TIMED_OUT = "input_audio_buffer.timeout_triggered"
PLAYED = "output_audio_buffer.started"


# The table ------------------------------------------------------------------------------------------------------


def test_table_is_complete() -> None:
    """Each event has a transition in each state: no order of frames is refused."""
    assert {state: set(events) for state, events in TRANSITIONS.items()} == {state: set(Event) for state in State}


def test_every_state_can_be_reached() -> None:
    """From the first one, over the transitions."""
    reached = {State.IDLE}
    while further := {after for before in reached for after in TRANSITIONS[before].values()} - reached:
        reached |= further

    assert reached == set(State)


@pytest.mark.parametrize("state", State)
def test_answer_and_typed_input_end_the_wait(state: State) -> None:
    """Whoever is answered, or writes instead, does not wait any more."""
    after = TRANSITIONS[state]

    assert after[Event.ANSWERED] == after[Event.TYPED]
    assert after[Event.ANSWERED] not in WAITS


@pytest.mark.parametrize("state", State)
def test_commit_of_silence_begins_no_wait(state: State) -> None:
    """It leaves a wait open, and a caller who does not wait alone."""
    assert (TRANSITIONS[state][Event.SILENCE_COMMITTED] in WAITS) == (state in WAITS)


# What does not fit into the table -------------------------------------------------------------------------------

STEPS: dict[str, Callable[[Turn, Micros], Micros | None]] = {
    "started": lambda turn, at: turn.speech_started(at),
    "stopped": lambda turn, at: turn.speech_stopped(at),
    "timed out": lambda turn, _: turn.timed_out("silence"),
    "silence": lambda turn, at: turn.committed("silence", at),
    "committed": lambda turn, at: turn.committed("user_1", at),
    "typed": lambda turn, _: turn.typed(),
    "audio": lambda turn, _: turn.audio_began(out_of_band=False),
    "audio aside": lambda turn, _: turn.audio_began(out_of_band=True),
    "playback": lambda turn, _: turn.playback_began(out_of_band=False),
    "playback aside": lambda turn, _: turn.playback_began(out_of_band=True),
}
"""What can be done to a turn, by a short name."""


def taken(steps: str) -> tuple[State, Micros | None, Micros | None]:
    """The state after some steps, a second each, since when the caller waits, and what the last step returned."""
    turn, returned = Turn(), None
    for second, step in enumerate(steps.split(", "), start=1):
        returned = STEPS[step](turn, second)
    return turn.state, turn.since, returned


@pytest.mark.parametrize(
    ("steps", "state", "since", "returned"),
    [
        ("started, stopped", State.STOPPED, 2, 1),
        ("stopped", State.STOPPED, 1, None),
        ("started, stopped, stopped", State.STOPPED, 3, None),
        ("started, committed, stopped", State.STOPPED, 3, 1),
        ("stopped, committed", State.WAITING, 1, None),
        ("committed", State.WAITING, 1, None),
        ("committed, committed", State.WAITING, 2, None),
        ("started, committed", State.WAITING, 2, None),
        ("stopped, committed, committed", State.WAITING, 3, None),
        ("timed out, silence", State.IDLE, None, None),
        ("silence", State.WAITING, 1, None),
        ("committed, timed out, silence", State.WAITING, 1, None),
        ("stopped, timed out, silence", State.WAITING, 1, None),
        ("stopped, typed, committed", State.IDLE, None, None),
        ("committed, started", State.SPEAKING, None, None),
        ("stopped, committed, audio", State.IDLE, None, 1),
        ("stopped, audio", State.ANSWERED, None, 1),
        ("stopped, audio, committed", State.IDLE, None, None),
        ("stopped, audio, audio", State.ANSWERED, None, None),
        ("started, audio", State.SPEAKING, None, None),
        ("stopped, audio aside", State.STOPPED, 1, None),
        ("stopped, playback", State.ANSWERED, None, 1),
        ("stopped, playback aside", State.STOPPED, 1, None),
        ("audio, committed, playback", State.WAITING, 2, None),
        ("audio aside, committed, playback", State.IDLE, None, 2),
        ("audio, committed, audio", State.IDLE, None, 2),
    ],
)
def test_steps_of_a_turn(steps: str, state: State, since: Micros | None, returned: Micros | None) -> None:
    """They lead to a state, to the time of the wait, and to what a handler measures from."""
    assert taken(steps) == (state, since, returned)


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=20))
def test_caller_waits_in_two_states_alone(steps: list[str]) -> None:
    """In the others no answer can have a latency."""
    turn = Turn()
    for second, step in enumerate(steps):
        STEPS[step](turn, second)

        assert (turn.since is not None) == (turn.state in WAITS)


# Sessions -------------------------------------------------------------------------------------------------------


def begun() -> Play:
    """A session on a stream."""
    play = Play()
    play.say(session())
    return play


def observed(play: Play) -> list[float]:
    """The turn latencies at the moment at which each was over: what the metric counts."""
    reported = play.of(facts.ResponseOutputStarted, facts.PlaybackStarted)
    latencies = [fact.turn_latency_seconds for fact in reported]  # type: ignore[attr-defined]  # both have one
    return [latency for latency in latencies if latency is not None]


def latencies(play: Play) -> list[float | None]:
    """The turn latencies of all responses that ended or were played, in order."""
    reported = play.of(facts.ResponseFinished, facts.PlaybackStarted)
    return [fact.turn_latency_seconds for fact in reported]  # type: ignore[attr-defined]  # both have one


def test_server_vad_measures_from_the_end_of_speech_to_the_first_audio() -> None:
    """The commit that follows begins no wait: the caller has waited since the silence."""
    play = begun()
    play.say(event(SPEECH_STARTED))
    play.wait(1000)
    play.say(event(SPEECH_STOPPED))
    play.wait(30)
    play.say(event(COMMITTED, item_id="user_1"), created())
    play.wait(400)
    play.say(audio())
    play.wait(100)
    play.say(audio(), done())

    assert latencies(play) == [0.43]


def test_push_to_talk_measures_from_the_commit() -> None:
    """Each commit begins the wait anew. A turn that was answered without audio has no latency."""
    play = begun()
    play.say(event(COMMITTED, item_id="user_1"), created("resp_1"))
    play.wait(200)
    play.say(audio(), done("resp_1"))
    play.wait(60_000)
    play.say(event(COMMITTED, item_id="user_2"), created("resp_2"), done("resp_2"))
    play.wait(60_000)
    play.say(event(COMMITTED, item_id="user_3"), created("resp_3"))
    play.wait(300)
    play.say(audio(response_id="resp_3"), done("resp_3"))

    assert latencies(play) == [0.2, None, 0.3]


def test_wait_goes_on_across_a_tool_call() -> None:
    """The caller hears nothing of the response that makes the call."""
    play = begun()
    play.say(event(SPEECH_STOPPED), event(COMMITTED), created("resp_1"))
    play.wait(500)
    play.say(done("resp_1", output=[call("item_1", "call_1")]))
    play.wait(500)
    play.say(created("resp_2"))
    play.wait(500)
    play.say(audio(response_id="resp_2"), done("resp_2"))

    assert latencies(play) == [None, 1.5]


def test_playback_answers_where_no_audio_is_carried() -> None:
    """It is reported when it happens, and the end of the response repeats it."""
    play = begun()
    play.say(event(SPEECH_STOPPED), created())
    play.wait(800)
    play.say(event(PLAYED, response_id="resp_1"), done())
    play.wait(100)
    play.say(event(PLAYED, response_id="resp_1"))

    assert latencies(play) == [0.8, 0.8, None]


def test_playback_of_an_unknown_response_reports_the_latency_itself() -> None:
    """No end of a response is sure to come after it."""
    play = begun()
    play.say(event(SPEECH_STOPPED))
    play.wait(800)
    play.say(event(PLAYED, response_id="resp_1"))

    assert latencies(play) == [0.8]


def test_playback_answers_nothing_where_audio_is_carried() -> None:
    """One turn has one latency."""
    play = begun()
    play.say(event(SPEECH_STOPPED), created())
    play.wait(300)
    play.say(audio())
    play.say(event(SPEECH_STOPPED))
    play.wait(100)
    play.say(event(PLAYED, response_id="resp_1"), done())

    assert latencies(play) == [None, 0.3]


def test_caller_who_speaks_again_does_not_wait() -> None:
    """The next turn is measured by itself."""
    play = begun()
    play.say(event(SPEECH_STOPPED), created("resp_1"))
    play.wait(5000)
    play.say(event(SPEECH_STARTED))
    play.say(audio(), done("resp_1", "cancelled"))
    play.wait(1000)
    play.say(event(SPEECH_STOPPED), created("resp_2"))
    play.wait(200)
    play.say(audio(response_id="resp_2"), done("resp_2"))

    assert latencies(play) == [None, 0.2]


def test_typed_turn_has_no_latency() -> None:
    """The answer to it is no answer to the spoken turn before it."""
    play = begun()
    content = [{"type": "input_text", "text": "Typed."}]
    typed = {"id": "user_1", "type": "message", "role": "user", "content": content}
    play.say(event(SPEECH_STOPPED), event("conversation.item.added", item=typed), created())
    play.wait(700)
    play.say(audio(), done())

    assert latencies(play) == [None]


def test_response_out_of_band_answers_nobody() -> None:
    """Its audio and its playback leave the wait open for the answer in the conversation."""
    play = begun()
    play.say(event(SPEECH_STOPPED))
    play.say(created("aside", conversation_id=None), created("answer", conversation_id="conv_1"))
    play.wait(200)
    play.say(audio(response_id="aside"), event(PLAYED, response_id="aside"))
    play.wait(200)
    play.say(audio(response_id="answer"))
    play.say(done("aside", conversation_id=None), done("answer", conversation_id="conv_1"))

    assert latencies(play) == [None, None, 0.4]


@pytest.mark.parametrize("ended", ["cancelled", "incomplete", "failed", None])
def test_latency_counts_whatever_becomes_of_the_response(ended: str | None) -> None:
    """A slow answer that the caller speaks over, or whose end is never seen, was slow all the same."""
    play = begun()
    play.say(event(SPEECH_STOPPED), created())
    play.wait(4000)
    play.say(audio())
    assert observed(play) == [4.0]
    play.say(*([done(status=ended)] if ended else []), audio())

    assert observed(play) == [4.0]


def test_playback_is_measured_by_the_model_of_its_response() -> None:
    """On a sideband, too, and at once; the session may have another model by then."""
    play = begun()
    play.say(event(SPEECH_STOPPED), created(model="gpt-x"))
    play.wait(700)
    play.say(event(PLAYED, response_id="resp_1"))

    assert play.of(facts.PlaybackStarted) == [
        facts.PlaybackStarted(response_id="resp_1", model="gpt-x", turn_latency_seconds=0.7)
    ]


def test_silence_of_the_idle_timeout_has_no_latency() -> None:
    """Nobody spoke, and nobody waits for the response that follows."""
    play = begun()
    play.say(event(TIMED_OUT, item_id="item_0"), event(COMMITTED, item_id="item_0"), created())
    play.wait(300)
    play.say(audio(), done())

    assert latencies(play) == [None]


def test_response_that_was_cut_off_before_any_output_has_no_times() -> None:
    """There was no first token, no first audio, and no answer."""
    play = begun()
    play.say(event(SPEECH_STOPPED), created())
    play.wait(300)
    play.say(done(status="cancelled", status_details={"reason": "turn_detected"}))
    [ended] = play.of(facts.ResponseFinished)
    assert isinstance(ended, facts.ResponseFinished)

    assert (
        ended.duration_seconds,
        ended.time_to_first_token_seconds,
        ended.time_to_first_audio_seconds,
        ended.turn_latency_seconds,
    ) == (0.3, None, None, None)


def test_latency_that_runs_backwards_is_dropped_and_counted() -> None:
    """Times that an envelope states may do so."""
    play = begun()
    play.wait(1000)
    play.say(event(SPEECH_STOPPED), created())
    play.wait(-500)
    play.say(audio(), done())

    assert latencies(play) == [None]
    assert play.line()["rejected"] == {"negative_duration": 3}
