"""What is due in a silence happens when it is due, without all conversations being looked at each second."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.core.conversation import Conversation
from steno.core.deadlines import FEW, Deadlines, Due
from steno.core.facts import Fact, Origin
from steno.core.stream import Stream
from steno.timestamps import SECOND, Micros
from tests.conftest import DEEP
from tests.core.helpers import BEGIN, Play, cloud_event, created, delta, done, event, run, session
from tests.work_counter import Work

NOW = BEGIN // SECOND
IDLE = 40
STREAMS = ("relay/1", "relay/2", "relay/3")


class Scan(Deadlines):
    """Looks at every open conversation each time: slow, and right without further ado."""

    __slots__ = ("states",)

    def __init__(self, states: dict[str, Conversation]) -> None:
        super().__init__(IDLE * SECOND, 120 * SECOND)
        self.states = states

    def watch(self, state: Conversation) -> None:
        """Note nothing."""

    def take(self, at: Micros) -> list[Conversation]:  # all of them, whenever it is
        """Return all."""
        return list(self.states.values())


def scanning(play: Play) -> Play:
    """Let a play go through all conversations, each time."""
    registry: Any = play.pipeline.registry
    registry._deadlines = Scan(registry.conversations)
    registry._last_heard_on = lambda stream: [
        state for state in registry.conversations.values() if state.last_stream == stream.name
    ]
    return play


SECONDS = st.integers(0, 700)
NAMES = st.sampled_from(["call-1", "call-2"])
SESSIONS = st.sampled_from(["sess_1", "sess_2", "sess_3"])
EVENTS = st.one_of(
    st.builds(
        lambda key, kind, ends: session(key, kind, **({"expires_at": NOW + ends} if ends else {})),
        SESSIONS,
        st.sampled_from(["session.created", "session.updated"]),
        SECONDS,
    ),
    st.builds(lambda conversation: created(conversation_id=conversation), st.sampled_from([None, "conv_1", "conv_2"])),
    st.builds(cloud_event, st.sampled_from([session(), created(), done()]), NAMES),
    st.builds(lambda thread: run("in_progress", thread_id=thread), st.sampled_from(["thread_1", "thread_2"])),
    st.just(delta("word")),
    st.just(event("session.closed")),
    st.builds(
        lambda ends, status: {
            "object": "chatkit.session",
            "id": "cksess_1",
            "status": status,
            "expires_at": NOW + ends,
            "client_secret": "ek_1",
        },
        SECONDS,
        st.sampled_from(["active", "cancelled"]),
    ),
)
STEPS = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(STREAMS), EVENTS),
    st.tuples(st.just("say"), st.sampled_from(STREAMS), EVENTS),
    st.tuples(st.just("wait"), st.sampled_from([0, 500, 1_000, 30_000, 90_000, 130_000, 300_000]), st.none()),
    st.tuples(st.just("close"), st.sampled_from(STREAMS), st.booleans()),
)


def played(play: Play, steps: list[tuple[str, Any, Any]]) -> list[tuple[Origin, Fact]]:
    streams: dict[str, Stream] = {}
    for what, where, more in steps:
        if what == "wait":
            play.wait(where)
            play.tick()
        elif what == "say":
            if where not in streams:
                streams[where] = play.open(where)
            play.say(more, on=streams[where])
        elif where in streams:
            play.close(streams.pop(where), shutdown=more)
    for _ in range(4):
        play.wait(200_000)
        play.tick()
    return play.emitted


@settings(max_examples=2_000 if DEEP else 60)
@given(st.lists(STEPS, max_size=25))
def test_the_facts_are_those_of_looking_at_all_each_second(steps: list[tuple[str, Any, Any]]) -> None:
    """The same ones, in the same order, whatever moves a deadline."""
    assert played(Play(idle_seconds=IDLE), steps) == played(scanning(Play(idle_seconds=IDLE)), steps)


def conversation(number: int, ends: int | None = None) -> Conversation:
    """A conversation that ends with its stream, and whose session ends `ends` seconds from now."""
    state = Conversation(f"relay/{number}", "relay", "relay/1", Play().pipeline.registry.limits, named=False)
    state.number, state.last_at = number, BEGIN
    state.session_life.report(f"sess_{number}", "realtime", None if ends is None else NOW + ends, BEGIN)
    return state


def test_a_conversation_is_looked_at_when_something_is_due() -> None:
    """And not before; what it ends by may move in between."""
    deadlines = Deadlines(IDLE * SECOND, 120 * SECOND)
    ends, silent, neither = conversation(1, 400), conversation(2), conversation(3)
    silent.named = True
    for state in (ends, silent, neither):
        deadlines.watch(state)
    silent.last_at = BEGIN + 5 * SECOND

    assert (ends.look_at, silent.look_at, neither.look_at) == (BEGIN + 100 * SECOND, BEGIN + IDLE * SECOND, None)
    assert deadlines.take(BEGIN + (IDLE - 1) * SECOND) == []
    assert deadlines.take(BEGIN + IDLE * SECOND) == [silent]
    assert deadlines.due([silent], BEGIN + IDLE * SECOND) == []
    deadlines.watch(silent)
    assert deadlines.take(BEGIN + 100 * SECOND) == [silent, ends]
    assert deadlines.due([ends, silent], BEGIN + 100 * SECOND) == [
        Due(BEGIN + (IDLE + 5) * SECOND, 2, silent=True, state=silent),
        Due(BEGIN + 100 * SECOND, 1, silent=False, state=ends),
    ]


def test_a_session_whose_end_moves_forward_again_and_again_takes_no_room() -> None:
    """Seconds that nobody stands under any more do not pile up."""
    deadlines = Deadlines(IDLE * SECOND, 120 * SECOND)
    state = conversation(1, 100_000)
    for ends in range(100_000, 90_000, -10):
        state.session_life.report("sess_1", "realtime", NOW + ends, BEGIN)
        deadlines.watch(state)
    assert len(deadlines._seconds) <= FEW + 2
    deadlines.forget(state)
    assert (deadlines.take(BEGIN + 200_000 * SECOND), state.look_at) == ([], None)


def steps_of_a_tick(conversations: int) -> int:
    play = Play()
    for number in range(conversations):
        play.say(session(f"sess_{number}", expires_at=NOW + 3_600), on=play.open(f"relay/{number}"))
    play.wait(1_000)
    with Work() as work:
        play.tick()
    return work.steps


def test_a_second_in_which_nothing_is_due_costs_the_same_however_many_are_open() -> None:
    """The ticker and the first frame of each second pay for it."""
    assert steps_of_a_tick(300) == steps_of_a_tick(3)


def steps_of_a_drain(streams: int) -> int:
    """What it takes to end all streams while all of them go on."""
    play = Play()
    opened = [play.open(f"relay/{number}", f"call-{number}") for number in range(streams)]
    word = msgspec.json.encode(event("input_audio_buffer.cleared"))
    for stream in opened:
        play.feed(word, stream)
    *others, last = opened
    with Work() as work:
        for stream in others:
            play.close(stream, shutdown=True)
            play.feed(word, last)
    assert play.open_keys == [f"relay/call-{streams - 1}"]
    return work.steps


def test_a_drain_costs_each_stream_the_same_however_many_there_are() -> None:
    """Going through all conversations for each would take 10,000 streams some 10 s."""
    few, many = steps_of_a_drain(20), steps_of_a_drain(200)
    assert many <= 12 * few, (few, many)
