"""Who spoke when: the arithmetic of upstream's clock."""

from hypothesis import given
from hypothesis import strategies as st

from steno.core.live.timeline import MODEL, RUN_BYTES, RUNS, USER, Runs, Segment, Timeline
from steno.core.memory import MemoryAccount

spans = st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda each: (each[0], each[0] + each[1]))


def covered(pieces: list[tuple[int, int]]) -> set[int]:
    """Return the milliseconds that some pieces cover."""
    return {ms for start, end in pieces for ms in range(start, end)}


@given(st.lists(spans, max_size=20))
def test_runs_hold_the_time_that_was_added_and_say_what_is_new(added: list[tuple[int, int]]) -> None:
    """In whatever order it comes, and however often."""
    runs, memory = Runs(account := MemoryAccount()), account
    seen: set[int] = set()
    for start, end in added:
        new = runs.add(start, end)
        assert covered(new) == covered([(start, end)]) - seen
        assert sum(end - start for start, end in new) == len(covered(new))
        seen |= covered([(start, end)])
    assert runs.shared([(0, 100)]) == len(seen)
    assert memory.bytes % RUN_BYTES == 0
    runs.clear()
    assert (memory.bytes, runs.shared([(0, 100)])) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from([USER, MODEL]), spans), max_size=20), st.randoms(use_true_random=False))
def test_double_talk_is_the_same_in_any_order(said: list[tuple[str, tuple[int, int]]], random: object) -> None:
    """And twice, and it is the time that both cover."""
    both = covered([span for role, span in said if role == USER]) & covered([s for role, s in said if role == MODEL])
    shuffled = said * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's random
    for order in (said, shuffled):
        timeline = Timeline(MemoryAccount())
        for role, (start, end) in order:
            timeline.say(timeline.of(role), Segment("1", role), start, end)
        assert timeline.double_talk_ms == len(both)


def test_only_the_newest_runs_are_held() -> None:
    """What comes of earlier time is not counted again."""
    runs = Runs(account := MemoryAccount())
    for at in range(0, 10 * (RUNS + 3), 10):
        assert runs.add(at, at + 1) == [(at, at + 1)]
    assert account.bytes == RUN_BYTES * RUNS
    assert (runs.add(0, 1), runs.add(20, 25)) == ([], [(21, 25)])
    assert runs.forgotten_ms >= 21


def told(*said: tuple[str, int, int]) -> list[int | None]:
    """Return the latencies of segments that were begun, said and finished one after the other."""
    timeline, latencies = Timeline(MemoryAccount()), []
    for number, (role, start, end) in enumerate(said):
        segment = Segment(str(number), role)
        timeline.begin(timeline.of(role), segment)
        timeline.say(timeline.of(role), segment, start, end)
        latencies.append(timeline.latency_ms(segment))
    return latencies


def test_latency_is_that_of_the_first_answer() -> None:
    """Of a user who waits: not before, and not again."""
    assert told((MODEL, 0, 500), (USER, 600, 1_000), (MODEL, 1_250, 2_000), (MODEL, 3_000, 4_000)) == [
        *(None, None, 250, None)
    ]


def test_who_interrupts_answers_nothing_by_that() -> None:
    """What comes once the user is silent does."""
    assert told((USER, 0, 2_000), (MODEL, 1_500, 1_900), (MODEL, 2_700, 3_000)) == [None, None, 700]


def test_words_that_come_late_do_not_hide_what_was_asked_last() -> None:
    """The later of two segments of the user is the one that is answered."""
    assert told((USER, 5_000, 6_000), (USER, 100, 300), (MODEL, 6_200, 7_000)) == [None, None, 200]


def test_words_without_a_place_have_no_latency() -> None:
    timeline = Timeline(MemoryAccount())
    segment = Segment("1", MODEL)
    timeline.begin(timeline.model, segment)
    assert timeline.latency_ms(segment) is None
