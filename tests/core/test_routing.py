"""What holds whatever is said: in any order, twice, never, from several conversations at once."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.core import facts
from steno.core.assistants.state import ThreadConversation
from steno.core.export import conversation_line
from steno.core.facts import Fact
from steno.core.realtime.state import RealtimeConversation
from steno.core.transcript import PARTS
from steno.limits import ENDED_IDS
from tests.core.helpers import Event, Play, assistants_streams, cloud_event, mutated, session, voice_session
from tests.core.responses.frames import connection
from tests.vocabulary import CLIENT_EVENTS, HANDLERS, NAMES, decode

SENT = {NAMES[kind] for kind in CLIENT_EVENTS}
CLIENT: list[Event] = [
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "call_9", "output": "12"}},
    {"type": "response.cancel"},
]
SESSIONS: list[Event] = [
    {"object": "chatkit.session", "id": "thread_1"},
    {"object": "realtime.session", "id": "call-1"},
]
FRAMES: list[Event] = [
    *voice_session(),
    session("sess_2"),
    *assistants_streams(),
    *connection(),
    *CLIENT,
    *SESSIONS,
    *(cloud_event(each, "call-1") for each in voice_session()),
    *(cloud_event(each, "thread_1") for each in voice_session()[:8]),
    *(cloud_event(each, "call-2") for each in connection()),
    *({**each, "data": {**each["data"], "thread_id": "thread_2"}} for each in assistants_streams()[1:8]),
]
TIGHT: dict[str, Any] = {
    "conversations": 3,
    "items": 3,
    "open_responses": 2,
    "kept_objects": 2,
    "object_bytes": 1024,
    "transcript_bytes": 1024,
    "idle_seconds": 5.0,
}
NOTHING_BUT_COUNTED = {"events", "rejected"}

Scene = list[tuple[str, Any]]
FRAME = st.sampled_from(FRAMES)


@pytest.mark.parametrize("kind", NAMES)
def test_every_event_has_a_handler(kind: type[Any]) -> None:
    """The state machine is a table, and it has no holes."""
    assert kind in HANDLERS


def test_no_handler_waits_for_an_event_that_there_is_not() -> None:
    """Nor anything more."""
    assert set(HANDLERS) == set(NAMES)


# Scenes ---------------------------------------------------------------------------------------------------------


def scenes() -> st.SearchStrategy[Scene]:
    """Frames in some order, with silence between them and connections that break off."""
    frames = FRAME.map(lambda frame: ("say", frame))
    silence = st.integers(0, 6_000).map(lambda milliseconds: ("wait", milliseconds))
    broken = st.sampled_from([("reopen", False), ("reopen", True)])
    drawn = st.lists(frames | frames | frames | silence | broken, max_size=40)
    return drawn | st.sampled_from([voice_session(), assistants_streams(), connection(), FRAMES]).flatmap(damaged)


@st.composite
def damaged(draw: st.DrawFn, frames: Sequence[Event]) -> Scene:
    """A stream some of whose frames were lost, doubled, or overtaken by others."""
    scene: Scene = []
    for frame in frames:
        times = draw(st.sampled_from([1, 1, 1, 1, 0, 2]))
        place = len(scene) if draw(st.integers(0, 4)) else draw(st.integers(0, len(scene)))
        scene[place:place] = [("say", frame), ("wait", 10)] * times
    return scene


def act(play: Play, what: str, how: Any) -> list[Fact]:
    match what:
        case "say":
            return play.say(how, sent=how.get("type") in SENT)
        case "wait":
            play.wait(how)
            return play.tick()
        case _:
            told = play.close(shutdown=how)
            play.stream = play.open(f"relay/1790000000000000/{len(play.emitted)}")
            return told


def counted(play: Play) -> int:
    pipeline = play.pipeline
    return sum(pipeline.events.values()) + sum(pipeline.others.values()) + sum(play.rejected.values())


def written(play: Play) -> dict[str, bytes]:
    """What is open, as it is exported: read only where it is compared, since reading costs more than writing."""
    return {key: conversation_line(state) for key, state in play.pipeline.registry.conversations.items()}


def lines(told: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """What was open, but for how much was counted."""
    read = {key: json.loads(line) for key, line in told.items()}
    return {key: {name: line[name] for name in line.keys() - NOTHING_BUT_COUNTED} for key, line in read.items()}


@settings(deadline=None)  # a busy machine is no fault
@given(scenes())
def test_whatever_is_said_leaves_a_sound_state(scene: Scene) -> None:
    """Nothing raises; sums are of what was; what is bounded is within its bounds."""
    play = Play(**TIGHT)
    for what, how in scene:
        before = counted(play)
        act(play, what, how)
        assert counted(play) == before + (what == "say"), "a frame counts once"
        for state in play.pipeline.registry.conversations.values():
            sound(state)
    play.pipeline.registry.close_all(play.now)
    assert play.open_keys == []
    opened = [origin.conversation for origin, fact in play.emitted if isinstance(fact, facts.ConversationOpened)]
    closed = [origin.conversation for origin, fact in play.emitted if isinstance(fact, facts.ConversationClosed)]
    assert sorted(map(str, opened)) == sorted(map(str, closed))
    for state in play.closed:
        json.loads(conversation_line(state))


def sound(state: Any) -> None:
    """Check that a conversation adds up and is within its limits."""
    assert all(tokens > 0 for tokens in state.totals.tokens.values())
    assert all(seconds >= 0 for seconds in state.totals.seconds.values())
    assert len(state.calls) <= TIGHT["open_responses"]
    assert len(state.ended) <= ENDED_IDS
    if isinstance(state, RealtimeConversation):
        assert sorted(state.order) == sorted(state.items)
        assert len(state.order) <= TIGHT["items"]
        assert state.transcript.characters == sum(item.length() for item in state.items.values())
        assert all(len(item.parts) <= PARTS for item in state.items.values())
        assert len(state.open) <= TIGHT["open_responses"]
        assert not any(key in state.ended_responses for key in state.open)
        assert len(state.responses.objects) <= TIGHT["kept_objects"]
    if isinstance(state, ThreadConversation):
        assert len(state.messages) <= TIGHT["items"]
        assert state.transcript.characters == sum(message.length() for message in state.messages.values())
        assert max(len(state.open_runs), len(state.open_steps)) <= TIGHT["open_responses"]
        assert not any(key in state.ended_ids for key in (*state.open_runs, *state.open_steps))
    if hasattr(state, "transcript"):
        assert 0 <= state.transcript.characters <= TIGHT["transcript_bytes"]


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(FRAME.map(lambda frame: json.dumps(frame).encode()) | mutated(FRAMES), max_size=40))
def test_whatever_is_nearly_an_event_leaves_a_sound_state(payloads: list[bytes]) -> None:
    """Members of wrong types, or none, or from other events: what the decoder lets pass, no handler falls over."""
    play = Play(**TIGHT)
    for payload in payloads:
        before = counted(play)
        play.feed(payload)
        assert counted(play) == before + 1, "a frame counts once"
        for state in play.pipeline.registry.conversations.values():
            sound(state)
            json.loads(conversation_line(state))


@settings(deadline=None)  # a busy machine is no fault
@given(scenes())
def test_what_is_rejected_changes_nothing(scene: Scene) -> None:
    """Disorder is counted and told, and the state is what it was."""
    play = Play()
    for what, how in scene:
        before = written(play)
        told = act(play, what, how)
        if any(isinstance(fact, facts.EventRejected) for fact in told):
            opened = sum(isinstance(fact, facts.ConversationOpened) for fact in told)
            assert len(told) == 1 + opened
            after = written(play)
            # What is written alike need not be read.
            changed = [key for key in before if after.get(key) != before[key]]
            assert lines({key: after[key] for key in changed}) == lines({key: before[key] for key in changed})


@settings(deadline=None)  # a busy machine is no fault
@given(scenes())
def test_what_ended_is_told_once(scene: Scene) -> None:
    """Each response and run, whatever is repeated, for as long as its conversation is open; usage above all."""
    play = Play()
    for what, how in scene:
        act(play, what, how)
    opened: Counter[str | None] = Counter()
    ends = []
    for origin, fact in play.emitted:
        opened[origin.conversation] += isinstance(fact, facts.ConversationOpened)
        if isinstance(fact, facts.ResponseFinished | facts.RunFinished):
            ended = fact.response_id if isinstance(fact, facts.ResponseFinished) else fact.run_id
            ends.append((origin.conversation, opened[origin.conversation], ended))
    assert len(ends) == len(set(ends))


@settings(deadline=None)  # a busy machine is no fault
@given(scenes())
def test_the_same_frames_give_the_same_facts(scene: Scene) -> None:
    """State and facts are a function of frames and ticks."""
    first, second = Play(**TIGHT), Play(**TIGHT)
    for what, how in scene:
        assert act(first, what, how) == act(second, what, how)
    assert first.emitted == second.emitted
    assert lines(written(first)) == lines(written(second))


@settings(deadline=None)  # a busy machine is no fault
@given(scenes())
def test_times_change_nothing_but_durations(scene: Scene) -> None:
    """A recording without them leads to the same conversations, as long as none of them falls silent."""
    timed, untimed = Play(), Play(timed=False)
    for what, how in scene:
        if what == "wait":
            timed.wait(how // 100)
        else:
            act(timed, what, how)
            act(untimed, what, how)
    assert [type(fact) for fact in timed.facts] == [type(fact) for fact in untimed.facts]
    assert lines(written(timed)) == lines(written(untimed))


def test_the_frames_of_the_scenes_are_what_they_seem() -> None:
    """Undamaged, they are told without a rejection, and cover what has a handler."""
    for frames in (voice_session(), assistants_streams()):
        play = Play()
        play.say(*frames)
        assert play.rejected == {}
    kinds = {type(decode(json.dumps(frame).encode())) for frame in FRAMES}
    assert len(kinds) > 40
